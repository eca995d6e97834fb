"""Neuron pruning: zero, redundant and unimportant neurons told apart, removed from the arrays, and compensated.

Legend: R calibration rows, n neurons of a hidden layer, N outputs of the next; h (R, n) its outputs, v (n, N), b (N,)
the next layer, z (R, N) the float network's pre-activations there.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npquant.compression.compensation import fold_means, refit
from npquant.compression.saliency import SCORES, greedy_obs_order
from npquant.nn.activations import activate
from npquant.nn.model import DenseLayer, FloatMLP

Float64 = NDArray[np.float64]
Indices = NDArray[np.int64]
MAX_RATE = 0.9
CRITERIA = ("greedy_obs", *SCORES, "random")
COMPENSATIONS = ("refit", "fold", "bare")


class NothingPrunedWarning(UserWarning):
    """A positive pruning rate removed no neuron."""


@dataclass(frozen=True, slots=True, eq=False)
class LayerPruning:
    """Say what became of one hidden layer's neurons, by their index before pruning.

    Parameters
    ----------
    zero : ndarray of int64
        Removed exactly: no outgoing weight, or the same output on every calibration row.
    redundant : ndarray of int64
        Removed by merging: proportional to a neuron that stays.
    unimportant : ndarray of int64
        Removed by rank, in the order of removal.
    kept : ndarray of int64
        Left, ascending.

    Examples
    --------
    >>> none = np.array([], np.int64)
    >>> LayerPruning(none, none, np.array([2]), np.array([0, 1])).removed
    1
    """

    zero: Indices
    redundant: Indices
    unimportant: Indices
    kept: Indices

    @property
    def removed(self) -> int:
        """Number of neurons removed."""
        return len(self.zero) + len(self.redundant) + len(self.unimportant)


@dataclass(frozen=True, slots=True, eq=False)
class PruningReport:
    """Say what pruning removed.

    Parameters
    ----------
    rates : tuple of float
        By hidden layer.
    layers : tuple of LayerPruning
        By hidden layer.

    Examples
    --------
    >>> PruningReport((), ()).nothing_pruned
    True
    """

    rates: tuple[float, ...]
    layers: tuple[LayerPruning, ...]

    @property
    def kept(self) -> tuple[Indices, ...]:
        """Neurons left, by hidden layer."""
        return tuple(layer.kept for layer in self.layers)

    @property
    def nothing_pruned(self) -> bool:
        """True where no neuron was removed."""
        return not any(layer.removed for layer in self.layers)


def prune_neurons(
    model: FloatMLP,
    x_calibration: ArrayLike,
    rate: float | Sequence[float],
    *,
    criterion: str = "greedy_obs",
    compensation: str = "refit",
    rng: int | np.random.Generator | None = None,
) -> FloatMLP:
    """Remove a share of the hidden neurons from the arrays, and let the next layers make up for them.

    Parameters
    ----------
    model : FloatMLP
        Network; not changed.
    x_calibration : array of real numbers, shape (R, K)
        Training rows.
    rate : float or sequence of float
        Share of each hidden layer to remove, in [0, 0.9]; one number, or one a hidden layer.
    criterion : {"greedy_obs", "in_l1", "in_l2", "mean_activation", "std_out_l2", "random"}
        How unimportant neurons are ranked.
    compensation : {"refit", "fold", "bare"}
        What the next layer does about them.
    rng : int, Generator or None
        For "random" alone.

    Returns
    -------
    FloatMLP
        A smaller network of the same dtype. Rate 0 returns the network itself.

    Raises
    ------
    TypeError, ValueError
        If a rate is outside [0, 0.9] or the wrong number of rates is given, the network has no hidden layer, a name is
        unknown, or x_calibration does not fit.

    Warns
    -----
    NothingPrunedWarning
        If a positive rate removes nothing, because it rounds to 0 neurons.

    Notes
    -----
    R43. A layer of n loses min(floor(r n + 1/2), n - 1) neurons, in this order: zero neurons (exact), redundant ones
    (exact), then unimportant ones. Later layers see the pruned network's own outputs; targets are the float network's.

    Examples
    --------
    >>> hidden = DenseLayer(np.ones((1, 4)), np.arange(4.0), "relu")
    >>> layers = [hidden, DenseLayer(np.ones((4, 2)), np.zeros(2), "identity")]
    >>> prune_neurons(FloatMLP(layers), [[1.0], [2.0], [4.0]], 0.5).neurons
    (2, 2)
    """
    pruned, report = prune_with_report(
        model, x_calibration, rate, criterion=criterion, compensation=compensation, rng=rng
    )
    if report.nothing_pruned and any(report.rates):
        warnings.warn(
            f"nothing was pruned: the rates {report.rates} of layers with {model.neurons[:-1]} neurons round to 0; "
            "raise the rate",
            NothingPrunedWarning,
            stacklevel=2,
        )
    return pruned


def prune_with_report(
    model: FloatMLP,
    x_calibration: ArrayLike,
    rate: float | Sequence[float],
    *,
    criterion: str = "greedy_obs",
    compensation: str = "refit",
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
        What was removed; ``nothing_pruned`` replaces the warning.

    Raises
    ------
    TypeError, ValueError
        As `prune_neurons`.

    Examples
    --------
    >>> twins = DenseLayer(np.ones((1, 2)), np.zeros(2), "relu")
    >>> layers = [twins, DenseLayer(np.ones((2, 2)), np.zeros(2), "identity")]
    >>> prune_with_report(FloatMLP(layers), [[1.0], [2.0]], 0.5)[1].layers[0].redundant
    array([1])
    """
    rates = _checked_rates(rate, len(model.layers) - 1)
    if criterion not in CRITERIA or compensation not in COMPENSATIONS:
        raise ValueError(
            f"criterion {criterion!r}, compensation {compensation!r}: known are {', '.join(CRITERIA)}; "
            f"{', '.join(COMPENSATIONS)}"
        )
    wide = FloatMLP(
        tuple(DenseLayer(p.w.astype(np.float64), p.b.astype(np.float64), p.activation) for p in model.layers)
    )
    targets = wide.pre_activations(x_calibration)
    if len(targets[0]) == 0:
        raise ValueError("there are no calibration rows; give some of the training rows")
    generator = np.random.default_rng(rng)
    a: NDArray[Any] = np.asarray(x_calibration, np.float64)
    layers, plans = list(wide.layers), []
    for i, r in enumerate(rates):
        h = activate(layers[i].activation, a @ layers[i].w + layers[i].b)
        count = min(int(np.floor(r * h.shape[1] + 0.5)), h.shape[1] - 1)
        plan, layers[i + 1] = _prune_layer(
            layers[i], layers[i + 1], h, targets[i + 1], count, model.dtype, criterion, compensation, generator
        )
        layers[i] = DenseLayer(layers[i].w[:, plan.kept], layers[i].b[plan.kept], layers[i].activation)
        plans.append(plan)
        a = h[:, plan.kept]
    report = PruningReport(rates, tuple(plans))
    if report.nothing_pruned:
        return model, report
    small = (DenseLayer(layer.w.astype(model.dtype), layer.b.astype(model.dtype), layer.activation) for layer in layers)
    return FloatMLP(tuple(small)), report


