"""Pruning laws: dead and duplicate neurons cost nothing, rate 0 is the identity, scores are what they claim to be."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npquant.compression.compensation import refit
from npquant.compression.pruning import (
    CRITERIA,
    NothingPrunedWarning,
    find_redundant,
    find_zero,
    prune_neurons,
    prune_with_report,
)
from npquant.compression.saliency import damped_covariance, greedy_obs_order
from npquant.nn.model import DenseLayer, FloatMLP

SEEDS = st.integers(0, 2**32 - 1)
ACTIVATIONS = ["relu", "clipped_relu", "sigmoid", "tanh"]


def network(rng, widths, activation="relu", *, integers=False) -> FloatMLP:
    """Draw a float64 network; with integers every product and sum is exact."""

    def draw(*shape):
        return rng.integers(-3, 4, shape).astype(np.float64) if integers else rng.normal(0, 0.7, shape)

    names = [activation] * (len(widths) - 2) + ["identity"]
    return FloatMLP([DenseLayer(draw(k, n), draw(n), a) for k, n, a in zip(widths, widths[1:], names, strict=False)])


def with_spare_neurons(net: FloatMLP, rng, layer: int, kinds: list[str]) -> FloatMLP:
    """Append dead and duplicate neurons to a hidden layer of a network."""
    here, after = net.layers[layer], net.layers[layer + 1]
    w, b, v = here.w.copy(), here.b.copy(), after.w.copy()
    for kind in kinds:
        source = int(rng.integers(0, here.w.shape[1]))
        column = {"unused": w[:, :1], "constant": 0 * w[:, :1], "twin": w[:, [source]], "double": 2 * w[:, [source]]}[
            kind
        ]
        offset = {"unused": 1.0, "constant": 2.0, "twin": b[source], "double": 2 * b[source]}[kind]
        w, b = np.hstack([w, column]), np.append(b, offset)
        row = np.zeros((1, v.shape[1])) if kind == "unused" else rng.integers(-3, 4, (1, v.shape[1])).astype(float)
        v = np.vstack([v, row])
    layers = list(net.layers)
    layers[layer : layer + 2] = [DenseLayer(w, b, here.activation), DenseLayer(v, after.b, after.activation)]
    return FloatMLP(layers)


def spare_neurons_cost_nothing(prune, seed: int) -> bool:
    """Say whether removing as many neurons as there are spare ones leaves every output as it was, bit for bit.

    Weights and inputs are small integers and the activation is ReLU, so float64 is exact throughout.
    """
    rng = np.random.default_rng(seed)
    base = network(rng, (4, 6, 5, 3), integers=True)
    kinds = [str(k) for k in rng.choice(["unused", "constant", "twin", "double"], 4)]
    grown = with_spare_neurons(base, rng, 0, kinds)
    x = rng.integers(-4, 5, (40, 4)).astype(np.float64)
    small = prune(grown, x, [4 / 10, 0.0])
    fresh = rng.integers(-4, 5, (60, 4)).astype(np.float64)
    return small.neurons == (6, 5, 3) and np.array_equal(small.logits(fresh), grown.logits(fresh))


SPARE_SEEDS = range(40)


def test_prune_neurons_removes_spare_neurons_for_nothing():
    """Dead and duplicate neurons leave the arrays and change no output, on rows that were not seen either."""
    held = [spare_neurons_cost_nothing(prune_neurons, seed) for seed in SPARE_SEEDS]
    # A base network may itself have dead or parallel neurons on the calibration rows that are not so elsewhere.
    assert sum(held) >= 0.8 * len(held)


def test_spare_neurons_law_kills_pruning_by_score_alone():
    """Ranking alone, without the exact steps, throws away neurons that matter."""

    def by_score(model, x, rate):
        return _with_no_exact_steps(model, x, rate)

    assert not any(spare_neurons_cost_nothing(by_score, seed) for seed in list(SPARE_SEEDS)[:10])


def _with_no_exact_steps(model, x, rate):
    """Remove the neurons with the smallest incoming weights and do nothing about it."""
    count = round(rate[0] * model.neurons[0])
    kept = np.sort(np.argsort((model.layers[0].w ** 2).sum(axis=0), kind="stable")[count:])
    one, two = model.layers[0], model.layers[1]
    cut = [DenseLayer(one.w[:, kept], one.b[kept], one.activation), DenseLayer(two.w[kept], two.b, two.activation)]
    return FloatMLP([*cut, *model.layers[2:]])


@given(seed=SEEDS, activation=st.sampled_from(ACTIVATIONS))
def test_rate_zero_is_the_identity(seed, activation):
    """Rate 0 returns the same network, whatever dead neurons it has."""
    rng = np.random.default_rng(seed)
    net = with_spare_neurons(network(rng, (3, 4, 2), activation), rng, 0, ["constant", "twin"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert prune_neurons(net, rng.normal(size=(9, 3)), 0.0) is net


@given(seed=SEEDS, rate=st.floats(0, 0.9), criterion=st.sampled_from(CRITERIA))
def test_rate_says_how_many_leave_the_arrays(seed, rate, criterion):
    """A layer of n loses min(floor(r n + 1/2), n - 1) neurons, and the report accounts for each."""
    rng = np.random.default_rng(seed)
    net = network(rng, (3, 7, 5, 2))
    small, report = prune_with_report(net, rng.normal(size=(20, 3)), rate, criterion=criterion, rng=seed)
    for n, layer, left in zip(net.neurons, report.layers, small.neurons, strict=False):
        assert layer.removed == min(int(np.floor(rate * n + 0.5)), n - 1) == n - left
        parts = [layer.zero, layer.redundant, layer.unimportant, layer.kept]
        assert sorted(np.concatenate(parts)) == list(range(n))
    assert [layer.w.shape for layer in small.layers] == [
        (3, small.neurons[0]), small.neurons[:2], (small.neurons[1], 2)
    ]  # fmt: skip


@given(seed=SEEDS)
def test_kinds_are_told_apart(seed):
    """An unused, a constant and a twin neuron are reported under their own names."""
    rng = np.random.default_rng(seed)
    net = with_spare_neurons(network(rng, (4, 5, 2), "sigmoid"), rng, 0, ["unused", "constant", "twin"])
    _, report = prune_with_report(net, rng.normal(size=(30, 4)), 3 / 8)
    layer = report.layers[0]
    # A row of three zeros drawn for the constant or the twin makes it unused, which counts as zero too.
    assert set(layer.zero) | set(layer.redundant) == {5, 6, 7} and 5 in layer.zero and 6 in layer.zero
    assert len(layer.unimportant) == 0


def brute_force_increase(h, v, alive, j, ridge) -> float:
    """Return min over u of |hc v - hc u|^2 / R + l |v - u|^2, where u is 0 for j and for all dead neurons."""
    centred = h - h.mean(axis=0)
    metric = centred.T @ centred / len(h) + ridge * np.eye(h.shape[1])
    left = np.array([i for i in range(h.shape[1]) if alive[i] and i != j])
    gone = np.setdiff1d(np.arange(h.shape[1]), left)
    inner, cross, outer = metric[np.ix_(left, left)], metric[np.ix_(left, gone)], metric[np.ix_(gone, gone)]
    schur = outer - cross.T @ np.linalg.solve(inner, cross) if len(left) else outer
    return float(np.trace(v[gone].T @ schur @ v[gone]))


def chooses_the_cheapest(order, h, v) -> bool:
    """Say whether each step removes the neuron whose removal costs the least by brute force."""
    ridge = float(damped_covariance(h)[0, 0] - np.cov(h.T, bias=True).reshape(h.shape[1], -1)[0, 0])
    alive = np.ones(len(v), bool)
    for j in order(h, v, len(v) - 1):
        costs = {i: brute_force_increase(h, v, alive, i, ridge) for i in np.flatnonzero(alive)}
        # Two solves of a matrix of condition kappa agree to about kappa eps; the ridge keeps kappa below n / damping.
        if costs[int(j)] > min(costs.values()) * (1 + 1e-8) + 1e-12:
            return False
        alive[j] = False
    return True


@given(seed=SEEDS)
def test_greedy_obs_order_is_the_brute_force_choice(seed):
    """R40: at every step the score is the increase of the least-squares error, so the choice is the cheapest one."""
    rng = np.random.default_rng(seed)
    h = rng.normal(size=(12, 5)) @ rng.normal(size=(5, 5))
    assert chooses_the_cheapest(greedy_obs_order, h, rng.normal(size=(5, 3)))


def test_brute_force_law_kills_a_ranking_without_downdates():
    """Ranking once by |v|^2 / P_jj is not greedy, and the law sees it."""

    def once(h, v, count):
        inverse = np.linalg.inv(damped_covariance(h))
        return np.argsort((v * v).sum(axis=1) / np.diag(inverse), kind="stable")[:count]

    problems = [np.random.default_rng(s) for s in range(20)]
    drawn = [(r.normal(size=(12, 5)) @ r.normal(size=(5, 5)), r.normal(size=(5, 3))) for r in problems]
    assert all(chooses_the_cheapest(greedy_obs_order, h, v) for h, v in drawn)
    assert not all(chooses_the_cheapest(once, h, v) for h, v in drawn)


@given(seed=SEEDS)
def test_refit_solves_its_normal_equations(seed):
    """R42: no small change of the next layer lowers the penalized error."""
    rng = np.random.default_rng(seed)
    h, v, z = rng.normal(size=(15, 4)), rng.normal(size=(4, 3)), rng.normal(size=(15, 3))
    new, bias = refit(h, v, z, 0.1)
    pull = 0.1 * np.trace(np.cov(h.T, bias=True)) / 4

    def objective(w, b):
        return ((z - h @ w - b) ** 2).sum() / 15 + pull * ((w - v) ** 2).sum()

    best = objective(new, bias)
    for _ in range(5):
        assert objective(new + 1e-3 * rng.normal(size=v.shape), bias) > best
        assert objective(new, bias + 1e-3 * rng.normal(size=3)) > best


@given(seed=SEEDS)
def test_prune_neurons_does_not_care_about_the_order_of_neurons(seed):
    """Permuting hidden neurons permutes what is kept, and leaves the function as it is."""
    rng = np.random.default_rng(seed)
    net = network(rng, (4, 8, 3), "clipped_relu")
    order = rng.permutation(8)
    one, two = net.layers
    shuffled = FloatMLP(
        [DenseLayer(one.w[:, order], one.b[order], one.activation), DenseLayer(two.w[order], two.b, "identity")]
    )
    x = rng.normal(size=(50, 4))
    (a, ra), (b, rb) = (prune_with_report(m, x, 0.5) for m in (net, shuffled))
    if len(ra.layers[0].zero) + len(ra.layers[0].redundant) == 0:  # the exact steps keep the lowest index
        assert sorted(order[rb.layers[0].kept]) == sorted(ra.layers[0].kept)
        np.testing.assert_allclose(a.logits(x), b.logits(x), atol=1e-9 * (1 + np.abs(a.logits(x)).max()))


def test_find_zero_and_find_redundant_on_known_columns():
    """Constant, unused, parallel, and opposite columns."""
    h = np.array([[1.0, 2.0, -1.0, 5.0, 0.3], [2.0, 4.0, -2.0, 5.0, 0.1], [3.0, 6.0, -3.0, 5.0, 0.9]])
    v = np.ones((5, 2))
    v[4] = 0
    assert find_zero(h, v).tolist() == [3, 4]
    assert find_redundant(h, np.array([0, 1, 2]), 1e-12) == [(1, 0, 2.0)]  # -1 times is not redundant: c > 0


@pytest.mark.parametrize(("activation", "rate"), [("relu", 0.9), ("sigmoid", 0.5)])
def test_prune_neurons_survives_degenerate_networks(activation, rate):
    """All-zero layers, one-neuron layers, fewer rows than neurons and constant features give finite networks."""
    rng = np.random.default_rng(0)
    x = np.column_stack([rng.normal(size=3), np.ones(3)])
    for widths in ((2, 1, 2), (2, 9, 1, 2), (2, 9, 9, 2)):
        net = network(rng, widths, activation)
        dead = FloatMLP([DenseLayer(np.zeros_like(net.layers[0].w), net.layers[0].b * 0, activation), *net.layers[1:]])
        for model in (net, dead):
            small, _ = prune_with_report(model, x, rate)
            assert np.isfinite(small.logits(x)).all()
            if model is dead:
                np.testing.assert_allclose(small.logits(x), model.logits(x), atol=1e-12 * 100)


def test_a_rate_that_removes_nothing_is_said():
    """A rate that rounds to no neuron warns, by class; the report says so too."""
    net = network(np.random.default_rng(0), (2, 3, 2))
    x = np.random.default_rng(1).normal(size=(5, 2))
    with pytest.warns(NothingPrunedWarning, match="nothing was pruned"):
        assert prune_neurons(net, x, 0.1) is net
    assert prune_with_report(net, x, 0.1)[1].nothing_pruned


@pytest.mark.parametrize(
    ("rate", "message"),
    [
        (-0.1, "rate is -0.1"),
        (0.95, "rate is 0.95"),
        (float("nan"), "rate is nan"),
        ([0.1, 0.2, 0.3], "3 rates for 2 hidden"),
    ],
)
def test_prune_neurons_names_a_bad_rate(rate, message):
    """A rate outside [0, 0.9], or too many of them."""
    net = network(np.random.default_rng(0), (2, 3, 3, 2))
    with pytest.raises(ValueError, match=message):
        prune_neurons(net, np.zeros((4, 2)), rate)


def test_prune_neurons_names_other_bad_input():
    """NaN rows, no rows, a wrong width, an unknown criterion, no hidden layer."""
    net = network(np.random.default_rng(0), (2, 3, 2))
    for x, message in (
        ([[np.nan, 1.0]], "nan at row 0"),
        (np.zeros((4, 3)), r"takes \(B, 2\)"),
        (np.zeros((0, 2)), "no calibration rows"),
    ):
        with pytest.raises(ValueError, match=message):
            prune_neurons(net, x, 0.5)
    with pytest.raises(ValueError, match="known are greedy_obs"):
        prune_neurons(net, np.zeros((4, 2)), 0.5, criterion="magic")
    with pytest.raises(ValueError, match="no hidden layer"):
        prune_neurons(network(np.random.default_rng(0), (2, 2)), np.zeros((4, 2)), 0.5)
