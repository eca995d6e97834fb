"""Errors of a regression by their definitions, in any unit; and the paired test against drawn rows."""

import numpy as np
import pytest
from numpy.typing import NDArray

from npquant.measure.evaluate import Reference, answers_sqnr, compare, evaluate
from npquant.measure.real_targets import RealEvaluation, compare_real, evaluate_real, outputs_sqnr
from npquant.nn.model import DenseLayer, FloatMLP

EPS = float(np.finfo(float).eps)


def drawn(rows: int = 60, outputs: int = 2, seed: int = 0) -> tuple[NDArray[np.float64], ...]:
    """Targets, and two networks' answers."""
    rng = np.random.default_rng(seed)
    y = rng.normal(size=(rows, outputs))
    one = y + 0.3 * rng.normal(size=y.shape)
    return y, one, one + 0.1 * rng.normal(size=y.shape)


def test_evaluate_real_by_definition() -> None:
    """RMSE and R2 as anyone computes them; R2 of the mean is 0, of a constant target there is none."""
    y, one, _ = drawn()
    found = evaluate_real(one, y)
    assert found.rmse == pytest.approx(np.sqrt(((one - y) ** 2).mean(axis=0)), rel=8 * EPS)
    assert found.r2 == pytest.approx(
        1 - ((one - y) ** 2).sum(axis=0) / ((y - y.mean(axis=0)) ** 2).sum(axis=0), rel=1e-12
    )
    mean = evaluate_real(np.broadcast_to(y.mean(axis=0), y.shape), y)
    assert all(r2 is not None and abs(r2) < 1e-12 for r2 in mean.r2)
    constant = evaluate_real(np.array([[1.0], [2.0]]), np.array([5.0, 5.0]))
    assert constant.r2 == (None,) and constant.spread == (1.0,)


@pytest.mark.parametrize(("origin", "unit"), [(1000.0, 1.0), (0.0, 1e-6), (-3e5, 1e4), (0.0, 1e-100), (0.0, 1e100)])
def test_compare_real_in_any_unit(origin: float, unit: float) -> None:
    """A change of origin or unit changes no share, no p and no decibel, but for what the origin rounds away."""
    y, one, two = drawn()
    plain = compare_real(evaluate_real(one, y), evaluate_real(two, y))
    moved = [evaluate_real(origin + unit * values, origin + unit * y) for values in (one, two)]
    found = compare_real(*moved)
    blur = 100 * EPS * (1 + abs(origin) / unit)
    assert found.deviation == pytest.approx(plain.deviation, rel=blur)
    assert outputs_sqnr(*moved) == pytest.approx(outputs_sqnr(evaluate_real(one, y), evaluate_real(two, y)), rel=blur)
    for pair, other in zip(plain.outputs, found.outputs, strict=True):
        assert other.before / unit == pytest.approx(pair.before, rel=blur)
        assert other.rise / unit == pytest.approx(pair.rise, rel=100 * blur)
        assert other.p == pytest.approx(pair.p, rel=100 * blur)


def test_compare_real_interval_holds_the_truth() -> None:
    """Of 400 sets of rows the 95 % interval misses the rise of all rows in 5 %: 8 to 34 sets, but once in 1,000."""
    rng = np.random.default_rng(1)
    truth = np.sqrt(0.3**2 + 0.1**2) - 0.3
    missed = 0
    for _ in range(400):
        y = rng.normal(size=(80, 1))
        one = y + 0.3 * rng.normal(size=y.shape)
        pair = compare_real(evaluate_real(one, y), evaluate_real(one + 0.1 * rng.normal(size=y.shape), y)).outputs[0]
        low, high = pair.interval()
        missed += not low <= truth <= high
    assert 8 <= missed <= 34


def test_compare_real_of_equal_answers() -> None:
    """Nothing differs: no rise, p = 1, an interval without width."""
    y, one, _ = drawn()
    found = compare_real(evaluate_real(one, y), evaluate_real(one, y))
    assert found.divergence == 0
    assert all((pair.rise, pair.p, pair.interval()) == (0.0, 1.0, (0.0, 0.0)) for pair in found.outputs)


def test_compare_real_of_one_row_knows_nothing() -> None:
    """One row bounds nothing."""
    pair = compare_real(evaluate_real(np.ones((1, 1)), np.zeros(1)), evaluate_real(np.full((1, 1), 2.0), np.zeros(1)))
    assert pair.outputs[0].interval() == (-np.inf, np.inf)
    assert pair.outputs[0].p == 1.0


def test_evaluate_tells_classes_and_targets_apart() -> None:
    """What y holds decides; networks of another number of outputs are refused, and the two kinds do not mix."""
    model = FloatMLP((DenseLayer(np.eye(2), np.zeros(2), "identity"),))
    x = np.array([[1.0, 0.0], [0.0, 1.0]])
    reals, classes = evaluate(model, x, x), evaluate(model, x, np.array([0, 1]))
    assert isinstance(reals, RealEvaluation) and reals.rmse == (0.0, 0.0)
    assert (
        Reference.of(model, x, x).output == "identity" and Reference.of(model, x, np.array([0, 1])).output == "softmax"
    )
    assert answers_sqnr(reals, reals) == np.inf
    with pytest.raises(ValueError, match="1 real targets a row, the network 2 outputs"):
        evaluate(model, x, np.array([0.5, 1.5]))
    with pytest.raises(TypeError, match="classes"):
        compare(reals, classes)
