"""Integer TFLite files: layers, tables and doors as LiteRT computes them, and what is refused by name.

What LiteRT answers to such files stands in test_corpus.py and tests/interop/consumers.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from npquant.files.format_error import FormatError
from npquant.integer.layer import IntegerLayer
from npquant.integer.mlp import IntegerMLP
from npquant.interop.flatbuffer import Numbers, Scalar
from npquant.interop.tflite_in import from_tflite
from npquant.interop.tflite_out.parts import Parts, fused
from npquant.kernels.qparams import QuantParams
from npquant.profiles import get
from npquant.profiles.codes_to_codes import activation, requantize_codes
from npquant.profiles.operators import dequantize, linear, quantize
from tests.interop.tflite_in.files import const

RNG = np.random.default_rng(3)
P, Q = QuantParams(0.05, 3, -128, 127), QuantParams(0.11, -7, -128, 127)
W = QuantParams(0.02, 0, -128, 127)
SIGMOID = QuantParams(1 / 256, -128, -128, 127)
W_Q, V_Q = RNG.integers(-128, 128, (6, 5)).astype(np.int8), RNG.integers(-128, 128, (5, 4)).astype(np.int8)
BIAS, C = RNG.integers(-900, 900, 5).astype(np.int32), RNG.integers(-900, 900, 4).astype(np.int32)
X_Q = RNG.integers(-128, 128, (50, 6)).astype(np.int8)
KINDS = {np.dtype(np.int8): "INT8", np.dtype(np.uint8): "UINT8", np.dtype(np.int16): "INT16"}


def codes(p: Parts, q: QuantParams, n: int, *, shape: tuple[int, ...] = ()) -> int:
    """Add activations of codes."""
    return p.tensor("codes", KINDS[q.dtype], shape or (1, n), q.scale, int(q.zero_point))


def dense(p: Parts, x: int, w_q: np.ndarray, bias: Any, y: QuantParams, w: QuantParams = W, name: str = "NONE") -> int:
    """Add a FULLY_CONNECTED on codes; bias an array, None, or the number of a tensor."""
    weights = const(p, w_q.T, w_q.dtype.name, scale=w.scale, zero_point=w.zero_point)
    if bias is None:
        b = -1
    else:
        b = bias if isinstance(bias, int) else const(p, bias, bias.dtype.name, scale=P.scale * np.float32(0.02))
    return p.operator("FULLY_CONNECTED", 4, (x, weights, b), codes(p, y, w_q.shape[1]), {0: fused(name)})


def unary(p: Parts, name: str, x: int, y: QuantParams | None, n: int) -> int:
    """Add an operator from codes or reals to codes of y, or to reals."""
    after = p.tensor("real", "FLOAT32", (1, n)) if y is None else codes(p, y, n)
    return p.operator(name, 1, (x,), after, {0: Scalar("f", 1.0)} if name == "SOFTMAX" else {})


def read(build: Callable[[Parts], int], profile: str = "litert_ref_2025") -> Any:
    parts = Parts()
    return from_tflite(parts.file(build(parts), b""), profile=profile)


def layer(y: QuantParams = Q, name: str = "identity") -> IntegerLayer:
    return IntegerLayer(W_Q, BIAS, P, W, y, name)


@pytest.mark.parametrize("name", ["NONE", "RELU", "RELU6", "RELU_N1_TO_1"])
def test_layers_are_read_with_their_fused_clamps(name: str) -> None:
    """w_q, bias, scales, zero points and the clamp are those of the file; an absent bias is 0."""
    found = read(lambda p: dense(p, dense(p, codes(p, P, 6), W_Q, BIAS, Q, name=name), V_Q, None, P))
    clamp = {"NONE": "identity", "RELU": "relu", "RELU6": "relu6", "RELU_N1_TO_1": "relu_n1_to_1"}[name]
    second = IntegerLayer(V_Q, np.zeros(4, np.int32), Q, W, P, "identity")
    assert found.model == IntegerMLP((layer(Q, clamp), second), P, profile=get("litert_ref_2025"))
    assert (found.inputs, found.outputs, found.head) == (P, P, "none")


@pytest.mark.parametrize("name", ["LOGISTIC", "TANH", "RELU", "RELU6", "RELU_N1_TO_1"])
@pytest.mark.parametrize("profile", ["litert_ref_2025", "xnnpack_fp32_avx512", "ruy_x86", "tflm"])
def test_operators_on_codes_are_tables_of_the_profile(name: str, profile: str) -> None:
    """Behind a hidden layer: the codes that the engine's own operator makes of the layer's codes."""
    after = {"LOGISTIC": SIGMOID, "TANH": QuantParams(1 / 128, 0, -128, 127)}.get(name, P)

    def build(p: Parts) -> int:
        return dense(p, unary(p, name, dense(p, codes(p, P, 6), W_Q, BIAS, Q), after, 5), V_Q, None, P)

    if (profile, name) == ("tflm", "RELU_N1_TO_1"):  # TFLite-Micro has none
        with pytest.raises(FormatError, match="relu_n1_to_1"):
            read(build, profile)
        return
    found = read(build, profile)
    z_q = IntegerMLP((layer(),), P, profile=get(profile)).run(X_Q)
    own = {"LOGISTIC": "sigmoid", "TANH": "tanh"}.get(name, name.lower())
    a_q = activation(own, z_q, x=Q, y=after, profile=profile)
    second = IntegerLayer(V_Q, np.zeros(4, np.int32), after, W, P, "identity")
    np.testing.assert_array_equal(found.run(X_Q), IntegerMLP((second,), after, profile=get(profile)).run(a_q))


def test_several_operators_behind_a_layer_are_one_table() -> None:
    """RELU fused, then TANH, then QUANTIZE: table[q] = quantize(tanh(max(q, z)))."""
    tanh = QuantParams(1 / 128, 0, -128, 127)

    def build(p: Parts) -> int:
        z = dense(p, codes(p, P, 6), W_Q, BIAS, Q, name="RELU")
        return dense(p, unary(p, "QUANTIZE", unary(p, "TANH", z, tanh, 5), P, 5), V_Q, None, P)

    z_q = IntegerMLP((layer(Q, "relu"),), P, profile=get("litert_ref_2025")).run(X_Q)
    a_q = requantize_codes(
        activation("tanh", z_q, x=Q, y=tanh, profile="litert_ref_2025"), x=tanh, y=P, profile="litert_ref_2025"
    )
    found = read(build)
    assert found.model.layers[0].activation == "table"
    np.testing.assert_array_equal(
        found.run(X_Q),
        IntegerMLP(
            (IntegerLayer(V_Q, np.zeros(4, np.int32), P, W, P, "identity"),), P, profile=get("litert_ref_2025")
        ).run(a_q),
    )


def test_a_quantize_that_depends_on_the_place_is_refused_under_that_profile() -> None:
    """Without delegates LiteRT rounds whole vectors of 16 codes by one rule, the rest by another: no table says it."""
    rough = QuantParams(0.44, -7, -128, 127)  # four times the scale: every fourth code is a tie

    def build(p: Parts) -> int:
        return dense(p, unary(p, "QUANTIZE", dense(p, codes(p, P, 6), W_Q, BIAS, Q), rough, 5), V_Q, None, P)

    assert read(build).model.layers[0].activation == "table"
    with pytest.raises(FormatError, match="by two rules"):
        read(build, "ruy_x86")


def test_doors_of_other_types_are_inputs_and_outputs() -> None:
    """uint8 around int8, and floats around codes: the model is the core, the file's own types stand in the record."""
    u = QuantParams(P.scale, int(P.zero_point) + 128, 0, 255)
    v = QuantParams(Q.scale, int(Q.zero_point) + 128, 0, 255)
    core = IntegerMLP((layer(),), P, profile=get("litert_ref_2025"))
    found = read(
        lambda p: unary(p, "QUANTIZE", dense(p, unary(p, "QUANTIZE", codes(p, u, 6), P, 6), W_Q, BIAS, Q), v, 5)
    )
    assert (found.inputs, found.outputs) == (u, v)
    x = (X_Q.astype(np.int16) + 128).astype(np.uint8)
    np.testing.assert_array_equal(found.run(x), core.run(X_Q).astype(np.int16) + 128)

    def real(p: Parts) -> int:
        x = p.tensor("x", "FLOAT32", (1, 6))
        return unary(p, "DEQUANTIZE", dense(p, unary(p, "QUANTIZE", x, P, 6), W_Q, BIAS, Q), None, 5)

    found = read(real)
    assert (found.inputs, found.outputs) == (None, None)
    reals = dequantize(X_Q, P, "litert_ref_2025")
    wanted = dequantize(core.run(quantize(reals, P, "litert_ref_2025")), Q, "litert_ref_2025")
    np.testing.assert_array_equal(found.run(reals), wanted)


