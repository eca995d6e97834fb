"""Literals: a case written out and read again is the same case."""

from itertools import islice
from typing import Any

import numpy as np
import pytest

from npquant import QuantParams
from npquant.profiles import get
from npquant.testing.backend import capabilities_of
from npquant.testing.case import Case, Layer, Model, RawParams, expected
from npquant.testing.classes import channel, float_edge, illegal, layout, network, plain, sequence
from npquant.testing.explain.literals import array_literal, c_array, case_literal
from npquant.testing.explain.smaller import key

NAMES = {"np": np, "Case": Case, "Layer": Layer, "Model": Model, "QuantParams": QuantParams, "RawParams": RawParams}


@pytest.mark.parametrize("module", [plain, channel, layout, sequence, network, float_edge, illegal])
def test_case_literal_makes_the_case_again(module: Any) -> None:
    """Evaluated, the text is a case with the same bytes, parameters, layouts, calls before, status and tags."""
    for case in islice(module.lattice(get("ort"), capabilities_of(get("ort"))), 12):
        again = eval(case_literal(case), dict(NAMES))
        assert key(again) == key(case)
        assert (again.status, again.tags, again.op) == (case.status, case.tags, case.op)
        if case.neighbour is not None:
            assert again.neighbour.layers[0].w_q.tobytes() == case.neighbour.layers[0].w_q.tobytes()
        if case.status == "valid":
            with np.errstate(all="ignore"):
                np.testing.assert_array_equal(expected(again), expected(case))


def test_array_literal_keeps_specials_and_types() -> None:
    """NaN, infinities, minus zero, the ends of int32, empty arrays."""
    for codes in (
        np.array([np.nan, np.inf, -np.inf, -0.0, 1e-45], np.float32),
        np.array([[-(2**31), 2**31 - 1]], np.int32),
        np.zeros((0, 3), np.int8),
        np.full((3, 4), 7, np.uint8),
    ):
        again = eval(array_literal(codes), {"np": np})
        assert again.dtype == codes.dtype
        assert again.shape == codes.shape
        assert again.tobytes() == codes.tobytes()


def test_c_array_has_no_constant_that_c_has_not() -> None:
    """The lowest int32, NaN and infinity are written as C99 has them; floats in hexadecimal."""
    assert "(-2147483647 - 1)" in c_array("bias", np.array([-(2**31)], np.int32))
    assert "NAN, INFINITY, -INFINITY" in c_array("x", np.array([np.nan, np.inf, -np.inf], np.float32))
    assert "0x1.99999a0000000p-4f" in c_array("s", np.array([0.1], np.float32))
    assert c_array("none", np.zeros((0, 2), np.int8)) == "const int8_t none[1] = {0}; /* 0 x 2 */"
