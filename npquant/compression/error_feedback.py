"""Error feedback: each weight rounded to where the errors of the weights before it have moved it, and why one may wait.

Legend: K inputs, N neurons; x (R, K) delivered inputs of R rows, xc less their means, I the identity; w (K, N) real
weights, s (N,) scales, q (K, N) codes, integers as float64; `hessian` H (K, K), positive definite, one for all neurons;
`factor` V (K, K), upper triangular, its diagonal positive; `grid` a RoundingGrid: the scales, and each neuron's ends.

E16 (feedback)  q_k = nearest(w_k);  w_j -= (w_k - s q_k) U_kj / U_kk for j > k,  U^T U = H^-1, U upper triangular,
                H = xc^T xc + damping mean(diag(xc^T xc)) I
                the same:  q_k = nearest(w_k + sum_{i < k} V_ik (w_i - s q_i) / V_kk),  V V^T = H, V upper triangular

The second form is the first one solved. Write w'_k for the weight as it is when its turn comes, and e = w' - s q. E16
says e_j + sum_{k < j} U_kj e_k / U_kk = w_j - s q_j, or U^T diag(U)^-1 e = w - s q. Upper factors of H and of H^-1 are
inverses, U = V^-1, so e_k = sum_{i <= k} V_ik (w_i - s q_i) / V_kk: no inverse, and no error is carried through other
errors. The sums over i may wait: what all inputs before a block owe to it is one product.

It is Babai's nearest plane, as E23 is: the code of k makes its own term of

E38 (cost)      (s q - w)^T H (s q - w) = |V^T (s q - w)|^2 = sum_k (V_kk e_k)^2

as small as it can be. The terms are known as soon as the codes are: the cost is free.

Sources: Frantar et al., "GPTQ: Accurate Post-Training Quantization for Generative Pre-trained Transformers", 2022,
equations 2 and 3, algorithm 1 and its "lazy batch updates"; Chen et al., "The Geometry of LLM Quantization: GPTQ as
Babai's Nearest Plane Algorithm", 2025, for the second form.
"""

from __future__ import annotations

import numpy as np

from npquant.arrays import Float64
from npquant.compression.chain.weight_codes import RoundingGrid
from npquant.compression.least_squares import damp_by_mean_variance

# Inputs that are rounded one after the other; between more of them, errors are carried in products of matrices.
BLOCK = 16
# Inputs to which all before them give their errors in one product: large ones are the fast ones.
SUMMED = 128
# Neurons that are rounded together: their errors, K of them each, stay in a cache.
SLICE = 512


def damped_hessian(x: Float64, damping: float) -> Float64:
    """Return H (K, K) of E16, the Hessian of one neuron's squared output error where its bias is free, damped.

    The identity where no input varies; `damping` is > 0.

    >>> damped_hessian(np.array([[0.0, 1.0], [2.0, 1.0]]), 0.5)
    array([[2.5, 0. ],
           [0. , 0.5]])
    """
    xc = x - x.mean(axis=0)
    hessian: Float64 = xc.T @ xc
    return damp_by_mean_variance(hessian, damping, overwrite=True)


def hessian_factor(hessian: Float64, *, overwrite: bool = False) -> Float64:
    """Return V of E16, V V^T = H: Cholesky's factor of H with its inputs in the opposite order, put back in order.

    One for all neurons, scales and sides of the grid. With `overwrite` V stands where H was. LinAlgError if H is not
    positive definite.

    >>> hessian_factor(np.array([[5.0, 4.0], [4.0, 4.0]]))
    array([[1., 2.],
           [0., 2.]])
    """
    # Imported here: reading a network should not wait for scipy.
    from scipy.linalg import cholesky

    opposite = hessian if overwrite else hessian.copy()
    _turn(opposite)
    # In the order of LAPACK: H is symmetric, so that its transpose is H.
    lower = cholesky(opposite.T, lower=True, overwrite_a=True, check_finite=False)
    _turn(lower)
    return np.asarray(lower, np.float64)


