"""Where the peers of rectified quantization round, and the fit of scale and bias that they end in.

Legend: R calibration rows, K inputs, N neurons; x (R, K) delivered inputs, z (R, N) float targets, w (K, N) weights,
s (N,) scales, lo, hi (N,) ends of each neuron's grid, q (K, N) codes; yc, zc less their means over rows.

E15 (rescale)   s := zc . yc / yc . yc,  y = x q:  least squares; then b = mean_r(z - s y):  bias correction
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from npquant.arrays import Float64
from npquant.compression.chain.integer_chain import LayerCodes, LayerProblem
from npquant.compression.rounding.uniform import Bits, choose_weight_params
from npquant.kernels.qparams import FLOAT32_TINY, QuantParams
from npquant.nn.activations import ACTIVATIONS

# Errors that differ by less than this share differ by rounding errors.
INDISTINCT = 1e-12


class SidedRounding(Protocol):
    """Round a layer, at 2 bits on [-2, 1] or `above`, on [-1, 2]."""

    def __call__(self, problem: LayerProblem, bits: Bits, *, above: bool = False) -> LayerCodes: ...


@dataclass(frozen=True, slots=True, eq=False)
class RoundingGrid:
    """Hold where the codes of every neuron may lie.

    Parameters
    ----------
    s : ndarray of float64, shape (N,)
        Scales: float32 values, > 0.
    lo, hi : ndarray of float64, shape (N,)
        Ends of the code intervals; 0 lies inside.

    Examples
    --------
    >>> choose_rounding_grid(np.array([[0.9], [-2.0]]), 2).nearest(np.array([[0.9], [-3.0]])).ravel()
    array([ 1., -2.])
    """

    s: Float64
    lo: Float64
    hi: Float64

    def nearest(self, w: Float64) -> Float64:
        """Return the codes nearest to real weights (K, N) or (N,), ties to even, as float64 integers: R1."""
        return np.asarray(np.clip(np.rint(w / self.s), self.lo, self.hi))

    def params(self, scale: NDArray[np.float32]) -> QuantParams:
        """Return these scales with one interval that holds every neuron's."""
        return QuantParams(scale, 0, int(self.lo.min()), int(self.hi.max()))


def choose_rounding_grid(w: Float64, bits: Bits, *, weight_scale: str = "auto", above: bool = False) -> RoundingGrid:
    """Choose the scales of a layer, and at 2 bits on which side of 0 the extra code is.

    Parameters
    ----------
    w : ndarray of float64, shape (K, N)
        Real weights.
    bits : int or "ternary"
        Width.
    weight_scale : {"auto", "mse", "absmax"}
        As in `choose_weight_params`.
    above : bool
        At 2 bits [-1, 2], with the scales that fit it, instead of [-2, 1]. Other widths stay as they are.

    Returns
    -------
    RoundingGrid
        One scale and one interval a neuron.

    Raises
    ------
    ValueError
        If w is not a finite matrix, or a name is unknown.

    Examples
    --------
    >>> w = np.array([[-1.0], [2.0]])
    >>> below, above = choose_rounding_grid(w, 2), choose_rounding_grid(w, 2, above=True)
    >>> (below.s * below.nearest(w)).round(2).ravel(), (above.s * above.nearest(w)).ravel()
    (array([-1.5,  1.5]), array([-1.,  2.]))
    """
    if not above or bits != 2:
        return _grid_of(w, choose_weight_params(w, bits, granularity="per_channel", weight_scale=weight_scale))
    mirrored = _grid_of(-w, choose_weight_params(-w, bits, granularity="per_channel", weight_scale=weight_scale))
    return RoundingGrid(mirrored.s, -mirrored.hi, -mirrored.lo)


def _grid_of(w: Float64, params: QuantParams) -> RoundingGrid:
    n = w.shape[1]
    s = np.asarray(params.scale, np.float64)
    return RoundingGrid(s, np.full(n, float(params.qmin)), np.full(n, float(params.qmax)))


def fit_scale_and_bias(problem: LayerProblem, q: Float64, grid: RoundingGrid) -> LayerCodes:
    """Fit scales and biases to codes: E15.

    Parameters
    ----------
    problem : LayerProblem
        The layer.
    q : ndarray of float64, shape (K, N)
        Integer codes on the grid.
    grid : RoundingGrid
        Its scale is kept where the best one is not a positive normal float32.

    Returns
    -------
    LayerCodes
        The codes with scale and bias of E15.

    Notes
    -----
    The scale is rounded to float32 first, and the bias is fitted to the rounded one.

    Examples
    --------
    >>> x = np.array([[1.0], [-1.0]])
    >>> problem = LayerProblem(np.array([[0.4]]), np.zeros(1), x, 0.5 * x + 3, "identity", 0, True)
    >>> fitted = fit_scale_and_bias(problem, np.array([[1.0]]), choose_rounding_grid(problem.w, 3))
    >>> fitted.w.scale, fitted.bias
    (array([0.5], dtype=float32), array([3.]))
    """
    y = problem.x @ q
    yc, zc = y - y.mean(axis=0), problem.z - problem.z.mean(axis=0)
    energy = np.square(yc).sum(axis=0)
    fitted = np.divide((yc * zc).sum(axis=0), energy, out=np.zeros_like(energy), where=energy > 0)
    scale = np.where(fitted >= FLOAT32_TINY, fitted, grid.s).astype(np.float32)
    bias = (problem.z - y * scale.astype(np.float64)).mean(axis=0)
    return LayerCodes(q.astype(np.int8), grid.params(scale), bias)


def better_side(
    problem: LayerProblem, bits: Bits, round_layer: SidedRounding, *, activation: str = "identity"
) -> LayerCodes:
    """Round a layer on [-2, 1] and on [-1, 2], and take each neuron from where its outputs are nearer to the targets.

    Parameters
    ----------
    problem : LayerProblem
        The layer.
    bits : int or "ternary"
        Width; other widths than 2 have one side.
    round_layer : callable
        (problem, bits, above=...) -> LayerCodes.
    activation : str
        What the errors are looked at behind.

    Returns
    -------
    LayerCodes
        Each neuron with less squared error; [-2, 1] on ties.

    Examples
    --------
    >>> from npquant.compression.rounding.nearest import nearest_layer
    >>> x, w = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]), np.array([[-1.0], [2.0]])
    >>> problem = LayerProblem(w, np.zeros(1), x, x @ w, "identity", 0, True)
    >>> better_side(problem, 2, nearest_layer).w_q.ravel()
    array([-1,  2], dtype=int8)
    """
    below = round_layer(problem, bits)
    if bits != 2:
        return below
    above = round_layer(problem, bits, above=True)
    errors = [_output_errors(problem, codes, activation) for codes in (below, above)]
    take = errors[1] < errors[0] * (1 - INDISTINCT)
    scale = np.where(take, above.w.scale, below.w.scale)
    w = QuantParams(scale, 0, min(below.w.qmin, above.w.qmin), max(below.w.qmax, above.w.qmax))
    return LayerCodes(np.where(take, above.w_q, below.w_q), w, np.where(take, above.bias, below.bias))


def _output_errors(problem: LayerProblem, codes: LayerCodes, activation: str) -> Float64:
    """Return each neuron's squared error over the rows."""
    forward = ACTIVATIONS[activation][0]
    found = problem.x @ (codes.w_q * np.asarray(codes.w.scale, np.float64)) + codes.bias
    return np.asarray(np.square(forward(found)[0] - forward(problem.z)[0]).sum(axis=0), np.float64)
