"""McNemar's exact test as coins: how often chance alone would split the disputed rows so unevenly.

Legend: report the whole; lost and won the disputed rows, b and c of T1; p the test's.
"""

from __future__ import annotations

from fractions import Fraction
from math import comb, erfc, sqrt
from typing import Any, Final

from npquant.measure.statistics import exact_p
from npquant.report.page.figure import Figure
from npquant.report.page.svg import Drawing, broken
from npquant.report.page.words import nouns, probability, spelled, spelled_rows, whole

_FEW: Final = 12  # coins of which each outcome is a bar with its own label
_LEVEL: Final = 0.05


def coin_title(lost: int, won: int, p: float) -> str:
    """Say whether chance does this.

    >>> coin_title(2, 1, 1.0), coin_title(14, 2, 0.0042)
    ('Two to one is what a fair coin does', '14 to two is rare for a fair coin: p = 0.0042')
    """
    one, two = ("none" if count == 0 else spelled(count) for count in (lost, won))
    counts = f"{one[0].upper()}{one[1:]} to {two}"
    if p >= _LEVEL:
        return f"{counts} is what a fair coin does"
    return f"{counts} is rare for a fair coin: {probability(p)}"


def coins(report: dict[str, Any]) -> Figure | None:
    """Draw what a fair coin would do beside what was seen; None where nothing is disputed."""
    test, (noun, plural) = report["budget"]["test"], nouns(report)
    lost, won, p = test["b"], test["c"], test["p"]
    if lost + won == 0:
        return None
    label = (
        f"Outcomes of {lost + won} fair coins; seen were {lost} lost and {won} won, {probability(p)} (McNemar's test)."
    )
    sub = f"McNemar's exact test, on the {spelled_rows(lost + won, f'disputed {noun}', f'disputed {plural}')}."
    draw = _draw_few if lost + won <= _FEW else _draw_many
    title, note = coin_title(lost, won, p), _note(lost, won, p)
    return Figure("coins", title, sub, label, lambda width: draw(lost, won, width), note)


def _note(lost: int, won: int, p: float) -> str:
    """Say what would have been rare."""
    if p < _LEVEL:
        return "Rare under chance: a difference of the networks is shown."
    least = next(b for b in range(won, won + 10_000) if exact_p(b, won) < _LEVEL)
    said = f"{whole(least)} to {whole(won)} or more would have shown a loss ({probability(exact_p(least, won))})."
    return f"Nothing is less surprising than {lost} to {won}, so p = 1. Only {said}" if p == 1 else f"Only {said}"


def _said(plane: Drawing, n: int, width: float) -> float:
    words = (
        f"If both networks were equally good, each of the {whole(n)} disputed rows would be a fair coin: lost or won."
    )
    for line, part in enumerate(broken(words, min(width, 430), 13)):
        plane.text(0, 14 + 17 * line, part, 13, "ink2")
    return 70


def _draw_few(lost: int, won: int, width: float) -> Drawing:
    """Draw a bar an outcome, with its share of all."""
    n = lost + won
    plane = Drawing(width, 252)
    top, base, pitch = _said(plane, n, width), 206.0, width / (n + 1)
    highest = comb(n, n // 2)
    for k in range(n + 1):
        seen, bar = k == lost, 0.72 * pitch
        x, tall = (k + 0.14) * pitch, (base - top - 24) * comb(n, k) / highest
        plane.rect(x, base - tall, bar, tall, "orange" if seen else "orangef")
        middle = x + bar / 2
        share = Fraction(comb(n, k), 2**n)
        words = f"{comb(n, k)} of {2**n}" if n <= 4 else f"{100 * float(share):.2g} %" if pitch > 38 else ""
        plane.text(middle, base - tall - 8, words, 12, "ink" if seen else "ink2", bold=seen, anchor="m")
        if seen and tall > 26 and pitch > 44:
            plane.text(middle, base - tall + 18, "seen", 12, "on", bold=True, anchor="m")
        below = (str(k), str(n - k)) if pitch < 54 else (f"{k} lost", f"{n - k} won")
        plane.text(middle, base + 18, below[0], 12, "ink" if seen else "ink2", bold=seen, anchor="m")
        plane.text(middle, base + 34, below[1], 12, "ink" if seen else "mut", anchor="m")
    plane.line(0, base, width, base, "ln", 1.2)
    if pitch < 54:
        plane.text(0, base + 46, "above: lost, below: won", 11, "mut")
    return plane


def _draw_many(lost: int, won: int, width: float) -> Drawing:
    """Draw the outcomes as a hill in bins, of which those at least as uneven as what was seen are full."""
    n, plane = lost + won, Drawing(width, 252)
    top, base = _said(plane, n, width), 206.0
    reach = max(4 * sqrt(n) / 2, abs(lost - n / 2) + 1)
    low, high = max(0, int(n / 2 - reach)), min(n, int(n / 2 + reach) + 1)
    size = max(1, -(-(high - low + 1) // 60))
    bins = [(start, min(start + size - 1, high)) for start in range(low, high + 1, size)]
    chances = [_chance(n, *one) for one in bins]
    pitch = width / len(bins)
    for place, ((start, end), chance) in enumerate(zip(bins, chances, strict=True)):
        tail = max(abs(2 * start - n), abs(2 * end - n)) >= abs(lost - won)
        tall = (base - top - 24) * chance / max(chances)
        plane.rect(place * pitch + 0.5, base - tall, pitch - 1, tall, "orange" if tail else "orangef")
    plane.line(0, base, width, base, "ln", 1.2)
    at = (lost - low + 0.5) / (size * len(bins)) * width
    plane.line(at, base + 6, at, top + 8, "ink", 2)
    side = "e" if at > width / 2 else ""
    said = f"seen: {lost:,} lost, {won:,} won"
    plane.text(at + (-6 if side else 6), top + 14, said, 12, "ink", bold=True, anchor=side, halo=True)
    plane.text(0, base + 18, f"{low:,} lost", 12, "mut")
    plane.text(width / 2, base + 18, f"{n // 2:,} lost: even", 12, "mut", anchor="m", halo=True)
    plane.text(width, base + 18, f"{high:,} lost", 12, "mut", anchor="e")
    plane.text(0, base + 38, "full: at least as uneven as seen", 12, "orange", bold=True)
    return plane


def _chance(n: int, start: int, end: int) -> float:
    """Return the share of outcomes start to end, from the normal curve: its height alone is drawn."""
    spread = sqrt(n) / 2
    above, below = ((edge - n / 2) / (spread * sqrt(2)) for edge in (start - 0.5, end + 0.5))
    return (erfc(above) - erfc(below)) / 2
