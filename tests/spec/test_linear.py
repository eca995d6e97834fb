"""Sums of products, exact and saturating, and the interval that an accumulator attains."""

import itertools
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from npquant.integer.accumulator import accumulator_interval
from npquant.integer.layer import IntegerLayer
from npquant.kernels import matmul
from npquant.kernels.qparams import QuantParams
from npquant.spec import linear

INT8 = st.integers(-128, 127)


@given(rows=st.lists(st.tuples(st.integers(0, 255), INT8), min_size=1, max_size=7), part=st.integers(0, 7))
def test_products_equal_spec(rows: Any, part: Any) -> None:
    """R15 and R36: exact sums, and sums of pairs that saturate."""
    x, w = [r[0] for r in rows], [r[1] for r in rows]
    signed = np.array([v - 128 for v in x], np.int8)[None]
    column = np.array(w, np.int8)[:, None]
    assert matmul.matmul_int8(signed, column).item() == linear.dot([v - 128 for v in x], w)
    assert matmul.matmul_pair16(np.array(x, np.uint8)[None], column).item() == linear.dot_pair16(x, w)
    apart = min(part, len(rows))
    in_parts = linear.dot_pair16(x[:apart], w[:apart]) + linear.dot_pair16(x[apart:], w[apart:])
    assert linear.dot_pair16(x, w, apart) == in_parts
    assert matmul.matmul_pair16(np.array(x, np.uint8)[None], column, apart).item() == in_parts


def test_products_law_kills_pairs_of_other_neighbours() -> None:
    """Pairing k with k + K/2 saturates elsewhere."""
    x, w = [255, 0, 255, 0], [127, 1, 127, 1]
    assert linear.dot_pair16(x, w) == 255 * 127 * 2
    assert linear.dot_pair16(x[::2] + x[1::2], w[::2] + w[1::2]) == 2**15 - 1


def test_products_law_kills_pairs_across_two_parts() -> None:
    """A first part of one product pairs the others anew."""
    x, w = [255, 255, 255], [127, 127, 127]
    assert linear.dot_pair16(x, w) == linear.dot_pair16(x, w, apart=1) == 2**15 - 1 + 255 * 127
    x, w = [255, 255, 0], [127, 127, 1]
    assert (linear.dot_pair16(x, w), linear.dot_pair16(x, w, apart=1)) == (2**15 - 1, 2 * 255 * 127)


@given(
    w=st.lists(st.integers(-2, 2), min_size=1, max_size=3),
    b=st.integers(-9, 9),
    zx=st.integers(-2, 1),
    zw=st.integers(-1, 1),
)
def test_accumulator_interval_is_attained(w: Any, b: Any, zx: Any, zw: Any) -> None:
    """C7: over every input of a small interval, the smallest and largest accumulators are the bounds; arrays agree."""
    low, high = linear.accumulator_interval(w, b, zx, zw, -2, 1)
    every = [linear.accumulate(x, w, b, zx, zw) for x in itertools.product(range(-2, 2), repeat=len(w))]
    assert (low, high) == (min(every), max(every))
    x_params, w_params = QuantParams(1.0, zx, -2, 1), QuantParams(1.0, zw, -128, 127)
    layer = IntegerLayer(
        np.array(w, np.int8)[:, None],
        np.array([b], np.int32),
        x_params,
        w_params,
        QuantParams(1.0, 0, -128, 127),
        "identity",
    )
    lows, highs = accumulator_interval(layer)
    assert (lows.tolist(), highs.tolist()) == ([low], [high])


def test_accumulator_interval_kills_a_bound_from_magnitudes() -> None:
    """sum |w| 128 + |b| is no bound that is attained: it ignores which end has which sign."""
    low, high = linear.accumulator_interval([3, -5], 7, 0, 0, -128, 127)
    assert (low, high) != (-(8 * 128 + 7), 8 * 128 + 7) and high == 3 * 127 + 5 * 128 + 7
