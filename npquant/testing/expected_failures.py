"""Failures that are known: a file with a line `class: reason` each, so that a red class is red for a reason on record.

Legend: text the file's; `#` begins a line that nobody reads.
"""

from __future__ import annotations

from pathlib import Path

from npquant.testing.trial import CLASSES


def read_expected_failures(path: str | Path) -> dict[str, str]:
    """Return the reason of each class that is named in the file at a path; ValueError as `expected_failures_in`."""
    return expected_failures_in(Path(path).read_text(encoding="utf-8"), str(path))


def expected_failures_in(text: str, place: str = "the file") -> dict[str, str]:
    """Return the reason of each class; place names the file in errors.

    ValueError for a line of another form, a class that there is not, or one that is named twice.

    >>> expected_failures_in("# since 2.1\\ntie: rounds half up, see the manual\\n")
    {'tie': 'rounds half up, see the manual'}
    """
    found: dict[str, str] = {}
    known = [module.NAME for module in CLASSES]
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, colon, reason = (part.strip() for part in line.partition(":"))
        if not colon or not reason:
            raise ValueError(f"{place}, line {number}: write `class: reason`, not {line.strip()!r}")
        if name not in known:
            raise ValueError(f"{place}, line {number}: there is no case class {name!r}; known: {', '.join(known)}")
        if name in found:
            raise ValueError(f"{place}, line {number}: {name} is named twice")
        found[name] = reason
    return found
