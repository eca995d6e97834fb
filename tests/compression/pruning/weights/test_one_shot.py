"""Laws of weight pruning: counts that are exact, removals that are the cheapest, least squares that are the best."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from npquant.compression.least_squares import OBS_DAMPING
from npquant.compression.pruning.float_layers import ALLOCATIONS
from npquant.compression.pruning.weights.input_metric import input_metric
from npquant.compression.pruning.weights.masks import (
    kept_count,
    mask_by_count,
    mask_by_pattern,
    mask_by_score,
    masks_by_shared_count,
)
from npquant.compression.pruning.weights.one_shot import (
    COMPENSATIONS,
    CRITERIA,
    prune_weights,
    prune_weights_with_report,
)
from npquant.compression.pruning.weights.refit import SLICE, refit_kept_weights
from npquant.compression.pruning.weights.saliency import (
    RemovalOrder,
    obs_removals,
    removal_order,
    weight_scores,
    weights_in_units,
)
from npquant.compression.rounding.nearest import quantize_nearest
from npquant.compression.rounding.uniform import quantize_uniform
from npquant.nn.activations import ACTIVATIONS
from npquant.nn.model import DenseLayer, FloatMLP

Float64 = NDArray[np.float64]
Mask = NDArray[np.bool_]
Removals = Callable[[Float64, Float64, int], tuple[NDArray[np.int64], Float64]]
Refit = Callable[[Float64, Float64, Mask, Float64, float], tuple[Float64, Float64]]
SEEDS = st.integers(0, 2**32 - 1)
GRID = (8, 6, 5, 4, 3, 2, "ternary")


def drawn_inputs(rng: np.random.Generator, rows: int, k: int) -> Float64:
    """Draw correlated inputs, one of them constant if there is room."""
    a = rng.normal(0, 1, (rows, k)) @ rng.normal(0, 1, (k, k)) + rng.normal(0, 1, k)
    if k > 3:
        a[:, 1] = 2.0
    return np.asarray(a)


def drawn_model(seed: int, activation: str = "relu", dtype: type = np.float64) -> tuple[FloatMLP, Float64]:
    """Draw a network of three layers and rows for it."""
    rng = np.random.default_rng(seed)
    widths, layers = [11, 16, 7, 3], []
    for i, name in enumerate([activation, activation, "identity"]):
        w = rng.normal(0, 1, (widths[i], widths[i + 1])) / np.sqrt(widths[i])
        layers.append(DenseLayer(w.astype(dtype), rng.normal(0, 0.3, widths[i + 1]).astype(dtype), name))
    return FloatMLP(tuple(layers)), drawn_inputs(rng, 80, 11)


# --- U2: removal by exact cost


def rise(covariance: Float64, w: Float64, gone: list[int]) -> float:
    """Return the least (v - w)^T C (v - w) over v that are 0 at `gone`."""
    keep = [j for j in range(len(w)) if j not in gone]
    v = np.zeros_like(w)
    if keep:
        coupling = covariance[np.ix_(keep, gone)] @ w[gone]
        v[keep] = w[keep] + np.linalg.solve(covariance[np.ix_(keep, keep)], coupling)
    return float((v - w) @ covariance @ (v - w))


def law_each_removal_is_the_cheapest(removals: Removals, covariance: Float64, w: Float64) -> None:
    """At every step no other weight would add less to the exact least-squares error, and the cost is what is added."""
    order, cost = removals(np.linalg.inv(covariance), w, len(w))
    assert sorted(order) == list(range(len(w)))
    scale, before, gone = float(w @ covariance @ w), 0.0, list[int]()
    # Rounding: K steps with numbers of the size of w^T C w, through an inverse of condition kappa.
    slack = 8 * len(w) * np.finfo(float).eps * np.linalg.cond(covariance) * max(scale, 1e-300)
    for j, added in zip(order, cost, strict=True):
        others = [rise(covariance, w, [*gone, i]) for i in range(len(w)) if i not in gone]
        gone.append(int(j))
        after = rise(covariance, w, gone)
        assert after <= min(others) + slack
        assert abs(after - before - added) <= slack
        before = after


@given(SEEDS, st.integers(1, 9))
def test_obs_removals_each_is_the_cheapest(seed: int, k: int) -> None:
    """U2 is brute force, one weight at a time."""
    rng = np.random.default_rng(seed)
    w = rng.normal(0, 1, k)
    w[rng.random(k) < 0.2] = 0.0
    law_each_removal_is_the_cheapest(obs_removals, input_metric(drawn_inputs(rng, 40, k), 1e-2).matrix, w)


def by_first_cost(inverse: Float64, w: Float64, count: int) -> tuple[NDArray[np.int64], Float64]:
    """Rank by the cost of the first removal, and forget that each removal changes the rest."""
    cost = w * w / np.diag(inverse)
    order = np.argsort(cost, kind="stable")[:count]
    return order, cost[order]


def by_magnitude(inverse: Float64, w: Float64, count: int) -> tuple[NDArray[np.int64], Float64]:
    """Rank by size, with the true costs of that order."""
    order = np.argsort(np.abs(w), kind="stable")[:count]
    covariance = np.linalg.inv(inverse)
    totals = [rise(covariance, w, [int(j) for j in order[: i + 1]]) for i in range(count)]
    return order, np.diff(totals, prepend=0.0)


@pytest.mark.parametrize("mutant", [by_first_cost, by_magnitude])
def test_law_each_removal_is_the_cheapest_kills(mutant: Removals) -> None:
    """A rank that is not renewed, and a rank by size, are seen."""
    rng = np.random.default_rng(0)
    with pytest.raises(AssertionError):
        law_each_removal_is_the_cheapest(
            mutant, input_metric(drawn_inputs(rng, 40, 8), 1e-2).matrix, rng.normal(0, 1, 8)
        )


def test_obs_removals_removes_zeros_first_and_ties_by_index() -> None:
    """A weight that is 0 costs nothing; equal costs go by index."""
    order, cost = obs_removals(np.eye(5), np.array([1.0, 0.0, 1.0, 0.0, 1.0]), 5)
    np.testing.assert_array_equal(order, [1, 3, 0, 2, 4])
    np.testing.assert_array_equal(cost, [0, 0, 1, 1, 1])


@given(SEEDS)
def test_obs_removals_does_not_depend_on_how_many_are_asked_for(seed: int) -> None:
    """The first removals are the same, also where rows of weights that are gone are dropped from memory."""
    rng = np.random.default_rng(seed)
    inverse = np.linalg.inv(input_metric(drawn_inputs(rng, 60, 20), 1e-2).matrix)
    w = rng.normal(0, 1, 20)
    order, _ = obs_removals(inverse, w, 20)
    np.testing.assert_array_equal(obs_removals(inverse, w, 7)[0], order[:7])


@given(SEEDS, st.integers(1, 3), st.integers(0, 3))
def test_obs_order_of_a_layer_is_every_neurons_own(seed: int, n: int, zeros: int) -> None:
    """The layer's order holds each neuron's order, and its scores never fall."""
    rng = np.random.default_rng(seed)
    a, w = drawn_inputs(rng, 40, 6), rng.normal(0, 1, (6, n))
    w[:zeros] = 0.0
    found = removal_order("obs", a, w, 1e-2, rng)
    assert sorted(found.order) == list(range(w.size)) and (np.diff(found.score) >= 0).all()
    metric = input_metric(a, 1e-2)
    inverse, weights = np.linalg.inv(metric.matrix), weights_in_units(metric, w)
    for column in range(n):
        own = found.order[found.order % n == column] // n
        np.testing.assert_array_equal(own, obs_removals(inverse, weights[:, column], 6)[0])


# --- U1: scores


def test_weight_scores_are_what_the_papers_say() -> None:
    """Magnitude is the square; wanda is the square of |w| times the length of the input over the rows."""
    rng = np.random.default_rng(0)
    a, w = drawn_inputs(rng, 30, 5), rng.normal(0, 1, (5, 4))
    wanda = (np.abs(w) * np.linalg.norm(a, axis=0)[:, np.newaxis]) ** 2
    for name, wanted in (("magnitude", w**2), ("wanda", wanda)):
        got = weight_scores(name, a, w, rng)
        np.testing.assert_allclose(got / got.max(), wanted / wanted.max(), rtol=1e-13)  # a handful of roundings
        assert (np.argsort(got.ravel()) == np.argsort(wanted.ravel())).all()
    drawn = weight_scores("random", a, np.where(w > 0, w, 0.0), np.random.default_rng(1))
    assert ((drawn > 0) == (w > 0)).all()


def test_weight_scores_do_not_overflow() -> None:
    """The largest weights and inputs of float64 still rank."""
    w = np.array([[1e300], [-1e308], [0.0]])
    for criterion in ("magnitude", "wanda"):
        got = weight_scores(criterion, np.full((2, 3), 1e300), w, np.random.default_rng(0))
        assert got[1, 0] > got[0, 0] > got[2, 0] == 0


# --- U3, U4: masks


def keeps_what_the_order_keeps(choose: Callable[[Float64, int], Mask], seed: int) -> bool:
    """Say whether a mask by scores, many of them equal, is the one by their order, ties by index."""
    rng = np.random.default_rng(seed)
    shape = (int(rng.integers(1, 9)), int(rng.integers(1, 5)))
    score = rng.integers(0, 4, shape).astype(float)
    count = int(rng.integers(1, score.size + 1))
    order = np.argsort(score.ravel(), kind="stable")
    wanted = mask_by_count(RemovalOrder(order, score.ravel()[order]), shape, count)
    return np.array_equal(choose(score, count), wanted)


@given(seed=SEEDS)
def test_mask_by_score_keeps_what_the_order_keeps(seed: int) -> None:
    """U3: the border alone tells which weights stay; of equal scores the lower index goes first."""
    assert keeps_what_the_order_keeps(mask_by_score, seed)


def test_order_law_kills_other_ties() -> None:
    """Of equal scores the higher index gone first, and all equal ones kept, are seen."""

    def first_stays(score: Float64, count: int) -> Mask:
        return np.asarray(mask_by_score(score[::-1, ::-1], count)[::-1, ::-1])

    def all_stay(score: Float64, count: int) -> Mask:
        return np.asarray(score >= np.sort(score, axis=None)[-count])

    for wrong in (first_stays, all_stay):
        assert not all(keeps_what_the_order_keeps(wrong, seed) for seed in range(10))


@given(SEEDS, st.integers(1, 20), st.integers(1, 5), st.integers(1, 9), st.integers(1, 9))
def test_mask_by_pattern_holds_in_every_group(seed: int, k: int, neurons: int, n: int, m: int) -> None:
    """Each group of m keeps n, a shorter last one min(n, its length), and no weight that goes beats one that stays."""
    n, m = min(n, m), max(n, m)
    scores = np.random.default_rng(seed).integers(0, 5, (k, neurons)).astype(np.float64)
    mask = mask_by_pattern(scores, n, m)
    for start in range(0, k, m):
        group, kept = scores[start : start + m], mask[start : start + m]
        assert (kept.sum(axis=0) == min(n, len(group))).all()
        for column in range(neurons):
            stays, goes = group[kept[:, column], column], group[~kept[:, column], column]
            assert not len(goes) or goes.max() <= stays.min()
            # Ties: the lower index goes.
            at = np.flatnonzero(group[:, column] == stays.min())
            assert (np.diff(kept[at, column].astype(int)) >= 0).all()


@given(st.floats(1e-9, 1), st.integers(1, 10**6))
def test_kept_count_rounds_half_up(density: float, size: int) -> None:
    """U3: the nearest whole number, at least 1 and at most all."""
    count = kept_count(density, size)
    assert 1 <= count <= size
    # The product and the sum round once each.
    assert abs(count - density * size) <= 0.5 + size * 2.0**-51 or count == 1
    assert kept_count(0.5, 2 * (size // 2) + 1) == size // 2 + 1 and kept_count(1.0, size) == size


@given(SEEDS, st.integers(1, 4), st.floats(0.01, 1))
def test_masks_by_shared_count_are_exact_and_leave_no_layer_empty(seed: int, layers: int, density: float) -> None:
    """U4: the count is exact over all layers, each keeps its best, and layers scaled by powers of two keep the same."""
    rng = np.random.default_rng(seed)
    shapes = [(int(rng.integers(1, 9)), int(rng.integers(1, 9))) for _ in range(layers)]
    orders = []
    for shape in shapes:
        score = np.sort(np.where(rng.random() < 0.2, 0.0, rng.random(shape[0] * shape[1])))
        orders.append(RemovalOrder(rng.permutation(len(score)), score))
    count = kept_count(density, sum(k * n for k, n in shapes), layers)
    masks = masks_by_shared_count(orders, shapes, count)
    assert sum(int(mask.sum()) for mask in masks) == count and all(mask.any() for mask in masks)
    for mask, order, shape in zip(masks, orders, shapes, strict=True):
        np.testing.assert_array_equal(mask, mask_by_count(order, shape, int(mask.sum())))
    scaled = [RemovalOrder(o.order, o.score * 2.0 ** int(rng.integers(-30, 30))) for o in orders]
    for one, two in zip(masks, masks_by_shared_count(scaled, shapes, count), strict=True):
        np.testing.assert_array_equal(one, two)


def test_masks_by_shared_count_compares_by_what_is_left() -> None:
    """U4 on paper: shares 1/10, 2/9, 3/7, 1 against 5/10, 1; three of six stay."""
    orders = [
        RemovalOrder(np.arange(4), np.array([1.0, 2.0, 3.0, 4.0])),
        RemovalOrder(np.arange(2), np.array([5.0, 5.0])),
    ]
    one, two = masks_by_shared_count(orders, [(4, 1), (2, 1)], 3)
    np.testing.assert_array_equal(one.ravel(), [False, False, False, True])
    np.testing.assert_array_equal(two.ravel(), [True, True])


# --- U5: refit


def masked_lstsq(a: Float64, w: Float64, kept: Mask, z: Float64, share: float) -> tuple[Float64, Float64]:
    """Solve U5 by NumPy's least squares: data rows, a column of ones for the bias, and a row a weight for the pull."""
    variance = np.where((a != a[0]).any(axis=0), a.var(axis=0), 0.0)
    # Where nothing varies any pull keeps the weight.
    pull = np.sqrt(np.where(variance > 0, share * variance, 1.0))
    v, b = np.zeros_like(w), np.zeros(w.shape[1])
    for n in range(w.shape[1]):
        s = np.flatnonzero(kept[:, n])
        data = np.column_stack([a[:, s], np.ones(len(a))]) / np.sqrt(len(a))
        ridge = np.column_stack([np.diag(pull[s]), np.zeros(len(s))])
        wanted = np.concatenate([z[:, n] / np.sqrt(len(a)), pull[s] * w[s, n]])
        solution = np.linalg.lstsq(np.vstack([data, ridge]), wanted, rcond=None)[0]
        v[s, n], b[n] = solution[:-1], solution[-1]
    return v, b


