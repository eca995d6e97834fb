"""Weights on their way down or up, as AdaRound learns them: what they are, and the gradient of its loss.

Legend: B rows of a batch, K inputs, N neurons; x (B, K) delivered inputs, z (B, N) float targets, w (K, N) real
weights, b (N,) bias, s (N,) scales, lo, hi (N,) ends of the grid, f activation; g (K, N) latent variables, h in [0, 1]
the share of a step that a weight is rounded up, lam >= 0 and beta >= 2 strength and steepness of the regularizer. All
arrays are float64.

E19 (soft)      h = clip(1.2 sigmoid(g) - 0.1, 0, 1),  soft weight v = s clip(floor(w / s) + h, lo, hi)
E20 (loss)      mean_r sum_n (f(x v + b) - f(z))^2 + lam sum_kn (1 - |2 h - 1|^beta)

Source: Nagel et al., "Up or Down? Adaptive Rounding for Post-Training Quantization", 2020: equations 22 (soft weights),
23 (h, with zeta = 1.1 and gamma = -0.1), 24 (the regularizer) and 25 (the error behind the activation, on the inputs
that the quantized layers before deliver).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from npquant.arrays import Float64
from npquant.compression.chain.weight_codes import RoundingGrid
from npquant.nn.activations import ACTIVATIONS

ZETA, GAMMA = 1.1, -0.1


@dataclass(frozen=True, slots=True, eq=False)
class SoftRounding:
    """E19: hold the weights of a layer while each is still on its way down or up.

    >>> from npquant.compression.rounding.rounding_grid import choose_rounding_grid
    >>> w = np.array([[0.25], [-1.0]])
    >>> soft = soft_rounding_of(w, choose_rounding_grid(w, "ternary", weight_scale="absmax"))
    >>> soft.weights(soft.share_up(soft.start(w))[0]).round(9).ravel()
    array([ 0.25, -1.  ])
    """

    grid: RoundingGrid  # s, lo, hi
    low: Float64  # (K, N): floor(w / s)

    def start(self, w: Float64) -> Float64:
        """Return the g (K, N) at which h is w / s - floor(w / s), so that descent starts at w."""
        share = w / self.grid.s - self.low
        return np.asarray(-np.log((ZETA - GAMMA) / (share - GAMMA) - 1))

    def share_up(self, g: Float64) -> tuple[Float64, Float64]:
        """Return h (K, N) and its derivative by g."""
        sigmoid = 1 / (1 + np.exp(-np.clip(g, -500, 500)))  # exp(500) is finite, and 1 / (1 + exp(500)) is 0 to h
        stretched = (ZETA - GAMMA) * sigmoid + GAMMA
        inside = (stretched > 0) & (stretched < 1)
        return np.clip(stretched, 0, 1), inside * (ZETA - GAMMA) * sigmoid * (1 - sigmoid)

    def weights(self, h: Float64) -> Float64:
        """Return v (K, N), real values."""
        return np.asarray(self.grid.s * np.clip(self.low + h, self.grid.lo, self.grid.hi))

    def slope(self, h: Float64) -> Float64:
        """Return the derivative of v by h: s on the grid, 0 beyond its ends."""
        codes = self.low + h
        return np.asarray(self.grid.s * ((codes >= self.grid.lo) & (codes <= self.grid.hi)))

    def codes(self, g: Float64) -> Float64:
        """Return integer codes (K, N): up where h >= 1/2."""
        up = self.share_up(g)[0] >= 0.5
        return np.asarray(np.clip(self.low + up, self.grid.lo, self.grid.hi))


def soft_rounding_of(w: Float64, grid: RoundingGrid) -> SoftRounding:
    """Start from real weights w on a grid of scales and intervals.

    >>> soft_rounding_of(np.array([[-0.5], [1.0]]), RoundingGrid(np.ones(1), -np.ones(1), np.ones(1))).low.ravel()
    array([-1.,  1.])
    """
    return SoftRounding(grid, np.floor(w / grid.s))


def soft_rounding_gradient(
    soft: SoftRounding,
    g: Float64,
    x: Float64,
    b: Float64,
    wanted: Float64,
    activation: str,
    *,
    regularization: float,
    beta: float,
) -> Float64:
    """Return d E20 / d g, (K, N); `wanted` (B, N) is f(z), `regularization` lam.

    >>> from npquant.compression.rounding.rounding_grid import choose_rounding_grid
    >>> w = np.array([[0.25], [-1.0]])
    >>> soft = soft_rounding_of(w, choose_rounding_grid(w, "ternary", weight_scale="absmax"))
    >>> x, b = np.array([[1.0, 0.0]]), np.zeros(1)
    >>> arguments = (soft, soft.start(w), x, b, x @ w + 1, "identity")  # 1 too low, so up
    >>> soft_rounding_gradient(*arguments, regularization=0.0, beta=2.0).round(3).ravel()
    array([-0.496,  0.   ])
    """
    forward, backward = ACTIVATIONS[activation]
    h, dh = soft.share_up(g)
    found = forward(x @ soft.weights(h) + b)
    slope = soft.slope(h) * (x.T @ backward(2 / len(x) * (found - wanted), found))
    if regularization > 0:
        away = 2 * h - 1
        slope = slope - regularization * 2 * beta * np.sign(away) * np.abs(away) ** (beta - 1)
    return np.asarray(slope * dh)
