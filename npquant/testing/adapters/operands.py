"""One layer and its input as plain numbers, the form in which anything that is not Python is asked.

Legend: B rows, K contracted depth, N outputs; x_q (B, K) input codes; m, e fixed multiplier M = m 2^(e-31) of each
output; low, high the output codes that the fused activation leaves open; profile the engine's record.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from npquant.arrays import Codes, Float32
from npquant.kernels.multiplier import FixedMultiplier, decompose_multiplier, real_multiplier
from npquant.profiles.record import Profile
from npquant.testing.backend import Capabilities, capabilities_of
from npquant.testing.case import Layer, Model

Int32 = NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class Operands:
    """A layer and its input, everything per output as an array of shape (N,)."""

    x_q: Codes
    w_q: Codes
    y_type: np.dtype[Any]
    x_zero: int
    y_zero: int
    low: int
    high: int
    x_scale: float
    y_scale: float
    w_zero: Int32
    m: Int32
    e: Int32
    w_scale: Float32
    bias: Int32

    @property
    def shape(self) -> tuple[int, int]:
        """(B, N), the shape of the answer."""
        return (self.x_q.shape[0], self.w_q.shape[1])


def operands_of(layer: Layer, x_q: Codes, profile: Profile) -> Operands:
    """Lay a layer out as numbers; NotImplementedError where x_q, weights and bias do not share one K and one N.

    m and e are the profile's own where it makes a fixed multiplier, and R5 of R4 where it rescales in floats; an engine
    of floats makes its factor of the scales. A bias of None is N zeros."""
    depth, n = layer.w_q.shape
    if x_q.shape[1] != depth or (layer.bias is not None and layer.bias.shape != (n,)):
        raise NotImplementedError("one K and one N are stated, so shapes that differ cannot be asked")
    numbers = (layer.x.zero_point, layer.y.zero_point, layer.w.zero_point, 0 if layer.bias is None else layer.bias)
    if not all(_fits_int32(number) for number in numbers):
        raise NotImplementedError("zero points and biases are stated as int32, so others cannot be asked")
    low, high = bounds_of(layer, profile)
    fixed = multiplier_of(layer, profile)
    return Operands(
        x_q,
        layer.w_q,
        layer.y.dtype,
        int(layer.x.zero_point),
        int(layer.y.zero_point),
        low,
        high,
        float(np.float32(layer.x.scale)),
        float(np.float32(layer.y.scale)),
        _per_output(layer.w.zero_point, n, np.int32),
        _per_output(fixed.multiplier, n, np.int32),
        _per_output(fixed.shift, n, np.int32),
        _per_output(layer.w.scale, n, np.float32),
        _per_output(0 if layer.bias is None else layer.bias, n, np.int32),
    )


def bounds_of(layer: Layer, profile: Profile) -> tuple[int, int]:
    """Return the output codes that the fused activation leaves open; of illegal parameters, the whole interval."""
    if not _is_scale(layer.y.scale):
        return layer.y.qmin, layer.y.qmax
    name = "identity" if layer.activation == "none" else layer.activation
    low, high = profile.activation_bounds(name, layer.y)  # type: ignore[arg-type]
    return int(low), int(high)


def multiplier_of(layer: Layer, profile: Profile) -> FixedMultiplier:
    """Return the fixed multiplier of a layer; 0 where its scales are illegal and have none."""
    scales = (layer.x.scale, layer.w.scale, layer.y.scale)
    if not all(_is_scale(scale) for scale in scales):
        return FixedMultiplier(0, 0)
    with np.errstate(all="ignore"):
        made = profile.make_multiplier(*scales)
    return made if isinstance(made, FixedMultiplier) else decompose_multiplier(real_multiplier(*scales))


def _is_scale(scale: Any) -> bool:
    return bool(np.all(np.isfinite(scale) & (np.asarray(scale) > 0)))


def _fits_int32(values: Any) -> bool:
    array = np.asarray(values)
    return array.dtype.kind in "iu" and bool(np.all((array >= -(2**31)) & (array < 2**31)))


def _per_output(values: Any, n: int, dtype: Any) -> NDArray[Any]:
    return np.ascontiguousarray(np.broadcast_to(np.asarray(values), (n,)), dtype)


@dataclass(frozen=True, slots=True, eq=False)
class LayerByLayer:
    """A model that a backend answers one layer at a time; each answer is the next layer's input."""

    answer: Callable[[Layer, Codes], Any]
    model: Model

    def run(self, x: NDArray[Any]) -> Any:
        """Ask for every layer in turn."""
        codes: Any = x
        for layer in self.model.layers:
            codes = self.answer(layer, codes)
        return codes


def plain_capabilities(profile: Profile) -> Capabilities:
    """Return what may be asked of a backend that gets numbers: layers, in C order, nothing that must be refused."""
    return replace(capabilities_of(profile), ops=("linear",), layouts=("c",), rejects=())