def test_doors_with_a_tail_are_answered_an_inference_at_a_time() -> None:
    """Without delegates LiteRT rounds 8 inputs half to even and the tail half away: 6 inputs are a tail in each row."""

    def build(p: Parts) -> int:
        x = p.tensor("x", "FLOAT32", (1, 6))
        return unary(p, "DEQUANTIZE", dense(p, unary(p, "QUANTIZE", x, half, 6), W_Q, None, Q), None, 5)

    half = QuantParams(0.5, 0, -128, 127)
    found = read(build, "ruy_x86")
    x = (RNG.integers(-50, 50, (9, 6)) + np.float32(0.5)) * np.float32(0.5)  # ties alone
    alone = np.concatenate([found.run(row[None]) for row in x])
    np.testing.assert_array_equal(found.run(x), alone)
    core = found.model.run(quantize(x, half, "ruy_x86"))
    assert (dequantize(core, Q, "ruy_x86") != alone).any()
    assert found.run(x[:0]).shape == (0, 5)
    assert read(build).rows is None


@pytest.mark.parametrize("name", ["SOFTMAX", "LOGISTIC"])
def test_heads_on_codes_are_split_off_and_answered(name: str) -> None:
    """The model gives logits; `run` gives the head's codes, through a QUANTIZE to uint8 and a DEQUANTIZE as well."""
    u = QuantParams(1 / 256, 0, 0, 255)

    def head(p: Parts) -> int:
        return unary(p, name, dense(p, codes(p, P, 6), W_Q, BIAS, Q), SIGMOID, 5)

    plain = read(head)
    assert plain.head == {"SOFTMAX": "softmax", "LOGISTIC": "logistic"}[name]
    assert plain.model == IntegerMLP((layer(),), P, profile=get("litert_ref_2025"))
    given = plain.run(X_Q)
    assert given.dtype == np.int8
    raised = read(lambda p: unary(p, "QUANTIZE", head(p), u, 5)).run(X_Q)
    np.testing.assert_array_equal(raised, given.astype(np.int16) + 128)
    real = read(lambda p: unary(p, "DEQUANTIZE", head(p), None, 5)).run(X_Q)
    np.testing.assert_array_equal(real, (given.astype(np.float32) + 128) / 256)


