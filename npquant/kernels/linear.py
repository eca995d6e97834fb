"""Sums of products and bias on arrays: exact, or saturating in pairs.

Legend: B batch, K contracted depth, N outputs; x_q (B, K) input codes, w_q (K, N) weight codes; bias () or (N,) int32
codes of scale sx sw; zx and zw zero points of inputs and weights, zw () or (N,); acc (B, N) int64 accumulators.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npquant.arrays import Codes, Int8, Int64, Real
from npquant.kernels.exact import exact_depth, exact_depth_float64, sums_are_exact
from npquant.kernels.matmul import matmul_pair16

# Weights that are converted to float32 at a time: 256 kB.
WEIGHT_ELEMENTS = 2**16
# Yet so many inputs and rows at least, however wide the layer is: in smaller products moving numbers takes the time.
LEAST_BLOCK = 256
LEAST_ROWS = 64
# With fewer exact terms than this in float32, as for 16-bit inputs, a product in float64 is the faster one.
LEAST_DEPTH = 64
# Numbers that an output stage works on at a time: temporary arrays of 128 kB stay in the cache and are used again,
# where large ones would be mapped afresh, page by page, at every operation.
PART_ELEMENTS = 2**14


def accumulate(x_q: Codes, w_q: Codes, bias: ArrayLike, zx: ArrayLike, zw: ArrayLike) -> Int64:
    """R9. acc = sum_k (x_q - zx)(w_q - zw) + b_q, whatever its size; the profile decides what int32 makes of it.

    By BLAS in blocks along K, in float32, or in float64 where float32 holds few products, or none; blocks add up in
    int64. ValueError if a product is beyond 2^53, which none of 26-bit operands is.

    >>> accumulate(np.array([[3, -4]], np.int8), np.array([[10], [20]], np.int8), 7, 1, 0)
    array([[-73]])
    """
    # C6: |x_q - zx| |w_q - zw| is at most 65,535 * 255, below 2^24, with codes of 8 bits for the weights.
    largest = _largest(x_q, zx) * _largest(w_q, zw)
    exact = exact_depth(largest) if sums_are_exact(largest) else 0
    dtype: type[np.float32 | np.float64] = np.float32
    if exact < min(LEAST_DEPTH, w_q.shape[0]):
        exact, dtype = exact_depth_float64(largest), np.float64
    depth = max(1, min(exact, max(LEAST_BLOCK, WEIGHT_ELEMENTS // max(1, w_q.shape[1]))))
    weights = np.empty((min(depth, w_q.shape[0]), w_q.shape[1]), dtype)
    acc = np.empty((x_q.shape[0], w_q.shape[1]), np.int64)
    acc[:] = bias
    rows = max(LEAST_ROWS, rows_at_a_time(w_q.shape[1]))
    for k in range(0, x_q.shape[1], depth):
        w = _centred(w_q[k : k + depth], zw, weights[: w_q.shape[0] - k])
        for row in range(0, len(x_q), rows):
            codes = x_q[row : row + rows, k : k + depth]
            product = _centred(codes, zx, np.empty(codes.shape, dtype)) @ w
            np.add(acc[row : row + rows], product.astype(np.int64), out=acc[row : row + rows])
    return acc


def rows_at_a_time(n: int) -> int:
    """Return how many rows of n outputs an output stage takes at once, so that its temporaries stay in the cache."""
    return max(1, PART_ELEMENTS // max(1, n))


def _centred(codes: Codes, zero: ArrayLike, out: Real) -> Real:
    """Fill out with q - z, integers that its type holds."""
    np.copyto(out, codes)
    if np.any(zero):
        np.subtract(out, np.asarray(zero, out.dtype), out=out)
    return out


def _largest(codes: Codes, zero: ArrayLike) -> int:
    """Bound |q - z|."""
    if not codes.size:
        return 0
    z = np.asarray(zero, np.int64)
    return int(max(int(codes.max()) - z.min(), z.max() - int(codes.min())))


def pairs_together(depth: int) -> int:
    """Return how many of `depth` products an engine sums apart from the others, that sums all in one: none."""
    return 0


def accumulate_pair16(
    x_q: NDArray[np.uint8], w_q: Int8, bias: ArrayLike, zx: ArrayLike, zw: ArrayLike, apart: int = 0
) -> Int64:
    """R36. acc = pair16(x, w) - zx sum_k w - zw sum_k x + K zx zw + b_q: it saturates raw codes, uint8 and int8.

    The first `apart` products are paired apart from the others.

    >>> accumulate_pair16(np.array([[255, 255]], np.uint8), np.array([[127], [127]], np.int8), 0, 1, 0)
    array([[32513]])
    """
    columns, rows = w_q.sum(axis=0, dtype=np.int64), x_q.sum(axis=1, dtype=np.int64, keepdims=True)
    x_zero, w_zero = np.asarray(zx, np.int64), np.asarray(zw, np.int64)
    corrections = x_q.shape[1] * x_zero * w_zero - x_zero * columns - w_zero * rows
    return np.asarray(matmul_pair16(x_q, w_q, apart) + corrections + np.asarray(bias, np.int64))
