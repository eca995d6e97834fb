"""Which weights stay: a count of the whole layer, a count of the whole network, or at most n in each group of m inputs.

Legend: K inputs and N neurons of a layer, `density` d in (0, 1], n:m the pattern; masks (K, N) are True where a weight
stays; an `order` is the order in which the weights of a layer of `shape` (K, N) would go; `count` of weights that stay.
Labels U3 and U4 are derived in docs/weight-pruning.md.

U3 (count)   a layer keeps max(1, floor(d K N + 1/2)) weights; a pattern keeps n of each m inputs of a neuron, and
             min(n, K mod m) of a last group that is shorter
U4 (global)  layers share one count; weights are compared by score_i / sum of score_j >= score_i of the same layer
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from npquant.arrays import Float64, Mask
from npquant.compression.pruning.weights.saliency import RemovalOrder


def kept_count(density: float, size: int, least: int = 1) -> int:
    """U3. How many of `size` weights stay, at any density `least` of them; half a weight rounds up.

    >>> kept_count(0.5, 5), kept_count(0.001, 100)
    (3, 1)
    """
    return min(size, max(least, int(np.floor(density * size + 0.5))))


def mask_by_count(order: RemovalOrder, shape: tuple[int, int], count: int) -> Mask:
    """Keep the last `count` weights of an order, exactly.

    >>> mask_by_count(RemovalOrder(np.array([1, 0]), np.zeros(2)), (2, 1), 1)
    array([[ True],
           [False]])
    """
    mask = np.zeros(shape[0] * shape[1], bool)
    mask[order.order[len(order.order) - count :]] = True
    return mask.reshape(shape)


def mask_by_score(score: Float64, count: int) -> Mask:
    """Keep the `count` >= 1 weights of the highest `score` (K, N), as `mask_by_count` would by the order of the scores.

    Of equal scores the lower index goes first. No order is made: a layer of millions of weights needs the border alone.

    >>> mask_by_score(np.array([[2.0, 1.0], [1.0, 3.0]]), 3)
    array([[ True, False],
           [ True,  True]])
    """
    flat = score.ravel()
    least = np.partition(flat, len(flat) - count)[len(flat) - count]
    mask, level = flat > least, np.flatnonzero(flat == least)
    mask[level[len(level) + np.count_nonzero(mask) - count :]] = True
    return np.asarray(mask.reshape(score.shape))


def masks_by_shared_count(
    orders: Sequence[RemovalOrder], shapes: Sequence[tuple[int, int]], count: int
) -> tuple[Mask, ...]:
    """U4. Keep `count` weights of all layers together, at least one of each; `orders` and `shapes` by layer.

    Compared is what a weight contributes to the score of those that are still there when its turn comes. It never falls
    along a layer's order, so each layer loses a prefix of it, and the last weight of every layer has 1 and goes last.
    Layers of any scale compare. Source: Lee, Park, Mo, Ahn and Shin, "Layer-adaptive sparsity for the magnitude-based
    pruning", 2021, equation 4.

    >>> orders = [RemovalOrder(np.array([0, 1]), np.array(s)) for s in ([1.0, 3.0], [100.0, 100.0])]
    >>> [mask.ravel() for mask in masks_by_shared_count(orders, [(2, 1)] * 2, 3)]
    [array([False,  True]), array([ True,  True])]
    """
    shares = [_share_of_the_rest(order.score) for order in orders]
    position = np.concatenate([np.arange(len(share)) for share in shares])
    layer = np.repeat(np.arange(len(shares)), [len(share) for share in shares])
    stays = np.lexsort((position, layer, np.concatenate(shares)))[len(position) - count :]
    kept = np.bincount(layer[stays], minlength=len(shares))
    return tuple(mask_by_count(*each) for each in zip(orders, shapes, (int(k) for k in kept), strict=True))


def _share_of_the_rest(score: Float64) -> Float64:
    """Return U4 along an order; the last weight has 1, even where every score is 0."""
    size = score.max(initial=0.0)
    rest = np.cumsum((score / size if size > 0 else score)[::-1])[::-1]
    share = np.divide(score / (size or 1.0), rest, out=np.zeros_like(rest), where=rest > 0)
    share[-1] = 1.0
    return np.maximum.accumulate(np.minimum(share, 1.0))


def mask_by_pattern(scores: Float64, n: int, m: int) -> Mask:
    """U3. Keep the n largest `scores` (K, N), not negative, of each group of m inputs of a neuron, 1 <= n <= m.

    Where K is no multiple of m the last group is shorter and keeps at most n of its own. Of equal scores the lower
    index goes first.

    >>> mask_by_pattern(np.array([[1.0], [3.0], [2.0], [0.5], [9.0]]), 2, 4).ravel()
    array([False,  True,  True, False,  True])
    """
    depth, neurons = scores.shape
    groups = -(-depth // m)
    padded = np.full((groups * m, neurons), -1.0)  # what is not there goes before anything else
    padded[:depth] = scores
    order = np.argsort(padded.reshape(groups, m, neurons), axis=1, kind="stable")
    mask = np.zeros((groups, m, neurons), bool)
    np.put_along_axis(mask, order[:, m - n :], True, axis=1)
    return np.ascontiguousarray(mask.reshape(-1, neurons)[:depth])