def test_a_float_head_behind_dequantize_is_split_off() -> None:
    """Codes, DEQUANTIZE, SOFTMAX in float: shares of 1."""

    def build(p: Parts) -> int:
        return unary(p, "SOFTMAX", unary(p, "DEQUANTIZE", dense(p, codes(p, P, 6), W_Q, BIAS, Q), None, 5), None, 5)

    found = read(build)
    assert (found.head, found.outputs) == ("softmax", None)
    np.testing.assert_allclose(found.run(X_Q).sum(axis=1), 1, rtol=2.0**-20)


def test_layers_of_uint8_to_int16_are_read_as_the_engine_takes_them() -> None:
    """R100 of the reference kernel, whose process ends without a bias; R19 of the optimized one, which needs none."""
    x, y = QuantParams(P.scale, 131, 0, 255), QuantParams(0.0007, 0, -32768, 32767)
    w, w_q = QuantParams(W.scale, 120, 0, 255), (W_Q.astype(np.int16) + 128).astype(np.uint8)
    rows = (X_Q.astype(np.int16) + 128).astype(np.uint8)
    for profile in ("litert_ref_2025", "ruy_x86"):
        found = read(lambda p: dense(p, codes(p, x, 6), w_q, BIAS, y, w), profile)
        want = linear(rows, w_q, BIAS, x=x, w=w, y=y, profile=profile)
        np.testing.assert_array_equal(found.run(rows), want)
    assert read(lambda p: dense(p, codes(p, x, 6), w_q, None, y, w), "ruy_x86").run(rows).dtype == np.int16
    with pytest.raises(FormatError, match="ends the process on uint8 inputs and int16 outputs without a bias"):
        read(lambda p: dense(p, codes(p, x, 6), w_q, None, y, w))


def test_16x8_files_are_read_with_the_biases_that_they_name() -> None:
    """int64 biases, named or not; int32 ones only where the options name them: LiteRT misreads others."""
    p16 = QuantParams(0.001, 0, -32768, 32767)

    def build(p: Parts, dtype: str, named: int | None) -> int:
        x = codes(p, p16, 6)
        w = const(p, W_Q.T, "int8", scale=W.scale)
        b = const(p, BIAS, dtype, scale=np.float32(0.001) * np.float32(0.02))
        options = {0: fused("RELU")} | ({} if named is None else {4: Scalar("b", named)})
        return p.operator("FULLY_CONNECTED", 11, (x, w, b), codes(p, p16, 5), options)

    for dtype, named in (("int64", None), ("int64", 4), ("int32", 2)):
        assert read(lambda p, d=dtype, n=named: build(p, d, n)).model.layers[0].bias.dtype == dtype  # type: ignore[misc]
    with pytest.raises(FormatError, match="INT32"):
        read(lambda p: build(p, "int32", None))


