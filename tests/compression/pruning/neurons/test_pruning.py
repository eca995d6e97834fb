"""Pruning laws: rate 0 is the identity, removable neurons cost nothing, every neuron is counted, order is nothing."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from npquant.compression.pruning.float_layers import ALLOCATIONS
from npquant.compression.pruning.neurons.allocation import share_of_layer
from npquant.compression.pruning.neurons.compensation import refit
from npquant.compression.pruning.neurons.output_metric import output_loss
from npquant.compression.pruning.neurons.pruning import (
    COMPENSATIONS,
    MOST_ROWS,
    prune_neurons,
    prune_neurons_with_report,
)
from npquant.compression.pruning.neurons.ranking import CRITERIA
from npquant.compression.pruning.neurons.report import NothingPrunedWarning, PruningReport
from npquant.compression.rounding.uniform import quantize_uniform
from npquant.nn.model import DenseLayer, FloatMLP

SEEDS = st.integers(0, 2**32 - 1)
ACTIVATIONS = ["relu", "clipped_relu", "hard_sigmoid", "sigmoid", "tanh", "softplus"]
KINDS = ["unused", "dead", "constant", "twin", "double", "triple"]
# All the rows there are: what holds on the calibration rows then holds everywhere.
LATTICE = np.stack(np.meshgrid(*[np.arange(-2.0, 3.0)] * 3), axis=-1).reshape(-1, 3)


def network(
    rng: np.random.Generator,
    widths: tuple[int, ...],
    activation: str = "relu",
    dtype: Any = np.float64,
    *,
    integers: bool = False,
) -> FloatMLP:
    """Draw a network; with integers and ReLU every product and sum of float64 is exact."""

    def draw(*shape: int) -> Any:
        return (rng.integers(-3, 4, shape) if integers else rng.normal(0, 0.7, shape)).astype(dtype)

    names = [activation] * (len(widths) - 2) + ["identity"]
    return FloatMLP(
        tuple(DenseLayer(draw(k, n), draw(n), a) for k, n, a in zip(widths, widths[1:], names, strict=False))
    )


def with_removable(net: FloatMLP, rng: np.random.Generator, layer: int, kinds: list[str]) -> FloatMLP:
    """Append neurons to a hidden layer that the network does not need."""
    here, after = net.layers[layer], net.layers[layer + 1]
    w, b, v = here.w, here.b, after.w
    for kind in kinds:
        source = int(rng.integers(0, here.w.shape[1]))
        times = {"twin": 1, "double": 2, "triple": 3}.get(kind, 0)
        column = w[:, [0]] if kind == "unused" else times * w[:, [source]]
        offset = {"unused": 1.0, "dead": -1.0, "constant": 2.0}.get(kind, times * b[source])
        row = np.zeros((1, v.shape[1])) if kind == "unused" else rng.integers(1, 4, (1, v.shape[1]))
        w, b, v = np.hstack([w, column]), np.append(b, offset).astype(b.dtype), np.vstack([v, row]).astype(v.dtype)
    layers = list(net.layers)
    layers[layer : layer + 2] = [DenseLayer(w, b, here.activation), DenseLayer(v, after.b, after.activation)]
    return FloatMLP(tuple(layers))


def permuted(net: FloatMLP, order: Any) -> FloatMLP:
    """Reorder the neurons of the first hidden layer."""
    one, two = net.layers[:2]
    first = DenseLayer(one.w[:, order], one.b[order], one.activation)
    return FloatMLP((first, DenseLayer(two.w[order], two.b, two.activation), *net.layers[2:]))


def cut(net: FloatMLP, kept: Any) -> FloatMLP:
    """Keep some neurons of the first hidden layer, and do nothing about the others."""
    one, two = net.layers[:2]
    first = DenseLayer(one.w[:, kept], one.b[kept], one.activation)
    return FloatMLP((first, DenseLayer(two.w[kept], two.b, two.activation), *net.layers[2:]))


def removable_neurons_cost_nothing(prune: Callable[..., Any], seed: int) -> bool:
    """Say whether removing as many neurons as there are removable ones leaves every output as it was, bit for bit."""
    rng = np.random.default_rng(seed)
    base = network(rng, (3, 6, 5, 2), integers=True)
    grown = with_removable(base, rng, 0, [str(k) for k in rng.choice(KINDS, 4)])
    small = prune(grown, LATTICE, [4 / 10, 0.0])
    return small.neurons == (6, 5, 2) and np.array_equal(small.logits(LATTICE), grown.logits(LATTICE))


@given(seed=SEEDS, compensation=st.sampled_from(COMPENSATIONS), criterion=st.sampled_from(CRITERIA))
def test_prune_neurons_removes_removable_neurons_bit_for_bit(seed: int, compensation: str, criterion: str) -> None:
    """S2, S3: on an integer grid, zero, constant and redundant neurons leave the arrays and no output changes."""

    def prune(model: FloatMLP, x: Any, rate: Any) -> FloatMLP:
        return prune_neurons(model, x, rate, compensation=compensation, criterion=criterion, rng=0)

    assert removable_neurons_cost_nothing(prune, seed)


def test_removable_neurons_law_kills_what_forgets_a_step() -> None:
    """Ranking alone, and removing the right neurons without moving what they contribute, change outputs."""

    def by_score_alone(model: FloatMLP, x: Any, rate: Any) -> FloatMLP:
        count = round(rate[0] * model.neurons[0])
        return cut(model, np.sort(np.argsort((model.layers[0].w ** 2).sum(axis=0), kind="stable")[count:]))

    def unmerged(model: FloatMLP, x: Any, rate: Any) -> FloatMLP:
        return cut(model, prune_neurons_with_report(model, x, rate)[1].kept[0])

    for mutant in (by_score_alone, unmerged):
        assert not all(removable_neurons_cost_nothing(mutant, seed) for seed in range(10))


@given(seed=SEEDS, dtype=st.sampled_from([np.float32, np.float64]), activation=st.sampled_from(ACTIVATIONS))
def test_prune_neurons_changes_outputs_by_rounding_alone(seed: int, dtype: Any, activation: str) -> None:
    """S2, S3: removing unused, constant and twin neurons moves a logit by no more than its rounding bound."""
    rng = np.random.default_rng(seed)
    net = with_removable(network(rng, (3, 5, 2), activation, dtype), rng, 0, ["unused", "constant", "twin"])
    x = rng.normal(size=(40, 3)).astype(dtype)
    small, report = prune_neurons_with_report(net, x, 3 / 8)
    assert small.neurons == (5, 2) and len(report.layers[0].unimportant) == 0
    # Each network's logits are within gamma of exact sums of these magnitudes: K + 1 terms, 6 roundings of an
    # activation, n + 1 terms; merging and folding add 3 roundings of a weight, and c is a ratio of two such outputs.
    one, two = ((np.abs(layer.w), np.abs(layer.b)) for layer in net.layers)
    inner = np.abs(x) @ one[0] + one[1] + 1
    magnitude = inner @ two[0] + two[1]
    h = np.abs(net.activations(x)[0])
    spread = (inner.max(axis=0) / np.where(h.max(axis=0) > 0, h.max(axis=0), 1)).max()
    gamma = (3 + 1 + 6 + 8 + 1 + 3) * float(np.finfo(dtype).eps)
    difference = np.abs(small.logits(x).astype(np.float64) - net.logits(x))
    assert (difference <= gamma * (2 + 2 * spread) * magnitude).all()


@given(seed=SEEDS, activation=st.sampled_from(ACTIVATIONS), dtype=st.sampled_from([np.float32, np.float64]))
def test_prune_neurons_rate_zero_is_the_identity(seed: int, activation: str, dtype: Any) -> None:
    """Rate 0 leaves every array as it is, whatever dead neurons there are, and says nothing."""
    rng = np.random.default_rng(seed)
    net = with_removable(network(rng, (3, 4, 2), activation, dtype), rng, 0, ["constant", "twin"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        same = prune_neurons(net, rng.normal(size=(9, 3)), 0.0)
    assert same is net


def test_identity_law_kills_a_refit_that_always_runs() -> None:
    """Solving the next layer anew where nothing is missing moves its last bits."""
    rng = np.random.default_rng(0)
    net, x = network(rng, (3, 4, 2)), rng.normal(size=(9, 3))
    v, b = refit(net.activations(x)[0], net.layers[1].w, net.logits(x), 1e-4)
    assert v.tobytes() != net.layers[1].w.tobytes() or b.tobytes() != net.layers[1].b.tobytes()


@given(seed=SEEDS)
def test_prune_neurons_leaves_a_layer_of_rate_zero_alone(seed: int) -> None:
    """Layer by layer, one whose own rate is 0 and whose inputs stay keeps its bytes while another is pruned."""
    rng = np.random.default_rng(seed)
    net = network(rng, (3, 6, 6, 2), dtype=np.float32)
    small = prune_neurons(net, rng.normal(size=(30, 3)), [0.0, 0.5], compensation="layerwise")
    assert small.neurons == (6, 3, 2)
    assert small.layers[0].w.tobytes() == net.layers[0].w.tobytes()
    assert small.layers[0].b.tobytes() == net.layers[0].b.tobytes()


def accounts_for_every_neuron(prune: Callable[..., Any], seed: int, rate: Any, criterion: str, how: str) -> bool:
    """Say whether S8's count of neurons left the arrays, each under one name, in its place."""
    rng = np.random.default_rng(seed)
    net = network(rng, (3, 7, 5, 2), dtype=np.float32)
    small, report = prune(net, rng.normal(size=(20, 3)), rate, criterion, how, rng=seed)
    right = small.dtype == np.float32
    for n, r, layer, left in zip((7, 5), report.rates, report.layers, small.neurons, strict=False):
        right &= layer.removed == min(int(np.floor(r * n + 0.5)), n - 1) == n - left
        parts = [layer.zero, layer.constant, layer.redundant, layer.unimportant, layer.kept]
        right &= sorted(np.concatenate(parts)) == list(range(n)) and sum(layer.counts.values()) == n
        right &= layer.kept.tolist() == sorted(layer.kept)
    a, b = small.neurons[:2]
    right &= [layer.w.shape for layer in small.layers] == [(3, a), (a, b), (b, 2)]
    if how != "refit":
        kept = report.kept[0]
        right &= small.layers[0].w.tobytes() == np.ascontiguousarray(net.layers[0].w[:, kept]).tobytes()
    return bool(right)


