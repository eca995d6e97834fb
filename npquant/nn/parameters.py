"""Training, 6 of 10: the parameters in one flat vector, the positions in it that are trained, the optimizer's state.

Legend: P parameters, F <= P trainable ones; p (P,) all weights, then all biases, g (P,) their gradient; w (K, N) and
b (N,) of a layer are views into p; masks bool arrays (K, N) by layer, True where a weight is trainable. Labels F10 and
F15 are derived in docs/nn.md and docs/finetuning.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from npquant.arrays import Indices, Mask, Real
from npquant.nn.layers import Parameters
from npquant.nn.optimizers import AdamState, MomentumState, adam_step, sgd_momentum_step
from npquant.nn.settings import TrainingSettings
from npquant.nn.subnetwork import Pairs, Subnetwork, find_active_subnetwork, fold_constants

State = AdamState | MomentumState
# The discounts and the epsilon of Kingma and Ba 2015, algorithm 1.
_BETA1, _BETA2, _EPSILON = 0.9, 0.999, 1e-8
# New masks rebuild the arrays once that makes them smaller than this share: copying the rows costs some steps.
_WORTH_REBUILDING = 0.85


def flatten_parameters(parameters: Pairs) -> tuple[NDArray[Any], Parameters]:
    """Copy the parameters, (w, b) by layer, into one vector p; also return them as views into p.

    >>> p, views = flatten_parameters([(np.array([[1.0, 2.0]]), np.array([3.0, 4.0]))])
    >>> p += 1
    >>> views[0][0]
    array([[2., 3.]])
    """
    parts = [w for w, _ in parameters] + [b for _, b in parameters]
    p = np.concatenate([part.ravel() for part in parts])
    return p, view_parameters(p, parameters)


def view_parameters(p: Real, like: Pairs) -> Parameters:
    """Cut p into views (w, b) by layer, of the shapes of `like`.

    >>> view_parameters(np.arange(3.0), [(np.zeros((2, 1)), np.zeros(1))])
    ((array([[0.],
           [1.]]), array([2.])),)
    """
    shapes = [w for w, _ in like] + [b for _, b in like]
    ends = np.cumsum([part.size for part in shapes])
    views = [p[end - part.size : end].reshape(part.shape) for part, end in zip(shapes, ends, strict=True)]
    return tuple(zip(views[: len(like)], views[len(like) :], strict=True))


@dataclass(slots=True, eq=False)
class TrainableParameters:
    """Hold parameters, their gradient and the optimizer's state: memory that every step overwrites.

    >>> memory = start_parameters([(np.array([[1.0], [0.0]]), np.zeros(1))], [np.array([[True], [False]])], "sgd")
    >>> memory.active.inputs, memory.whole(memory.parameters)
    (array([0]), ((array([[1.],
           [0.]]), array([0.])),))
    """

    p: Real
    g: Real
    parameters: Parameters  # views into p
    gradient: Parameters  # views into g
    trainable: slice | Indices  # the F positions in p that are stepped; slice(None) for all
    masks: Sequence[Mask] | None  # where not all weights are trainable
    state: State  # of the F trainable parameters
    active: Subnetwork  # where the arrays lie in the network that training started from
    shapes: Sequence[tuple[int, ...]]  # (K, N) of that network

    def whole(self, parameters: Parameters) -> Parameters:
        """Return copies at the shapes that training started from; what has left the arrays is 0."""
        dtype = self.p.dtype
        return self.active.put_back(parameters, [(np.zeros(s, dtype), np.zeros(s[1], dtype)) for s in self.shapes])

    def step(self, rate: float, settings: TrainingSettings) -> None:
        """F10, then the optimizer: w := (1 - rate weight_decay) w, apart from the gradient; biases do not decay.

        Source of F10: Loshchilov and Hutter 2019, "Decoupled weight decay regularization".
        """
        if settings.weight_decay:
            weights = self.p[: sum(w.size for w, _ in self.parameters)]
            weights *= 1 - rate * settings.weight_decay
        # Of a slice these are views, which the step changes in place; of positions they are copies.
        p, g = self.p[self.trainable], self.g[self.trainable]
        if isinstance(self.state, AdamState):
            constants = {"beta1": _BETA1, "beta2": _BETA2, "epsilon": _EPSILON}
            self.state = adam_step(p, g, self.state, learning_rate=rate, **constants)[1]
        else:
            self.state = sgd_momentum_step(p, g, self.state, learning_rate=rate, momentum=settings.momentum)[1]
        if not isinstance(self.trainable, slice):
            self.p[self.trainable] = p

    def second_moments(self) -> tuple[Real, ...]:
        """Return Adam's v by layer, shapes (K, N); 0 for what is not trainable."""
        v = np.zeros_like(self.p)
        if isinstance(self.state, AdamState):
            v[self.trainable] = self.state.v
        return tuple(w for w, _ in view_parameters(v, self.parameters))

    def apply_masks(self, masks: Sequence[Mask], activations: Sequence[str]) -> None:
        """Set weights outside new masks to 0, fold what becomes constant, drop what lies on no path (F15)."""
        folded, active = fold_constants(self.parameters, masks, activations), find_active_subnetwork(masks)
        nowhere = [(np.zeros(m.shape, bool), np.zeros(m.shape[1], bool)) for m in masks]
        everywhere = [(m, np.ones(m.shape[1], bool)) for m in masks]
        on_path = active.put_back(active.take(everywhere), nowhere)
        positions, _ = flatten_parameters(on_path)
        self._keep_state(positions[self.trainable])
        if sum(k * n for k, n in active.shapes) < _WORTH_REBUILDING * sum(m.size for m in masks):
            folded, on_path = active.take(folded), active.take(on_path)
            self.active = active.within(self.active)
            positions, _ = flatten_parameters(on_path)
        self.p, self.parameters = flatten_parameters(folded)
        self.g, self.gradient = flatten_parameters(folded)
        self.trainable, self.masks = np.flatnonzero(positions), [m for m, _ in on_path]

    def _keep_state(self, kept: Mask) -> None:
        """Drop the state of the parameters that are trainable no more."""
        if isinstance(self.state, AdamState):
            self.state = AdamState(self.state.u[kept], self.state.v[kept], self.state.t)
        else:
            self.state = MomentumState(self.state.u[kept])


