"""Exact int8 x int8 -> int32 matrix products: the plain one, and the same numbers through float BLAS.

Legend: B rows, K contracted depth, N columns; x_q (B, K) and w_q (K, N) 8-bit codes, acc (B, N) their sums of products.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from npquant.arrays import Int8, Int32, Int64
from npquant.kernels.exact import exact_depth

# C6: 1,024 products of int8 codes, and 514 of uint8 by int8.
BLOCK_K = exact_depth(128 * 128)
PAIRED_K = exact_depth(255 * 128)
# Sums of pairs that are corrected at a time, all outputs of some pairs: temporary arrays of 64 kB.
PAIR_ELEMENTS = 2**14
# C5: with K at most this, no int8 product sum leaves int32: 128 * 128 * K <= 2^31 - 1.
MAX_K = (2**31 - 1) // (128 * 128)


def _check_operands(x_q: Int8, w_q: Int8) -> None:
    for name, codes in (("x_q", x_q), ("w_q", w_q)):
        if codes.dtype != np.int8:
            raise TypeError(f"{name} has dtype {codes.dtype}; it must be int8")
        if codes.ndim != 2:
            raise ValueError(f"{name} has shape {codes.shape}; it must be a matrix")
    if x_q.shape[1] != w_q.shape[0]:
        raise ValueError(f"x_q {x_q.shape} and w_q {w_q.shape} do not agree: x_q has K columns, w_q has K rows")
    if x_q.shape[1] > MAX_K:
        raise ValueError(f"K is {x_q.shape[1]}; above {MAX_K} an int32 sum of int8 products may overflow (C5)")


def matmul_int8(x_q: Int8, w_q: Int8) -> Int32:
    """Multiply two int8 matrices exactly, by widening to int32.

    Parameters
    ----------
    x_q : ndarray of int8, shape (B, K)
        Codes.
    w_q : ndarray of int8, shape (K, N)
        Codes; K <= 131,071.

    Returns
    -------
    ndarray of int32, shape (B, N)
        Exact sums of products.

    Raises
    ------
    TypeError
        If an operand is not int8.
    ValueError
        If an operand is not a matrix, the shapes do not agree, or K could overflow int32 (C5).

    Notes
    -----
    R15. acc[i, n] = sum_k x_q[i, k] w_q[k, n]. K = 0 gives zeros.

    Examples
    --------
    >>> matmul_int8(np.array([[-128, 3]], np.int8), np.array([[-128], [1]], np.int8))
    array([[16387]], dtype=int32)
    """
    _check_operands(x_q, w_q)
    return np.asarray(np.matmul(x_q.astype(np.int32), w_q.astype(np.int32)))


def matmul_int8_blas(x_q: Int8, w_q: Int8) -> Int32:
    """Multiply two int8 matrices exactly, through float32 BLAS in blocks of K.

    Parameters
    ----------
    x_q : ndarray of int8, shape (B, K)
        Codes.
    w_q : ndarray of int8, shape (K, N)
        Codes; K <= 131,071.

    Returns
    -------
    ndarray of int32, shape (B, N)
        The same sums as `matmul_int8`, bit for bit.

    Raises
    ------
    TypeError
        If an operand is not int8.
    ValueError
        If an operand is not a matrix, the shapes do not agree, or K could overflow int32 (C5).

    Notes
    -----
    R15, by C6: blocks of 1,024 along K keep every partial sum an exact float32 integer; blocks add up in int32.

    Examples
    --------
    >>> matmul_int8_blas(np.array([[-128, 3]], np.int8), np.array([[-128], [1]], np.int8))
    array([[16387]], dtype=int32)
    """
    _check_operands(x_q, w_q)
    acc = _exact_product(x_q[:, :BLOCK_K], w_q[:BLOCK_K])
    for k in range(BLOCK_K, x_q.shape[1], BLOCK_K):
        acc += _exact_product(x_q[:, k : k + BLOCK_K], w_q[k : k + BLOCK_K])
    return acc


def _exact_product(x_q: Int8, w_q: Int8) -> Int32:
    """Multiply one block of at most BLOCK_K terms in float32, where C6 makes it exact."""
    return np.asarray(np.matmul(x_q.astype(np.float32), w_q.astype(np.float32)).astype(np.int32))


def matmul_pair16(x_q: NDArray[np.uint8], w_q: Int8, apart: int = 0) -> Int64:
    """R36. acc = sum_i saturate(x[2i] w[2i] + x[2i+1] w[2i+1], -2^15, 2^15 - 1): x86 without VNNI, on raw codes.

    An odd K is padded with 0; so are the first `apart` products, where an engine sums these apart. Computed as the
    exact product, less what saturates: only where the largest inputs of a pair could take its sum beyond int16.
    TypeError if the operands are not uint8 and int8.
    Source: Intel 64 and IA-32 manual, VPMADDUBSW; met in ONNX Runtime, FBGEMM and oneDNN on AVX2.

    >>> matmul_pair16(np.array([[255, 255]], np.uint8), np.array([[127], [127]], np.int8))
    array([[32767]])
    """
    if x_q.dtype != np.uint8 or w_q.dtype != np.int8:
        raise TypeError(f"the operands are {x_q.dtype} and {w_q.dtype}; pairs saturate for uint8 and int8 only")
    depth, gap = x_q.shape[1], apart % 2
    padded = depth + gap + (depth + gap) % 2
    x, w = (np.zeros((padded, codes.shape[i]), np.float32) for i, codes in enumerate((x_q, w_q)))
    x[:apart], w[:apart] = x_q.T[:apart], w_q[:apart]
    # A product of 0 behind an odd first part: from there on products pair as in a sum of their own.
    x[apart + gap : depth + gap], w[apart + gap : depth + gap] = x_q.T[apart:], w_q[apart:]
    acc = np.zeros((w.shape[1], x.shape[1]))  # (N, B): the columns that saturate are rows here
    for k in range(0, len(x), PAIRED_K):  # C6 in each block; blocks add up in float64
        acc += w[k : k + PAIRED_K].T @ x[k : k + PAIRED_K]
    reach = x.max(axis=1, initial=0)[:, np.newaxis] * w
    x, w, reach = (codes.reshape(padded // 2, 2, codes.shape[1]) for codes in (x, w, reach))
    highest, lowest = (f(reach, 0).sum(axis=1) for f in (np.maximum, np.minimum))
    saturating = (highest > 2**15 - 1) | (lowest < -(2**15))
    pairs = max(1, PAIR_ELEMENTS // max(1, acc.size))
    for i in range(0, len(x), pairs):
        columns = np.flatnonzero(saturating[i : i + pairs].any(axis=0))
        if not len(columns):
            continue
        first, second = (w[i : i + pairs, j, columns, np.newaxis] for j in (0, 1))
        pair = first * x[i : i + pairs, 0, np.newaxis]
        pair += second * x[i : i + pairs, 1, np.newaxis]
        kept = pair.clip(-(2**15), 2**15 - 1)
        kept -= pair
        acc[columns] += kept.sum(axis=0, dtype=np.float64)
    return np.ascontiguousarray(acc.T).astype(np.int64)