@given(
    seed=SEEDS,
    rate=st.one_of(st.floats(0, 0.9), st.tuples(st.floats(0, 0.9), st.floats(0, 0.9))),
    criterion=st.sampled_from(CRITERIA),
    compensation=st.sampled_from(COMPENSATIONS),
)
def test_prune_neurons_accounts_for_every_neuron(seed: int, rate: Any, criterion: str, compensation: str) -> None:
    """S8: a layer of n loses min(floor(r n + 1/2), n - 1) neurons from the arrays, each under one name."""
    assert accounts_for_every_neuron(prune_neurons_with_report, seed, rate, criterion, compensation)


def test_account_law_kills_masks_and_other_rounding() -> None:
    """Neurons that are set to 0 and stay, and a count that rounds down, are each seen."""

    def masked(net: FloatMLP, x: Any, rate: float, criterion: str, how: str, *, rng: int) -> Any:
        report = prune_neurons_with_report(net, x, rate, criterion, how, rng=rng)[1]
        layers = list(net.layers)
        for i, kept in enumerate(report.kept):
            on = np.isin(np.arange(net.neurons[i]), kept)
            layers[i] = DenseLayer(layers[i].w * on, layers[i].b * on, "relu")
        return FloatMLP(tuple(layers)), report

    def rounded_down(net: FloatMLP, x: Any, rate: float, criterion: str, how: str, *, rng: int) -> Any:
        rates = [np.floor(rate * n) / n for n in net.neurons[:-1]]
        small, report = prune_neurons_with_report(net, x, rates, criterion, how, rng=rng)
        return small, PruningReport((rate, rate), report.layers)

    for wrong in (masked, rounded_down):
        assert not accounts_for_every_neuron(wrong, 0, 0.5, "in_l2", "bare")


