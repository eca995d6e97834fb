"""Fine-tuning: zeros stay zeros, the teacher is heard, only what is active is computed, and bad input is named."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npquant.nn.descent import descend, loss_and_gradient
from npquant.nn.distillation import mixed_targets
from npquant.nn.finetuning import finetune
from npquant.nn.layers import network_backward, network_forward
from npquant.nn.losses import soft_cross_entropy_backward, soft_cross_entropy_forward
from npquant.nn.model import DenseLayer, FloatMLP
from npquant.nn.parameters import start_parameters
from npquant.nn.settings import Constraints, TrainingSettings
from npquant.nn.subnetwork import find_active_subnetwork, fold_constants
from npquant.nn.training import train
from npquant.testing.gradient_check import GradientMismatch, check_gradient, flat, unflat


def blobs(rows: int = 120, seed: int = 0) -> Any:
    """Draw three classes in five features."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, rows)
    return rng.normal(size=(rows, 5)) + 2 * np.eye(3, 5)[y], y


def sparse(seed: int = 0, widths: Any = (5, 7, 6, 3), density: float = 0.4, activation: str = "relu") -> FloatMLP:
    """Draw a network with zeros."""
    rng = np.random.default_rng(seed)
    layers = []
    for i, (k, n) in enumerate(pairwise(widths)):
        w = rng.normal(size=(k, n)) * (rng.random((k, n)) < density)
        layers.append(DenseLayer(w, rng.normal(size=n), activation if i < len(widths) - 2 else "identity"))
    return FloatMLP(layers)


@given(seed=st.integers(0, 2**32 - 1), density=st.sampled_from([0.0, 0.2, 0.7, 1.0]))
def test_finetune_keeps_zeros(seed: int, density: Any) -> None:
    """F15: every weight that is exactly 0 is 0 afterwards; every other one on a path may move."""
    x, y = blobs(20, 1)
    net = sparse(seed, density=density)
    tuned = finetune(net, x, y, 1, weight_decay=0.1, rng=seed)
    for old, new in zip(net.layers, tuned.layers, strict=True):
        assert not new.w[old.w == 0].any()
    assert tuned.neurons == net.neurons and tuned.n_inputs == net.n_inputs


def test_finetune_reads_no_dead_input() -> None:
    """An input without weights changes nothing, whatever it holds: the arrays do without it."""
    x, y = blobs()
    net = sparse(3)
    layers = list(net.layers)
    w = layers[0].w.copy()
    w[2] = 0
    layers[0] = DenseLayer(w, layers[0].b, "relu")
    other = x.copy()
    other[:, 2] = np.random.default_rng(0).normal(size=len(x))
    one, two = (finetune(FloatMLP(layers), rows, y, 2, rng=0) for rows in (x, other))
    for a, b in zip(one.layers, two.layers, strict=True):
        assert np.array_equal(a.w, b.w) and np.array_equal(a.b, b.b)


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_descend_steps_trainable_parameters_as_a_masked_descent_would(optimizer: Any) -> None:
    """F9, F15: at a rate along a half cosine, the same as zeroing the gradients and weights of all others."""
    x, y = blobs(64)
    net = sparse(5)
    masks = [layer.w != 0 for layer in net.layers]
    settings = TrainingSettings(3, "softmax_cross_entropy", optimizer, 0.01, 16, 0.9, 0.0, None)
    found = descend(
        net.parameters, net.activation_names, (x, y), None, settings, None, np.random.default_rng(0), Constraints(masks)
    )
    memory = start_parameters(net.parameters, None, optimizer)
    rng, step = np.random.default_rng(0), 0
    for _ in range(3):
        order = rng.permutation(64)
        for i in range(4):
            rows = order[16 * i : 16 * i + 16]
            loss_and_gradient(
                memory.parameters, net.activation_names, x[rows], y[rows], "softmax_cross_entropy", memory.gradient
            )
            for (dw, _), mask in zip(memory.gradient, masks, strict=True):
                dw *= mask
            memory.step(0.01 * (1 + np.cos(np.pi * step / 12)) / 2, settings)
            step += 1
    # Removing zero terms from a sum may change how BLAS groups it: 12 steps of a few roundings on numbers of size 10.
    for (w, b), (v, c) in zip(found, memory.parameters, strict=True):
        assert np.abs(w - v).max() <= 1e-9 and np.abs(b - c).max() <= 1e-9


