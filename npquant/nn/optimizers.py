"""Optimizers: one step on one flat vector of parameters. The state is a plain value that goes in and comes out.

A step takes over the arrays that it is given: p, g and the state's arrays are reused for the result, so that a step
allocates nothing. Pass copies to keep the old values.

Legend: p parameters, g gradient, u discounted sum of gradients, v discounted sum of their squares, t number of the
step; all vectors of shape (P,) and one dtype. Labels F4 and F5 are derived in docs/nn.md.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from npquant.arrays import Real


@dataclass(frozen=True, slots=True, eq=False)
class MomentumState:
    """Hold the state of SGD with momentum.

    Parameters
    ----------
    u : ndarray of float, shape (P,)
        Discounted sum of gradients; zeros before the first step.

    Examples
    --------
    >>> MomentumState(np.zeros(2)).u
    array([0., 0.])
    """

    u: Real


def sgd_momentum_step(
    p: Real, g: Real, state: MomentumState, *, learning_rate: float, momentum: float
) -> tuple[Real, MomentumState]:
    """Make one step of SGD with momentum.

    Parameters
    ----------
    p, g : ndarray of float, shape (P,)
        Parameters and gradient; taken over.
    state : MomentumState
        Taken over.
    learning_rate : float
        Positive.
    momentum : float
        In [0, 1); 0 is plain SGD.

    Returns
    -------
    p : ndarray of float, shape (P,)
        New parameters.
    state : MomentumState
        New state.

    Notes
    -----
    F4: u := momentum u + g; p := p - learning_rate u. Source: Sutskever et al. 2013, "On the importance of
    initialization and momentum in deep learning", equations 1 and 2, with the rate taken out of u.

    Examples
    --------
    >>> sgd_momentum_step(np.ones(1), np.full(1, 2.0), MomentumState(np.zeros(1)), learning_rate=0.1, momentum=0.9)[0]
    array([0.8])
    """
    u = state.u
    u *= momentum
    u += g
    np.multiply(u, learning_rate, out=g)
    p -= g
    return p, state


@dataclass(frozen=True, slots=True, eq=False)
class AdamState:
    """Hold the state of Adam.

    Parameters
    ----------
    u, v : ndarray of float, shape (P,)
        Discounted sums of g and of g^2; zeros before the first step.
    t : int
        Steps made.

    Examples
    --------
    >>> AdamState(np.zeros(1), np.zeros(1), 0).t
    0
    """

    u: Real
    v: Real
    t: int


def adam_step(
    p: Real, g: Real, state: AdamState, *, learning_rate: float, beta1: float, beta2: float, epsilon: float
) -> tuple[Real, AdamState]:
    """Make one step of Adam.

    Parameters
    ----------
    p, g : ndarray of float, shape (P,)
        Parameters and gradient; taken over.
    state : AdamState
        Taken over.
    learning_rate : float
        Positive; about the largest change of one parameter.
    beta1, beta2 : float
        Discounts a step, in [0, 1).
    epsilon : float
        Positive; added to the root.

    Returns
    -------
    p : ndarray of float, shape (P,)
        New parameters.
    state : AdamState
        New state.

    Notes
    -----
    F5: u := beta1 u + g; v := beta2 v + g^2; m = u (1 - beta1) / (1 - beta1^t); s = v (1 - beta2) / (1 - beta2^t);
    p := p - learning_rate m / (sqrt(s) + epsilon). The means m and s are those of Kingma and Ba 2015, "Adam",
    algorithm 1: keeping sums in place of means moves two multiplications of a vector into one scalar.
    Sums of dead parameters decay to 0 through subnormal numbers, which is no error.

    Examples
    --------
    >>> zero, rule = np.zeros(1), {"beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}
    >>> adam_step(np.ones(1), np.full(1, 2.0), AdamState(zero, zero.copy(), 0), learning_rate=0.1, **rule)[0].round(6)
    array([0.9])
    """
    u, v, t = state.u, state.v, state.t + 1
    root = float(np.sqrt((1 - beta2) / (1 - beta2**t)))
    with np.errstate(under="ignore"):
        u *= beta1
        u += g
        v *= beta2
        np.multiply(g, g, out=g)
        v += g
        np.sqrt(v, out=g)
        # sqrt(s) + epsilon = root (sqrt(v) + epsilon / root): the scalars leave the vector.
        g += epsilon / root
        np.divide(u, g, out=g)
        g *= learning_rate * (1 - beta1) / (1 - beta1**t) / root
        p -= g
    return p, replace(state, t=t)
