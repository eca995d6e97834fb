"""Nearest rounding, its scale and bias fitted afterwards: the plainest peer, and what all peers share.

Legend: R calibration rows, K inputs, N neurons; x (R, K) delivered inputs, z (R, N) float targets, w (K, N) weights,
s (N,) scales, lo, hi (N,) ends of each neuron's grid, q (K, N) codes; yc, zc less their means over rows.

E15 (rescale)   s := zc . yc / yc . yc,  y = x q:  least squares; then b = mean_r(z - s y):  bias correction

A peer's layer function is (LayerProblem, bits) -> LayerCodes; `quantize_by_layers` takes it through the same integer
chain as rectified quantization. All peers round on the grid chosen here, and all but plain rounding end in E15.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npquant.compression.calibration import RangeRule, min_max_range
from npquant.compression.integer_chain import LayerCodes, LayerProblem, quantize_chain
from npquant.compression.uniform import Bits, bits_per_layer, choose_weight_params
from npquant.integer_mlp import IntegerMLP
from npquant.kernels.qparams import FLOAT32_TINY, QuantParams

if TYPE_CHECKING:
    from npquant.nn.model import FloatMLP

Float64 = NDArray[np.float64]
LayerRounding = Callable[[LayerProblem, Bits], LayerCodes]

CORRECTIONS = ("least_squares", "none")
# Errors that differ by less than this share differ by rounding errors.
INDISTINCT = 1e-12


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


def choose_rounding_grid(w: Float64, bits: Bits, *, weight_scale: str = "auto", orient: bool = False) -> RoundingGrid:
    """Choose the scales of a layer, and at 2 bits on which side of 0 a neuron has its extra code.

    Parameters
    ----------
    w : ndarray of float64, shape (K, N)
        Real weights.
    bits : int or "ternary"
        Width.
    weight_scale : {"auto", "mse", "absmax"}
        As in `choose_weight_params`.
    orient : bool
        At 2 bits, let a neuron lie on [-1, 2] where its weights round with less squared error there than on [-2, 1].

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
    >>> w = np.array([[-1.0, 1.0], [2.0, -2.0]])
    >>> grid = choose_rounding_grid(w, 2, orient=True)
    >>> grid.lo, grid.hi, grid.s * grid.nearest(w)
    (array([-1., -2.]), array([2., 1.]), array([[-1.,  1.],
           [ 2., -2.]]))
    """
    one = _grid_of(w, choose_weight_params(w, bits, granularity="per_channel", weight_scale=weight_scale))
    if not orient or bits != 2:
        return one
    other = _grid_of(w, choose_weight_params(-w, bits, granularity="per_channel", weight_scale=weight_scale))
    other = RoundingGrid(other.s, -other.hi, -other.lo)
    lost, lost_other = (np.square(w - grid.s * grid.nearest(w)).sum(axis=0) for grid in (one, other))
    # A difference below rounding errors is a tie, and stays on [-2, 1].
    flipped = lost_other < lost * (1 - INDISTINCT)
    return RoundingGrid(*(np.where(flipped, getattr(other, k), getattr(one, k)) for k in RoundingGrid.__slots__))


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


def nearest_layer(
    problem: LayerProblem,
    bits: Bits,
    *,
    weight_scale: str = "auto",
    correction: str = "least_squares",
    orient: bool = False,
) -> LayerCodes:
    """Round one layer's weights to nearest.

    Parameters
    ----------
    problem : LayerProblem
        The layer.
    bits : int or "ternary"
        Width.
    weight_scale, orient
        As in `choose_rounding_grid`.
    correction : {"least_squares", "none"}
        E15, or scale and bias as they are.

    Returns
    -------
    LayerCodes
        R1 of w.

    Examples
    --------
    >>> x = np.array([[1.0, 1.0], [-1.0, -1.0]])
    >>> w, b = np.array([[0.4], [0.3]]), np.zeros(1)
    >>> problem = LayerProblem(w, b, x, x @ w + 3, "identity", 0, True)
    >>> nearest_layer(problem, "ternary").bias, nearest_layer(problem, "ternary", correction="none").bias
    (array([3.]), array([0.]))
    """
    grid = choose_rounding_grid(problem.w, bits, weight_scale=weight_scale, orient=orient)
    q = grid.nearest(problem.w)
    if correction == "none":
        return LayerCodes(q.astype(np.int8), grid.params(grid.s.astype(np.float32)), problem.b)
    return fit_scale_and_bias(problem, q, grid)


def quantize_by_layers(
    model: FloatMLP,
    x_calibration: ArrayLike,
    bits: Bits | Sequence[Bits],
    activation_bits: int | Sequence[int],
    round_layer: LayerRounding,
    *,
    calibrate: RangeRule = min_max_range,
    targets: Sequence[ArrayLike] | None = None,
) -> IntegerMLP:
    """Take a peer's layer function through the integer chain, each layer at its own width.

    Parameters
    ----------
    model, x_calibration, bits, activation_bits, calibrate, targets
        As in `quantize_nearest`.
    round_layer : callable
        (LayerProblem, bits) -> LayerCodes.

    Returns
    -------
    IntegerMLP
        Integer-only, with its accumulators proven.

    Raises
    ------
    TypeError, ValueError, OverflowError
        As in `quantize_nearest`.

    Examples
    --------
    >>> from npquant.nn.model import DenseLayer, FloatMLP
    >>> model = FloatMLP((DenseLayer(np.array([[1.0], [-0.45]]), np.array([0.25]), "identity"),))
    >>> quantize_by_layers(model, [[0, 4], [4, 0]], 4, 8, nearest_layer).layers[0].w_q.ravel()
    array([ 7, -3], dtype=int8)
    """
    widths = bits_per_layer(bits, len(model.layers))

    def round_one(problem: LayerProblem) -> LayerCodes:
        return round_layer(problem, widths[problem.index])

    return quantize_chain(
        model, x_calibration, round_one, activation_bits=activation_bits, calibrate=calibrate, targets=targets
    )


def quantize_nearest(
    model: FloatMLP,
    x_calibration: ArrayLike,
    bits: Bits | Sequence[Bits] = 4,
    activation_bits: int | Sequence[int] = 8,
    rng: int | np.random.Generator | None = None,
    *,
    weight_scale: str = "auto",
    correction: str = "least_squares",
    orient: bool = False,
    calibrate: RangeRule = min_max_range,
    targets: Sequence[ArrayLike] | None = None,
) -> IntegerMLP:
    """Quantize a network by rounding every weight to nearest, then fitting each neuron's scale and bias.

    Parameters
    ----------
    model : FloatMLP
        The float network; not modified.
    x_calibration : array, shape (R, K)
        Training rows, real values.
    bits : int, "ternary" or sequence of these
        Weight width: 2..8 or ternary, for all layers or for each.
    activation_bits : int or sequence of int
        1..8, for the outputs of all hidden layers or of each; logits have 8.
    rng : int, Generator or None
        Not used: nothing is drawn. All quantizers take it, so that they can be exchanged.
    weight_scale : {"auto", "mse", "absmax"}
        As in `choose_weight_params`; "auto" is absmax at 8 bits and mse below.
    correction : {"least_squares", "none"}
        E15, or scale and bias as they are: then this is `quantize_uniform`.
    orient : bool
        At 2 bits, each neuron on [-2, 1] or [-1, 2], whichever its weights fit better.
    calibrate : callable
        Values -> (lo, hi), for ranges that the activation does not bound.
    targets : sequence of arrays, shapes (R, N), optional
        Z of every layer, as in `quantize_chain`.

    Returns
    -------
    IntegerMLP
        Integer-only, with its accumulators proven.

    Raises
    ------
    TypeError
        If the model is an integer one already.
    ValueError
        If a parameter, the rows or the weights are not valid.
    OverflowError
        If a bias or an accumulator cannot be held in int32.

    Notes
    -----
    R1, then E15, layer by layer. The bias correction is that of Nagel et al., "Data-Free Quantization Through Weight
    Equalization and Bias Correction", 2019, section 4.2, with means measured on calibration rows.

    Examples
    --------
    >>> from npquant.nn.model import DenseLayer, FloatMLP
    >>> model = FloatMLP((DenseLayer(np.array([[1.0], [-0.45]]), np.array([0.25]), "identity"),))
    >>> quantize_nearest(model, [[0, 4], [4, 0]], 4).layers[0].w_q.ravel()
    array([ 7, -3], dtype=int8)
    """
    if correction not in CORRECTIONS:
        raise ValueError(f"correction is {correction!r}; it must be one of {CORRECTIONS}")
    rounding = partial(nearest_layer, weight_scale=weight_scale, correction=correction, orient=orient)
    return quantize_by_layers(
        model, x_calibration, bits, activation_bits, rounding, calibrate=calibrate, targets=targets
    )