@given(seed=SEEDS)
def test_prune_neurons_tells_kinds_apart(seed: int) -> None:
    """Each removable neuron is reported under its own name, and nothing else is."""
    rng = np.random.default_rng(seed)
    net = with_removable(network(rng, (4, 5, 2), "relu"), rng, 0, ["unused", "dead", "constant", "twin", "double"])
    _, report = prune_neurons_with_report(net, rng.normal(size=(60, 4)) + 0.3, 0.5)
    layer = report.layers[0]
    # A drawn neuron may be dead on all rows, and so may its twin; they are zero ones then, and right so.
    drawn_dead = {int(j) for j in layer.zero} - {5, 6, 8, 9}
    if not drawn_dead and not {8, 9} & set(layer.zero.tolist()):
        assert layer.zero.tolist() == [5, 6] or sorted(layer.zero) == [5, 6]
        assert layer.constant.tolist() == [7]
        assert sorted(layer.redundant) == [8, 9]
        assert layer.removed == 5 and len(layer.unimportant) == 0


@given(seed=SEEDS, removable=st.integers(1, 3))
def test_prune_neurons_removes_no_more_than_the_rate_asks_for(seed: int, removable: int) -> None:
    """With more removable neurons than the rate removes, only removable ones go, and the others stay."""
    rng = np.random.default_rng(seed)
    net = with_removable(network(rng, (3, 6, 2), integers=True), rng, 0, ["unused", "dead", "constant", "twin"])
    small, report = prune_neurons_with_report(net, LATTICE, removable / 10)
    assert report.layers[0].removed == removable and len(report.layers[0].unimportant) == 0
    np.testing.assert_array_equal(small.logits(LATTICE), net.logits(LATTICE))


