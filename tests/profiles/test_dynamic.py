"""Dynamic quantization by profile: the ONNX engines part where their rules do, other engines refuse."""

from itertools import product
from typing import Any

import numpy as np
import pytest

from npquant import QuantParams
from npquant.profiles import dynamic as operators
from npquant.profiles import get, names


def test_matmul_integer_is_refused_where_dynamic_quantization_is() -> None:
    """MatMulInteger belongs to ONNX engines."""
    with pytest.raises(ValueError, match="fbgemm has no MatMulInteger"):
        operators.matmul_integer([[1]], [[1]], x_zero_point=0, w_zero_point=0, profile="fbgemm")


def test_dynamic_quantize_tells_the_onnx_engines_apart() -> None:
    """Zeros get scale 1 in one, 1 / 255 in the other."""
    scales = [float(operators.dynamic_quantize([0.0], profile=name).scale) for name in ("ort", "onnx_ref")]
    assert scales == [1.0, float(np.float32(1) / np.float32(255))]


def test_matmul_integer_wraps_and_saturates_pairs() -> None:
    """Beyond int32 the sign flips; ort_pair16 saturates uint8 x int8 pairs, and those only."""
    deep = np.full((1, 140_000), -128, np.int8)
    wrapped = operators.matmul_integer(deep, deep.T, x_zero_point=0, w_zero_point=0, profile="ort")
    assert wrapped.dtype == np.int32 and wrapped.tolist() == [[140_000 * 2**14 - 2**32]]
    x, w = np.array([[255, 255]], np.uint8), np.array([[127], [127]], np.int8)
    for name, want in (("ort", 255 * 254), ("ort_pair16", 2**15 - 1)):
        assert operators.matmul_integer(x, w, x_zero_point=0, w_zero_point=0, profile=name).item() == want
    signed = operators.matmul_integer(w.T, w, x_zero_point=0, w_zero_point=0, profile="ort_pair16")
    assert signed.item() == 2 * 127**2


def test_dynamic_linear_is_its_three_steps() -> None:
    """One scale for all rows, integer product, two float32 products."""
    rng = np.random.default_rng(0)
    x, w_q = rng.normal(size=(4, 9)).astype(np.float32), rng.integers(-128, 128, (9, 3)).astype(np.int8)
    w = QuantParams([0.1, 0.2, 0.3], [0, 5, -7], -128, 127)
    made = operators.dynamic_quantize(x, profile="ort")
    acc = (made.codes.astype(np.int64) - int(made.zero_point)) @ (w_q.astype(np.int64) - w.zero_point)
    want = acc.astype(np.float32) * (made.scale * w.scale)
    assert operators.dynamic_linear(x, w_q, w=w, profile="ort").tobytes() == want.astype(np.float32).tobytes()


@pytest.mark.parametrize(
    ("x_q", "w_q", "zeros", "error", "text"),
    [
        ([[1.0]], np.zeros((1, 1), np.int8), (0, 0), TypeError, "x_q is float64"),
        (np.zeros((1, 1), np.int16), np.zeros((1, 1), np.int8), (0, 0), TypeError, "int16"),
        (np.zeros(1, np.int8), np.zeros((1, 1), np.int8), (0, 0), ValueError, r"shape \(1,\)"),
        (np.zeros((1, 2), np.int8), np.zeros((1, 1), np.int8), (0, 0), ValueError, "do not agree"),
        (np.zeros((1, 1), np.int8), np.zeros((1, 1), np.int8), (200, 0), ValueError, "x_zero_point is 200"),
        (np.zeros((1, 1), np.int8), np.zeros((1, 1), np.int8), (0, [0, 0]), ValueError, r"zero point \(2,\)"),
        (np.zeros((1, 1), np.int8), np.zeros((1, 1), np.int8), (0, 0.5), TypeError, "float64"),
    ],
)
def test_matmul_integer_refuses_bad_operands(x_q: Any, w_q: Any, zeros: Any, error: Any, text: str) -> None:
    """The message names the operand."""
    with pytest.raises(error, match=text):
        operators.matmul_integer(x_q, w_q, x_zero_point=zeros[0], w_zero_point=zeros[1], profile="ort")


