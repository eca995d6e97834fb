"""Operators by profile: engines part where their rules do, and what an engine lacks or refuses is refused."""

import numpy as np
import pytest

from npquant import QuantParams
from npquant.profiles import activations as operators
from npquant.profiles import get, names

P = QuantParams(0.1, -3, -128, 127)
SIGMOID = QuantParams(2.0**-8, -128, -128, 127)
Q = np.arange(-128, 128).astype(np.int8)
CALLS = {
    "activation_codes": lambda profile: operators.activation("relu", Q, x=P, y=P, profile=profile),
    "softmax_codes": lambda profile: operators.softmax(Q[None], x=P, y=SIGMOID, profile=profile),
    "requantize_codes": lambda profile: operators.requantize_codes(Q, x=P, y=SIGMOID, profile=profile),
    "dynamic_quantize": lambda profile: operators.dynamic_quantize([1.0], profile=profile),
}


@pytest.mark.parametrize("name", names())
@pytest.mark.parametrize("operator", CALLS)
def test_operator_answers_or_refuses_with_the_engine(name, operator):
    """Every profile answers each operator or names itself in the refusal."""
    if getattr(get(name), operator) is not None:
        CALLS[operator](name)
        return
    with pytest.raises(ValueError, match=rf"^{name} has no .* on codes"):
        CALLS[operator](name)


def test_matmul_integer_is_refused_where_dynamic_quantization_is():
    """MatMulInteger belongs to ONNX engines."""
    with pytest.raises(ValueError, match="fbgemm has no MatMulInteger"):
        operators.matmul_integer([[1]], [[1]], x_zero_point=0, w_zero_point=0, profile="fbgemm")


def answers(call, profiles) -> list[list[int]]:
    """Return what each profile makes of one call."""
    return [call(profile).ravel().tolist() for profile in profiles]


def test_requantize_codes_tells_the_resolvers_apart():
    """-6 / 4 goes away or up by position, and XNNPACK's multiplier of 8 bits is coarser than either."""
    x, y = QuantParams(1.0, 0, -128, 127), QuantParams(3.999, 0, -128, 127)
    ties = QuantParams(4.0, 0, -128, 127)
    resolvers = ("litert_ref_2025", "ruy_x86")
    ref, ruy = answers(lambda p: operators.requantize_codes(Q, x=x, y=ties, profile=p), resolvers)
    assert ref != ruy
    ref, coarse = answers(
        lambda p: operators.requantize_codes(Q, x=x, y=y, profile=p), ("litert_ref_2025", "xnnpack_fp32")
    )
    assert ref != coarse


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


@pytest.mark.parametrize(
    ("q", "x", "y", "error", "text"),
    [
        ([0.5], P, P, TypeError, "float64"),
        ([200], P, P, ValueError, "outside"),
        (Q, QuantParams([0.1], 0, -128, 127), P, ValueError, "input must be per-tensor"),
        (Q, P, QuantParams(0.1, 0, -32768, 32767), ValueError, "output codes"),
    ],
)
@pytest.mark.parametrize("operator", [operators.requantize_codes, lambda q, **k: operators.activation("tanh", q, **k)])
def test_codes_operators_refuse_bad_operands(operator, q, x, y, error, text):
    """The message names the operand."""
    with pytest.raises(error, match=text):
        operator(q, x=x, y=y, profile="litert_ref_2025")


@pytest.mark.parametrize("beta", [0.0, -1.0, np.nan, np.inf])
def test_softmax_refuses_bad_factors(beta):
    """beta is positive and finite."""
    with pytest.raises(ValueError, match="beta"):
        operators.softmax(Q[None], x=P, y=SIGMOID, profile="ruy_x86", beta=beta)


def test_softmax_refuses_rows_without_axis_and_mixed_types():
    """A scalar has no row; LiteRT's softmax keeps the type of its codes."""
    with pytest.raises(ValueError, match="no axis"):
        operators.softmax(np.int8(1), x=P, y=SIGMOID, profile="ruy_x86")
    with pytest.raises(ValueError, match="keeps the type"):
        operators.softmax(Q[None], x=P, y=QuantParams(2.0**-8, 0, 0, 255), profile="ruy_x86")


def test_softmax_abort_is_a_refusal():
    """Where BUILTIN_REF kills the process, the message says why; the table answers."""
    row = np.zeros((1, 512), np.int8)
    for name in ("litert_ref_2025", "tflm"):
        with pytest.raises(ValueError, match="aborts the process"):
            operators.softmax(row, x=P, y=SIGMOID, profile=name)
    assert operators.softmax(row, x=P, y=SIGMOID, profile="ruy_x86").max() == -127
