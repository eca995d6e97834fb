"""Several files in one folder: all of the new ones, or all of the old.

They are written to a hidden folder beside their places, where a disk may fill up without harm. What is left then is to
rename them, and each renaming can be undone: the old report goes first and the new one comes last, so that not even a
machine that stops in between leaves a report beside the files of another run.

Legend: folder the files' own; staged the hidden folder in it; names of files are relative to either.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Final

from npquant.workflow.target_names import FILES, FOLDERS

REPORT: Final = "report.json"
_NETWORKS: Final = ("float.npz", "deployed.npz")


@contextmanager
def staged_files(folder: Path) -> Iterator[Path]:
    """Give a folder to write to; what it holds when the block ends well takes its place in `folder`, together.

    Where a report is among the files, those that the report before it lists go: two runs do not mix. Other files in
    folder stay. On any failure, Ctrl-C included, folder is as it was. OSError names the place that a file was meant
    for.

    >>> with tempfile.TemporaryDirectory() as out:
    ...     with staged_files(Path(out)) as staged:
    ...         written = (staged / "report.json").write_bytes(b"{}")
    ...         before = (Path(out) / "report.json").exists()
    ...     before, os.listdir(out)
    (False, ['report.json'])
    """
    made: list[Path] = []
    try:
        for suffix in (".new", ".old"):
            made.append(Path(tempfile.mkdtemp(prefix=".npquant-", suffix=suffix, dir=folder)))
        staged, aside = made
        yield staged
        with _alone(folder):
            _put_in_place(folder, staged, aside)
        shutil.rmtree(aside, ignore_errors=True)
    except OSError as error:
        raise _meant(error, folder, made) from error
    finally:
        if made:
            shutil.rmtree(made[0], ignore_errors=True)
        _remove_empty(made[1:])  # what could not be put back, if anything, is not thrown away


def check_places(folder: Path) -> None:
    """See that nothing stands where a run's files belong that they could not replace; ValueError names it."""
    wrong = [name for name in (*_NETWORKS, REPORT) if (folder / name).is_dir()]
    for target, name in FILES.items():
        path = folder / name
        if path.exists() and path.is_dir() != (target in FOLDERS):
            wrong.append(name)
    if wrong:
        raise ValueError(
            f"{folder / wrong[0]}: is in the way of a file or folder of that name; move it, or change --out"
        )


def _put_in_place(folder: Path, staged: Path, aside: Path) -> None:
    """Rename the old files away and the new ones in; undo all of it if one cannot be."""
    new = sorted(_names(staged), key=lambda name: (name == REPORT, name))
    earlier = (REPORT, *_listed(folder)) if REPORT in new else ()
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


def _listed(folder: Path) -> list[str]:
    """Name the files that the report in a folder says its run wrote: of a run's own places alone, whatever it says."""
    try:
        deployment = json.loads((folder / REPORT).read_bytes())["deployment"]
        said = [*deployment["files"], *(file["name"] for entry in deployment["targets"] for file in entry["files"])]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return []
    own = {*_NETWORKS, *FILES.values()}
    names = [PurePosixPath(name) for name in said if isinstance(name, str) and "\0" not in name]
    inside = [name for name in names if name.parts and name.parts[0] in own and ".." not in name.parts]
    return [str(name) for name in inside if (folder / name).is_file()]


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
