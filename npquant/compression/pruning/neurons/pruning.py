"""Neuron pruning: zero, constant, redundant and unimportant neurons told apart, removed from the arrays, compensated.

Legend: R calibration rows, K features, n neurons of a hidden layer, N outputs of the next, r pruning rate; a (R, K)
inputs and h (R, n) outputs of a layer, v (n, N), b (N,) the next layer, z (R, N) the float network's pre-activations
there, M (N, N) the metric of S9. Labels S8 and S11 are derived in docs/pruning.md.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from npquant.arrays import Float64, Indices
from npquant.compression.chain.calibration import evenly_spaced
from npquant.compression.least_squares import REFIT_PULL
from npquant.compression.pruning.float_layers import (
    check_choices,
    checked_forward,
    float64_parameters,
    in_dtype,
    layer_outputs,
)
from npquant.compression.pruning.neurons.allocation import MAX_RATE, checked_rates, share_of_layer, spend_on_cheapest
from npquant.compression.pruning.neurons.compensation import fold_means, refit
from npquant.compression.pruning.neurons.joint_refit import joint_refit
from npquant.compression.pruning.neurons.output_metric import OUTPUTS, mean_metrics
from npquant.compression.pruning.neurons.ranking import CRITERIA, Ranking
from npquant.compression.pruning.neurons.removable_neurons import RemovableNeurons, take_out_removable
from npquant.compression.pruning.neurons.report import LayerPruning, NothingPrunedWarning, PruningReport
from npquant.nn.model import DenseLayer, FloatMLP

COMPENSATIONS: Final = ("refit", "layerwise", "fold", "bare")
# What passes through the whole network again and again (S9, S10) sees no more rows than these: enough for layers of
# some hundred neurons. One row in two, in three, ... of more.
MOST_ROWS: Final = 4096


def prune_neurons(
    model: FloatMLP,
    x_calibration: ArrayLike,
    rate: float | Sequence[float],
    criterion: str = "obs",
    compensation: str = "refit",
    *,
    allocation: str = "uniform",
    output: str = "softmax",
    rng: int | np.random.Generator | None = None,
) -> FloatMLP:
    """Remove a share of the hidden neurons from the arrays, and let the layers that are left make up for them.

    Parameters
    ----------
    model : FloatMLP
        Network; not changed.
    x_calibration : array of real numbers, shape (R, K)
        Training rows; no labels are needed. A thousand do for layers of some hundred neurons; more are better. S9 and
        S10 see 4,096 at most, evenly spaced.
    rate : float or sequence of float
        Share of each hidden layer to remove, in [0, 0.9]; one number, or one a hidden layer.
    criterion : {"obs", "in_l1", "in_l2", "mean_activation", "std_out_l2", "taylor", "random"}
        How unimportant neurons are ranked. "random" is the control that a criterion has to beat.
    compensation : {"refit", "layerwise", "fold", "bare"}
        What is done about the unimportant ones. "refit": least squares layer by layer, then all layers together;
        "layerwise": the first half of that; "fold": their mean goes into the next bias; "bare": nothing.
    allocation : {"uniform", "global"}
        "uniform": each layer loses its share; "global": `rate` is the share of all hidden neurons, and those of all
        layers compete.
    output : {"softmax", "identity"}
        What the logits are: "softmax" for classes, "identity" for real values. It is the measure of a loss.
    rng : int, Generator or None
        For "random" alone.

    Returns
    -------
    FloatMLP
        A smaller network of the same dtype. Where nothing is removed, the network itself: rate 0 is the identity.

    Raises
    ------
    TypeError
        If the model is not a FloatMLP (an integer network is not pruned any more), or the rate or the rows are not
        real numbers.
    ValueError
        If a rate is outside [0, 0.9] or there are too many or too few, the network has no hidden layer, a name is
        unknown, there are no rows, or the rows do not fit, are not finite, or make a layer overflow.

    Warns
    -----
    NothingPrunedWarning
        If a rate is positive and yet no neuron is removed. It is a warning and not an error, so that a sweep over
        rates may start low; turn it into an error with ``warnings.simplefilter("error", NothingPrunedWarning)``.

    Notes
    -----
    S8. A layer of n loses min(floor(r n + 1/2), n - 1) neurons: first zero and constant ones, then redundant ones (both
    exactly, whatever the compensation; never more than the rate asks for), then unimportant ones by rank, the lowest
    index on ties. Layers are pruned in order. Each sees what the pruned network delivers; the targets of its refit are
    the float network's own pre-activations. A network that loses no unimportant neuron is not refitted. Sums are
    float64. A weight that is 0 stays 0, whatever the compensation, but for S3: what a redundant neuron said to others
    than its twin is said by the twin. That never makes more nonzero weights, and the report's ``refilled`` counts it.
    S11. A global budget removes min(floor(r sum n + 1/2), the most that rate 0.9 takes from each layer).

    Examples
    --------
    >>> hidden = DenseLayer(np.ones((1, 4)), np.arange(4.0), "relu")
    >>> layers = [hidden, DenseLayer(np.ones((4, 2)), np.zeros(2), "identity")]
    >>> prune_neurons(FloatMLP(layers), [[1.0], [2.0], [4.0]], 0.5).neurons
    (2, 2)
    """
    pruned, report = prune_neurons_with_report(
        model, x_calibration, rate, criterion, compensation, allocation=allocation, output=output, rng=rng
    )
    if report.nothing_pruned and any(report.rates):
        warnings.warn(f"nothing was pruned: {report.reason}", NothingPrunedWarning, stacklevel=2)
    return pruned


def prune_neurons_with_report(
    model: FloatMLP,
    x_calibration: ArrayLike,
    rate: float | Sequence[float],
    criterion: str = "obs",
    compensation: str = "refit",
    *,
    allocation: str = "uniform",
    output: str = "softmax",
    rng: int | np.random.Generator | None = None,
) -> tuple[FloatMLP, PruningReport]:
    """Prune as `prune_neurons` does, and say which neurons went and why.

    Parameters
    ----------
    model, x_calibration, rate, criterion, compensation, allocation, output, rng
        As for `prune_neurons`, errors included.

    Returns
    -------
    model : FloatMLP
        The smaller network.
    report : PruningReport
        What was removed; ``nothing_pruned`` and ``reason`` stand in for the warning.

    Examples
    --------
    >>> twins = DenseLayer(np.ones((1, 2)), np.zeros(2), "relu")
    >>> layers = [twins, DenseLayer(np.ones((2, 2)), np.zeros(2), "identity")]
    >>> report = prune_neurons_with_report(FloatMLP(layers), [[1.0], [2.0]], 0.5)[1]
    >>> report.layers[0].why(1)
    'redundant: 1 times neuron 0 on every row'
    """
    plan = _checked_plan(model, rate, criterion, compensation, allocation, output, rng)
    wide = FloatMLP(tuple(in_dtype(layer, np.dtype(np.float64)) for layer in model.layers))
    x, z, h = _float_outputs(wide, x_calibration)
    metrics = _metrics(plan, wide, x, h)
    counts = _counts(plan, wide, x, h, metrics)
    logits = h[-1]
    del h  # what follows needs its memory
    layers, removed = _prune_layers(plan, wide.layers, x, z, metrics, counts)
    report = PruningReport(plan.rates, removed, allocation)
    if report.nothing_pruned:
        return model, report
    if compensation == "refit" and report.counts["unimportant"]:
        layers = joint_refit(layers, evenly_spaced(x, MOST_ROWS), evenly_spaced(logits, MOST_ROWS), output)
    return FloatMLP(tuple(in_dtype(layer, model.dtype) for layer in layers)), report


@dataclass(frozen=True, slots=True, eq=False)
class _Plan:
    """How to prune: the same for every layer, but for the rates."""

    rates: tuple[float, ...]
    allocation: str
    ranking: Ranking
    compensation: str
    eps: float


def _checked_plan(
    model: FloatMLP,
    rate: float | Sequence[float],
    criterion: str,
    compensation: str,
    allocation: str,
    output: str,
    rng: int | np.random.Generator | None,
) -> _Plan:
    if not isinstance(model, FloatMLP):
        raise TypeError(f"the model is of type {type(model).__name__}; prune a FloatMLP, and quantize what is left")
    rates = checked_rates(rate, len(model.layers) - 1, allocation)
    check_choices(
        ("criterion", criterion, CRITERIA),
        ("compensation", compensation, COMPENSATIONS),
        ("output", output, OUTPUTS),
    )
    ranking = Ranking(criterion, output, np.random.default_rng(rng))
    return _Plan(rates, allocation, ranking, compensation, float(np.finfo(model.dtype).eps))


def _float_outputs(wide: FloatMLP, x_calibration: ArrayLike) -> tuple[Float64, list[Float64], list[Float64]]:
    """Return the rows, z of every layer after the first, and h of every layer; ValueError where there are no rows."""
    cache = checked_forward(wide, x_calibration)
    x = np.asarray(cache.dense[0][0], np.float64)
    if len(x) == 0:
        raise ValueError("there are no calibration rows; give some of the training rows")
    z, h = ([np.asarray(each, np.float64) for each in part] for part in (cache.z[1:], cache.a))
    return x, z, h


def _metrics(plan: _Plan, wide: FloatMLP, x: Float64, h: Sequence[Float64]) -> Sequence[Float64]:
    """Return what errors of a hidden layer's neurons cost, M of the layer after it; empty where nothing reads it."""
    if plan.ranking.criterion != "obs" or not any(plan.rates):
        return [np.eye(0)] * (len(h) - 1)
    rows = evenly_spaced(x, MOST_ROWS)
    if len(rows) < len(x):
        h = [np.asarray(a, np.float64) for a in wide.activations(rows)]
    return mean_metrics(wide.layers, h, plan.ranking.output, first=1)


