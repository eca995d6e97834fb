"""Networks of 16-bit activations: what the chain makes of a float network is what the definitions say, and no worse."""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from npquant import load, save
from npquant.compression.chain.calibration import choose_input_code, input_code_of
from npquant.compression.chain.input_choice import choose_inputs
from npquant.compression.chain.output_codes import activation_bits_per_layer, input_bits, output_params
from npquant.compression.rounding.dynamic import quantize_dynamic
from npquant.compression.rounding.method_names import METHOD_NAMES
from npquant.compression.rounding.quantize_model import quantize_model
from npquant.compression.rounding.straight_through import StraightThrough
from npquant.compression.rounding.uniform import quantize_uniform
from npquant.files.container.decode import decode_container
from npquant.files.container.encode import encode_container
from npquant.integer.accumulator import accumulator_interval
from npquant.integer.layer import IntegerLayer
from npquant.integer.mlp import IntegerMLP
from npquant.kernels.multiplier import layer_multiplier
from npquant.kernels.qparams import QuantParams
from npquant.nn.model import DenseLayer, FloatMLP
from npquant.profiles import get
from npquant.spec.linear import dot, output_code
from npquant.spec.requantize import requantize_single_rounding_wide
from npquant.spec.rounding import saturate

HIDDEN = ("relu", "clipped_relu", "hard_sigmoid", "sigmoid", "tanh", "softplus")
WIDTHS = ((16, 16), (16, 8), (8, 16), (16, 4), (3, 16))


def drawn_model(rng: np.random.Generator, activation: str, sizes: tuple[int, ...] = (5, 6, 4, 3)) -> FloatMLP:
    """A float network with real numbers of ordinary size."""
    layers = [
        DenseLayer(rng.normal(0, k**-0.5, (k, n)), rng.normal(0, 0.5, n), activation if n != sizes[-1] else "identity")
        for k, n in pairwise(sizes)
    ]
    return FloatMLP(tuple(layers))


def at_the_rails(net: IntegerMLP, rng: np.random.Generator) -> Any:
    """Input codes: drawn, at both ends of the type, and the inputs that take the first layer's sums to their ends."""
    x, c = net.layers[0].x, net.layers[0].centred_weights
    drawn = rng.integers(x.qmin, x.qmax + 1, (2, net.n_inputs))
    worst = np.where(c.T > 0, x.qmax, x.qmin)
    ends = np.full((2, net.n_inputs), [[x.qmin], [x.qmax]])
    return np.concatenate([drawn, ends, worst, np.where(c.T > 0, x.qmin, x.qmax)]).astype(x.dtype)


def spec_codes(layer: IntegerLayer, row: Any) -> list[int]:
    """One row through one layer, by the exact scalars: R9, R6 or R170, R10, R12."""
    fixed = layer_multiplier(layer.x, layer.w, layer.target)
    m, e = (np.broadcast_to(part, layer.shape[1]) for part in (fixed.multiplier, fixed.shift))
    zx, zy, (low, high) = int(layer.x.zero_point), int(layer.target.zero_point), layer.code_range
    table = layer.code_table
    found = []
    for n in range(layer.shape[1]):
        acc = dot([int(q) - zx for q in row], [int(c) for c in layer.centred_weights[:, n]]) + int(layer.bias[n])
        if layer.bias.dtype == np.int64:
            code = saturate(requantize_single_rounding_wide(acc, int(m[n]), int(e[n])) + zy, low, high)
        else:
            code = output_code(acc, int(m[n]), int(e[n]), zy, low, high)
        found.append(code if table is None else int(table[code - layer.target.qmin]))
    return found