def _turn(matrix: Float64) -> None:
    """Put rows and columns into the opposite order where they stand: a copy would be K^2 numbers."""
    by_line = matrix if matrix.flags.c_contiguous else matrix.T
    last = len(matrix) - 1
    for k in range((last + 2) // 2):
        line = by_line[k, ::-1].copy()
        by_line[k] = by_line[last - k, ::-1].copy()
        by_line[last - k] = line


def round_with_feedback_plain(w: Float64, hessian: Float64, grid: RoundingGrid) -> Float64:
    """E16, as it is written: round inputs in order; after each, move the weights left to the least output error.

    Row k of U / U_kk is the first row of the inverse of H without inputs 0..k-1, over its first entry: the closed-form
    compensation of one rounded weight, without an inverse at every step. A law holds `round_with_feedback` to it.

    >>> grid = RoundingGrid(np.ones(1), -np.ones(1), np.ones(1))
    >>> round_with_feedback_plain(np.array([[0.4], [0.3]]), np.array([[1.0, 0.9], [0.9, 1.0]]), grid).ravel()
    array([0., 1.])
    """
    upper = np.linalg.cholesky(np.linalg.inv(hessian)).T
    rest, q = w.copy(), np.empty_like(w)
    for k in range(len(w)):
        q[k] = grid.nearest(rest[k])
        error = (rest[k] - grid.s * q[k]) / upper[k, k]
        rest[k + 1 :] -= upper[k, k + 1 :, np.newaxis] * error
    return q


def round_with_feedback(w: Float64, factor: Float64, grid: RoundingGrid) -> Float64:
    """E16, solved: the codes of `round_with_feedback_plain`, but for rounding errors at ties; sums wait for a block.

    K^2 N products, nearly all in products of matrices. Neurons do not meet: a selection of them has its own codes, but
    again for ties, as sums of a product may go in another order where its shape is another.

    >>> grid = RoundingGrid(np.ones(1), -np.ones(1), np.ones(1))
    >>> factor = hessian_factor(np.array([[1.0, 0.9], [0.9, 1.0]]))
    >>> round_with_feedback(np.array([[0.4], [0.3]]), factor, grid).ravel()
    array([0., 1.])
    """
    return round_at_cost(w, factor, grid)[0]


def round_at_cost(w: Float64, factor: Float64, grid: RoundingGrid) -> tuple[Float64, Float64]:
    """E16, E38: return the codes of `round_with_feedback`, and the error (N,) that is left of each neuron.

    >>> grid = RoundingGrid(np.ones(1), -np.ones(1), np.ones(1))
    >>> codes, cost = round_at_cost(np.array([[0.4], [0.3]]), np.array([[2.0, 1.0], [0.0, 1.0]]), grid)
    >>> codes.ravel(), cost.round(6)
    (array([0., 1.]), array([0.73]))
    """
    q, cost = np.empty_like(w), np.empty(w.shape[1])
    for n in range(0, w.shape[1], SLICE):
        at = slice(n, n + SLICE)
        cost[at] = _feed_back(w[:, at], q[:, at], factor, grid.select(at))
    return q, cost


def _feed_back(w: Float64, q: Float64, factor: Float64, grid: RoundingGrid) -> Float64:
    """E16, solved, in steps: every term over s; the codes stand in q, and their cost is returned."""
    missing, cost = w / grid.s, np.zeros(w.shape[1])  # less q, as soon as that is known
    owed = np.empty((SUMMED, w.shape[1]))  # to some inputs by all before them, times V_kk
    for first in range(0, len(w), SUMMED):
        last = min(first + SUMMED, len(w))
        moved = np.matmul(factor[:first, first:last].T, missing[:first], out=owed[: last - first])
        for k in range(first, last, BLOCK):
            block = slice(k, min(k + BLOCK, last))
            left = moved[k - first : block.stop - first]
            left += factor[first:k, block].T @ missing[first:k]
            _round_inputs(q[block], missing[block], left, factor[block, block], grid)
            cost += np.square(left, out=left).sum(axis=0)
    return np.asarray(np.square(grid.s) * cost)


def _round_inputs(q: Float64, missing: Float64, left: Float64, factor: Float64, grid: RoundingGrid) -> None:
    """Round the inputs of a block, one after the other; `left` is what is owed to them, and becomes V_kk e_k."""
    pivots = np.diag(factor)[:, np.newaxis]
    left /= pivots
    left += missing
    ratios = np.ascontiguousarray(factor.T) / pivots
    for k, (code, miss, moved) in enumerate(zip(q, missing, left, strict=True)):
        if k:
            moved += ratios[k, :k] @ missing[:k]
        np.minimum(np.maximum(np.rint(moved, out=code), grid.lo, out=code), grid.hi, out=code)
        miss -= code
    left -= q
    left *= pivots
