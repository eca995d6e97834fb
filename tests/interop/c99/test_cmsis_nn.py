"""The CMSIS-NN style hands Arm's functions the network's numbers: under their documented meaning it gives its bytes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from npquant.interop import encode_c, to_c
from npquant.interop.consumers.cc import run_cc, selftest_cc, version_cc
from tests.interop.c99.networks import Kind, input_codes, network

SINGLE = ("npquant", "tflite_single", "tosa_single", "tvm_upward")
DOUBLE = ("tflite_ref", "tflm", "tosa_double")
HERE = str(Path(__file__).parent)


@pytest.mark.peer
@pytest.mark.skipif(version_cc() is None, reason="gcc is not installed")
@pytest.mark.parametrize("profile", [*SINGLE, *DOUBLE])
@pytest.mark.parametrize("per_channel", [False, True])
def test_calls_give_the_networks_bytes(profile: str, per_channel: bool, tmp_path: Path) -> None:
    """Multipliers, shifts, offsets and clamps mean there what they mean here; tables are looked up between calls."""
    zero = 0 if per_channel else 5
    for activation in ("relu6", "tanh"):
        kind = Kind(profile=profile, per_channel=per_channel, activation=activation, weight_zero=zero)
        model = network(kind, 2)
        _, source = to_c(model, tmp_path, name="net", style="cmsis-nn")
        flags = ["-std=c99", "-O1", "-Wall", "-Wextra", "-Werror", "-Wno-unused-function", "-I", HERE]
        flags += ["-DCMSIS_NN_USE_SINGLE_ROUNDING"] if profile in SINGLE else []
        x_q = input_codes(model, 700, 3)
        assert np.array_equal(run_cc(source, x_q, flags=flags), model.run(x_q))
        assert selftest_cc(source, flags=flags) == 0
        with pytest.raises(RuntimeError, match=r"rounds (once|twice)"):
            wrong = [flag for flag in flags if "ROUNDING" not in flag]
            run_cc(source, x_q, flags=wrong if profile in SINGLE else [*wrong, "-DCMSIS_NN_USE_SINGLE_ROUNDING"])


@pytest.mark.parametrize("profile", ["ort", "litert_ref_2025", "ruy_x86"])
def test_other_arithmetics_are_refused(profile: str) -> None:
    """What CMSIS-NN would round otherwise is refused, with the way out."""
    with pytest.raises(ValueError, match=rf"{profile}.*tflite_ref"):
        encode_c(network(Kind(profile=profile), 1), style="cmsis-nn")
