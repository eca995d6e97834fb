"""Several files in one folder: all of the new ones, or all of the old.

They are written to a hidden folder beside their places, where a disk may fill up without harm. What is left then is to
rename them, and each renaming can be undone. Where one of the files speaks of the others, the old one goes first and
the new one comes last, so that not even a machine that stops in between leaves it beside files of another writing.

Legend: folder the files' own; staged the hidden folder in it; names of files are relative to either; last the file that
speaks of the others, "" for none; listed names the files that the old one speaks of, and that go with it.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from npquant.files.storage import write_atomically


def write_together(folder: Path, contents: Mapping[str, bytes], last: str = "") -> None:
    """Write `contents`, by name, to a folder that exists: all of them or none.

    OSError, naming the place, if one cannot be written; ValueError if something stands there that is no regular file.

    >>> with tempfile.TemporaryDirectory() as out:
    ...     write_together(Path(out), {"net.h": b"", "net.c": b""})
    ...     sorted(os.listdir(out))
    ['net.c', 'net.h']
    """
    for name in contents:
        if (folder / name).exists() and not (folder / name).is_file():
            raise ValueError(f"{folder / name}: exists and is no regular file; choose another name")
    with replaced_together(folder, last) as staged:
        for name, content in contents.items():
            write_atomically(staged / name, content)


@contextmanager
def replaced_together(folder: Path, last: str = "", listed: Callable[[], Iterable[str]] = tuple) -> Iterator[Path]:
    """Give a folder to write to; what it holds when the block ends well takes its place in `folder`, together.

    Other files in folder stay. On any failure, Ctrl-C included, folder is as it was. OSError names the place that a
    file was meant for.
    """
    made: list[Path] = []
    try:
        for suffix in (".new", ".old"):
            made.append(Path(tempfile.mkdtemp(prefix=".npquant-", suffix=suffix, dir=folder)))
        staged, aside = made
        yield staged
        with _alone(folder):
            _put_in_place(folder, staged, aside, last, listed)
        shutil.rmtree(aside, ignore_errors=True)
    except OSError as error:
        raise _meant(error, folder, made) from error
    finally:
        if made:
            shutil.rmtree(made[0], ignore_errors=True)
        _remove_empty(made[1:])  # what could not be put back, if anything, is not thrown away


def _put_in_place(folder: Path, staged: Path, aside: Path, last: str, listed: Callable[[], Iterable[str]]) -> None:
    """Rename the old files away and the new ones in; undo all of it if one cannot be."""
    new = sorted(_names(staged), key=lambda name: (name == last, name))
    earlier = (last, *listed()) if last in new else ()
    old = [name for name in dict.fromkeys((*earlier, *new)) if os.path.lexists(folder / name)]
    moves = [(folder / name, aside / name) for name in old] + [(staged / name, folder / name) for name in new]
    try:
        for source, target in moves:
            target.parent.mkdir(parents=True, exist_ok=True)
            os.rename(source, target)
        _remove_empty({(folder / name).parent for name in old} - {folder})
    except BaseException:
        for source, target in reversed(moves):
            if os.path.lexists(target) and not os.path.lexists(source):
                os.rename(target, source)
        _remove_empty([*{(folder / name).parent for name in new} - {folder}, *_folders(aside)])
        raise


def _names(staged: Path) -> list[str]:
    return [path.relative_to(staged).as_posix() for path in staged.rglob("*") if not path.is_dir()]


def _folders(root: Path) -> list[Path]:
    return sorted((path for path in root.rglob("*") if path.is_dir()), reverse=True)


def _remove_empty(folders: Iterable[Path]) -> None:
    for folder in folders:
        with suppress(OSError):
            folder.rmdir()


def _meant(error: OSError, folder: Path, made: list[Path]) -> OSError:
    """Return an error that names the place in the folder, not the hidden one."""
    if error.filename is None:
        return error
    path = Path(os.fsdecode(error.filename))
    for hidden in made:
        if path.is_relative_to(hidden):
            path = folder / path.relative_to(hidden)
    hidden_still = path.parent == folder and path.name.startswith(".npquant-")
    return OSError(error.errno, error.strerror, str(folder if hidden_still else path))


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Let one run at a time rename in a folder, where the system can."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # a file system without locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
