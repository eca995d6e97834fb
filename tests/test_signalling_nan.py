"""A signalling NaN, which raises a floating-point error where it is converted, is refused like any other NaN."""

from typing import Any

import numpy as np
import pytest

from npquant import DynamicMLP, FloatMLP, IntegerMLP, QuantParams, quantize_dynamic, quantize_uniform
from npquant.compression.chain.calibration import checked_rows, min_max_range
from npquant.nn.distillation import checked_teacher
from npquant.nn.model import DenseLayer

SIGNALLING = np.array([0x7F800001, 0xFF800001], np.uint32).view(np.float32)


def float_network() -> FloatMLP:
    """Return a network of two inputs."""
    return FloatMLP((DenseLayer(np.eye(2), np.zeros(2), "identity"),))


def integer_network() -> IntegerMLP:
    """Return it with integers."""
    return quantize_uniform(float_network(), np.eye(2))


def dynamic_network() -> DynamicMLP:
    """Return it with ranges at run time."""
    return quantize_dynamic(float_network())


@pytest.mark.parametrize(
    "door",
    [
        lambda x: QuantParams(x[0, 0], 0, -128, 127),
        lambda x: QuantParams(x[0], 0, -128, 127),
        lambda x: float_network().logits(x),
        lambda x: integer_network().encode(x),
        lambda x: integer_network().logits(x),
        lambda x: dynamic_network().logits(x),
        checked_rows,
        min_max_range,
        lambda x: checked_teacher(x, np.eye(2)[:1], 2),
        lambda x: FloatMLP((DenseLayer(x, np.zeros(2, np.float32), "identity"),)),
    ],
)
def test_signalling_nan_is_refused_by_a_message(door: Any) -> None:
    """The message stands, under NumPy's strictest error state: ValueError, and no FloatingPointError on the way."""
    x = SIGNALLING[np.newaxis]
    with np.errstate(all="raise"), pytest.raises(ValueError):
        door(x)
