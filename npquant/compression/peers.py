"""Other ways to round a layer, each plain and its own function, for honest tables beside rectified quantization.

Legend: R calibration rows, K inputs, N neurons; x (R, K) delivered inputs, z (R, N) float targets, w (K, N) weights,
s (N,) scales, q (K, N) codes; xc, zc less their means over rows.

E15 (rescale)   s := zc . yc / yc . yc,  yc = xc q:  least squares; then b = mean_r(z - x s q):  bias correction
E16 (GPTQ)      q_k = nearest(w_k);  w_j -= (w_k - s q_k) U_kj / U_kk for j > k,  U^T U = (xc^T xc + damping I)^-1
E17 (GPFQ)      q_k = nearest(w_k + x_k . u / |x_k|^2);  u += x_k (w_k - s q_k)
E18 (re-solve)  w := argmin |zc - xc w|^2 + lam |w - w_0|^2, lam of E4 with d2 = 1

Every function is a `LayerQuantizer` once its width is bound, and goes through the same integer chain. Sources: GPTQ,
Frantar et al., "GPTQ: Accurate Post-Training Quantization for Generative Pre-trained Transformers", 2022, algorithm 1;
GPFQ, Lybrand and Saab, "A Greedy Algorithm for Quantizing Neural Networks", 2021, equation 2, with the delivered
inputs on both sides; re-solving in the spirit of GPTAQ, Li et al., 2025.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from npquant.compression.integer_chain import LayerCodes, LayerProblem
from npquant.compression.layer_objective import make_objective, refit
from npquant.compression.uniform import Bits, choose_weight_params
from npquant.kernels.affine import quantize
from npquant.kernels.qparams import FLOAT32_TINY, QuantParams

Float64 = NDArray[np.float64]


def round_to_nearest(problem: LayerProblem, bits: Bits) -> LayerCodes:
    """Round every weight to nearest, at the scale of uniform quantization, and keep the bias.

    Parameters
    ----------
    problem : LayerProblem
        The layer.
    bits : int or "ternary"
        Width.

    Returns
    -------
    LayerCodes
        R1 of w.

    Examples
    --------
    >>> x = np.array([[1.0, 1.0], [-1.0, -1.0]])
    >>> w, b = np.array([[0.4], [0.3]]), np.zeros(1)
    >>> round_to_nearest(LayerProblem(w, b, x, x @ w + 3, "identity", 0, True), "ternary").w_q.ravel()
    array([1, 1], dtype=int8)
    """
    params = _params(problem.w, bits)
    return LayerCodes(quantize(problem.w, params).astype(np.int8), params, problem.b)


def round_to_nearest_rescaled(problem: LayerProblem, bits: Bits) -> LayerCodes:
    """Round to nearest, then rescale by least squares and correct the bias.

    Parameters
    ----------
    problem, bits
        As in `round_to_nearest`.

    Returns
    -------
    LayerCodes
        The codes of `round_to_nearest`; scale and bias of E15.

    Examples
    --------
    >>> x = np.array([[1.0, 1.0], [-1.0, -1.0]])
    >>> w, b = np.array([[0.4], [0.3]]), np.zeros(1)
    >>> round_to_nearest_rescaled(LayerProblem(w, b, x, x @ w + 3, "identity", 0, True), "ternary").bias
    array([3.])
    """
    params = _params(problem.w, bits)
    return rescaled_by_least_squares(problem, quantize(problem.w, params).astype(np.float64), params)


def gptq(problem: LayerProblem, bits: Bits, *, damping: float) -> LayerCodes:
    """Round inputs in order, each error pushed into the weights that are still real; then rescale.

    Parameters
    ----------
    problem, bits
        As in `round_to_nearest`.
    damping : float
        Share of the mean diagonal that is added to it; the paper's is 0.01.

    Returns
    -------
    LayerCodes
        E16 on a centred Hessian, then E15.

    Examples
    --------
    >>> x = np.array([[1.0, 1.0], [-1.0, -1.0]])
    >>> w, b = np.array([[0.4], [0.3]]), np.zeros(1)
    >>> gptq(LayerProblem(w, b, x, x @ w + 3, "identity", 0, True), "ternary", damping=0.01).w_q.ravel()
    array([1, 1], dtype=int8)
    """
    return _gptq_of(problem, problem.w, bits, damping)


def gptq_resolved(problem: LayerProblem, bits: Bits, *, damping: float) -> LayerCodes:
    """Move the weights towards the float targets on the delivered inputs, then do as `gptq`.

    Parameters
    ----------
    problem, bits, damping
        As in `gptq`.

    Returns
    -------
    LayerCodes
        E18, E16, E15.

    Examples
    --------
    >>> x = np.array([[1.0, 1.0], [-1.0, -1.0]])
    >>> w, b = np.array([[0.4], [0.3]]), np.zeros(1)
    >>> gptq_resolved(LayerProblem(w, b, x, x @ w + 3, "identity", 0, True), "ternary", damping=0.01).w_q.ravel()
    array([1, 1], dtype=int8)
    """
    flat = make_objective(problem.x, problem.z, problem.w, np.ones_like(problem.z))
    return _gptq_of(problem, refit(flat), bits, damping)


def gpfq(problem: LayerProblem, bits: Bits) -> LayerCodes:
    """Round inputs in order, each code chosen to cancel the error carried so far; then rescale.

    Parameters
    ----------
    problem, bits
        As in `round_to_nearest`.

    Returns
    -------
    LayerCodes
        E17, then E15.

    Examples
    --------
    >>> x = np.array([[1.0, 1.0], [-1.0, -1.0]])
    >>> w, b = np.array([[0.4], [0.3]]), np.zeros(1)
    >>> gpfq(LayerProblem(w, b, x, x @ w + 3, "identity", 0, True), "ternary").w_q.ravel()
    array([1, 1], dtype=int8)
    """
    params = _params(problem.w, bits)
    s = np.asarray(params.scale, np.float64)
    q = np.empty_like(problem.w)
    u = np.zeros_like(problem.z)
    for k, (x, w) in enumerate(zip(problem.x.T, problem.w, strict=True)):
        energy = float(x @ x)
        wanted = w + x @ u / energy if energy > 0 else w
        q[k] = quantize(wanted, params)
        u += x[:, np.newaxis] * (w - s * q[k])
    return rescaled_by_least_squares(problem, q, params)


def _params(w: Float64, bits: Bits) -> QuantParams:
    return choose_weight_params(w, bits, granularity="per_channel", weight_scale="auto")


def _gptq_of(problem: LayerProblem, w: Float64, bits: Bits, damping: float) -> LayerCodes:
    """Apply E16 and E15 to given weights."""
    params = _params(w, bits)
    s = np.asarray(params.scale, np.float64)
    upper = _inverse_root(problem.x, damping)
    rest, q = w.copy(), np.empty_like(w)
    for k in range(len(w)):
        q[k] = quantize(rest[k], params)
        error = (rest[k] - s * q[k]) / upper[k, k]
        rest[k + 1 :] -= upper[k, k + 1 :, np.newaxis] * error
    return rescaled_by_least_squares(problem, q, params)


def _inverse_root(x: Float64, damping: float) -> Float64:
    """Return the upper triangular U with U^T U = (xc^T xc + damping mean(diag) I)^-1."""
    xc = x - x.mean(axis=0)
    hessian = xc.T @ xc
    added = damping * float(np.trace(hessian)) / len(hessian)
    hessian[np.diag_indices_from(hessian)] += added if added > 0 else 1.0
    return np.asarray(np.linalg.cholesky(np.linalg.inv(hessian)).T)


def rescaled_by_least_squares(problem: LayerProblem, q: Float64, params: QuantParams) -> LayerCodes:
    """Fit scale and bias to codes: E15.

    Parameters
    ----------
    problem : LayerProblem
        The layer.
    q : ndarray of float64, shape (K, N)
        Integer codes inside int8.
    params : QuantParams
        Per-channel; its scale is kept where the best one is not positive.

    Returns
    -------
    LayerCodes
        The codes with scale and bias of E15.

    Examples
    --------
    >>> x = np.array([[1.0], [-1.0]])
    >>> problem = LayerProblem(np.array([[0.4]]), np.zeros(1), x, 0.5 * x + 3, "identity", 0, True)
    >>> fitted = rescaled_by_least_squares(problem, np.array([[1.0]]), QuantParams(np.array([0.4]), 0, -1, 1))
    >>> fitted.w.scale, fitted.bias
    (array([0.5], dtype=float32), array([3.]))
    """
    y = problem.x @ q
    yc, zc = y - y.mean(axis=0), problem.z - problem.z.mean(axis=0)
    energy = np.square(yc).sum(axis=0)
    fitted = np.divide((yc * zc).sum(axis=0), energy, out=np.zeros_like(energy), where=energy > 0)
    scale = np.where(fitted >= FLOAT32_TINY, fitted, np.asarray(params.scale, np.float64)).astype(np.float32)
    bias = (problem.z - y * scale.astype(np.float64)).mean(axis=0)
    return LayerCodes(q.astype(np.int8), QuantParams(scale, 0, params.qmin, params.qmax), bias)
