"""Neuron pruning: zero, constant, redundant and unimportant neurons told apart, removed from the arrays, compensated.

Legend: R calibration rows, K features, n neurons of a hidden layer, N outputs of the next, r pruning rate; a (R, K)
inputs and h (R, n) outputs of a layer, v (n, N), b (N,) the next layer, z (R, N) the float network's pre-activations
there. Label S8 is derived in docs/pruning.md.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npquant.compression.compensation import fold_means, refit
from npquant.compression.pruning_report import LayerPruning as LayerPruning
from npquant.compression.pruning_report import NothingPrunedWarning as NothingPrunedWarning
from npquant.compression.pruning_report import PruningReport as PruningReport
from npquant.compression.saliency import (
    greedy_obs,
    score_in_l1,
    score_in_l2,
    score_mean_activation,
    score_std_out_l2,
    score_taylor,
)
from npquant.compression.spare_neurons import take_out_spare
from npquant.nn.activations import activate
from npquant.nn.model import DenseLayer, FloatMLP

Float64 = NDArray[np.float64]
Indices = NDArray[np.int64]
MAX_RATE: Final = 0.9
CRITERIA: Final = ("obs", "in_l1", "in_l2", "mean_activation", "std_out_l2", "taylor", "random")
COMPENSATIONS: Final = ("refit", "fold", "bare")
# Both are shares of the mean variance. From 1e-4 to 1e-1 and from 1e-5 to 1e-2 the results are the same within noise.
OBS_DAMPING: Final = 1e-2
REFIT_PULL: Final = 1e-4


def prune_neurons(
    model: FloatMLP,
    x_calibration: ArrayLike,
    rate: float | Sequence[float],
    criterion: str = "obs",
    compensation: str = "refit",
    *,
    rng: int | np.random.Generator | None = None,
) -> FloatMLP:
    """Remove a share of the hidden neurons from the arrays, and let the next layers make up for them.

    Parameters
    ----------
    model : FloatMLP
        Network; not changed.
    x_calibration : array of real numbers, shape (R, K)
        Training rows; no labels are needed. A thousand are enough for layers of some hundred neurons.
    rate : float or sequence of float
        Share of each hidden layer to remove, in [0, 0.9]; one number, or one a hidden layer.
    criterion : {"obs", "in_l1", "in_l2", "mean_activation", "std_out_l2", "taylor", "random"}
        How unimportant neurons are ranked.
    compensation : {"refit", "fold", "bare"}
        What the next layer does about the unimportant ones: least squares, their mean into the bias, nothing.
    rng : int, Generator or None
        For "random" alone.

    Returns
    -------
    FloatMLP
        A smaller network of the same dtype. Where nothing is removed, the network itself: rate 0 is the identity.

    Raises
    ------
    TypeError
        If the rate or the rows are not real numbers.
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
    the float network's own pre-activations. A layer that loses no unimportant neuron is not refitted. Sums are float64.

    Examples
    --------
    >>> hidden = DenseLayer(np.ones((1, 4)), np.arange(4.0), "relu")
    >>> layers = [hidden, DenseLayer(np.ones((4, 2)), np.zeros(2), "identity")]
    >>> prune_neurons(FloatMLP(layers), [[1.0], [2.0], [4.0]], 0.5).neurons
    (2, 2)
    """
    pruned, report = prune_neurons_with_report(
        model, x_calibration, rate, criterion=criterion, compensation=compensation, rng=rng
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
    rng: int | np.random.Generator | None = None,
) -> tuple[FloatMLP, PruningReport]:
    """Prune as `prune_neurons` does, and say which neurons went and why.

    Parameters
    ----------
    model, x_calibration, rate, criterion, compensation, rng
        As for `prune_neurons`.

    Returns
    -------
    model : FloatMLP
        The smaller network.
    report : PruningReport
        What was removed; ``nothing_pruned`` and ``reason`` stand in for the warning.

    Raises
    ------
    TypeError, ValueError
        As `prune_neurons`.

    Examples
    --------
    >>> twins = DenseLayer(np.ones((1, 2)), np.zeros(2), "relu")
    >>> layers = [twins, DenseLayer(np.ones((2, 2)), np.zeros(2), "identity")]
    >>> prune_neurons_with_report(FloatMLP(layers), [[1.0], [2.0]], 0.5)[1].layers[0].redundant
    array([1])
    """
    rates = _checked_rates(rate, len(model.layers) - 1)
    for name, given, known in (("criterion", criterion, CRITERIA), ("compensation", compensation, COMPENSATIONS)):
        if given not in known:
            raise ValueError(f"the {name} is {given!r}; known are {', '.join(known)}")
    plan = _Plan(criterion, compensation, np.random.default_rng(rng), model.dtype)
    layers = [_in_dtype(layer, np.dtype(np.float64)) for layer in model.layers]
    a, targets = _checked_targets(FloatMLP(tuple(layers)), x_calibration)
    done = []
    for i, r in enumerate(rates):
        count = min(int(np.floor(r * layers[i].w.shape[1] + 0.5)), layers[i].w.shape[1] - 1)
        removed, layers[i : i + 2], a = _prune_layer(plan, a, layers[i:], targets[i + 1], count)
        done.append(removed)
    report = PruningReport(rates, tuple(done))
    if report.nothing_pruned:
        return model, report
    return FloatMLP(tuple(_in_dtype(layer, model.dtype) for layer in layers)), report


@dataclass(frozen=True, slots=True, eq=False)
class _Plan:
    """How to prune: what is the same for every layer."""

    criterion: str
    compensation: str
    rng: np.random.Generator
    dtype: np.dtype[Any]


def _prune_layer(
    plan: _Plan, a: Float64, layers: Sequence[DenseLayer], z: Float64, count: int
) -> tuple[LayerPruning, list[DenseLayer], Float64]:
    """Remove `count` neurons of the first of the layers; return it and the next one, and what it delivers now."""
    layer, following = layers[0], layers[1]
    (w, b_in), (v, b) = _float64_parameters(layer), _float64_parameters(following)
    h = np.asarray(activate(layer.activation, a @ w + b_in), np.float64)
    spare = take_out_spare(a, w, b_in, h, v, b, count, float(np.finfo(plan.dtype).eps))
    others = np.setdiff1d(np.arange(h.shape[1]), spare.all)
    wanted = count - len(spare.all)
    v, b, unimportant = spare.v, spare.b, np.array([], np.int64)
    if wanted:
        tail = [DenseLayer(v[others], b, following.activation), *layers[2:]]
        unimportant = others[_rank(plan, h[:, others], w[:, others], tail, wanted)]
    kept = np.setdiff1d(others, unimportant)
    if wanted and plan.compensation == "fold":
        b = fold_means(h, v, b, unimportant)
    v = v[kept]
    if wanted and plan.compensation == "refit":
        v, b = refit(h[:, kept], v, z, REFIT_PULL)
    following = DenseLayer(v, b, following.activation)
    narrow = DenseLayer(w[:, kept], b_in[kept], layer.activation)
    removed = LayerPruning(spare.zero, spare.constant, spare.redundant, unimportant, kept)
    return removed, [narrow, following], h[:, kept]


def _rank(plan: _Plan, h: Float64, w_in: Float64, tail: Sequence[DenseLayer], count: int) -> Indices:
    """Return the `count` least important neurons, the least important first."""
    v = np.asarray(tail[0].w, np.float64)
    if plan.criterion == "obs":
        return greedy_obs(h, v, count, OBS_DAMPING)[0]
    if plan.criterion == "random":
        return plan.rng.permutation(h.shape[1])[:count]
    if plan.criterion == "taylor":
        scores = score_taylor(h, tail)
    elif plan.criterion == "std_out_l2":
        scores = score_std_out_l2(h, v)
    elif plan.criterion == "mean_activation":
        scores = score_mean_activation(h)
    else:
        scores = (score_in_l1 if plan.criterion == "in_l1" else score_in_l2)(w_in)
    return np.argsort(scores, kind="stable")[:count]


def _checked_rates(rate: float | Sequence[float], hidden: int) -> tuple[float, ...]:
    if hidden == 0:
        raise ValueError("the network has no hidden layer, so there are no neurons to prune")
    given = np.asarray(rate)
    if given.dtype.kind not in "biuf":
        raise TypeError(f"the pruning rate is {rate!r}; it must be a real number, or one a hidden layer")
    if given.ndim and given.shape != (hidden,):
        raise ValueError(
            f"the pruning rates have shape {given.shape} for {hidden} hidden layers; give one number, or one a layer"
        )
    rates = tuple(float(r) for r in np.broadcast_to(given, hidden))
    for r in rates:
        if not 0 <= r <= MAX_RATE:
            raise ValueError(f"the pruning rate is {r}; it must be in [0, {MAX_RATE}]")
    return rates


def _checked_targets(wide: FloatMLP, x: ArrayLike) -> tuple[Float64, list[Float64]]:
    """Return the rows in float64, and the pre-activations of each layer for them."""
    with np.errstate(over="ignore", invalid="ignore"):
        targets = [np.asarray(z, np.float64) for z in wide.pre_activations(x)]
    if len(targets[0]) == 0:
        raise ValueError("there are no calibration rows; give some of the training rows")
    for i, z in enumerate(targets):
        if not np.isfinite(z).all():
            raise ValueError(f"layer {i} overflows on the calibration rows; scale the inputs or the weights")
    return np.asarray(x, np.float64), targets


def _float64_parameters(layer: DenseLayer) -> tuple[Float64, Float64]:
    return np.asarray(layer.w, np.float64), np.asarray(layer.b, np.float64)


def _in_dtype(layer: DenseLayer, dtype: np.dtype[Any]) -> DenseLayer:
    """Return a layer with its parameters rounded to a dtype; one that overflows there is refused by DenseLayer."""
    with np.errstate(over="ignore"):
        return DenseLayer(layer.w.astype(dtype), layer.b.astype(dtype), layer.activation)
