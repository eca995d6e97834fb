"""Dynamic quantization by profile: the ONNX engines part where their rules do, other engines refuse."""

import numpy as np
import pytest

from npquant import QuantParams
from npquant.profiles import dynamic as operators


def test_matmul_integer_is_refused_where_dynamic_quantization_is():
    """MatMulInteger belongs to ONNX engines."""
    with pytest.raises(ValueError, match="fbgemm has no MatMulInteger"):
        operators.matmul_integer([[1]], [[1]], x_zero_point=0, w_zero_point=0, profile="fbgemm")


def test_dynamic_quantize_tells_the_onnx_engines_apart():
    """Zeros get scale 1 in one, 1 / 255 in the other."""
    scales = [float(operators.dynamic_quantize([0.0], profile=name).scale) for name in ("ort", "onnx_ref")]
    assert scales == [1.0, float(np.float32(1) / np.float32(255))]


def test_matmul_integer_wraps_and_saturates_pairs():
    """Beyond int32 the sign flips; ort_pair16 saturates uint8 x int8 pairs, and those only."""
    deep = np.full((1, 140_000), -128, np.int8)
    wrapped = operators.matmul_integer(deep, deep.T, x_zero_point=0, w_zero_point=0, profile="ort")
    assert wrapped.dtype == np.int32 and wrapped.tolist() == [[140_000 * 2**14 - 2**32]]
    x, w = np.array([[255, 255]], np.uint8), np.array([[127], [127]], np.int8)
    for name, want in (("ort", 255 * 254), ("ort_pair16", 2**15 - 1)):
        assert operators.matmul_integer(x, w, x_zero_point=0, w_zero_point=0, profile=name).item() == want
    signed = operators.matmul_integer(w.T, w, x_zero_point=0, w_zero_point=0, profile="ort_pair16")
    assert signed.item() == 2 * 127**2


def test_dynamic_linear_is_its_three_steps():
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
def test_matmul_integer_refuses_bad_operands(x_q, w_q, zeros, error, text):
    """The message names the operand."""
    with pytest.raises(error, match=text):
        operators.matmul_integer(x_q, w_q, x_zero_point=zeros[0], w_zero_point=zeros[1], profile="ort")
