"""Laws of the networks of other people's files: uint8 and int16 codes, given tables, outputs that are accumulators."""

import dataclasses
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import npquant
from npquant.integer import fast_npquant, fast_profiles
from npquant.integer.accumulator import accumulator_interval, check_accumulator
from npquant.integer.dynamic_layer import DynamicLayer
from npquant.integer.dynamic_mlp import DynamicMLP
from npquant.integer.fast_form import lay_out
from npquant.integer.layer import IntegerLayer, run_layer_plain
from npquant.integer.mlp import IntegerMLP
from npquant.kernels.qparams import QuantParams
from npquant.profiles import get, names
from npquant.profiles.dynamic import dynamic_linear, dynamic_quantize, matmul_integer
from npquant.profiles.npquant import NPQUANT
from npquant.spec import dynamic as spec_dynamic
from npquant.spec import multiplier as spec_multiplier
from npquant.spec import requantize as spec_requantize
from tests.integer import kinds

SEEDS = st.integers(0, 2**32 - 1)
P8, P16 = QuantParams(0.5, 0, -128, 127), QuantParams(0.5, 0, -32768, 32767)
U8 = QuantParams(0.5, 100, 0, 255)
ONE, ZERO = np.array([[1]], np.int8), np.array([0], np.int32)


def equals_plain(run: Any, seed: int, profile: Any) -> Any:
    """Say whether a network's codes are those of the definition, dtype included."""
    net = kinds.network(seed, profile)
    x_q = kinds.codes(net, 9, seed)
    got, want = run(net, x_q), net.run_plain(x_q)
    return got.dtype == want.dtype and np.array_equal(got, want)


@pytest.mark.parametrize("profile", kinds.RUNS)
@given(seed=SEEDS)
def test_run_equals_plain_for_every_kind(profile: Any, seed: int) -> None:
    """Bit for bit, of the same type, whatever the codes, the table and the outputs; also for no rows."""
    assert equals_plain(IntegerMLP.run, seed, profile)
    net = kinds.network(seed, profile)
    assert net.run(kinds.codes(net, 0, 0)).shape == (0, net.neurons[-1])


@pytest.mark.parametrize("profile", ["npquant", "ort"])
def test_run_equals_plain_kills_wrong_tables_and_types(profile: Any) -> None:
    """A table that starts elsewhere, one that is left out, and outputs of the wrong sign are seen."""

    def shifted(net: Any, x_q: Any) -> Any:
        layers = [dataclasses.replace(one, table=np.roll(one.table, 1)) if one.table is not None else one
                  for one in net.layers]  # fmt: skip
        return dataclasses.replace(net, layers=tuple(layers)).run(x_q)

    def ignored(net: Any, x_q: Any) -> Any:
        prepared, profiled = lay_out(net.layers, net.profile)
        if prepared:
            return fast_npquant.run_prepared(tuple(dataclasses.replace(p, table=None) for p in prepared), x_q)
        parts = tuple(dataclasses.replace(p, table=None) for p in profiled)
        return fast_profiles.run_for_profile(parts, x_q, net.profile) if parts else net.run_plain(x_q)

    def as_int8(net: Any, x_q: Any) -> Any:
        return net.run(x_q).astype(np.int8)

    assert all(equals_plain(IntegerMLP.run, seed, profile) for seed in range(60))
    for mutant in (shifted, ignored, as_int8):
        assert not all(equals_plain(mutant, seed, profile) for seed in range(60))


