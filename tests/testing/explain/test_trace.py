"""The stage trace: its stages agree with the profile, and it names the stage that alone explains a wrong code."""

from fractions import Fraction

import numpy as np
import pytest

from npquant.kernels.qparams import QuantParams
from npquant.profiles import get, names
from npquant.testing.backend import capabilities_of
from npquant.testing.case import Case, Layer, Model, expected, one_layer
from npquant.testing.classes import activation, channel, network, plain, rail, tie, zero_point
from npquant.testing.explain.trace import STAGES, Trace, lines_of_value, trace


def layer(x: list[int], w: list[int], bias: int, zx: int = 0, zy: int = 0, sw: float = 0.5) -> Case:
    """Return one row and one column under ONNX Runtime's arithmetic."""
    p = [QuantParams(s, z, -128, 127) for s, z in ((1.0, zx), (sw, 0), (1.0, zy))]
    return one_layer(np.array([x], np.int8), np.array([w], np.int8).T, np.array([bias], np.int32), *p, "ort")  # type: ignore[call-arg]


@pytest.mark.parametrize("name", names())
def test_trace_ends_in_the_code_that_the_profile_gives(name: str) -> None:
    """The last stage of every output is the profile's code; the exact value rounds to it where nothing saturates."""
    profile = get(name)
    checked = 0
    for module in (plain, tie, rail, zero_point, channel, activation, network):
        case = next(module.lattice(profile, capabilities_of(profile)), None)
        if case is None:
            continue
        want = expected(case)
        for index in ((0, 0), (len(case.x_q) - 1, want.shape[1] - 1)):
            t = trace(case, index)
            assert t.want == want[index]
            assert t.total == sum(p for _, _, _, p in t.products) or profile.accumulator == "pair16"
            assert abs(t.rounded - t.exact) <= Fraction(17, 16) or abs(t.exact) > 2**20 or not t.low < t.want < t.high
            assert len(t.lines()) == len(STAGES)
            checked += 1
    assert checked >= 10


def explained(case: Case, got: int) -> tuple[str, str]:
    """Return what is marked."""
    t: Trace = trace(case, (0, 0), got)
    return t.explained[0]


def test_trace_marks_the_stage_that_explains() -> None:
    """One wrong code for each stage, and the stage is named."""
    assert explained(layer([3], [5], -20), -3)[0] == "rounded"  # -5/2, floor
    assert explained(layer([4, 6], [5, 7], 0), 10) == ("products", "the product at k 1 is left out")
    assert explained(layer([4], [6], 40), 12) == ("bias", "it is left out")
    assert explained(layer([4], [6], 40, zx=1), 32) == ("products", "the input's zero point is not subtracted")
    assert explained(layer([4], [6], 40, zy=7), 32) == ("zero point", "it is not added")
    assert explained(layer([100], [4], 0), -56) == ("clamp", "200 wraps to 8 bits in place of saturating")


def test_trace_says_which_accumulator_would_be_needed_where_nothing_explains() -> None:
    """An odd code is explained by nothing: the interval of accumulators that would give it is told."""
    stage, said = explained(layer([4], [6], 41), 77)
    assert stage == "accumulator"
    assert said == "it would have to be about 153 to 155"


def test_trace_does_not_guess_at_a_rail() -> None:
    """Of a code on a rail any large sum would be an explanation: no single product is accused."""
    case = layer([100, 100], [-100, 100], 0)
    assert not any(stage == "products" for stage, _ in trace(case, (0, 0), 127).explained)


def test_lines_of_value_follow_a_real_value() -> None:
    """A tie, a value a hair off one, and what is no number."""
    p = QuantParams(0.1, 0, -128, 127)
    model = Model((Layer(np.zeros((1, 1), np.int8), None, p, p, p),), "ort")
    values = np.array([-12.149999618530273, np.nan, np.inf], np.float32)
    case = Case(model, values, op="quantize")
    assert lines_of_value(case, (0,), -122)[0].startswith("exact       -12.1499996 / 0.100000001 = -121.49999")
    assert lines_of_value(case, (1,), 0)[0] == "exact       nan / 0.100000001"
    assert lines_of_value(case, (2,), 127)[2] == "clamp       to [-128, 127], got 127"
