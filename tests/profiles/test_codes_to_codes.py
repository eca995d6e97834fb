"""Operators by profile: engines part where their rules do, and what an engine lacks or refuses is refused."""

from typing import Any

import numpy as np
import pytest

from npquant import QuantParams
from npquant.profiles import codes_to_codes as operators
from npquant.profiles import dynamic, get, names

P = QuantParams(0.1, -3, -128, 127)
SIGMOID = QuantParams(2.0**-8, -128, -128, 127)
Q = np.arange(-128, 128).astype(np.int8)
CALLS = {
    "activation_codes": lambda profile: operators.activation("sigmoid", Q, x=P, y=SIGMOID, profile=profile),
    "softmax_codes": lambda profile: operators.softmax(Q[None], x=P, y=SIGMOID, profile=profile),
    "requantize_codes": lambda profile: operators.requantize_codes(Q, x=P, y=SIGMOID, profile=profile),
    "dynamic_quantize": lambda profile: dynamic.dynamic_quantize([1.0], profile=profile),
}


@pytest.mark.parametrize("name", names())
@pytest.mark.parametrize("operator", CALLS)
def test_operator_answers_or_refuses_with_the_engine(name: Any, operator: Any) -> None:
    """Every profile answers each operator or names itself in the refusal."""
    rule = get(name).dynamic
    steps = rule if rule is not None and rule.steps_apart else None
    if (steps if operator == "dynamic_quantize" else getattr(get(name), operator)) is not None:
        CALLS[operator](name)
        return
    with pytest.raises(ValueError, match=rf"^{name} has no .* on codes"):
        CALLS[operator](name)


def answers(call: Any, profiles: Any) -> list[list[int]]:
    """Return what each profile makes of one call."""
    return [call(profile).ravel().tolist() for profile in profiles]


def test_requantize_codes_tells_the_resolvers_apart() -> None:
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


@pytest.mark.parametrize(
    ("q", "x", "y", "error", "text"),
    [
        ([0.5], P, P, TypeError, "float64"),
        ([200], P, P, ValueError, "outside"),
        (Q, QuantParams([0.1], 0, -128, 127), P, ValueError, "input must be per-tensor"),
        (Q, P, QuantParams(0.1, 0, 0, 65535), ValueError, "output codes"),
    ],
)
@pytest.mark.parametrize("operator", [operators.requantize_codes, lambda q, **k: operators.activation("tanh", q, **k)])
def test_codes_operators_refuse_bad_operands(operator: Any, q: Any, x: Any, y: Any, error: Any, text: str) -> None:
    """The message names the operand."""
    with pytest.raises(error, match=text):
        operator(q, x=x, y=y, profile="litert_ref_2025")


@pytest.mark.parametrize("beta", [0.0, -1.0, np.nan, np.inf])
def test_softmax_refuses_bad_factors(beta: Any) -> None:
    """beta is positive and finite."""
    with pytest.raises(ValueError, match="beta"):
        operators.softmax(Q[None], x=P, y=SIGMOID, profile="ruy_x86", beta=beta)


def test_softmax_refuses_rows_without_axis_and_mixed_types() -> None:
    """A scalar has no row; LiteRT's softmax keeps the type of its codes."""
    with pytest.raises(ValueError, match="no axis"):
        operators.softmax(np.int8(1), x=P, y=SIGMOID, profile="ruy_x86")
    with pytest.raises(ValueError, match="keeps the type"):
        operators.softmax(Q[None], x=P, y=QuantParams(2.0**-8, 0, 0, 255), profile="ruy_x86")


def test_softmax_abort_is_a_refusal() -> None:
    """Where BUILTIN_REF kills the process, the message says why; the table answers."""
    row = np.zeros((1, 512), np.int8)
    for name in ("litert_ref_2025", "tflm"):
        with pytest.raises(ValueError, match="aborts the process"):
            operators.softmax(row, x=P, y=SIGMOID, profile=name)
    assert operators.softmax(row, x=P, y=SIGMOID, profile="ruy_x86").max() == -127


@pytest.mark.parametrize("name", [name for name in names() if get(name).requantize_codes is not None])
def test_requantize_codes_goes_where_the_record_says(name: Any) -> None:
    """Every pair of types: an answer of the type, or a refusal that names the profile and the type."""
    record = get(name)
    types = [np.dtype(t) for t in ("int8", "uint8", "int16", "int32")]
    served = {*((a, b) for a in record.code_types for b in record.code_types), *record.code_pairs}
    for before in types:
        for after in types:
            x, y = (QuantParams(1.0, 0, np.iinfo(t).min, np.iinfo(t).max) for t in (before, after))
            if (before.name, after.name) in served:
                got = operators.requantize_codes(np.array([3, 0], before), x=x, y=y, profile=record)
                assert got.dtype == after and got.tolist() == [3, 0]
            else:
                with pytest.raises(ValueError, match=rf"^{name} takes (input|output) codes of type"):
                    operators.requantize_codes(np.array([3], before), x=x, y=y, profile=record)


def test_requantize_codes_of_int16_knows_zero_points_by_engine() -> None:
    """LiteRT wants none from int16 to int16; TFLite-Micro takes any, and LiteRT does from int16 to int8."""
    x, y = QuantParams(1.0, 3, -32768, 32767), QuantParams(1.0, -2, -32768, 32767)
    with pytest.raises(
        ValueError, match="litert_ref_2025 takes int16 codes without zero points here; the input's is 3"
    ):
        operators.requantize_codes(np.int16([5]), x=x, y=y, profile="litert_ref_2025")
    assert operators.requantize_codes(np.int16([5]), x=x, y=y, profile="tflm").tolist() == [0]
    assert operators.requantize_codes(np.int16([5]), x=x, y=P, profile="litert_ref_2025").tolist() == [17]
