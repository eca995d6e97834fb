"""One layer of the integer-only network: its record, and the plain way to compute it.

Legend: B batch, K contracted depth, N outputs; x_q (B, K) input codes, w_q (K, N) codes, bias (N,) of scale sx sw, acc
accumulator; zx, zw, zy zero points; `target` is what the accumulator is requantized to: `pre` before a table, else `y`;
layer an IntegerLayer, profile the arithmetic of the requantization, params a quantization of inputs or outputs.

R12 (table)   y_q = table[q - qmin], q the accumulator requantized to `pre` with no clamp, qmin the least code of pre
R61 (real)    y = activation(f32(f32(acc) f32(sx sw))), where the last layer has no output quantization
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from npquant.arrays import Codes, Float32, Int16
from npquant.integer.layer_checks import (
    WEIGHT_TYPES,
    check_activation,
    check_activations_params,
    check_bias,
    check_weights,
    frozen_codes,
    frozen_table,
)
from npquant.integer.weight_width import weight_width
from npquant.kernels.activation_bounds import clamp_codes
from npquant.kernels.dynamic import rescale_float32
from npquant.kernels.lookup import activation_table
from npquant.kernels.qparams import QuantParams
from npquant.profiles.layer import layer_sums
from npquant.profiles.operators import linear
from npquant.profiles.record import Profile
from npquant.profiles.refusals import refuse_sums


@dataclass(frozen=True, slots=True, eq=False)
class IntegerLayer:
    """Hold one integer linear layer and its activation.

    The arrays are copied and set read-only. Layers are equal when all their integers and parameters are. TypeError if
    codes, table or bias have another dtype; ValueError if shapes or parameters do not agree, or a code leaves its
    interval.

    >>> p = QuantParams(0.5, 0, -128, 127)
    >>> IntegerLayer(np.array([[10], [20]], np.int8), np.array([7], np.int32), p, p, p, "identity").shape
    (2, 1)
    """

    w_q: NDArray[Any]  # (K, N), int8 or uint8, in [w.qmin, w.qmax]
    bias: NDArray[Any]  # (N,), scale x.scale w.scale; int32, or int64 beside int16 inputs: the accumulator's type
    x: QuantParams  # input, per-tensor, of int8, uint8 or int16
    w: QuantParams  # weights, per-tensor or per-channel
    y: QuantParams | None  # output, per-tensor, of int8, uint8 or int16; None: the outputs are the accumulators (R61)
    # identity, relu, clipped_relu, relu6 and relu_n1_to_1 narrow the output interval (R11); sigmoid, tanh and
    # softplus: npquant's own tables (R12); "table": the one given
    activation: str
    pre: QuantParams | None = None  # for tables only: the pre-activation that the table reads
    table: Codes | None = None  # (pre.qmax - pre.qmin + 1,), of y's type: R12

    def __post_init__(self) -> None:
        object.__setattr__(self, "w_q", frozen_codes(self.w_q, "w_q", WEIGHT_TYPES, 2))
        object.__setattr__(self, "bias", frozen_codes(self.bias, "bias", ("int32", "int64"), 1))
        check_activation(self.activation, self.y, self.pre, self.table)
        for name, params in (("x", self.x), ("y", self.y), ("pre", self.pre)):
            check_activations_params(name, params)
        check_bias(self.bias, self.w_q, self.x)
        check_weights(self.w_q, self.w)
        object.__setattr__(self, "table", frozen_table(self.table, self.pre, self.y))

    @property
    def shape(self) -> tuple[int, int]:
        """(K, N)."""
        return self.w_q.shape[0], self.w_q.shape[1]

    @property
    def weight_bits(self) -> int:
        """Bits of the weights, as they were asked for and are stored (W5)."""
        return weight_width(self.w_q, self.w)

    @property
    def output(self) -> QuantParams:
        """y, where the layer has one; ValueError where its outputs are the accumulators."""
        if self.y is None:
            raise ValueError("this layer has no output quantization: its outputs are accumulators")
        return self.y

    @property
    def target(self) -> QuantParams:
        """What the accumulator is requantized to: the pre-activation before a table, else the output."""
        return self.output if self.pre is None else self.pre

    @property
    def code_range(self) -> tuple[int, int]:
        """The closed interval of the target's codes that the activation leaves open (R11)."""
        return clamp_codes(self.clamp, self.target)

    @property
    def clamp(self) -> str:
        """The activation that the requantization fuses: none before a table."""
        return "identity" if self.pre is not None else self.activation

    @property
    def code_table(self) -> Codes | None:
        """R12: the output code of each code of `pre`, from pre.qmin on; None where there is no table."""
        if self.pre is None or self.table is not None:
            return self.table
        # R12 has an entry for each code of the type.
        least = int(np.iinfo(self.pre.dtype).min)
        whole = activation_table(self.activation, self.pre, self.output)
        return whole[self.pre.qmin - least : self.pre.qmax - least + 1]

    @property
    def centred_weights(self) -> Int16:
        """w_q - zw: what the accumulator sees, nine bits wide at most."""
        return self.w_q.astype(np.int16) - np.asarray(self.w.zero_point, np.int16)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, IntegerLayer):
            return NotImplemented
        arrays = all(
            np.array_equal(one, two) and one.dtype == two.dtype
            for one, two in ((self.w_q, other.w_q), (self.bias, other.bias))
        )
        tables = self.table is other.table or (
            self.table is not None and other.table is not None and np.array_equal(self.table, other.table)
        )
        params = (self.x, self.w, self.y, self.pre) == (other.x, other.w, other.y, other.pre)
        return arrays and tables and params and self.activation == other.activation

    __hash__ = None  # type: ignore[assignment]