@given(seed=SEEDS)
def test_layer_of_any_kind_equals_spec(seed: int) -> None:
    """npquant's own: exact sums, R5 and R6 by the scalar definition, R11 or R12 by index, or the sums themselves."""
    net = kinds.network(seed, "npquant")
    layer, rng = net.layers[0], np.random.default_rng(seed)
    x_q = kinds.codes(net, 3, seed)
    got = run_layer_plain(layer, x_q, NPQUANT)
    row, n = int(rng.integers(3)), int(rng.integers(layer.shape[1]))
    zw = int(np.broadcast_to(layer.w.zero_point, layer.shape[1])[n])
    terms = [(int(q) - int(layer.x.zero_point)) * (int(w) - zw) for q, w in zip(x_q[row], layer.w_q[:, n], strict=True)]
    acc = sum(terms) + int(layer.bias[n])
    if layer.y is None:
        assert got.dtype == layer.bias.dtype and int(got[row, n]) == acc
        return
    sw = Fraction(float(np.broadcast_to(layer.w.scale, layer.shape[1])[n]))
    real = spec_multiplier.real_multiplier(Fraction(float(layer.x.scale)), sw, Fraction(float(layer.target.scale)))
    steps = spec_requantize.requantize_single_rounding(acc, *spec_multiplier.decompose_multiplier(real))
    low, high = layer.code_range
    code = max(low, min(high, steps + int(layer.target.zero_point)))
    assert got.dtype == layer.y.dtype
    assert int(got[row, n]) == (code if layer.table is None else int(layer.table[code - layer.target.qmin]))


@given(acc=st.integers(-(2**31), 2**31 - 1), sx=st.floats(2.0**-20, 4, width=32), sw=st.floats(2.0**-20, 4, width=32))
def test_accumulator_outputs_become_reals_by_r61(acc: Any, sx: Any, sw: Any) -> None:
    """R61 of any accumulator, then relu: what a DequantizeLinear behind an integer product gives."""
    x, w = QuantParams(sx, 0, -128, 127), QuantParams(sw, 0, -1, 1)
    for activation in ("identity", "relu"):
        zero = np.array([[0]], np.int8)
        net = IntegerMLP((IntegerLayer(zero, np.array([acc], np.int32), x, w, None, activation),), x)
        want = spec_dynamic.rescale_float32(acc, Fraction(float(np.float32(sx))), Fraction(float(np.float32(sw))))
        got = float(net.logits([[0.0]])[0, 0])
        assert got == float(want if activation == "identity" else max(want, 0))
        assert net.run(net.encode([[0.0]])).dtype == np.int32 and net.output_params is None


def test_predict_of_accumulators_compares_reals() -> None:
    """A scale a channel: the larger accumulator is the smaller real value."""
    w = QuantParams([0.01, 1.0], 0, -128, 127)
    net = IntegerMLP((IntegerLayer(np.array([[100, 2]], np.int8), np.zeros(2, np.int32), P8, w, None, "identity"),), P8)
    assert net.run(net.encode([[1.0]])).argmax() == 0
    assert net.predict([[1.0]]).tolist() == [1] == net.logits([[1.0]]).argmax(axis=1).tolist()


@given(seed=SEEDS)
def test_accumulator_interval_is_attained_for_wide_layers(seed: int) -> None:
    """C7 for int16 inputs and uint8 weights: two inputs reach the ends, and no accumulator leaves them."""
    net = kinds.network(seed, "litert_ref_2025")
    layer = net.layers[0]
    low, high = accumulator_interval(layer)
    c, x = layer.centred_weights, layer.x
    for n in range(layer.shape[1]):
        for end, up in ((high[n], True), (low[n], False)):
            x_q = np.where((c[:, n] > 0) == up, x.qmax, x.qmin).astype(np.int64) - int(x.zero_point)
            assert int(x_q @ c[:, n].astype(np.int64)) + int(layer.bias[n]) == end
    first = net.accumulators(kinds.codes(net, 20, seed))[0]
    assert first.dtype == layer.bias.dtype and (first >= low).all() and (first <= high).all()


