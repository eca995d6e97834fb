"""Text for a terminal, at most 96 columns wide: tables, and sentences broken into lines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

WIDTH: Final = 96


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, text_columns: int = 1) -> list[str]:
    """Align cells in columns: text to the left, numbers to the right.

    Parameters
    ----------
    head : sequence of str
        Column titles.
    rows : iterable of sequences of str
        Cells, as many as titles.
    text_columns : int
        How many of the first columns hold text.

    Returns
    -------
    list of str
        Title line, rule, rows; indented by two, without spaces at the end.

    Examples
    --------
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
    """Write one value a layer, or the value once where all are equal.

    Parameters
    ----------
    values : iterable
        By layer.

    Returns
    -------
    str
        The values between slashes; a dash where there is none.

    Examples
    --------
    >>> joined([8, 8, 8]), joined([4, 8]), joined([])
    ('8', '4/8', '-')
    """
    parts = [str(value) for value in values]
    return "-" if not parts else parts[0] if len(set(parts)) == 1 else "/".join(parts)


def labelled(label: str, text: str) -> list[str]:
    """Break a sentence into lines behind a label of up to six letters.

    Parameters
    ----------
    label : str
        What stands before the first line.
    text : str
        Words.

    Returns
    -------
    list of str
        As `wrap`, with the text in one column.

    Examples
    --------
    >>> labelled("asked", "at most 1 point")
    ['  asked  at most 1 point']
    """
    lines = wrap(text, indent=" " * 9)
    return [f"  {label:<6} " + lines[0].lstrip(), *lines[1:]]


def wrap(text: str, indent: str = "  ") -> list[str]:
    """Break a sentence into lines of at most 96 columns.

    Parameters
    ----------
    text : str
        Words; the spaces between them are not kept.
    indent : str
        What stands before the first line; later ones are indented by two more.

    Returns
    -------
    list of str
        Lines without spaces at the end; a word that is longer than a line stands on one alone.

    Examples
    --------
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
