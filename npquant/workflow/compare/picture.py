"""A comparison as a picture: a line a method and width, a ring a seed, and what the seeds say together.

Legend: found the comparison; pair a method beside the first; plane what is drawn on; top and y in pixels; across takes
a ratio to its place.
"""

from __future__ import annotations

from collections.abc import Callable
from math import log10
from typing import Final

from npquant.compression.chain.weight_codes import Bits
from npquant.report.page.plate import WIDTH, Plate, svg_of
from npquant.report.page.svg import Drawing, clipped
from npquant.report.page.ticks import log_ticks
from npquant.report.page.words import figures
from npquant.report.text_layout import chain
from npquant.workflow.compare.methods import width_name
from npquant.workflow.compare.pairs import AHEAD, BEHIND, LEAST_DIVERGENCE, OPEN, Estimate, Pair
from npquant.workflow.compare.run import MethodComparison
from npquant.workflow.compare.table import divergence_name, ratio

_LEFT, _RIGHT = 176.0, 572.0
_TOP, _PITCH, _GAP = 34.0, 32.0, 40.0
# Farther than this beyond the seeds, the interval of few seeds is cut at the edge: its ends stand beside it.
_BEYOND: Final = 1.6
_HUES: Final = ((AHEAD, "teal"), (BEHIND, "orange"), (OPEN, "ink2"))


def comparison_svg(found: MethodComparison) -> bytes:
    """Write the picture as a file, for light and for dark ground."""
    return svg_of(comparison_plate(found)).encode("utf-8")


def comparison_plate(found: MethodComparison) -> Plate:
    """Draw a comparison."""
    name, first = divergence_name(found), found.methods[0]
    many = len(found.seeds) > 1
    marks = "rings: seeds; discs: geometric means; bars: 95 % intervals" if many else "one seed: no interval"
    drawn_from = f"{found.data}, {chain(found.neurons)}, {found.activation}, {len(found.seeds)} seed{'s' * many}"
    sub = f"{name} to the float network over {first}'s, on the same networks; {marks}. {drawn_from}."
    told = "; ".join(f"{width_name(pair.bits)}, {pair.method}: {_told(pair.divergence)}" for pair in found.pairs)
    label = f"{name} over {first}'s. {told}."
    return Plate("comparison", finding(found), sub, label, _draw(found))


def finding(found: MethodComparison) -> str:
    """Say in a sentence what the pairs show."""
    first, pairs = found.methods[0], found.pairs
    count, of = len(pairs), f"{len(pairs)} comparison{'s' * (len(pairs) != 1)}"
    if len(found.seeds) == 1:
        lower = sum(pair.divergence.value > 1 for pair in pairs)
        return f"On one seed {first} has the lower {divergence_name(found)} in {lower} of {of}"
    ahead, behind = (sum(pair.verdict == verdict for pair in pairs) for verdict in (BEHIND, AHEAD))
    if ahead + behind == 0:
        return f"No method is told apart from {first}"
    if count in (ahead, behind):
        return f"{first} is {'ahead of' if ahead else 'behind'} every other method, at every width"
    left = count - ahead - behind
    parts = [f"ahead in {ahead}"] * (ahead > 0) + [f"behind in {behind}"] * (behind > 0)
    parts += [f"not told apart in {left}"] * (left > 0)
    return f"Of {of} {first} is {', '.join(parts)}"


def _told(estimate: Estimate) -> str:
    value = ratio(estimate.value)
    return value if estimate.low <= 0 else f"{value} ({ratio(estimate.low)} to {ratio(estimate.high)})"


def _draw(found: MethodComparison) -> Drawing:
    ratios = {(pair.method, pair.bits): _by_seed(found, pair) for pair in found.pairs}
    seen = [value for values in ratios.values() for value in values]
    low, high = log10(min(*seen, 0.9) / _BEYOND), log10(max(*seen, 1.1) * _BEYOND)

    def across(value: float) -> float:
        place = (log10(value) - low) / (high - low)
        return _LEFT + (_RIGHT - _LEFT) * min(max(place, 0.0), 1.0)

    rows = len(found.methods) - 1
    tall = len(found.bits) * (_GAP + _PITCH * rows)
    plane = Drawing(WIDTH, _TOP + tall + 44)
    _axis(plane, across, (10**low, 10**high), _TOP + tall, found.methods[0])
    for number, bits in enumerate(found.bits):
        top = _TOP + number * (_GAP + _PITCH * rows)
        plane.text(0, top + 24, width_name(bits), 14, "ink", bold=True)
        for line, pair in enumerate(_pairs_at(found, bits)):
            _row(plane, pair, ratios[pair.method, bits], across, top + _GAP + _PITCH * line + 8)
    words = (
        f"{divergence_name(found)} as a multiple of {found.methods[0]}'s (log scale; farther from float to the right)"
    )
    plane.text((_LEFT + _RIGHT) / 2, plane.height - 8, clipped(words, _RIGHT - _LEFT + 160), 12, "mut", anchor="m")
    return plane


def _pairs_at(found: MethodComparison, bits: Bits) -> list[Pair]:
    return sorted((pair for pair in found.pairs if pair.bits == bits), key=lambda pair: pair.divergence.value)


def _by_seed(found: MethodComparison, pair: Pair) -> list[float]:
    """Return the ratio on each seed, as `pairs_of` takes it."""
    by_method: dict[str, dict[int, float]] = {}
    for row in found.rows:
        if row.bits == pair.bits:
            by_method.setdefault(row.method, {})[row.seed] = max(row.divergence, LEAST_DIVERGENCE)
    first = by_method[found.methods[0]]
    return [value / first[seed] for seed, value in by_method[pair.method].items()]


def _axis(
    plane: Drawing, across: Callable[[float], float], ends: tuple[float, float], bottom: float, first: str
) -> None:
    last = -1e9
    for tick in log_ticks(*ends):
        x = across(tick)
        plane.line(x, _TOP, x, bottom, "grid")
        if x - last > 34:
            plane.text(x, bottom + 17, figures(tick), 11, "mut", anchor="m")
            last = x
    plane.line(across(1), _TOP - 8, across(1), bottom, "ink", 2)
    plane.text(across(1), _TOP - 14, f"{clipped(first, 150, 12, bold=True)} = 1", 12, "ink", bold=True, anchor="m")


def _row(plane: Drawing, pair: Pair, ratios: list[float], across: Callable[[float], float], y: float) -> None:
    estimate, hue = pair.divergence, dict(_HUES)[pair.verdict]
    plain = pair.verdict == OPEN
    plane.text(0, y + 4, clipped(pair.method, _LEFT - 14, 12), 12, "ink2")
    for value in ratios:
        plane.circle(across(value), y + 7, 3, "bg", "ln", 1.3)
    if estimate.low > 0:
        plane.line(across(estimate.low), y - 3, across(estimate.high), y - 3, hue, 2.5)
    plane.circle(across(estimate.value), y - 3, 5, hue, "bg", 1.5)
    plane.text(_RIGHT + 14, y + 4, _told(estimate), 12, "ink2" if plain else hue, bold=not plain)
