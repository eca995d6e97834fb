"""``npquant notebook``: the first steps, as a notebook to run and to change."""

from __future__ import annotations

import argparse
import sys
from importlib import resources
from pathlib import Path
from typing import Final

NAME: Final = "first-steps.ipynb"


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe ``npquant notebook`` in `commands`, what ``add_subparsers`` returned.

    >>> parser = argparse.ArgumentParser()
    >>> add_command(parser.add_subparsers())
    >>> parser.parse_args(["notebook"]).folder
    '.'
    """
    notebook = commands.add_parser(
        "notebook",
        help="write a notebook that walks from a float network to 2 bits",
        description="Write first-steps.ipynb: from a float network to 8 bits, one neuron by hand, 2 bits, an exercise.",
        epilog="Exit code: 0 the notebook is written, 2 it is not, since one of its name stands there.",
    )
    notebook.add_argument("folder", metavar="DIR", nargs="?", default=".", help="where it goes (default: here)")
    notebook.add_argument("--json", action="store_true", help="print JSON instead of the answer")
    notebook.set_defaults(command=_execute)


def _execute(options: argparse.Namespace) -> int:
    """Write the notebook and say how it is opened."""
    from npquant.cli.output import write_json
    from npquant.files.storage import write_atomically

    target = Path(options.folder) / NAME
    if target.exists():
        # A reader's own answers may stand in it.
        raise ValueError(f"{target} stands already; name another folder, or move it")
    target.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(target, (resources.files("npquant.cli") / NAME).read_bytes())
    if options.json:
        write_json({"command": "notebook", "file": str(target)})
    else:
        sys.stdout.write(f"{target} is written; open it:\n  pip install 'npquant[notebook]'\n  jupyter lab {target}\n")
    return 0
