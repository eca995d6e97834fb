"""The case: plain data that a backend is asked with, and the answer that its profile gives.

Legend: B rows, K contracted depth, N outputs; x_q (B, K) input codes, w_q (K, N) weight codes, bias (N,) int32 codes of
scale sx sw; x, w, y quantization of input, weights and output. A layer's output codes are the next layer's input codes.
activation a fused clamp by name; margin poisoned elements on both sides of an operand.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from npquant.arrays import Codes
from npquant.kernels.qparams import QuantParams
from npquant.profiles import get
from npquant.profiles.operators import linear, quantize
from npquant.profiles.record import Profile

# valid: there is one answer. unpredictable: a precondition is broken, so any value will do, but no crash and no write
# outside a buffer. must_reject: the only answer is a refusal.
Status = Literal["valid", "unpredictable", "must_reject"]
# How an operand lies in memory: C or Fortran order, rows farther apart than they are long, last row first, every second
# column of a wider array, or C order and not writeable.
LAYOUTS: Final = ("c", "fortran", "strided", "reversed", "columns", "readonly")


@dataclass(frozen=True, slots=True, eq=False)
class RawParams:
    """Quantization parameters that nobody has checked: what a case that must be rejected is made of."""

    scale: Any
    zero_point: Any
    qmin: int
    qmax: int

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of codes, by the sign of qmin alone."""
        return np.dtype(np.int8 if self.qmin < 0 else np.uint8)

    @property
    def per_channel(self) -> bool:
        """Whether the scale or the zero point is an array."""
        return bool(np.ndim(self.scale) or np.ndim(self.zero_point))


Params = QuantParams | RawParams


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """One linear layer as a backend is given it: codes, bias, quantization, fused activation."""

    w_q: Codes
    bias: NDArray[np.integer[Any]] | None
    x: Params
    w: Params
    y: Params
    activation: str = "none"


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """What a backend prepares: one layer, or several of which each feeds the next, and the profile asked for."""

    layers: tuple[Layer, ...]
    profile: str


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One question to a backend, whole: any case can be asked alone, in any order.

    op is "linear", or "quantize" where x_q holds float32 values and the model's only layer says by `x` what they
    become. earlier: inputs that the same prepared model is run on first; same_buffer: in the very memory that x_q
    then fills. neighbour: another model, prepared after this one and run once before it. tags: what the case is
    about, its class first."""

    model: Model
    x_q: NDArray[Any]
    op: Literal["linear", "quantize"] = "linear"
    status: Status = "valid"
    x_layout: str = "c"
    w_layout: str = "c"
    earlier: tuple[NDArray[Any], ...] = ()
    neighbour: Model | None = None
    same_buffer: bool = False
    tags: tuple[str, ...] = ()

    @property
    def group(self) -> str:
        """The name of the case's class."""
        return self.tags[0] if self.tags else "plain"

    @property
    def elements(self) -> int:
        """How many operand elements a reader must look at: inputs and weights of every layer."""
        return int(self.x_q.size) + sum(int(layer.w_q.size) for layer in self.model.layers)

    def tagged(self, *tags: str) -> Case:
        """Return the same case under other tags."""
        return replace(self, tags=tags)


def expected(case: Case) -> Codes:
    """Return the codes that the case's profile gives, by the array kernels.

    ValueError if the profile's engine refuses the layer; OverflowError where its accumulator may not leave int32.

    >>> p = QuantParams(0.5, 0, -128, 127)
    >>> layer = Layer(np.array([[-5]], np.int8), np.array([0], np.int32), p, p, p)
    >>> expected(Case(Model((layer,), "litert_ref_2025"), np.array([[1]], np.int8)))
    array([[-3]], dtype=int8)
    """
    profile = get(case.model.profile)
    if case.op == "quantize":
        return quantize(case.x_q, checked(case.model.layers[0].x), profile)
    codes: Codes = case.x_q
    for layer in case.model.layers:
        codes = expected_of_layer(layer, codes, profile)
    return codes


def expected_of_layer(layer: Layer, x_q: Codes, profile: Profile) -> Codes:
    """Return the output codes (B, N) of one layer for x_q (B, K) under a profile."""
    x, w, y = checked(layer.x), checked(layer.w), checked(layer.y)
    return linear(x_q, layer.w_q, layer.bias, x=x, w=w, y=y, profile=profile, activation=layer.activation)


def checked(params: Params) -> QuantParams:
    """Return params as a checked record; ValueError if they are illegal."""
    if isinstance(params, QuantParams):
        return params
    return QuantParams(params.scale, params.zero_point, params.qmin, params.qmax)


def one_layer(
    x_q: NDArray[Any],
    w_q: NDArray[Any],
    bias: NDArray[Any] | None,
    x: Params,
    w: Params,
    y: Params,
    profile: str,
    activation: str = "none",
) -> Case:
    """Make a valid case of one linear layer.

    >>> p = QuantParams(0.5, 0, -128, 127)
    >>> one_layer(np.array([[1]], np.int8), np.array([[2]], np.int8), None, p, p, p, "npquant").elements
    2
    """
    return Case(Model((Layer(w_q, bias, x, w, y, activation),), profile), x_q)


def as_laid_out(codes: NDArray[Any], layout: str, margin: int = 8) -> tuple[NDArray[Any], NDArray[Any]]:
    """Copy codes into memory of their own in a layout; return the view, and the whole buffer with poisoned margins.

    >>> view, buffer = as_laid_out(np.array([[1, 2], [3, 4]], np.int8), "reversed")
    >>> view.tolist(), view.strides[0] < 0, buffer.size > view.size
    ([[1, 2], [3, 4]], True, True)
    """
    rows, columns = codes.shape
    # Alternating bits: no run of equal bytes, and neither 0 nor a code that saturation would give.
    poison = np.frombuffer(b"\xa5\x5a" * codes.dtype.itemsize, codes.dtype)[0] if codes.dtype.kind in "iu" else np.nan
    step, wide = (2, 2 * columns) if layout == "columns" else (1, columns + (margin if layout == "strided" else 0))
    buffer = np.full((rows + 2) * wide + 2 * margin + 2, poison, codes.dtype)
    inside = buffer[margin + wide : margin + wide + rows * wide]
    if layout == "fortran":
        view = inside.reshape(columns, rows).T
    else:
        view = inside.reshape(rows, wide)[:, : columns * step : step]
    if layout == "reversed":
        view = view[::-1]
    view[...] = codes
    if layout == "readonly":
        view.flags.writeable = False
    return view, buffer
