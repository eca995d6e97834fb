"""The parameters that a descent may move: one flat vector, the positions in it that are free, the optimizer's state.

Legend: P parameters, F <= P free ones; p (P,) all weights, then all biases; w (K, N) and b (N,) are views into p.
Labels F10 and F15 are derived in docs/nn.md and docs/finetuning.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from npquant.arrays import Mask, Real
from npquant.nn.layers import Parameters
from npquant.nn.live_part import LivePart, Pairs, find_live_part, fold_constants
from npquant.nn.optimizers import AdamState, MomentumState, adam_step, sgd_momentum_step
from npquant.nn.recipe import Recipe

State = AdamState | MomentumState
# The discounts and the epsilon of Kingma and Ba 2015, algorithm 1.
_BETA1, _BETA2, _EPSILON = 0.9, 0.999, 1e-8
# New masks rebuild the arrays once that makes them smaller than this share: copying the rows costs some steps.
_WORTH_REBUILDING = 0.85


def flatten_parameters(parameters: Pairs) -> tuple[NDArray[Any], Parameters]:
    """Copy all parameters into one vector.

    Parameters
    ----------
    parameters : sequence of (w, b)
        By layer.

    Returns
    -------
    p : ndarray of float, shape (P,)
        All weights, then all biases.
    views : tuple of (w, b)
        The same parameters, as views into p.

    Examples
    --------
    >>> p, views = flatten_parameters([(np.array([[1.0, 2.0]]), np.array([3.0, 4.0]))])
    >>> p += 1
    >>> views[0][0]
    array([[2., 3.]])
    """
    parts = [w for w, _ in parameters] + [b for _, b in parameters]
    p = np.concatenate([part.ravel() for part in parts])
    return p, view_parameters(p, parameters)


def view_parameters(p: Real, like: Pairs) -> Parameters:
    """Cut one vector into views.

    Parameters
    ----------
    p : ndarray of float, shape (P,)
        All weights, then all biases.
    like : sequence of (w, b)
        Arrays of the wanted shapes.

    Returns
    -------
    tuple of (w, b)
        Views into p.

    Examples
    --------
    >>> view_parameters(np.arange(3.0), [(np.zeros((2, 1)), np.zeros(1))])
    ((array([[0.],
           [1.]]), array([2.])),)
    """
    shapes = [w for w, _ in like] + [b for _, b in like]
    ends = np.cumsum([part.size for part in shapes])
    views = [p[end - part.size : end].reshape(part.shape) for part, end in zip(shapes, ends, strict=True)]
    return tuple(zip(views[: len(like)], views[len(like) :], strict=True))


@dataclass(slots=True, eq=False)
class FreeParameters:
    """Hold parameters, their gradient and the optimizer's state: memory that every step overwrites.

    Parameters
    ----------
    p, g : ndarray of float, shape (P,)
        Parameters and gradient.
    parameters, gradient : tuple of (w, b)
        Views into p and g.
    free : slice or ndarray of int64, shape (F,)
        Positions in p that are stepped; all by slice(None).
    masks : sequence of ndarray of bool, shapes (K, N), or None
        Weights that are free, where not all are.
    state : AdamState or MomentumState
        Of the free parameters.
    part : LivePart
        Where the arrays lie in the network that the descent was given.
    shapes : sequence of (K, N)
        Of that network.

    Examples
    --------
    >>> free = start_parameters([(np.array([[1.0], [0.0]]), np.zeros(1))], [np.array([[True], [False]])], "sgd")
    >>> free.part.inputs, free.whole(free.parameters)
    (array([0]), ((array([[1.],
           [0.]]), array([0.])),))
    """

    p: Real
    g: Real
    parameters: Parameters
    gradient: Parameters
    free: slice | NDArray[np.int64]
    masks: Sequence[Mask] | None
    state: State
    part: LivePart
    shapes: Sequence[tuple[int, ...]]

    def whole(self, parameters: Parameters) -> Parameters:
        """Return copies at the shapes that the descent was given; what has left the arrays is 0."""
        dtype = self.p.dtype
        return self.part.put_back(parameters, [(np.zeros(s, dtype), np.zeros(s[1], dtype)) for s in self.shapes])

    def step(self, rate: float, recipe: Recipe) -> None:
        """Move the free parameters by one step of the recipe's optimizer, after the decay of the weights (F10)."""
        if recipe.weight_decay:
            weights = self.p[: sum(w.size for w, _ in self.parameters)]
            weights *= 1 - rate * recipe.weight_decay
        # Of a slice these are views, which the step changes in place; of positions they are copies.
        p, g = self.p[self.free], self.g[self.free]
        if isinstance(self.state, AdamState):
            self.state = adam_step(p, g, self.state, learning_rate=rate, beta1=_BETA1, beta2=_BETA2, epsilon=_EPSILON)[
                1
            ]
        else:
            self.state = sgd_momentum_step(p, g, self.state, learning_rate=rate, momentum=recipe.momentum)[1]
        if not isinstance(self.free, slice):
            self.p[self.free] = p

    def second_moments(self) -> tuple[Real, ...]:
        """Return Adam's v by layer, shapes (K, N); 0 for what is not free."""
        v = np.zeros_like(self.p)
        if isinstance(self.state, AdamState):
            v[self.free] = self.state.v
        return tuple(w for w, _ in view_parameters(v, self.parameters))

    def cut(self, masks: Sequence[Mask], activations: Sequence[str]) -> None:
        """Set weights outside new masks to 0, fold what becomes constant, drop what lies on no path (F15)."""
        folded, part = fold_constants(self.parameters, masks, activations), find_live_part(masks)
        nowhere = [(np.zeros(m.shape, bool), np.zeros(m.shape[1], bool)) for m in masks]
        everywhere = [(m, np.ones(m.shape[1], bool)) for m in masks]
        on_path = part.put_back(part.take(everywhere), nowhere)
        positions, _ = flatten_parameters(on_path)
        self._keep(positions[self.free])
        if sum(k * n for k, n in part.shapes) < _WORTH_REBUILDING * sum(m.size for m in masks):
            folded, on_path = part.take(folded), part.take(on_path)
            self.part = part.within(self.part)
            positions, _ = flatten_parameters(on_path)
        self.p, self.parameters = flatten_parameters(folded)
        self.g, self.gradient = flatten_parameters(folded)
        self.free, self.masks = np.flatnonzero(positions), [m for m, _ in on_path]

    def _keep(self, kept: NDArray[np.bool_]) -> None:
        """Leave the state of the parameters that are free no more."""
        if isinstance(self.state, AdamState):
            self.state = AdamState(self.state.u[kept], self.state.v[kept], self.state.t)
        else:
            self.state = MomentumState(self.state.u[kept])