def order_of_neurons_means_nothing(prune: Callable[..., Any], seed: int, criterion: str) -> bool:
    """Say whether permuting hidden neurons permutes what is kept, and leaves the pruned function as it is."""
    rng = np.random.default_rng(seed)
    net = network(rng, (4, 8, 5, 3), "sigmoid")  # no sigmoid neuron is removable, and no two scores tie
    order, x = rng.permutation(8), rng.normal(size=(50, 4))
    # The joint refit amplifies the rounding of sums in another order, so that only its choice of neurons compares.
    (a, ra), (b, rb) = (prune(m, x, [0.5, 0.4], criterion, "layerwise") for m in (net, permuted(net, order)))
    # Both solve the same damped systems: condition <= 1 + n / REFIT_PULL < 1e5 a layer, times eps, squared over two.
    close = bool(np.abs(a.logits(x) - b.logits(x)).max() <= 1e-6 * (1 + np.abs(a.logits(x)).max()))
    return sorted(order[rb.kept[0]]) == ra.kept[0].tolist() and ra.kept[1].tolist() == rb.kept[1].tolist() and close


@given(seed=SEEDS, criterion=st.sampled_from([c for c in CRITERIA if c != "random"]))
def test_prune_neurons_is_equivariant_under_permutation(seed: int, criterion: str) -> None:
    """The order of the neurons decides nothing."""
    assert order_of_neurons_means_nothing(prune_neurons_with_report, seed, criterion)


def test_equivariance_law_kills_a_choice_by_index() -> None:
    """Random removal looks at the index, and the law sees it."""

    def by_index(model: FloatMLP, x: Any, rate: Any, criterion: str, compensation: str) -> Any:
        return prune_neurons_with_report(model, x, rate, "random", compensation, rng=0)

    assert not all(order_of_neurons_means_nothing(by_index, seed, "") for seed in range(5))


def test_prune_neurons_breaks_ties_to_the_lowest_index() -> None:
    """Neurons that differ in nothing a score sees go in the order of their index."""
    # Four ReLU neurons that look at one feature each: alike under permutation of the rows.
    net = FloatMLP((DenseLayer(np.eye(4), np.zeros(4), "relu"), DenseLayer(np.ones((4, 1)), np.zeros(1), "identity")))
    for criterion in ("in_l1", "in_l2", "mean_activation", "std_out_l2"):
        assert prune_neurons_with_report(net, np.eye(4), 0.5, criterion=criterion)[1].kept[0].tolist() == [2, 3]


def test_prune_neurons_random_follows_its_seed() -> None:
    """The same seed removes the same neurons, another seed others."""
    net = network(np.random.default_rng(0), (3, 40, 2), "sigmoid")
    x = np.random.default_rng(1).normal(size=(50, 3))

    def kept(seed: int) -> list[int]:
        return [int(j) for j in prune_neurons_with_report(net, x, 0.5, criterion="random", rng=seed)[1].kept[0]]

    assert kept(1) == kept(1) != kept(2)


