"""The dynamically quantized network: int8 weights made once, the scale of each input made from the input itself.

Legend: B batch, K inputs and N outputs of a layer; x (B, K) real inputs, x_q codes, a their width, lo and hi their
range, sx and zx their scale and zero point, L = 2^a - 1 steps; w_q (K, N) codes of scale sw (N,), acc (B, N) int32; P
and Q sums of the positive and of the negative codes of a column.

D1 (parameters)   sx, zx = R14 of (lo, hi), taken over one row or over the whole batch
D2 (input error)  |x - sx (x_q - zx)| <= sx (1/2 + L 2^-23)
D3 (accumulator)  acc = sum_k (x_q - zx) w_q = x_q @ w_q - zx (P + Q),  -L max(P, -Q) <= acc <= L max(P, -Q)
D4 (output)       y = activation(f32(f32(acc) f32(sx sw)) + b) in float32
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npquant.arrays import Float32, Real
from npquant.integer.weight_width import weight_width
from npquant.kernels.dynamic import rescale_float32
from npquant.kernels.matmul import matmul_int8_blas
from npquant.kernels.qparams import QuantParams, choose_affine
from npquant.nn.activations import ACTIVATIONS, activate

GRANULARITIES: Final = ("row", "batch")
INT32_MAX: Final = 2**31 - 1


@dataclass(frozen=True, slots=True, eq=False)
class DynamicLayer:
    """Hold one layer: integer weights, float bias, float activation, and the width of its inputs' codes.

    Parameters
    ----------
    w_q : ndarray of int8, shape (K, N)
        Weight codes in [w.qmin, w.qmax].
    w : QuantParams
        Their quantization: zero point 0, one scale or one a column.
    b : ndarray of float, shape (N,)
        Real bias; stored as float32.
    activation : str
        One of `npquant.nn.activations.ACTIVATIONS`.
    x_bits : int
        a, 2..8.

    Raises
    ------
    TypeError
        If w_q is not int8.
    ValueError
        If shapes or parameters do not agree, a code is outside its interval, or the bias is not finite in float32.
    OverflowError
        D3: if an accumulator, or a sum on the way to it, can leave int32.

    Notes
    -----
    Arrays are copied and set read-only. Partial sums of x_q @ w_q stay within 128 (P - Q), which is checked too.

    Examples
    --------
    >>> layer = DynamicLayer(np.array([[10], [20]], np.int8), QuantParams(0.5, 0, -128, 127), [1.0], "relu")
    >>> layer.shape, layer.accumulator_bits
    ((2, 1), 14)
    """

    w_q: NDArray[np.int8]
    w: QuantParams
    b: Float32
    activation: str
    x_bits: int = 8
    accumulator_bits: int = field(init=False)
    _column_sums: NDArray[np.int32] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        _check_codes(self.w_q, self.w)
        with np.errstate(over="ignore"):
            b = np.array(self.b, np.float32)
        if b.shape != self.w_q.shape[1:] or not np.isfinite(b).all():
            raise ValueError(f"the bias has shape {b.shape}; it must be ({self.w_q.shape[1]},) and finite in float32")
        if self.activation not in ACTIVATIONS:
            raise ValueError(f"unknown activation {self.activation!r}; known: {', '.join(ACTIVATIONS)}")
        if isinstance(self.x_bits, bool) or self.x_bits not in range(2, 9):
            raise ValueError(f"x_bits is {self.x_bits!r}; dynamic codes have 2..8 bits")
        positive = np.maximum(self.w_q, 0).sum(axis=0, dtype=np.int64)
        negative = np.minimum(self.w_q, 0).sum(axis=0, dtype=np.int64)
        largest = int(np.maximum(positive, -negative).max()) * (2**self.x_bits - 1)
        if max(largest, int((positive - negative).max()) * 128) > INT32_MAX:
            raise OverflowError(f"an accumulator can reach {largest}, outside int32 (D3): use fewer weight bits")
        sums = (positive + negative).astype(np.int32)
        for name, array in (("w_q", np.array(self.w_q, order="C")), ("b", b), ("_column_sums", sums)):
            array.flags.writeable = False
            object.__setattr__(self, name, array)
        object.__setattr__(self, "accumulator_bits", largest.bit_length() + 1)

    @property
    def shape(self) -> tuple[int, int]:
        """(K, N)."""
        return self.w_q.shape[0], self.w_q.shape[1]

    @property
    def weight_bits(self) -> int:
        """Bits of the weights, as they were asked for (W5)."""
        return weight_width(self.w_q, self.w)

    def accumulate(self, x_q: NDArray[np.int8], zero_point: ArrayLike) -> NDArray[np.int32]:
        """Return D3 for codes (B, K) and their zero point, one or one a row; int32, exact."""
        # A product of two numbers inside int8 and int32 bounds: |zx (P + Q)| <= 128 (P - Q), checked above.
        z = np.asarray(zero_point, np.int32).reshape(-1, 1)
        return np.asarray(matmul_int8_blas(x_q, self.w_q) - z * self._column_sums)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, DynamicLayer):
            return NotImplemented
        arrays = np.array_equal(self.w_q, other.w_q) and np.array_equal(self.b, other.b)
        return arrays and (self.w, self.activation, self.x_bits) == (other.w, other.activation, other.x_bits)

    __hash__ = None  # type: ignore[assignment]


def _check_codes(w_q: NDArray[np.int8], w: QuantParams) -> None:
    if not isinstance(w_q, np.ndarray) or w_q.dtype != np.int8:
        raise TypeError(f"w_q has dtype {getattr(w_q, 'dtype', type(w_q))}; it must be int8")
    if w_q.ndim != 2 or w_q.size == 0:
        raise ValueError(f"w_q has shape {w_q.shape}; it must be (K, N), neither of them 0")
    if np.any(w.zero_point) or (w.per_channel and np.size(w.scale) != w_q.shape[1]):
        raise ValueError(f"w is {w}; weights need zero point 0, and one scale or {w_q.shape[1]}, one a column")
    if w_q.min() < w.qmin or w_q.max() > w.qmax:
        raise ValueError(f"w_q holds codes outside [{w.qmin}, {w.qmax}], its own interval")


def input_params(x: Real, bits: int, granularity: str) -> QuantParams:
    """Choose the quantization of real inputs from these inputs alone.

    Parameters
    ----------
    x : ndarray of float, shape (B, K)
        Real, finite; B and K at least 1.
    bits : int
        a, 2..8.
    granularity : {"row", "batch"}
        One scale a row, or one for all rows.

    Returns
    -------
    QuantParams
        D1: shape (B,), or per-tensor.

    Notes
    -----
    The range is widened to hold 0, which always has a code. All zeros, or a range below float32's normal numbers, has
    scale 1 and the lowest code throughout. A constant row c > 0 has the codes of c and of 0 at the two ends.

    Examples
    --------
    >>> input_params(np.array([[0.0, 127.5], [0.0, 0.0]]), 8, "row")
    QuantParams(scale=[0.5 1. ], zero_point=[-128 -128], qmin=-128, qmax=127)
    """
    if granularity == "row":
        return choose_affine(x.min(axis=1), x.max(axis=1), bits)
    return choose_affine(float(x.min()), float(x.max()), bits)


def quantize_rows(x: Real, params: QuantParams) -> NDArray[np.int8]:
    """Quantize real inputs under one quantization, or under one a row.

    Parameters
    ----------
    x : ndarray of float, shape (B, K)
        Real inputs, finite.
    params : QuantParams
        From `input_params`: per-tensor, or of shape (B,).

    Returns
    -------
    ndarray of int8, shape (B, K)
        Codes.

    Notes
    -----
    R1, as `kernels.affine.quantize` of x^T, whose channels are these rows; without turning the matrix over.

    Examples
    --------
    >>> quantize_rows(np.array([[0.0, 127.5]]), QuantParams([0.5], [-128], -128, 127))
    array([[-128,  127]], dtype=int8)
    """
    scale, zero = (np.reshape(v, (-1, 1)).astype(np.float64) for v in (params.scale, params.zero_point))
    codes = np.divide(x, scale, dtype=np.float64)
    np.rint(codes, out=codes)
    np.clip(codes, params.qmin - zero, params.qmax - zero, out=codes)
    codes += zero
    return codes.astype(np.int8)


def run_dynamic_layer(layer: DynamicLayer, x: Real, granularity: str) -> Float32:
    """Compute one layer: quantize the inputs by their own range, multiply in integers, come back to float32.

    Parameters
    ----------
    layer : DynamicLayer
        The layer.
    x : ndarray of float, shape (B, K)
        Real inputs, finite.
    granularity : {"row", "batch"}
        As in `input_params`.

    Returns
    -------
    ndarray of float32, shape (B, N)
        D4.

    Raises
    ------
    ValueError
        If an output is beyond float32.

    Notes
    -----
    D1 to D4. R1 and R61 are the rounding steps; the integer product between them is exact. B = 0 gives shape (0, N).
    In the example the second row has steps of 2, and 255 and -255 become 254 and -256.

    Examples
    --------
    >>> layer = DynamicLayer(np.array([[2], [4]], np.int8), QuantParams(0.5, 0, -128, 127), [1.0], "identity")
    >>> run_dynamic_layer(layer, np.array([[0.0, 255.0], [255.0, -255.0]]), "row")
    array([[ 511.],
           [-257.]], dtype=float32)
    """
    if not len(x):
        return np.zeros((0, layer.shape[1]), np.float32)
    params = input_params(x, layer.x_bits, granularity)
    acc = layer.accumulate(quantize_rows(x, params), params.zero_point)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        z = rescale_float32(acc, np.reshape(params.scale, (-1, 1)), layer.w.scale) + layer.b
    if not np.isfinite(z).all():
        raise ValueError("a pre-activation is beyond float32: scale the inputs or the weights")
    return np.asarray(activate(layer.activation, z), np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class DynamicMLP:
    """Hold a multilayer perceptron with integer products and scales that its inputs choose.

    Parameters
    ----------
    layers : tuple of DynamicLayer
        In order.
    granularity : {"row", "batch"}
        Whose range decides a scale: each row's own, or that of all rows given together.

    Raises
    ------
    ValueError
        If there is no layer, neighbours do not agree, or the granularity is unknown.

    Notes
    -----
    D1 to D4, layer by layer. With "row", a row's logits do not depend on the other rows, bit for bit. Not written to
    files: it is made from the float network in the time that rounding its weights takes.

    Examples
    --------
    >>> layer = DynamicLayer(np.array([[2], [4]], np.int8), QuantParams(0.5, 0, -128, 127), [1.0], "identity")
    >>> net = DynamicMLP((layer,))
    >>> net.logits([[0, 255], [255, -255]]).ravel(), net.macs, net.accumulator_bits
    (array([ 511., -257.], dtype=float32), 2, (12,))
    """

    layers: tuple[DynamicLayer, ...]
    granularity: str = "row"

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", tuple(self.layers))
        if not self.layers:
            raise ValueError("a DynamicMLP needs at least one layer")
        for i, (one, two) in enumerate(zip(self.layers, self.layers[1:], strict=False)):
            if one.shape[1] != two.shape[0]:
                raise ValueError(f"layer {i} has {one.shape[1]} outputs but layer {i + 1} takes {two.shape[0]}")
        if self.granularity not in GRANULARITIES:
            raise ValueError(f"the granularity is {self.granularity!r}; it must be one of {GRANULARITIES}")

    @property
    def n_inputs(self) -> int:
        """K of layer 0."""
        return self.layers[0].shape[0]

    @property
    def neurons(self) -> tuple[int, ...]:
        """Outputs of each layer."""
        return tuple(layer.shape[1] for layer in self.layers)

    @property
    def macs(self) -> int:
        """Integer multiply-accumulates of one row."""
        return sum(layer.w_q.size for layer in self.layers)

    @property
    def accumulator_bits(self) -> tuple[int, ...]:
        """Bits of the narrowest integer that holds every accumulator of each layer, whatever the inputs: D3."""
        return tuple(layer.accumulator_bits for layer in self.layers)

    @property
    def weight_bits(self) -> tuple[int, ...]:
        """Bits of each layer's weights as they were asked for: a side a neuron (W5); ternary counts 2."""
        return tuple(layer.weight_bits for layer in self.layers)

    def logits(self, x: ArrayLike) -> Float32:
        """Return real-valued logits (B, C) of real-valued inputs (B, K)."""
        values: Real = self._checked(x)
        for layer in self.layers:
            values = run_dynamic_layer(layer, values, self.granularity)
        return np.asarray(values, np.float32)

    def predict(self, x: ArrayLike) -> NDArray[np.int64]:
        """Return the class (B,) with the largest logit, the lowest index on a tie."""
        return np.asarray(np.argmax(self.logits(x), axis=1), np.int64)

    def accumulators(self, x: ArrayLike) -> tuple[NDArray[np.int32], ...]:
        """Return the int32 accumulators (B, N) of every layer, for teaching and for checking bounds; B at least 1."""
        values: Real = self._checked(x)
        sums = []
        for layer in self.layers:
            params = input_params(values, layer.x_bits, self.granularity)
            sums.append(layer.accumulate(quantize_rows(values, params), params.zero_point))
            values = run_dynamic_layer(layer, values, self.granularity)
        return tuple(sums)

    def _checked(self, x: ArrayLike) -> NDArray[np.float64]:
        given = np.asarray(x)
        if given.dtype.kind not in "biuf":
            raise TypeError(f"x has dtype {given.dtype}; it must be real numbers")
        if given.ndim != 2 or given.shape[1] != self.n_inputs:
            raise ValueError(f"x has shape {given.shape}; it must be (B, {self.n_inputs}): one row an example")
        real = given.astype(np.float64)
        if not (np.abs(real) <= np.finfo(np.float32).max).all():
            raise ValueError("x contains NaN, infinity or a value beyond float32: remove or replace it")
        return real

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, DynamicMLP):
            return NotImplemented
        return self.layers == other.layers and self.granularity == other.granularity

    __hash__ = None  # type: ignore[assignment]
