"""A weight that is 0 stays 0: neurons that go after weights, weights after neurons, and every step to the file."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from npquant.compression.least_squares import REFIT_PULL
from npquant.compression.pruning.float_layers import ALLOCATIONS
from npquant.compression.pruning.neurons.compensation import damped_covariance, refit
from npquant.compression.pruning.neurons.joint_refit import joint_refit
from npquant.compression.pruning.neurons.output_metric import OUTPUTS, output_loss
from npquant.compression.pruning.neurons.pruning import COMPENSATIONS, prune_neurons, prune_neurons_with_report
from npquant.compression.pruning.neurons.ranking import CRITERIA
from npquant.compression.pruning.weights.gradual import prune_gradually
from npquant.compression.pruning.weights.one_shot import prune_weights
from npquant.compression.rounding.keeping_zeros import quantize_keeping_zeros
from npquant.compression.rounding.nearest import quantize_nearest
from npquant.compression.rounding.uniform import quantize_uniform
from npquant.files.storage import save
from npquant.integer.mlp import IntegerMLP
from npquant.interop.reading import load
from npquant.nn.finetuning import finetune
from npquant.nn.model import DenseLayer, FloatMLP
from npquant.nn.training import train

SEEDS = st.integers(0, 2**32 - 1)
ACTIVATIONS = st.sampled_from(["relu", "clipped_relu", "hard_sigmoid", "sigmoid", "tanh", "softplus"])


def sparse_network(rng: np.random.Generator, widths: tuple[int, ...], activation: str, density: float) -> FloatMLP:
    """Draw a network and set weights to 0."""
    layers = []
    for i, (k, n) in enumerate(pairwise(widths)):
        w = rng.normal(0, 0.7, (k, n)) * (rng.random((k, n)) < density)
        layers.append(DenseLayer(w, rng.normal(0, 0.5, n), "identity" if i == len(widths) - 2 else activation))
    return FloatMLP(tuple(layers))


def filled(before: FloatMLP, after: FloatMLP, kept: Any) -> int:
    """Count the weights that were 0 and are not, neuron by neuron that stayed."""
    rows = [np.arange(before.n_inputs), *kept]
    columns = [*kept, np.arange(before.neurons[-1])]
    return sum(
        int(np.count_nonzero((one.w[np.ix_(r, c)] == 0) & (two.w != 0)))
        for one, two, r, c in zip(before.layers, after.layers, rows, columns, strict=True)
    )


def keeps_zeros(prune: Callable[..., Any], seed: int, activation: str = "relu", density: float = 0.5) -> bool:
    """Say whether pruning fills no more zeros than its report says."""
    rng = np.random.default_rng(seed)
    net, x = sparse_network(rng, (5, 9, 7, 3), activation, density), rng.normal(size=(40, 5))
    small, report = prune(net, x, 0.4)
    return filled(net, small, report.kept) == report.refilled


@settings(max_examples=60)
@given(
    seed=SEEDS,
    activation=ACTIVATIONS,
    density=st.sampled_from([0.2, 0.5, 0.9]),
    criterion=st.sampled_from(CRITERIA),
    compensation=st.sampled_from(COMPENSATIONS),
    allocation=st.sampled_from(ALLOCATIONS),
    output=st.sampled_from(OUTPUTS),
)
def test_prune_neurons_keeps_zeros(
    seed: int, activation: str, density: float, criterion: str, compensation: str, allocation: str, output: str
) -> None:
    """S5, S6, S10: a weight of a kept neuron that was 0 is 0, but for those that the report counts (S3)."""

    def prune(net: FloatMLP, x: Any, rate: float) -> Any:
        return prune_neurons_with_report(
            net, x, rate, criterion, compensation, allocation=allocation, output=output, rng=0
        )

    assert keeps_zeros(prune, seed, activation, density)


def test_zeros_law_kills_a_refit_of_all_weights() -> None:
    """One weight beside its support is enough."""

    def refilling(net: FloatMLP, x: Any, rate: float) -> Any:
        small, report = prune_neurons_with_report(net, x, rate)
        last = small.layers[-1]
        return FloatMLP((*small.layers[:-1], DenseLayer(last.w + 1e-9, last.b, "identity"))), report

    assert not all(keeps_zeros(refilling, seed) for seed in range(5))


def test_a_twin_that_takes_over_is_counted() -> None:
    """S3: a redundant neuron's words to another output pass to its twin; outputs stay, and the report says how many."""
    hidden = DenseLayer(np.array([[1.0, 2.0, -1.0]]), np.zeros(3), "relu")
    last = DenseLayer(np.array([[1.0, 0.0], [0.0, 3.0], [1.0, 1.0]]), np.zeros(2), "identity")
    net, x = FloatMLP((hidden, last)), np.array([[1.0], [2.0], [-3.0]])
    small, report = prune_neurons_with_report(net, x, 1 / 3)
    assert report.refilled == report.layers[0].refilled == 1
    assert small.layers[1].w.tolist() == [[1.0, 6.0], [1.0, 1.0]]
    assert np.array_equal(small.logits(x), net.logits(x))


