"""Laws of the bounds (C7, D3): no accumulator leaves them, and an input attains each."""

from collections.abc import Callable
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from npquant.integer.accumulator import (
    accumulator_interval,
    check_accumulator,
    dynamic_width,
    largest_partial_sum,
    largest_sum,
    signed_sums,
)
from npquant.integer.layer import IntegerLayer
from npquant.integer.mlp import IntegerMLP
from npquant.kernels.qparams import QuantParams
from tests.integer.test_mlp import Int8, networks, random_layer, random_params

Interval = Callable[[IntegerLayer], tuple[NDArray[np.int64], NDArray[np.int64]]]


def law_bound_is_attained(interval: Interval, layer: IntegerLayer) -> None:
    """C7: the input built from the signs of the weights has exactly the bounding accumulator."""
    net = IntegerMLP((layer,), layer.x)
    low, high = interval(layer)
    positive = (layer.centred_weights > 0).T
    best = np.where(positive, layer.x.qmax, layer.x.qmin).astype(np.int8)
    worst = np.where(positive, layer.x.qmin, layer.x.qmax).astype(np.int8)
    assert np.array_equal(np.diag(net.accumulators(best)[0]), high)
    assert np.array_equal(np.diag(net.accumulators(worst)[0]), low)
    assert -(2 ** (net.accumulator_bits[0] - 1)) <= low.min() and high.max() < 2 ** (net.accumulator_bits[0] - 1)
    assert net.headroom_bits[0] == 32 - net.accumulator_bits[0]


@given(seed=st.integers(0, 2**32 - 1), depth=st.integers(1, 30), outputs=st.integers(1, 4))
def test_accumulator_interval_is_attained(seed: int, depth: int, outputs: int) -> None:
    """C7: the bound is a bound, and no smaller one is."""
    rng = np.random.default_rng(seed)
    law_bound_is_attained(
        accumulator_interval, random_layer(rng, random_params(rng, 1.0, narrow=True), (depth, outputs), "identity")
    )


@given(case=networks(largest=12))
def test_accumulators_stay_within_their_interval(case: tuple[IntegerMLP, Int8]) -> None:
    """C7: no input leaves the interval, in any layer."""
    net, x_q = case
    for layer, acc in zip(net.layers, net.accumulators(x_q), strict=True):
        low, high = accumulator_interval(layer)
        assert ((acc >= low) & (acc <= high)).all()


def test_bound_law_kills_a_bound_that_ignores_signs() -> None:
    """max |x| sum |w| + |b| is a bound, but not attained."""

    def unsigned(layer: IntegerLayer) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        largest = max(layer.x.qmax - int(layer.x.zero_point), int(layer.x.zero_point) - layer.x.qmin)
        bound = np.abs(layer.centred_weights.astype(np.int64)).sum(0) * largest + np.abs(layer.bias)
        return -bound, bound

    x, p = QuantParams(1.0, -128, -128, 127), QuantParams(1.0, 0, -128, 127)
    layer = IntegerLayer(np.array([[3], [-4]], np.int8), np.array([5], np.int32), x, p, p, "identity")
    law_bound_is_attained(accumulator_interval, layer)
    with pytest.raises(AssertionError):
        law_bound_is_attained(unsigned, layer)


def test_integer_mlp_refuses_an_accumulator_that_can_overflow() -> None:
    """C7: one step too many is refused, with layer and neuron; the last one that fits is not."""
    x, p = QuantParams(1.0, 0, -128, 127), QuantParams(1.0, 0, -128, 127)
    w_q = np.array([[0, -1]], np.int8)
    fits = IntegerLayer(w_q, np.array([0, 2**31 - 1 - 128], np.int32), x, p, p, "identity")
    assert check_accumulator(fits, 0) == 32
    with pytest.raises(OverflowError, match="layer 0, neuron 1"):
        IntegerMLP((replace(fits, bias=fits.bias + np.array([0, 1], np.int32)),), x)


@given(seed=st.integers(0, 2**32 - 1))
def test_largest_sums_are_those_of_all_subsets(seed: int) -> None:
    """C6, C7: of all subsets of terms at both ends, none exceeds largest_partial_sum and one attains it."""
    rng = np.random.default_rng(seed)
    layer = random_layer(rng, random_params(rng, 1.0, narrow=True), (4, 1), "identity")
    zx, c = int(layer.x.zero_point), layer.centred_weights[:, 0].astype(int)
    sums = [
        sum(int(w) * (end - zx) for w, end in zip(c, ends, strict=True) if end is not None)
        for ends in product((None, layer.x.qmin, layer.x.qmax), repeat=4)
    ]
    assert max(abs(total) for total in sums) == largest_partial_sum(layer)
    largest = max(abs(layer.x.qmin), abs(layer.x.qmax))
    assert largest_sum(layer.centred_weights, largest) == sum(abs(int(w)) * largest for w in c)


@given(seed=st.integers(0, 2**32 - 1), bits=st.integers(2, 8))
def test_dynamic_bound_is_the_largest_static_one(seed: int, bits: int) -> None:
    """D3: over all zero points of the input, C7 without bias reaches L max(P, -Q) and no more."""
    w_q = np.random.default_rng(seed).integers(-128, 128, (5, 2)).astype(np.int8)
    half, w, none = 2 ** (bits - 1), QuantParams(1.0, 0, -128, 127), np.zeros(2, np.int32)
    reach = 0
    for zero in range(-half, half):
        x = QuantParams(1.0, zero, -half, half - 1)
        low, high = accumulator_interval(IntegerLayer(w_q, none, x, w, w, "identity"))
        reach = max(reach, int(high.max()), -int(low.min()))
    assert dynamic_width(*signed_sums(w_q), bits) == reach.bit_length() + 1
