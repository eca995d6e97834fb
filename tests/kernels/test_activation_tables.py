"""Activation tables: the arrays equal exact scalars, and one law tells the two rules apart."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npquant.kernels import activation_tables as kernels
from npquant.kernels.qparams import QuantParams
from npquant.spec import activation_tables as spec
from npquant.spec.floating import to_float32

INT8 = st.integers(-128, 127)
INPUT_SCALES = st.floats(2.0**-12, 0.5, width=32)
SCALES = st.floats(2.0**-10, 1.0, width=32)
FUNCTIONS = {
    "sigmoid_float32": (kernels.sigmoid_float32, spec.sigmoid_float32),
    "sigmoid_float64": (kernels.sigmoid_float64, spec.sigmoid_float64),
    "sigmoid_rational_float32": (kernels.sigmoid_rational_float32, spec.sigmoid_rational_float32),
    "tanh_float32": (kernels.tanh_float32, spec.tanh_float32),
    "exp_float32": (kernels.exp_float32, lambda d: spec.exp_rounded(d, to_float32)),
}


def function_equals_spec(name: Any, function: Any, d: Any) -> bool:
    """Say whether a function of one float32 number is the exact float32 number."""
    return Fraction(float(function(np.array([d], np.float32))[0])) == FUNCTIONS[name][1](Fraction(float(np.float32(d))))


@pytest.mark.parametrize("name", FUNCTIONS)
@given(d=st.floats(-64, 64, width=32).filter(lambda d: d == 0 or abs(d) > 1e-6))
def test_table_function_equals_spec(name: Any, d: Any) -> None:
    """R66, R67, R68, R69 and R89 on arguments of moderate size."""
    assert function_equals_spec(name, FUNCTIONS[name][0], d)


@pytest.mark.parametrize("name", ["sigmoid_float32", "sigmoid_float64", "sigmoid_rational_float32", "tanh_float32"])
def test_table_function_has_its_limits(name: Any) -> None:
    """Where the exponential overflows or vanishes, the scalars and the arrays agree on the limits."""
    for d in (-200.0, -101.0, -90.0, -89.5, 70.0, 89.0, 200.0, 1e30):
        assert function_equals_spec(name, FUNCTIONS[name][0], d)


def test_table_function_law_kills_the_other_precision() -> None:
    """The three sigmoids part in the last place of some argument, each in the others' law."""
    arguments = np.linspace(-8, 8, 400).astype(np.float32).tolist()
    sigmoids = ("sigmoid_float32", "sigmoid_float64", "sigmoid_rational_float32")
    for name, other in ((a, b) for a in sigmoids for b in sigmoids if a != b):
        assert all(function_equals_spec(name, FUNCTIONS[name][0], d) for d in arguments)
        assert not all(function_equals_spec(name, FUNCTIONS[other][0], d) for d in arguments)


RULES = {
    "R70": (kernels.table_codes_half_away, spec.table_entry_half_away),
    "R71": (kernels.table_codes_half_even, spec.table_entry_half_even),
    "R90": (kernels.table_codes_divided, spec.table_entry_divided),
}


def table_equals_spec(operator: Any, rule: Any, q: Any, sx: Any, zx: Any, sy: Any, zy: Any) -> bool:
    """Say whether tanh of one code is the exact entry."""
    x, y = QuantParams(sx, zx, -128, 127), QuantParams(sy, zy, -128, 127)
    got = operator(kernels.tanh_float32, np.array([q], np.int8), x, y)
    pairs = (Fraction(float(x.scale)), zx), (Fraction(float(y.scale)), zy)
    return got.dtype == np.int8 and int(got[0]) == rule(spec.tanh_float32, q, *pairs, -128, 127)


@pytest.mark.parametrize("label", RULES)
@given(q=INT8, sx=INPUT_SCALES, zx=INT8, sy=SCALES, zy=INT8)
def test_table_codes_equals_spec(label: Any, q: Any, sx: Any, zx: Any, sy: Any, zy: Any) -> None:
    """R70, R71 and R90 for any code."""
    assert table_equals_spec(*RULES[label], q, sx, zx, sy, zy)


def test_table_codes_law_kills_the_other_rule() -> None:
    """tanh saturates to 1: with sy = 2 / (2 k + 1) its code is a tie, which R70 and R71 split; R90 divides."""
    cases = [(q, 0.5, 0, 1 / (k + 0.5), zy) for q in (-127, 127) for k in range(1, 30) for zy in (0, 1)]
    for label, (operator, _) in RULES.items():
        for other, (_, rule) in RULES.items():
            assert all(table_equals_spec(operator, rule, *case) for case in cases) == (label == other)


def test_activation_codes_refuses_what_the_engine_refuses() -> None:
    """LOGISTIC wants 1 / 256 without the delegate; names are known."""
    p = QuantParams(0.01, 3, -128, 127)
    with pytest.raises(ValueError, match="1 / 256"):
        kernels.activation_codes_half_away("sigmoid", np.zeros(1, np.int8), p, p)
    for operator in (kernels.activation_codes_half_away, kernels.activation_codes_half_even):
        with pytest.raises(ValueError, match="swish"):
            operator("swish", np.zeros(1, np.int8), p, p)
