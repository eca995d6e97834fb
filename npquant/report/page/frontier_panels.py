"""The two panels of the frontier: what is lost, in whole rows or shares of what is allowed; and what KL sees.

Legend: report the whole.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import log10
from typing import Any, Final

from npquant.report.page.ticks import log_ticks, round_ticks
from npquant.report.page.words import figures, is_real, whole

_LEAST_KL: Final = 1e-4


@dataclass(frozen=True, slots=True)
class Panel:
    """Say how one panel writes its values."""

    title: str
    limit: float | None
    over: str  # what the zone beyond the limit is
    ticks: list[float]
    at: Callable[[float], float]  # share of the height, from below
    values: list[float]
    beyond: float = 0.0  # from the limit to the line that is drawn for it
    edge: str = ""  # what stands at the edge of the panel


def known(values: list[float | None]) -> list[float]:
    """Put the largest number among values in the place of those that are not finite.

    >>> known([1.0, None])
    [1.0, 1.0]
    """
    largest = max((value for value in values if value is not None), default=0.0)
    return [largest if value is None else value for value in values]


def panels_of(report: dict[str, Any]) -> tuple[Panel, Panel]:
    """Lay out both panels."""
    trials, budget = report["budget"]["frontier"], report["budget"]
    if is_real(report):
        allowed = [one["allowed"] for one in budget["rise"]["outputs"]]
        lost = [
            max(100 * (r or 0) / a if a else 0.0 for r, a in zip(t["rmse_rise"], allowed, strict=True)) for t in trials
        ]
        first = _linear(
            "Rise of RMSE, % of what is allowed (less is better)", lost, 100.0, "more than allowed", whole_rows=False
        )
        noise, limit = known([t["deviation"] for t in trials]), None
        return first, _logarithmic("Deviation from float (less is better; log)", noise, limit, "")
    rows, allowed = budget["drop"]["rows"], budget["allowed_rows"]
    title = f"Validation rows lost, net, of {whole(rows)} (fewer is better)"
    said = f"more than the {whole(allowed)} row{'s' * (allowed != 1)} allowed"
    first = _linear(title, [float(t["b"] - t["c"]) for t in trials], float(allowed), said, whole_rows=True)
    limit = report["pictures"]["search"]["sound_kl"]
    over = f"KL over {figures(limit)}: expect more to be lost" if limit else ""
    title = "KL from float, nats a row (less is better; log)"
    return first, _logarithmic(title, known([t["kl"] for t in trials]), limit, over)


def _linear(title: str, values: list[float], limit: float, over: str, *, whole_rows: bool) -> Panel:
    low = min(*values, 0.0)
    # What lies far beyond the limit stands at the upper edge.
    high = min(max(*values, limit * 1.5), max(4 * limit, 10.0 if limit < 10 else limit + 1))
    room = 0.06 * (high - low) or 1.0
    low, high = low - room, high + room
    ticks = [tick for tick in round_ticks(low, high, 5) if tick == int(tick) or high - low > 50]

    def at(value: float) -> float:
        return (min(max(value, low), high) - low) / (high - low)

    edge = "at the upper edge: more" if max(values) > high else ""
    return Panel(title, limit, over, ticks, at, values, 0.5 if whole_rows else 0.0, edge)


def _logarithmic(title: str, values: list[float], limit: float | None, over: str) -> Panel:
    shown = [max(value, _LEAST_KL) for value in values]
    low, high = min(*shown, limit or shown[0]) / 1.6, max(*shown, limit or shown[0]) * 1.6

    def at(value: float) -> float:
        return (log10(max(value, _LEAST_KL)) - log10(low)) / (log10(high) - log10(low))

    edge = f"at the lower edge: {_LEAST_KL:g} or less" if min(values) < _LEAST_KL else ""
    return Panel(title, limit, over, log_ticks(low, high), at, values, 0.0, edge)
