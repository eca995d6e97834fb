"""Laws of the measure of errors (S9): gradient, curvature and mean metric are derivatives of one loss."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npquant.compression.pruning.neurons.output_metric import (
    FLOOR,
    OUTPUTS,
    mean_costs,
    mean_metrics,
    output_curvature,
    output_loss,
)
from npquant.nn.model import DenseLayer, FloatMLP

SEEDS = st.integers(0, 2**32 - 1)


def network(rng: np.random.Generator, activation: str, last: str = "identity") -> FloatMLP:
    """Draw a network of two hidden layers."""
    widths, names = (3, 5, 4, 3), (activation, activation, last)
    return FloatMLP(
        tuple(
            DenseLayer(rng.normal(0, 0.6, (k, n)), rng.normal(0, 0.5, n), a)
            for k, n, a in zip(widths, widths[1:], names, strict=False)
        )
    )


def gradient_is_the_slope(loss: Callable[..., Any], seed: int, output: str) -> bool:
    """Say whether the gradient is what the loss grows by along one random direction, by central differences."""
    rng = np.random.default_rng(seed)
    target, z, along = rng.normal(size=(3, 6, 4))
    step = 1e-5
    rise = (loss(target, z + step * along, output)[0] - loss(target, z - step * along, output)[0]) / (2 * step)
    # Truncation: step^2 times third derivatives below 1; rounding: 2^-52 of a loss below 10, over the step.
    return bool(abs(rise - (loss(target, z, output)[1] * along).sum()) < 1e-8)


@given(seed=SEEDS, output=st.sampled_from(OUTPUTS))
def test_output_loss_gradient_is_the_slope(seed: int, output: str) -> None:
    """S9: the gradient of the loss, and 0 at the target."""
    assert gradient_is_the_slope(output_loss, seed, output)
    z = np.random.default_rng(seed).normal(size=(5, 3))
    value, gradient = output_loss(z, z, output)
    assert value == 0 and not gradient.any()


def test_slope_law_kills_a_gradient_without_the_floor() -> None:
    """q - p alone is not the gradient."""

    def without_floor(target: Any, z: Any, output: str) -> Any:
        value, gradient = output_loss(target, z, output)
        return value, gradient - FLOOR * (z - target) / len(z)

    assert not any(gradient_is_the_slope(without_floor, seed, "softmax") for seed in range(5))


@given(seed=SEEDS, output=st.sampled_from(OUTPUTS))
def test_output_curvature_is_the_slope_of_the_gradient_at_the_target(seed: int, output: str) -> None:
    """S9: G is the second derivative of the loss where z is the target (and, for these losses, everywhere)."""
    rng = np.random.default_rng(seed)
    target, z, along = rng.normal(size=(3, 6, 4))
    step = 1e-5
    for at in (target, z):
        up, down = (output_loss(target, at + s * along, output)[1] for s in (step, -step))
        np.testing.assert_allclose((up - down) / (2 * step), output_curvature(at, along, output), atol=1e-8)


def metric_is_the_second_order_cost(
    measure: Callable[..., Any], seed: int, activation: str, output: str, last: str = "identity"
) -> bool:
    """Say whether 1/2 e^T M e is what a small error e of one layer's pre-activations, alike on all rows, costs."""
    rng = np.random.default_rng(seed)
    net, x, step = network(rng, activation, last), rng.normal(size=(20, 3)), 1e-4
    a = net.activations(x)
    metrics = measure(net.layers, a, output)
    for i in range(len(net.layers)):
        e = rng.normal(size=net.neurons[i])
        costs = []
        for sign in (step, -step):
            moved = list(net.layers)
            moved[i] = DenseLayer(moved[i].w, moved[i].b + sign * e, moved[i].activation)
            costs.append(output_loss(a[-1], FloatMLP(tuple(moved)).logits(x), output)[0])
        # The terms of third order cancel between +e and -e; those of fourth are step^2 times a few dozen.
        if not np.isclose(sum(costs) / step**2, e @ metrics[i] @ e, rtol=1e-4, atol=1e-6):
            return False
    return True


@given(seed=SEEDS, activation=st.sampled_from(["sigmoid", "tanh", "identity"]), output=st.sampled_from(OUTPUTS))
def test_mean_metrics_are_the_second_order_cost(seed: int, activation: str, output: str) -> None:
    """S9: the metric of every layer against finite differences of the whole network."""
    assert metric_is_the_second_order_cost(mean_metrics, seed, activation, output)


