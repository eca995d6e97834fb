"""The file that a command writes, and what it prints: tables, or JSON.

Legend: record what a command found, any nesting of what JSON holds; sections blocks of lines without their ends.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from npquant.report.document import rounded


def check_out(out: str, *sources: str | None, option: str = "--out") -> None:
    """See that the file `out` can be written and is none of its `sources` (None: no file), before any work is done.

    ValueError if it is empty, one of them, a folder or a device; OSError if its folder is missing or not writable;
    names it, and the `option` that did.

    >>> check_out("float.npz", "float.npz")
    Traceback (most recent call last):
    ValueError: --out is float.npz, which would be lost; choose another name
    """
    if not out.strip():
        raise ValueError(f"{option} is empty; name the file to write")
    for source in sources:
        if source is not None and os.path.realpath(source) == os.path.realpath(out):
            raise ValueError(f"{option} is {source}, which would be lost; choose another name")
    if os.path.isdir(out):
        raise ValueError(f"{option} is {out}, a folder; name a file in it")
    if os.path.exists(out) and not os.path.isfile(out):
        raise ValueError(f"{option} is {out}, which is no regular file; choose another name")
    folder = Path(os.path.realpath(out)).parent
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OSError(error.errno, f"{error.strerror}: choose a writable place with {option}", out) from error


def json_text(record: dict[str, Any]) -> str:
    """Write a record as JSON: floats are rounded to nine digits, NaN and inf become null.

    >>> print(json_text({"bits": float("inf")}), end="")
    {
      "bits": null
    }
    """
    return json.dumps(rounded(record), indent=2, allow_nan=False) + "\n"


def write_json(record: dict[str, Any]) -> None:
    """Print a record as `json_text` writes it.

    >>> write_json({"bits": (4, 4)})
    {
      "bits": [
        4,
        4
      ]
    }
    """
    sys.stdout.write(json_text(record))
    sys.stdout.flush()


def write_sections(sections: Iterable[Iterable[str]]) -> None:
    """Print blocks of lines with an empty line between them; a block without lines is left out.

    >>> write_sections([["one"], [], ["two"]])
    one
    <BLANKLINE>
    two
    """
    blocks = ["\n".join(lines) for lines in sections]
    sys.stdout.write("\n\n".join(block for block in blocks if block) + "\n")
    sys.stdout.flush()


def print_record(
    record: dict[str, Any],
    sections: Callable[[dict[str, Any], int], Iterable[Iterable[str]]],
    width: int,
    *,
    as_json: bool,
) -> int:
    """Print a record, `as_json` or laid out by `sections` at a `width`, and return the exit code: 1, budget missed."""
    if as_json:
        write_json(record)
    else:
        write_sections(sections(record, width))
    return 0 if record["budget"]["met"] else 1
