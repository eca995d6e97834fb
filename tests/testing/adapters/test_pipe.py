"""The text of the pipe: every number of a case stands on its line, and every answer is read as it was meant."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npquant.kernels.multiplier import FixedMultiplier, decompose_multiplier, real_multiplier
from npquant.kernels.qparams import QuantParams
from npquant.profiles import get, names
from npquant.testing import backend as kinds
from npquant.testing.adapters.operands import multiplier_of, operands_of
from npquant.testing.adapters.pipe import answers_in, hexadecimal, read_answer, write_question
from npquant.testing.case import Layer, RawParams, one_layer

P = QuantParams(0.5, 3, -128, 127)


def small(profile: str = "npquant", bias: Any = None, activation: str = "none", w: Any = P) -> Any:
    """Return a case of one row, two inputs and two outputs."""
    x_q, w_q = np.array([[1, 2]], np.int8), np.array([[-5, 6], [7, -8]], np.int8)
    return one_layer(x_q, w_q, bias, P, w, P, profile, activation)


@given(st.floats(width=32))
def test_hexadecimal_keeps_every_bit(value: Any) -> None:
    """A float32 read back from its hexadecimal form is the same number: sign of zero, subnormals and infinities too."""
    back = float.fromhex(hexadecimal(np.float32(value)))
    assert np.float32(back).tobytes() == np.float32(value).tobytes() or np.isnan(value)


def test_line_holds_the_layer_as_numbers() -> None:
    """Per-channel scales and zero points, bias, bounds and codes stand where the page says."""
    w = QuantParams(np.array([0.5, 0.25], np.float32), np.array([1, -1]), -128, 127)
    words = write_question(small(bias=np.array([7, -9], np.int32), activation="relu", w=w)).split()
    assert words[:13] == "linear int8 int8 int8 1 2 2 3 3 3 127 0x1p-1 0x1p-1".split()
    assert words[13:23] == "1 1073741824 0 0x1p-1 7 -1 1073741824 -1 0x1p-2 -9".split()
    assert words[23:] == "-5 6 7 -8 1 2".split()


@pytest.mark.parametrize("profile", names())
def test_multiplier_is_the_profiles_own_or_r5(profile: Any) -> None:
    """m and e are those that the profile computes with; R5 of R4 for an engine that rescales in floats."""
    layer = Layer(np.ones((1, 1), np.int8), None, P, QuantParams(0.1, 0, -128, 127), QuantParams(0.3, 0, -128, 127))
    made = get(profile).make_multiplier(np.float32(0.5), np.float32(0.1), np.float32(0.3))
    plain = decompose_multiplier(real_multiplier(0.5, 0.1, 0.3))
    assert multiplier_of(layer, get(profile)) == (made if isinstance(made, FixedMultiplier) else plain)


def test_what_a_line_cannot_hold_is_declined() -> None:
    """Networks, shapes that differ, and zero points that are no int32 cannot be asked; illegal scales can."""
    case = small(bias=np.array([7, -9], np.int32))
    layer = case.model.layers[0]
    for changed in (
        replace(case, x_q=case.x_q[:, :1]),
        replace(case, model=replace(case.model, layers=(layer, layer))),
        replace(case, model=replace(case.model, layers=(replace(layer, bias=layer.bias[:1]),))),
        replace(case, model=replace(case.model, layers=(replace(layer, x=RawParams(0.5, 1.5, -128, 127)),))),
        replace(case, model=replace(case.model, layers=(replace(layer, x=RawParams(0.5, 2**31, -128, 127)),))),
    ):
        with pytest.raises(NotImplementedError):
            write_question(changed)
    for scale in (0.0, -1.0, np.inf, np.nan):
        o = operands_of(replace(layer, y=RawParams(np.float32(scale), 0, -128, 127)), case.x_q, get("npquant"))
        assert o.m.tolist() == o.e.tolist() == [0, 0]


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("-128 127", kinds.VALUE),
        ("  +5 \t -0 \r", kinds.VALUE),
        ("1", kinds.WRONG_SHAPE),
        ("", kinds.WRONG_SHAPE),
        ("1 2 3", kinds.WRONG_SHAPE),
        ("-129 0", kinds.NO_CODE),
        ("1 99999999999999999999", kinds.JUNK),
        ("1 2.0", kinds.JUNK),
        ("0x1 2", kinds.JUNK),
        ("nan nan", kinds.JUNK),
        ("y: 1 2", kinds.JUNK),
        ("\u0661 \u0662", kinds.JUNK),
        ("reject", kinds.REJECTED),
        ("reject scale", kinds.REJECTED),
        ("decline", kinds.DECLINED),
        ("rejected", kinds.JUNK),
    ],
)
def test_answer_is_read_as_it_was_meant(line: Any, kind: Any) -> None:
    """Codes are whole decimal numbers of the output type, as many as were due; the rest has a name."""
    assert read_answer(line, small()).kind == kind


def test_stream_of_answers_leaves_the_greeting_out() -> None:
    """A greeting is no answer where it comes first, and junk elsewhere; ends of line do not matter."""
    assert list(answers_in(["npquant-pipe 1 name=x\n", "1 2\r\n", "3 4"])) == ["1 2", "3 4"]
    assert list(answers_in(["1 2\n", "npquant-pipe 1\n"])) == ["1 2", "npquant-pipe 1"]
    assert list(answers_in([])) == []
