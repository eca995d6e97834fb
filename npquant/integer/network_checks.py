"""What must hold between the layers of an IntegerMLP, and between its door and the first; ValueError where it does not.

Legend: layers in order, params the quantization of the real inputs, offset (inputs,) what is
subtracted from them; inputs K of the first layer; x_q input codes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from npquant.arrays import Codes, Float64
from npquant.integer.layer import IntegerLayer
from npquant.kernels.qparams import QuantParams


def check_neighbours(layers: tuple[IntegerLayer, ...]) -> None:
    """Refuse no layers at all, and neighbours that differ in width or in the codes between them."""
    if not layers:
        raise ValueError("an IntegerMLP needs at least one layer")
    for i in range(1, len(layers)):
        before, after = layers[i - 1], layers[i]
        if before.shape[1] != after.shape[0]:
            raise ValueError(f"layer {i} has {after.shape[0]} inputs, layer {i - 1} {before.shape[1]} outputs")
        if before.y is None:
            raise ValueError(f"layer {i - 1} has no output quantization; only the last layer may end in accumulators")
        if before.y != after.x:
            raise ValueError(f"layer {i} reads {after.x}, but layer {i - 1} writes {before.y}")


def check_input(first: IntegerLayer, params: QuantParams) -> None:
    """Refuse params of the real inputs that are not those of the first layer's x, but for a scale a feature."""
    if np.ndim(params.zero_point) or (params.zero_point, params.qmin, params.qmax) != (
        first.x.zero_point,
        first.x.qmin,
        first.x.qmax,
    ):
        raise ValueError(f"input_params {params} and layer 0's x {first.x} differ in zero point or interval")
    if np.ndim(params.scale) == 0 and params != first.x:
        raise ValueError(f"input_params has scale {params.scale}, layer 0's x {first.x.scale}; they must be equal")
    if np.ndim(params.scale) and np.size(params.scale) != first.shape[0]:
        raise ValueError(f"input_params has {np.size(params.scale)} scales; layer 0 has {first.shape[0]} inputs")


def checked_end(end: ArrayLike | None, size: int, name: str) -> Float64 | None:
    """Return a read-only copy of an end, offsets or factors: `size` finite values, factors above 0; None for none.

    ValueError, with `name` in its message, for anything else.
    """
    if end is None:
        return None
    stored = np.array(end, np.float64)
    least = 0.0 if name.endswith("factor") else -np.inf
    if stored.shape != (size,) or not (np.isfinite(stored) & (stored > least)).all():
        kind = "finite" if np.isinf(least) else "finite and above 0"
        raise ValueError(f"{name} has shape {stored.shape}; it must be ({size},) and {kind}")
    stored.flags.writeable = False
    return stored


def equal_ends(one: Sequence[Float64 | None], two: Sequence[Float64 | None]) -> bool:
    """Whether the offsets and factors of one network and of two, another, in the same order, are equal.

    >>> equal_ends((None, np.ones(2)), (None, np.ones(2))), equal_ends((None,), (np.ones(2),))
    (True, False)
    """
    return all(
        (a is None and b is None) or (a is not None and b is not None and np.array_equal(a, b))
        for a, b in zip(one, two, strict=True)
    )


def has_own_ends(offset: Float64 | None, factor: Float64 | None) -> bool:
    """Whether real outputs may have another order than their codes: a factor, or offsets that are not all the same.

    >>> has_own_ends(np.full(3, 1000.0), None), has_own_ends(np.array([0.0, 1.0]), None)
    (False, True)
    """
    return factor is not None or (offset is not None and bool((offset != offset[0]).any()))


def check_codes(x_q: Codes, inputs: int, params: QuantParams) -> None:
    """Refuse input codes not of params' dtype (TypeError), not of shape (B, inputs), or outside params' interval."""
    if not isinstance(x_q, np.ndarray) or x_q.dtype != params.dtype:
        raise TypeError(f"x_q has dtype {getattr(x_q, 'dtype', type(x_q))}; it must be {params.dtype}: see encode")
    if x_q.ndim != 2 or x_q.shape[1] != inputs:
        raise ValueError(f"x_q has shape {x_q.shape}; it must be (B, {inputs})")
    whole = np.iinfo(params.dtype)
    # All of the type needs no look; bounds are proven for the interval alone.
    if (params.qmin, params.qmax) == (whole.min, whole.max) or not x_q.size:
        return
    if x_q.min() < params.qmin or x_q.max() > params.qmax:
        raise ValueError(
            f"x_q holds codes outside [{params.qmin}, {params.qmax}], the interval that the bounds are proven for"
        )