@settings(max_examples=5)
@pytest.mark.parametrize("widths", WIDTHS, ids=str)
@given(seed=st.integers(0, 2**32 - 1), activation=st.sampled_from(HIDDEN))
def test_networks_of_16_bits_equal_the_definitions(widths: Any, seed: int, activation: str) -> None:
    """Of each mixture of widths, codes at the rails: run is run_plain is the spec; accumulators keep their bounds."""
    rng = np.random.default_rng(seed)
    x = rng.normal(0, 10 ** rng.uniform(-2, 2), (12, 5))
    net = quantize_uniform(drawn_model(rng, activation), x, int(rng.integers(2, 9)), widths)
    x_q = at_the_rails(net, rng)
    codes = net.run(x_q)
    assert codes.dtype == net.layers[-1].output.dtype and np.array_equal(codes, net.run_plain(x_q))
    rows = x_q
    for layer, sums in zip(net.layers, net.accumulators(x_q), strict=True):
        low, high = accumulator_interval(layer)
        assert (sums >= low).all() and (sums <= high).all()
        rows = np.array([spec_codes(layer, row) for row in rows])
    assert np.array_equal(rows, codes)


@pytest.mark.parametrize("widths", WIDTHS, ids=str)
def test_widths_meet_where_layers_do(widths: Any) -> None:
    """Ends have the 16 bits of the hidden layer beside them; codes of 16 bits have no zero point; biases are int64."""
    rng = np.random.default_rng(0)
    net = quantize_uniform(drawn_model(rng, "sigmoid"), rng.normal(size=(20, 5)), 8, widths)
    wanted = [input_bits(widths), *activation_bits_per_layer(widths, 3)]
    assert wanted == [16 if widths[0] == 16 else 8, *widths, 16 if widths[-1] == 16 else 8]
    for layer, (before, after) in zip(net.layers, pairwise(wanted), strict=True):
        assert layer.x.dtype == (np.int16 if before == 16 else np.int8)
        assert layer.output.dtype == (np.int16 if after == 16 else np.int8)
        assert layer.bias.dtype == (np.int64 if before == 16 else np.int32)
        assert layer.pre is None or layer.pre.dtype == layer.output.dtype
        for params in (layer.x, layer.output, layer.target):
            assert params.dtype != np.int16 or params.zero_point == 0


@pytest.mark.parametrize("method", METHOD_NAMES)
def test_every_method_takes_16_bits_and_comes_nearer(method: Any) -> None:
    """At 8 bits of weights outputs of 16 bits are nearer to the float network's than those of 8, by every method."""
    rng = np.random.default_rng(3)
    model, x = drawn_model(rng, "tanh", (5, 8, 8, 2)), rng.normal(size=(100, 5))
    wanted, errors = model.logits(x), []
    for width in (8, 16):
        net = quantize_model(model, x, 8, width, 0, method=method, output="identity").network
        errors.append(float(np.sqrt(np.mean((net.logits(x) - wanted) ** 2))))
    assert errors[1] < errors[0]


@given(seed=st.integers(0, 2**32 - 1), width=st.sampled_from([8, 16]))
def test_rounding_of_exact_weights_is_bounded_by_the_step(seed: int, width: int) -> None:
    """Weights and inputs that have codes: an output lies within half a step of its width, and 16-bit steps are finer.

    Half an output step, and half a step of the bias: the law is of the bounds, not of each output's luck.
    """
    rng = np.random.default_rng(seed)
    k = int(rng.integers(1, 9))
    w = rng.integers(-127, 128, (k, 2)).astype(float)
    w[0] = 127.0  # so that the scale of each neuron is 1
    x = rng.integers(0, 256, (10, k)).astype(float)
    model = FloatMLP((DenseLayer(w, rng.integers(-500, 500, 2).astype(float), "identity"),))
    net = quantize_uniform(model, x, 8, width, weight_scale="absmax", inputs="exact", output="softmax")
    layer = net.layers[0]
    assert np.array_equal(layer.centred_weights * np.asarray(layer.w.scale, np.float64), w)
    step = float(layer.output.scale)
    # R5 keeps 31 bits of M: off by 2^-31 of the largest output, beside half a step of the code.
    reach = float(np.abs(model.logits(x)).max())
    slack = reach * 2.0**-22 + (0.5 * step if net.output_offset is not None else 0)
    assert (np.abs(net.logits(x) - model.logits(x)) <= step / 2 + slack).all()
    wide = quantize_uniform(model, x, 8, 16, weight_scale="absmax", inputs="exact", output="softmax").layers[0].output
    assert width == 16 or float(wide.scale) * 128 <= step * (1 + 2.0**-10)


