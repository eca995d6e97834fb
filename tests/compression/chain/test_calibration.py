"""Laws of calibration: ranges hold what they promise, and every training row keeps its value in the input codes."""

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import ArrayLike, NDArray

from npquant.compression.chain.calibration import (
    InputCode,
    checked_rows,
    choose_input_code,
    evenly_spaced,
    min_max_range,
    mse_range,
    percentile_range,
)
from npquant.kernels.affine import quantize
from npquant.kernels.qparams import choose_affine

Float64 = NDArray[np.float64]
Choose = Callable[[ArrayLike], InputCode]
REALS = st.floats(-1e6, 1e6).filter(lambda v: v == 0 or abs(v) > 1e-6)
ROWS = arrays(np.float64, st.tuples(st.integers(1, 6), st.integers(1, 5)), elements=REALS)


def decoded(code: InputCode, rows: Float64) -> Float64:
    """Return the real values that the codes of rows stand for."""
    offset = 0.0 if code.offset is None else code.offset
    q = quantize(rows - offset, code.params).astype(np.float64)
    return np.asarray((q - np.asarray(code.params.zero_point)) * np.asarray(code.params.scale, np.float64) + offset)


def law_keeps_training_rows(choose: Choose, rows: Float64) -> None:
    """Every training value comes back within a step of its feature, and no step is wider than the feature needs.

    Half a step is the rounding; the rest of the bound, another half, covers the zero point, which is common to all
    features and an integer, and the float32 rounding of the scale (2^-24 of 255 steps).
    """
    code = choose(rows)
    scale = np.broadcast_to(np.asarray(code.params.scale, np.float64), rows.shape[1:])
    assert (np.abs(decoded(code, rows) - rows) <= scale + 1e-12 * np.abs(rows)).all()
    size = np.maximum(np.abs(rows).max(axis=0), 0)
    width = rows.max(axis=0) - rows.min(axis=0)
    far = size > 8 * width
    assert (scale[far & (width > 0)] <= (width / 255 * (1 + 1e-6))[far & (width > 0)]).all() or np.ndim(
        code.params.scale
    ) == 0


@given(rows=ROWS)
def test_choose_input_code_keeps_training_rows(rows: Float64) -> None:
    """Whatever the features' sizes, signs and distances from 0."""
    law_keeps_training_rows(choose_input_code, rows)


def test_choose_input_code_law_kills_codes_without_offsets() -> None:
    """Years from 1990 to 2020 at 2020 / 255 a step lose most of what they say."""

    def without_offset(x: ArrayLike) -> InputCode:
        rows = checked_rows(x)
        return InputCode(choose_affine(rows.min(axis=0), rows.max(axis=0), 8), None)

    rows = np.stack([np.linspace(1990, 2020, 7), np.linspace(0, 1, 7)], axis=1)
    law_keeps_training_rows(choose_input_code, rows)
    with pytest.raises(AssertionError):
        law_keeps_training_rows(without_offset, rows)


@given(rows=arrays(np.int16, st.tuples(st.integers(1, 6), st.integers(1, 5)), elements=st.integers(-100, 155)))
def test_choose_input_code_is_exact_on_small_integers(rows: NDArray[np.int16]) -> None:
    """Integers that span at most 255 with 0 have steps of 1, and come back exactly."""
    code = choose_input_code(rows)
    assert code.params.scale == 1 and code.offset is None
    assert np.array_equal(decoded(code, rows.astype(np.float64)), rows)


@given(rows=ROWS, seed=st.integers(0, 2**32 - 1))
def test_input_code_fold_keeps_the_affine_map(rows: Float64, seed: int) -> None:
    """x w + b on decoded rows is codes times the folded weights, up to float64's own rounding.

    Each of the K + 2 terms is rounded a few times at the size of the largest: 2^-50 of the sum of their magnitudes.
    """
    rng = np.random.default_rng(seed)
    w, b = rng.normal(size=(rows.shape[1], 3)), rng.normal(size=3)
    code = choose_input_code(rows)
    w_folded, b_folded = code.fold(w, b)
    offset = np.zeros(rows.shape[1]) if code.offset is None else code.offset
    p = code.layer_params
    steps = (quantize(rows - offset, code.params).astype(np.float64) - int(p.zero_point)) * float(p.scale)
    real = decoded(code, rows)
    size = (np.abs(real) + 2 * np.abs(offset)) @ np.abs(w) + np.abs(b)
    assert (np.abs(steps @ w_folded + b_folded - (real @ w + b)) <= (rows.shape[1] + 2) * 2.0**-50 * size).all()