def _bad_scale(value: float) -> Callable[[Parts], int]:
    def build(p: Parts) -> int:
        out = dense(p, codes(p, P, 6), W_Q, BIAS, Q)
        p.tensors[1] = {
            **p.tensors[1],
            4: {2: Numbers(np.array([value], np.float32)), 3: Numbers(np.zeros(1, np.int64))},
        }
        return out

    return build


def _with(index: int, slot: int, value: Any) -> Callable[[Parts], int]:
    """A layer with one field of one tensor changed: 0 input, 1 weights, 2 bias, 3 output."""

    def build(p: Parts) -> int:
        out = dense(p, codes(p, P, 6), W_Q, BIAS, Q)
        p.tensors[index] = {**p.tensors[index], slot: value}
        return out

    return build


def _scales(scale: list[float], zero: list[int], axis: int = 0, details: int = 0) -> dict[int, Any]:
    return {
        2: Numbers(np.array(scale, np.float32)),
        3: Numbers(np.array(zero, np.int64), 8),
        4: Scalar("B", details),
        6: Scalar("i", axis),
    }


@pytest.mark.parametrize(
    ("build", "word"),
    [
        *((_bad_scale(value), "scale") for value in (0.0, -1.0, float("nan"), float("inf"), 1e-45)),
        (_with(1, 4, _scales([0.1] * 4, [0])), "4 scales"),
        (_with(1, 4, _scales([0.1] * 5, [0] * 5, axis=1)), "axis 1"),
        (_with(1, 4, _scales([0.1] * 5, [0] * 3)), "3 zero points"),
        (_with(1, 4, _scales([0.1], [0], details=2)), "blockwise"),
        (_with(0, 4, _scales([0.1] * 6, [0] * 6)), "6 scales"),
        (_with(0, 4, _scales([0.1], [1000])), "zero point"),
        (_with(0, 4, _scales([0.1], [2**62])), "zero point|int"),
        (_with(2, 4, _scales([1.0], [0])), "another scale"),
        (_with(2, 4, {2: Numbers(np.array([0x7F800001], np.uint32).view(np.float32))}), "another scale"),
        (_with(2, 4, _scales([0.001], [3])), "zero point"),
        (_with(0, 1, Scalar("b", 17)), "INT4"),
        (_with(3, 1, Scalar("b", 0)), "mixed"),
        (_with(1, 1, Scalar("b", 19)), "INT2"),
        (_with(1, 1, Scalar("b", 99)), "type 99"),
        (_with(1, 0, Numbers(np.array([2**31 - 1] * 5, np.int32))), "shape|bytes"),
        (_with(1, 0, Numbers(np.array([-5, -6], np.int32))), "shape"),
        (_with(1, 0, Numbers(np.array([6, 5], np.int32))), "bias|inputs|width"),
        (_with(1, 0, Numbers(np.array([1] * 9, np.int32))), "axes"),
        (_with(1, 2, Scalar("I", 77)), "number 77"),
        (_with(1, 6, {}), "sparse"),
        (lambda p: unary(p, "SOFTMAX", dense(p, codes(p, P, 6), W_Q, BIAS, Q), SIGMOID, 5) and 0, "output"),
        (lambda p: unary(p, "LOG_SOFTMAX", dense(p, codes(p, P, 6), W_Q, BIAS, Q), P, 5), "LOG_SOFTMAX"),
        (lambda p: dense(p, unary(p, "RELU", codes(p, P, 6), P, 6), W_Q, BIAS, Q), "RELU"),
        (lambda p: dense(p, codes(p, P, 6), W_Q, BIAS, Q, name="TANH"), "TANH"),
    ],
)
def test_what_no_engine_means_is_refused_by_name(build: Callable[[Parts], int], word: str) -> None:
    """Scales, axes, types, shapes, operators that are wrong: one error, naming the tensor or the operator."""
    with pytest.raises(FormatError, match=word):
        read(build)


def test_codes_that_change_their_meaning_are_refused() -> None:
    """A layer that reads its input under another scale than it was written under: neighbours must agree."""

    def build(p: Parts) -> int:
        z = dense(p, codes(p, P, 6), W_Q, BIAS, Q)
        flat = p.operator("RESHAPE", 1, (z, const(p, [-1, 5], "int32")), codes(p, P, 5), {})
        return dense(p, flat, V_Q, None, P)

    with pytest.raises(FormatError, match="another meaning"):
        read(build)
