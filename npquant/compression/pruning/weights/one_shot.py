"""Weight pruning in one shot: exact zeros by density or by an n:m pattern, and least squares for the weights that stay.

Legend: R calibration rows, K inputs and N neurons of a layer; a (R, K) inputs that the pruned chain delivers, z (R, N)
the float network's pre-activations, w (K, N) and b (N,) its parameters. Labels U0-U5 are derived in
docs/weight-pruning.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npquant.arrays import Float64, Mask, Real
from npquant.compression.chain.calibration import checked_rows
from npquant.compression.least_squares import OBS_DAMPING, REFIT_PULL
from npquant.compression.pruning.float_layers import (
    ALLOCATIONS,
    check_choices,
    checked_forward,
    float64_parameters,
    in_dtype,
    pre_activation,
)
from npquant.compression.pruning.weights.input_metric import input_metric
from npquant.compression.pruning.weights.masks import (
    kept_count,
    mask_by_count,
    mask_by_pattern,
    mask_by_score,
    masks_by_shared_count,
)
from npquant.compression.pruning.weights.refit import refit_kept_weights
from npquant.compression.pruning.weights.saliency import (
    obs_removals,
    removal_order,
    weight_scores,
    weights_in_units,
)
from npquant.nn.activations import activate
from npquant.nn.layers import dense_forward
from npquant.nn.model import DenseLayer, FloatMLP

Density = float | Sequence[float] | tuple[int, int]
CRITERIA: Final = ("magnitude", "wanda", "obs", "random")
COMPENSATIONS: Final = ("refit", "bare")


@dataclass(frozen=True, slots=True)
class LayerSparsity:
    """Say what one layer kept, and what it costs on the calibration rows.

    >>> LayerSparsity(100, 25, 24, 0.5, 0.1).density
    0.24
    """

    weights: int  # K N
    kept: int  # weights that the mask leaves
    nonzeros: int  # of these, weights that are not 0
    # Mean squared distance of the pre-activations from the float network's, over their variance: with the weights
    # merely masked, and with those returned. Both see the inputs that the pruned chain delivers.
    error_bare: float
    error: float

    @property
    def density(self) -> float:
        """nonzeros / weights."""
        return self.nonzeros / self.weights


def prune_weights(
    model: FloatMLP,
    x_calibration: ArrayLike,
    density_or_pattern: Density,
    criterion: str = "magnitude",
    compensation: str = "refit",
    *,
    allocation: str = "uniform",
    rng: int | np.random.Generator | None = None,
) -> FloatMLP:
    """Set weights to exactly 0, and let the others make up for them.

    Parameters
    ----------
    model : FloatMLP
        Network; not changed.
    x_calibration : array of real numbers, shape (R, K)
        Training rows; no labels are needed.
    density_or_pattern : float, sequence of float, or tuple of two int
        Share of the weights that stay, in (0, 1], for all layers or (as a list) for each; or (n, m): at most n of each
        m neighbouring inputs of every neuron. (k, K) keeps k weights of every neuron.
    criterion : {"magnitude", "wanda", "obs", "random"}
        Which weights go first. "magnitude" knows no units: where inputs differ in size, take another, or standardize.
    compensation : {"refit", "bare"}
        Whether the weights that stay are solved anew.
    allocation : {"uniform", "global"}
        Whether every layer has the density, or all together.
    rng : int, Generator or None
        For "random" alone.

    Returns
    -------
    FloatMLP
        Of the same shapes and dtype. The network itself where no weight that is not 0 goes: density 1 is the identity,
        and pruning twice is pruning once.

    Raises
    ------
    TypeError
        If the model is not a float network, or the density is not real.
    ValueError
        If a density is outside (0, 1], a pattern is not 1 <= n <= m, there are too many densities or too few, a name is
        unknown, "global" meets a pattern or densities by layer, or the rows are none, not finite, do not fit or
        overflow.

    Notes
    -----
    U0 to U5, layer by layer; each layer sees what the pruned layers before it deliver, and its targets are the float
    network's own pre-activations. With "global" the masks come first, from the float network's activations. A weight
    that is 0 stays 0; a layer that loses no other is left as it is. Every layer keeps at least one weight. Time: the
    refit a second or so for 300 neurons of 784 inputs, "obs" some 0.03 s for each such neuron. Sources: as in
    saliency and masks.

    Examples
    --------
    >>> layer = DenseLayer(np.array([[3.0], [1.0], [-2.0], [0.5]]), np.zeros(1), "identity")
    >>> x = np.eye(4)
    >>> prune_weights(FloatMLP((layer,)), x, (1, 2), compensation="bare").layers[0].w.ravel()
    array([ 3.,  0., -2.,  0.])
    """
    return prune_weights_with_report(
        model, x_calibration, density_or_pattern, criterion, compensation, allocation=allocation, rng=rng
    )[0]


def prune_weights_with_report(
    model: FloatMLP,
    x_calibration: ArrayLike,
    density_or_pattern: Density,
    criterion: str = "magnitude",
    compensation: str = "refit",
    *,
    allocation: str = "uniform",
    rng: int | np.random.Generator | None = None,
) -> tuple[FloatMLP, tuple[LayerSparsity, ...]]:
    """Prune as `prune_weights` does, and say what each layer kept.

    Parameters
    ----------
    model, x_calibration, density_or_pattern, criterion, compensation, allocation, rng
        As for `prune_weights`, errors included.

    Returns
    -------
    model : FloatMLP
        The sparse network.
    report : tuple of LayerSparsity
        One a layer.

    Examples
    --------
    >>> layer = DenseLayer(np.array([[3.0], [1.0], [-2.0], [0.5]]), np.zeros(1), "identity")
    >>> _, (report,) = prune_weights_with_report(FloatMLP((layer,)), np.eye(4), 0.5)
    >>> report.kept, report.nonzeros, report.error < report.error_bare
    (2, 2, True)
    """
    if not isinstance(model, FloatMLP):
        raise TypeError(f"the model is {type(model).__name__}; weight pruning starts from a FloatMLP")
    plan = _checked_plan(model, density_or_pattern, criterion, compensation, allocation, np.random.default_rng(rng))
    rows = checked_rows(x_calibration)
    cache = checked_forward(model, rows)
    masks = _masks_of_all(plan, model, [rows, *cache.a[:-1]]) if allocation == "global" else None
    targets = cache.z
    del cache  # what follows needs the memory of the float network's activations
    a, layers, report = rows, [], []
    for i, (layer, z) in enumerate(zip(model.layers, targets, strict=True)):
        mask = _mask_of_layer(plan, i, a, float64_parameters(layer)[0]) if masks is None else masks[i]
        pruned, sparsity, a = _prune_layer(plan, layer, mask, a, np.asarray(z, np.float64))
        layers.append(pruned)
        report.append(sparsity)
    changed = any(new is not old for new, old in zip(layers, model.layers, strict=True))
    return FloatMLP(tuple(layers)) if changed else model, tuple(report)


@dataclass(frozen=True, slots=True, eq=False)
class _Plan:
    """How to prune: the same for every layer, but for the densities."""

    densities: tuple[float, ...] | None
    pattern: tuple[int, int] | None
    criterion: str
    compensation: str
    rng: np.random.Generator


def _checked_plan(
    model: FloatMLP, wanted: Density, criterion: str, compensation: str, allocation: str, rng: np.random.Generator
) -> _Plan:
    check_choices(
        ("criterion", criterion, CRITERIA),
        ("compensation", compensation, COMPENSATIONS),
        ("allocation", allocation, ALLOCATIONS),
    )
    if isinstance(wanted, tuple) and len(wanted) == 2 and all(isinstance(v, int | np.integer) for v in wanted):
        n, m = int(wanted[0]), int(wanted[1])
        if not 1 <= n <= m:
            raise ValueError(f"the pattern is {wanted}; (n, m) needs 1 <= n <= m: n weights stay of each m")
        if allocation == "global":
            raise ValueError("a pattern leaves the same share in every layer: allocation must be 'uniform'")
        return _Plan(None, (n, m), criterion, compensation, rng)
    given_density = np.asarray(wanted)
    if given_density.dtype.kind not in "iuf":
        raise TypeError(f"the density is {wanted!r}; give a real number, one a layer, or a pattern (n, m)")
    if given_density.ndim and (allocation == "global" or given_density.shape != (len(model.layers),)):
        raise ValueError(
            f"the densities have shape {given_density.shape} for {len(model.layers)} layers and allocation "
            f"{allocation!r}: give one number, or with 'uniform' one a layer"
        )
    densities = tuple(float(d) for d in np.broadcast_to(given_density, len(model.layers)))
    for d in densities:
        if not 0 < d <= 1:
            raise ValueError(f"the density is {d}; it must be in (0, 1]. A pattern (n, m) is a tuple of two integers")
    return _Plan(densities, None, criterion, compensation, rng)


def _mask_of_layer(plan: _Plan, index: int, a: Float64, w: Float64) -> Mask:
    """Choose the weights of one layer that stay."""
    if plan.pattern is not None:
        n, m = plan.pattern
        if plan.criterion == "obs" and n < m:
            return _obs_pattern(a, w, n, m)
        return mask_by_pattern(weight_scores(plan.criterion, a, w, plan.rng) if n < m else np.abs(w), n, m)
    count = kept_count(plan.densities[index] if plan.densities else 1.0, w.size)
    if count == w.size:
        return np.ones(w.shape, bool)
    if plan.criterion == "obs":
        return mask_by_count(removal_order(plan.criterion, a, w, OBS_DAMPING, plan.rng), _shape(w), count)
    return mask_by_score(weight_scores(plan.criterion, a, w, plan.rng), count)


def _obs_pattern(a: Float64, w: Float64, n: int, m: int) -> Mask:
    """Remove by U2 while a group has more than n weights."""
    metric = input_metric(a, OBS_DAMPING)
    weights, inverse = weights_in_units(metric, w), np.asarray(np.linalg.inv(metric.matrix), np.float64)
    mask = np.ones(w.shape, bool)
    count = len(w) - int(mask_by_pattern(np.ones((len(w), 1)), n, m).sum())
    for column in range(w.shape[1]):
        mask[obs_removals(inverse, weights[:, column], count, m, n)[0], column] = False
    return mask


def _masks_of_all(plan: _Plan, model: FloatMLP, inputs: Sequence[Real]) -> tuple[Mask, ...]:
    """Choose the weights of all layers by U4, on the float network's activations."""
    shapes = [_shape(layer.w) for layer in model.layers]
    count = kept_count(plan.densities[0] if plan.densities else 1.0, model.macs, len(shapes))
    if count == model.macs:
        return tuple(np.ones(shape, bool) for shape in shapes)
    orders = [
        removal_order(plan.criterion, np.asarray(a, np.float64), float64_parameters(layer)[0], OBS_DAMPING, plan.rng)
        for a, layer in zip(inputs, model.layers, strict=True)
    ]
    return masks_by_shared_count(orders, shapes, count)