def test_accumulators_of_64_bits_are_proven_for_int64() -> None:
    """C7: what leaves int32 is refused with an int32 bias and taken with an int64 one, up to the end of int64."""
    w_q, w = np.full((2000, 1), 127, np.int8), QuantParams(0.5, 0, -128, 127)
    narrow = IntegerLayer(w_q, np.zeros(1, np.int32), P16, w, P16, "identity")
    with pytest.raises(OverflowError, match="outside int32"):
        IntegerMLP((narrow,), P16)
    net = IntegerMLP((dataclasses.replace(narrow, bias=np.zeros(1, np.int64)),), P16, profile=get("litert_ref_2025"))
    assert net.accumulator_bits == (34,) and net.headroom_bits == (30,)
    x_q = np.full((1, 2000), -32768, np.int16)
    assert net.accumulators(x_q)[0].tolist() == [[-32768 * 127 * 2000]] and net.accumulators(x_q)[0].dtype == np.int64
    up, down = 32767 * 127 * 2000, 32768 * 127 * 2000
    for bias, fits in ((2**63 - 1 - up, True), (2**63 - up, False), (-(2**63) + down, True), (-(2**63), False)):
        one = dataclasses.replace(narrow, bias=np.array([bias], np.int64))
        if fits:
            assert check_accumulator(one, 0) == 64
        else:
            with pytest.raises(OverflowError, match="outside int64"):
                check_accumulator(one, 0)


def test_accumulators_of_npquants_own_layers_have_48_bits() -> None:
    """C7, R170: one more than its stage rounds is refused by its own profile, and by none that takes all of 64."""
    w_q, w = np.full((2, 1), 100, np.int8), QuantParams(0.5, 0, -128, 127)
    for bias, fits in ((2**47 - 1 - 2 * 32767 * 100, True), (2**47 - 2 * 32767 * 100, False), (-(2**47), False)):
        layer = IntegerLayer(w_q, np.array([bias], np.int64), P16, w, P16, "identity")
        assert IntegerMLP((layer,), P16, profile=get("tflm")).accumulator_bits[0] >= 48
        assert IntegerMLP((dataclasses.replace(layer, y=None),), P16).accumulator_bits[0] >= 48
        if fits:
            assert IntegerMLP((layer,), P16).accumulator_bits == (48,)
        else:
            with pytest.raises(OverflowError, match="outside 48 bits"):
                IntegerMLP((layer,), P16)


@pytest.mark.parametrize(
    "name", ["tflite_ref", "litert_ref_2025", "ruy_x86", "xnnpack_fp32", "ort", "onnx_ref", "tflm"]
)
@given(seed=SEEDS)
def test_encode_is_the_profiles_own_quantize(name: Any, seed: int) -> None:
    """Real inputs become codes as the engine's QUANTIZE makes them, of any shape, on its ties; R1 is not that."""
    rng, record = np.random.default_rng(seed), get(name)
    p = QuantParams(rng.uniform(0.01, 2), int(rng.integers(-128, 128)), -128, 127)
    net = IntegerMLP((IntegerLayer(np.ones((3, 1), np.int8), ZERO, p, P8, P8, "identity"),), p, profile=record)
    x = (rng.integers(-300, 300, (7, 3)) / 2 * float(p.scale)).astype(np.float32)
    assert np.array_equal(net.encode(x), npquant.quantize(x, p, profile=name))
    shifted = dataclasses.replace(net, input_offset=np.array([1.0, -2.0, 0.5]))
    assert np.array_equal(shifted.encode(x), npquant.quantize((x - [1.0, -2.0, 0.5]).astype("f4"), p, profile=name))
    own = dataclasses.replace(net, profile=NPQUANT)
    assert np.array_equal(own.encode(x), npquant.quantize(x, p))


@pytest.mark.parametrize("name", ["litert_ref_2025", "ruy_x86", "ort"])
def test_encode_of_a_scale_a_feature_is_r1(name: Any) -> None:
    """No engine has several scales at its door: npquant makes the codes."""
    scales = QuantParams([0.5, 0.25], 0, -128, 127)
    net = IntegerMLP((IntegerLayer(np.ones((2, 1), np.int8), ZERO, P8, P8, P8, "identity"),), scales, profile=get(name))
    assert net.encode([[1.25, 0.625]]).tolist() == [[2, 2]]