def test_finetune_follows_the_teacher() -> None:
    """F13: with all of the share the network approaches the teacher's answers, and the labels are not heard."""
    x, y = blobs()
    teacher = train(x, y, hidden=(16,), epochs=20, rng=1)
    start = train(x, y, hidden=(8,), epochs=1, rng=2)
    rule = {"teacher": teacher, "teacher_share": 1.0, "temperature": 1.0, "learning_rate": 0.01, "rng": 0}
    one, two = (finetune(start, x, labels, 30, **rule) for labels in (y, (y + 1) % 3))
    assert np.array_equal(one.layers[0].w, two.layers[0].w)
    targets = mixed_targets(y, teacher.logits(x).astype(float), 1.0, 1.0)
    before, after = (soft_cross_entropy_forward(net.logits(x).astype(float), targets)[0] for net in (start, one))
    assert after < before


def test_finetune_takes_a_teacher_or_its_answers() -> None:
    """A network as teacher and its logits on x give the same bytes."""
    x, y = blobs()
    teacher, start = (train(x, y, hidden=(8,), epochs=3, rng=seed) for seed in (1, 2))
    one, two = (finetune(start, x, y, 2, teacher=t, rng=0) for t in (teacher, teacher.logits(x)))
    assert np.array_equal(one.layers[0].w, two.layers[0].w)


def test_finetune_distils_real_targets() -> None:
    """F13 of real targets: the optimum of a linear student under squared error is the mix of teacher and target."""
    x = np.linspace(-1, 1, 32)[:, None]
    line = FloatMLP((DenseLayer(np.ones((1, 1)), np.zeros(1), "identity"),))  # a weight of 0 would stay 0
    said = 4 * x + 1
    tuned = finetune(
        line, x, 2 * x, 200, teacher=said, teacher_share=0.25, loss="squared_error", learning_rate=0.05, rng=0
    )
    # Cosine to a rate of 0 leaves the optimum within a hundredth of the spread.
    assert np.abs(tuned.logits(x) - (0.25 * said + 0.75 * 2 * x)).max() < 0.05


def test_output_rounding_passes_the_gradient_straight_through() -> None:
    """F14: with rounded hidden outputs, gradients of the last layer are slopes, and those below are the identity's."""
    rng = np.random.default_rng(0)
    layers = [(rng.normal(size=(4, 5)), rng.normal(size=5)), (rng.normal(size=(5, 3)), np.zeros(3))]
    x, t, names = rng.normal(size=(7, 4)), rng.dirichlet(np.ones(3), 7), ["tanh", "identity"]

    def rounded(index: Any, a: Any) -> Any:
        return np.rint(4 * a) / 4

    outputs, cache = network_forward(x, layers, names, rounded)
    gradient = network_backward(soft_cross_entropy_backward(soft_cross_entropy_forward(outputs, t)[1]), cache, names)
    last = [layers[1]]

    def of_last(vector: Any) -> Any:
        both = [layers[0], *unflat(vector, last)]
        return soft_cross_entropy_forward(network_forward(x, both, names, rounded)[0], t)[0]

    check_gradient(of_last, flat([gradient[1]]), flat(last), rng=0)
    # By hand: what reaches the rounded outputs passes on to tanh as it is.
    p = np.exp(outputs) / np.exp(outputs).sum(axis=1, keepdims=True)
    dz = ((p - t) / len(t)) @ layers[1][0].T * (1 - np.tanh(x @ layers[0][0] + layers[0][1]) ** 2)
    np.testing.assert_allclose(gradient[0][0], x.T @ dz, rtol=1e-9, atol=1e-12)
    with pytest.raises(GradientMismatch):
        plain = network_backward(
            soft_cross_entropy_backward(soft_cross_entropy_forward(outputs, t)[1]),
            network_forward(x, layers, names)[1],
            names,
        )
        check_gradient(of_last, flat([plain[1]]), flat(last), rng=0)