def law_refit_is_least_squares(refit: Refit, seed: int, rows: int, density: float) -> None:
    """U5 equals masked least squares, within rounding times the condition of the normal equations."""
    rng = np.random.default_rng(seed)
    a, w = drawn_inputs(rng, rows, 8), rng.normal(0, 1, (8, 4))
    kept, z = rng.random((8, 4)) < density, rng.normal(0, 3, (rows, 4))
    share = 1e-3
    v, b = refit(a, w, kept, z, share)
    wanted_v, wanted_b = masked_lstsq(a, w, kept, z, share)
    assert not v[~kept].any()
    metric = input_metric(a, share)
    # In units of the inputs |v| <= |w| + |g| / least, |g| is of the size of |z - a w|, and so is its rounding.
    size = float(np.abs(z).max() + 8 * np.abs(w * metric.unit[:, np.newaxis]).max())
    least = float(np.linalg.eigvalsh(metric.matrix)[0])
    slack = 64 * np.finfo(float).eps * np.linalg.cond(metric.matrix) * (1 + size / least)
    assert np.abs((v - wanted_v) * metric.unit[:, np.newaxis]).max() <= slack
    assert np.abs(b - wanted_b).max() <= slack * (1 + 8 * np.abs(metric.mean / metric.unit).max())


