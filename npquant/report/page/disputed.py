"""The rows that one of the two networks gets wrong: as pictures, or as a table where rows are none.

Legend: report the whole; row one of them, names the classes.
"""

from __future__ import annotations

from html import escape
from typing import Any, Final

from npquant.report.page.figure import PHONE, Figure
from npquant.report.page.pixel_pictures import SHOWN, place_picture
from npquant.report.page.svg import Drawing, clipped
from npquant.report.page.words import network, nouns, spelled, spelled_rows, whole

_CLOSE: Final = 0.75  # no answer had more: close calls
_KINDS: Final = (("\N{MINUS SIGN} lost", "orange"), ("+ won", "blue"), ("wrong in both", "mut"))


def disputed_title(shares: list[float], noun: str, plural: str) -> str:
    """Say of the disputed rows, whose largest `shares` of the softmax are given, whether they were close calls.

    noun and plural name a row.

    >>> disputed_title([0.49, 0.71], "digit", "digits")
    'The two disputed digits were close calls: no answer had more than 71 %'
    >>> disputed_title([0.49, 0.95], "digit", "digits"), disputed_title([], "row", "rows")
    ('The two disputed digits', 'The rows that both networks get wrong')
    """
    if not shares:
        return f"The {plural} that both networks get wrong"
    one = len(shares) == 1
    named = f"The disputed {noun}" if one else f"The {spelled_rows(len(shares), noun, f'disputed {plural}')}"
    if max(shares) > _CLOSE:
        return named
    close = "was a close call" if one else "were close calls"
    return f"{named} {close}: no answer had more than {100 * max(shares):.0f} %"


def disputed(report: dict[str, Any]) -> Figure | str | None:
    """Draw the rows; None where there are none."""
    answers, (noun, plural) = report["pictures"]["answers"], nouns(report)
    rows = answers["disputed"][:SHOWN]
    if not rows:
        return None
    apart = report["budget"]["test"]["b"] + report["budget"]["test"]["c"]
    told = [max(row["shares"]) for row in answers["disputed"] if row_kind(row) < 2]
    complete = len(told) == apart
    title = (
        disputed_title(told, noun, plural)
        if complete or not told
        else f"Some of the {spelled(apart)} disputed {plural}"
    )
    hidden = len(answers["disputed"]) + answers["left_out"] - len(rows)
    more = f" {whole(hidden)} more {'is' if hidden == 1 else 'are'} not shown." if hidden else ""
    both = ", then those that both do" if told and row_kind(rows[-1]) == 2 else ""
    sub = f"Test {plural} that one of the two gets wrong{both}. Behind an answer: the share of its softmax.{more}"
    if rows[0]["pixels"] is None:
        return _table(report, rows, title, sub)
    label = "; ".join(_sentence(report, row) for row in rows)
    return Figure("disputed", title, sub, label, lambda width: _draw(report, rows, width), wide=True)


def row_kind(row: dict[str, Any]) -> int:
    """Say what became of a row: 0 lost, 1 won, 2 wrong in both.

    >>> row_kind({"label": 1, "answers": [1, 2]}), row_kind({"label": 1, "answers": [3, 3]})
    (0, 2)
    """
    before, after = (answer == row["label"] for answer in row["answers"])
    return 0 if before else 1 if after else 2


def _sentence(report: dict[str, Any], row: dict[str, Any]) -> str:
    names = report["data"]["class_names"]
    before, after = (
        f"{names[a]} ({100 * share:.0f} %)" for a, share in zip(row["answers"], row["shares"], strict=True)
    )
    return f"{_KINDS[row_kind(row)][0]}: is {names[row['label']]}, float {before}, deployed {after}"


def _draw(report: dict[str, Any], rows: list[dict[str, Any]], width: float) -> Drawing:
    names, name = report["data"]["class_names"], network(report)
    columns = 2 if width == PHONE else 6
    pitch = (width + 24) / columns
    side = min(pitch - 58, 128.0)
    tall = 22 + side + 70
    plane = Drawing(width, tall * -(-len(rows) // columns))
    for index, row in enumerate(rows):
        x, y = index % columns * pitch, index // columns * tall
        kind, hue = _KINDS[row_kind(row)]
        plane.text(x, y + 14, kind, 13, hue, bold=True)
        place_picture(plane, f"row{row['row']}", x + 1, y + 22, side, "rule" if hue == "mut" else hue)
        y += 22 + side
        plane.text(x, y + 19, clipped(f"is {names[row['label']]}", pitch - 24, 13, bold=True), 13, "ink", bold=True)
        for line, (who, answer, share) in enumerate(zip(("float", name), row["answers"], row["shares"], strict=True)):
            words = clipped(f"{who}: {names[answer]}", pitch - 68, 13)
            hue = "ink2" if answer == row["label"] else "orange"
            plane.text(x, y + 38 + 18 * line, words, 13, hue)
            plane.text(x + side, y + 38 + 18 * line, f"{100 * share:.0f} %", 12, "mut", anchor="e")
    return plane


def _table(report: dict[str, Any], rows: list[dict[str, Any]], title: str, sub: str) -> str:
    names, name = report["data"]["class_names"], network(report)
    head = "".join(f"<th>{word}</th>" for word in ("", "is", "float", name))
    lines = []
    for row in rows:
        kind, hue = _KINDS[row_kind(row)]
        cells = [f'<td class="{hue}-words">{kind}</td><td>{escape(names[row["label"]])}</td>']
        for answer, share in zip(row["answers"], row["shares"], strict=True):
            wrong = "" if answer == row["label"] else ' class="orange-words"'
            cells.append(f"<td{wrong}>{escape(names[answer])}, {100 * share:.0f} %</td>")
        lines.append(f"<tr>{''.join(cells)}</tr>")
    return (
        f'<div class="block wide" id="disputed"><h3>{escape(title)}</h3><p class="sub">{escape(sub)}</p>'
        f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table></div>"
    )
