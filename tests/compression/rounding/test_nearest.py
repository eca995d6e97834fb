"""Laws of nearest rounding."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npquant.compression.chain.weight_codes import Bits, choose_weight_params
from npquant.compression.rounding.nearest import nearest_layer
from npquant.kernels.affine import quantize
from tests.compression.rounding.drawn_layers import drawn_layer

SEEDS = st.integers(0, 2**32 - 1)


def law_is_r1(seed: int, bits: Bits, rule: str, correction: str) -> None:
    """Uncorrected, codes, scales and bias are those of uniform quantization."""
    problem = drawn_layer(seed)
    codes = nearest_layer(problem, bits, weight_scale=rule, correction=correction)
    params = choose_weight_params(problem.w, bits, granularity="per_channel", weight_scale=rule)
    np.testing.assert_array_equal(codes.w_q, quantize(problem.w, params))
    np.testing.assert_array_equal(codes.w.scale, params.scale)
    assert (codes.w.qmin, codes.w.qmax) == (params.qmin, params.qmax)
    np.testing.assert_array_equal(codes.bias, problem.b)


@given(seed=SEEDS, bits=st.sampled_from([2, 3, 8, "ternary"]), rule=st.sampled_from(["auto", "mse", "absmax"]))
def test_nearest_layer_is_r1(seed: int, bits: Bits, rule: str) -> None:
    """Nothing but R1."""
    law_is_r1(seed, bits, rule, "none")


def test_nearest_layer_is_r1_kills() -> None:
    """Fitted scales and biases are seen."""
    with pytest.raises(AssertionError):
        law_is_r1(0, 3, "auto", "least_squares")
