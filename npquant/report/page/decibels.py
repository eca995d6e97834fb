"""How far the error of each layer's outputs lies below the signal: uniform, rectified, pruned too.

Legend: report the whole; gain and spent in dB.
"""

from __future__ import annotations

from statistics import fmean
from typing import Any, Final

from npquant.report.page.figure import PHONE, Figure
from npquant.report.page.svg import Drawing
from npquant.report.page.ticks import round_ticks
from npquant.report.page.words import decimal, figures

_SHOWN: Final = 40
_LITTLE: Final = 0.5
_MOST: Final = 0.8  # of the gain

Ratios = dict[str, list[float | None]]


def decibel_title(gain: float | None, spent: float | None) -> str:
    """Say what rectified rounding gains over uniform, and what pruning takes of it; None: not measured.

    >>> decibel_title(10.0, 9.0), decibel_title(10.0, 3.0)
    ('Rectified rounding saves 10 dB; pruning spends them', 'Rectified rounding saves 10 dB; pruning costs 3 dB')
    >>> decibel_title(0.2, None)
    'Rectified rounding gains little here'
    """
    if gain is None:
        return "Errors by layer"
    if gain < _LITTLE:
        first = "Rectified rounding gains little here" if gain > -_LITTLE else "Uniform rounding is better here"
        return first if spent is None or spent < _LITTLE else f"{first}; pruning costs {figures(spent)} dB"
    saved = f"Rectified rounding saves {figures(gain)} dB"
    if spent is None or spent < _LITTLE:
        return saved
    return f"{saved}; pruning spends them" if spent >= _MOST * gain else f"{saved}; pruning costs {figures(spent)} dB"


def decibels(report: dict[str, Any]) -> Figure:
    """Draw three ratios a layer."""
    found = _ratios(report)
    gain = _apart(found["rectified"], found["uniform"])
    spent = _apart(found["rectified"], found["pruned"]) if "pruned" in found else None
    sub = "Each layer's outputs against the float network's, on validation rows, errors of earlier layers included."
    told = "; ".join(
        f"{name}: {', '.join('exact' if v is None else decimal(v, 1) for v in values[:_SHOWN])}"
        for name, values in found.items()
    )
    label = f"Decibels of signal over error by layer. {told}."
    return Figure("decibels", decibel_title(gain, spent), sub, label, lambda width: _draw(found, width))


def _ratios(report: dict[str, Any]) -> Ratios:
    wanted = [(5, "uniform"), (5, "rectified")]
    wanted += [] if report["pruning"]["nothing_pruned"] else [(7, "pruned")]
    return {
        e["candidate"]: e["sqnr_db"]
        for e in report["comparisons"]
        if e["reference"] == "float" and (e["step"], e["candidate"]) in wanted
    }


def _apart(one: list[float | None], two: list[float | None]) -> float | None:
    pairs = [(a, b) for a, b in zip(one, two, strict=True) if a is not None and b is not None]
    return fmean(a - b for a, b in pairs) if pairs else None


def _draw(found: Ratios, width: float) -> Drawing:
    layers = min(len(found["uniform"]), _SHOWN)
    pitch = 38.0 if layers <= 8 else 22.0
    left, right, top = 62.0, width - 30, 40.0
    plane = Drawing(width, top + pitch * layers + 44)
    known = [value for values in found.values() for value in values[:layers] if value is not None] or [0.0, 1.0]
    low, high = min(known), max(known)
    room = 0.12 * (high - low) + 1
    low, high = low - room, high + room

    def at(value: float | None) -> float:
        return right if value is None else left + (right - left) * (value - low) / (high - low)

    bottom = top + pitch * layers
    for tick in round_ticks(low, high, 4 if width == PHONE else 6):
        plane.line(at(tick), top - 8, at(tick), bottom, "grid")
        plane.text(at(tick), bottom + 16, figures(tick, 3), 11, "mut", anchor="m")
    _key(plane, found, left)
    for i in range(layers):
        y = top + pitch * (i + 0.5)
        plane.text(0, y + 4, f"Layer {i}", 12, "ink", bold=True)
        values = {name: each[i] for name, each in found.items()}
        places = [at(value) for value in values.values()]
        plane.line(min(places), y, max(places), y, "rule", 1.5)
        for name, value in values.items():
            mark(plane, name, at(value), y)
        shown = values["rectified"]
        last = "exact" if shown is None else decimal(shown, 1)
        plane.text(at(shown) + 9, y + 4, last, 12, "blue", bold=True, halo=True)
    plane.text(
        (left + right) / 2,
        bottom + 36,
        "dB of signal over error (more is better; 6 dB halve it)",
        12,
        "mut",
        anchor="m",
    )
    return plane


def mark(plane: Drawing, name: str, x: float, y: float) -> None:
    """Draw on a plane the mark of a network by its name, at (x, y): square, disc or diamond."""
    if name == "uniform":
        plane.rect(x - 4, y - 4, 8, 8, "bg", "ln", 1.8)
    elif name == "rectified":
        plane.circle(x, y, 5, "blue", "bg", 1)
    else:
        plane.path(f"M{x:.1f} {y - 6:.1f}l6 6l-6 6l-6 -6z", "orange", "bg", 1)


def _key(plane: Drawing, found: Ratios, left: float) -> None:
    x = left
    for name, said, hue in (
        ("uniform", "uniform", "ink2"),
        ("rectified", "rectified", "blue"),
        ("pruned", "pruned too", "orange"),
    ):
        if name in found:
            mark(plane, name, x + 5, 10)
            plane.text(x + 16, 14, said, 12, hue, bold=True)
            x += 30 + 7.6 * len(said)