@given(seed=st.integers(0, 2**32 - 1))
def test_inputs_of_16_bits_keep_training_rows(seed: int) -> None:
    """Every value has a code, and a feature 65,534 steps to its range, offset where it is far from 0."""
    rng = np.random.default_rng(seed)
    centre, width = rng.normal(0, 10.0 ** rng.uniform(-3, 4), 4), 10.0 ** rng.uniform(-3, 3, 4)
    rows = centre + width * rng.uniform(-1, 1, (30, 4))
    code = choose_input_code(rows, 16)
    assert code.params.zero_point == 0 and code.params.dtype == np.int16
    offset = np.zeros(4) if code.offset is None else code.offset
    scale = np.asarray(code.params.scale, np.float64)
    steps = (rows - offset) / scale
    assert (np.abs(steps) <= 32767 * (1 + 2.0**-20) + 2.0**-30 * np.abs(rows) / scale).all()
    span = np.maximum(np.abs(rows - offset).max(axis=0), np.ptp(rows, axis=0) / 2)
    assert (scale <= span / 32767 * (1 + 2.0**-20)).all()


def test_whole_numbers_within_32767_are_their_own_codes() -> None:
    """At 16 bits years and prices need no scale; one more than the type holds does."""
    for top, exact in ((32767.0, True), (32768.0, False)):
        code = input_code_of(np.array([[0.0, -5.0], [top, 1990.0]]), 16)
        assert code.by_feature != exact and input_code_of(np.array([[0.0], [top]])).by_feature
    with pytest.raises(ValueError, match="within 32,767 of 0"):
        choose_inputs(np.array([[1.0, 2.0], [3.0, 40000.0]]), np.ones((2, 2)), "exact", bits=16)


@pytest.mark.parametrize("activation", [*HIDDEN, "identity"])
def test_output_params_of_16_bits_reach_what_the_activation_does(activation: str) -> None:
    """Around 0, 32,767 steps to the largest output; sigmoid and tanh at TFLite's 2^-15, a step short of 1."""

    def to_seven(_: Any) -> tuple[float, float]:
        return -3.0, 7.0

    p = output_params(activation, np.ones((2, 1)), 16, to_seven)
    assert (p.zero_point, p.qmin, p.qmax) == (0, -32768, 32767)
    if activation in ("sigmoid", "tanh"):
        assert p.scale == 2.0**-15
    else:
        top = 7.0 if activation in ("relu", "softplus", "identity") else 1.0
        assert p.scale == np.float32(top / 32767)


@pytest.mark.parametrize("bits", [0, 9, 15, 17, 32, True, 16.0])
def test_other_widths_are_refused(bits: Any) -> None:
    """16 is the one width above 8."""
    with pytest.raises(ValueError, match=r"must be an integer in 1\.\.8, or 16"):
        activation_bits_per_layer(bits, 2)


def test_dynamic_activations_have_8_bits_at_most() -> None:
    """A range a row is the other way to lose less; both at once is not here."""
    with pytest.raises(ValueError, match=r"2\.\.8 bits"):
        quantize_dynamic(drawn_model(np.random.default_rng(0), "relu"), None, 8, 16, method="uniform")


def test_a_bias_far_beyond_its_weights_has_48_bits_and_moves_no_scale() -> None:
    """2^34 steps of the bias, beyond int32, are kept; 8-bit inputs raise the neuron's weight scale for it."""
    w = np.array([[1e-6], [-1e-6]])
    model, x = FloatMLP((DenseLayer(w, np.array([4.0]), "relu"),)), np.array([[0.0, 1.0], [1.0, 0.25]])
    wide, narrow = (quantize_uniform(model, x, 8, width, output="softmax").layers[0] for width in (16, 8))
    own = 1e-6 / 127
    assert wide.bias[0] > 2**34 and abs(np.asarray(wide.w.scale)[0] * 32767 / own - 1) < 2.0**-20
    assert narrow.bias.dtype == np.int32 and np.asarray(narrow.w.scale)[0] * 255 > 2 * own
    zero = FloatMLP((DenseLayer(np.zeros((2, 1)), np.array([4.0]), "relu"),))
    assert quantize_uniform(zero, x, 8, 16, output="softmax").layers[0].bias.tolist() == [2**30]


