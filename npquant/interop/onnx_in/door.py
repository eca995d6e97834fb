"""The doors of an integer network: what stands between the file's real values and the codes of its products.

    [x - offset], [round(x / s), a scale a feature, in float64], grid, [clamp, the same grid]
    dequantized codes, [times factor], [+ offset]

The difference is rounded to float32 once; the quotient is a code already, so that the grid behind it has scale 1. Of
the real outputs one step is rounded to float32 once in either type, and two of them only in float64.

Legend: items grids and the tokens between them; walk the walk; profile the arithmetic; inputs K of the first product,
outputs C of the last.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from npquant.arrays import Float64
from npquant.interop.onnx_in.grids import Grid, Item
from npquant.interop.onnx_in.tokens import Product, Rounded
from npquant.interop.onnx_in.values import Walk
from npquant.interop.steps import Affine, Clip
from npquant.kernels.qparams import QuantParams
from npquant.profiles.operators import quantize
from npquant.profiles.record import Profile

_READ: Final = "a Sub may stand there, and in DOUBLE a Div and Round before a QuantizeLinear of scale 1"


class Door(NamedTuple):
    """The grid of the first layer, the quantization of real inputs, what is subtracted from them, and items taken."""

    grid: Grid
    params: QuantParams
    offset: Float64 | None
    taken: int


def door(walk: Walk, items: Sequence[Item], profile: Profile) -> Door:
    """FormatError where anything else stands before the first product."""
    inputs = next((item.shape[0] for item in items if isinstance(item, Product)), 0)
    at, offset, scales = 0, None, None
    if isinstance(items[at], Affine) and _is(items[at], scale=1.0):
        offset, at = -_row(walk, items[at].place, items[at].shift, inputs), at + 1  # type: ignore[union-attr]
    if at < len(items) and isinstance(items[at], Affine) and _is(items[at], shift=0.0):
        with np.errstate(divide="ignore"):
            scales = 1 / _row(walk, items[at].place, items[at].scale, inputs)  # type: ignore[union-attr]
        if at + 1 >= len(items) or not isinstance(items[at + 1], Rounded):
            walk.refuse(items[at].place, f"scales the inputs before they are quantized; {_READ}")
        at += 2
    grid = items[at] if at < len(items) else items[-1]
    if not isinstance(grid, Grid) or (scales is not None and grid.params.scale != 1):
        walk.refuse(
            items[0].place,
            f"stands before the first QuantizeLinear: partly quantized (mixed) files are not read; {_READ}",
        )
    at += 1
    if at + 1 < len(items) and isinstance(items[at], Clip) and isinstance(items[at + 1], Grid):
        grid, at = _narrowed(walk, grid, items[at], items[at + 1], profile), at + 2  # type: ignore[arg-type]
    p = grid.params
    try:
        params = p if scales is None else QuantParams(scales, p.zero_point, p.qmin, p.qmax)
    except ValueError as error:
        walk.refuse(items[0].place, str(error))
    return Door(grid, params, offset, at)


def output_ends(walk: Walk, items: Sequence[Item], outputs: int) -> tuple[Float64 | None, Float64 | None, int]:
    """Return offset and factor of the real outputs, where `items` start with them, and how many items they take."""
    factor, offset, at = None, None, 0
    if at < len(items) and _is(items[at], shift=0.0):
        factor, at = _row(walk, items[at].place, items[at].scale, outputs), at + 1  # type: ignore[union-attr]
    if at < len(items) and _is(items[at], scale=1.0):
        offset, at = _row(walk, items[at].place, items[at].shift, outputs), at + 1  # type: ignore[union-attr]
    if at < len(items) and isinstance(items[at], Grid):
        return None, None, 0  # what is quantized again is no end, but a step between codes, which is refused by name
    if at == 2 and not all(isinstance(item, Affine) and item.wide for item in items[:2]):
        walk.refuse(items[0].place, "scales and shifts the outputs in FLOAT; it is read in DOUBLE, between two Casts")
    return offset, factor, at


def _is(item: Item, *, scale: float | None = None, shift: float | None = None) -> bool:
    """Whether an affine map, elementwise, has this scale or this shift throughout."""
    if not isinstance(item, Affine) or np.ndim(item.scale) > 1:
        return False
    return bool(np.all(np.asarray(item.scale if shift is None else item.shift) == (scale if shift is None else shift)))


def _row(walk: Walk, place: str, values: object, inputs: int) -> Float64:
    """One value a feature."""
    row = np.asarray(values, np.float64)
    if row.size not in (1, inputs):
        walk.refuse(place, f"has {row.size} values; the first product takes {inputs}")
    return np.broadcast_to(row.reshape(-1), (inputs,))


def _narrowed(walk: Walk, grid: Grid, clamp: Clip, again: Grid, profile: Profile) -> Grid:
    """The codes that a clamp of dequantized codes leaves: rounding is monotonic."""
    p, q = grid.params, again.params
    if (p.scale, p.zero_point) != (q.scale, q.zero_point):
        walk.refuse(clamp.place, "stands between two quantizers of the input with other scales")
    low, high = (int(quantize(np.array(v, np.float32), p, profile)) for v in (clamp.low, clamp.high))
    try:
        return Grid(again.place, QuantParams(q.scale, q.zero_point, max(low, q.qmin), min(high, q.qmax)))
    except ValueError as error:
        walk.refuse(clamp.place, str(error))
