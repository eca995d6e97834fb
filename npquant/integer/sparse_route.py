"""The sparse integer product: one multiply-accumulate a nonzero weight, the same sums as the dense product.

Legend: B rows, K contracted depth, N outputs; x_q (B, K) codes, w (K, N) centred weights, d share of w that is not 0.
The weights of a neuron lie together (compressed sparse rows of w^T), and each nonzero w[k, n] adds w[k, n] x_q[:, k] to
column n for all rows of the batch at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from npquant.kernels.exact import FLOAT32_EXACT
from npquant.kernels.matmul import MAX_K, matmul_int8

if TYPE_CHECKING:
    from scipy.sparse import csr_array

# Measured by benchmarks/bench_sparse.py against one thread of OpenBLAS; docs/weight-pruning.md has the table.
SPARSE_BELOW: Final = 0.1
# Below this many weights a product takes a few microseconds, and so does the call of the sparse one.
SPARSE_FROM: Final = 2**14


def choose_kernel(centred: NDArray[np.integer[Any]]) -> str:
    """Choose the product of a layer by how many weights are not 0.

    Parameters
    ----------
    centred : ndarray of integers, shape (K, N)
        w_q - zw.

    Returns
    -------
    {"dense", "sparse"}
        "sparse" where K N >= 2^14 and d < 1/10.

    Notes
    -----
    A rule and no measurement, so that a network takes the same route everywhere.

    Examples
    --------
    >>> choose_kernel(np.eye(128, dtype=np.int16)), choose_kernel(np.ones((128, 128), np.int16))
    ('sparse', 'dense')
    """
    few = np.count_nonzero(centred) < SPARSE_BELOW * centred.size
    return "sparse" if few and centred.size >= SPARSE_FROM else "dense"


def compress_weights(centred: NDArray[np.integer[Any]], largest_code: int) -> csr_array:
    """Lay out the nonzero weights, neuron by neuron.

    Parameters
    ----------
    centred : ndarray of integers, shape (K, N)
        w_q - zw.
    largest_code : int
        Largest |x_q|.

    Returns
    -------
    scipy.sparse.csr_array, shape (N, K)
        float32 where every partial sum is below 2^24, else float64; both are then exact in any order (C6).

    Examples
    --------
    >>> compress_weights(np.array([[0, 5], [7, 0]], np.int16), 128).toarray()
    array([[0., 7.],
           [5., 0.]], dtype=float32)
    """
    # Imported here: a network without sparse layers should not wait for scipy.
    from scipy.sparse import csr_array

    reach = int(np.abs(centred).sum(axis=0, dtype=np.int64).max(initial=0)) * largest_code
    dtype = np.float32 if reach <= FLOAT32_EXACT else np.float64
    return csr_array(np.ascontiguousarray(centred.T).astype(dtype))


def multiply_compressed(weights: csr_array, codes: NDArray[np.float32]) -> NDArray[np.floating[Any]]:
    """Multiply codes by compressed weights.

    Parameters
    ----------
    weights : scipy.sparse.csr_array, shape (N, K)
        From `compress_weights`.
    codes : ndarray of float32, shape (K, B)
        Integers of magnitude at most largest_code; one example a column.

    Returns
    -------
    ndarray of the dtype of weights, shape (N, B)
        Exact integers.

    Examples
    --------
    >>> weights = compress_weights(np.array([[0, 5], [7, 0]], np.int16), 128)
    >>> multiply_compressed(weights, np.array([[1.0], [2.0]], np.float32)).ravel()
    array([14.,  5.], dtype=float32)
    """
    return np.asarray(weights @ codes)


def matmul_int8_sparse(x_q: NDArray[np.int8], w_q: NDArray[np.int8]) -> NDArray[np.int32]:
    """Multiply two int8 matrices exactly, skipping the zeros of the second.

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
    TypeError, ValueError
        As `matmul_int8`.

    Notes
    -----
    R15 without the terms that are 0. The weights are compressed at every call; a network does so once.

    Examples
    --------
    >>> matmul_int8_sparse(np.array([[-128, 3]], np.int8), np.array([[-128], [0]], np.int8))
    array([[16384]], dtype=int32)
    """
    codes_fit = x_q.dtype == w_q.dtype == np.int8 and x_q.ndim == w_q.ndim == 2
    if not (codes_fit and x_q.size and w_q.size and x_q.shape[1] == w_q.shape[0] <= MAX_K):
        return matmul_int8(x_q, w_q)  # nothing to multiply, or something to refuse
    weights = compress_weights(w_q.astype(np.int16), 128)
    codes = np.ascontiguousarray(x_q.T).astype(np.float32)
    return np.ascontiguousarray(multiply_compressed(weights, codes).T).astype(np.int32)