@given(seed=SEEDS, rate=st.sampled_from([0.3, 0.6, 0.9]))
def test_layerwise_is_no_worse_than_fold_or_bare_on_its_own_rows(seed: int, rate: Any) -> None:
    """S6: for one hidden layer and the same neurons left, least squares has the smallest damped error."""
    rng = np.random.default_rng(seed)
    net, x = network(rng, (4, 9, 3), "sigmoid"), rng.normal(size=(40, 4))
    nets = {c: prune_neurons(net, x, rate, compensation=c) for c in ("layerwise", "fold", "bare")}
    h = nets["bare"].activations(x)[0]
    pull = 1e-4 * h.var(axis=0).mean()

    def objective(small: FloatMLP) -> float:
        moved = small.layers[1].w - nets["bare"].layers[1].w
        return float(((net.logits(x) - small.logits(x)) ** 2).sum() / len(x) + pull * (moved**2).sum())

    least = objective(nets["layerwise"])
    # The three values are sums of len(x) * 3 squares, each rounded; their minimum is flat to first order.
    assert least <= min(objective(nets["fold"]), objective(nets["bare"])) * (1 + 1e-9)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("criterion", CRITERIA)
@pytest.mark.parametrize("widths", [(2, 1, 2), (2, 9, 1, 2), (2, 9, 9, 2)])
def test_prune_neurons_survives_degenerate_networks(activation: str, criterion: str, widths: tuple[int, ...]) -> None:
    """All-zero layers, one-neuron layers, fewer rows than neurons, a constant feature, one row: finite networks."""
    rng = np.random.default_rng(0)
    rows = np.column_stack([rng.normal(size=3), np.ones(3)])
    net = network(rng, widths, activation)
    dead = FloatMLP((DenseLayer(np.zeros_like(net.layers[0].w), net.layers[0].b * 0, activation), *net.layers[1:]))
    for model in (net, dead):
        for x in (rows, rows[:1], np.zeros((4, 2))):
            small, _ = prune_neurons_with_report(model, x, 0.9, criterion=criterion, rng=0)
            assert small.neurons[:-1] == (1,) * (len(widths) - 2)
            assert np.isfinite(small.logits(x)).all()
    same = prune_neurons_with_report(dead, rows, [0.9] + [0.0] * (len(widths) - 3))[0]
    # Sums of at most 10 terms of magnitude below 10, in either order.
    np.testing.assert_allclose(same.logits(rows), dead.logits(rows), rtol=0, atol=2 * 10 * 10 * 2.0**-52)


def test_a_rate_that_removes_nothing_is_said() -> None:
    """A positive rate that removes nothing warns, by class and with a rate that would help; the report says so too."""
    net, x = network(np.random.default_rng(0), (2, 3, 2)), np.random.default_rng(1).normal(size=(5, 2))
    with pytest.warns(NothingPrunedWarning, match=r"nothing was pruned: layer 0: 0.1 of 3 .* raise the rate to 0.167"):
        assert prune_neurons(net, x, 0.1) is net
    assert prune_neurons_with_report(net, x, 0.1)[1].nothing_pruned
    assert prune_neurons(net, x, 0.167).neurons == (2, 2)
    single = network(np.random.default_rng(0), (2, 1, 2))
    with pytest.warns(NothingPrunedWarning, match="layer 0: its only neuron stays"):
        assert prune_neurons(single, x, 0.9) is single


def test_a_layer_that_loses_nothing_is_said_in_the_report() -> None:
    """Where one layer is pruned and another is too small, there is no warning, but a reason in the report."""
    net = network(np.random.default_rng(0), (2, 20, 3, 2))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        small, report = prune_neurons_with_report(net, np.random.default_rng(1).normal(size=(30, 2)), 0.1)
    assert small.neurons == (18, 3, 2) and not report.nothing_pruned
    assert report.reason == "layer 1: 0.1 of 3 neurons rounds to 0; raise the rate to 0.167"


def test_layer_pruning_is_read_only() -> None:
    """A report cannot be changed after the fact."""
    _, report = prune_neurons_with_report(network(np.random.default_rng(0), (2, 4, 2)), np.eye(2), 0.5)
    with pytest.raises(ValueError, match="read-only"):
        report.kept[0][0] = 1


