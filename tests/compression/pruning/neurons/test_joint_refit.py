"""Laws of the joint refit (S10): it never makes the outputs worse, moves nothing that is right, and has no units."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from npquant.compression.least_squares import PULL
from npquant.compression.pruning.neurons.joint_refit import _make_problem, joint_refit
from npquant.compression.pruning.neurons.output_metric import OUTPUTS, output_loss
from npquant.nn.model import DenseLayer, FloatMLP

SEEDS = st.integers(0, 2**32 - 1)
ACTIVATIONS = st.sampled_from(["relu", "clipped_relu", "hard_sigmoid", "sigmoid", "tanh", "softplus"])


def network(rng: np.random.Generator, widths: tuple[int, ...], activation: str, last: str = "identity") -> FloatMLP:
    """Draw a network."""
    names = [activation] * (len(widths) - 2) + [last]
    return FloatMLP(
        tuple(
            DenseLayer(rng.normal(0, 0.7, (k, n)), rng.normal(0, 0.5, n), a)
            for k, n, a in zip(widths, widths[1:], names, strict=False)
        )
    )


def damaged(net: FloatMLP, rng: np.random.Generator) -> FloatMLP:
    """Add noise to all weights."""
    return FloatMLP(
        tuple(DenseLayer(one.w + rng.normal(0, 0.1, one.w.shape), one.b, one.activation) for one in net.layers)
    )


LASTS = st.sampled_from(["identity", "tanh", "softplus"])


@settings(max_examples=40)
@given(seed=SEEDS, activation=ACTIVATIONS, output=st.sampled_from(OUTPUTS), last=LASTS)
def test_joint_refit_comes_no_farther_from_the_target(seed: int, activation: str, output: str, last: str) -> None:
    """S10: the loss on its own rows does not grow, with one row and with fewer rows than inputs too."""
    rng = np.random.default_rng(seed)
    net = network(rng, (4, 6, 5, 3), activation, last)
    x = rng.normal(size=(int(rng.choice([1, 3, 40])), 4))
    target, worse = net.logits(x), damaged(net, rng)
    fitted = FloatMLP(joint_refit(worse.layers, x, target, output))
    before, after = (output_loss(target, one.logits(x), output)[0] for one in (worse, fitted))
    assert after <= before
    # A network that is off by noise and has the capacity is not left as it was.
    assert after < before or before < 1e-12


@given(seed=SEEDS, activation=ACTIVATIONS, output=st.sampled_from(OUTPUTS))
def test_joint_refit_leaves_a_network_that_is_right(seed: int, activation: str, output: str) -> None:
    """S10: where the logits are the targets already, every byte stays."""
    rng = np.random.default_rng(seed)
    net, x = network(rng, (3, 5, 2), activation), rng.normal(size=(12, 3))
    for one, same in zip(net.layers, joint_refit(net.layers, x, net.logits(x), output), strict=True):
        assert same.w.tobytes() == one.w.tobytes() and same.b.tobytes() == one.b.tobytes()


def is_damped_least_squares(fit: Callable[..., Any], seed: int) -> bool:
    """Say whether one linear layer of real outputs comes out as the closed form of S10."""
    rng = np.random.default_rng(seed)
    rows, k = int(rng.integers(4, 30)), int(rng.integers(1, 5))
    x, layer = rng.normal(size=(rows, k)) + 1.0, DenseLayer(rng.normal(size=(k, 2)), rng.normal(size=2), "identity")
    target = rng.normal(size=(rows, 2))
    (new,) = fit([layer], x, target, "identity")
    # M is I. In units a_k, the pull on dw_kn is PULL K / R / a_k^2.
    a = np.sqrt((layer.w**2).sum(axis=1))
    a /= np.sqrt(np.mean((a * x.std(axis=0)) ** 2))
    xc, off = x - x.mean(axis=0), target - x @ layer.w
    dw = np.linalg.solve(xc.T @ xc / rows + np.diag(PULL * k / rows / a**2), xc.T @ (off - off.mean(axis=0)) / rows)
    b = target.mean(axis=0) - x.mean(axis=0) @ (layer.w + dw)
    # Two outputs share one matrix of k + 1 <= 5 eigenvalues, so that 10 steps of conjugate gradients solve it, and the
    # next Newton step would gain nothing; a unit a_k near 0 makes the slack larger.
    slack = 1e-6 * (1 + np.abs(dw).max())
    return bool(np.abs(new.w - layer.w - dw).max() < slack and np.abs(new.b - b).max() < 5 * slack)


@given(seed=SEEDS)
def test_joint_refit_of_a_linear_layer_is_damped_least_squares(seed: int) -> None:
    """S10: Gauss-Newton on a linear least-squares problem is its solution."""
    assert is_damped_least_squares(joint_refit, seed)


def test_least_squares_law_kills_other_fits() -> None:
    """No pull, a pull in other units, and inputs that are not centred are each seen."""

    def unpulled(layers: Any, x: Any, target: Any, output: str) -> Any:
        full = np.column_stack([x, np.ones(len(x))])
        solution = np.linalg.lstsq(full, target, rcond=None)[0]
        return (DenseLayer(solution[:-1], solution[-1], "identity"),)

    def of_other_units(layers: Any, x: Any, target: Any, output: str) -> Any:
        equal = DenseLayer(np.sign(layers[0].w) * np.sqrt((layers[0].w ** 2).mean()), layers[0].b, "identity")
        moved = target - x @ (layers[0].w - equal.w)
        (new,) = joint_refit([equal], x, moved, output)
        return (DenseLayer(new.w + layers[0].w - equal.w, new.b, "identity"),)

    def uncentred(layers: Any, x: Any, target: Any, output: str) -> Any:
        (new,) = joint_refit(layers, x - x.mean(axis=0), target, output)
        return (new,)

    for wrong in (unpulled, of_other_units, uncentred):
        assert not all(is_damped_least_squares(wrong, seed) for seed in range(8))


def backward_is_the_transpose_of_forward(wrong: Callable[..., Any], seed: int) -> bool:
    """Say whether y^T (J p) = (J^T y)^T p somewhere else than at t = 0, where inputs have moved off their old means."""
    rng = np.random.default_rng(seed)
    net, x = network(rng, (4, 6, 5, 3), "softplus"), rng.normal(size=(20, 4)) + 1.0
    problem = _make_problem(net.layers, x, net.logits(x), "softmax")
    t, p = 0.3 * rng.normal(size=(2, problem.zeros().size))
    inputs, later = problem._outputs(t)
    y = rng.normal(size=inputs[-1].shape)
    along, against = (
        problem._forward(later, inputs, p),
        wrong(problem, inputs)._backward(later, inputs, y, problem.zeros()),
    )
    size = np.linalg.norm(y) * np.linalg.norm(along) + np.linalg.norm(against) * np.linalg.norm(p)
    # Sums of 20 rows and of 6 inputs, three layers deep, whose terms are up to some ten times what is left of them.
    return bool(abs((y * along).sum() - against @ p) <= 1e3 * 2.0**-53 * size)


@given(seed=SEEDS)
def test_backward_is_the_transpose_of_forward(seed: int) -> None:
    """S10: the Gauss-Newton matrix is symmetric, J^T G J, which conjugate gradients count on."""
    assert backward_is_the_transpose_of_forward(lambda problem, inputs: problem, seed)


def test_transpose_law_kills_means_that_have_moved() -> None:
    """Inputs less their own means, and not less those of the network as it was, are seen."""

    def moved(problem: Any, inputs: Any) -> Any:
        return replace(problem, means=tuple(h.mean(axis=0) for h in inputs[:-1]))

    assert not any(backward_is_the_transpose_of_forward(moved, seed) for seed in range(5))


def has_no_units(fit: Callable[..., Any], seed: int) -> bool:
    """Say whether scaling features and ReLU neurons by powers of 2 leaves the fitted function, bit for bit."""
    rng = np.random.default_rng(seed)
    net, x = network(rng, (3, 6, 2), "relu"), rng.normal(size=(25, 3))
    target = damaged(net, rng).logits(x)
    one, two = net.layers
    s, c = 2.0 ** rng.integers(-6, 7, 3), 2.0 ** rng.integers(-6, 7, 6)
    twin = [DenseLayer(one.w * c / s[:, None], one.b * c, "relu"), DenseLayer(two.w / c[:, None], two.b, "identity")]
    first = FloatMLP(fit(net.layers, x, target, "softmax")).logits(x)
    return np.array_equal(first, FloatMLP(fit(twin, x * s, target, "softmax")).logits(x * s))


@settings(max_examples=30)
@given(seed=SEEDS)
def test_joint_refit_has_no_units(seed: int) -> None:
    """S10: features in other units, neurons large or small: the same function. Powers of 2 round nothing."""
    assert has_no_units(joint_refit, seed)


def test_no_units_law_kills_a_plain_gradient_step() -> None:
    """A step along the gradient of the weights as they are depends on their units."""

    def step(layers: Any, x: Any, target: Any, output: str) -> Any:
        net = FloatMLP(tuple(layers))
        logits, cache = net.forward(x)
        gradient = net.backward(output_loss(target, logits, output)[1], cache)
        moved = zip(net.layers, gradient, strict=True)
        return tuple(DenseLayer(one.w - 0.01 * dw, one.b - 0.01 * db, one.activation) for one, (dw, db) in moved)

    assert not any(has_no_units(step, seed) for seed in range(5))


@pytest.mark.parametrize("output", OUTPUTS)
def test_joint_refit_survives_what_does_not_vary(output: str) -> None:
    """One row, constant inputs, dead layers and zero weights give finite networks and leave dead inputs' weights."""
    rng = np.random.default_rng(0)
    for net in (network(rng, (3, 4, 2), "relu"), FloatMLP((DenseLayer(np.zeros((3, 2)), np.zeros(2), "identity"),))):
        for x in (np.ones((1, 3)), np.zeros((5, 3)), np.column_stack([np.zeros(6), rng.normal(size=(6, 2))])):
            fitted = joint_refit(net.layers, x, rng.normal(size=(len(x), 2)), output)
            assert np.isfinite(FloatMLP(fitted).logits(x)).all()
            assert np.array_equal(fitted[0].w[0], net.layers[0].w[0])


def test_joint_refit_names_rows_that_overflow() -> None:
    """Inputs whose squares leave float64 are refused."""
    x = np.array([[1e200], [-1e200]])
    with pytest.raises(ValueError, match="square overflows; scale them"):
        joint_refit([DenseLayer(np.array([[1.0]]), np.zeros(1), "identity")], x, np.zeros((2, 1)), "identity")