class _Halves:
    """Round weights to halves in the forward pass, leave outputs."""

    def weights(self, parameters: Any) -> Any:
        return tuple((np.rint(2 * w) / 2, b) for w, b in parameters)

    def output(self, index: Any, a: Any) -> Any:
        return a


class _Doubles(_Halves):
    """Use twice the weights: the straight-through step by w must be that by the used weights, not twice as long."""

    def weights(self, parameters: Any) -> Any:
        return tuple((2 * w, b) for w, b in parameters)


@pytest.mark.parametrize("forward", [_Halves(), _Doubles()])
def test_descend_moves_latent_weights_by_the_gradient_of_the_used_ones(forward: Any) -> None:
    """F14: one step is w - rate dL/dw_used, and what comes back has passed the forward map."""
    rng = np.random.default_rng(0)
    start = [(rng.normal(size=(4, 5)), rng.normal(size=5)), (rng.normal(size=(5, 3)), np.zeros(3))]
    names, x, y = ["tanh", "identity"], rng.normal(size=(8, 4)), rng.integers(0, 3, 8)
    settings = TrainingSettings(1, "softmax_cross_entropy", "sgd", 0.3, 8, 0.0, 0.0, None)
    constraints = Constraints(start_forward=lambda parameters, inputs: forward)
    found = descend(start, names, (x, y), None, settings, None, np.random.default_rng(0), constraints)
    used = forward.weights(start)
    gradient = [(np.zeros_like(w), np.zeros_like(b)) for w, b in start]
    loss_and_gradient(used, names, x, y, "softmax_cross_entropy", gradient)
    stepped = [(w - 0.3 * dw, b - 0.3 * db) for (w, b), (dw, db) in zip(start, gradient, strict=True)]
    for (w, b), (v, c) in zip(found, forward.weights(stepped), strict=True):
        # The rows come in another order: a sum of 8 terms, rounded again.
        np.testing.assert_allclose(w, v, rtol=0, atol=1e-12)
        np.testing.assert_allclose(b, c, rtol=0, atol=1e-12)


@pytest.mark.parametrize("activation", ["relu", "clipped_relu", "sigmoid", "tanh", "softplus"])
@given(seed=st.integers(0, 2**32 - 1), density=st.sampled_from([0.05, 0.2, 0.5]))
def test_fold_constants_keeps_the_function(activation: str, seed: int, density: Any) -> None:
    """F15, F21: folding what no input reaches and dropping what lies on no path changes logits by rounding only."""
    net = sparse(seed, density=density, activation=activation)
    masks = [layer.w != 0 for layer in net.layers]
    folded = fold_constants(net.parameters, masks, net.activation_names)
    x = np.random.default_rng(seed).normal(size=(9, 5))
    old, new = (network_forward(x, p, net.activation_names)[0] for p in (net.parameters, folded))
    assert np.abs(old - new).max() <= 1e3 * np.finfo(float).eps * (1 + np.abs(old).max())
    active = find_active_subnetwork(masks)
    small = active.take(folded)
    cut = network_forward(x[:, active.inputs], small, net.activation_names)[0]
    assert np.abs(old - cut).max() <= 1e3 * np.finfo(float).eps * (1 + np.abs(old).max())


def test_fold_constants_law_kills_a_fold_that_forgets_the_activation() -> None:
    """Adding b in place of f(b) is noticed."""
    layers = [(np.zeros((1, 1)), np.array([-2.0])), (np.array([[3.0]]), np.array([1.0]))]
    folded = fold_constants(layers, [w != 0 for w, _ in layers], ["relu", "identity"])
    assert folded[1][1].tolist() == [1.0] != [1.0 - 6.0]