def run_layer_plain(layer: IntegerLayer, x_q: Codes, profile: Profile) -> NDArray[Any]:
    """R10, with R11 for a clamp; for a table R10 to the pre-activation, then R12: codes (B, K) to codes (B, N).

    The definition of a layer. Another profile puts its own output stage in place of R10; one whose engine takes uint8
    codes alone computes int8 layers on codes and zero points 128 higher. Without an output quantization: accumulators
    (B, N), of the bias's type. ValueError if the profile's engine refuses the layer.

    >>> from npquant.profiles.npquant import NPQUANT
    >>> p = QuantParams(0.5, 0, -128, 127)
    >>> layer = IntegerLayer(np.array([[10], [20]], np.int8), np.array([7], np.int32), p, p, p, "relu")
    >>> run_layer_plain(layer, np.array([[4, -4], [4, 4]], np.int8), NPQUANT)
    array([[ 0],
           [64]], dtype=int8)
    """
    x, raise_x = as_taken(layer.x, profile)
    raw = (x_q.astype(np.int32) + raise_x).astype(x.dtype)
    if layer.y is None:
        refuse_sums(profile, x, layer.w)
        return layer_sums(raw, layer.w_q, layer.bias, x=x, w=layer.w, profile=profile).astype(layer.bias.dtype)
    y, raise_y = as_taken(layer.target, profile)
    taken = linear(raw, layer.w_q, layer.bias, x=x, w=layer.w, y=y, profile=profile, activation=layer.clamp)
    codes = taken.astype(np.int32) - raise_y
    table = layer.code_table
    return codes.astype(layer.target.dtype) if table is None else table[codes - layer.target.qmin]


def as_taken(params: QuantParams, profile: Profile) -> tuple[QuantParams, int]:
    """Return what an engine that takes uint8 codes alone is given for int8 ones, and by how much its codes are higher.

    The same real values under codes 128 higher; a zero point of 0 becomes 128.

    >>> from npquant.profiles import get
    >>> as_taken(QuantParams(0.5, 0, -128, 127), get("fbgemm"))
    (QuantParams(scale=0.5, zero_point=128, qmin=0, qmax=255), 128)
    """
    if params.dtype != np.int8 or "int8" in profile.code_types:
        return params, 0
    return QuantParams(params.scale, np.asarray(params.zero_point) + 128, params.qmin + 128, params.qmax + 128), 128


def real_outputs(layer: IntegerLayer, acc: Codes) -> Float32:
    """R61. y of accumulators (B, N) of a layer without output quantization.

    >>> p = QuantParams(0.5, 0, -128, 127)
    >>> layer = IntegerLayer(np.array([[1]], np.int8), np.array([0], np.int32), p, p, None, "relu")
    >>> real_outputs(layer, np.array([[6]]))
    array([[1.5]], dtype=float32)
    """
    y = rescale_float32(acc, layer.x.scale, layer.w.scale)
    return np.maximum(y, np.float32(0)) if layer.activation == "relu" else y
