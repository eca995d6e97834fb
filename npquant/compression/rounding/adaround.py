"""AdaRound, the learned peer of rectified rounding: each weight's direction is found by gradient descent.

Legend: `problem` a LayerProblem; `bits`, `upper` and E15 as in rounding_grid; E19, E20, lam and beta as in
soft_rounding; `steps`, `learning_rate`, `regularization` (lam) and `rng` as in `quantize_adaround`.

Source: Nagel et al., "Up or Down? Adaptive Rounding for Post-Training Quantization", 2020. The authors' program, AIMET,
has lam = 0.01, no regularizer for the first fifth of the steps, then beta from 20 to 2, and 10,000 steps of Adam at
0.001 on 32 rows. Fewer steps need a higher rate.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from npquant.compression.chain.calibration import RangeRule, min_max_range
from npquant.compression.chain.integer_chain import LayerProblem, quantize_by_layers
from npquant.compression.chain.layer_codes import LayerCodes
from npquant.compression.chain.weight_codes import Bits
from npquant.compression.rounding.rounding_grid import better_side, choose_rounding_grid, fit_scale_and_bias
from npquant.compression.rounding.soft_rounding import soft_rounding_gradient, soft_rounding_of
from npquant.integer.mlp import IntegerMLP
from npquant.nn.activations import ACTIVATIONS
from npquant.nn.optimizers import AdamState, adam_step

if TYPE_CHECKING:
    from npquant.nn.model import FloatMLP


BATCH_ROWS = 64
# For the first fifth of the steps only the error counts; then beta falls from 20 to 2 and drives h to 0 or 1.
WARM_START = 0.2
BETA_FIRST, BETA_LAST = 20.0, 2.0


def adaround_layer(
    problem: LayerProblem,
    bits: Bits,
    *,
    steps: int = 1000,
    learning_rate: float = 0.1,
    regularization: float = 0.01,
    rng: int | np.random.Generator | None = None,
    upper: bool = False,
) -> LayerCodes:
    """Learn for every weight of a layer whether to round it down or up (E19, E20); then fit scale and bias (E15).

    >>> x, w = np.array([[1.0, 1.0], [-1.0, -1.0]]), np.array([[0.4], [0.4]])
    >>> problem = LayerProblem(w, np.zeros(1), x, x @ w, "identity", 0, True)
    >>> adaround_layer(problem, "ternary", steps=10, rng=0).bias
    array([0.])
    """
    generator = np.random.default_rng(rng)
    soft = soft_rounding_of(problem.w, choose_rounding_grid(problem.w, bits, upper=upper))
    wanted = np.asarray(ACTIVATIONS[problem.activation][0](problem.z), np.float64)
    g = soft.start(problem.w)
    state = AdamState(np.zeros_like(g), np.zeros_like(g), 0)
    for step in range(steps):
        at = generator.integers(0, len(problem.x), BATCH_ROWS)
        progress = (step / steps - WARM_START) / (1 - WARM_START)
        slope = soft_rounding_gradient(
            soft,
            g,
            problem.x[at],
            problem.b,
            wanted[at],
            problem.activation,
            regularization=regularization if progress >= 0 else 0.0,
            beta=BETA_LAST + (BETA_FIRST - BETA_LAST) * (1 - progress),
        )
        moved, state = adam_step(g, slope, state, learning_rate=learning_rate, beta1=0.9, beta2=0.999, epsilon=1e-8)
        g = np.asarray(moved, np.float64)
    return fit_scale_and_bias(problem, soft.codes(g), soft.grid)


def quantize_adaround(
    model: FloatMLP,
    x_calibration: ArrayLike,
    bits: Bits | Sequence[Bits] = 4,
    activation_bits: int | Sequence[int] = 8,
    rng: int | np.random.Generator | None = None,
    *,
    steps: int = 1000,
    learning_rate: float = 0.1,
    regularization: float = 0.01,
    orient: bool = False,
    calibrate: RangeRule = min_max_range,
    targets: Sequence[ArrayLike] | None = None,
    inputs: str = "auto",
    output: str = "auto",
) -> IntegerMLP:
    """Quantize a network by AdaRound, through the activation, then fit each neuron's scale and bias.

    Parameters
    ----------
    model, x_calibration, bits, activation_bits, calibrate, targets, inputs, output
        As in `quantize_model`.
    orient : bool
        As in `quantize_nearest`, its errors taken behind the activation.
    rng : int, Generator or None
        Draws the rows of each batch: 64 a step, with replacement.
    steps : int
        Steps of Adam a layer, >= 1. The paper makes 10,000; the table shows 1,000 and 5,000.
    learning_rate : float
        Adam's, > 0. For 1,000 steps 0.1 was the best on validation rows, for 5,000 steps 0.03.
    regularization : float
        lam of E20, >= 0.

    Returns
    -------
    IntegerMLP
        Integer-only, with its accumulators proven. The same seed gives the same network.

    Raises
    ------
    TypeError, ValueError, OverflowError
        As in `quantize_model`; ValueError also if steps, learning_rate or regularization is out of range.

    Notes
    -----
    E19 and E20, then E15, layer by layer.

    Examples
    --------
    >>> from npquant.nn.model import DenseLayer, FloatMLP
    >>> model = FloatMLP((DenseLayer(np.array([[1.0], [-0.45]]), np.array([0.25]), "identity"),))
    >>> quantize_adaround(model, [[0, 4], [4, 0]], 4, rng=0, steps=10).layers[0].w_q.ravel()
    array([ 7, -3], dtype=int8)
    """
    if isinstance(steps, bool) or not isinstance(steps, int | np.integer) or steps < 1:
        raise ValueError(f"steps is {steps!r}; it must be an integer, at least 1")
    if not (learning_rate > 0 and regularization >= 0 and np.isfinite(learning_rate + regularization)):
        raise ValueError(
            f"learning_rate is {learning_rate}, regularization {regularization}; they must be > 0 and >= 0"
        )
    layer = partial(
        adaround_layer,
        steps=int(steps),
        learning_rate=learning_rate,
        regularization=regularization,
        rng=np.random.default_rng(rng),
    )

    def on_better_side(problem: LayerProblem, width: Bits) -> LayerCodes:
        return better_side(problem, width, layer, activation=problem.activation)

    rounding = on_better_side if orient else layer
    return quantize_by_layers(
        model,
        x_calibration,
        bits,
        activation_bits,
        rounding,
        calibrate=calibrate,
        targets=targets,
        inputs=inputs,
        output=output,
    ).network