def _checked_rates(rate: float | Sequence[float], hidden: int) -> tuple[float, ...]:
    if hidden == 0:
        raise ValueError("the network has no hidden layer, so there are no neurons to prune")
    given = np.asarray(rate, np.float64)
    rates = (
        tuple(float(r) for r in np.broadcast_to(given, hidden)) if given.size == 1 else tuple(map(float, given.ravel()))
    )
    if len(rates) != hidden:
        raise ValueError(f"{len(rates)} rates for {hidden} hidden layers; give one number, or one a hidden layer")
    for r in rates:
        if not 0 <= r <= MAX_RATE:
            raise ValueError(f"the pruning rate is {r}; it must be in [0, {MAX_RATE}]")
    return rates


def _prune_layer(
    layer: DenseLayer,
    following: DenseLayer,
    h: NDArray[Any],
    z: NDArray[Any],
    count: int,
    dtype: np.dtype[np.floating],
    criterion: str,
    compensation: str,
    rng: np.random.Generator,
) -> tuple[LayerPruning, DenseLayer]:
    """Remove `count` neurons of one layer: the exact ones first, then by rank."""
    v, b = following.w.astype(np.float64), following.b.astype(np.float64)
    zero = find_zero(h, v)[:count]
    b = fold_means(h, v, b, zero)
    others = np.setdiff1d(np.arange(h.shape[1]), zero)
    # Two proportional neurons of the model's dtype differ by rounding alone: a few units in the last place a term.
    tolerance = float(np.finfo(dtype).eps) * layer.w.shape[0]
    pairs = find_redundant(h, others, tolerance)[: count - len(zero)]
    for j, i, factor in pairs:
        v[i] += factor * v[j]
    redundant = np.array([j for j, _, _ in pairs], np.int64)
    others = np.setdiff1d(others, redundant)
    wanted = count - len(zero) - len(redundant)
    order = _rank(criterion, h[:, others], layer.w[:, others], v[others], wanted, rng)
    unimportant = others[order]
    kept = np.setdiff1d(others, unimportant)
    plan = LayerPruning(zero, redundant, unimportant, kept)
    if wanted and compensation == "fold":
        b = fold_means(h, v, b, unimportant)
    if wanted and compensation == "refit":
        refitted, b = refit(h[:, kept], v[kept], z)
        return plan, DenseLayer(refitted, b, following.activation)
    return plan, DenseLayer(v[kept], b, following.activation)