@given(SEEDS, st.integers(1, 60), st.sampled_from([0.0, 0.3, 0.6, 1.0]))
def test_refit_is_masked_least_squares(seed: int, rows: int, density: float) -> None:
    """For few rows and many, for neurons that keep everything or nothing."""
    law_refit_is_least_squares(refit_kept_weights, seed, rows, density)


def refit_then_mask(a: Float64, w: Float64, kept: Mask, z: Float64, share: float) -> tuple[Float64, Float64]:
    """Solve with all weights, and mask afterwards."""
    v, b = refit_kept_weights(a, w, np.ones_like(kept), z, share)
    return np.where(kept, v, 0.0), b


def refit_without_mean(a: Float64, w: Float64, kept: Mask, z: Float64, share: float) -> tuple[Float64, Float64]:
    """Leave the bias at the mean of z."""
    return refit_kept_weights(a, w, kept, z, share)[0], z.mean(axis=0)


def no_refit(a: Float64, w: Float64, kept: Mask, z: Float64, share: float) -> tuple[Float64, Float64]:
    """Mask alone."""
    v = np.where(kept, w, 0.0)
    return v, z.mean(axis=0) - a.mean(axis=0) @ v


@pytest.mark.parametrize("mutant", [refit_then_mask, refit_without_mean, no_refit])
def test_law_refit_is_least_squares_kills(mutant: Refit) -> None:
    """Masking after the solution, a bias without the inputs' mean, and no solution at all are seen."""
    with pytest.raises(AssertionError):
        law_refit_is_least_squares(mutant, 0, 60, 0.6)


