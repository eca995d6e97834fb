"""The live part of a sparse network: what lies on a path of nonzero weights from an input to an output.

Legend: K inputs and N outputs of a layer; w (K, N) weights, b (N,) biases, a = f(b) the output of a neuron without
inputs. Label F15 is derived in docs/finetuning.md.
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
class LivePart:
    """Name the inputs and neurons of a network that are kept.

    Parameters
    ----------
    inputs : ndarray of int64
        Inputs, ascending.
    neurons : tuple of ndarray of int64
        Neurons of each layer, ascending; those of the last layer are all kept.

    Examples
    --------
    >>> w, b = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]), np.zeros(2)
    >>> LivePart(np.array([0, 2]), (np.array([1]),)).take([(w, b)])
    ((array([[2.],
           [6.]]), array([0.])),)
    """

    inputs: Indices
    neurons: tuple[Indices, ...]

    @property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """(K, N) of each layer of the part."""
        return tuple((len(k), len(n)) for k, n in zip((self.inputs, *self.neurons[:-1]), self.neurons, strict=True))

    def take(self, parameters: Pairs) -> tuple[tuple[NDArray[Any], NDArray[Any]], ...]:
        """Return the parameters of the part, copied."""
        sources = (self.inputs, *self.neurons[:-1])
        return tuple((w[np.ix_(k, n)], b[n]) for (w, b), k, n in zip(parameters, sources, self.neurons, strict=True))

    def take_masks(self, masks: Sequence[Mask]) -> tuple[Mask, ...]:
        """Return the part of one array a layer, shape (K, N), copied."""
        sources = (self.inputs, *self.neurons[:-1])
        return tuple(m[np.ix_(k, n)] for m, k, n in zip(masks, sources, self.neurons, strict=True))

    def put_back(self, part: Pairs, full: Pairs) -> tuple[tuple[NDArray[Any], NDArray[Any]], ...]:
        """Return copies of the full parameters with the part written into them."""
        sources = (self.inputs, *self.neurons[:-1])
        copies = tuple((w.copy(), b.copy()) for w, b in full)
        for (w, b), (small_w, small_b), k, n in zip(copies, part, sources, self.neurons, strict=True):
            w[np.ix_(k, n)], b[n] = small_w, small_b
        return copies

    def within(self, outer: LivePart) -> LivePart:
        """Return this part of a part by the numbers of the whole network."""
        pairs = zip(self.neurons, outer.neurons, strict=True)
        return LivePart(outer.inputs[self.inputs], tuple(theirs[ours] for ours, theirs in pairs))


def find_live_part(masks: Sequence[Mask]) -> LivePart:
    """Find the inputs and neurons on a path from an input to an output.

    Parameters
    ----------
    masks : sequence of ndarray of bool, shapes (K, N)
        True where a weight is not 0, by layer.

    Returns
    -------
    LivePart
        Never empty: of inputs, or of a hidden layer, without any path, the first one is kept.

    Notes
    -----
    One sweep forward marks what an input reaches, one backward what reaches an output.

    Examples
    --------
    >>> hidden, last = np.array([[True, True, False]]), np.array([[True], [False], [True]])
    >>> find_live_part([hidden, last]).neurons
    (array([0]), array([0]))
    """
    reached: list[Mask] = [np.ones(len(masks[0]), bool)]
    for mask in masks[:-1]:
        reached.append(np.asarray(mask[reached[-1]].any(axis=0)))
    used: list[Mask] = [np.ones(masks[-1].shape[1], bool)]
    for mask in reversed(masks):
        used.insert(0, np.asarray(mask[:, used[0]].any(axis=1)))
    live = [np.flatnonzero(a & b) for a, b in zip(reached, used, strict=False)]
    parts = [at if len(at) else np.zeros(1, np.int64) for at in live]
    return LivePart(parts[0], (*parts[1:], np.arange(masks[-1].shape[1])))


def fold_constants(parameters: Parameters, masks: Sequence[Mask], activations: Sequence[str]) -> Parameters:
    """Move what neurons without inputs contribute into the next biases, and cut what lies on no path.

    Parameters
    ----------
    parameters : sequence of (w, b)
        By layer.
    masks : sequence of ndarray of bool, shapes (K, N)
        True where a weight may stay.
    activations : sequence of str
        By layer.

    Returns
    -------
    tuple of (w, b)
        Copies: weights outside the masks or off every path are 0, and so are the biases of neurons off every path.

    Notes
    -----
    F15: a neuron that no input reaches has the output a = f(b) on every row, so b_next := b_next + a w_next, layer by
    layer from the first. The function is that of the masked network up to rounding.

    Examples
    --------
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
    part = find_live_part(masks)
    zeros = tuple((np.zeros_like(w), np.zeros_like(b)) for w, b in copies)
    return part.put_back(part.take(copies), zeros)
