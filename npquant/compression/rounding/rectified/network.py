"""Rectified quantization of a network: bounded activations, errors carried and weighted, every weight up or down.

Legend: R calibration rows, K inputs, N neurons of a layer; E labels as in activation_weights, layer_objective and
rounding_path.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from npquant.arrays import Float64
from npquant.compression.chain.calibration import RangeRule, min_max_range
from npquant.compression.chain.integer_chain import LayerCodes, LayerProblem, quantize_chain
from npquant.compression.rounding.rectified.activation_weights import activation_weights
from npquant.compression.rounding.rectified.layer import RectifiedLayer, rectify_layer
from npquant.compression.rounding.rectified.polish import polish
from npquant.compression.rounding.uniform import Bits, bits_per_layer, weight_grid
from npquant.integer.mlp import IntegerMLP
from npquant.kernels.qparams import QuantParams

if TYPE_CHECKING:
    from npquant.nn.model import FloatMLP

OUTPUTS = ("softmax", "identity")


@dataclass(frozen=True, slots=True, eq=False)
class LayerReport:
    """Say what one layer's rounding cost, neuron by neuron.

    Parameters
    ----------
    bits : int or "ternary"
        Width of the weights.
    phi_by_neuron, phi_nearest_by_neuron : ndarray of float64, shape (N,)
        E6 of the rectified codes, and of the same weights rounded to nearest on the same inputs: phi <= phi_nearest.
    bound_by_neuron : ndarray of float64, shape (N,)
        Right side of E13, known before a weight is rounded: phi <= bound.
    real_by_neuron : ndarray of float64, shape (N,)
        E6 of the best real weights (E9), which no codes can undercut: real <= phi.
    carried_by_neuron : ndarray of float64, shape (N,)
        Weighted squared error of the pre-activations, sum u^2 / d2 <= phi.

    Notes
    -----
    The arrays are copied and set read-only; `phi`, `phi_uniform`, `bound`, `real` and `carried` are their sums.

    Examples
    --------
    >>> report = LayerReport(4, *(np.array([v, v]) for v in (1.0, 3.0, 4.0, 0.5, 0.75)))
    >>> report.phi, report.share_of_bound, report.neurons_nearest
    (2.0, 0.25, 0)
    """

    bits: Bits
    phi_by_neuron: Float64
    phi_nearest_by_neuron: Float64
    bound_by_neuron: Float64
    real_by_neuron: Float64
    carried_by_neuron: Float64

    def __post_init__(self) -> None:
        for name in self.__slots__[1:]:
            array = np.array(getattr(self, name), np.float64)
            array.flags.writeable = False
            object.__setattr__(self, name, array)

    @property
    def phi(self) -> float:
        """E6, summed over neurons."""
        return float(self.phi_by_neuron.sum())

    @property
    def phi_uniform(self) -> float:
        """E6 of nearest rounding, summed over neurons."""
        return float(self.phi_nearest_by_neuron.sum())

    @property
    def bound(self) -> float:
        """Right side of E13, summed over neurons."""
        return float(self.bound_by_neuron.sum())

    @property
    def real(self) -> float:
        """E6 of the best real weights, summed over neurons."""
        return float(self.real_by_neuron.sum())

    @property
    def carried(self) -> float:
        """Carried error, summed over neurons."""
        return float(self.carried_by_neuron.sum())

    @property
    def share_of_bound(self) -> float:
        """phi / bound; 0 where both are 0."""
        return self.phi / self.bound if self.bound > 0 else 0.0

    @property
    def neurons_nearest(self) -> int:
        """Neurons for which nearest rounding of w was as good as the path, so that phi equals that of nearest."""
        return int((self.phi_by_neuron >= self.phi_nearest_by_neuron).sum())


def quantize_rectified(
    model: FloatMLP,
    x_calibration: ArrayLike,
    bits: Bits | Sequence[Bits] = 4,
    activation_bits: int | Sequence[int] = 8,
    rng: int | np.random.Generator | None = None,
    *,
    calibrate: RangeRule = min_max_range,
    targets: Sequence[ArrayLike] | None = None,
    output: str = "softmax",
    start_scales: Sequence[float] | None = None,
    polish_steps: int = 0,
) -> IntegerMLP:
    """Quantize a network so that its weighted output errors, not its weight errors, are small.

    Parameters
    ----------
    model : FloatMLP
        The float network; not modified. Bounded activations (clipped ReLU first of all) need no calibration of ranges.
    x_calibration : array, shape (R, K)
        Training rows; a few hundred suffice.
    bits : int, "ternary" or sequence of these
        Weight width: 2..8 or ternary, for all layers or for each. At 2 bits a neuron lies on [-2, 1] or on [-1, 2].
    activation_bits : int or sequence of int
        1..8, for the outputs of all hidden layers or of each; logits have 8.
    rng : int, Generator or None
        Order of the rows in the polish; without one nothing is drawn.
    calibrate : callable
        Values -> (lo, hi), for ranges that the activation does not bound.
    targets : sequence of arrays, shapes (R, N), optional
        Z of every layer; by default `model.pre_activations(x_calibration)`. A pruned model takes the original's.
    output : {"softmax", "identity"}
        What follows the last layer: "softmax" weighs errors of logits as a classifier does, "identity" all alike.
    start_scales : sequence of float, optional
        Shares of the chosen weight scale to start from, as in `rectify_layer`.
    polish_steps : int
        Steps of `polish` at the end, 0 for none; it needs 512 rows. 300 are enough.

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
    E1 to E14, layer by layer in `quantize_chain`, so that each layer repairs what the integer layers before it did.
    Deterministic, but for the polish (E24 to E26), which is given by rng.

    Examples
    --------
    >>> from npquant.nn.model import DenseLayer, FloatMLP
    >>> model = FloatMLP((DenseLayer(np.array([[1.0], [-0.45]]), np.array([0.25]), "identity"),))
    >>> quantize_rectified(model, [[0, 4], [4, 0]], 4).layers[0].w_q.ravel()
    array([ 7, -3], dtype=int8)
    """
    return quantize_rectified_with_report(
        model,
        x_calibration,
        bits,
        activation_bits,
        rng,
        calibrate=calibrate,
        targets=targets,
        output=output,
        start_scales=start_scales,
        polish_steps=polish_steps,
    )[0]


def quantize_rectified_with_report(
    model: FloatMLP,
    x_calibration: ArrayLike,
    bits: Bits | Sequence[Bits] = 4,
    activation_bits: int | Sequence[int] = 8,
    rng: int | np.random.Generator | None = None,
    *,
    calibrate: RangeRule = min_max_range,
    targets: Sequence[ArrayLike] | None = None,
    output: str = "softmax",
    start_scales: Sequence[float] | None = None,
    polish_steps: int = 0,
) -> tuple[IntegerMLP, tuple[LayerReport, ...]]:
    """Quantize as `quantize_rectified` does, and say what each layer's rounding cost.

    Parameters
    ----------
    model, x_calibration, bits, activation_bits, rng, calibrate, targets, output, start_scales, polish_steps
        As in `quantize_rectified`.

    Returns
    -------
    network : IntegerMLP
        That of `quantize_rectified`.
    reports : tuple of LayerReport
        One a layer, before the polish.

    Raises
    ------
    TypeError, ValueError, OverflowError
        As in `quantize_rectified`.

    Examples
    --------
    >>> from npquant.nn.model import DenseLayer, FloatMLP
    >>> model = FloatMLP((DenseLayer(np.array([[1.0], [-0.45]]), np.array([0.25]), "identity"),))
    >>> _, (report,) = quantize_rectified_with_report(model, [[0, 4], [4, 0]], "ternary")
    >>> report.phi <= report.phi_uniform, report.phi <= report.bound
    (True, True)
    """
    widths = bits_per_layer(bits, len(model.layers))
    if output not in OUTPUTS:
        raise ValueError(f"output is {output!r}; it must be one of {OUTPUTS}")
    if isinstance(polish_steps, bool) or not isinstance(polish_steps, int | np.integer) or polish_steps < 0:
        raise ValueError(f"polish_steps is {polish_steps!r}; it must be an integer, at least 0")
    reports: list[LayerReport] = []

    def rectify(problem: LayerProblem) -> LayerCodes:
        d2 = activation_weights(output if problem.last else problem.activation, problem.z)
        bits = widths[problem.index]
        layer = rectify_layer(problem.x, problem.z, problem.w, d2, bits, start_scales=start_scales)
        reports.append(_report(layer, bits))
        return LayerCodes(layer.q, QuantParams(layer.s, 0, *_grid(layer, bits)), layer.bias)

    network = quantize_chain(
        model, x_calibration, rectify, activation_bits=activation_bits, calibrate=calibrate, targets=targets
    )
    if polish_steps:
        logits = model.logits(x_calibration) if targets is None else targets[-1]
        network = polish(network, x_calibration, logits, steps=polish_steps, output=output, rng=rng)
    return network, tuple(reports)


def _grid(layer: RectifiedLayer, bits: Bits) -> tuple[int, int]:
    """Return the narrowest interval for all neurons: both ends of 2-bit codes where some are flipped, some are not."""
    qmin, qmax = weight_grid(bits)
    if not layer.flipped.any():
        return qmin, qmax
    return (-qmax, -qmin) if layer.flipped.all() else (qmin, -qmin)


def _report(layer: RectifiedLayer, bits: Bits) -> LayerReport:
    return LayerReport(bits, layer.phi, layer.phi_rtn, layer.bound, layer.phi_real, layer.carried)