def test_choose_input_code_uses_all_codes_of_non_negative_features() -> None:
    """One-sided features keep zero point -128, each its own scale; a constant one comes back to float32's rounding."""
    rows = np.array([[0.0, 0.0, 5.5, 0.0], [0.5, 1e4, 5.5, 0.0]])
    code = choose_input_code(rows)
    assert code.params.zero_point == -128
    assert (np.abs(decoded(code, rows) - rows)[:, 2:] <= 2.0**-24 * rows[:, 2:]).all()
    assert np.array_equal(quantize(rows, code.params)[:, :2], [[-128, -128], [127, 127]])


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([[1.0, np.nan]], "NaN or infinity, first in row 0"),
        ([[1.0, 2.0], [np.inf, 0.0]], "NaN or infinity, first in row 1"),
        (np.zeros((0, 3)), "at least 1"),
        ([1.0, 2.0], "training rows"),
        ([[-3e38], [3e38]], None),
        ([[-1e300], [1e300]], "too wide"),
    ],
)
def test_choose_input_code_refuses_what_it_cannot_code(rows: ArrayLike, message: str | None) -> None:
    """NaN, infinity, no row, and ranges beyond float32 are named."""
    if message is None:
        assert choose_input_code(rows).params.per_channel
        return
    with pytest.raises(ValueError, match=message):
        choose_input_code(rows)


@pytest.mark.parametrize("rule", [min_max_range, partial(percentile_range, percent=99), partial(mse_range, bits=4)])
def test_ranges_refuse_empty_and_not_finite(rule: Callable[[ArrayLike], tuple[float, float]]) -> None:
    """No value, NaN and infinity are named; one value is a range."""
    with pytest.raises(ValueError, match="no values"):
        rule([])
    for bad in (np.nan, np.inf):
        with pytest.raises(ValueError, match="NaN or infinity"):
            rule([0.0, bad])
    lo, hi = rule([2.0])
    assert lo <= hi


@given(values=arrays(np.float64, st.integers(1, 50), elements=st.floats(-1e3, 1e3)), percent=st.floats(1, 100))
def test_ranges_lie_within_the_values(values: Float64, percent: float) -> None:
    """Percentiles and shares never widen min-max (with 0, which R14 adds); 100 percent is min-max."""
    lo, hi = min_max_range(values)
    p_lo, p_hi = percentile_range(values, percent=percent)
    assert lo <= p_lo <= p_hi <= hi
    assert percentile_range(values, percent=100) == (lo, hi)
    m_lo, m_hi = mse_range(values, bits=4)
    assert min(lo, 0) <= m_lo <= 0 <= m_hi <= max(hi, 0)


def squared_error(values: Float64, lo: float, hi: float) -> float:
    p = choose_affine(lo, hi, 3)
    q = quantize(values, p).astype(np.float64)
    return float(np.mean((values - float(p.scale) * (q - int(p.zero_point))) ** 2))


def law_no_worse_than_min_max(rule: Callable[[Float64], tuple[float, float]], values: Float64) -> None:
    """The error of the chosen range is at most that of min-max, beyond float64's rounding of the mean."""
    assert squared_error(values, *rule(values)) <= squared_error(values, *min_max_range(values)) * (1 + 2.0**-40)


@given(values=arrays(np.float64, st.integers(1, 50), elements=st.floats(-1e3, 1e3)))
def test_mse_range_is_no_worse_than_min_max(values: Float64) -> None:
    """r = 1 is among the shares tried."""
    law_no_worse_than_min_max(partial(mse_range, bits=3), values)


def test_mse_range_law_kills_percentiles() -> None:
    """Two values: the 50 percent range saturates both."""
    with pytest.raises(AssertionError):
        law_no_worse_than_min_max(partial(percentile_range, percent=50), np.array([-7.0, 7.0]))


def test_percentile_range_checks_percent() -> None:
    """0 and 101 percent are refused."""
    for percent in (0.0, 101.0, np.nan):
        with pytest.raises(ValueError, match="percent"):
            percentile_range([1.0], percent=percent)


@given(rows=st.integers(1, 400), most=st.integers(1, 100))
def test_evenly_spaced_takes_every_nth_row(rows: int, most: int) -> None:
    """At most so many, from the first on, all the same way apart; all where they are few, and never under half."""
    taken = evenly_spaced(np.arange(rows), most)
    gaps = np.diff([*taken, rows])
    assert taken[0] == 0 and (gaps[:-1] == gaps[0]).all() and gaps[-1] <= gaps[0]
    assert len(taken) <= most and 2 * len(taken) > min(rows, most)
