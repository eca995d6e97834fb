"""Outputs far from 0, and of different sizes: every one has at least half of the codes."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npquant.compression.chain.calibration import min_max_range
from npquant.compression.chain.output_ends import choose_output_ends, output_kind
from npquant.compression.rounding.gptq import quantize_gptq
from npquant.compression.rounding.keeping_zeros import quantize_keeping_zeros
from npquant.compression.rounding.nearest import quantize_nearest
from npquant.compression.rounding.on_grid import quantize_on_grid
from npquant.compression.rounding.quantize_model import quantize_model
from npquant.compression.rounding.rectified.network import quantize_rectified
from npquant.compression.rounding.straight_through import StraightThrough
from npquant.compression.rounding.uniform import quantize_uniform
from npquant.nn.model import DenseLayer, FloatMLP

QUANTIZERS = [quantize_uniform, quantize_nearest, quantize_gptq, quantize_keeping_zeros, quantize_rectified]
SEEDS = st.integers(0, 2**32 - 1)


def real_network(seed: int, sizes: Any, places: Any) -> Any:
    """A network whose outputs, before `sizes` and `places`, spread about as widely, and rows for it."""
    rng = np.random.default_rng(seed)
    hidden = DenseLayer(rng.normal(0, 0.5, (4, 12)), rng.uniform(0.2, 0.8, 12), "clipped_relu")
    w = rng.normal(0, 1, (12, len(sizes))) * sizes
    return FloatMLP((hidden, DenseLayer(w, np.array(places, np.float64), "identity"))), rng.normal(0, 1, (200, 4))


def errors(net: Any, model: Any, x: Any) -> Any:
    """Root mean square error of each output, in the float network's standard deviations, or in ones."""
    wanted = model.logits(x)
    spread = wanted.std(axis=0)
    return np.sqrt(np.square(net.logits(x) - wanted).mean(axis=0)) / np.where(spread > 0, spread, 1.0)


@given(seed=SEEDS, power=st.integers(-3, 4), place=st.floats(-1e4, 1e4))
def test_ends_leave_every_output_half_of_its_steps(seed: int, power: Any, place: Any) -> None:
    """What the codes of [-1, 1], or of R14 behind the offset, tell apart: at least 127 steps in each output's range."""
    rng = np.random.default_rng(seed)
    z = rng.normal(place, 1.0, (50, 3)) * np.array([1.0, 10.0**power, 3.0])
    ends = choose_output_ends(z, "identity", "identity", min_max_range)
    folded = ends.fold(np.zeros((1, 3)), np.zeros(3), z)[2]
    step = max(folded.max(), 0.0) - min(folded.min(), 0.0)
    assert (np.ptp(folded, axis=0) >= 126.9 / 255 * step).all()
    back = folded if ends.factor is None else folded * ends.factor
    back = back if ends.offset is None else back + ends.offset
    np.testing.assert_allclose(back, z, rtol=0, atol=4 * np.finfo(float).eps * np.abs(z).max())


def test_ends_kill_one_range_for_all() -> None:
    """Without them the small output and the far one have a handful of codes."""
    model, x = real_network(0, [1.0, 0.01], [0.0, 1000.0])
    plain = quantize_uniform(model, x, 8, output="softmax")
    assert plain.output_factor is None and errors(plain, model, x).max() > 0.5
    assert errors(quantize_uniform(model, x, 8, output="identity"), model, x).max() < 0.05


@pytest.mark.parametrize("quantize", QUANTIZERS)
@pytest.mark.parametrize(
    ("sizes", "places"),
    [([1.0], [1000.0]), ([100.0], [-2e5]), ([1.0, 1e-3], [0.0, 0.0]), ([1.0, 1.0], [90.0, -7.0]), ([5.0, 1.0], [0, 0])],
)
def test_real_outputs_are_near_whatever_their_place_and_size(quantize: Any, sizes: Any, places: Any) -> None:
    """8 bits leave an error of a few hundredths of the spread."""
    model, x = real_network(1, sizes, places)
    net = quantize(model, x, 8, output="identity")
    assert errors(net, model, x).max() < 0.05
    np.testing.assert_array_equal(net.decode(net.run(net.encode(x))), net.logits(x))
    assert np.ndim(net.layers[-1].y.scale) == 0


