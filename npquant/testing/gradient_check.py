"""The gradient check: a hand-written gradient against a central difference along one random direction.

Legend: p flat parameters, f scalar loss, g its gradient, d unit direction, h step.
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
    """Compare a gradient with the slope of its function along one random direction.

    Parameters
    ----------
    f : callable
        Flat float64 parameters -> loss.
    gradient : ndarray of float64, shape (P,)
        What the hand-written backward pass gave at p.
    p : ndarray of float64, shape (P,)
        Parameters.
    rng : int or Generator
        Source of the direction; a wrong gradient is missed only if its error is orthogonal to it.

    Returns
    -------
    float
        |difference quotient - g . d|.

    Raises
    ------
    GradientMismatch
        If that is above the tolerance; the message holds both numbers.

    Notes
    -----
    Slope: (f(p + h d) - f(p - h d)) / 2h with h = eps^(1/3) max(1, |p|). Its error is h^2 |f'''| / 6 from curvature and
    eps |f| / h from rounding, both of the order eps^(2/3). Third derivatives are not known here; two step sizes measure
    them: the slopes at h and 2h differ by 3 (h^2 |f'''| / 6), so twice their difference, plus 8 eps |f| / h for
    rounding, bounds the error of the first. A kink between the two points makes the slopes differ as well, and widens
    the tolerance by no more than it moves the slope. Source of the habit: HIPS/autograd ``autograd/test_util.py``.

    Examples
    --------
    >>> p = np.array([1.0, 2.0])
    >>> check_gradient(lambda v: float(v @ v), 2 * p, p, rng=0) < 1e-9
    True
    """
    generator = np.random.default_rng(rng)
    d = generator.normal(size=p.shape)
    d /= np.linalg.norm(d)
    eps = float(np.finfo(np.float64).eps)
    h = eps ** (1 / 3) * max(1.0, float(np.linalg.norm(p)) / np.sqrt(p.size))
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
    """Put all weights and biases into one float64 vector.

    Parameters
    ----------
    parameters : list of (w, b)
        By layer.

    Returns
    -------
    ndarray of float64, shape (P,)
        A copy.

    Examples
    --------
    >>> flat([(np.ones((1, 2)), np.zeros(1))])
    array([1., 1., 0.])
    """
    return np.concatenate([np.ravel(part).astype(np.float64) for pair in parameters for part in pair])


def unflat(vector: Float64, like: list[tuple[NDArray[Any], NDArray[Any]]]) -> list[tuple[Float64, Float64]]:
    """Undo `flat`.

    Parameters
    ----------
    vector : ndarray of float64, shape (P,)
        From `flat`.
    like : list of (w, b)
        Arrays of the wanted shapes.

    Returns
    -------
    list of (w, b)
        Views of the vector.

    Examples
    --------
    >>> unflat(np.arange(3.0), [(np.ones((1, 2)), np.zeros(1))])
    [(array([[0., 1.]]), array([2.]))]
    """
    out, at = [], 0
    for w, b in like:
        out.append((vector[at : at + w.size].reshape(w.shape), vector[at + w.size : at + w.size + b.size]))
        at += w.size + b.size
    return out