def test_dynamic_linear_adds_the_bias_and_clamps_as_the_engine() -> None:
    """One fused rounding in XNNPACK and fbgemm, two in the others: every engine its own floats."""
    rng = np.random.default_rng(1)
    w, b = QuantParams(rng.uniform(0.01, 0.02, 50), 0, -128, 127), rng.normal(size=50).astype(np.float32)
    w_q = rng.integers(-127, 128, (40, 50)).astype(np.int8)
    answers: dict[Any, Any] = {}
    inputs = rng.normal(size=(5, 9, 40)).astype(np.float32)
    for name, x in product(names(), inputs):
        rule = get(name).dynamic
        if rule is None:
            continue
        y = operators.dynamic_linear(x, w_q, w=w, bias=b, profile=name)
        assert y.dtype == np.float32 and y.shape == (9, 50)
        made = rule.quantize(x)
        assert made.scale.shape == ((9, 1) if rule.granularity == "row" else ())
        relu = operators.dynamic_linear(x, w_q, w=w, bias=b, profile=name, activation="relu")
        assert np.array_equal(relu, np.maximum(y, np.float32(0)))
        answers[name] = answers.get(name, b"") + y.tobytes()
    engines = ("litert_ref_2025", "xnnpack_fp32", "fbgemm", "qnnpack", "onednn_vnni", "onednn_avx2", "ort", "onnx_ref")
    assert answers["ort"] == answers["onnx_ref"] and len({answers[name] for name in engines}) >= len(engines) - 1


def test_variants_are_other_numbers() -> None:
    """Asymmetric inputs in LiteRT's kernels, the reduced range in torch."""
    rng = np.random.default_rng(2)
    x, w_q = rng.normal(size=(9, 40)).astype(np.float32), rng.integers(-127, 128, (40, 50)).astype(np.int8)
    w, seen = QuantParams(0.013, 0, -128, 127), 0
    for name in names():
        for variant, _ in () if get(name).dynamic is None else get(name).dynamic.variants:
            plain, other = (operators.dynamic_linear(x, w_q, w=w, profile=name, variant=v) for v in (None, variant))
            assert not np.array_equal(plain, other)
            seen += 1
    assert seen == 6


def test_int4_weights_have_a_kernel_of_their_own_in_the_optimized_resolver() -> None:
    """Weights in [-8, 7], an even depth of at least 32 and four outputs; the same weights as int8 are another rule."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(5, 64)).astype(np.float32)
    w_q = rng.integers(-7, 8, (64, 6)).astype(np.int8)

    def answer(k: Any, n: Any, low: Any, high: Any, profile: Any) -> Any:
        w = QuantParams(0.3, 0, low, high)
        return operators.dynamic_linear(x[:, :k], w_q[:k, :n], w=w, profile=profile)

    for k, n, own in ((64, 6, True), (32, 4, True), (30, 6, False), (33, 6, False), (64, 3, False)):
        same = np.array_equal(answer(k, n, -8, 7, "ruy_x86"), answer(k, n, -128, 127, "ruy_x86"))
        assert same != own
        assert np.array_equal(answer(k, n, -8, 7, "litert_ref_2025"), answer(k, n, -128, 127, "litert_ref_2025"))


W = QuantParams(0.5, 0, -128, 127)


@pytest.mark.parametrize(
    ("profile", "changes", "text"),
    [
        ("tflm", {}, "tflm has no dynamic quantization of a layer's inputs"),
        ("ruy_arm64", {}, "ruy_arm64 has no dynamic"),
        (
            "qnnpack",
            {"variant": "reduce_range"},
            "qnnpack has no variant 'reduce_range' of its dynamic layer; it has none",
        ),
        ("fbgemm", {"variant": "asymmetric_inputs"}, "fbgemm has no variant .*; it has reduce_range"),
        ("xnnpack_fp32", {"variant": "asymmetric_inputs"}, "xnnpack_fp32 has no variant"),
        (
            "ruy_x86",
            {"w": QuantParams(0.5, 1, -128, 127)},
            "ruy_x86 takes dynamic weights without zero points; theirs is 1",
        ),
        ("onednn_avx2", {"w": QuantParams(0.5, 1, -128, 127)}, "onednn_avx2 takes dynamic weights without zero points"),
        ("fbgemm", {"w": QuantParams(0.5, 1, 0, 255)}, "fbgemm takes dynamic weights of int8, not uint8"),
        ("xnnpack_fp32", {"w": QuantParams(0.5, 0, -8, 7)}, "xnnpack_fp32 takes INT4 weights of an even depth"),
        ("fbgemm", {"activation": "relu6"}, "fbgemm fuses no 'relu6' with its dynamic layer; it has none, relu"),
        ("fbgemm", {"bias": [1.0, 2.0]}, r"the bias has shape \(2,\); it must be \(1,\)"),
        ("fbgemm", {"x": [[np.nan, 0, 0]]}, "NaN or infinity"),
        ("fbgemm", {"x": [[0.0, 0]]}, "do not agree"),
    ],
)
def test_dynamic_linear_refuses_by_name(profile: Any, changes: Any, text: str) -> None:
    """The message names the engine and the reason."""
    given = {"x": [[1.0, 2.0, 3.0]], "w": W} | changes
    with pytest.raises(ValueError, match=text):
        operators.dynamic_linear(given.pop("x"), np.ones((3, 1), np.int8), profile=profile, **given)
