"""The dynamically quantized layer: integer weights made once, the scale of each input made from the input itself.

Legend: B batch, K inputs and N outputs; x (B, K) finite real inputs, x_q codes, a their width (`x_bits`, 2..8), lo and
hi their range, sx and zx their scale and zero point, L = 2^a - 1 steps; w_q (K, N) codes of scale sw and zero point zw,
each () or (N,), acc (B, N) int32; P and Q sums of the positive and of the negative w_q - zw of a column; granularity
"row", one scale a row, or "batch", one for all rows; layer a DynamicLayer, profile the arithmetic, variant an engine's
switch by name, or None.

D1 (parameters)   sx, zx = R14 of (lo, hi), taken over one row or over the whole batch
D2 (input error)  |x - sx (x_q - zx)| <= sx (1/2 + L 2^-23)
D3 (accumulator)  acc = sum_k (x_q - zx) (w_q - zw) = x_q @ (w_q - zw) - zx (P + Q),  |acc| <= L max(P, -Q): proof in
                  `accumulator`
D4 (output)       y = activation(f32(f32(acc) f32(sx sw)) + b) in float32
D5 (distance)     how far y may lie from the float network's: derived in docs/dynamic.md, held by the tests
An engine's profile puts its own DynamicRule in place of D1 to D4: codes, sums, and the way back with the bias.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npquant.arrays import Float32, Int8, Int16, Int32, Real
from npquant.integer.accumulator import dynamic_width, signed_sums
from npquant.integer.layer_checks import WEIGHT_TYPES, check_weights, frozen_codes
from npquant.integer.weight_width import weight_width
from npquant.kernels.affine import quantize_into
from npquant.kernels.dynamic import rescale_float32
from npquant.kernels.matmul import matmul_int8_blas
from npquant.kernels.qparams import QuantParams, choose_affine
from npquant.nn.activations import ACTIVATIONS, activate
from npquant.profiles.dynamic import engine_sums
from npquant.profiles.npquant import NPQUANT
from npquant.profiles.record import Profile

GRANULARITIES: Final = ("row", "batch")


@dataclass(frozen=True, slots=True, eq=False)
class DynamicLayer:
    """Hold one layer: integer weights, float bias, float activation, and the width of its inputs' codes.

    Arrays are copied and set read-only. TypeError if w_q is not int8 or uint8; ValueError if shapes or parameters do
    not agree, a code is outside its interval, or the bias is not finite in float32; OverflowError (D3) if an
    accumulator, or a sum on the way to it, can leave int32.

    >>> layer = DynamicLayer(np.array([[10], [20]], np.int8), QuantParams(0.5, 0, -128, 127), [1.0], "relu")
    >>> layer.shape, layer.accumulator_bits
    ((2, 1), 14)
    """

    w_q: NDArray[Any]  # (K, N), int8 or uint8, in [w.qmin, w.qmax]
    w: QuantParams  # one scale and zero point, or one a column
    b: Float32  # (N,), real; stored as float32
    activation: str  # one of `npquant.nn.activations.ACTIVATIONS`
    x_bits: int = 8  # a
    accumulator_bits: int = field(init=False)
    _column_sums: Int32 = field(init=False, repr=False)  # P + Q

    def __post_init__(self) -> None:
        frozen = frozen_codes(self.w_q, "w_q", WEIGHT_TYPES, 2)
        check_weights(frozen, self.w)
        with np.errstate(over="ignore"):
            b = np.array(self.b, np.float32)
        if b.shape != self.w_q.shape[1:] or not np.isfinite(b).all():
            raise ValueError(f"the bias has shape {b.shape}; it must be ({self.w_q.shape[1]},) and finite in float32")
        if self.activation not in ACTIVATIONS:
            raise ValueError(f"unknown activation {self.activation!r}; known: {', '.join(ACTIVATIONS)}")
        if isinstance(self.x_bits, bool) or self.x_bits not in range(2, 9):
            raise ValueError(f"x_bits is {self.x_bits!r}; dynamic codes have 2..8 bits")
        centred = self.centred_weights if np.any(self.w.zero_point) else frozen
        positive, negative = signed_sums(centred)
        object.__setattr__(self, "accumulator_bits", dynamic_width(positive, negative, self.x_bits))
        # |P + Q| <= P - Q, which times 128 is within int32 (D3).
        sums = (positive + negative).astype(np.int32)
        for name, array in (("w_q", frozen), ("b", b), ("_column_sums", sums)):
            array.flags.writeable = False
            object.__setattr__(self, name, array)

    @property
    def shape(self) -> tuple[int, int]:
        """(K, N)."""
        return self.w_q.shape[0], self.w_q.shape[1]

    @property
    def weight_bits(self) -> int:
        """Bits of the weights, as they were asked for (W5)."""
        return weight_width(self.w_q, self.w)

    @property
    def centred_weights(self) -> Int16:
        """w_q - zw: what the accumulator sees, nine bits wide at most."""
        return self.w_q.astype(np.int16) - np.asarray(self.w.zero_point, np.int16)

    def accumulate(self, x_q: Int8, zero_point: ArrayLike) -> Int32:
        """D3 for codes (B, K) and their zero point, one or one a row; int32, exact."""
        # |zx (P + Q)| <= 128 (P - Q), which was checked: both terms and their difference stay inside int32.
        z = np.asarray(zero_point, np.int32).reshape(-1, 1)
        if self.w_q.dtype == np.int8 and not np.any(self.w.zero_point):
            return np.asarray(matmul_int8_blas(x_q, self.w_q) - z * self._column_sums)
        # float64 holds sums of 2^37 products of 8 by 9 bits.
        product = x_q.astype(np.float64) @ self.centred_weights.astype(np.float64)
        return np.asarray(product.astype(np.int32) - z * self._column_sums)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, DynamicLayer):
            return NotImplemented
        arrays = np.array_equal(self.w_q, other.w_q) and np.array_equal(self.b, other.b)
        return arrays and (self.w, self.activation, self.x_bits) == (other.w, other.activation, other.x_bits)

    __hash__ = None  # type: ignore[assignment]


def input_params(x: Real, bits: int, granularity: str) -> QuantParams:
    """D1. Choose the quantization of real inputs from these inputs alone: bits = a, shape (B,) or per-tensor.

    B and K are at least 1. The range is widened to hold 0, which always has a code. All zeros, or a range below
    float32's normal numbers, has scale 1 and the lowest code throughout. A constant row c > 0 has the codes of c and of
    0 at the two ends.

    >>> input_params(np.array([[0.0, 127.5], [0.0, 0.0]]), 8, "row")
    QuantParams(scale=[0.5 1. ], zero_point=[-128 -128], qmin=-128, qmax=127)
    """
    if granularity == "row":
        return choose_affine(x.min(axis=1), x.max(axis=1), bits)
    return choose_affine(float(x.min()), float(x.max()), bits)


def quantize_rows(x: Real, params: QuantParams) -> Int8:
    """R1 of x under params, from `input_params`: per-tensor, or one scale a row.

    >>> quantize_rows(np.array([[0.0, 127.5]]), QuantParams([0.5], [-128], -128, 127))
    array([[-128,  127]], dtype=int8)
    """
    codes = np.empty(x.shape, np.int8)
    # The rows are the channels of the transposed views, which NumPy walks in the order of memory.
    quantize_into(np.array(x, np.float64, order="C").T, params, codes.T)
    return codes


def dynamic_sums(
    layer: DynamicLayer, x: Real, granularity: str, profile: Profile = NPQUANT, variant: str | None = None
) -> tuple[Int32, NDArray[np.float32]]:
    """D1 to D3: quantize inputs by their own range and multiply: accumulators (B, N), and sx, (B, 1) or (1, 1).

    >>> layer = DynamicLayer(np.array([[2], [4]], np.int8), QuantParams(0.5, 0, -128, 127), [1.0], "identity")
    >>> dynamic_sums(layer, np.array([[0.0, 255.0]]), "row")
    (array([[1020]], dtype=int32), array([[1.]], dtype=float32))
    """
    if profile is NPQUANT:
        params = input_params(x, layer.x_bits, granularity)
        return layer.accumulate(quantize_rows(x, params), params.zero_point), np.reshape(params.scale, (-1, 1))
    _, acc, made = engine_sums(x, layer.w_q, w=layer.w, profile=profile, variant=variant)
    return acc.astype(np.int32), np.reshape(made.scale, (-1, 1))


def run_dynamic_layer(
    layer: DynamicLayer, x: Real, granularity: str, profile: Profile = NPQUANT, variant: str | None = None
) -> Float32:
    """D1 to D4: quantize the inputs by their own range, multiply in integers, come back to float32 (B, N).

    R1 and R61 are the rounding steps; the integer product between them is exact. Under an engine's profile its rule
    makes the codes, the sums, and the way back with the bias. B = 0 gives shape (0, N). ValueError if an output is
    beyond float32. In the example the second row has steps of 2: 255 and -255 become 254 and -256.

    >>> layer = DynamicLayer(np.array([[2], [4]], np.int8), QuantParams(0.5, 0, -128, 127), [1.0], "identity")
    >>> run_dynamic_layer(layer, np.array([[0.0, 255.0], [255.0, -255.0]]), "row")
    array([[ 511.],
           [-257.]], dtype=float32)
    """
    if not len(x):
        return np.zeros((0, layer.shape[1]), np.float32)
    if profile is NPQUANT:
        acc, scale = dynamic_sums(layer, x, granularity)
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            z = rescale_float32(acc, scale, layer.w.scale) + layer.b
    else:
        rule, sums, made = engine_sums(x, layer.w_q, w=layer.w, profile=profile, variant=variant)
        z = rule.output(sums, made, layer.w.scale, layer.b)
    if not np.isfinite(z).all():
        raise ValueError("a pre-activation is beyond float32: scale the inputs or the weights")
    return np.asarray(activate(layer.activation, z), np.float32)