def _counts(
    plan: _Plan, wide: FloatMLP, x: Float64, h: Sequence[Float64], metrics: Sequence[Float64]
) -> tuple[int, ...]:
    """Return how many neurons each hidden layer loses: S8, or if all compete S11, where removable ones go first."""
    if plan.allocation != "global" or not any(plan.rates):
        return tuple(share_of_layer(n, r) for n, r in zip(wide.neurons, plan.rates, strict=False))
    costs = []
    for i, (layer, a, following) in enumerate(zip(wide.layers, [x, *h], wide.layers[1:], strict=False)):
        limit = share_of_layer(h[i].shape[1], MAX_RATE)
        removable = _take_out_removable(plan, a, h[i], layer, following, limit)
        others = np.setdiff1d(np.arange(h[i].shape[1]), removable.all)
        tail = [DenseLayer(removable.v[others], removable.b, following.activation), *wide.layers[i + 2 :]]
        w = float64_parameters(layer)[0]
        ranked = plan.ranking.costs(_columns(h[i], others), _columns(w, others), tail, metrics[i])
        # Below any score: one that scores 0 (S7, where units after it saturate) is not for that reason removable.
        costs.append(np.concatenate([np.full(len(removable.all), -1.0), ranked])[:limit])
    return spend_on_cheapest(costs, int(np.floor(plan.rates[0] * sum(wide.neurons[:-1]) + 0.5)))