@pytest.mark.parametrize(
    ("rate", "error", "message"),
    [
        (-0.1, ValueError, r"rate is -0\.1; it must be in \[0, 0\.9\]"),
        (0.95, ValueError, r"rate is 0\.95"),
        (float("nan"), ValueError, "rate is nan"),
        (float("inf"), ValueError, "rate is inf"),
        ([0.1, 0.2, 0.3], ValueError, r"shape \(3,\) for 2 hidden"),
        ([0.1], ValueError, r"shape \(1,\) for 2 hidden"),
        ([], ValueError, r"shape \(0,\) for 2 hidden"),
        ([[0.1, 0.2]], ValueError, r"shape \(1, 2\)"),
        ("0.5", TypeError, "rate is '0.5'"),
        (None, TypeError, "rate is None"),
    ],
)
def test_prune_neurons_names_a_bad_rate(rate: Any, error: type[Exception], message: str) -> None:
    """A rate outside [0, 0.9], not a number, too many or too few of them."""
    with pytest.raises(error, match=message):
        prune_neurons(network(np.random.default_rng(0), (2, 3, 3, 2)), np.zeros((4, 2)), rate)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        ([[np.nan, 1.0]], "nan at row 0"),
        ([[1.0, 1.0], [np.inf, 1.0]], "inf at row 1"),
        (np.zeros((4, 3)), r"takes \(B, 2\)"),
        (np.zeros(2), r"takes \(B, 2\)"),
        (np.zeros((0, 2)), "no calibration rows"),
        ([[1e308, 1e308]], "layer 0 overflows"),
        (np.array([[1e200, 0.0], [0.0, 1e200], [1e200, 1e200]]), "square overflows; scale the inputs"),
    ],
)
def test_prune_neurons_names_bad_rows(x: Any, message: str) -> None:
    """NaN, infinities, wrong shapes, no rows, rows that overflow inside the network or in its covariance."""
    layers = [DenseLayer(np.array([[2.0, 1.0, 3.0], [1.5, 2.0, 1.0]]), np.zeros(3), "relu")]
    layers.append(DenseLayer(np.ones((3, 2)), np.zeros(2), "identity"))
    with pytest.raises(ValueError, match=message):
        prune_neurons(FloatMLP(tuple(layers)), x, 0.5)


def test_prune_neurons_names_other_bad_input() -> None:
    """Unknown names, a network without a hidden layer or of integers, text for rows."""
    net, x = network(np.random.default_rng(0), (2, 3, 2)), np.zeros((4, 2))
    with pytest.raises(ValueError, match="criterion is 'magic'; known are obs"):
        prune_neurons(net, x, 0.5, criterion="magic")
    with pytest.raises(ValueError, match="compensation is 'hope'; known are refit"):
        prune_neurons(net, x, 0.5, compensation="hope")
    with pytest.raises(ValueError, match="output is 'votes'; known are softmax, identity"):
        prune_neurons(net, x, 0.5, output="votes")
    with pytest.raises(ValueError, match="allocation is 'fair'"):
        prune_neurons(net, x, 0.5, allocation="fair")
    with pytest.raises(TypeError, match="of type IntegerMLP; prune a FloatMLP, and quantize what is left"):
        prune_neurons(quantize_uniform(net, np.eye(2)), x, 0.5)
    with pytest.raises(ValueError, match="no hidden layer"):
        prune_neurons(network(np.random.default_rng(0), (2, 2)), x, 0.5)
    with pytest.raises(TypeError, match="must be real numbers"):
        prune_neurons(net, [["a", "b"]], 0.5)


def budget_is_kept(prune: Callable[..., Any], seed: int, rate: float, criterion: str) -> bool:
    """Say whether a global rate removes its share of all neurons, and leaves each layer what it must leave."""
    rng = np.random.default_rng(seed)
    net, x = network(rng, (3, 9, 4, 6, 2)), rng.normal(size=(25, 3))
    small, report = prune(net, x, rate, criterion, "layerwise", allocation="global", rng=seed)
    most = [share_of_layer(n, 0.9) for n in net.neurons[:-1]]
    gone = [n - k for n, k in zip(net.neurons[:-1], small.neurons, strict=False)]
    wanted = min(int(np.floor(rate * sum(net.neurons[:-1]) + 0.5)), sum(most))
    return sum(gone) == wanted == sum(p.removed for p in report.layers) and all(map(int.__le__, gone, most))


@settings(max_examples=25)
@given(seed=SEEDS, rate=st.floats(0, 0.9), criterion=st.sampled_from(CRITERIA))
def test_global_allocation_keeps_its_budget(seed: int, rate: float, criterion: str) -> None:
    """S11: min(floor(r sum n + 1/2), what 0.9 takes from each layer) neurons go, whatever the criterion."""
    assert budget_is_kept(prune_neurons_with_report, seed, rate, criterion)


