"""Training, 4 of 10: the optimizers, one step each on one flat vector of parameters.

The state is a plain value that goes in and comes out. A step takes over the arrays that it is given: p, g and the
state's arrays are reused for the result, so that a step allocates nothing. Pass copies to keep the old values.

Legend: p parameters, g gradient, u discounted sum of gradients, v discounted sum of their squares; all float vectors of
shape (P,) and one dtype; t number of the step; state u, or u, v and t, zeros before the first step; learning_rate > 0.
A step returns the new p and the new state. Labels F4 and F5 are derived in docs/nn.md.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from npquant.arrays import Real


@dataclass(frozen=True, slots=True, eq=False)
class MomentumState:
    """Hold the state of SGD with momentum."""

    u: Real


def sgd_momentum_step(
    p: Real, g: Real, state: MomentumState, *, learning_rate: float, momentum: float
) -> tuple[Real, MomentumState]:
    """F4. u := momentum u + g; p := p - learning_rate u; momentum in [0, 1), 0 is plain SGD.

    Source: Sutskever et al. 2013, "On the importance of initialization and momentum in deep learning", equations 1 and
    2, with the rate taken out of u.

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
    """Hold the state of Adam."""

    u: Real
    v: Real
    t: int


def adam_step(
    p: Real, g: Real, state: AdamState, *, learning_rate: float, beta1: float, beta2: float, epsilon: float
) -> tuple[Real, AdamState]:
    """F5. u := beta1 u + g; v := beta2 v + g^2; p := p - learning_rate m / (sqrt(s) + epsilon).

    m = u (1 - beta1) / (1 - beta1^t), s = v (1 - beta2) / (1 - beta2^t); beta1 and beta2 in [0, 1), epsilon > 0. The
    learning_rate is about the largest change of one parameter. m and s are the means of Kingma and Ba 2015, "Adam",
    algorithm 1: keeping sums in place of means moves two multiplications of a vector into one scalar.

    >>> zero, rule = np.zeros(1), {"beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}
    >>> adam_step(np.ones(1), np.full(1, 2.0), AdamState(zero, zero.copy(), 0), learning_rate=0.1, **rule)[0].round(6)
    array([0.9])
    """
    u, v, t = state.u, state.v, state.t + 1
    root = float(np.sqrt((1 - beta2) / (1 - beta2**t)))
    # Sums of parameters without a gradient decay to 0 through subnormal numbers, which is no error.
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
