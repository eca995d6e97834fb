"""Which neurons stay, which go, and why: as what they look at, as squares, or counted.

Legend: report the whole; layer one of "neurons" in "pictures", i its number; counts neurons gone by cause.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from npquant.report.page.figure import PHONE, Figure
from npquant.report.page.pixel_pictures import place_picture
from npquant.report.page.svg import Drawing, broken
from npquant.report.page.words import listed, spelled, whole

_WORDS: Final = {
    "zero": "whose output is always 0",
    "constant": "with one output on every row",
    "redundant": "that repeat another",
    "unimportant": "that matter least",
}.items()
_SHOWN: Final = 12  # layers


def pruned_title(gone: int, neurons: int, counts: Mapping[str, int], where: str) -> str:
    """Say how many of a layer's `neurons` are `gone`, and the surest reason; `where` names the layer.

    >>> pruned_title(38, 64, {"zero": 7, "unimportant": 31}, "first-layer ")
    '38 of 64 first-layer neurons go; seven of them never spoke'
    >>> pruned_title(4, 8, {"zero": 0, "redundant": 1}, "")
    'Four of eight neurons go; one of them repeated another'
    >>> pruned_title(4, 8, {"unimportant": 4}, ""), pruned_title(0, 8, {}, "")
    ('Four of eight neurons go', 'No neuron of eight goes')
    """
    if gone == 0:
        return f"No {where}neuron of {spelled(neurons)} goes"
    first = f"{spelled(gone)} of {spelled(neurons)} {where}neurons go"
    first = first[0].upper() + first[1:]
    for cause, verb in (("zero", "never spoke"), ("constant", "never changed"), ("redundant", "repeated another")):
        if counts.get(cause):
            return f"{first}; {spelled(counts[cause])} of them {verb}"
    return first


def neurons(report: dict[str, Any]) -> Figure | None:
    """Draw the first layer's neurons as maps where rows are pictures, and squares for all others."""
    told, removed = report["pictures"]["neurons"], report["pruning"]["removed"]
    if not told or report["pruning"]["nothing_pruned"]:
        return None
    before = report["models"][0]["neurons"]
    at = next((i for i, counts in enumerate(removed) if sum(counts.values())), 0)
    where = "first-layer " if at == 0 else f"layer-{at} "
    title = pruned_title(sum(removed[at].values()), before[at], removed[at], where)
    maps = report["pictures"]["maps"] if told[0] is not None else None
    sub = "A square a neuron; struck ones go."
    if maps:
        size = f"{maps['height']} \N{MULTIPLICATION SIGN} {maps['width']}"
        sub = (
            f"What each first-layer neuron looks at: its weights over the {size} pixels. Blue adds, orange takes away."
        )
    label = "; ".join(f"layer {i}: {_said(before[i], counts)}" for i, counts in enumerate(removed[:_SHOWN]))
    return Figure("neurons", title, sub, label, lambda width: _draw(report, width), _key(removed), wide=True)


def _said(before: int, counts: Mapping[str, int]) -> str:
    causes = [f"{whole(count)} {cause}" for cause, count in counts.items() if count]
    return f"{whole(before - sum(counts.values()))} of {whole(before)} stay" + (
        f", {listed(causes)} go" if causes else ""
    )


def _key(removed: list[dict[str, int]]) -> str:
    """Say what the strokes mean, of the causes that there are."""
    sums = {cause: sum(layer[cause] for layer in removed) for cause, _ in _WORDS}
    told = [f"{whole(sums[cause])} {words}" for cause, words in _WORDS if sums[cause]]
    crossed = any(sums[cause] for cause in ("zero", "constant", "redundant"))
    strokes = "One stroke: unimportant, least first, in the order in which they went." if sums["unimportant"] else ""
    strokes += " Crossed: removed exactly, nothing changes." if crossed else ""
    return f"Gone: {listed(told)}. {strokes}".strip()


def _draw(report: dict[str, Any], width: float) -> Drawing:
    told, before = report["pictures"]["neurons"], report["models"][0]["neurons"]
    maps = report["pictures"]["maps"] if told[0] is not None else None
    shown = list(enumerate(told))[:_SHOWN]
    plane = Drawing(width, 0)
    y = 0.0
    for i, layer in shown:
        counts = report["pruning"]["removed"][i]
        heading = f"Layer {i}: {_said(before[i], counts)}"
        for line in broken(heading, width, 13, bold=True):
            plane.text(0, y + 14, line, 13, "ink", bold=True)
            y += 18
        y += 6
        if layer is None:
            y = _counted(plane, before[i], counts, y, width)
        elif maps is not None and i == 0:
            y = _maps(plane, layer, y, width)
        else:
            y = _squares(plane, layer, y, width)
        y += 18
    if len(told) > len(shown):
        plane.text(0, y + 8, f"and {whole(len(told) - len(shown))} more layers, in report.json", 12, "mut")
        y += 18
    plane.height = y
    return plane


def _maps(plane: Drawing, layer: dict[str, Any], y: float, width: float) -> float:
    """Place the picture of each neuron, those that stay first; return where they end."""
    columns = 8 if width == PHONE else 16
    pitch = (width + 12) / columns
    side = pitch - (8 if width == PHONE else 14)
    order = [(n, "") for n in layer["kept"]] + [(one["neuron"], one["cause"]) for one in reversed(layer["gone"])]
    for place, (neuron, cause) in enumerate(order):
        x, top = place % columns * pitch + 1, y + place // columns * (side + 20)
        place_picture(plane, f"map{neuron}", x, top, side, "rule" if cause else "ink", 1.2)
        if cause:
            _strike(plane, cause, x, top, side)
        plane.text(
            x + side / 2, top + side + 13, str(neuron), 11, "mut" if cause else "ink", bold=not cause, anchor="m"
        )
    return y + -(-len(order) // columns) * (side + 20)


def _strike(plane: Drawing, cause: str, x: float, y: float, side: float) -> None:
    plane.line(x, y + side, x + side, y, "ink2", 1)
    if cause != "unimportant":
        plane.line(x, y, x + side, y + side, "ink2", 1)


def _squares(plane: Drawing, layer: dict[str, Any], y: float, width: float) -> float:
    """Draw a square a neuron, those that stay first; return where they end."""
    pitch = 27.5
    columns = int((width + 3) / pitch)
    order = [(n, "") for n in layer["kept"]] + [(one["neuron"], one["cause"]) for one in reversed(layer["gone"])]
    for place, (neuron, cause) in enumerate(order):
        x, top, side = place % columns * pitch + 1, y + place // columns * pitch, pitch - 4.5
        plane.rect(x, top, side, side, "bg" if cause else "bluef", "rule" if cause else "blue", 1.2)
        if cause:
            _strike(plane, cause, x, top, side)
        else:
            plane.text(x + side / 2, top + side / 2 + 4, str(neuron), 11, "ink", bold=True, anchor="m")
    return y + -(-len(order) // columns) * pitch


def _counted(plane: Drawing, before: int, counts: Mapping[str, int], y: float, width: float) -> float:
    """Draw a bar of neurons, of which a part stays; return where it ends."""
    kept = before - sum(counts.values())
    plane.rect(0, y, width, 18, "greyf")
    plane.rect(0, y, width * kept / before, 18, "blue")
    return y + 22
