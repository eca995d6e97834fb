"""A layer in plain integers passes; one without a zero point, or without saturation, is shown its case."""

from typing import Any

import numpy as np

from npquant.testing.exercises import check


def in_arrays(x_q: Any, w_q: Any, bias: Any, zx: Any, multiplier: Any, right: Any, zy: Any) -> Any:
    """Fold the zero point into the bias, and halve before the last bit."""
    w = np.array(w_q, np.int64)
    acc = np.array(x_q, np.int64) @ w + (np.array(bias) - zx * w.sum(axis=0))
    return np.minimum(np.maximum((((acc * multiplier) >> (right - 1)) + 1 >> 1) + zy, -128), 127)


def forgetful(x_q: Any, w_q: Any, bias: Any, zx: Any, multiplier: Any, right: Any, zy: Any) -> Any:
    """No zero point of the input."""
    return in_arrays(x_q, w_q, bias, 0, multiplier, right, zy)


def open_ended(x_q: Any, w_q: Any, bias: Any, zx: Any, multiplier: Any, right: Any, zy: Any) -> Any:
    """No saturation."""
    acc = (np.array(x_q) - zx) @ np.array(w_q) + np.array(bias)
    return ((acc * multiplier + (1 << (right - 1))) >> right) + zy


def test_layer_codes_pass() -> None:
    """A folded zero point and another way to round half up."""
    assert check("layer_codes", in_arrays).right


def test_forgotten_zero_point_is_shown_its_smallest_case() -> None:
    """One input, one weight, a zero point of -1: 1/2 rounds to 1."""
    words = "([0], [[1]], [0], -1, 1073741824, 31, 0) should give [1], and gives [0]"
    assert str(check("layer_codes", forgetful)) == words


def test_missing_saturation_is_shown_a_rail() -> None:
    """One step beyond the rail."""
    assert str(check("layer_codes", open_ended)) == (
        "([0], [[0]], [256], 0, 1073741824, 31, 0) should give [127], and gives [128]"
    )