def ending_in(last: str, seed: int = 0) -> FloatMLP:
    """Draw a network whose outputs stand behind an activation."""
    layers = sparse(seed, density=0.8).layers
    return FloatMLP((*layers[:-1], DenseLayer(layers[-1].w, layers[-1].b, last)))


@pytest.mark.parametrize("last", ["relu", "clipped_relu", "tanh", "softplus", "sigmoid"])
@pytest.mark.parametrize("loss", ["softmax_cross_entropy", "squared_error"])
def test_finetune_trains_through_an_output_activation(last: Any, loss: Any) -> None:
    """F3, F8: a rate of almost nothing gives the same network back, a real one a smaller loss; zeros and names stay."""
    x, y = blobs()
    net = ending_in(last)
    targets = y if loss == "softmax_cross_entropy" else 0.5 * np.eye(3)[y]
    still = finetune(net, x, targets, 1, loss=loss, learning_rate=1e-300, rng=0)
    # Scaling the inputs and back rounds each number twice: far below 1e-9 of outputs of unit size.
    np.testing.assert_allclose(still.logits(x), net.logits(x), rtol=1e-9, atol=1e-9)
    losses: list[Any] = []
    tuned = finetune(net, x, targets, 15, loss=loss, teacher=net, teacher_share=0.1, rng=0, progress=losses.append)
    assert losses[-1].loss < losses[0].loss
    assert tuned.activation_names == net.activation_names
    assert all(not new.w[old.w == 0].any() for old, new in zip(net.layers, tuned.layers, strict=True))


def test_a_class_whose_relu_is_zero_gets_no_gradient() -> None:
    """F3: cross-entropy behind a ReLU moves nothing of a class that is cut off; the card of finetune says so."""
    net = FloatMLP((DenseLayer(np.ones((1, 2)), np.array([-9.0, 9.0]), "relu"),))
    gradient = [(np.zeros((1, 2)), np.zeros(2))]
    loss_and_gradient(net.parameters, ["relu"], np.ones((4, 1)), np.zeros(4, int), "softmax_cross_entropy", gradient)
    assert gradient[0][1][0] == 0 != gradient[0][1][1]


X, Y = blobs(12)
NET = FloatMLP((DenseLayer(np.ones((5, 3)), np.zeros(3), "identity"),))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"teacher": FloatMLP((DenseLayer(np.ones((4, 3)), np.zeros(3), "identity"),))}, "teacher takes 4 inputs"),
        ({"teacher": FloatMLP((DenseLayer(np.ones((5, 2)), np.zeros(2), "identity"),))}, "gives 2 outputs"),
        ({"teacher": np.zeros((3, 3))}, r"shape \(3, 3\); they must be \(12, 3\)"),
        ({"teacher": np.full((12, 3), np.nan)}, "NaN"),
        ({"teacher": NET, "temperature": 0.0}, "temperature is 0.0"),
        ({"teacher": NET, "teacher_share": 1.5}, "teacher_share is 1.5"),
        ({"x": X[:, :4]}, "x has 4 columns"),
        ({"x": X[:0], "y": Y[:0]}, r"shape \(0, 5\)"),
        ({"x": np.where(X == X[0, 0], np.nan, X)}, "x is nan"),
        ({"y": Y + 3}, "contains class"),
        ({"epochs": 0}, "epochs is 0"),
    ],
)
def test_finetune_names_what_is_wrong(arguments: Any, message: str) -> None:
    """Bad values raise ValueError with the thing and the fix."""
    with pytest.raises(ValueError, match=message):
        finetune(NET, **{"x": X, "y": Y, "epochs": 1, **arguments})


@pytest.mark.parametrize("arguments", [{"teacher": [["a"] * 3] * 12}, {"teacher": NET, "temperature": "hot"}])
def test_finetune_refuses_wrong_types(arguments: Any) -> None:
    """Text as teacher or temperature raises TypeError."""
    with pytest.raises(TypeError):
        finetune(NET, X, Y, 1, **arguments)