# --- the whole


@given(SEEDS, st.sampled_from(list(ACTIVATIONS)), st.sampled_from(CRITERIA), st.sampled_from([0.03, 0.25, 0.5, 0.9]))
def test_prune_weights_keeps_exactly_the_count(seed: int, activation: str, criterion: str, density: float) -> None:
    """U3 by layer, U4 over all layers; zeros are exact, shapes, dtype and activations stay."""
    model, x = drawn_model(seed, activation, np.float32)
    for allocation in ALLOCATIONS:
        pruned, report = prune_weights_with_report(model, x, density, criterion, allocation=allocation, rng=1)
        nonzeros = [int(np.count_nonzero(layer.w)) for layer in pruned.layers]
        if allocation == "uniform":
            assert nonzeros == [kept_count(density, layer.w.size) for layer in model.layers]
        else:
            assert sum(nonzeros) == kept_count(density, model.macs, 3) and min(nonzeros) >= 1
        assert [r.nonzeros for r in report] == nonzeros == [r.kept for r in report]
        assert pruned.dtype == np.float32 and pruned.activation_names == model.activation_names


@given(SEEDS, st.sampled_from(CRITERIA), st.sampled_from([(2, 4), (1, 4), (1, 8), (3, 5), (1, 1), (2, 11)]))
def test_prune_weights_holds_the_pattern(seed: int, criterion: str, pattern: tuple[int, int]) -> None:
    """Every group of every neuron keeps n, in every layer, by every criterion."""
    model, x = drawn_model(seed)
    n, m = pattern
    for layer in prune_weights(model, x, pattern, criterion, rng=1).layers:
        for start in range(0, len(layer.w), m):
            group = layer.w[start : start + m]
            assert (np.count_nonzero(group, axis=0) == min(n, len(group))).all()


