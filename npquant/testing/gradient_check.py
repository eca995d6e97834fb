"""The gradient check: a hand-written gradient against a central difference along one random direction.

Legend: p flat parameters (P,), f scalar loss of them, g = gradient (P,) what a hand-written backward pass gave at p, d
unit direction drawn from rng, h step; all float64. parameters, like: a list of (w, b) by layer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from npquant.arrays import Float64


class GradientMismatch(AssertionError):
    """A gradient disagrees with the difference quotient by more than rounding and curvature explain."""


def check_gradient(
    f: Callable[[Float64], float],
    gradient: Float64,
    p: Float64,
    *,
    rng: int | np.random.Generator,
) -> float:
    """Return |(f(p + h d) - f(p - h d)) / 2h - g . d|, h = eps^(1/3) max(1, |p| / sqrt(P)): both slopes along d.

    GradientMismatch, with both numbers, where that is above the tolerance. A wrong gradient is missed only if its error
    is orthogonal to d. Source of the habit: HIPS/autograd ``autograd/test_util.py``.

    >>> p = np.array([1.0, 2.0])
    >>> check_gradient(lambda v: float(v @ v), 2 * p, p, rng=0) < 1e-9
    True
    """
    generator = np.random.default_rng(rng)
    d = generator.normal(size=p.shape)
    d /= np.linalg.norm(d)
    eps = float(np.finfo(np.float64).eps)
    h = eps ** (1 / 3) * max(1.0, float(np.linalg.norm(p)) / np.sqrt(p.size))
    # The quotient is wrong by h^2 |f'''| / 6 for curvature and eps |f| / h for rounding, both of the order eps^(2/3).
    # Third derivatives are not known here; two step sizes measure them: the slopes at h and 2h differ by
    # 3 (h^2 |f'''| / 6), so twice their difference, plus 8 eps |f| / h for rounding, bounds the error of the first. A
    # kink between the points makes the slopes differ as well, and widens the tolerance by no more than it moves them.
    near, far = ((f(p + step * d) - f(p - step * d)) / (2 * step) for step in (h, 2 * h))
    claimed = float(gradient @ d)
    tolerance = 2 * abs(far - near) + 8 * eps * (1 + abs(f(p))) / h
    error = float(abs(near - claimed))
    if not error <= tolerance:
        raise GradientMismatch(
            f"the difference quotient is {near:.12g} and the gradient says {claimed:.12g}: "
            f"they differ by {error:.3g}, more than {tolerance:.3g}"
        )
    return error


def flat(parameters: list[tuple[NDArray[Any], NDArray[Any]]]) -> Float64:
    """Copy all weights and biases into one vector (P,), layer by layer.

    >>> flat([(np.ones((1, 2)), np.zeros(1))])
    array([1., 1., 0.])
    """
    return np.concatenate([np.ravel(part).astype(np.float64) for pair in parameters for part in pair])


def unflat(vector: Float64, like: list[tuple[NDArray[Any], NDArray[Any]]]) -> list[tuple[Float64, Float64]]:
    """Undo `flat`: views of a vector (P,), at the shapes of `like`.

    >>> unflat(np.arange(3.0), [(np.ones((1, 2)), np.zeros(1))])
    [(array([[0., 1.]]), array([2.]))]
    """
    out, at = [], 0
    for w, b in like:
        out.append((vector[at : at + w.size].reshape(w.shape), vector[at + w.size : at + w.size + b.size]))
        at += w.size + b.size
    return out
