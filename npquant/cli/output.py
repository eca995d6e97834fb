"""The file that a command writes, and what it prints: tables, or JSON."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from npquant.report.document import rounded


def check_out(out: str, *sources: str | None) -> None:
    """See that a file can be written, before any work is done.

    Parameters
    ----------
    out : str
        The file.
    sources : str or None
        Files that it must not replace; None stands for no file.

    Raises
    ------
    ValueError
        If `out` is one of the sources, or a folder.
    OSError
        If its folder is missing or not writable; names it.

    Examples
    --------
    >>> check_out("float.npz", "float.npz")
    Traceback (most recent call last):
    ValueError: --out is float.npz, which would be lost; choose another name
    """
    for source in sources:
        if source is not None and os.path.realpath(source) == os.path.realpath(out):
            raise ValueError(f"--out is {source}, which would be lost; choose another name")
    if os.path.isdir(out):
        raise ValueError(f"--out is {out}, a folder; name a file in it")
    folder = Path(os.path.realpath(out)).parent
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OSError(error.errno, f"{error.strerror}: choose a writable place with --out", out) from error


def write_json(record: dict[str, Any]) -> None:
    """Print a record as JSON.

    Parameters
    ----------
    record : dict
        Any nesting of what JSON holds; floats are rounded to nine digits, NaN and inf become null.

    Examples
    --------
    >>> write_json({"bits": (4, 4)})
    {
      "bits": [
        4,
        4
      ]
    }
    """
    sys.stdout.write(json.dumps(rounded(record), indent=2, allow_nan=False) + "\n")
    sys.stdout.flush()


def write_sections(sections: Iterable[Iterable[str]]) -> None:
    """Print blocks of lines with an empty line between them.

    Parameters
    ----------
    sections : iterable of iterables of str
        Lines without their ends; a block without lines is left out.

    Examples
    --------
    >>> write_sections([["one"], [], ["two"]])
    one
    <BLANKLINE>
    two
    """
    blocks = ["\n".join(lines) for lines in sections]
    sys.stdout.write("\n\n".join(block for block in blocks if block) + "\n")
    sys.stdout.flush()
