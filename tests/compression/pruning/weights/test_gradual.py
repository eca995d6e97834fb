"""Gradual pruning: the schedule, the ranking, what is left, and what is refused."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npquant.compression.pruning.neurons.dead_neurons import drop_dead_neurons
from npquant.compression.pruning.weights.gradual import prune_gradually
from npquant.compression.pruning.weights.schedule import PruningSchedule, keep_best, removal_score, weights_left
from npquant.nn.finetuning import finetune
from npquant.nn.model import DenseLayer, FloatMLP
from npquant.nn.training import train


def blobs(rows: int = 120, seed: int = 0) -> Any:
    """Draw three classes in six features, four of them noise."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, rows)
    return rng.normal(size=(rows, 6)) + 3 * np.eye(3, 6)[y], y


def nonzeros(model: FloatMLP) -> int:
    """Count the weights that are not 0."""
    return sum(int(np.count_nonzero(layer.w)) for layer in model.layers)


@given(weights=st.integers(1, 10**6), share=st.floats(0, 1), progress=st.floats(0, 1), step=st.floats(0, 1))
def test_weights_left_is_the_cubic(weights: Any, share: Any, progress: Any, step: Any) -> None:
    """F18: P at the start, the goal at the end, never more later, and the cubic rounded down between."""
    goal = int(share * weights)
    left = weights_left(progress, weights, goal)
    assert weights_left(0.0, weights, goal) == weights and weights_left(1.0, weights, goal) == goal
    assert weights_left(min(1.0, progress + step), weights, goal) <= left
    # (1 - u)^3 rounds four times.
    real = goal + (weights - goal) * (1 - progress) ** 3
    assert real - 1 - 8e-16 * weights <= left <= real + 8e-16 * weights


@given(seed=st.integers(0, 2**32 - 1), wanted=st.integers(3, 40))
def test_keep_best_keeps_the_best(seed: int, wanted: Any) -> None:
    """Exactly the wanted number stays, each layer keeps its best, and no removed score beats a kept one."""
    rng = np.random.default_rng(seed)
    scores = [rng.integers(0, 6, shape).astype(float) for shape in ((4, 5), (5, 3), (3, 2))]
    masks = [rng.random(score.shape) < 0.8 for score in scores]
    for mask in masks:
        mask.flat[0] = True
    kept = keep_best(scores, masks, wanted)
    available = sum(int(mask.sum()) for mask in masks)
    assert sum(int(k.sum()) for k in kept) == min(wanted, available)
    best = []
    for k, mask, score in zip(kept, masks, scores, strict=True):
        assert not (k & ~mask).any() and k[score == score[mask].max()].any()
        top = np.argmax(np.where(mask, score, -1))
        best.append(k.flat[top])
    assert all(best)
    removed = [score[mask & ~k] for k, mask, score in zip(kept, masks, scores, strict=True)]
    spared = [np.delete(score[k], np.argmax(score[k])) for k, score in zip(kept, scores, strict=True)]
    if np.concatenate(removed).size and np.concatenate(spared).size:
        assert np.concatenate(removed).max() <= np.concatenate(spared).min()


def test_removal_score_is_the_second_order_loss() -> None:
    """F19: of a quadratic with diagonal curvature sqrt(v), removing w costs half the score."""
    w, v = np.array([[2.0, -1.0]]), np.array([[4.0, 25.0]])
    cost = 0.5 * np.sqrt(v) * w**2
    assert np.array_equal(removal_score(w, v, np.ones((1, 2), bool), 0.0), 2 * cost)


def test_removal_score_prefers_dense_rows() -> None:
    """F20: of two equal weights the one in the fuller row and column scores higher; with g = 0 they are equal."""
    mask = np.zeros((8, 8), bool)
    mask[0], mask[:, 0], mask[5, 5] = True, True, True
    score = removal_score(np.ones((8, 8)), np.ones((8, 8)), mask, 1.0)
    assert score[0, 0] > score[0, 3] > score[5, 5]
    assert np.ptp(removal_score(np.ones((8, 8)), np.ones((8, 8)), mask, 0.0)) == 0