def test_encode_of_an_engine_differs_from_r1_on_ties() -> None:
    """1.25 / 0.5 is a tie: half away gives 3, half even 2; without the law above this would go unseen."""
    net = IntegerMLP((IntegerLayer(ONE, ZERO, P8, P8, P8, "identity"),), P8)
    found = {name: int(dataclasses.replace(net, profile=get(name)).encode([[1.25]])[0, 0])
             for name in ("npquant", "litert_ref_2025", "ort", "fbgemm", "tosa_single")}  # fmt: skip
    assert found == {"npquant": 2, "litert_ref_2025": 3, "ort": 2, "fbgemm": 2, "tosa_single": 2}


@pytest.mark.parametrize("name", ["fbgemm", "qnnpack", "onednn_vnni"])
def test_encode_of_a_uint8_engine_is_128_lower(name: Any) -> None:
    """An engine that takes uint8 alone is given codes 128 higher, at the door as in the layers."""
    net = IntegerMLP((IntegerLayer(np.ones((2, 1), np.int8), ZERO, P8, P8, P8, "identity"),), P8, profile=get(name))
    x = np.random.default_rng(0).normal(0, 40, (50, 2))
    higher = QuantParams(0.5, 128, 0, 255)
    want = npquant.quantize(x.astype("f4"), higher, profile=name).astype(np.int16) - 128
    got = net.encode(x)
    assert got.dtype == np.int8 and np.array_equal(got, want)


TABLE = np.zeros(256, np.int8)
W8 = QuantParams(0.5, 0, -128, 127)


@pytest.mark.parametrize(
    ("fields", "error", "word"),
    [
        ({"w_q": np.ones((1, 1), np.int16)}, TypeError, "w_q has dtype int16"),
        ({"w_q": np.ones((1, 1), np.uint8)}, TypeError, "are int8"),
        ({"w": QuantParams(0.5, 0, 0, 255)}, TypeError, "are uint8"),
        ({"w": P16}, ValueError, "int8 or uint8"),
        ({"bias": np.zeros(1, np.int16)}, TypeError, "int32 or int64"),
        ({"bias": np.zeros(1, np.int64)}, TypeError, "beside inputs of int8"),
        ({"x": QuantParams(0.5, 0, 0, 65535)}, ValueError, "x has codes in"),
        ({"y": QuantParams(0.5, 0, -(2**20), 2**20)}, ValueError, "y has codes in"),
        ({"x": QuantParams([0.5, 1], 0, -128, 127)}, ValueError, "per-channel"),
        ({"activation": "table"}, ValueError, "pre-activation"),
        ({"activation": "table", "pre": P8}, ValueError, "`table`"),
        ({"activation": "relu", "table": TABLE}, ValueError, "`table`"),
        ({"activation": "sigmoid", "pre": P8, "table": TABLE}, ValueError, "`table`"),
        ({"activation": "table", "pre": P8, "table": TABLE[:-1]}, ValueError, "255 entries"),
        ({"activation": "table", "pre": P8, "table": TABLE.astype(np.int16)}, TypeError, "int8"),
        ({"activation": "table", "pre": P8, "table": TABLE + np.int8(100), "y": QuantParams(1, 0, -5, 5)}, ValueError,
         "outside"),
        ({"activation": "table", "pre": P8, "table": TABLE, "y": None}, ValueError, "needs y"),
        ({"activation": "relu6", "y": None}, ValueError, "needs y"),
        ({"activation": "sigmoid", "pre": U8}, ValueError, "int8 or int16 codes"),
        ({"activation": "tanh", "pre": P8, "y": U8}, ValueError, "int8 or int16 codes"),
        ({"activation": "softmax"}, ValueError, "unknown activation"),
    ],
)  # fmt: skip
def test_layer_refuses_what_does_not_agree(fields: Any, error: Any, word: Any) -> None:
    """Each part that is of another kind than its role is named."""
    good = IntegerLayer(ONE, ZERO, P8, W8, P8, "identity")
    with pytest.raises(error, match=word):
        dataclasses.replace(good, **fields)


