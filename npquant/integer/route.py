"""The fast route of the integer network: the same codes through float products, proven when a layer is prepared.

Legend: B batch, K inputs, N outputs; raw = sum_k x_q (w_q - zw), acc = raw + bias - zx sum_k (w_q - zw);
M = m 2^(e-31) multiplier, s = 31 - e shift.
Everything that float arithmetic touches is an integer small enough to be exact, or is checked against int64.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from npquant.arrays import Int64, Real
from npquant.integer.layer import IntegerLayer, accumulator_interval
from npquant.integer.sparse_route import choose_kernel, compress_weights, multiply_compressed
from npquant.kernels.exact import FLOAT32_EXACT
from npquant.kernels.lookup import activation_table
from npquant.kernels.multiplier import FixedMultiplier, layer_multiplier
from npquant.kernels.qparams import QuantParams
from npquant.kernels.requantize import requantize_single_rounding

if TYPE_CHECKING:
    from scipy.sparse import csr_array


# Rows taken through all layers at a time, so that a block of activations stays in the second-level cache.
BLOCK_ROWS = 512
# Numbers that the passes of one requantization work on at a time: 256 kB of float64.
PART_ELEMENTS = 2**15


@dataclass(frozen=True, slots=True, eq=False)
class PreparedLayer:
    """Hold what the fast route of one layer multiplies with.

    Parameters
    ----------
    blocks : tuple of (int, ndarray of float32)
        Centred weights in blocks of K, each with its first k; C6 holds in every block. Empty where the product is
        sparse.
    scale, offset : ndarray of float32 or float64, shape (rows, N), or None
        code = clip(floor(raw scale + offset)); None where that formula failed its check. The same in every row:
        repeated so that a pass over several rows is one long loop.
    constant : ndarray of int64, shape (N,)
        acc - raw.
    fixed : FixedMultiplier
        m and e of R5.
    zero_point, low, high : int
        Of the target: its zero point, and the codes that the activation leaves open.
    table : ndarray of float32, shape (256,), or None
        R12, as floats.
    compressed : scipy.sparse.csr_array, shape (N, K), or None
        The nonzero centred weights, where the product is sparse.

    Examples
    --------
    Made by `prepare_layer`.
    """

    blocks: tuple[tuple[int, NDArray[np.float32]], ...]
    scale: Real | None
    offset: Real | None
    constant: Int64
    fixed: FixedMultiplier
    zero_point: int
    low: int
    high: int
    table: NDArray[np.float32] | None
    compressed: csr_array | None = None

    @property
    def kernel(self) -> str:
        """Which product runs: "dense" or "sparse"."""
        return "dense" if self.compressed is None else "sparse"


def prepare_layer(layer: IntegerLayer, kernel: str | None = None) -> PreparedLayer:
    """Lay out a layer for the fast route, and prove its float requantization.

    Parameters
    ----------
    layer : IntegerLayer
        The layer; npquant's own arithmetic (R6).
    kernel : {"dense", "sparse"}, optional
        The product; by default that of `choose_kernel`.

    Returns
    -------
    PreparedLayer
        With the narrowest float formula that passes `formula_is_exact`, or none.

    Notes
    -----
    R6, R9, R10. float32 is tried first: it is enough for few bits; float64 nearly always is.

    Examples
    --------
    >>> p = QuantParams(0.5, 0, -128, 127)
    >>> layer = IntegerLayer(np.array([[10], [20]], np.int8), np.array([7], np.int32), p, p, p, "relu")
    >>> prepare_layer(layer).offset[0]
    array([4.], dtype=float32)
    """
    centred = layer.centred_weights
    constant = layer.bias.astype(np.int64) - int(layer.x.zero_point) * centred.sum(axis=0, dtype=np.int64)
    fixed = layer_multiplier(layer.x, layer.w, layer.target)
    zero_point, (low, high) = int(layer.target.zero_point), layer.code_range
    largest_code = max(abs(layer.x.qmin), abs(layer.x.qmax))
    sparse = (kernel or choose_kernel(centred)) == "sparse"
    compressed = compress_weights(centred, largest_code) if sparse else None
    blocks = () if sparse else _exact_blocks(centred, largest_code)
    in_float32 = compressed.dtype == np.float32 if compressed is not None else len(blocks) == 1
    real = np.broadcast_to(np.asarray(fixed.real, np.float64), constant.shape)
    scale: Real | None = None
    offset: Real | None = None
    start = constant * real + (0.5 + zero_point)
    for dtype in ("float32", "float64") if in_float32 else ("float64",):
        if formula_is_exact(real.astype(dtype), start.astype(dtype), constant, layer):
            rows = max(1, PART_ELEMENTS // len(constant))
            scale, offset = (np.repeat(v[np.newaxis].astype(dtype), rows, axis=0) for v in (real, start))
            break
    table = None if layer.pre is None else activation_table(layer.activation, layer.pre, layer.y).astype(np.float32)
    return PreparedLayer(blocks, scale, offset, constant, fixed, zero_point, low, high, table, compressed)


def _exact_blocks(centred: NDArray[np.int16], largest_code: int) -> tuple[tuple[int, NDArray[np.float32]], ...]:
    """Cut the weights along K so that no partial sum of a block leaves float32's exact integers (C6)."""
    weights = centred.astype(np.float32)
    if np.abs(centred).sum(axis=0, dtype=np.int64).max() * largest_code <= FLOAT32_EXACT:
        return ((0, weights),)
    depth = FLOAT32_EXACT // (largest_code * int(np.abs(centred).max()))
    return tuple((k, weights[k : k + depth]) for k in range(0, len(weights), depth))


