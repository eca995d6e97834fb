"""What may have been lost: each set of rows with its 95 % interval (T2), and where the limit lies.

Legend: report the whole; lies where the limit lies to the interval of the validation and of the test rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from npquant.report.page.figure import PHONE, Figure
from npquant.report.page.svg import Drawing
from npquant.report.page.ticks import round_ticks
from npquant.report.page.words import decimal, figures, is_real, nouns, whole

_MOST: Final = 6  # outputs of real targets


@dataclass(frozen=True, slots=True)
class _Row:
    name: str
    told: str
    low: float
    high: float
    value: float


def interval_title(lies: tuple[str, str], what: str) -> str:
    """Say of what is more than the limit, `what`, whether the rows show it, both sets together.

    >>> interval_title(("inside", "inside"), "A loss of more than a point")
    'A loss of more than a point is not shown, nor ruled out'
    >>> interval_title(("above", "above"), "A loss of more than a point")
    'A loss of more than a point is ruled out'
    >>> interval_title(("inside", "below"), "A loss of more than a point")
    'A loss of more than a point is shown'
    """
    if "below" in lies:
        return f"{what} is shown{'' if lies[1] == 'below' else ' on the validation rows'}"
    return f"{what} is ruled out" if lies == ("above", "above") else f"{what} is not shown, nor ruled out"


def interval(report: dict[str, Any]) -> Figure:
    """Draw both sets of rows."""
    return _of_errors(report) if is_real(report) else _of_accuracy(report)


def _of_accuracy(report: dict[str, Any]) -> Figure:
    budget = report["budget"]
    noun = nouns(report)[0]
    rows = [
        _Row(
            f"{whole(e['rows'])} {name}",
            f"{whole(e['b'])} lost, {whole(e['c'])} won",
            e["low"],
            e["high"],
            e[points],
        )
        for name, points, e in (
            ("validation rows", "points", budget["drop"]),
            ("test rows, seen once", "drop_points", budget["test"]),
        )
    ]
    limit = budget["max_drop"]
    named = "a point" if limit == 1 else f"{limit:g} points"
    title = interval_title(drop_lies(budget), f"A loss of more than {named}")
    one = decimal(report["data"]["points_per_row"]["test"])
    sub = f"Accuracy lost, with its 95 % interval. One test {noun} is {one} points. More rows would shorten the bars."
    axis = "points of accuracy lost (left of 0: won)"
    asked = f"asked: at most {limit:g} point{'s' * (limit != 1)}"
    return _figure(title, sub, rows, limit, asked, axis, 2)


def drop_lies(budget: dict[str, Any]) -> tuple[str, str]:
    """Say where the limit of a budget lies on validation and test rows; "below", where the paired test (G2) shows more.

    >>> one = {"limit_lies": "inside"}
    >>> drop_lies({"drop": one, "larger_drop_shown": False, "test": {**one, "larger_drop_shown": True}})
    ('inside', 'below')
    """
    shown = (budget["larger_drop_shown"], budget["test"]["larger_drop_shown"])
    lies = (budget["drop"]["limit_lies"], budget["test"]["limit_lies"])
    return "below" if shown[0] else lies[0], "below" if shown[1] else lies[1]


def _of_errors(report: dict[str, Any]) -> Figure:
    """Draw real targets: rises in per cent of what is allowed, since outputs have units of their own."""
    sets = (("validation", report["budget"]["rise"]), ("test", report["budget"]["test"]))
    several = len(sets[0][1]["outputs"]) > 1
    rows = []
    for name, evidence in sets:
        order = sorted(range(len(evidence["outputs"])), key=lambda i: -_share(evidence["outputs"][i], "rise"))
        for at in order[:_MOST]:
            one = evidence["outputs"][at]
            title = f"{whole(evidence['rows'])} {name} rows" + (f", output {at}" if several else "")
            told = f"RMSE {figures(one['before'], 3)} to {figures(one['after'], 3)}"
            rows.append(_Row(title, told, *(_share(one, key) for key in ("low", "high", "rise"))))
    lies = [_worst_lies(evidence) for _, evidence in sets]
    title = interval_title((lies[0], lies[1]), "A larger rise of RMSE than was allowed")
    sub = "Rise of RMSE as a share of what was allowed, with its 95 % interval. More rows would shorten the bars."
    return _figure(title, sub, rows, 100.0, "asked: at most this", "% of the allowed rise (left of 0: better)", 0)


def _share(one: dict[str, Any], key: str) -> float:
    value = one["rise"] if one[key] is None else one[key]  # of too few rows there is no interval
    return float(100 * value / one["allowed"]) if one["allowed"] else 0.0


def _worst_lies(evidence: dict[str, Any]) -> str:
    if evidence["larger_rise_shown"]:
        return "below"
    kinds = [one["limit_lies"] for one in evidence["outputs"]]
    return "below" if "below" in kinds else "inside" if "inside" in kinds else "above"


def _figure(title: str, sub: str, rows: list[_Row], limit: float, asked: str, axis: str, digits: int) -> Figure:
    told = "; ".join(
        f"{row.name}: {decimal(row.value, digits)}, interval {decimal(row.low, digits)} to {decimal(row.high, digits)}"
        for row in rows
    )
    label = f"{axis}. {told}. The limit is {limit:g}."
    return Figure("interval", title, sub, label, lambda width: _draw(rows, limit, asked, axis, digits, width))


def _draw(rows: list[_Row], limit: float, asked: str, axis: str, digits: int, width: float) -> Drawing:
    phone = width == PHONE
    left, right, pitch = (8.0, width - 8, 66) if phone else (190.0, width - 8, 56)
    low = min(*(row.low for row in rows), 0.0, limit)
    high = max(*(row.high for row in rows), limit)
    span = (high - low) or 1.0
    # Room for a number beside either end of a bar.
    low, high = low - 0.16 * span, high + 0.16 * span
    bottom = 28 + pitch * len(rows)
    plane = Drawing(width, bottom + 42)

    def at(value: float) -> float:
        return left + (right - left) * (value - low) / (high - low)

    edge = at(limit)
    plane.rect(edge, 22, right - edge, bottom - 22, "zone")
    for tick in round_ticks(low, high, 5):
        plane.line(at(tick), 22, at(tick), bottom, "rule" if tick == 0 else "grid", 1.5 if tick == 0 else 1)
        plane.text(at(tick), bottom + 17, figures(tick, 3), 11, "mut", anchor="m")
    plane.line(edge, 22, edge, bottom, "orange", 2)
    plane.text(right, 14, asked, 12, "orange", bold=True, anchor="e")
    for index, row in enumerate(rows):
        _bar(plane, row, at, 28 + pitch * index, phone, digits)
    plane.text((left + right) / 2, bottom + 36, axis, 12, "mut", anchor="m")
    return plane


def _bar(plane: Drawing, row: _Row, at: Any, top: float, phone: bool, digits: int) -> None:
    y = top + (40 if phone else 30)
    words_y = top + 14 if phone else y - 4
    plane.text(0, words_y, f"{row.name}: {row.told}" if phone else row.name, 12, "ink", bold=True, halo=phone)
    if not phone:
        plane.text(0, y + 13, row.told, 12, "mut")
    plane.line(at(row.low), y, at(row.high), y, "bluef", 6)
    plane.line(at(row.low), y, at(row.high), y, "blue", 2)
    plane.circle(at(row.value), y, 5.5, "blue", "bg", 1.5)
    plane.text(at(row.value), y - 10, decimal(row.value, digits), 12, "blue", bold=True, anchor="m", halo=True)
    plane.text(at(row.low) - 6, y + 4, decimal(row.low, digits), 11, "mut", anchor="e", halo=True)
    plane.text(at(row.high) + 6, y + 4, decimal(row.high, digits), 11, "mut", halo=True)
