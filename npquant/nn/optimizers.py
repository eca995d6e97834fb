"""Optimizers on one flat vector of parameters: a state that is a plain value, and one step.

Legend: p parameters, g gradient, m and v running first and second moments, t step count; all flat, of one dtype.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Real = NDArray[np.floating[Any]]


@dataclass(slots=True)
class MomentumState:
    """Hold the velocity of SGD with momentum.

    Parameters
    ----------
    velocity : ndarray
        Running sum of gradients.

    Examples
    --------
    >>> MomentumState(np.zeros(2)).velocity
    array([0., 0.])
    """

    velocity: Real


@dataclass(slots=True)
class AdamState:
    """Hold the moments of Adam.

    Parameters
    ----------
    first, second : ndarray
        Running means of g and of g^2.
    steps : int
        Steps made.

    Examples
    --------
    >>> AdamState(np.zeros(1), np.zeros(1)).steps
    0
    """

    first: Real
    second: Real
    steps: int = 0


def sgd_momentum_step(p: Real, g: Real, state: MomentumState, learning_rate: float, momentum: float) -> None:
    """Make one step of SGD with momentum, in place.

    Parameters
    ----------
    p : ndarray of float
        Parameters; changed.
    g : ndarray of float
        Gradient.
    state : MomentumState
        Changed.
    learning_rate : float
        Positive.
    momentum : float
        In [0, 1); 0 is plain SGD.

    Notes
    -----
    velocity := momentum velocity + g; p := p - rate velocity. Source: Sutskever et al. 2013, equations 1 and 2, with
    the rate taken out of the velocity.

    Returns
    -------
    None
        p and the state are changed.

    Examples
    --------
    >>> p = np.array([1.0])
    >>> sgd_momentum_step(p, np.array([2.0]), MomentumState(np.zeros(1)), 0.1, 0.9)
    >>> p
    array([0.8])
    """
    state.velocity *= momentum
    state.velocity += g
    p -= learning_rate * state.velocity


def adam_step(p: Real, g: Real, state: AdamState, learning_rate: float) -> None:
    """Make one step of Adam, in place.

    Parameters
    ----------
    p : ndarray of float
        Parameters; changed.
    g : ndarray of float
        Gradient; used as scratch space.
    state : AdamState
        Changed.
    learning_rate : float
        Positive.

    Notes
    -----
    m := .9 m + .1 g; v := .999 v + .001 g^2; p := p - rate (m / (1 - .9^t)) / (sqrt(v / (1 - .999^t)) + 1e-8).
    Source: Kingma and Ba 2015, algorithm 1, in the order of the end of section 2: one scalar correction a step.

    Returns
    -------
    None
        p, g and the state are changed.

    Examples
    --------
    >>> p = np.array([1.0])
    >>> adam_step(p, np.array([2.0]), AdamState(np.zeros(1), np.zeros(1)), 0.1)
    >>> p.round(6)
    array([0.9])
    """
    state.steps += 1
    correction = float(np.sqrt(1 - 0.999**state.steps))
    with np.errstate(under="ignore"):  # moments of dead weights decay to 0
        state.first *= 0.9
        state.first += 0.1 * g
        state.second *= 0.999
        np.multiply(g, g, out=g)
        g *= 0.001
        state.second += g
        np.sqrt(state.second, out=g)
        g += 1e-8 * correction
        np.divide(state.first, g, out=g)
        g *= learning_rate * correction / (1 - 0.9**state.steps)
    p -= g