def start_parameters(start: Parameters, masks: Sequence[Mask] | None, optimizer: str) -> TrainableParameters:
    """Make the memory of a training run, before its first step, from copies of the `start` parameters.

    Weights outside the masks become 0, and inputs without a trainable weight leave the arrays; without masks all is
    trainable. The `optimizer`, "adam" or "sgd", says whose state to make.

    >>> start_parameters([(np.ones((1, 1)), np.zeros(1))], None, "adam").state.t
    0
    """
    inputs = np.arange(len(start[0][0]))
    if masks is not None:
        inputs = np.flatnonzero(masks[0].any(axis=1)) if masks[0].any() else inputs[:1]
    active = Subnetwork(inputs, tuple(np.arange(len(b)) for _, b in start))
    positions: slice | Indices = slice(None)
    kept = active.take(start)
    if masks is not None:
        masks = active.take_masks(masks)
        kept = tuple((np.where(m, w, w.dtype.type(0)), b) for (w, b), m in zip(kept, masks, strict=True))
        positions = np.flatnonzero(flatten_parameters([(m, np.ones(m.shape[1], bool)) for m in masks])[0])
    p, parameters = flatten_parameters(kept)
    g, gradient = flatten_parameters(kept)
    u = np.zeros_like(p[positions])
    state: State = AdamState(u, u.copy(), 0) if optimizer == "adam" else MomentumState(u)
    return TrainableParameters(p, g, parameters, gradient, positions, masks, state, active, [w.shape for w, _ in start])