@given(
    SEEDS, st.sampled_from(CRITERIA), st.sampled_from(COMPENSATIONS), st.sampled_from([0.2, (1, 4), [0.5, 1.0, 0.2]])
)
def test_prune_weights_twice_is_once(seed: int, criterion: str, compensation: str, what: Any) -> None:
    """A network that meets the density already is returned as it is; so is any network at density 1."""
    model, x = drawn_model(seed)
    once = prune_weights(model, x, what, criterion, compensation, rng=1)
    assert prune_weights(once, x, what, criterion, compensation, rng=2) is once
    for allocation in ALLOCATIONS:
        assert prune_weights(model, x, 1.0, criterion, compensation, allocation=allocation) is model
    assert prune_weights(model, x, (4, 4), criterion, compensation) is model


@given(SEEDS, st.sampled_from(CRITERIA))
def test_prune_weights_bare_keeps_what_stays(seed: int, criterion: str) -> None:
    """Without compensation every weight is the old one or 0, and every bias the old one, bit for bit."""
    model, x = drawn_model(seed, dtype=np.float32)
    for new, old in zip(prune_weights(model, x, 0.4, criterion, "bare", rng=1).layers, model.layers, strict=True):
        np.testing.assert_array_equal(new.w, np.where(new.w != 0, old.w, 0))
        np.testing.assert_array_equal(new.b, old.b)