@given(seed=SEEDS)
def test_refit_is_the_least_squares_of_what_each_output_hears(seed: int) -> None:
    """S6 on the support alone: the gradient of the penalized error is 0 at every weight that is not 0."""
    rng = np.random.default_rng(seed)
    h, v, z = rng.normal(size=(20, 6)), rng.normal(size=(6, 4)), rng.normal(size=(20, 4))
    v *= rng.random(v.shape) < 0.6
    new, bias = refit(h, v, z, REFIT_PULL)
    assert not new[v == 0].any()
    centred = h - h.mean(axis=0)
    pull = damped_covariance(h, REFIT_PULL) - centred.T @ centred / len(h)
    slope = centred.T @ (z - h @ new - bias) / len(h) - pull @ (new - v)
    # Sums of 20 products of numbers below 5, and a solve whose condition is below 1 + 6e4.
    assert np.abs(slope[v != 0]).max(initial=0) < 1e-9


@settings(max_examples=30)
@given(seed=SEEDS, activation=ACTIVATIONS, output=st.sampled_from(OUTPUTS))
def test_joint_refit_keeps_zeros_and_comes_closer(seed: int, activation: str, output: str) -> None:
    """S10: no weight that is 0 moves, and the others bring the loss down all the same."""
    rng = np.random.default_rng(seed)
    net, x = sparse_network(rng, (4, 6, 5, 3), activation, 0.6), rng.normal(size=(40, 4))
    target = net.logits(x)
    worse = FloatMLP(tuple(DenseLayer(1.1 * one.w, one.b, one.activation) for one in net.layers))
    fitted = FloatMLP(joint_refit(worse.layers, x, target, output))
    for one, two in zip(worse.layers, fitted.layers, strict=True):
        assert not two.w[one.w == 0].any()
    before, after = (output_loss(target, one.logits(x), output)[0] for one in (worse, fitted))
    assert after <= before


def zeros(net: FloatMLP) -> float:
    """Return the share of weights that are 0."""
    return sum(int((one.w == 0).sum()) for one in net.layers) / net.macs


@pytest.mark.parametrize("neurons_first", [True, False])
@pytest.mark.parametrize("density", [0.4, (1, 2)])
def test_the_chain_keeps_what_each_step_paid_for(tmp_path: Path, neurons_first: bool, density: Any) -> None:
    """Neurons and weights in both orders, fine-tuning, gradual pruning, codes and a file: zeros only grow."""
    rng = np.random.default_rng(7)
    x = rng.normal(size=(300, 8))
    y = (x[:, 0] * x[:, 1] + x[:, 2] > 0).astype(int)
    net = train(x, y, hidden=(24, 12), epochs=15, rng=0)
    if neurons_first:
        small = prune_weights(prune_neurons(net, x, 0.5), x, density)
    else:
        small = prune_neurons(prune_weights(net, x, density), x, 0.5)
    assert small.neurons == (12, 6, 2) and zeros(small) > 0.3
    tuned = finetune(small, x, y, 3, teacher=net, rng=0)
    for one, two in zip(small.layers, tuned.layers, strict=True):
        assert not two.w[one.w == 0].any()
    for quantize in (quantize_keeping_zeros, quantize_uniform, quantize_nearest):
        save(quantize(tuned, x, 4), tmp_path / "n.npq")
        stored = load(tmp_path / "n.npq")
        assert isinstance(stored, IntegerMLP)
        for one, codes in zip(tuned.layers, stored.layers, strict=True):
            assert not codes.w_q[one.w == 0].any()
    thinner = prune_gradually(tuned, x, y, 0.2, 3, rng=0)
    assert sum(int((one.w != 0).sum()) for one in thinner.layers) <= 0.2 * tuned.macs
