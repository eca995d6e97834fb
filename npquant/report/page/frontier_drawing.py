"""The frontier as marks over bytes, in two panels.

Legend: report the whole; kinds of its candidates, in order, as `trial_kind` has them; panels what is drawn over bytes;
width in pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from math import log10
from typing import Any, Final

from npquant.report.page.candidates import KINDS, chosen_trial, draw_mark
from npquant.report.page.figure import PHONE
from npquant.report.page.frontier_panels import Panel
from npquant.report.page.svg import Drawing, text_width
from npquant.report.page.ticks import log_ticks
from npquant.report.page.words import figures, whole
from npquant.report.text_layout import joined

_TOP: Final = 46.0


def draw_frontier(report: dict[str, Any], kinds: list[int], panels: tuple[Panel, Panel], width: float) -> Drawing:
    """Draw all candidates."""
    phone = width == PHONE
    tall, gap = (190.0, 52.0) if phone else (240.0, 56.0)
    key = _key_height(kinds, phone)
    plane = Drawing(width, key + 2 * tall + gap + _TOP + 26)
    _key(plane, kinds, phone)
    left, right = 48.0, width - 12
    sizes = [trial["bytes"] for trial in report["budget"]["frontier"]]
    low, high = log10(min(sizes) / 1.12), log10(max(sizes) * 1.12)

    def across(n_bytes: float) -> float:
        return left + (right - left) * (log10(n_bytes) - low) / (high - low)

    for number, panel in enumerate(panels):
        top = key + 26 + number * (tall + gap)
        ticks = [t for t in log_ticks(10**low, 10**high) if left + 14 < across(t) < right - 14]
        for tick in ticks:
            plane.line(across(tick), top, across(tick), top + tall, "grid")
            if number:
                plane.text(across(tick), top + tall + 17, whole(int(tick)), 11, "mut", anchor="m")
        _frame(plane, panel, left, right, top, tall)
        _limit_on_bytes(plane, report["budget"]["max_bytes"], across, right, top, tall)
        _marks(plane, report, kinds, panel, across, top, tall)
    _name_choice(plane, report, panels[1], across, key + 26 + tall + gap, tall)
    plane.text(
        (left + right) / 2,
        plane.height - 8,
        "bytes of the file (log scale; smaller is to the left)",
        12,
        "mut",
        anchor="m",
    )
    return plane


def _frame(plane: Drawing, panel: Panel, left: float, right: float, top: float, tall: float) -> None:
    plane.text(0, top - 10, panel.title, 12, "ink", bold=True)
    beside = text_width(panel.title, 12, bold=True) + text_width(panel.edge, 11) + 12 < right
    if beside:
        plane.text(right, top - 10, panel.edge, 11, "mut", anchor="e")
    else:
        plane.text(left + 4, top + tall - 6, panel.edge, 11, "mut", halo=True)
    for tick in panel.ticks:
        y = top + tall * (1 - panel.at(tick))
        plane.line(left, y, right, y, "grid")
        plane.text(left - 8, y + 4, figures(tick, 3) if tick else "0", 11, "mut", anchor="e")
    if panel.limit is not None:
        # Of whole rows the limit itself is allowed.
        y = top + tall * (1 - panel.at(panel.limit + panel.beyond))
        plane.rect(left, top, right - left, y - top, "zone")
        plane.line(left, y, right, y, "orange", 2)
        inside = y - top > 20
        plane.text(
            right - 4, top + 15 if inside else y + 15, panel.over, 12, "orange", bold=True, anchor="e", halo=not inside
        )


def _limit_on_bytes(
    plane: Drawing, limit: int | None, across: Callable[[float], float], right: float, top: float, tall: float
) -> None:
    if limit is not None and across(limit) < right:
        edge = max(across(limit), 48.0)
        plane.rect(edge, top, right - edge, tall, "zone")
        plane.line(edge, top, edge, top + tall, "orange", 2)
        plane.text(edge + 5, top + tall - 8, "asked: no more bytes", 12, "orange", bold=True)


def _marks(
    plane: Drawing, report: dict[str, Any], kinds: list[int], panel: Panel, across: Callable[[float], float],
    top: float, tall: float,
) -> None:  # fmt: skip
    """Draw the grey ones first, the deployed one last."""
    trials, chosen = report["budget"]["frontier"], chosen_trial(report)
    for place in sorted(range(len(trials)), key=lambda i: -kinds[i]):
        x, y = across(trials[place]["bytes"]), top + tall * (1 - panel.at(panel.values[place]))
        draw_mark(plane, kinds[place], x, y)
        if trials[place] is chosen:
            plane.circle(x, y, 9.5, "none", "blue", 2)


def _key_height(kinds: list[int], phone: bool) -> float:
    shown = len(set(kinds))
    return 20.0 * shown + 8 if phone else 30.0


def _key(plane: Drawing, kinds: list[int], phone: bool) -> None:
    x, y = 6.0, 8.0
    for kind in sorted(set(kinds)):
        draw_mark(plane, kind, x, y)
        words = f"{KINDS[kind]} ({whole(kinds.count(kind))})"
        plane.text(x + 12, y + 4, words, 12, "ink2")
        x, y = (x, y + 20) if phone else (x + 30 + 6.6 * len(words), y)


def _name_choice(
    plane: Drawing, report: dict[str, Any], panel: Panel, across: Callable[[float], float], top: float, tall: float
) -> None:
    """Write what the deployed candidate is, beside its ring."""
    trials, chosen = report["budget"]["frontier"], chosen_trial(report)
    place = next(i for i, trial in enumerate(trials) if trial is chosen)
    x, y = across(chosen["bytes"]), top + tall * (1 - panel.at(panel.values[place]))
    widths = joined(chosen["bits"])
    lines = [f"deployed: {whole(chosen['bytes'])} bytes", f"{widths}{'' if widths == 'ternary' else ' bits'}"]
    hidden = report["models"][-1]["neurons"][:-1]
    if 0 < len(hidden) <= 4:
        lines[-1] += f", {' + '.join(map(str, hidden))} neurons"
    if "b" in chosen:
        lines.append(f"{whole(chosen['b'])} lost, {whole(chosen['c'])} won, KL {figures(chosen['kl'])}")
    room = max(text_width(words, 12, bold=True) for words in lines)
    side = -1 if x + 30 + room > plane.width else 1
    down = y + 84 < top + tall
    start = y + 40 if down else y - 70
    plane.line(x + side * 7, y + (7 if down else -7), x + side * 26, start + (-14 if down else 38), "blue", 1.2)
    for number, words in enumerate(lines):
        plane.text(
            x + side * 30, start + 17 * number, words, 12, "blue", bold=True, anchor="e" if side < 0 else "", halo=True
        )
