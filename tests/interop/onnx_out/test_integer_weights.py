"""However weights are stored, what the accumulator sees is the same."""

import numpy as np
import pytest

from npquant.interop.onnx_out.integer_weights import WEIGHTS, stored


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("unsigned", [False, True])
def test_stored_keeps_what_is_summed(weights: str, unsigned: bool) -> None:
    """w_q - zw is the same in every way of storing, and codes fit their type."""
    rng = np.random.default_rng(3)
    for most in (7, 64, 127):
        w_q = rng.integers(-most - 1, most + 1, (5, 4))
        zw = rng.integers(-most, most, 4)
        shift = 128 if unsigned else 0
        given = (w_q + shift).astype(np.uint8 if unsigned else np.int8)
        for exact in (False, True):
            found = stored(given, zw + shift, weights, exact=exact)
            assert np.array_equal(found.w_q.astype(int) - found.zero_point, w_q - zw)
            assert found.packed == ("int4" if weights == "int4" and most == 7 else "")
            if weights == "auto":
                assert found.w_q.dtype == (np.int8 if exact or np.abs(w_q).max() <= 64 else np.uint8)
