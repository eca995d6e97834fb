"""Both confusion matrices in one; of many classes, the cells that changed.

Legend: report the whole; cells what stands at (label, answer): rows before and after.
"""

from __future__ import annotations

from typing import Any, Final

from npquant.report.page.figure import Figure
from npquant.report.page.svg import Drawing, clipped, text_width
from npquant.report.page.words import ARROW, nouns, spelled, whole

Cells = dict[tuple[int, int], tuple[int, int]]
_CLASSES: Final = 20  # the largest matrix
_LEAST: Final = 22  # pixels of a cell with a number in it
_LISTED: Final = 14


def cells_of(counts: list[list[int]]) -> Cells:
    """Count rows by label and answer, before and after, from `counts` of label, float's answer, own answer.

    >>> cells_of([[0, 0, 0, 5], [0, 0, 1, 1]])
    {(0, 0): (6, 5), (0, 1): (0, 1)}
    """
    found: Cells = {}
    for label, before, after, rows in counts:
        for answer, add in ((before, (rows, 0)), (after, (0, rows))):
            old = found.get((label, answer), (0, 0))
            found[label, answer] = (old[0] + add[0], old[1] + add[1])
    return found


def confusion_title(changed: int) -> str:
    """Say in how many cells the matrices differ.

    >>> confusion_title(4), confusion_title(1), confusion_title(0)
    ('Before and after differ in four cells', 'Before and after differ in one cell', 'Before and after are the same')
    """
    if changed == 0:
        return "Before and after are the same"
    return f"Before and after differ in {spelled(changed)} cell{'s' * (changed != 1)}"


def confusion(report: dict[str, Any]) -> Figure:
    """Draw both."""
    cells = cells_of(report["pictures"]["answers"]["counts"])
    names = report["data"]["class_names"]
    changed = {place: pair for place, pair in cells.items() if pair[0] != pair[1]}
    rows, plural = report["budget"]["test"]["rows"], nouns(report)[1]
    wide = len(names) <= _CLASSES
    what = "Confusion matrices" if wide else "Changed cells of the confusion matrices"
    sub = f"{what} of float and deployed in one, {whole(rows)} test {plural}. 0{ARROW}1: before {ARROW} after."
    told = "; ".join(
        f"{names[i]} answered {names[j]}: {one} to {two}" for (i, j), (one, two) in sorted(changed.items())[:_LISTED]
    )
    label = f"Confusion matrix of {len(names)} classes. {told or 'No cell changed.'}"

    def draw(width: float) -> Drawing:
        room = _label_room(names, width)
        side = min((width - room) / len(names), 37.0)
        return _matrix(cells, names, width, room, side) if wide and side >= _LEAST else _list(changed, names, width)

    return Figure("confusion", confusion_title(len(changed)), sub, label, draw)


def _label_room(names: list[str], width: float) -> float:
    return min(max(text_width(name, 12) for name in names) + 14, 0.28 * width)


def is_better(place: tuple[int, int], pair: tuple[int, int]) -> bool:
    """Say whether more right answers, or fewer wrong ones, stand at a place (label, answer) after than before: pair."""
    return (pair[1] > pair[0]) == (place[0] == place[1])


def _matrix(cells: Cells, names: list[str], width: float, room: float, side: float) -> Drawing:
    top = 24.0
    n = len(names)
    plane = Drawing(width, top + n * side + 24)
    for k, name in enumerate(names):
        plane.text(room - 10, top + (k + 0.5) * side + 4, clipped(name, room - 10), 12, "mut", anchor="e")
        plane.text(room + (k + 0.5) * side, top - 8, clipped(name, side - 2, 12), 12, "mut", anchor="m")
    for i in range(n):
        for j in range(n):
            x, y = room + j * side, top + i * side
            before, after = cells.get((i, j), (0, 0))
            if before == after:
                _same(plane, x, y, side, before, diagonal=i == j)
            else:
                _changed(plane, x, y, side, (before, after), better=is_better((i, j), (before, after)), diagonal=i == j)
    plane.text(room, top + n * side + 18, "rows: is; columns: answered", 12, "mut")
    return plane


def _same(plane: Drawing, x: float, y: float, side: float, rows: int, *, diagonal: bool) -> None:
    if rows and not diagonal:
        plane.rect(x + 0.75, y + 0.75, side - 3.5, side - 3.5, "bg", "ln")
    else:
        plane.rect(x, y, side - 2, side - 2, "greyf" if rows else "panel")
    if rows:
        plane.text(x + side / 2 - 1, y + side / 2 + 4, whole(rows), 12, "ink2", bold=not diagonal, anchor="m")


def _changed(
    plane: Drawing, x: float, y: float, side: float, pair: tuple[int, int], *, better: bool, diagonal: bool
) -> None:
    hue = "blue" if better else "orange"
    fill = "greyf" if diagonal else f"{hue}f"
    plane.rect(x + 0.75, y + 0.75, side - 3.5, side - 3.5, fill, hue, 1.5)
    middle = x + side / 2 - 1
    text = f"{whole(pair[0])}{ARROW}{whole(pair[1])}"
    if text_width(text, 11) <= side - 3:
        plane.text(middle, y + side / 2 + 3, text, 11, "ink", bold=True, anchor="m")
    else:
        plane.text(middle, y + side / 2 - 2, whole(pair[0]), 11, "ink", anchor="m")
        plane.text(middle, y + side / 2 + 11, f"{ARROW}{whole(pair[1])}", 11, "ink", bold=True, anchor="m")


def _list(changed: Cells, names: list[str], width: float) -> Drawing:
    """Write the changed cells line by line, the largest change first."""
    order = sorted(changed.items(), key=lambda item: (-abs(item[1][1] - item[1][0]), item[0]))
    left = len(order) - _LISTED
    plane = Drawing(width, 24 + 24 * min(len(order), _LISTED) + (20 if left > 0 else 0))
    plane.text(0, 12, "is, answered", 12, "mut", bold=True)
    plane.text(width, 12, f"rows before {ARROW} after", 12, "mut", bold=True, anchor="e")
    for line, (place, (before, after)) in enumerate(order[:_LISTED]):
        y, hue = 36 + 24 * line, "blue" if is_better(place, (before, after)) else "orange"
        words = names[place[0]] + (" (right)" if place[0] == place[1] else f", {names[place[1]]}")
        plane.text(0, y, clipped(words, width - 110, 13), 13, "ink2")
        plane.text(width, y, f"{whole(before)} {ARROW} {whole(after)}", 13, hue, bold=True, anchor="e")
        plane.line(0, y + 8, width, y + 8, "grid")
    if left > 0:
        plane.text(0, 36 + 24 * _LISTED, f"and {whole(left)} more, in report.json", 12, "mut")
    return plane
