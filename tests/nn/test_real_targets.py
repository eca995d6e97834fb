"""Training on real targets: each output by its own spread, errors that name the fix, and what one output is not."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from npquant.compression.rounding.dynamic import quantize_dynamic
from npquant.compression.rounding.uniform import quantize_uniform
from npquant.nn import scaling
from npquant.nn.classes import largest_output
from npquant.nn.model import DenseLayer, FloatMLP
from npquant.nn.scaling import Scaling, choose_target_scaling
from npquant.nn.training import train

Float64 = NDArray[np.float64]


def two_outputs(unit: float) -> tuple[Float64, Float64]:
    """Rows of two outputs of like difficulty, the second in another unit."""
    rng = np.random.default_rng(36)
    x = rng.normal(size=(900, 5))
    return x, np.stack([47.5 * (np.tanh(x @ rng.normal(size=5)) + 1), unit * (np.sin(x[:, 0]) + 1)], axis=1)


def r2(unit: float) -> Float64:
    """What a network explains of rows that it was not trained on, by output."""
    x, y = two_outputs(unit)
    model = train(x[:600], y[:600], loss="squared_error", epochs=60, rng=0)
    return np.asarray(1 - ((model.logits(x[600:]) - y[600:]) ** 2).mean(axis=0) / y[600:].var(axis=0))


def law_small_outputs_are_learned(learned: Callable[[float], Float64]) -> None:
    """An output is learned as well in any unit, beside any other."""
    assert (learned(np.pi) > 0.9).all()
    assert (learned(1e-6) > 0.9).all()


def test_train_learns_outputs_of_any_size() -> None:
    """The law above."""
    law_small_outputs_are_learned(r2)


def test_train_law_kills_one_divisor_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """With one divisor the smaller output is half learned (R2 0.57 to 0.61), and in millionths not at all (-1e9)."""

    def one_for_all(y: Float64, dtype: object) -> Scaling:
        o = y.mean(axis=0)
        return Scaling(o, np.full(y.shape[1], np.sqrt(np.mean((y - o) ** 2))))

    monkeypatch.setattr(scaling, "choose_target_scaling", one_for_all)
    with pytest.raises(AssertionError):
        law_small_outputs_are_learned(r2)
    assert r2(np.pi)[1] < 0.8
    assert r2(1e-6)[1] < -1e6


def test_choose_target_scaling_of_constant_outputs() -> None:
    """A constant output has its size for a spread, so that its error has its size, too."""
    y = np.array([[1.0, 0.1, 0.0], [5.0, 0.1, 0.0]])
    found = choose_target_scaling(y, np.float32)
    assert found.o.tolist() == [3.0, 0.1, 0.0] and found.d.tolist() == [2.0, 0.1, 1.0]


def test_choose_target_scaling_refuses_what_the_dtype_cannot_tell() -> None:
    """A millionth beside a million is lost in float32, and named; float64 holds it."""
    y = 1e6 + 1e-3 * np.arange(9.0)[:, None]
    with pytest.raises(ValueError, match=r"output 0 of y has the mean .*float32 cannot tell well; subtract its mean"):
        choose_target_scaling(y, np.float32)
    assert choose_target_scaling(y, np.float64).d[0] > 0


@pytest.mark.parametrize("y", [np.array([0.5, 1.5]), np.array([[0.5], [1.5]]), np.array([0.0, 1.0])])
def test_train_names_the_loss_of_real_labels(y: Float64) -> None:
    """Real labels are a regression or classes of the wrong type: both fixes are named."""
    with pytest.raises(TypeError, match=r'for regression give loss="squared_error"; classes must be integers'):
        train(np.array([[0.0], [1.0]]), y)


def test_predict_of_one_output_is_no_argmax() -> None:
    """No kind of network guesses what its one output is."""
    model = FloatMLP((DenseLayer(np.ones((2, 1)), np.zeros(1), "identity"),))
    x = np.array([[1.0, 2.0], [3.0, -5.0]])
    for network in (model, quantize_uniform(model, x, 8), quantize_dynamic(model)):
        with pytest.raises(ValueError, match=r"logits\(x\) are the values of a regression"):
            network.predict(x)
    assert largest_output(np.array([[2, 2, 1]])).tolist() == [0]
