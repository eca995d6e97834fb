"""The exercise of chapter 7: the equations pass, the first attempts that everybody writes do not."""

from typing import Any

import numpy as np
import pytest

from npquant.testing.exercises import check


def step_by_e11(a: float, x: Any, r: Any, s: float) -> int:
    """Go to the minimum of the parabola (E11), no further than a step (E12); every number of it is exact."""
    xs, rs = np.array(x), np.array(r)
    t = a + xs @ rs / (s * (xs @ xs))
    return int(np.clip(np.rint(t), np.floor(a), np.ceil(a)))


def test_rectified_step_passes_its_equations() -> None:
    """E11 and E12 choose the better of the two codes."""
    assert check("rectified_step", step_by_e11).right


@pytest.mark.parametrize(
    "wrong",
    [
        lambda a, x, r, s: round(a),
        lambda a, x, r, s: round(a + np.dot(x, r) / (s * np.dot(x, x))),
        lambda a, x, r, s: int(np.clip(round(a - np.dot(x, r) / (s * np.dot(x, x))), np.floor(a), np.ceil(a))),
    ],
)
def test_check_kills_first_attempts(wrong: Any) -> None:
    """To nearest, without the ramp's ends, and with the sign of the error turned around."""
    assert not check("rectified_step", wrong).right
