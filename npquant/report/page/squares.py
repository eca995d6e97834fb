"""Every test row as a square: right in both, wrong in both, won, lost.

Legend: report the whole.
"""

from __future__ import annotations

from typing import Any, Final

from npquant.report.page.figure import PHONE, Figure
from npquant.report.page.svg import Drawing, number
from npquant.report.page.words import nouns, spelled, whole

_MOST: Final = 420  # squares


def disagreement_title(rows: int, disputed: int, noun: str, plural: str) -> str:
    """Say how many of the rows are disputed: those that one network alone gets right. noun, plural: what they are.

    >>> disagreement_title(269, 3, "digit", "digits")
    'Of 269 digits, three tell the networks apart'
    """
    if disputed == 0:
        return f"Of {whole(rows)} {plural if rows != 1 else noun}, none tells the networks apart"
    return f"Of {whole(rows)} {plural}, {spelled(disputed)} {'tells' if disputed == 1 else 'tell'} the networks apart"


def squares(report: dict[str, Any]) -> Figure:
    """Draw float and deployed network side by side, row by row."""
    test = report["budget"]["test"]
    lost, won, rows = test["b"], test["c"], test["rows"]
    right = report["models"][0]["test"]["correct"] - lost
    counts = (right, rows - right - lost - won, won, lost)
    noun, plural = nouns(report)
    unit = -(-rows // _MOST)
    sub = f"Every test {noun} is a square; float and deployed network side by side."
    if unit > 1:
        sub = f"A square is {whole(unit)} test {plural}, a narrower one fewer; float and deployed network side by side."
    label = (
        f"{whole(rows)} test {plural}: {whole(counts[0])} right in both networks, {whole(counts[1])} wrong in both, "
        f"{whole(won)} won and {whole(lost)} lost by the deployed one."
    )
    title = disagreement_title(rows, lost + won, noun, plural)
    same = round(report["models"][-1]["agreement"] * rows)
    note = f"Both give the same class on {whole(same)} of {whole(rows)}."
    return Figure("squares", title, sub, label, lambda width: _draw(counts, unit, width), note)


def _draw(counts: tuple[int, int, int, int], unit: int, width: float) -> Drawing:
    pitch = 25.5 if width > PHONE else 17.9
    side, columns = pitch - 2.5, int((width + 2.5) / pitch)
    places = [place for kind, count in enumerate(counts) for place in _sizes(kind, count, unit)]
    tall = -(-len(places) // columns) * pitch
    plane = Drawing(width, tall + (42 if width == PHONE else 24))
    agreed = ""  # each square a piece of one thick line
    for index, (kind, share) in enumerate(places):
        x, y = index % columns * pitch, index // columns * pitch
        if kind == 0:
            agreed += f"M{number(x)} {number(y + side / 2)}h{number(side * share)}"
        else:
            _mark(plane, kind, x, y, side, share)
    if agreed:
        plane.path(agreed, "", "greyf", side)
    _key(plane, counts, tall, width)
    return plane


def _sizes(kind: int, count: int, unit: int) -> list[tuple[int, float]]:
    """Share a count out to whole squares and a narrower one."""
    full, rest = divmod(count, unit)
    return [(kind, 1.0)] * full + ([(kind, max(rest / unit, 0.15))] if rest else [])


def _mark(plane: Drawing, kind: int, x: float, y: float, side: float, share: float) -> None:
    w = side * share
    if kind == 1:
        plane.rect(x + 0.7, y + 0.7, w - 1.4, side - 1.4, "bg", "ln")
        if w > 8:
            plane.line(x + 3, y + side - 3, x + w - 3, y + 3, "ln", 1.2)
        return
    hue, sign = ("blue", "+") if kind == 2 else ("orange", "\N{MINUS SIGN}")
    plane.rect(x, y, w, side, hue)
    if w > 12:
        plane.text(x + w / 2, y + side / 2 + 4.5, sign, 13, "on", bold=True, anchor="m")


def _key(plane: Drawing, counts: tuple[int, int, int, int], y: float, width: float) -> None:
    """Write under the squares how many there are of each kind."""
    words = [f"{whole(counts[0])} right in both", f"{whole(counts[1])} wrong in both"]
    hued = [(f"+ {whole(counts[2])} won", "blue"), (f"\N{MINUS SIGN} {whole(counts[3])} lost", "orange")]
    if width == PHONE:
        plane.text(0, y + 16, words[0], 12, "mut", bold=True)
        plane.text(width, y + 16, words[1], 12, "mut", bold=True, anchor="e")
        plane.text(0, y + 35, hued[0][0], 12, hued[0][1], bold=True)
        plane.text(110, y + 35, hued[1][0], 12, hued[1][1], bold=True)
        return
    for x, (text, hue) in zip((0, 160, 330, 430), [(w, "mut") for w in words] + hued, strict=True):
        plane.text(x, y + 18, text, 13, hue, bold=True)