@given(SEEDS, st.sampled_from(["magnitude", "wanda", "obs"]))
def test_prune_weights_refit_lowers_the_first_layers_error(seed: int, criterion: str) -> None:
    """On the same inputs, least squares is no worse than the masked weights, up to the pull, which both have."""
    model, x = drawn_model(seed)
    _, report = prune_weights_with_report(model, x, 0.3, criterion)
    assert report[0].error <= report[0].error_bare * (1 + 1e-12)


def test_prune_weights_repeats_itself() -> None:
    """The same arguments give the same bytes; another seed draws other weights."""
    model, x = drawn_model(0)
    for criterion in CRITERIA:
        one, two = (prune_weights(model, x, 0.3, criterion, rng=7) for _ in range(2))
        assert all(a.w.tobytes() == b.w.tobytes() for a, b in zip(one.layers, two.layers, strict=True))
    one, two = (prune_weights(model, x, 0.3, "random", rng=seed) for seed in (7, 8))
    assert any((a.w != b.w).any() for a, b in zip(one.layers, two.layers, strict=True))


def test_prune_weights_leaves_an_all_zero_layer() -> None:
    """A layer of zeros stays one, wherever it stands and whatever the criterion."""
    model, x = drawn_model(0)
    layers = list(model.layers)
    layers[1] = DenseLayer(np.zeros_like(layers[1].w), layers[1].b, layers[1].activation)
    for criterion in CRITERIA:
        for what in (0.3, (1, 4)):
            pruned, report = prune_weights_with_report(FloatMLP(tuple(layers)), x, what, criterion, rng=0)
            assert pruned.layers[1] is layers[1] and report[1].nonzeros == 0
        pruned = prune_weights(FloatMLP(tuple(layers)), x, 0.3, criterion, allocation="global", rng=0)
        assert not pruned.layers[1].w.any()


