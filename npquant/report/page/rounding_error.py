"""What rounding the weights cost (E6), beside what it was proven not to exceed (E13) and what nearest rounding costs.

Legend: report the whole; shares of the bound, in [0, 1].
"""

from __future__ import annotations

from typing import Any, Final

from npquant.report.page.figure import PHONE, Figure
from npquant.report.page.svg import Drawing
from npquant.report.page.words import figures

_SHOWN: Final = 40


def error_title(shares: list[float], nearest: list[float]) -> str:
    """Say how near the error comes to its bound, and whether it is less than `nearest` rounding's in every layer.

    >>> error_title([0.17, 0.52], [0.41, 0.64])
    'At most 52 % of the proven bound, and less than nearest rounding'
    >>> error_title([0.17, 0.52], [0.41, 0.52])
    'At most 52 % of the proven bound'
    """
    first = f"At most {figures(100 * max(shares))} % of the proven bound"
    return (
        f"{first}, and less than nearest rounding"
        if all(a < b for a, b in zip(shares, nearest, strict=True))
        else first
    )


def rounding_error(report: dict[str, Any]) -> Figure | None:
    """Draw a bar a layer; None where nothing was rounded away."""
    layers = [(i, one) for i, one in enumerate(report["bounds"]["rectified"]) if one["bound"] > 0][:_SHOWN]
    if not layers:
        return None
    rows = [(i, one["share"], one["nearest_rounding"] / one["bound"]) for i, one in layers]
    title = error_title([share for _, share, _ in rows], [near for *_, near in rows])
    sub = "Squared error that rounding the weights adds to each layer's sums (E6 against E13)."
    told = "; ".join(
        f"layer {i}: {figures(100 * share)} % of the bound, nearest rounding {figures(100 * near)} %"
        for i, share, near in rows
    )
    note = (
        "The bound was known before a weight was rounded: no data and no luck can bring the error above it. "
        "Nearest rounding has none on these inputs."
    )
    return Figure("rounding", title, sub, told, lambda width: _draw(rows, width), note)


def _draw(rows: list[tuple[int, float, float]], width: float) -> Drawing:
    few = len(rows) <= 8
    pitch, tall = (44.0, 18.0) if few else (22.0, 12.0)
    left, right, top = 62.0, width - 24, 48.0
    plane = Drawing(width, top + pitch * len(rows) + 42)
    high = max(1.0, *(near for *_, near in rows))
    bottom = top + pitch * len(rows)

    def at(share: float) -> float:
        return left + (right - left) * share / high

    for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
        plane.line(at(tick), top, at(tick), bottom, "grid")
        plane.text(at(tick), bottom + 16, f"{100 * tick:.0f}", 11, "mut", anchor="m")
    plane.line(at(1.0), top - 8, at(1.0), bottom, "ink", 1.5, "5 4")
    plane.text(
        at(1.0) + (0 if width == PHONE else 8), top - 14, "proven: no more than this", 12, "ink", bold=True, anchor="e"
    )
    plane.line(left, 10, left, 22, "orange", 3)
    plane.text(left + 10, 20, "nearest rounding", 12, "orange", bold=True)
    for place, (i, share, near) in enumerate(rows):
        y = top + pitch * place + (pitch - tall) / 2
        plane.text(0, y + tall / 2 + 4, f"Layer {i}", 12, "ink", bold=True)
        plane.rect(left, y, at(share) - left, tall, "blue")
        words, inside = f"{figures(100 * share)} %", at(share) - left > 44
        plane.text(
            at(share) + (-6 if inside else 6),
            y + tall / 2 + 4,
            words,
            12 if few else 11,
            "on" if inside else "blue",
            bold=True,
            anchor="e" if inside else "",
        )
        plane.line(at(near), y - 3, at(near), y + tall + 3, "orange", 3)
    plane.text(
        (left + right) / 2, bottom + 36, "rounding error, % of its proven bound (less is better)", 12, "mut", anchor="m"
    )
    return plane