def test_budget_law_kills_shares_of_each_layer() -> None:
    """Uniform counts round layer by layer, and sum to something else."""

    def uniform(*args: Any, allocation: str, rng: int) -> Any:
        return prune_neurons_with_report(*args, allocation="uniform", rng=rng)

    assert not all(budget_is_kept(uniform, 0, rate, "obs") for rate in (0.125, 0.375))


@settings(max_examples=25)
@given(seed=SEEDS, rate=st.floats(0, 0.9), criterion=st.sampled_from([c for c in CRITERIA if c != "random"]))
def test_global_allocation_of_one_layer_is_uniform(seed: int, rate: float, criterion: str) -> None:
    """S11: with nobody to compete with, the same bytes."""
    rng = np.random.default_rng(seed)
    net, x = network(rng, (3, 8, 2)), rng.normal(size=(20, 3))
    nets = [prune_neurons_with_report(net, x, rate, criterion, allocation=a)[0] for a in ALLOCATIONS]
    for one, two in zip(*(small.layers for small in nets), strict=True):
        assert one.w.tobytes() == two.w.tobytes() and one.b.tobytes() == two.b.tobytes()


@settings(max_examples=25)
@given(seed=SEEDS, layer=st.integers(0, 1), criterion=st.sampled_from(CRITERIA))
@example(seed=0, layer=1, criterion="taylor")  # a neuron of the other layer scores 0
def test_global_allocation_takes_removable_neurons_where_they_are(seed: int, layer: int, criterion: str) -> None:
    """S11: removable neurons cost nothing, so a budget of their number changes no output, bit for bit."""
    rng = np.random.default_rng(seed)
    base = network(rng, (3, 6, 5, 2), integers=True)
    net = with_removable(base, rng, layer, [str(k) for k in rng.choice(KINDS[:3], 3)])
    small = prune_neurons(net, LATTICE, 3 / 14, criterion, allocation="global", rng=seed)
    assert sum(small.neurons) == sum(net.neurons) - 3
    np.testing.assert_array_equal(small.logits(LATTICE), net.logits(LATTICE))


def test_global_allocation_prunes_the_layer_with_width_to_spare() -> None:
    """S11: a layer whose neurons are noisy copies of a few loses more of them than one that has none to spare."""
    rng = np.random.default_rng(0)
    narrow, wide, out = rng.normal(size=(4, 6)), rng.normal(size=(6, 3)), rng.normal(size=(12, 3))
    copies = np.hstack([wide] * 4) + rng.normal(0, 1e-3, (6, 12))
    layers = [DenseLayer(narrow, np.zeros(6), "tanh"), DenseLayer(copies, np.zeros(12), "tanh")]
    net, x = FloatMLP((*layers, DenseLayer(out, np.zeros(3), "identity"))), rng.normal(size=(200, 4))
    report = prune_neurons_with_report(net, x, 0.5, allocation="global")[1]
    assert [p.removed for p in report.layers] == [0, 9]


@settings(max_examples=25)
@given(seed=SEEDS, power=st.integers(-30, 30))
def test_real_outputs_have_no_unit(seed: int, power: int) -> None:
    """S9: with output "identity", targets times 2^k remove the same neurons and give outputs times 2^k, bit for bit."""
    rng = np.random.default_rng(seed)
    net, x = network(rng, (3, 8, 5, 2), "tanh"), rng.normal(size=(30, 3))
    last = net.layers[-1]
    larger = FloatMLP((*net.layers[:-1], DenseLayer(last.w * 2.0**power, last.b * 2.0**power, "identity")))
    one, two = (prune_neurons(n, x, 0.4, output="identity") for n in (net, larger))
    np.testing.assert_array_equal(one.logits(x) * 2.0**power, two.logits(x))


def test_refit_comes_closer_than_layer_by_layer() -> None:
    """S10: on trained-like networks the joint refit lowers the divergence on its own rows for every criterion."""
    for seed in range(2):
        rng = np.random.default_rng(seed)
        net, x = network(rng, (6, 16, 12, 4), "clipped_relu"), rng.normal(size=(150, 6))
        for criterion in CRITERIA:
            joint, layerwise = (prune_neurons(net, x, 0.5, criterion, c, rng=seed) for c in ("refit", "layerwise"))
            losses = [output_loss(net.logits(x), small.logits(x), "softmax")[0] for small in (joint, layerwise)]
            assert losses[0] < losses[1]