def _prune_layer(
    plan: _Plan, layer: DenseLayer, mask: Mask, a: Float64, z: Float64
) -> tuple[DenseLayer, LayerSparsity, Float64]:
    """Set the weights that go to 0, compensate, and measure both; return also what the layer delivers now."""
    w, b = float64_parameters(layer)
    stays, pruned = mask & (w != 0), layer
    bare = _relative_error(dense_forward(a, np.where(stays, w, 0.0), b)[0], z)
    if not np.array_equal(stays, w != 0):
        if plan.compensation == "refit":
            pruned = DenseLayer(*refit_kept_weights(a, w, stays, z, REFIT_PULL), layer.activation)
            pruned = in_dtype(pruned, layer.w.dtype)
        else:
            pruned = DenseLayer(np.where(stays, layer.w, layer.w.dtype.type(0)), layer.b, layer.activation)
    outputs = pre_activation(pruned, a)
    nonzeros = int(np.count_nonzero(pruned.w))
    sparsity = LayerSparsity(mask.size, int(np.count_nonzero(mask)), nonzeros, bare, _relative_error(outputs, z))
    return pruned, sparsity, np.asarray(activate(layer.activation, outputs), np.float64)


def _relative_error(got: Real, z: Float64) -> float:
    """Return the mean squared distance over the variance of z, or over its mean square where it does not vary."""
    size = max(float(np.abs(part).max()) for part in (z.min(), z.max(), got.min(), got.max())) or 1.0
    distance, variance, square = np.zeros(3)
    for of_one, wanted in zip(got.T, z.T, strict=True):
        wanted = wanted / size  # so that no square overflows
        distance += np.square(of_one / size - wanted).sum()
        variance += np.square(wanted - wanted.mean()).sum()
        square += np.square(wanted).sum()
    return float(distance / (variance or square or z.size))


def _shape(w: NDArray[Any]) -> tuple[int, int]:
    return w.shape[0], w.shape[1]