def _rank(
    criterion: str, h: NDArray[Any], w_in: NDArray[Any], v: Float64, count: int, rng: np.random.Generator
) -> Indices:
    if criterion == "greedy_obs":
        return greedy_obs_order(h, v, count)
    if criterion == "random":
        return rng.permutation(h.shape[1])[:count]
    return np.argsort(SCORES[criterion](h, w_in, v), kind="stable")[:count]


def find_zero(h: Float64, v: Float64) -> Indices:
    """Find the neurons that can be removed exactly: constant on every row, or without outgoing weights.

    Parameters
    ----------
    h : ndarray of float64, shape (R, n)
        Outputs of the layer.
    v : ndarray of float64, shape (n, N)
        Outgoing weights.

    Returns
    -------
    ndarray of int64
        Neurons, ascending.

    Notes
    -----
    A neuron without incoming weights is constant on every row. Such a neuron has no effect beyond the next bias.

    Examples
    --------
    >>> find_zero(np.array([[1.0, 0.0, 1.0], [1.0, 1.0, 0.0]]), np.array([[1.0], [0.0], [1.0]]))
    array([0, 1])
    """
    constant = h.max(axis=0) == h.min(axis=0)
    return np.flatnonzero(constant | ~v.any(axis=1))


def find_redundant(h: Float64, candidates: Indices, tolerance: float) -> list[tuple[int, int, float]]:
    """Find neurons that are a positive multiple of an earlier one on every row.

    Parameters
    ----------
    h : ndarray of float64, shape (R, n)
        Outputs of the layer.
    candidates : ndarray of int64
        Neurons to look at; none of them constant.
    tolerance : float
        Largest |h_j - c h_i| as a share of max |h_j|.

    Returns
    -------
    list of (j, i, c)
        Neuron j is c times neuron i, i < j, c > 0; i is not itself in the list.

    Notes
    -----
    R44. h_j = c h_i, c = h_i . h_j / h_i . h_i; then v_i := v_i + c v_j says the same without j. Equality on the
    calibration rows is the evidence; equal weights make it true everywhere.

    Examples
    --------
    >>> find_redundant(np.array([[1.0, 2.0, 0.0], [3.0, 6.0, 1.0]]), np.arange(3), 1e-12)
    [(1, 0, 2.0)]
    """
    found: list[tuple[int, int, float]] = []
    leaders: list[int] = []
    gram = h.T @ h
    for j in (int(c) for c in candidates):
        for i in leaders:
            # By Cauchy-Schwarz only nearly parallel columns are worth the exact look.
            if gram[i, j] <= 0 or gram[i, j] ** 2 < (1 - 1e-6) * gram[i, i] * gram[j, j]:
                continue
            factor = float(gram[i, j] / gram[i, i])
            if np.abs(h[:, j] - factor * h[:, i]).max() <= tolerance * np.abs(h[:, j]).max():
                found.append((j, i, factor))
                break
        else:
            leaders.append(j)
    return found
