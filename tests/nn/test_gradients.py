"""Every hand-written gradient equals the slope of its function, and the check can fail."""

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npquant.nn import activations, layers, losses
from npquant.nn.layers import network_backward, network_forward
from npquant.nn.losses import LOSSES
from npquant.testing.gradient_check import GradientMismatch, check_gradient, flat, unflat

NAMES = list(activations.ACTIVATIONS)


def network_loss(parameters: Any, names: Any, x: Any, y: Any, pair: Any) -> Any:
    """Return the loss of a network as a function of its flat parameters, and its hand-written gradient."""
    forward, backward = pair

    def f(vector: Any) -> Any:
        return forward(network_forward(x, unflat(vector, parameters), names)[0], y)[0]

    outputs, caches = network_forward(x, parameters, names)
    return f, flat(network_backward(backward(forward(outputs, y)[1]), caches, names))


def problem(seed: int, name: str, loss: str, backward: Any = None, last: str = "identity") -> Any:
    """Draw a small network, rows and targets in float64."""
    rng = np.random.default_rng(seed)
    widths = (4, 5, 3, 3)
    parameters = [(rng.normal(0, 0.7, (k, n)), rng.normal(0.3, 0.3, n)) for k, n in itertools.pairwise(widths)]
    x = rng.normal(size=(7, 4))
    targets = {
        "softmax_cross_entropy": rng.integers(0, 3, 7),
        "squared_error": rng.normal(size=(7, 3)),
        "soft_cross_entropy": rng.dirichlet(np.ones(3), 7),
    }
    y = targets[loss]
    pair = LOSSES[loss] if backward is None else (LOSSES[loss][0], backward)
    return network_loss(parameters, [name, name, last], x, y, pair), flat(parameters)


@pytest.mark.parametrize("loss", list(LOSSES))
@pytest.mark.parametrize("name", NAMES)
@given(seed=st.integers(0, 2**32 - 1))
def test_network_backward_is_the_slope(name: Any, loss: Any, seed: int) -> None:
    """F1-F3, and F6, F7, F12: the gradient of every weight and bias, through every activation and loss."""
    (f, gradient), p = problem(seed, name, loss)
    check_gradient(f, gradient, p, rng=seed)


@pytest.mark.parametrize("loss", list(LOSSES))
@pytest.mark.parametrize("last", NAMES)
@given(seed=st.integers(0, 2**32 - 1))
def test_network_backward_is_the_slope_behind_an_output_activation(last: Any, loss: Any, seed: int) -> None:
    """F3: the last layer's activation is part of the function, and of its gradient."""
    (f, gradient), p = problem(seed, "softplus", loss, last=last)
    check_gradient(f, gradient, p, rng=seed)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_softplus_is_right_at_any_size(dtype: Any) -> None:
    """No overflow, a = z and da whole for large z, a = e^z and dz = da e^z to the last digits for very negative z."""
    z = np.array([[-80.0, -20.0, 0.0, 50.0, 1e4, 3e38]], dtype)
    a = activations.softplus_forward(z)
    assert a.dtype == dtype and (np.diff(a) > 0).all()
    # log(1 + t) = t (1 - t / 2 + ...), and t = e^-20 is below 2^-28: within 2^-28 of e^z, and a few roundings.
    np.testing.assert_allclose(a[0, :2], np.exp(z[0, :2]), rtol=2.0**-28 + 4 * np.finfo(dtype).eps)
    assert a[0, 2] == dtype(np.log(2)) and (a[0, 3:] == z[0, 3:]).all()
    slope = activations.softplus_backward(np.ones_like(z), a)
    np.testing.assert_allclose(slope, activations.sigmoid_forward(z), rtol=8 * np.finfo(dtype).eps)
    assert np.isnan(activations.softplus_forward(np.array([np.nan], dtype)))


def test_softplus_law_kills_the_plain_formula() -> None:
    """log(1 + e^z) overflows above 710, and loses all digits below -37."""
    with np.errstate(over="ignore"):
        plain = np.log(1 + np.exp(np.array([1000.0, -40.0])))
    assert not np.isfinite(plain[0]) and plain[1] == 0 != activations.softplus_forward(np.array([-40.0]))[0]


def _missing_batch_mean(cache: Any) -> Any:
    return losses.softmax_cross_entropy_backward(cache) * len(cache[1])


def _forgotten_one_hot(cache: Any) -> Any:
    return cache[0] / len(cache[1])


