"""The core of a comparison: codes on their grid, a run that is its definition, and figures that are measured."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from npquant.compression.chain.weight_codes import Bits
from npquant.compression.rounding.uniform import quantize_uniform
from npquant.integer.mlp import IntegerMLP
from npquant.measure.evaluate import Reference
from npquant.nn.losses import kl_divergence
from npquant.nn.model import DenseLayer, FloatMLP
from npquant.workflow.compare.trial import check_grid, judge_each, quantize_each

DRAW = np.random.default_rng(0)
MODEL = FloatMLP((DenseLayer(DRAW.normal(0, 1, (5, 3)), np.zeros(3), "identity"),))
X, Y = DRAW.normal(0, 1, (50, 5)), DRAW.integers(0, 3, 50)


def uniform(model: FloatMLP, rows: Any, bits: Bits, seed: int) -> IntegerMLP:
    """Plain rounding."""
    return quantize_uniform(model, rows, bits)


def layers(*codes: list[int]) -> Any:
    """A network of one neuron a list."""
    return SimpleNamespace(layers=[SimpleNamespace(w_q=np.array(codes, np.int8).T)])


@pytest.mark.parametrize(
    ("bits", "codes"), [(2, [[-2, 1], [-1, 2]]), (3, [[-4, 3]]), ("ternary", [[-1, 1]]), (8, [[-128, 127]])]
)
def test_grid_holds_every_side(bits: Bits, codes: list[list[int]]) -> None:
    """Every code of the grid is on it, at 2 bits on either side."""
    check_grid(layers(*codes), "mine", bits)


@pytest.mark.parametrize(
    ("bits", "codes"), [(2, [[0, 0], [-2, 2]]), (3, [[0, 0], [0, 4]]), ("ternary", [[1, 1], [-2, 0]])]
)
def test_grid_kills_codes_beside_it(bits: Bits, codes: list[list[int]]) -> None:
    """A code beyond the grid, or a neuron on both sides at once, is named."""
    with pytest.raises(ValueError, match=r"mine at .*: layer 0, neuron 1: codes -?\d..-?\d leave the grid"):
        check_grid(layers(*codes), "mine", bits)


def test_rows_are_what_is_measured() -> None:
    """Accuracy, KL, rows lost and won are those of the networks themselves."""
    made = quantize_each(MODEL, X, {"u": uniform}, 2, 0)
    (row,) = judge_each(made, Reference.of(MODEL, X, Y), 4)
    before, after = MODEL.logits(X).argmax(axis=1) == Y, made[0].network.logits(X).argmax(axis=1) == Y
    assert (row.method, row.bits, row.seed, row.seconds) == ("u", 2, 4, made[0].seconds)
    assert (row.floating.value, row.score.value) == (2 * before.sum(), 2 * after.sum())
    assert (row.lost, row.won) == ((before & ~after).sum(), (~before & after).sum())
    assert row.gained == pytest.approx(2 * (after.sum() - before.sum()))
    assert row.divergence == kl_divergence(MODEL.logits(X), made[0].network.logits(X))


@pytest.mark.parametrize("outputs", [1, 3])
def test_real_targets_have_rmse_and_r2(outputs: int) -> None:
    """Of one target RMSE is in its unit; of several it is over their spread, so that no unit counts for more."""
    model = FloatMLP((DenseLayer(MODEL.layers[0].w[:, :outputs], np.zeros(outputs), "identity"),))
    y = model.logits(X) + DRAW.normal(0, 0.3, (50, outputs))
    (row,) = judge_each(quantize_each(model, X, {"u": uniform}, 4, 0), Reference.of(model, X, y), 0)
    error = model.logits(X) - y
    shares = np.sqrt(np.mean(error**2, axis=0)) / (1 if outputs == 1 else y.std(axis=0))
    assert row.floating.value == pytest.approx(np.sqrt(np.mean(shares**2)))
    assert row.floating.r2 == pytest.approx(np.mean(1 - np.mean(error**2, axis=0) / y.var(axis=0)))
    assert (row.lost, row.won) == (None, None) and row.divergence > 0


def test_a_run_that_is_not_its_definition_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fast route that gives other codes is no figure but an error, by the method's name."""
    made = quantize_each(MODEL, X, {"u": uniform}, 2, 0)
    monkeypatch.setattr(IntegerMLP, "run_plain", lambda self, codes: self.run(codes) + 1)
    with pytest.raises(ArithmeticError, match="u at 2 bits: the integer run differs from its definition"):
        judge_each(made, Reference.of(MODEL, X, Y), 0)
