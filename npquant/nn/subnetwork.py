"""Training, 5 of 10: the active subnetwork, what lies on a path of nonzero weights from an input to an output.

Legend: K inputs and N outputs of a layer; w (K, N) weights, b (N,) biases, a = f(b) the output of a neuron without
inputs; parameters (w, b) and activations (names) by layer; masks bool arrays (K, N) by layer, True where a weight is
not 0 or may stay. Label F15 is derived in docs/finetuning.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from npquant.arrays import Indices, Mask
from npquant.nn.activations import activate
from npquant.nn.layers import Parameters

# Weights and biases, or masks of their shapes, by layer.
Pairs = Sequence[tuple[NDArray[Any], NDArray[Any]]]


@dataclass(frozen=True, slots=True, eq=False)
class Subnetwork:
    """Name the inputs and neurons of a network that are kept.

    >>> w, b = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]), np.zeros(2)
    >>> Subnetwork(np.array([0, 2]), (np.array([1]),)).take([(w, b)])
    ((array([[2.],
           [6.]]), array([0.])),)
    """

    inputs: Indices
    neurons: tuple[Indices, ...]  # by layer; those of the last layer are all kept

    @property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """(K, N) of each layer of the subnetwork."""
        return tuple((len(k), len(n)) for k, n in zip((self.inputs, *self.neurons[:-1]), self.neurons, strict=True))

    def take(self, parameters: Pairs) -> tuple[tuple[NDArray[Any], NDArray[Any]], ...]:
        """Return the parameters of the subnetwork, copied."""
        sources = (self.inputs, *self.neurons[:-1])
        return tuple((w[np.ix_(k, n)], b[n]) for (w, b), k, n in zip(parameters, sources, self.neurons, strict=True))

    def take_masks(self, masks: Sequence[Mask]) -> tuple[Mask, ...]:
        """Return the masks of the subnetwork, copied."""
        sources = (self.inputs, *self.neurons[:-1])
        return tuple(m[np.ix_(k, n)] for m, k, n in zip(masks, sources, self.neurons, strict=True))

    def put_back(self, part: Pairs, full: Pairs) -> tuple[tuple[NDArray[Any], NDArray[Any]], ...]:
        """Return copies of the full parameters with those of the subnetwork, `part`, written into them."""
        sources = (self.inputs, *self.neurons[:-1])
        copies = tuple((w.copy(), b.copy()) for w, b in full)
        for (w, b), (small_w, small_b), k, n in zip(copies, part, sources, self.neurons, strict=True):
            w[np.ix_(k, n)], b[n] = small_w, small_b
        return copies

    def within(self, outer: Subnetwork) -> Subnetwork:
        """Return this subnetwork of a subnetwork by the numbers of the whole network."""
        pairs = zip(self.neurons, outer.neurons, strict=True)
        return Subnetwork(outer.inputs[self.inputs], tuple(theirs[ours] for ours, theirs in pairs))


def find_active_subnetwork(masks: Sequence[Mask]) -> Subnetwork:
    """Find the inputs and neurons on a path from an input to an output.

    Never empty: of inputs, or of a hidden layer, without any path, the first one is kept.

    >>> hidden, last = np.array([[True, True, False]]), np.array([[True], [False], [True]])
    >>> find_active_subnetwork([hidden, last]).neurons
    (array([0]), array([0]))
    """
    # One sweep forward marks what an input reaches, one backward what reaches an output.
    reached: list[Mask] = [np.ones(len(masks[0]), bool)]
    for mask in masks[:-1]:
        reached.append(np.asarray(mask[reached[-1]].any(axis=0)))
    used: list[Mask] = [np.ones(masks[-1].shape[1], bool)]
    for mask in reversed(masks):
        used.insert(0, np.asarray(mask[:, used[0]].any(axis=1)))
    active = [np.flatnonzero(a & b) for a, b in zip(reached, used, strict=False)]
    kept = [at if len(at) else np.zeros(1, np.int64) for at in active]
    return Subnetwork(kept[0], (*kept[1:], np.arange(masks[-1].shape[1])))


def fold_constants(parameters: Parameters, masks: Sequence[Mask], activations: Sequence[str]) -> Parameters:
    """F15. b_next := b_next + f(b) w_next, layer by layer from the first, for neurons that no input reaches.

    Their output is a = f(b) on every row. Copies: weights outside the masks or off every path are 0, and so are the
    biases of neurons off every path. The function is that of the masked network up to rounding.

    >>> layers = [(np.array([[0.0]]), np.array([2.0])), (np.array([[3.0]]), np.array([1.0]))]
    >>> fold_constants(layers, [w != 0 for w, _ in layers], ["relu", "identity"])[1]
    (array([[0.]]), array([7.]))
    """
    copies = [(np.where(mask, w, w.dtype.type(0)), b.copy()) for (w, b), mask in zip(parameters, masks, strict=True)]
    reached: Mask = np.ones(len(masks[0]), bool)
    constant: NDArray[Any] = np.zeros(len(masks[0]), copies[0][0].dtype)
    for (w, b), mask, name in zip(copies, masks, activations, strict=True):
        b += np.where(reached, b.dtype.type(0), constant) @ w
        w[~reached] = 0
        reached = np.asarray(mask[reached].any(axis=0))
        constant = activate(name, b[np.newaxis])[0]
    active = find_active_subnetwork(masks)
    zeros = tuple((np.zeros_like(w), np.zeros_like(b)) for w, b in copies)
    return active.put_back(active.take(copies), zeros)