def test_network_refuses_accumulators_in_the_middle_and_codes_of_another_type() -> None:
    """Only the last layer may end in accumulators; codes come in the type of the first layer's inputs."""
    end = IntegerLayer(ONE, ZERO, P8, W8, None, "identity")
    with pytest.raises(ValueError, match="only the last layer"):
        IntegerMLP((end, end), P8)
    net = IntegerMLP((IntegerLayer(ONE, ZERO, U8, W8, U8, "relu"),), U8)
    with pytest.raises(TypeError, match="must be uint8"):
        net.run(np.zeros((1, 1), np.int8))
    assert net.run(np.array([[200]], np.uint8)).dtype == np.uint8


def test_layers_differ_by_table_bias_type_and_output() -> None:
    """Equality sees each of the new parts."""
    one = IntegerLayer(ONE, ZERO, P8, W8, P8, "table", P8, TABLE)
    other = dataclasses.replace(one, table=np.roll(np.arange(-128, 128), 1).astype(np.int8))
    assert one == dataclasses.replace(one) and one != other
    wide = IntegerLayer(ONE, ZERO, P16, W8, P16, "identity")
    assert wide != dataclasses.replace(wide, bias=ZERO.astype(np.int64))
    assert wide != dataclasses.replace(wide, y=None) and wide == dataclasses.replace(wide)


@pytest.mark.parametrize("name", ["ort", "tflite_opt_2_14", "tflite_ref", "gemmini_f32"])
def test_engines_without_a_studied_16x8_refuse_it_by_name(name: Any) -> None:
    """What an engine does not compute, or nobody ran, is no answer of its profile."""
    net = IntegerMLP((IntegerLayer(ONE, ZERO, P16, W8, P16, "identity"),), P16, profile=get(name))
    with pytest.raises(ValueError, match=f"{name} takes input codes of type"):
        net.run(np.zeros((1, 1), np.int16))
    given_zero = QuantParams(0.5, 1, -32768, 32767)
    layer = IntegerLayer(ONE, ZERO.astype(np.int64), given_zero, W8, given_zero, "identity")
    with pytest.raises(ValueError, match="int16 codes without zero points"):
        IntegerMLP((layer,), given_zero, profile=get("tflm")).run(np.zeros((1, 1), np.int16))
    assert IntegerMLP((layer,), given_zero).run(np.ones((1, 1), np.int16)).tolist() == [[1]]  # npquant's own has them


def dynamic_layer(rng: np.random.Generator, kind: Any) -> Any:
    """A layer of 8-bit weights of a kind, with zero points anywhere."""
    low, high = kinds.INTERVALS[kind]
    n, per_channel = int(rng.integers(1, 5)), rng.random() < 0.5
    zero = rng.integers(low, high + 1, n if per_channel else None)
    w = QuantParams(rng.uniform(0.01, 0.1, n if per_channel else None), zero if per_channel else int(zero), low, high)
    w_q = rng.integers(low, high + 1, (int(rng.integers(1, 30)), n)).astype(kind)
    return DynamicLayer(w_q, w, rng.normal(0, 1, n), "relu")


@pytest.mark.parametrize("kind", ["int8", "uint8"])
@given(seed=SEEDS)
def test_dynamic_accumulators_with_weight_zero_points_are_exact(kind: Any, seed: int) -> None:
    """D3 for any weights: the sums are those of int64 and inside the proven bits; the reals are R61 of them."""
    rng = np.random.default_rng(seed)
    layer = dynamic_layer(rng, kind)
    x_q, zx = rng.integers(-128, 128, (6, layer.shape[0])).astype(np.int8), rng.integers(-128, 128, 6)
    zw = np.asarray(layer.w.zero_point, np.int64)
    want = (x_q.astype(np.int64) - zx[:, np.newaxis]) @ (layer.w_q.astype(np.int64) - zw)
    got = layer.accumulate(x_q, zx)
    assert got.dtype == np.int32 and np.array_equal(got, want)
    assert int(np.abs(want).max()).bit_length() < layer.accumulator_bits
    forgotten = x_q.astype(np.int64) @ layer.w_q.astype(np.int64)
    assert np.array_equal(got, forgotten) or np.any(zw) or np.any(zx)