def test_prune_neurons_of_a_wide_layer_on_few_rows() -> None:
    """Three hundred neurons and twelve rows: finite, the right count, and the rows themselves well fitted."""
    rng = np.random.default_rng(0)
    net, x = network(rng, (20, 300, 3), dtype=np.float32), rng.normal(size=(12, 20)).astype(np.float32)
    small = prune_neurons(net, x, 0.9)
    assert small.neurons == (30, 3)
    assert np.isfinite(small.logits(x)).all()
    assert np.array_equal(small.predict(x), net.predict(x))


def test_refit_sees_rows_of_every_part() -> None:
    """S10: of more rows than it looks at, it looks at evenly spaced ones, so that the last third is fitted as well."""
    rng = np.random.default_rng(0)
    net = network(rng, (2, 12, 3), "tanh")
    x = rng.normal(size=(3 * MOST_ROWS, 2))
    x[2 * MOST_ROWS :] += 4.0  # rows that the first two thirds do not resemble
    joint, layerwise = (prune_neurons(net, x, 0.5, compensation=c) for c in ("refit", "layerwise"))
    part = x[2 * MOST_ROWS :]
    losses = [output_loss(net.logits(part), small.logits(part), "softmax")[0] for small in (joint, layerwise)]
    assert losses[0] < losses[1]


def test_obs_is_better_than_its_control() -> None:
    """Random neurons are the control: on ten networks OBS leaves a smaller divergence than the mean of five draws."""
    for seed in range(10):
        rng = np.random.default_rng(seed)
        net, x = network(rng, (6, 16, 4), "sigmoid"), rng.normal(size=(150, 6))

        def loss(criterion: str, draw: int, net: FloatMLP = net, x: Any = x) -> float:
            small = prune_neurons(net, x, 0.5, criterion, "layerwise", rng=draw)
            return output_loss(net.logits(x), small.logits(x), "softmax")[0]

        assert loss("obs", 0) < np.mean([loss("random", draw) for draw in range(5)])


@pytest.mark.parametrize("last", ["relu", "clipped_relu", "tanh", "softplus"])
@pytest.mark.parametrize("criterion", ["obs", "taylor"])
@pytest.mark.parametrize("allocation", ALLOCATIONS)
def test_pruning_aims_at_outputs_behind_an_activation(last: str, criterion: str, allocation: str) -> None:
    """S9, S10: logits are what the last layer gives; the refit of all layers comes no farther from them."""
    rng = np.random.default_rng(5)
    layers = network(rng, (4, 12, 10, 3), "clipped_relu").layers
    net = FloatMLP((*layers[:-1], DenseLayer(layers[-1].w, layers[-1].b, last)))
    x = rng.normal(size=(200, 4))
    for output in ("softmax", "identity"):
        arguments = {"criterion": criterion, "allocation": allocation, "output": output}
        losses = [
            output_loss(net.logits(x), prune_neurons(net, x, 0.5, compensation=how, **arguments).logits(x), output)[0]
            for how in ("refit", "layerwise")
        ]
        assert losses[0] <= losses[1]
        assert prune_neurons(net, x, 0.5, **arguments).activation_names == net.activation_names


@pytest.mark.parametrize("last", ["relu", "tanh", "softplus"])
def test_removable_neurons_cost_nothing_behind_an_output_activation(last: str) -> None:
    """S2, S3: what goes exactly leaves every output, whatever stands behind the last layer."""
    rng = np.random.default_rng(6)
    layers = with_removable(network(rng, (3, 6, 4), integers=True), rng, 0, KINDS).layers
    net = FloatMLP((*layers[:-1], DenseLayer(layers[-1].w, layers[-1].b, last)))
    small, report = prune_neurons_with_report(net, LATTICE, len(KINDS) / (6 + len(KINDS)))
    assert report.counts["unimportant"] == 0 and sum(small.neurons) < sum(net.neurons)
    np.testing.assert_allclose(small.logits(LATTICE), net.logits(LATTICE), rtol=1e-12, atol=1e-12)
