"""A run's folder: all of the new files, or all of the old; two runs do not mix.

The report speaks of the other files of its run: the old one goes first and the new one comes last.

Legend: folder the run's own; names of files are relative to it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Final

from npquant.files.staging import replaced_together
from npquant.workflow.target_names import FILES, FOLDERS

REPORT: Final = "report.json"
PAGE: Final = "report.html"
_NETWORKS: Final = ("float.npz", "deployed.npz")


@contextmanager
def staged_files(folder: Path) -> Iterator[Path]:
    """Give a folder to write to; what it holds when the block ends well takes its place in `folder`, together.

    Where a report is among the files, those that the report before it lists go. Other files in folder stay. On any
    failure, Ctrl-C included, folder is as it was. OSError names the place that a file was meant for.

    >>> import os
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as out:
    ...     with staged_files(Path(out)) as staged:
    ...         written = (staged / "report.json").write_bytes(b"{}")
    ...         before = (Path(out) / "report.json").exists()
    ...     before, os.listdir(out)
    (False, ['report.json'])
    """
    with replaced_together(folder, REPORT, lambda: _listed(folder)) as staged:
        yield staged


def check_places(folder: Path) -> None:
    """See that nothing stands where a run's files belong that they could not replace; ValueError names it."""
    wrong = [name for name in (*_NETWORKS, PAGE, REPORT) if (folder / name).is_dir()]
    for target, name in FILES.items():
        path = folder / name
        if path.exists() and path.is_dir() != (target in FOLDERS):
            wrong.append(name)
    if wrong:
        raise ValueError(
            f"{folder / wrong[0]}: is in the way of a file or folder of that name; move it, or change --out"
        )


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