@pytest.mark.parametrize("profile", ["ort", "onnx_ref"])
@given(seed=SEEDS)
def test_dynamic_network_of_an_engine_is_its_operators_in_a_row(profile: Any, seed: int) -> None:
    """DynamicQuantizeLinear, MatMulInteger, the float32 product, the bias in float32, the activation."""
    rng = np.random.default_rng(seed)
    layer = dynamic_layer(rng, "uint8")
    net = DynamicMLP((layer,), "batch", get(profile))
    x = rng.normal(0, 3, (5, layer.shape[0])).astype(np.float32)
    made = dynamic_quantize(x, profile=profile)
    acc = matmul_integer(made.codes, layer.w_q, x_zero_point=made.zero_point, w_zero_point=layer.w.zero_point,
                         profile=profile)  # fmt: skip
    assert np.array_equal(net.accumulators(x)[0], acc)
    real = acc.astype(np.float32) * (made.scale * np.asarray(layer.w.scale, np.float32)) + layer.b
    assert np.array_equal(net.logits(x), np.maximum(real, np.float32(0)))
    assert net.logits(x[:0]).shape == (0, layer.shape[1])


@pytest.mark.parametrize("name", [name for name in names() if get(name).dynamic is not None])
def test_dynamic_network_of_each_engine_is_its_layers_in_a_row(name: Any) -> None:
    """Codes, sums, outputs with the bias, the activation; every switch that the engine has, and no other."""
    rng, profile = np.random.default_rng(5), get(name)
    w = QuantParams(rng.uniform(0.01, 0.02, 4), 0, -128, 127)
    first = DynamicLayer(rng.integers(-127, 128, (9, 4)).astype(np.int8), w, rng.normal(size=4), "relu")
    second = DynamicLayer(rng.integers(-127, 128, (4, 4)).astype(np.int8), w, rng.normal(size=4), "tanh")
    x = rng.normal(0, 3, (7, 9)).astype(np.float32)
    for variant in (None, *dict(profile.dynamic.variants)):
        net = DynamicMLP((first, second), profile.dynamic.granularity, profile, variant)
        y = dynamic_linear(x, first.w_q, w=w, bias=first.b, activation="relu", profile=name, variant=variant)
        y = np.tanh(dynamic_linear(y, second.w_q, w=w, bias=second.b, profile=name, variant=variant))
        assert np.array_equal(net.logits(x), y) and net != DynamicMLP((first, second), net.granularity)
        assert net.logits(x[:0]).shape == (0, 4)
        assert max(int(np.abs(acc).max()).bit_length() for acc in net.accumulators(x)) < max(net.accumulator_bits)
    with pytest.raises(ValueError, match=f"{name} has no variant 'none such'"):
        DynamicMLP((first, second), profile.dynamic.granularity, profile, "none such")
    other = "batch" if profile.dynamic.granularity == "row" else "row"
    with pytest.raises(ValueError, match=f"{name} makes 8-bit codes"):
        DynamicMLP((first, second), other, profile)


def test_dynamic_network_refuses_what_an_engine_does_not_take() -> None:
    """A scale a row, other widths, and engines without dynamic quantization are refused by name."""
    layer = dynamic_layer(np.random.default_rng(0), "int8")
    with pytest.raises(ValueError, match="ort makes 8-bit codes of a whole batch"):
        DynamicMLP((layer,), "row", get("ort"))
    with pytest.raises(ValueError, match="ort makes 8-bit codes of a whole batch"):
        DynamicMLP((dataclasses.replace(layer, x_bits=7),), "batch", get("ort"))
    with pytest.raises(ValueError, match="tflite_ref has no dynamic quantization"):
        DynamicMLP((layer,), "batch", get("tflite_ref"))
    assert DynamicMLP((layer,), "batch", get("ort")) != DynamicMLP((layer,), "batch")
    with pytest.raises(ValueError, match="npquant has no variant 'reduce_range': it is an engine's switch"):
        DynamicMLP((layer,), "batch", variant="reduce_range")
    with pytest.raises(ValueError, match="xnnpack_fp32 takes dynamic weights of int8, not uint8"):
        DynamicMLP((dynamic_layer(np.random.default_rng(0), "uint8"),), "row", get("xnnpack_fp32"))