@pytest.mark.parametrize("profile", ["litert_ref_2025", "ruy_x86", "tflm"])
def test_another_profile_runs_the_same_integers(profile: Any) -> None:
    """No zero point, int64 biases: a network of relu layers is also one of TFLite's 16x8, a code away at most."""
    rng = np.random.default_rng(5)
    net = quantize_uniform(drawn_model(rng, "relu"), rng.normal(size=(50, 5)), 8, 16)
    x_q = at_the_rails(net, rng)
    other = dataclasses.replace(net, profile=get(profile))
    assert np.abs(other.run(x_q).astype(int) - net.run(x_q)).max() <= (4 if profile == "tflm" else 1)


@settings(max_examples=20)
@given(seed=st.integers(0, 2**32 - 1), widths=st.sampled_from(WIDTHS), bits=st.integers(2, 8))
def test_the_container_gives_16_bits_back(seed: int, widths: Any, bits: Any) -> None:
    """N1, N4: codes, biases of 48 bits and their signs, offsets; at 4 bits of weights a fraction of plain arrays."""
    rng = np.random.default_rng(seed)
    x = rng.normal(rng.normal(0, 100), 1, (12, 5))
    net = quantize_uniform(drawn_model(rng, "sigmoid"), x, bits, widths, output="identity")
    layers = list(net.layers)
    edges = rng.choice([-(2**46), 2**46, -1, 0, 65535, -65536, 2**31], layers[0].shape[1])
    if layers[0].bias.dtype == np.int64:
        layers[0] = dataclasses.replace(layers[0], bias=edges)
        net = dataclasses.replace(net, layers=tuple(layers))
    data = encode_container(net)
    found, parts, _ = decode_container(data)
    assert found == net and sum(part.n_bytes for part in parts) == len(data)
    assert data[4] == 2 * (net.output_offset is not None or net.output_factor is not None) // 2 + (
        3 if any(layer.x.dtype == np.int16 for layer in net.layers) else 1
    )


def test_files_of_16_bits_are_read_back(tmp_path: Path) -> None:
    """NAME.npz and NAME.npq; biases that the container has no field for go to plain arrays."""
    rng = np.random.default_rng(1)
    net = quantize_uniform(drawn_model(rng, "tanh"), rng.normal(size=(20, 5)), 4, 16)
    for name in ("net.npz", "net.npq"):
        save(net, tmp_path / name)
        assert load(tmp_path / name) == net
    narrowed = dataclasses.replace(net.layers[0], bias=net.layers[0].bias.astype(np.int32))
    short = dataclasses.replace(net, layers=(narrowed, *net.layers[1:]))
    save(short, tmp_path / "short.npz")
    assert load(tmp_path / "short.npz") == short
    with pytest.raises(ValueError, match="int32 biases beside int16 inputs"):
        save(short, tmp_path / "short.npq")


def test_training_through_the_grid_sees_the_inputs_of_16_bits() -> None:
    """Whole numbers that 8 bits would scale by feature are exact at 16, for the training as for the network."""
    x = np.array([[0.0, 2000.0], [1.0, 1990.0], [3.0, 30000.0]])
    for asked, step in ((16, 1.0), ((16, 8), 1.0), (8, None), (None, None)):
        steps = StraightThrough(activation_bits=asked, inputs="auto").input_steps(x, np.array([[1.0], [1.0]]))
        assert (steps == 1.0).all() == (step is not None)


def test_a_step_of_16_bits_is_exact_by_fraction() -> None:
    """R2 of R1 of a 16-bit code, as the definitions have it: the middle of the type and its ends."""
    p = QuantParams(1 / 32767, 0, -32768, 32767)
    assert [Fraction(float(p.scale)) * q < 1 for q in (32766, 32768)] == [True, False]