@pytest.mark.parametrize("rows", [np.ones((1, 11)), np.zeros((4, 11)), np.full((3, 11), 7.0)])
@pytest.mark.parametrize("criterion", CRITERIA)
def test_prune_weights_answers_degenerate_rows(rows: Float64, criterion: str) -> None:
    """One row, all zeros, or the same row again and again: what no row shows stays at its weight, and all is finite."""
    model, x = drawn_model(0)
    pruned = prune_weights(model, rows, 0.5, criterion, rng=0)
    assert np.isfinite(pruned.logits(x)).all()
    first = pruned.layers[0].w
    np.testing.assert_array_equal(first[first != 0], model.layers[0].w[first != 0])
    # The rows that were seen are answered as before.
    np.testing.assert_allclose(pruned.logits(rows), model.logits(rows), rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    ("arguments", "error", "word"),
    [
        ({"density_or_pattern": 0}, ValueError, r"\(0, 1\]"),
        ({"density_or_pattern": 1.5}, ValueError, r"\(0, 1\]"),
        ({"density_or_pattern": float("nan")}, ValueError, r"\(0, 1\]"),
        ({"density_or_pattern": [2, 4]}, ValueError, "densities have shape"),
        ({"density_or_pattern": [2, 4, 4]}, ValueError, "tuple of two integers"),
        ({"density_or_pattern": (0, 4)}, ValueError, "1 <= n <= m"),
        ({"density_or_pattern": (5, 4)}, ValueError, "1 <= n <= m"),
        ({"density_or_pattern": "2:4"}, TypeError, "real number"),
        ({"density_or_pattern": True}, TypeError, "real number"),
        ({"density_or_pattern": [0.5, 0.5]}, ValueError, "3 layers"),
        ({"density_or_pattern": [0.5] * 3, "allocation": "global"}, ValueError, "uniform"),
        ({"density_or_pattern": (2, 4), "allocation": "global"}, ValueError, "uniform"),
        ({"criterion": "taste"}, ValueError, "criterion"),
        ({"compensation": "hope"}, ValueError, "compensation"),
        ({"allocation": "lottery"}, ValueError, "allocation"),
        ({"x_calibration": np.zeros((0, 11))}, ValueError, "x_calibration"),
        ({"x_calibration": np.zeros((2, 10))}, ValueError, "takes"),
        ({"x_calibration": np.full((2, 11), np.nan)}, ValueError, "NaN"),
        ({"x_calibration": np.full((2, 11), 1e308)}, ValueError, "overflows"),
    ],
)
def test_prune_weights_refuses(arguments: dict[str, Any], error: type[Exception], word: str) -> None:
    """Each bad argument is named."""
    model, x = drawn_model(0)
    with pytest.raises(error, match=word):
        prune_weights(model, **{"x_calibration": x, "density_or_pattern": 0.5, **arguments})


def test_prune_weights_takes_rows_whose_squares_overflow() -> None:
    """Nothing that is needed squares a row: the first layer keeps what it keeps for small rows."""
    model, x = drawn_model(0)
    for criterion in CRITERIA:
        for compensation in COMPENSATIONS:
            large, report = prune_weights_with_report(model, x * 2.0**600, 0.5, criterion, compensation, rng=0)
            assert np.isfinite([layer.error for layer in report]).all()
            # Later layers see biases that no longer count.
            small = prune_weights(model, x, 0.5, criterion, compensation, rng=0)
            np.testing.assert_array_equal(large.layers[0].w != 0, small.layers[0].w != 0)


def law_units_of_inputs_do_not_matter(prune: Callable[[FloatMLP, Float64], FloatMLP], seed: int) -> None:
    """Inputs in other units, their weights in the inverse ones: the same network, in other units."""
    model, x = drawn_model(seed)
    units = 2.0 ** np.random.default_rng(seed).integers(-20, 21, x.shape[1])
    first = model.layers[0]
    other = FloatMLP((DenseLayer(first.w / units[:, np.newaxis], first.b, first.activation), *model.layers[1:]))  # type: ignore[index]
    one, two = prune(model, x), prune(other, x * units)
    np.testing.assert_array_equal(one.layers[0].w != 0, two.layers[0].w != 0)
    # All is scaled by powers of two, which rounds nothing, but for the order in which x @ w is summed: 11 inputs.
    slack = 1e6 * np.finfo(float).eps * np.abs(one.layers[0].w).max()
    assert np.abs(one.layers[0].w - two.layers[0].w * units[:, np.newaxis]).max() <= slack  # type: ignore[index]


@given(SEEDS, st.sampled_from([0.3, (1, 4)]), st.sampled_from(["wanda", "obs"]))
def test_prune_weights_does_not_look_at_units(seed: int, what: Any, criterion: str) -> None:
    """U0: what an input is measured in changes neither what stays nor what it becomes."""
    law_units_of_inputs_do_not_matter(lambda model, x: prune_weights(model, x, what, criterion), seed)


def test_law_units_of_inputs_do_not_matter_kills_magnitude() -> None:
    """The size of a weight says how its input is measured."""
    with pytest.raises(AssertionError):
        law_units_of_inputs_do_not_matter(lambda model, x: prune_weights(model, x, 0.3), 0)