@given(seed=SEEDS, power=st.integers(-6, 6), shift=st.integers(-1000, 1000))
def test_the_unit_of_an_output_changes_no_code(seed: int, power: Any, shift: Any) -> None:
    """An output times a power of two, and moved: the same codes, where the ends are used before and after."""
    model, x = real_network(seed, [1.0, 0.1, 1.0], [50.0, 0.0, 0.0])
    last = model.layers[-1]
    unit = np.array([1.0, 1.0, 2.0**power])
    b = last.b * unit + np.array([0.0, float(shift), 0.0])
    moved = FloatMLP((model.layers[0], DenseLayer(last.w * unit, b, "identity")))
    one, two = (quantize_uniform(m, x, 8, output="identity") for m in (model, moved))
    # The middle of a moved range is that of the range, moved, up to a rounding error: a bias may be one step off.
    np.testing.assert_array_equal(one.layers[-1].w_q, two.layers[-1].w_q)
    assert np.abs(one.run(one.encode(x)).astype(int) - two.run(two.encode(x))).max() <= 1
    np.testing.assert_allclose(two.output_factor, one.output_factor * unit, rtol=1e-9)


def test_classes_share_one_offset_and_have_no_factor() -> None:
    """The order of the codes is the order of the logits: an offset for all, where all are far from 0."""
    model, x = real_network(2, [1.0, 1.0, 0.01], [500.0, 500.0, 500.0])
    net = quantize_uniform(model, x, 8)
    assert net.output_factor is None and len(set(net.output_offset)) == 1
    codes = net.run(net.encode(x))
    np.testing.assert_array_equal(net.predict(x), codes.argmax(axis=1))
    np.testing.assert_array_equal(net.logits(x).argmax(axis=1), codes.argmax(axis=1))
    near, rows = real_network(2, [1.0, 1.0, 0.01], [0.0, 0.0, 0.0])
    assert quantize_uniform(near, rows, 8).output_offset is None


def test_own_ends_decide_a_class_by_logits() -> None:
    """Where outputs have offsets of their own, the largest code is not the largest logit."""
    model, x = real_network(3, [1.0, 1.0], [0.0, 500.0])
    net = quantize_uniform(model, x, 8, output="identity")
    assert (net.predict(x) == 1).all() and not (net.run(net.encode(x)).argmax(axis=1) == 1).all()


def test_a_constant_output_is_given_back_and_spoils_no_other() -> None:
    """Its range has no width: it asks for nothing, and its value is the offset where others have ends."""
    model, x = real_network(4, [1.0, 0.0, 0.001], [0.0, 1000.0, 0.0])
    net = quantize_uniform(model, x, 8, output="identity")
    found = net.logits(x)
    assert np.abs(found[:, 1] - 1000.0).max() < 1e-3
    assert errors(net, model, x)[[0, 2]].max() < 0.05


def test_auto_takes_one_output_for_a_real_value() -> None:
    """A network of one output has no class to choose between."""
    model, x = real_network(5, [1.0], [300.0])
    assert quantize_model(model, x, 8).network == quantize_model(model, x, 8, output="identity").network
    assert [output_kind("auto", n) for n in (1, 2)] == ["identity", "softmax"]
    with pytest.raises(ValueError, match="output is 'logits'; it must be one of"):
        quantize_uniform(model, x, 8, output="logits")


@pytest.mark.parametrize("activation", ["relu", "clipped_relu", "tanh", "sigmoid", "softplus", "hard_sigmoid"])
def test_bounded_outputs_have_no_ends(activation: str) -> None:
    """An offset before an activation is another function."""
    model, x = real_network(6, [1.0], [0.5])
    last = dataclasses.replace(model.layers[-1], activation=activation)
    net = quantize_uniform(FloatMLP((model.layers[0], last)), x, 8)
    assert net.output_offset is None and net.output_factor is None


def test_polishing_keeps_the_ends_and_helps() -> None:
    """E25 in units of each output's range."""
    model, x = real_network(7, [1.0, 0.01], [0.0, 40.0])
    rows = np.random.default_rng(0).normal(0, 1, (600, 4))
    plain, polished = (quantize_rectified(model, rows, 3, output="identity", polish_steps=n, rng=0) for n in (0, 40))
    np.testing.assert_array_equal(plain.output_offset, polished.output_offset)
    assert np.square(errors(polished, model, rows)).sum() <= np.square(errors(plain, model, rows)).sum() * 1.05
    assert errors(polished, model, x).max() < 1


@pytest.mark.parametrize("granularity", ["per_channel", "per_tensor"])
def test_codes_are_read_off_a_grid_behind_ends(granularity: Any) -> None:
    """Factors move no weight off its neuron's grid, and are left out where a layer has one grid."""
    model, x = real_network(8, [1.0, 1.0], [400.0, 400.0])
    layers = tuple(DenseLayer(np.clip(np.rint(e.w * 4), -8, 7) / 32, e.b, e.activation) for e in model.layers)
    on_grid, x = FloatMLP(layers), np.rint(8 * x)
    net = quantize_on_grid(on_grid, x, StraightThrough(4, granularity), inputs="exact", output="identity")
    assert (net.output_factor is None) == (granularity == "per_tensor")
    assert errors(net, on_grid, x).max() < 0.05