def _seen_from_the_other_side(cache: Any) -> Any:
    return -losses.softmax_cross_entropy_backward(cache)


def _soft_targets_forgotten(cache: Any) -> Any:
    return cache[0] / len(cache[1])


def _sharpest_target_alone(cache: Any) -> Any:
    return (cache[0] - np.eye(3)[cache[1].argmax(axis=1)]) / len(cache[1])


@pytest.mark.parametrize("mutant", [_soft_targets_forgotten, _sharpest_target_alone])
def test_check_gradient_kills_wrong_soft_losses(mutant: Any) -> None:
    """A gradient that leaves the target probabilities out, or takes the likeliest class for all, is caught."""
    (f, gradient), p = problem(3, "tanh", "soft_cross_entropy", mutant)
    with pytest.raises(GradientMismatch, match="the difference quotient is"):
        check_gradient(f, gradient, p, rng=3)


def _derivative_of_relu(da: Any, cache: Any) -> Any:
    return da


def _sigmoid_without_one_minus(da: Any, cache: Any) -> Any:
    return da * cache


def _tanh_half(da: Any, cache: Any) -> Any:
    return da * (1 - cache)


def _no_sixth(da: Any, cache: Any) -> Any:
    return da * ((cache > 0) & (cache < 1))


def _no_upper_bound(da: Any, cache: Any) -> Any:
    return da * (cache > 0)


@pytest.mark.parametrize("mutant", [_missing_batch_mean, _forgotten_one_hot, _seen_from_the_other_side])
def test_check_gradient_kills_wrong_losses(mutant: Any) -> None:
    """A loss gradient without its mean, without the right class, or with the wrong sign is caught."""
    (f, gradient), p = problem(3, "sigmoid", "softmax_cross_entropy", mutant)
    with pytest.raises(GradientMismatch, match="the difference quotient is"):
        check_gradient(f, gradient, p, rng=3)


@pytest.mark.parametrize(
    ("name", "mutant"),
    [
        ("relu", _derivative_of_relu),
        ("clipped_relu", _derivative_of_relu),
        ("clipped_relu", _no_upper_bound),
        ("sigmoid", _sigmoid_without_one_minus),
        ("tanh", _tanh_half),
        ("hard_sigmoid", _no_sixth),
    ],
)
def test_check_gradient_kills_wrong_activations(name: Any, mutant: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong derivative of any activation is caught."""
    forward = activations.ACTIVATIONS[name][0]
    monkeypatch.setattr(layers, "ACTIVATIONS", {**activations.ACTIVATIONS, name: (forward, mutant)})
    (f, gradient), p = problem(4, name, "squared_error")
    with pytest.raises(GradientMismatch):
        check_gradient(f, gradient, p, rng=4)


@pytest.mark.parametrize("position", range(3))
def test_check_gradient_kills_one_wrong_layer(position: Any) -> None:
    """An error of one in a thousand in one layer's gradient is caught."""
    (f, gradient), p = problem(5, "tanh", "softmax_cross_entropy")
    wrong = gradient.copy()
    part = np.array_split(np.arange(wrong.size), 3)[position]
    wrong[part] *= 1.001
    check_gradient(f, gradient, p, rng=5)
    with pytest.raises(GradientMismatch):
        check_gradient(f, wrong, p, rng=5)


@given(seed=st.integers(0, 2**32 - 1))
def test_softmax_is_a_distribution_at_any_size(seed: int) -> None:
    """Rows sum to 1 and nothing overflows, for logits up to 1e30."""
    logits = np.random.default_rng(seed).normal(size=(5, 4)) * 10.0 ** np.arange(5)[:, None] ** 2
    p = losses.softmax(logits)
    # Each of 4 terms and the sum round once: 4 + 1 roundings of at most eps each.
    assert (np.abs(p.sum(axis=1) - 1) <= 5 * np.finfo(np.float64).eps).all() and (p >= 0).all()


def test_sigmoid_has_no_overflow_and_exact_symmetry() -> None:
    """1 - sigmoid(z) is sigmoid(-z) to the last bits, and the far ends are 0 and 1."""
    z = np.array([-1e6, -50.0, -1.0, 0.0, 1.0, 50.0, 1e6])
    a = activations.sigmoid_forward(z)
    assert a[0] == 0 and a[-1] == 1 and a[3] == 0.5
    assert (np.abs(1 - a - a[::-1]) <= np.finfo(np.float64).eps).all()
