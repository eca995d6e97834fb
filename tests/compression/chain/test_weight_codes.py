"""Laws of weight codes: the interval of a width and its sides, and the scale that fits."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from npquant.arrays import Float64
from npquant.compression.chain.weight_codes import (
    CACHED,
    SCALE_RATIOS,
    Bits,
    bits_per_layer,
    choose_scales,
    choose_weight_params,
    code_interval,
    weight_grid,
)
from npquant.kernels.affine import quantize


@given(upper=arrays(np.bool_, st.integers(1, 9)))
def test_code_interval_is_the_narrowest(upper: NDArray[np.bool_]) -> None:
    """At 2 bits it holds [-2, 1] for each lower and [-1, 2] for each upper neuron, and nothing more."""
    low, high = code_interval(2, upper)
    assert low == (-1 if upper.all() else -2)
    assert high == (2 if upper.any() else 1)


@pytest.mark.parametrize("bits", [*range(2, 9), "ternary"])
def test_code_interval_of_lower_neurons_is_the_grid(bits: Bits) -> None:
    """Without an upper neuron it is the grid of the width, which has 2^bits codes, or 3."""
    low, high = code_interval(bits, np.zeros(4, np.bool_))
    assert (low, high) == weight_grid(bits)
    assert high - low + 1 == (3 if bits == "ternary" else 2 ** int(bits))


@pytest.mark.parametrize("bits", [1, 9, 2.0, True, "two"])
def test_weight_grid_refuses(bits: Bits) -> None:
    """A width that is no integer in 2..8, nor "ternary", is named."""
    for refuse in (weight_grid, lambda b: bits_per_layer(b, 3), lambda b: bits_per_layer([4, b, 4], 3)):
        with pytest.raises((ValueError, TypeError)):
            refuse(bits)


def test_choose_scales_are_those_of_the_params() -> None:
    """One scale a neuron, by the same rule; the same numbers in float64."""
    w = np.random.default_rng(0).normal(size=(5, 3))
    params = choose_weight_params(w, 3, granularity="per_channel", weight_scale="auto")
    np.testing.assert_array_equal(choose_scales(w, 3), np.asarray(params.scale, np.float64))


@given(seed=st.integers(0, 2**32 - 1), bits=st.sampled_from([8, 5, 3, 2, "ternary"]), k=st.integers(1, 9))
def test_choose_weight_params_mse_is_no_worse_than_absmax(seed: int, bits: int | str, k: int) -> None:
    """Per neuron: the chosen share has the least error of those tried, absmax among them."""
    w = np.random.default_rng(seed).normal(size=(k, 4))

    def error(rule: str) -> Float64:
        p = choose_weight_params(w, bits, granularity="per_channel", weight_scale=rule)
        return np.asarray(((quantize(w, p) * np.asarray(p.scale, np.float64) - w) ** 2).sum(axis=0))

    assert (error("mse") <= error("absmax") * (1 + 2.0**-40)).all()
    chosen = choose_weight_params(w, bits, granularity="per_channel", weight_scale="auto")
    assert chosen == choose_weight_params(
        w, bits, granularity="per_channel", weight_scale="absmax" if bits == 8 else "mse"
    )
    assert (chosen.qmin, chosen.qmax) == weight_grid(bits)


def law_scale_is_the_best_share_tried(choose: Callable[[Float64, Bits, str], Float64], seed: int) -> None:
    """The MSE rule, one ratio after another on the whole matrix, by the definition; more weights than fit a cache."""
    rng = np.random.default_rng(seed)
    w = rng.normal(size=(int(rng.integers(400, 500)), 2 + CACHED // 400))
    w[:, rng.random(w.shape[1]) < 0.1] = 0.0
    bits, granularity = int(rng.integers(2, 8)), str(rng.choice(["per_channel", "per_tensor"]))
    axis = 0 if granularity == "per_channel" else None
    qmin, qmax = weight_grid(bits)
    whole = choose_weight_params(w, bits, granularity=granularity, weight_scale="absmax").scale.astype(np.float64)
    tried = [(whole * ratio).astype(np.float32).astype(np.float64) for ratio in SCALE_RATIOS]
    errors = [((np.clip(np.rint(w / s), qmin, qmax) * s - w) ** 2).sum(axis=axis) for s in tried]
    found = choose(w, bits, granularity)
    least, at = np.min(errors, axis=0), np.argmax(np.array(tried) == found, axis=0)
    taken = np.take_along_axis(np.array(errors), at[np.newaxis], axis=0)[0]
    # Sums of w.size squares in another order: less than w.size 2^-52 of them.
    assert (np.array(tried) == found).any(axis=0).all() and (taken <= least * (1 + w.size * 2.0**-52)).all()
    assert (np.asarray(found)[np.asarray(errors)[0] == 0] == 1).all()


def by_mse(w: Float64, bits: Bits, granularity: str) -> Float64:
    params = choose_weight_params(w, bits, granularity=granularity, weight_scale="mse")
    return np.asarray(params.scale, np.float64)


@pytest.mark.parametrize("seed", range(6))
def test_choose_weight_params_mse_is_the_best_share_tried(seed: int) -> None:
    """Part by part is as the whole matrix."""
    law_scale_is_the_best_share_tried(by_mse, seed)


def test_choose_weight_params_mse_is_the_best_share_tried_kills() -> None:
    """Scales that are no share, and those of other weights, are seen."""
    for wrong in (
        lambda w, bits, granularity: by_mse(w, bits, granularity) / 0.99,
        lambda w, bits, granularity: by_mse(2 * np.roll(w, 1, axis=1), bits, granularity),
    ):
        with pytest.raises(AssertionError):
            for seed in range(6):
                law_scale_is_the_best_share_tried(wrong, seed)