@pytest.mark.parametrize("criterion", CRITERIA)
@pytest.mark.parametrize("shape", [(1, 1), (1, 4), (5, 1)])
def test_prune_weights_takes_the_smallest_networks(shape: tuple[int, int], criterion: str) -> None:
    """One layer, one input or one output: the counts hold, and one weight always stays."""
    model = FloatMLP(
        (DenseLayer(np.arange(1.0, 1 + shape[0] * shape[1]).reshape(shape), np.zeros(shape[1]), "identity"),)
    )
    x = np.random.default_rng(0).normal(0, 1, (7, shape[0]))
    for what, count in ((1e-9, 1), (0.5, kept_count(0.5, shape[0] * shape[1])), ((1, 4), shape[1] * -(-shape[0] // 4))):
        for allocation in ALLOCATIONS if isinstance(what, float) else ("uniform",):
            pruned = prune_weights(model, x, what, criterion, allocation=allocation, rng=0)
            assert np.count_nonzero(pruned.layers[0].w) == count


def test_prune_weights_refuses_an_integer_network() -> None:
    """A network that is integer already is pruned before it is quantized."""
    model, x = drawn_model(0)
    with pytest.raises(TypeError, match="FloatMLP"):
        prune_weights(quantize_uniform(model, x), x, 0.5)


@pytest.mark.parametrize("bits", GRID)
@pytest.mark.parametrize("quantizer", [quantize_uniform, quantize_nearest])
def test_quantizing_keeps_zeros_zero(quantizer: Callable[..., Any], bits: Any) -> None:
    """Nearest rounding at zero point 0 has no way to move a 0, whatever is fitted afterwards."""
    model, x = drawn_model(3)
    pruned = prune_weights(model, x, 0.3)
    for layer, dense in zip(quantizer(pruned, x, bits).layers, pruned.layers, strict=True):
        assert not layer.w_q[dense.w == 0].any()


def test_obs_pattern_takes_the_cheapest_of_the_groups_with_room() -> None:
    """With groups of 3 and 2 inputs, the removals are those of brute force among groups that may still lose one."""
    rng = np.random.default_rng(5)
    a, w = rng.normal(0, 1, (50, 5)) @ rng.normal(0, 1, (5, 5)), rng.normal(0, 1, (5, 1))
    metric = input_metric(a, OBS_DAMPING)
    covariance, weights = metric.matrix, (w * metric.unit[:, np.newaxis])[:, 0]
    gone: list[int] = []
    room = {0: 2, 1: 1}
    while sum(room.values()):
        allowed = [j for j in range(5) if j not in gone and room[j // 3]]
        gone.append(min(allowed, key=lambda j: rise(covariance, weights, [*gone, j])))
        room[gone[-1] // 3] -= 1
    model = FloatMLP((DenseLayer(w, np.zeros(1), "identity"),))
    pruned = prune_weights(model, a, (1, 3), "obs", "bare").layers[0].w
    assert sorted(gone) == list(np.flatnonzero(pruned[:, 0] == 0))


def test_refit_solves_more_neurons_than_a_slice() -> None:
    """U5: slices join without a seam: neurons again and again are solved as the first of their kind."""
    rng = np.random.default_rng(0)
    a, w, z = drawn_inputs(rng, 40, 6), rng.normal(size=(6, 3)), rng.normal(size=(40, 3))
    kept, times = rng.random((6, 3)) < 0.6, SLICE // 3 + 2
    v, b = refit_kept_weights(a, np.tile(w, times), np.tile(kept, times), np.tile(z, times), 1e-2)
    one, bias = refit_kept_weights(a, w, kept, z, 1e-2)
    # Sums of 40 rows in another order, in systems of condition below 1 + 6 / 1e-2 in the inputs' own units: 40 u 601.
    np.testing.assert_allclose(v, np.tile(one, times), rtol=0, atol=40 * 2.0**-53 * 601 * (1 + np.abs(one).max()))
    np.testing.assert_allclose(b, np.tile(bias, times), rtol=0, atol=40 * 2.0**-53 * 601 * (1 + np.abs(a).sum()))
    assert (v[~np.tile(kept, times)] == 0).all()