@given(seed=SEEDS, last=st.sampled_from(["sigmoid", "tanh", "softplus"]), output=st.sampled_from(OUTPUTS))
def test_mean_metrics_pass_the_output_activation(seed: int, last: str, output: str) -> None:
    """S9: the logits stand behind the last layer's activation; its derivative is part of every metric."""
    assert metric_is_the_second_order_cost(mean_metrics, seed, "tanh", output, last)


def test_second_order_law_kills_metrics_of_weights_alone() -> None:
    """Leaving out the activations' derivatives, or the coupling of classes, is seen."""

    def by_weights(layers: Any, a: Any, output: str) -> Any:
        return mean_metrics([DenseLayer(one.w, one.b, "identity") for one in layers], a, output)

    def uncoupled(layers: Any, a: Any, output: str) -> Any:
        return [np.diag(np.diag(m)) for m in mean_metrics(layers, a, output)]

    for wrong in (by_weights, uncoupled):
        assert not all(metric_is_the_second_order_cost(wrong, seed, "tanh", "softmax") for seed in range(3))


@given(seed=SEEDS, output=st.sampled_from(OUTPUTS), activation=st.sampled_from(["relu", "clipped_relu"]))
def test_mean_metrics_are_positive_semidefinite(seed: int, output: str, activation: str) -> None:
    """S9: symmetric, no negative eigenvalue beyond rounding; the last layer's is positive definite."""
    rng = np.random.default_rng(seed)
    net = network(rng, activation)
    metrics = mean_metrics(net.layers, net.activations(rng.normal(size=(8, 3))), output)
    for metric in metrics:
        np.testing.assert_array_equal(metric, metric.T)
        assert np.linalg.eigvalsh(metric).min() >= -1e-14 * max(1.0, np.abs(metric).max())
    assert np.linalg.eigvalsh(metrics[-1]).min() >= 0.9 * FLOOR


def costs_are_the_diagonals(measure: Callable[..., Any], seed: int, output: str) -> bool:
    """Say whether the costs are the diagonals of the metrics, by layer; metrics from any layer on are the same."""
    rng = np.random.default_rng(seed)
    net, x = network(rng, "tanh"), rng.normal(size=(8, 3))
    a = net.activations(x)
    metrics, first = mean_metrics(net.layers, a, output), int(rng.integers(0, 3))
    # One sum of at most 6 x 8 squares, in two orders: no term is negative, so each is off by 50 u of itself.
    same = all(
        np.allclose(cost, np.diag(metric), rtol=2 * 50 * 2.0**-53, atol=0)
        for cost, metric in zip(measure(net.layers, a, output), metrics, strict=True)
    )
    later = mean_metrics(net.layers, a, output, first)
    return same and all(np.array_equal(one, two) for one, two in zip(later, metrics[first:], strict=True))


@given(seed=SEEDS, output=st.sampled_from(OUTPUTS))
def test_mean_costs_are_the_diagonals(seed: int, output: str) -> None:
    """S9: what is read of a metric alone is what the whole metric says."""
    assert costs_are_the_diagonals(mean_costs, seed, output)


def test_diagonal_law_kills_sums_and_layers_that_are_shifted() -> None:
    """A sum over rows in the place of the mean, and the costs of another layer, are seen."""

    def summed(layers: Any, a: Any, output: str) -> Any:
        return [len(a[0]) * cost for cost in mean_costs(layers, a, output)]

    def shifted(layers: Any, a: Any, output: str) -> Any:
        costs = mean_costs(layers, a, output)
        return [np.resize(cost, one.w.shape[1]) for cost, one in zip(costs[1:] + costs[:1], layers, strict=True)]

    for wrong in (summed, shifted):
        assert not any(costs_are_the_diagonals(wrong, seed, "softmax") for seed in range(3))


@pytest.mark.parametrize("measure", [mean_metrics, mean_costs])
def test_mean_metrics_that_overflow_are_named(measure: Callable[..., Any]) -> None:
    """Weights whose squares leave float64 are refused by layer."""
    layers = [
        DenseLayer(np.array([[1e-200]]), np.zeros(1), "relu"),
        DenseLayer(np.array([[1e200]]), np.zeros(1), "identity"),
    ]
    net = FloatMLP(tuple(layers))
    with pytest.raises(ValueError, match="by layer 0 overflows when squared; scale the weights"):
        measure(net.layers, net.activations(np.ones((2, 1))), "identity")