def _prune_layers(
    plan: _Plan,
    layers: Sequence[DenseLayer],
    x: Float64,
    z: Sequence[Float64],
    metrics: Sequence[Float64],
    counts: Sequence[int],
) -> tuple[tuple[DenseLayer, ...], tuple[LayerPruning, ...]]:
    """Prune the hidden layers in order, each on what the layers before it deliver by now."""
    left, a, done = list(layers), x, []
    for i, count in enumerate(counts):
        removed, left[i : i + 2], a = _prune_layer(plan, a, left[i:], z[i], metrics[i], count)
        done.append(removed)
    return tuple(left), tuple(done)


def _prune_layer(
    plan: _Plan, a: Float64, layers: Sequence[DenseLayer], z: Float64, metric: Float64, count: int
) -> tuple[LayerPruning, list[DenseLayer], Float64]:
    """Remove `count` neurons of the first of the layers; return it and the next one, and what it delivers now."""
    layer, following = layers[0], layers[1]
    w, b_in = float64_parameters(layer)
    h = layer_outputs(layer, a)
    removable = _take_out_removable(plan, a, h, layer, following, count)
    v, b, unimportant, scores = removable.v, removable.b, np.array([], np.int64), np.array([])
    others = np.setdiff1d(np.arange(h.shape[1]), removable.all)
    wanted = count - len(removable.all)
    if wanted:
        tail = [DenseLayer(v[others], b, following.activation), *layers[2:]]
        order, scores = plan.ranking.rank(_columns(h, others), _columns(w, others), tail, metric, wanted)
        unimportant = others[order]
    kept = np.setdiff1d(others, unimportant)
    refilled = int(np.count_nonzero((np.asarray(following.w)[kept] == 0) & (v[kept] != 0)))
    if wanted and plan.compensation == "fold":
        b = fold_means(h, v, b, unimportant)
    v = v[kept]
    if wanted and plan.compensation in ("refit", "layerwise"):
        v, b = refit(h[:, kept], v, z, REFIT_PULL)
    pair = [DenseLayer(w[:, kept], b_in[kept], layer.activation), DenseLayer(v, b, following.activation)]
    unheard, unfed = (
        np.intersect1d(removable.all, np.flatnonzero(~any_weight))
        for any_weight in (np.asarray(following.w).any(axis=1), w.any(axis=0))
    )
    exact = (removable.zero, removable.constant, removable.redundant)
    twins = (removable.twins, removable.factors)
    return LayerPruning(*exact, unimportant, kept, unheard, unfed, *twins, scores, refilled), pair, h[:, kept]


def _columns(matrix: Float64, chosen: Indices) -> Float64:
    """Return the columns `chosen`, ascending; no copy where they are all there are."""
    return matrix if len(chosen) == matrix.shape[1] else matrix[:, chosen]


def _take_out_removable(
    plan: _Plan, a: Float64, h: Float64, layer: DenseLayer, following: DenseLayer, limit: int
) -> RemovableNeurons:
    return take_out_removable(a, *float64_parameters(layer), h, *float64_parameters(following), limit, plan.eps)
