"""How far calibration rows can be believed about inputs that move together: the pull of E4 where rows are few.

Legend: R calibration rows, K inputs, N neurons; x (R, K) delivered inputs, xc less their means; d2 (R, N) weights of
squared errors, mass their sums over rows; delta in [0, 1] the share of what S says of inputs that is chance.

E32 (chance)    delta = min(b2 / a2, 1),  S = xc^T xc / R,  m = trace(S) / K,  a2 = |S - m I|^2,
                b2 = (mean_r |xc_r|^4 - |S|^2) / R;   0 where a2 is 0
E33 (pull)      pull_n = max(1/10, t / (1 - t)),  t = min(delta R / R_n, 99/100),  R_n = mass_n^2 / sum_r d2_rn^2

Source: Ledoit and Wolf, "A well-conditioned estimator for large-dimensional covariance matrices", 2004, section 3.2.
(1 - t) S + t m I is the mixture that lies nearest to the covariances of all rows to come; over 1 - t, it is S with the
pull t / (1 - t) in the units of E4. Inputs with nothing in common have delta near 1, at any number of rows: nothing can
be carried from one to another, and the pull makes rounding the nearest one. R_n is the number of equally weighed rows
that would say as much.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from npquant.arrays import Float64
from npquant.compression.rounding.rectified.layer_objective import PULL

# Beyond a pull of 99 nothing is left to carry.
MOST_CHANCE: Final = 0.99


def chance_of(x: Float64) -> float:
    """E32: return delta of inputs.

    >>> chance_of(np.array([[1.0, 1.0], [-1.0, -1.0], [2.0, 2.0], [-2.0, -2.0]])) < 0.2
    True
    >>> round(chance_of(np.random.default_rng(0).normal(0, 1, (200, 50))), 1)
    1.0
    """
    rows, inputs = x.shape
    largest = float(np.abs(x).max(initial=0.0))
    # A ratio of fourth powers: in units of the largest input none overflows.
    xc = (x - x.mean(axis=0)) / (largest if largest > 0 else 1.0)
    # |xc^T xc| = |xc xc^T|, and so are the traces: the smaller one.
    gram = xc.T @ xc if inputs < rows else xc @ xc.T
    square, energies = float(np.vdot(gram, gram)) / rows**2, np.square(xc).sum(axis=1)
    away = square - float(energies.sum() / rows) ** 2 / inputs
    noise = (float(np.square(energies).mean()) - square) / rows
    # What a difference of equal numbers leaves is no sign that inputs move together.
    return min(max(noise, 0.0) / away, 1.0) if away > 1e-12 * square else 0.0


def pull_by_evidence(delta: float, d2: Float64) -> Float64:
    """E33: return the pull (N,) of each neuron: 1/10 where `delta` is at most 1/11, and all rows count alike.

    >>> pull_by_evidence(0.5, np.array([[1.0, 1.0], [1.0, 0.0]])), pull_by_evidence(0.01, np.ones((2, 1)))
    (array([ 1., 99.]), array([0.1]))
    """
    share = len(d2) * np.square(d2).sum(axis=0) / np.square(d2.sum(axis=0))
    t = np.minimum(delta * share, MOST_CHANCE)
    return np.asarray(np.maximum(PULL, t / (1 - t)), np.float64)
