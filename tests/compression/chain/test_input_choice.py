"""Whole numbers as they are or by feature: what costs the weights nothing, and what a unit or an origin changes."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import npquant
from npquant.compression.chain.input_choice import choose_inputs, cost_of_exact
from npquant.compression.rounding.on_grid import quantize_on_grid
from npquant.compression.rounding.quantize_model import quantize_model
from npquant.compression.rounding.straight_through import StraightThrough
from npquant.compression.rounding.uniform import quantize_uniform
from npquant.data.sets import load_sets
from npquant.nn.finetuning import finetune
from npquant.nn.model import DenseLayer, FloatMLP
from npquant.nn.training import train

SEEDS = st.integers(0, 2**32 - 1)


@cache
def digits() -> Any:
    """The bundled float network and its training rows."""
    bundled = resources.files("npquant.data") / "bundled" / "digits_float.npz"
    return npquant.load(bundled), load_sets(None, 0).x_calibration[:600]


def standardized(seed: int, rows: Any = 300) -> Any:
    """A whole-number table of unlike columns, and a network that a StandardScaler is folded into."""
    rng = np.random.default_rng(seed)
    columns = [rng.integers(0, high, rows) for high in (2, 10, 60, 200, 5, 250)]
    x = np.stack(columns, axis=1).astype(np.float64)
    scale = x.std(axis=0)
    w = rng.normal(0, 1, (6, 16))
    hidden = DenseLayer(w / scale[:, np.newaxis], -(x.mean(axis=0) / scale) @ w, "relu")
    return FloatMLP((hidden, DenseLayer(rng.normal(0, 1, (16, 4)), np.zeros(4), "identity"))), x


def in_other_units(model: Any, a: Any, b: Any) -> Any:
    """The network for rows a x + b."""
    first = model.layers[0]
    moved = DenseLayer(first.w / a[:, np.newaxis], first.b - (b / a) @ first.w, first.activation)
    return FloatMLP((moved, *model.layers[1:]))


@pytest.mark.parametrize("bits", [8, 4])
def test_a_folded_scaler_no_longer_collapses(bits: Any) -> None:
    """Where whole numbers have many sizes, auto is as good as the same network on rows that are not whole."""
    model, x = standardized(0)
    auto, exact = (quantize_uniform(model, x, bits, inputs=name) for name in ("auto", "exact"))
    assert (auto.inputs_kind, exact.inputs_kind) == ("by_feature", "exact")
    wanted = model.logits(x)
    found, plain = (np.square(net.logits(x) - wanted).mean() for net in (auto, exact))
    assert found < plain / 2
    tenths = quantize_uniform(in_other_units(model, np.full(6, 0.1), np.zeros(6)), 0.1 * x, bits)
    assert (auto.predict(x) == tenths.predict(0.1 * x)).mean() >= 0.99


def test_pixels_stay_exact() -> None:
    """The bundled digits: every width, by any method."""
    model, x = digits()
    for bits in (8, 4, "ternary"):
        assert quantize_uniform(model, x, bits) == quantize_uniform(model, x, bits, inputs="exact")
    assert quantize_model(model, x[:100], 4).network.inputs_kind == "exact"


@given(seed=SEEDS)
def test_a_unit_and_an_origin_change_no_answer(seed: int) -> None:
    """Columns a x + b, the network folded the other way: at 8 bits 99 classes in 100 agree.

    By feature every column keeps half of its 255 steps at least, whatever its origin: codes of 8 and of 7 bits differ
    by at most a step of the coarser one, 1 / 127 of a column's width.
    """
    model, x = standardized(seed)
    rng = np.random.default_rng(seed)
    a, b = 10.0 ** rng.integers(-3, 4, 6), rng.integers(-300, 300, 6).astype(np.float64)
    other, rows = in_other_units(model, a, b), x * a + b
    one, two = quantize_uniform(model, x, 8), quantize_uniform(other, rows, 8)
    wanted = model.logits(x)
    spread = wanted.std()
    for net, given_rows in ((one, x), (two, rows)):
        assert np.sqrt(np.square(net.logits(given_rows) - wanted).mean()) < 0.05 * spread
    # Rows whose two best classes lie nearer than the error are decided by it; the others agree.
    best = np.sort(wanted, axis=1)
    clear = best[:, -1] - best[:, -2] > 0.1 * spread
    assert (one.predict(x) == two.predict(rows))[clear].mean() >= 0.99


@given(seed=SEEDS, power=st.lists(st.integers(-8, 8), min_size=6, max_size=6))
def test_a_unit_changes_no_code_by_feature(seed: int, power: Any) -> None:
    """Units that are powers of two: the same integers, whatever they are."""
    model, x = standardized(seed)
    a = 2.0 ** np.array(power)
    one = quantize_uniform(model, x, 8, inputs="by_feature")
    two = quantize_uniform(in_other_units(model, a, np.zeros(6)), x * a, 8, inputs="by_feature")
    assert one.layers == two.layers
    np.testing.assert_array_equal(one.run(one.encode(x)), two.run(two.encode(x * a)))


def test_the_cost_is_that_of_a_unit() -> None:
    """Doubling the unit of one column of two alike ones: the largest weight doubles, the other's noise with it."""
    rows = np.stack([np.arange(8.0), np.array([3.0, 0, 7, 4, 1, 5, 2, 6])], axis=1)
    w = np.array([[1.0], [1.0]])
    alike = cost_of_exact(rows, w, np.ones(2))
    assert alike == 1
    scaled = cost_of_exact(rows / [8, 1], w * [[8], [1]], np.array([1 / 8, 1.0]))
    # c(1)^2 = 8^2 (1 / 64 + 1) and c(s)^2 = 1 + 1, in variances of a column.
    np.testing.assert_allclose(scaled, 65 / 2)


def test_rows_that_do_not_vary_cost_nothing() -> None:
    """One row has no sum that weights could make noisy."""
    model, x = standardized(1)
    assert quantize_uniform(model, x[:1], 8).inputs_kind == "exact"


def test_exact_inputs_are_refused_where_there_are_none() -> None:
    """By the column, with the fix; an unknown name by itself."""
    w = np.ones((2, 1))
    with pytest.raises(ValueError, match=r"column 1 holds 0\.5: give inputs='by_feature'"):
        choose_inputs(np.array([[1.0, 2.0], [3.0, 0.5]]), w, "exact")
    with pytest.raises(ValueError, match=r"the columns span 0 to 300: give inputs='by_feature'"):
        choose_inputs(np.array([[1.0, 2.0], [3.0, 300.0]]), w, "exact")
    with pytest.raises(ValueError, match="inputs is 'pixels'; it must be one of auto, exact, by_feature"):
        choose_inputs(np.ones((1, 2)), w, "pixels")


@pytest.mark.parametrize("inputs", ["auto", "exact", "by_feature"])
def test_fine_tuning_and_reading_codes_agree_on_the_inputs(inputs: Any) -> None:
    """What the quantizer says is what the codes are read for."""
    _, x = standardized(2)
    y = (x[:, 3] > np.median(x[:, 3])).astype(int)
    net = train(x, y, hidden=(6,), epochs=3, activation="relu", rng=0)
    grid = StraightThrough(4, inputs=inputs)
    tuned = finetune(net, x, y, 2, quantizer=grid, rng=0)
    found = quantize_on_grid(tuned, x, grid)
    assert inputs in ("auto", found.inputs_kind)