@pytest.mark.parametrize("density", [0.04, 0.2, 1.0])
@pytest.mark.parametrize("rate_weight", [0.0, 1.5])
def test_prune_gradually_leaves_its_share(density: Any, rate_weight: Any) -> None:
    """At most d P weights are left, in arrays without dead neurons."""
    x, y = blobs()
    net = train(x, y, hidden=(12, 8), epochs=3, rng=0)
    total = nonzeros(net)
    small = prune_gradually(net, x, y, density, 12, rate_weight=rate_weight, renew_every=3, rng=0)
    assert nonzeros(small) <= density * total
    assert small.n_inputs == 6 and small.neurons[-1] == 3
    assert drop_dead_neurons(small).neurons == small.neurons


@given(seed=st.integers(0, 2**32 - 1), every=st.integers(1, 9), share=st.floats(0.1, 1))
def test_schedule_ranks_when_it_is_due_and_never_takes_a_weight_back(seed: int, every: Any, share: Any) -> None:
    """F18: masks come each `every` steps and at the step s n, as many weights as the cubic says, none of them new."""
    rng = np.random.default_rng(seed)
    shapes, steps = ((4, 5), (5, 3), (3, 2)), 20
    masks = tuple(np.ones(shape, bool) for shape in shapes)
    schedule = PruningSchedule(41, 5, share, every, float(rng.integers(0, 2)))
    last = max(1, int(share * steps))
    for step in range(1, steps + 1):
        parameters = [(rng.normal(size=shape), np.zeros(shape[1])) for shape in shapes]
        found = schedule(step, steps, parameters, masks, lambda: [np.ones(shape) for shape in shapes])
        due = step <= last and (step % every == 0 or step == last)
        assert (found is not None) == due
        if found is not None:
            assert sum(int(m.sum()) for m in found) == weights_left(step / last, 41, 5)
            assert not any((new & ~old).any() for new, old in zip(found, masks, strict=True))
            masks = found  # type: ignore[assignment]
    assert sum(int(m.sum()) for m in masks) == 5


def test_prune_gradually_finds_the_features_that_matter() -> None:
    """Of six features three tell the classes; with few weights the others lose theirs, which random masks would not."""
    x, y = blobs(200)
    net = train(x, y, hidden=(16,), epochs=20, rng=0)
    small = prune_gradually(net, x, y, 0.08, 60, teacher=net, learning_rate=0.01, renew_every=10, rng=0)
    energy = (small.layers[0].w ** 2).sum(axis=1)
    assert energy[3:].max() < energy[:3].min()
    assert (small.predict(x) == y).mean() > (net.predict(x) == y).mean() - 0.03


def test_prune_gradually_can_go_on() -> None:
    """Pruning a pruned network wakes no weight, and the density counts the arrays that it is given."""
    x, y = blobs()
    net = train(x, y, hidden=(12,), epochs=5, rng=0)
    once = prune_gradually(net, x, y, 0.4, 6, renew_every=3, rng=0)
    twice = prune_gradually(once, x, y, 0.2, 6, renew_every=3, rng=0)
    assert nonzeros(twice) <= 0.2 * sum(layer.w.size for layer in once.layers)
    tuned = finetune(twice, x, y, 2, rng=0)
    assert nonzeros(tuned) <= nonzeros(twice)


def test_prune_gradually_repeats_itself() -> None:
    """The same seed gives the same bytes."""
    x, y = blobs()
    net = train(x, y, hidden=(12,), epochs=2, rng=0)
    one, two = (prune_gradually(net, x, y, 0.2, 5, renew_every=2, rng=3) for _ in range(2))
    assert all(np.array_equal(a.w, b.w) for a, b in zip(one.layers, two.layers, strict=True))


def test_prune_gradually_at_density_one_is_fine_tuning() -> None:
    """With nothing to remove, the steps are those of `finetune`."""
    x, y = blobs()
    net = train(x, y, hidden=(6,), epochs=2, dtype=np.float64, rng=0)
    one = prune_gradually(net, x, y, 1.0, 2, learning_rate=1e-3, batch_size=64, rng=0)
    two = finetune(net, x, y, 2, learning_rate=1e-3, batch_size=64, rng=0)
    for a, b in zip(one.layers, two.layers, strict=True):
        np.testing.assert_allclose(a.w, b.w, rtol=1e-9, atol=1e-12)


