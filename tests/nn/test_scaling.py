"""Scaling: chosen by what the rows are, and folded into a network without a trace."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npquant.data.datasets import load_optdigits
from npquant.measure.statistics import mcnemar, paired_interval
from npquant.nn.finetuning import finetune
from npquant.nn.model import DenseLayer, FloatMLP
from npquant.nn.scaling import FeatureError, are_pixels, choose_input_scaling
from npquant.nn.training import train


def table_of_ages(rng: np.random.Generator, rows: Any = 800) -> Any:
    """Draw an age, a pressure, four flags and a kind, and a class that the flags and the kind decide."""
    age, pressure = rng.integers(20, 90, rows), rng.integers(90, 200, rows)
    flags, kind = rng.integers(0, 2, (rows, 4)), rng.integers(0, 4, rows)
    return np.c_[age, pressure, flags, kind], (flags.sum(axis=1) + (kind > 1) >= 3).astype(np.int64)


def images(rng: np.random.Generator, rows: Any, side: Any, levels: Any = 256) -> Any:
    """Draw images: a spot of light in a dark square, seldom at its border."""
    at = rng.uniform(side / 10, 9 * side / 10, (rows, 2, 1))
    row, column = np.divmod(np.arange(side * side), side)
    light = np.exp(-((row - at[:, 0]) ** 2 + (column - at[:, 1]) ** 2) / (side / 5) ** 2)
    return (light * levels * 0.999).astype(np.uint8)


def drawn_table(name: Any) -> Any:
    """Make one of the tables that are told apart."""
    rng = np.random.default_rng(7)
    flags = rng.integers(0, 2, (600, 20))
    spot = images(rng, 600, 12)
    faint = spot.copy()
    faint[:, 0] = 0
    faint[3, 0] = 1
    return {
        "digits": lambda: load_optdigits().x,
        "the digits as float64": lambda: load_optdigits().x.astype(np.float64),
        "images": lambda: spot,
        "images of 16 levels": lambda: images(rng, 600, 12, 16),
        "images of 4 x 4": lambda: images(rng, 600, 4),
        "one faint pixel in a corner": lambda: faint,
        "black and white": lambda: (spot > 127).astype(np.uint8),
        "counts of one kind": lambda: rng.poisson(3, (600, 8)),
        "an indicator for each of five": lambda: np.eye(5, dtype=np.int64)[rng.integers(0, 5, 600)],
        "ages and flags": lambda: table_of_ages(rng)[0],
        "flags and a number up to 30": lambda: np.c_[flags, rng.integers(0, 31, 600)],
        "many shares and a few rarer flags": lambda: np.c_[
            rng.integers(0, 101, (600, 20)), flags[:, :4] & flags[:, 4:8]
        ],
        "counts with long tails": lambda: np.minimum(np.exp(rng.normal(1, 1.3, (600, 6))), 255).astype(np.int64),
        "all of one size, far from 0": lambda: rng.integers(100, 201, (600, 4)),
        "the digits, half a level higher": lambda: load_optdigits().x + 0.5,
        "one cell of 256": lambda: np.where(
            np.arange(64) + np.arange(1797)[:, None] == 0, 256, load_optdigits().x * 1.0
        ),
        "levels below 0": lambda: load_optdigits().x.astype(np.int16) - 1,
    }[name]()


PIXELS = (
    "digits", "the digits as float64", "images", "images of 16 levels", "images of 4 x 4",
    "one faint pixel in a corner", "black and white", "counts of one kind", "an indicator for each of five",
)  # fmt: skip
OTHERS = (
    "ages and flags", "flags and a number up to 30", "many shares and a few rarer flags", "counts with long tails",
    "all of one size, far from 0", "the digits, half a level higher", "one cell of 256", "levels below 0",
)  # fmt: skip


@pytest.mark.parametrize(("name", "expected"), [*((n, True) for n in PIXELS), *((n, False) for n in OTHERS)])
def test_are_pixels_goes_by_size_not_by_whole_numbers(name: Any, expected: Any) -> None:
    """Pixels are whole numbers of columns alike in size; that numbers are whole in 0..255 does not make them pixels."""
    x = drawn_table(name)
    assert are_pixels(x) is expected
    assert bool((choose_input_scaling(x, np.float32).d == x.max()).all()) is expected


def test_are_pixels_does_not_ask_for_the_order_of_rows_or_columns() -> None:
    """Rows and columns in another order are pixels still, or still are not."""
    rng = np.random.default_rng(0)
    for name in ("digits", "one faint pixel in a corner", "ages and flags"):
        x = drawn_table(name)
        assert are_pixels(rng.permutation(rng.permutation(x), axis=1)) is are_pixels(x)


@given(st.integers(0, 2**32 - 1))
def test_train_does_not_see_units_and_origins(seed: int) -> None:
    """x -> a x + b by column, exact in float64, leaves the scaled rows bit for bit, and the answers up to rounding."""
    rng = np.random.default_rng(seed)
    rows, features = 64, int(rng.integers(1, 6))  # 64 rows: sums and their halves are exact
    x = rng.integers(-500, 500, (rows, features)).astype(np.float64)
    a, b = 2.0 ** rng.integers(-8, 9, features), rng.integers(-(2**10), 2**10, features)
    y = np.arange(rows) % 2
    first, second = (choose_input_scaling(v, np.float64).apply(v, np.float64) for v in (x, x * a + b))
    assert np.array_equal(first, second)
    one, other = (train(v, y, hidden=(5,), epochs=2, dtype=np.float64, rng=0) for v in (x, x * a + b))
    difference = np.abs(one.logits(x) - other.logits(x * a + b))
    assert (difference <= _rounding(one, x) + _rounding(other, x * a + b)).all()


def _rounding(net: Any, x: Any) -> Any:
    """Bound the rounding of folded first layers: K + 8 roundings of the terms, through a slope <= 1, and the last."""
    (w, b), (v, c) = ((np.abs(layer.w), np.abs(layer.b)) for layer in net.layers)
    eps = np.finfo(np.float64).eps
    terms = np.abs(x) @ w + b + (np.abs(x).max(axis=0) @ w)  # the bias holds (o / d) w, of which o is within the rows
    return eps * ((len(w) + 8) * terms @ v + (len(v) + 8) * (v.sum(axis=0) + c))


@pytest.mark.parametrize("change", ["none", "half a unit up", "one cell of 256", "tenths", "ages in days"])
def test_train_learns_as_well_in_any_unit(change: Any) -> None:
    """Where units decide otherwise what pixels are, no fewer unseen rows are right than T2 allows to luck."""
    x, y = table_of_ages(np.random.default_rng(29))
    other = {
        "none": x,
        "half a unit up": x + 0.5,
        "one cell of 256": np.where((np.arange(800) == 0)[:, None] & (np.arange(7) == 1), 256, x),
        "tenths": x / 10,
        "ages in days": x * np.array([365, 1, 1, 1, 1, 1, 1]),
    }[change]
    standard = (x - x.mean(axis=0)) / x.std(axis=0)
    right = [train(v[:560], y[:560], rng=0).predict(v[560:]) == y[560:] for v in (standard, other)]
    paired = mcnemar(*right)
    assert paired_interval(paired.b, paired.c, 240)[0] <= 0
    assert right[1].mean() > max(y[560:].mean(), 1 - y[560:].mean()) + 0.2


def test_choose_input_scaling_names_the_feature() -> None:
    """A feature that float32 cannot tell is named by its column, for people and for callers."""
    times = 1.7e9 + np.arange(50.0)
    with pytest.raises(FeatureError, match=r"^feature 1 of x has the mean 1.7e\+09") as found:
        choose_input_scaling(np.c_[np.arange(50) * 7.5, times], np.float32)
    assert found.value.feature == 1 and found.value.reason.startswith("has the mean")


def test_choose_input_scaling_keeps_zero_for_pixels() -> None:
    """Whole numbers alike in size share one factor and no offset; anything else is standardized."""
    for pixels in (np.array([[0.0, 255.0], [99.0, 0.0]]), np.array([[0, 255], [99, 0]], np.uint8)):
        scaling = choose_input_scaling(pixels, np.float32)
        assert not scaling.o.any() and (scaling.d == 255).all()
    assert choose_input_scaling(np.zeros((2, 2), np.uint8), np.float32).d.tolist() == [1.0, 1.0]
    real = choose_input_scaling(np.array([[0.5, 7.1], [1.5, 7.1], [0.5, 7.1], [1.5, 7.1]]), np.float32)
    assert real.o.tolist() == [1.0, 7.1] and real.d.tolist() == [0.5, 1.0]


def test_train_folds_a_power_of_two_exactly() -> None:
    """F8: with d = 16, the raw network's logits are bit for bit those of a network trained on inputs scaled before."""
    rng = np.random.default_rng(0)
    pixels, y = rng.integers(0, 17, (90, 12)), rng.integers(0, 3, 90)
    pixels[0] = 16
    raw = train(pixels, y, hidden=(8,), epochs=4, rng=0)
    scaled = FloatMLP([DenseLayer(raw.layers[0].w * 16, raw.layers[0].b, "clipped_relu"), raw.layers[1]])
    assert np.array_equal(raw.logits(pixels), scaled.logits(pixels / 16))


@pytest.mark.parametrize("layers", [(), (8,)])
def test_finetune_at_a_rate_of_nothing_is_the_identity(layers: Any) -> None:
    """F8: taking the scaling out of both ends and folding it in again changes the outputs by rounding only."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(1e3, 2.0, (50, 3)), rng.normal(-7e2, 30.0, (50, 2))
    net = train(x, y, hidden=layers, loss="squared_error", epochs=5, dtype=np.float64, rng=0)
    same = finetune(net, x, y, 1, loss="squared_error", optimizer="sgd", learning_rate=1e-300, rng=0)
    # Each parameter rounds a few times; sums of 3 + 8 terms of the size of the largest product, a mean of 1e3 times w.
    largest = 1e3 * max(float(np.abs(layer.w).max()) for layer in net.layers) + 7e2
    bound = 64 * np.finfo(np.float64).eps * largest * (1 + 8 * float(np.abs(net.layers[-1].w).max()))
    assert np.abs(net.logits(x) - same.logits(x)).max() <= bound
