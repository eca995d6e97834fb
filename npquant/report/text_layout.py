"""Text for a terminal of a given width: tables, and sentences broken into lines.

Legend: text words, of which the spaces between them are not kept; width in columns, WIDTH where there is no terminal.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

WIDTH: Final = 96
MANY: Final = 6  # values, one a layer, that are still written one by one


def table(
    head: Sequence[str], rows: Iterable[Sequence[str]], *, text_columns: int = 1, width: int = WIDTH, indent: int = 2
) -> list[str]:
    """Align cells in columns: text to the left, numbers to the right; `head` titles, `rows` of as many cells.

    The first `text_columns` columns hold text. Title line, rule, rows; all by `indent` to the right, without spaces at
    the end. Where the columns do not fit, those that are left follow below, behind the first one once more.

    >>> print("\\n".join(table(("name", "bytes"), [("float", "12,345")])))
      name    bytes
      -----  ------
      float  12,345
    """
    cells = [tuple(head), *map(tuple, rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    cells.insert(1, tuple("-" * size for size in widths))
    blocks = _blocks(widths, width - indent)
    lines = []
    for block in blocks:
        lines += [] if block is blocks[0] else [""]
        lines += [_row(row, widths, block, text_columns, indent) for row in cells]
    return lines


def _blocks(widths: Sequence[int], room: int) -> list[list[int]]:
    """Share columns out: as many as fit in the room a block, at least one beside the first, which heads each."""
    blocks, used = [[0]], widths[0]
    for column in range(1, len(widths)):
        if used + 2 + widths[column] > room and len(blocks[-1]) > 1:
            blocks.append([0])
            used = widths[0]
        blocks[-1].append(column)
        used += 2 + widths[column]
    return blocks


def _row(row: Sequence[str], widths: Sequence[int], block: Sequence[int], text_columns: int, indent: int) -> str:
    aligned = (f"{row[column]:{'<' if column < text_columns else '>'}{widths[column]}}" for column in block)
    return (" " * indent + "  ".join(aligned)).rstrip()


def joined(values: Iterable[object]) -> str:
    """Write one of `values` a layer between slashes, the value once where all are equal, a dash where there is none.

    Of more than six, those that occur.

    >>> joined([8, 8, 8]), joined([4, 8]), joined([]), joined([8, 8, 4, 4, 4, 8, 4])
    ('8', '4/8', '-', '8, 4')
    """
    parts = [str(value) for value in values]
    kinds = list(dict.fromkeys(parts))
    if len(kinds) < 2 or len(parts) > MANY:
        return ", ".join(kinds) or "-"
    return "/".join(parts)


def chain(neurons: Sequence[int]) -> str:
    """Write the numbers of `neurons`, one a layer, between hyphens; of many, the first two and the last.

    >>> chain((64, 32, 10)), chain([64, *[32] * 28, 10])
    ('64-32-10', '64-32-..-10')
    """
    parts = [str(count) for count in neurons]
    return "-".join(parts if len(parts) <= MANY else [*parts[:2], "..", parts[-1]])


def labelled(label: str, text: str, width: int = WIDTH, column: int = 9) -> list[str]:
    """Break a sentence into lines, as `wrap` does, behind a `label`, with the text in one `column`.

    >>> labelled("asked", "at most 1 point")
    ['  asked  at most 1 point']
    """
    lines = wrap(text, " " * column, width, hang=0)
    return [f"  {label}".ljust(column) + lines[0].lstrip(), *lines[1:]]


def wrap(text: str, indent: str = "  ", width: int = WIDTH, hang: int = 2) -> list[str]:
    """Break a sentence into lines of at most `width` columns, without spaces at their ends.

    `indent` stands before the first line; later ones are indented by `hang` more. A word that is longer than a line
    stands on one alone, and a percent sign beside its number.

    >>> [len(line) for line in wrap("word " * 20)], wrap("word " * 20)[1]
    ([96, 8], '    word')
    """
    lines, line = [], indent
    for word in text.replace(" %", "\0%").split():
        if len(line) + len(word) > width and line.strip():
            lines.append(line.rstrip())
            line = " " * (len(indent) + hang)
        line += word.replace("\0", " ") + " "
    return [*lines, line.rstrip()]