def start_parameters(start: Parameters, masks: Sequence[Mask] | None, optimizer: str) -> FreeParameters:
    """Make the memory of a descent.

    Parameters
    ----------
    start : sequence of (w, b)
        Parameters; copied.
    masks : sequence of ndarray of bool, shapes (K, N), optional
        Weights that are free; the others become 0. Inputs without a free weight leave the arrays.
    optimizer : {"adam", "sgd"}
        Whose state to make.

    Returns
    -------
    FreeParameters
        Before the first step.

    Examples
    --------
    >>> start_parameters([(np.ones((1, 1)), np.zeros(1))], None, "adam").state.t
    0
    """
    inputs = np.arange(len(start[0][0]))
    if masks is not None:
        inputs = np.flatnonzero(masks[0].any(axis=1)) if masks[0].any() else inputs[:1]
    part = LivePart(inputs, tuple(np.arange(len(b)) for _, b in start))
    positions: slice | NDArray[np.int64] = slice(None)
    live = part.take(start)
    if masks is not None:
        masks = part.take_masks(masks)
        live = tuple((np.where(m, w, w.dtype.type(0)), b) for (w, b), m in zip(live, masks, strict=True))
        positions = np.flatnonzero(flatten_parameters([(m, np.ones(m.shape[1], bool)) for m in masks])[0])
    p, parameters = flatten_parameters(live)
    g, gradient = flatten_parameters(live)
    u = np.zeros_like(p[positions])
    state: State = AdamState(u, u.copy(), 0) if optimizer == "adam" else MomentumState(u)
    return FreeParameters(p, g, parameters, gradient, positions, masks, state, part, [w.shape for w, _ in start])
