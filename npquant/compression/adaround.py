"""AdaRound, the learned peer of rectified rounding: each weight's direction is found by gradient descent.

Legend: R calibration rows, K inputs, N neurons; x (R, K) delivered inputs, z (R, N) float targets, w (K, N) weights,
s (N,) scales, f activation, g (K, N) latent variables, h in [0, 1] the share of a step that a weight is rounded up.

E19 (soft)      h = clip(1.2 sigmoid(g) - 0.1, 0, 1),  soft weight = s clip(floor(w / s) + h, qmin, qmax)
E20 (loss)      mean_r sum_n (f(x soft + b) - f(z))^2 + 0.01 sum_kn (1 - |2 h - 1|^beta)

Source: Nagel et al., "Up or Down? Adaptive Rounding for Post-Training Quantization", 2020, equations 22 to 25.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from npquant.compression.integer_chain import LayerCodes, LayerProblem
from npquant.compression.peers import rescaled_by_least_squares
from npquant.compression.uniform import Bits, choose_weight_params
from npquant.nn.activations import ACTIVATIONS
from npquant.nn.optimizers import AdamState, adam_step

Float64 = NDArray[np.float64]

BATCH_ROWS = 64
REGULARIZATION = 0.01
# For the first fifth of the steps only the error counts; then beta falls from 20 to 2 and drives h to 0 or 1.
WARM_UP = 0.2
BETA_FIRST, BETA_LAST = 20.0, 2.0


def adaround(
    problem: LayerProblem, bits: Bits, *, steps: int, learning_rate: float, rng: int | np.random.Generator | None
) -> LayerCodes:
    """Learn for every weight whether to round it down or up, through the activation; then rescale.

    Parameters
    ----------
    problem : LayerProblem
        The layer.
    bits : int or "ternary"
        Width.
    steps : int
        Steps of Adam, 64 rows each.
    learning_rate : float
        Its rate.
    rng : int, Generator or None
        Order of the rows.

    Returns
    -------
    LayerCodes
        E19 with h rounded, after E20; then E15.

    Examples
    --------
    >>> x, w = np.array([[1.0, 1.0], [-1.0, -1.0]]), np.array([[0.4], [0.4]])
    >>> problem = LayerProblem(w, np.zeros(1), x, x @ w, "identity", 0, True)
    >>> adaround(problem, "ternary", steps=10, learning_rate=0.01, rng=0).bias
    array([0.])
    """
    generator = np.random.default_rng(rng)
    params = choose_weight_params(problem.w, bits, granularity="per_channel", weight_scale="auto")
    s = np.asarray(params.scale, np.float64)
    low = np.floor(problem.w / s)
    share = problem.w / s - low
    latent = -np.log(1.2 / (share + 0.1) - 1)  # so that the soft weight starts at w
    state = AdamState(np.zeros_like(latent), np.zeros_like(latent), 0)
    for step in range(steps):
        at = generator.integers(0, len(problem.x), BATCH_ROWS)
        progress = max(step / steps - WARM_UP, 0) / (1 - WARM_UP)
        h, dh = _share_up(latent)
        inside = (low + h >= params.qmin) & (low + h <= params.qmax)
        soft = s * np.clip(low + h, params.qmin, params.qmax)
        slope = s * inside * _output_slope(problem, at, soft)
        if progress > 0:
            slope += _regularizer_slope(h, BETA_LAST + (BETA_FIRST - BETA_LAST) * (1 - progress))
        latent, state = adam_step(
            latent, slope * dh, state, learning_rate=learning_rate, beta1=0.9, beta2=0.999, epsilon=1e-8
        )
    q = np.clip(low + (_share_up(latent)[0] >= 0.5), params.qmin, params.qmax)
    return rescaled_by_least_squares(problem, q, params)


def _share_up(latent: Float64) -> tuple[Float64, Float64]:
    """Return h of E19 and its derivative by g."""
    sigmoid = 1 / (1 + np.exp(-np.clip(latent, -500, 500)))
    stretched = 1.2 * sigmoid - 0.1
    inside = (stretched > 0) & (stretched < 1)
    return np.clip(stretched, 0, 1), inside * 1.2 * sigmoid * (1 - sigmoid)


def _output_slope(problem: LayerProblem, at: NDArray[np.int64], soft: Float64) -> Float64:
    """Return the derivative by the soft weights of the first part of E20, on some rows."""
    forward, backward = ACTIVATIONS[problem.activation]
    x = problem.x[at]
    found, cache = forward(x @ soft + problem.b)
    wanted, _ = forward(problem.z[at])
    return np.asarray(x.T @ backward(2 / len(at) * (found - wanted), cache))


def _regularizer_slope(h: Float64, beta: float) -> Float64:
    """Return the derivative by h of the second part of E20."""
    away = 2 * h - 1
    return np.asarray(-REGULARIZATION * 2 * beta * np.sign(away) * np.abs(away) ** (beta - 1))