def formula_is_exact(scale: Real, offset: Real, constant: Int64, layer: IntegerLayer) -> bool:
    """Decide whether clip(floor(raw scale + offset)) is R10 for every accumulator a layer can have.

    Parameters
    ----------
    scale, offset : ndarray of float32 or float64, shape (N,)
        The formula, evaluated in their dtype.
    constant : ndarray of int64, shape (N,)
        acc - raw.
    layer : IntegerLayer
        The layer.

    Returns
    -------
    bool
        True only if the two agree everywhere.

    Notes
    -----
    Both sides are monotone in raw (a product with a positive number, a sum, a floor, each correctly rounded, are), so
    they agree everywhere if they agree on both sides of each of the at most 255 steps. The code is >= c exactly from
    acc = ceil(((c - zy) 2^s - 2^(s-1)) / m) on (R6), which int64 computes while s <= 54; above that, and for m = 0, the
    answer is False and the caller stays with int64.

    Examples
    --------
    >>> p = QuantParams(0.5, 0, -128, 127)
    >>> layer = IntegerLayer(np.array([[10], [20]], np.int8), np.array([7], np.int32), p, p, p, "relu")
    >>> formula_is_exact(np.array([0.5]), np.array([4.0]), np.array([7]), layer)
    True
    >>> formula_is_exact(np.array([0.5]), np.array([3.999]), np.array([7]), layer)
    False
    """
    fixed = layer_multiplier(layer.x, layer.w, layer.target)
    m, s = np.asarray(fixed.multiplier), 31 - np.asarray(fixed.shift)
    if (m == 0).any() or (s > 54).any():
        return False
    low, high = layer.code_range
    code = np.arange(low + 1, high + 1)[:, np.newaxis]
    step = (code - int(layer.target.zero_point)) * np.left_shift(np.int64(1), s) - np.left_shift(np.int64(1), s - 1)
    first = np.broadcast_to(-(-step // m), (len(code), len(constant)))
    acc_low, acc_high = accumulator_interval(layer)

    def code_of(acc: Int64) -> Real:
        return np.asarray(np.floor((acc - constant).astype(scale.dtype) * scale + offset))

    at = (first < acc_low) | (first > acc_high) | (code_of(first) >= code)
    below = (first - 1 < acc_low) | (first - 1 > acc_high) | (code_of(first - 1) < code)
    # A step outside the reachable interval leaves one code on all of it: the two ends decide.
    ends = np.stack([acc_low, acc_high])
    same = np.array_equal(np.clip(code_of(ends), low, high), _codes_in_int64(ends, fixed, layer))
    return bool(at.all() and below.all() and same)


def _codes_in_int64(acc: Int64, fixed: FixedMultiplier, layer: IntegerLayer) -> Int64:
    low, high = layer.code_range
    return np.clip(requantize_single_rounding(acc, fixed) + int(layer.target.zero_point), low, high)


def quantize_into(real: NDArray[np.float64], params: QuantParams, codes: NDArray[np.int8]) -> None:
    """Quantize finite values in place: the numbers of `kernels.affine.quantize`, without its temporary arrays.

    Parameters
    ----------
    real : ndarray of float64, shape (B, K)
        Real values; overwritten.
    params : QuantParams
        Per-tensor or one scale a feature; one zero point, inside int8.
    codes : ndarray of int8, shape (B, K)
        Filled with codes in [qmin, qmax].

    Notes
    -----
    R1. A scale of 1 is not divided by. A quotient beyond float64 is infinite and saturates.

    Examples
    --------
    >>> codes = np.empty((1, 2), np.int8)
    >>> quantize_into(np.array([[1.25, -0.25]]), QuantParams(0.5, 0, -128, 127), codes)
    >>> codes
    array([[2, 0]], dtype=int8)
    """
    z = int(params.zero_point)
    if np.ndim(params.scale) or params.scale != 1:
        with np.errstate(over="ignore"):
            np.divide(real, np.asarray(params.scale, np.float64), out=real)
    np.rint(real, out=real)
    real.clip(params.qmin - z, params.qmax - z, out=real)
    np.add(real, z, out=codes, casting="unsafe")  # an integer inside int8: the cast changes nothing


def run_prepared(layers: tuple[PreparedLayer, ...], x_q: NDArray[np.int8]) -> NDArray[np.int8]:
    """Take codes through prepared layers.

    Parameters
    ----------
    layers : tuple of PreparedLayer
        In order.
    x_q : ndarray of int8, shape (B, K)
        Input codes.

    Returns
    -------
    ndarray of int8, shape (B, N)
        Output codes of the last layer.

    Notes
    -----
    R9 to R12, blocks of rows. Between layers the codes stay in float32, where they are exact.

    Examples
    --------
    >>> p = QuantParams(0.5, 0, -128, 127)
    >>> layer = IntegerLayer(np.array([[10], [20]], np.int8), np.array([7], np.int32), p, p, p, "relu")
    >>> run_prepared((prepare_layer(layer),), np.array([[4, -4], [4, 4]], np.int8))
    array([[ 0],
           [64]], dtype=int8)
    """
    y_q = np.empty((len(x_q), len(layers[-1].constant)), np.int8)
    for row in range(0, len(x_q), BLOCK_ROWS):
        part = x_q[row : row + BLOCK_ROWS]
        if layers[0].compressed is not None:
            part = np.asfortranarray(part)  # one byte a code to transpose, not four
        codes = part.astype(np.float32)
        for layer in layers:
            sparse = layer.compressed
            codes = _run_dense(layer, codes) if sparse is None else _run_sparse(layer, sparse, codes)
        y_q[row : row + BLOCK_ROWS] = codes
    return y_q


def _run_dense(layer: PreparedLayer, codes: NDArray[np.float32]) -> NDArray[np.float32]:
    raw: NDArray[Any] = codes @ layer.blocks[0][1] if len(layer.blocks) == 1 else _raw_sums(layer.blocks, codes)
    if layer.scale is None or layer.offset is None:
        out = _codes_by_int64(layer, raw)
    else:
        out = np.empty(raw.shape, np.float32) if len(layer.blocks) > 1 else raw
        real = np.empty((min(len(raw), len(layer.scale)), raw.shape[1]), layer.scale.dtype)
        for row in range(0, len(raw), len(real)):
            part = out[row : row + len(real)]
            rows = len(part)
            _requantize_part(raw[row : row + rows], layer.scale[:rows], layer.offset[:rows], real[:rows], part)
            part.clip(layer.low, layer.high, out=part)
    return out if layer.table is None else layer.table[out.astype(np.intp) + 128]


def _run_sparse(layer: PreparedLayer, compressed: csr_array, codes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Run with one example a column: results lie transposed, which the next layer's product takes as they are."""
    raw = multiply_compressed(compressed, np.ascontiguousarray(codes.T))
    if layer.scale is None or layer.offset is None:
        out = _codes_by_int64(layer, raw.T).T
    else:
        out = np.empty(raw.shape, np.float32) if raw.dtype != np.float32 else raw
        neurons = max(1, min(len(raw), PART_ELEMENTS // max(1, raw.shape[1])))
        real = np.empty((neurons, raw.shape[1]), layer.scale.dtype)
        for n in range(0, len(raw), neurons):
            part = slice(n, min(n + neurons, len(raw)))
            scale, offset = layer.scale[0, part, np.newaxis], layer.offset[0, part, np.newaxis]
            _requantize_part(raw[part], scale, offset, real[: len(scale)], out[part])
            out[part].clip(layer.low, layer.high, out=out[part])
    return (out if layer.table is None else layer.table[out.astype(np.intp) + 128]).T


def _codes_by_int64(layer: PreparedLayer, raw: NDArray[Any]) -> NDArray[np.float32]:
    """Requantize (B, N) sums where no float formula passed its check."""
    steps = requantize_single_rounding(raw.astype(np.int64) + layer.constant, layer.fixed) + layer.zero_point
    return np.clip(steps, layer.low, layer.high).astype(np.float32)


def _requantize_part(raw: Real, scale: Real, offset: Real, real: Real, out: NDArray[np.float32]) -> None:
    """Write floor(raw scale + offset) to out, which may be raw; real is working memory of raw's shape."""
    np.copyto(real, raw)
    np.multiply(real, scale, out=real)
    np.add(real, offset, out=real)
    np.floor(real, out=real)
    np.copyto(out, real, casting="same_kind")  # an integer beyond 2^24 may move, and is clipped either way


def _raw_sums(blocks: tuple[tuple[int, NDArray[np.float32]], ...], codes: NDArray[np.float32]) -> NDArray[np.float64]:
    """Add up exact float32 products of blocks in float64: exact below 2^53."""
    raw = np.zeros((len(codes), blocks[0][1].shape[1]))
    for k, weights in blocks:
        raw += codes[:, k : k + len(weights)] @ weights
    return raw
