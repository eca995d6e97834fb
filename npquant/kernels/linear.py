"""The integer linear layer on arrays: accumulate, requantize, add the zero point, clamp.

Legend: B batch, K contracted depth, N outputs; x_q (B, K), w_q (K, N), bias (N,) int32, scale sx sw; zx, zw, zy zeros.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npquant.arrays import Int64
from npquant.kernels.exact import exact_depth
from npquant.kernels.matmul import matmul_pair16

# Weights that are converted to float32 at a time: 256 kB.
WEIGHT_ELEMENTS = 2**16
# Numbers that an output stage works on at a time: temporary arrays of 128 kB stay in the cache and are used again,
# where large ones would be mapped afresh, page by page, at every operation.
PART_ELEMENTS = 2**14


def accumulate(
    x_q: NDArray[np.integer], w_q: NDArray[np.integer], bias: ArrayLike, zx: ArrayLike, zw: ArrayLike
) -> Int64:
    """Sum products and bias exactly.

    Parameters
    ----------
    x_q : ndarray of 8-bit integers, shape (B, K)
        Input codes.
    w_q : ndarray of 8-bit integers, shape (K, N)
        Weight codes.
    bias : int or array of int32, shape (N,)
        Bias codes, scale sx sw.
    zx, zw : int or (N,) array for zw
        Zero points.

    Returns
    -------
    ndarray of int64, shape (B, N)
        The exact sum, whatever its size; the profile decides what int32 makes of it.

    Notes
    -----
    R9. acc = sum_k (x_q - zx)(w_q - zw) + b_q. By float32 BLAS in blocks along K, short enough for these operands that
    no partial sum of a block leaves float32's exact integers (C6); blocks add up in int64.

    Examples
    --------
    >>> accumulate(np.array([[3, -4]], np.int8), np.array([[10], [20]], np.int8), 7, 1, 0)
    array([[-73]])
    """
    exact = exact_depth(_largest(x_q, zx) * _largest(w_q, zw))  # C6: 16 by 8 bits and 9 by 9 are below 2^24 too
    depth = max(1, min(exact, WEIGHT_ELEMENTS // max(1, w_q.shape[1])))
    weights = np.empty((min(depth, w_q.shape[0]), w_q.shape[1]), np.float32)
    acc = np.empty((x_q.shape[0], w_q.shape[1]), np.int64)
    acc[:] = bias
    rows = rows_at_a_time(w_q.shape[1])
    for k in range(0, x_q.shape[1], depth):
        w = _centred(w_q[k : k + depth], zw, weights[: w_q.shape[0] - k])
        for row in range(0, len(x_q), rows):
            codes = x_q[row : row + rows, k : k + depth]
            product = _centred(codes, zx, np.empty(codes.shape, np.float32)) @ w
            np.add(acc[row : row + rows], product.astype(np.int64), out=acc[row : row + rows])
    return acc


def rows_at_a_time(n: int) -> int:
    """Return how many rows of n outputs an output stage takes at once, so that its temporaries stay in the cache."""
    return max(1, PART_ELEMENTS // max(1, n))


def _centred(codes: NDArray[np.integer], zero: ArrayLike, out: NDArray[np.float32]) -> NDArray[np.float32]:
    """Fill out with q - z: integers of at most 9 bits, exact in float32."""
    np.copyto(out, codes)
    if np.any(zero):
        np.subtract(out, np.asarray(zero, np.float32), out=out)
    return out


def _largest(codes: NDArray[np.integer], zero: ArrayLike) -> int:
    """Bound |q - z|."""
    if not codes.size:
        return 0
    z = np.asarray(zero, np.int64)
    return int(max(int(codes.max()) - z.min(), z.max() - int(codes.min())))


def accumulate_pair16(
    x_q: NDArray[np.uint8], w_q: NDArray[np.int8], bias: ArrayLike, zx: ArrayLike, zw: ArrayLike
) -> Int64:
    """Sum products and bias where pairs of raw products saturate to int16, and correct for the zero points afterwards.

    Parameters
    ----------
    x_q : ndarray of uint8, shape (B, K)
        Input codes.
    w_q : ndarray of int8, shape (K, N)
        Weight codes.
    bias : int or array of int32, shape (N,)
        Bias codes, scale sx sw.
    zx, zw : int or (N,) array for zw
        Zero points.

    Returns
    -------
    ndarray of int64, shape (B, N)
        Sums, exact but for the saturated pairs.

    Notes
    -----
    R36. acc = pair16(x, w) - zx sum_k w - zw sum_k x + K zx zw + b_q: the saturation acts on raw codes.

    Examples
    --------
    >>> accumulate_pair16(np.array([[255, 255]], np.uint8), np.array([[127], [127]], np.int8), 0, 1, 0)
    array([[32513]])
    """
    columns, rows = w_q.sum(axis=0, dtype=np.int64), x_q.sum(axis=1, dtype=np.int64, keepdims=True)
    x_zero, w_zero = np.asarray(zx, np.int64), np.asarray(zw, np.int64)
    corrections = x_q.shape[1] * x_zero * w_zero - x_zero * columns - w_zero * rows
    return np.asarray(matmul_pair16(x_q, w_q) + corrections + np.asarray(bias, np.int64))
