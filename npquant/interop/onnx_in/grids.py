"""Grids: values rounded to codes, whether QuantizeLinear, a Clip of codes or DequantizeLinear say so.

Legend: tokens what the walk found, in order; walk the walk.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from npquant.interop.onnx_in.tokens import CodeClip, Dequantize, Quantize, Token
from npquant.interop.onnx_in.values import Walk
from npquant.kernels.qparams import QuantParams


class Grid(NamedTuple):
    """Values of these parameters' codes, whatever stands before and behind."""

    place: str
    params: QuantParams


Item = Grid | Token


def grids(walk: Walk, tokens: Sequence[Token]) -> tuple[list[Item], bool, bool]:
    """Return the items, and whether the file's input and its output are codes.

    FormatError where codes are read under other parameters than they were made by.
    """
    items: list[Item] = []
    open_ = False  # the last item is a grid that no DequantizeLinear has closed
    for i, token in enumerate(tokens):
        match token:
            case Quantize(place, params):
                items.append(Grid(place, params))
                open_ = True
            case CodeClip(place, low, high):
                items.append(
                    _narrowed(walk, items.pop(), place, low, high) if open_ else walk.refuse(place, "no codes")
                )
            case Dequantize(place, params) if i == 0:
                items.append(Grid(place, params))
            case Dequantize(place, params):
                made = items[-1]
                if not (open_ and isinstance(made, Grid)) or not _same_scale(made.params, params):
                    walk.refuse(place, "reads codes by another scale or zero point than they were made by")
                open_ = False
            case _ if open_:
                walk.refuse(token.place, "stands on codes; DequantizeLinear must stand before it")
            case _:
                items.append(token)
    return _without_repeats(items), isinstance(tokens[0], Dequantize), open_


def _same_scale(one: QuantParams, two: QuantParams) -> bool:
    return bool(one.scale == two.scale and one.zero_point == two.zero_point)


def _narrowed(walk: Walk, grid: Item, place: str, low: int, high: int) -> Grid:
    assert isinstance(grid, Grid)
    p = grid.params
    try:
        return Grid(grid.place, QuantParams(p.scale, p.zero_point, max(p.qmin, low), min(p.qmax, high)))
    except ValueError as error:
        walk.refuse(place, str(error))


def _without_repeats(items: list[Item]) -> list[Item]:
    """Rounding to a grid twice is rounding once."""
    kept: list[Item] = []
    for item in items:
        last = kept[-1] if kept else None
        if isinstance(item, Grid) and isinstance(last, Grid) and item.params == last.params:
            continue
        kept.append(item)
    return kept
