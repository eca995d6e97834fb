"""Text for a terminal, at most 96 columns wide: tables, and sentences broken into lines.

Legend: text words, of which the spaces between them are not kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

WIDTH: Final = 96


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, text_columns: int = 1) -> list[str]:
    """Align cells in columns: text to the left, numbers to the right; `head` titles, `rows` of as many cells.

    The first `text_columns` columns hold text. Title line, rule, rows; indented by two, without spaces at the end.

    >>> print("\\n".join(table(("name", "bytes"), [("float", "12,345")])))
      name    bytes
      -----  ------
      float  12,345
    """
    cells = [tuple(head), *map(tuple, rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    cells.insert(1, tuple("-" * width for width in widths))

    def line(row: tuple[str, ...]) -> str:
        sides = ("<" if column < text_columns else ">" for column in range(len(row)))
        aligned = (f"{cell:{side}{width}}" for cell, side, width in zip(row, sides, widths, strict=True))
        return ("  " + "  ".join(aligned)).rstrip()

    return [line(row) for row in cells]


def joined(values: Iterable[object]) -> str:
    """Write one of `values` a layer between slashes, the value once where all are equal, a dash where there is none.

    >>> joined([8, 8, 8]), joined([4, 8]), joined([])
    ('8', '4/8', '-')
    """
    parts = [str(value) for value in values]
    return "-" if not parts else parts[0] if len(set(parts)) == 1 else "/".join(parts)


def labelled(label: str, text: str) -> list[str]:
    """Break a sentence into lines, as `wrap` does, behind a `label` of up to six letters, with the text in one column.

    >>> labelled("asked", "at most 1 point")
    ['  asked  at most 1 point']
    """
    lines = wrap(text, indent=" " * 9)
    return [f"  {label:<6} " + lines[0].lstrip(), *lines[1:]]


def wrap(text: str, indent: str = "  ") -> list[str]:
    """Break a sentence into lines of at most 96 columns, without spaces at their ends.

    `indent` stands before the first line; later ones are indented by two more. A word that is longer than a line stands
    on one alone.

    >>> [len(line) for line in wrap("word " * 20)], wrap("word " * 20)[1]
    ([96, 8], '    word')
    """
    lines, line = [], indent
    for word in text.split():
        if len(line) + len(word) > WIDTH and line.strip():
            lines.append(line.rstrip())
            line = indent + "  "
        line += word + " "
    return [*lines, line.rstrip()]
