"""One layer of the integer-only network: its record, and the plain way to compute it.

Legend: B batch, K contracted depth, N outputs; x_q (B, K) int8 input codes, w_q (K, N) codes, bias (N,) int32 of scale
sx sw, acc int32 accumulator; zx, zw, zy zero points; `target` is what the accumulator is requantized to: `pre` before a
table, else `y`; layer an IntegerLayer, profile the arithmetic of the requantization.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from npquant.arrays import Int8, Int16, Int32
from npquant.integer.weight_width import weight_width
from npquant.kernels.activation_bounds import CLAMPS, clamp_codes
from npquant.kernels.lookup import FUNCTIONS, activation_table, apply_table
from npquant.kernels.qparams import QuantParams
from npquant.profiles.operators import linear
from npquant.profiles.record import Profile


@dataclass(frozen=True, slots=True, eq=False)
class IntegerLayer:
    """Hold one integer linear layer and its activation.

    The arrays are copied and set read-only. Layers are equal when all their integers and parameters are. TypeError if
    codes or bias have another dtype; ValueError if shapes or parameters do not agree, or a code leaves its interval.

    >>> p = QuantParams(0.5, 0, -128, 127)
    >>> IntegerLayer(np.array([[10], [20]], np.int8), np.array([7], np.int32), p, p, p, "identity").shape
    (2, 1)
    """

    w_q: Int8  # (K, N), in [w.qmin, w.qmax]
    bias: Int32  # (N,), scale x.scale w.scale
    x: QuantParams  # input, per-tensor, inside int8
    w: QuantParams  # weights, per-tensor or per-channel, inside int8
    y: QuantParams  # output, per-tensor, inside int8
    # identity, relu, clipped_relu, relu6 and relu_n1_to_1 narrow the output interval (R11); others: tables (R12)
    activation: str
    pre: QuantParams | None = None  # for tables only: the 8-bit pre-activation that the table reads

    def __post_init__(self) -> None:
        object.__setattr__(self, "w_q", _frozen_codes(self.w_q, "w_q", np.int8, 2))
        object.__setattr__(self, "bias", _frozen_codes(self.bias, "bias", np.int32, 1))
        if self.bias.shape != self.w_q.shape[1:]:
            raise ValueError(f"bias has shape {self.bias.shape} and w_q {self.w_q.shape}: give one bias an output")
        _check_params(self)
        if self.w_q.min() < self.w.qmin or self.w_q.max() > self.w.qmax:
            raise ValueError(f"w_q holds codes outside [{self.w.qmin}, {self.w.qmax}], its own interval")

    @property
    def shape(self) -> tuple[int, int]:
        """(K, N)."""
        return self.w_q.shape[0], self.w_q.shape[1]

    @property
    def weight_bits(self) -> int:
        """Bits of the weights, as they were asked for and are stored (W5)."""
        return weight_width(self.w_q, self.w)

    @property
    def target(self) -> QuantParams:
        """What the accumulator is requantized to: the pre-activation before a table, else the output."""
        return self.y if self.pre is None else self.pre

    @property
    def code_range(self) -> tuple[int, int]:
        """The closed interval of the target's codes that the activation leaves open (R11)."""
        return clamp_codes("identity" if self.pre is not None else self.activation, self.target)

    @property
    def centred_weights(self) -> Int16:
        """w_q - zw: what the accumulator sees, nine bits wide at most."""
        return self.w_q.astype(np.int16) - np.asarray(self.w.zero_point, np.int16)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, IntegerLayer):
            return NotImplemented
        arrays = np.array_equal(self.w_q, other.w_q) and np.array_equal(self.bias, other.bias)
        params = (self.x, self.w, self.y, self.pre) == (other.x, other.w, other.y, other.pre)
        return arrays and params and self.activation == other.activation

    __hash__ = None  # type: ignore[assignment]


def _frozen_codes(codes: NDArray[Any], name: str, dtype: type[np.generic], ndim: int) -> NDArray[Any]:
    """Copy an integer array, contiguous and read-only, after checking dtype, rank and that it is not empty."""
    if not isinstance(codes, np.ndarray) or codes.dtype != dtype:
        raise TypeError(f"{name} has dtype {getattr(codes, 'dtype', type(codes))}; it must be {np.dtype(dtype)}")
    if codes.ndim != ndim or codes.size == 0:
        raise ValueError(f"{name} has shape {codes.shape}; it must have {ndim} dimension(s), none of them empty")
    frozen = np.array(codes, order="C")
    frozen.flags.writeable = False
    return frozen


def _check_params(layer: IntegerLayer) -> None:
    """Check that each quantization is of the kind its role needs."""
    tables = layer.activation in FUNCTIONS
    if not tables and layer.activation not in CLAMPS:
        raise ValueError(f"unknown activation {layer.activation!r}; known: {', '.join([*CLAMPS, *FUNCTIONS])}")
    if tables != (layer.pre is not None):
        raise ValueError(f"{layer.activation!r} {'needs' if tables else 'has no'} pre-activation parameters `pre`")
    per_tensor = {"x": layer.x, "y": layer.y, "target": layer.target}
    for name, params in {**per_tensor, "w": layer.w}.items():
        if params.dtype != np.int8:
            raise ValueError(f"{name} has codes in [{params.qmin}, {params.qmax}]; they must lie inside int8")
        if name != "w" and params.per_channel:
            raise ValueError(f"{name} is per-channel; inputs and outputs of a layer are per-tensor")
    outputs = layer.w_q.shape[1]
    if layer.w.per_channel and max(np.size(layer.w.scale), np.size(layer.w.zero_point)) != outputs:
        raise ValueError(f"w has parameters for {np.size(layer.w.scale)} channels; the layer has {outputs} outputs")


def run_layer_plain(layer: IntegerLayer, x_q: Int8, profile: Profile) -> Int8:
    """R10, with R11 for a clamp; for a table R10 to the pre-activation, then R12: codes (B, K) to codes (B, N).

    The definition of a layer. Another profile puts its own output stage in place of R10; one whose engine takes uint8
    codes alone computes on codes and zero points 128 higher. ValueError if the profile's engine refuses the layer.

    >>> from npquant.profiles.npquant import NPQUANT
    >>> p = QuantParams(0.5, 0, -128, 127)
    >>> layer = IntegerLayer(np.array([[10], [20]], np.int8), np.array([7], np.int32), p, p, p, "relu")
    >>> run_layer_plain(layer, np.array([[4, -4], [4, 4]], np.int8), NPQUANT)
    array([[ 0],
           [64]], dtype=int8)
    """
    clamp = "identity" if layer.pre is not None else layer.activation
    x, y, shift = layer.x, layer.target, 0
    if "int8" not in profile.code_types:
        # The same real values under codes 128 higher: an engine that takes uint8 alone sees what it would be given.
        x, y, shift = _as_uint8(x), _as_uint8(y), 128
    raw = (x_q.astype(np.int16) + shift).astype(x.dtype)
    codes = linear(raw, layer.w_q, layer.bias, x=x, w=layer.w, y=y, profile=profile, activation=clamp)
    signed: Int8 = (codes.astype(np.int16) - shift).astype(np.int8)
    return signed if layer.pre is None else apply_table(signed, activation_table(layer.activation, layer.pre, layer.y))


def _as_uint8(params: QuantParams) -> QuantParams:
    """Return the same quantization with codes 128 higher; a zero point of 0 becomes 128."""
    return QuantParams(params.scale, int(params.zero_point) + 128, params.qmin + 128, params.qmax + 128)
