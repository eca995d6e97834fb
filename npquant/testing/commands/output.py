"""A verdict for a terminal: at most 96 columns.

Legend: verdict a trial's; expected the reasons of classes that are known to fail, by class.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from npquant.testing import backend as kinds
from npquant.testing.explain.counterexample import Counterexample
from npquant.testing.verdict import BACKEND_DIED, CONFORMANT, NOT_CONFORMANT, NOTHING_RAN, ClassResult, Verdict

WIDTH: Final = 96
WORDS: Final = (
    (CONFORMANT, "conformant"),
    (NOT_CONFORMANT, "NOT CONFORMANT"),
    (BACKEND_DIED, "CRASHED OR HUNG"),
    (NOTHING_RAN, "NOTHING RAN"),
)


def unexpected(verdict: Verdict, expected: Mapping[str, str]) -> list[Counterexample]:
    """Return the failures of classes that are not expected to fail."""
    return [failure for failure in verdict.failures if failure.group not in expected]


def surprises(verdict: Verdict, expected: Mapping[str, str]) -> list[str]:
    """Return the classes that were expected to fail and passed."""
    return [result.name for result in verdict.classes if result.passed and result.name in expected]


def exit_code(verdict: Verdict, expected: Mapping[str, str]) -> int:
    """Return the exit code of a verdict, known failures left aside; a known failure that passes is one itself.

    >>> exit_code(Verdict("mine", "ort", "smoke", 0, (), (), 0.0), {})
    4
    """
    failures = unexpected(verdict, expected)
    if any(failure.kind in (kinds.CRASHED, kinds.HUNG) for failure in failures):
        return BACKEND_DIED
    if failures or surprises(verdict, expected):
        return NOT_CONFORMANT
    return CONFORMANT if verdict.cases else NOTHING_RAN


def verdict_lines(verdict: Verdict, expected: Mapping[str, str]) -> Iterator[str]:
    """Yield the verdict: in a line, as a table of classes, and each counterexample."""
    word = dict(WORDS)[exit_code(verdict, expected)]
    yield f"{verdict.backend} under {verdict.profile}, tier {verdict.tier}, seed {verdict.seed}: {word}"
    questions = sum(result.calls for result in verdict.classes)
    said = f"{verdict.cases:,} cases in {questions:,} questions, {verdict.seconds:.1f} s"
    if verdict.first_failure_after:
        said += f"; the first failure came at question {verdict.first_failure_after:,}"
    known = [failure.group for failure in verdict.failures if failure.group in expected]
    if known:
        said += f"; known to fail: {', '.join(known)}"
    yield from wrapped(said, "  ")
    yield ""
    rows = [(r.name, f"{r.cases:,}", _state(r, expected), _beside(r, expected)) for r in verdict.classes]
    yield from table(("class", "cases", "result", "not asked, and why"), rows)
    for name in surprises(verdict, expected):
        yield ""
        yield from wrapped(f"{name} passed and was expected to fail: {expected[name]}", "  ")
    for number, failure in enumerate(unexpected(verdict, expected), 1):
        yield from ("", "-" * WIDTH, f"Failure {number}, class {failure.group}", "")
        yield from folded(failure.text())


def _state(result: ClassResult, expected: Mapping[str, str]) -> str:
    return "expected" if result.findings and result.name in expected else result.state


def _beside(result: ClassResult, expected: Mapping[str, str]) -> str:
    """Return the reason of a known failure, and why cases were not asked."""
    known = [expected[result.name]] if result.findings and result.name in expected else []
    return "; ".join([*known, *([result.why_not_asked] if result.why_not_asked else [])])


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Yield rows of cells in columns under `head`: numbers to the right, the last column broken into lines.

    >>> print("\\n".join(table(("class", "cases", "why"), [("tie", "12", "none")])))
      class  cases  why
      -----  -----  ----
      tie       12  none
    """
    cells = [tuple(head), *map(tuple, rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    # Two spaces before each column.
    widths[-1] = min(widths[-1], WIDTH - sum(widths[:-1]) - 2 * len(widths))
    right = [all(cell.replace(",", "").isdigit() for cell in column) for column in zip(*cells[1:], strict=True)]
    cells.insert(1, tuple("-" * width for width in widths))
    for row in cells:
        sides = zip(row[:-1], right, widths, strict=False)
        first = "".join("  " + (c.rjust(w) if to_right else c.ljust(w)) for c, to_right, w in sides) + "  "
        last = textwrap.wrap(row[-1], widths[-1]) or [""]
        yield (first + (last[0].rjust(widths[-1]) if right and right[-1] else last[0])).rstrip()
        yield from (" " * len(first) + part for part in last[1:])


def wrapped(text: str, indent: str = "") -> list[str]:
    """Return a sentence, text, as lines behind an indent."""
    return textwrap.wrap(text, WIDTH, initial_indent=indent, subsequent_indent=indent + "  ", break_on_hyphens=False)


def folded(text: str) -> Iterator[str]:
    """Yield the lines of a report, text, those that are too long broken at blanks.

    Python inside brackets and C take a line break at every blank; a comment goes on behind its mark.

    >>> list(folded("# " + "word " * 30))[1][:6]
    '# word'
    """
    for line in text.splitlines():
        if len(line) <= WIDTH:
            yield line.rstrip()
            continue
        indent = line[: len(line) - len(line.lstrip())]
        mark = "# " if line.lstrip().startswith("#") else "    "
        yield from textwrap.wrap(
            line.strip(),
            WIDTH,
            initial_indent=indent,
            subsequent_indent=indent + mark,
            break_long_words=False,
            break_on_hyphens=False,
        )
