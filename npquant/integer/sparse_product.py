"""The sparse integer product: one multiply-accumulate a nonzero weight, the same sums as the dense product.

Legend: B rows, K contracted depth, N outputs; x_q (B, K) int8 codes, centred (K, N) int16 = w_q - zw, weights the same
compressed: (N, K) rows of w^T without zeros; d share of centred that is not 0; largest_code the largest |x_q|.
Each nonzero centred[k, n] adds centred[k, n] x_q[:, k] to column n for all rows of the batch at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from npquant.integer.accumulator import largest_sum
from npquant.kernels.exact import sums_are_exact

if TYPE_CHECKING:
    from scipy.sparse import csr_array

# Measured by benchmarks/bench_sparse.py against one thread of OpenBLAS; docs/weight-pruning.md has the table.
SPARSE_BELOW: Final = 0.1
# Below this many weights a product takes a few microseconds, and so does the call of the sparse one.
SPARSE_FROM: Final = 2**14


def choose_kernel(centred: NDArray[np.integer[Any]]) -> str:
    """ "sparse" where K N >= 2^14 and d < 1/10, else "dense": a rule, no measurement, so the same everywhere.

    >>> choose_kernel(np.eye(128, dtype=np.int16)), choose_kernel(np.ones((128, 128), np.int16))
    ('sparse', 'dense')
    """
    few = np.count_nonzero(centred) < SPARSE_BELOW * centred.size
    return "sparse" if few and centred.size >= SPARSE_FROM else "dense"


def compress_weights(centred: NDArray[np.integer[Any]], largest_code: int) -> csr_array:
    """Lay out the nonzero weights neuron by neuron: float32 where C6 makes it exact in any order, else float64.

    >>> compress_weights(np.array([[0, 5], [7, 0]], np.int16), 128).toarray()
    array([[0., 7.],
           [5., 0.]], dtype=float32)
    """
    # Imported here: a network without sparse layers should not wait for scipy.
    from scipy.sparse import csr_array

    # Beyond 2^24 float64 holds them: 2^53 is more than any K of int8 products.
    dtype = np.float32 if sums_are_exact(largest_sum(centred, largest_code)) else np.float64
    return csr_array(np.ascontiguousarray(centred.T).astype(dtype))


def multiply_compressed(weights: csr_array, codes: NDArray[np.float32]) -> NDArray[np.floating[Any]]:
    """Multiply: (N, B) exact integers in the dtype of weights, from codes (K, B), |code| <= largest_code.

    One example a column: what each nonzero weight reads and adds to lies together.

    >>> weights = compress_weights(np.array([[0, 5], [7, 0]], np.int16), 128)
    >>> multiply_compressed(weights, np.array([[1.0], [2.0]], np.float32)).ravel()
    array([14.,  5.], dtype=float32)
    """
    return np.asarray(weights @ codes)