def dead_neurons_cost_nothing(drop: Any, seed: int) -> bool:
    """Say whether the outputs stay, bit for bit, and each hidden neuron left is on a path or alone in its layer.

    Weights, biases and rows are small integers, so that all sums are exact.
    """
    rng = np.random.default_rng(seed)
    widths = (3, *rng.integers(1, 6, int(rng.integers(1, 4))), 2)
    layers = [
        DenseLayer(
            rng.integers(-3, 4, (k, n)) * (rng.random((k, n)) < 0.4).astype(float),
            rng.integers(-3, 4, n).astype(float),
            "relu" if i < len(widths) - 2 else "identity",
        )
        for i, (k, n) in enumerate(pairwise(widths))
    ]
    net, x = FloatMLP(tuple(layers)), rng.integers(-3, 4, (20, 3)).astype(float)
    small = drop(net)
    forward, backward = np.ones(3, bool), np.ones(2, bool)
    reached, heard = [], []
    for layer in small.layers:
        forward = (layer.w[forward] != 0).any(axis=0)
        reached.append(forward)
    for layer in reversed(small.layers):
        heard.append(backward)
        backward = (layer.w[:, backward] != 0).any(axis=1)
    hidden = list(zip(reached, heard[::-1], strict=True))[:-1]
    on_paths = all(len(r) == 1 or (r & h).all() for r, h in hidden)
    return np.array_equal(small.logits(x), net.logits(x)) and on_paths


@given(seed=st.integers(0, 2**32 - 1))
def test_drop_dead_neurons_drops_all_that_lie_on_no_path(seed: int) -> None:
    """F21, F15: neurons off all paths leave the arrays, their constants join the next biases, and no output changes."""
    assert dead_neurons_cost_nothing(drop_dead_neurons, seed)


def test_dead_neurons_law_kills_a_lost_constant_and_a_neuron_that_stays() -> None:
    """F21: dropping without F15 changes outputs; dropping nothing leaves neurons off all paths."""

    def unfolded(net: Any) -> Any:
        small = drop_dead_neurons(net)
        biases = [layer.b for layer in small.layers[:-1]] + [net.layers[-1].b]
        return FloatMLP(
            tuple(DenseLayer(one.w, b, one.activation) for one, b in zip(small.layers, biases, strict=True))
        )

    for mutant in (unfolded, lambda net: net):
        assert not all(dead_neurons_cost_nothing(mutant, seed) for seed in range(30))


def test_drop_dead_neurons_of_a_dead_layer() -> None:
    """F21: a hidden layer of zeros keeps one neuron, and the constant function; only a FloatMLP has dead neurons."""
    net = FloatMLP(
        (
            DenseLayer(np.zeros((3, 4)), np.array([1.0, 2.0, 3.0, 4.0]), "relu"),
            DenseLayer(np.ones((4, 2)), np.array([0.5, 0.0]), "identity"),
        )
    )
    small = drop_dead_neurons(net)
    assert small.neurons == (1, 2) and small.logits(np.ones((1, 3))).tolist() == [[10.5, 10.0]]
    with pytest.raises(TypeError, match="FloatMLP"):
        drop_dead_neurons(None)


X, Y = blobs(20)
NET = train(X, Y, hidden=(4,), epochs=1, rng=0)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"density": 0.0}, ValueError, "density is 0.0"),
        ({"density": 1.5}, ValueError, "density is 1.5"),
        ({"density": 0.02}, ValueError, "leaves 0 of 36 weights in 2 layers"),
        ({"density": "few"}, TypeError, "density is 'few'"),
        ({"schedule_share": 0.0}, ValueError, "schedule_share is 0.0"),
        ({"rate_weight": -1.0}, ValueError, "rate_weight is -1.0"),
        ({"renew_every": 0}, ValueError, "renew_every is 0"),
        ({"epochs": 0}, ValueError, "epochs is 0"),
        ({"x": X[:, :2]}, ValueError, "x has 2 columns"),
        ({"x": np.full((20, 6), np.nan)}, ValueError, "x is nan"),
        ({"teacher": np.zeros((2, 2))}, ValueError, "teacher's outputs"),
        ({"model": 3}, TypeError, "gradual pruning trains a FloatMLP"),
    ],
)
def test_prune_gradually_names_what_is_wrong(arguments: Any, error: Any, message: str) -> None:
    """Bad values are refused with the thing and the fix."""
    with pytest.raises(error, match=message):
        prune_gradually(**{"model": NET, "x": X, "y": Y, "density": 0.5, "epochs": 1, **arguments})
