"""A table is left to a runtime's own function only where no runtime's error could change a code."""

import numpy as np

from npquant.interop.onnx_out.codes import FUNCTION_ERROR, is_safe_function
from npquant.kernels.lookup import activation_table, sigmoid
from npquant.kernels.qparams import QuantParams

X = QuantParams(1 / 16, 0, -128, 127)


def test_is_safe_function_means_that_an_error_changes_no_code() -> None:
    """A sigmoid off by the stated error on either side gives the table, wherever it is called safe."""
    safe = 0
    for denominator in range(100, 400):
        y = QuantParams(1 / denominator, -128, -128, 127)
        if not is_safe_function("sigmoid", X, y):
            continue
        safe += 1
        exact = sigmoid(np.arange(-128, 128) / 16)
        for error in (-FUNCTION_ERROR, FUNCTION_ERROR):
            v = np.float32(np.clip(exact + error, 0, 1)) / y.scale
            codes = np.clip(np.rint(v) - 128, -128, 127)
            assert np.array_equal(codes, activation_table("sigmoid", X, y))
    assert 100 < safe < 300


def test_is_safe_function_sees_a_tie() -> None:
    """f(0) = 1/2 is a tie of a scale whose odd multiple of a half it is."""
    assert not is_safe_function("sigmoid", X, QuantParams(1 / 255, -128, -128, 127))


def test_is_safe_function_knows_no_table_of_ones_own() -> None:
    """A given table is no function of anybody's."""
    assert not is_safe_function("table", X, QuantParams(1 / 256, -128, -128, 127))
