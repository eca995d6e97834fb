"""Two codes of a neuron turned at once, at the scale that suits them best: how rounding ends where inputs are few.

Legend: as in quadratic_form; q (K, N) integer codes, low and high (K, N) floor and ceiling of E10, s (N,) scales, > 0;
`most` pairs at most, >= 0; p and c as in E29; `noise` Phi's rounding errors. Of one neuron: gram (K, K); b, q, d (K,),
b being half of Phi's gradient at 0, downhill, and d the step of a code to its other side; y = G q.

E36 (pairs)     q_i += d_i, q_j += d_j, the pair that leaves the least Phi at its best scale, while one lowers it; i = j
                turns one code.  d = floor(a) + ceil(a) - 2 q,
                min_s Phi(s q) = Phi(0) - p^2 / c,   p = q . b,   c = q . y,   of which a pair makes
                p + d_i b_i + d_j b_j   and   c + d_i (2 y_i + d_i G_ii) + d_j (2 y_j + d_j G_jj) + 2 d_i d_j G_ij
"""

from __future__ import annotations

import numpy as np

from npquant.arrays import Float64
from npquant.compression.least_squares import INDISTINCT
from npquant.compression.rounding.rectified.quadratic_form import QuadraticForm
from npquant.compression.rounding.rectified.rounding_path import FLOAT32_MAX
from npquant.kernels.qparams import FLOAT32_TINY


def flip_pairs(
    form: QuadraticForm, q: Float64, low: Float64, high: Float64, s: Float64, most: int
) -> tuple[Float64, Float64]:
    """E36: return codes that no code or pair of codes turned makes better, at any scale, and the scales of these codes.

    Or what `most` pairs reach. A scale is the exact minimum p / c, as a float32, which costs 2^-48 of Phi(0) at most;
    where no positive scale lowers Phi(0), code and scale stay if no pair finds one. So Phi never rises.

    >>> from npquant.compression.rounding.rectified.layer_objective import make_objective
    >>> from npquant.compression.rounding.rectified.quadratic_form import make_form
    >>> x = np.ones((1, 2)) * [[1.0], [-1.0]]
    >>> form = make_form(make_objective(x, x @ [[0.9], [0.1]], [[0.9], [0.1]], np.ones((2, 1)), pull=0.01))
    >>> ends = np.zeros((2, 1)), np.ones((2, 1))
    >>> flip_pairs(form, np.array([[0.0], [1.0]]), *ends, np.ones(1), 9)[0].ravel()
    array([1., 0.])
    """
    zero = np.zeros_like(q)[:, np.newaxis]
    b, noise = form.gradients(zero)[:, 0], INDISTINCT * form.phi(zero)[0]
    codes, scales = q.copy(), s.copy()
    for n, gram in enumerate(form.gram):
        best, ends, slope = q[:, n], low[:, n] + high[:, n], b[:, n]
        gain = _gain(gram, slope, best)
        for _ in range(most):
            turned = _best_pair(gram, slope, best, ends - 2 * best, noise[n])
            after = _gain(gram, slope, turned)
            if not after > gain + noise[n]:
                break
            best, gain = turned, after
        codes[:, n] = best
        if gain > 0:
            scale = (best @ slope) / (best @ gram @ best)
            scales[n] = np.float32(np.clip(scale, FLOAT32_TINY, FLOAT32_MAX))
    return codes, scales


def _gain(gram: Float64, b: Float64, q: Float64) -> float:
    """Return p^2 / c, 0 where no positive scale lowers Phi(0)."""
    p, c = float(q @ b), float(q @ gram @ q)
    return p * p / c if p > 0 and c > 0 else 0.0


def _best_pair(gram: Float64, b: Float64, q: Float64, d: Float64, noise: float) -> Float64:
    """Return the codes after the pair, or the one code, that leaves the least Phi: the first of equal ones."""
    rise, cost = d * b, d * (2 * (gram @ q) + d * np.diag(gram))
    p = q @ b + np.add.outer(rise, rise)
    c = q @ gram @ q + np.add.outer(cost, cost) + 2 * np.outer(d, d) * gram
    np.fill_diagonal(p, q @ b + rise)
    np.fill_diagonal(c, q @ gram @ q + cost)
    gains = np.divide(np.square(np.maximum(p, 0)), c, out=np.zeros_like(p), where=c > 0)
    pair = np.array(np.unravel_index(np.argmax(gains >= gains.max() - noise), gains.shape))
    turned = q.copy()
    turned[pair] += d[pair]
    return turned
