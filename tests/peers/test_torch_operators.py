"""torch's operators on codes beside the linear layer: the clamps, by kernels that exist; of the others, why not."""

from __future__ import annotations

from functools import cache
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from npquant import QuantParams
from npquant.kernels.activation_bounds import clamp_bounds
from npquant.kernels.quantize_engines import quantize_torch
from npquant.kernels.rounding import round_half_even
from tests.peers import engines_torch as ENGINE
from tests.peers import layers, machine
from tests.peers.comparison import differing, require_equal

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(not machine.is_x86(), reason="the recorded conversions are those of x86"),
]

CLAMPS = ("relu", "relu6", "relu_n1_to_1")

# Asked in tests/peers/test_torch.py, or below.
ASKED = ("linear", "linear_relu", "linear_prepack", "relu6")
TABLE = "absent here: its float32 exponential or tanh is Sleef's, whose last bit moves 1 or 2 of 204,800 codes"
FUSED = "absent here: an activation that is no clamp, in the layer"
DYNAMIC = "its inputs and outputs are real"
HALF = "its weights are float16"
FORM = "a form of linear that packs or unpacks weights, and computes nothing"
WHY_NOT = MappingProxyType(
    {
        "sigmoid": TABLE,
        "softmax": TABLE,
        "elu": TABLE,
        "celu": TABLE,
        "hardswish": "absent here: no activation of npquant's networks",
        "leaky_relu": "absent here: no activation of npquant's networks",
        "prelu": "absent here: no activation of npquant's networks",
        "threshold": "absent here: no activation of npquant's networks",
        "clamp": "aten's own clamp on codes, which hardtanh below calls",
        "linear_leaky_relu": FUSED,
        "linear_tanh": FUSED,
        "linear_dynamic": DYNAMIC,
        "linear_relu_dynamic": DYNAMIC,
        "linear_with_input_q_dq_qweight_dq_output_fp32": DYNAMIC,
        "linear_with_input_q_dq_qweight_dq_relu_output_fp32": DYNAMIC,
        "linear_dynamic_fp16": HALF,
        "linear_dynamic_fp16_unpacked_weight": HALF,
        "linear_relu_dynamic_fp16": HALF,
        "linear_prepack_fp16": HALF,
        "linear_prepack_fp16_legacy": HALF,
        "linear_unpack_fp16": HALF,
        "linear_prepack_legacy": FORM,
        "linear_unpack": FORM,
        "matmul": "absent here: a product of two activations",
    }
)
# No part of a multilayer perceptron on codes.
OTHER_MODELS = (
    "add", "batch_norm", "cat", "conv", "dropout", "embedding", "group_norm", "instance_norm", "int4mm", "layer_norm",
    "make_quantized_cell", "max_pool", "mul", "quantized_gru", "quantized_lstm", "quantized_rnn",
)  # fmt: skip


def bounds(name: str, x: QuantParams) -> tuple[int, int]:
    """Return the codes that a clamp lies between: R57 of its real bounds, by the input's own scale and zero point."""
    by_channel = QuantParams([float(x.scale)] * 2, int(x.zero_point), x.qmin, x.qmax)
    low, high = quantize_torch(np.array(clamp_bounds(name), np.float32), by_channel)
    return int(low), int(high)


def zero_point_last(name: str, x: QuantParams) -> tuple[int, int]:
    """Return the same with the zero point added after the rounding, as FBGEMM's own quantizer is written."""
    real = np.array(clamp_bounds(name), np.float32) * (np.float32(1) / np.float32(x.scale))
    low, high = np.clip(round_half_even(real).astype(np.float64) + int(x.zero_point), x.qmin, x.qmax)
    return int(low), int(high)


@cache
def clamps(seed: int, count: int) -> tuple[QuantParams, ...]:
    """Draw inputs: bounds of 1 and 6 on ties and beside them, at every zero point."""
    rng, found = np.random.default_rng(seed), []
    for i in range(count):
        tie = np.float32(rng.choice([1.0, 6.0]) / (rng.integers(1, 60) + 0.5))
        scale = (tie, np.nextafter(tie, np.float32(9)), np.nextafter(tie, np.float32(0)), rng.uniform(0.01, 1))[i % 4]
        found.append(layers.params(np.float32(scale), 77 * i % 256, "uint8"))
    return tuple(found)


@pytest.mark.parametrize("engine", ENGINE.ENGINES)
def test_clamps_on_codes_equal_kernels(engine: str) -> None:
    """relu, relu6 and hardtanh are R84 between R57's codes, in every engine: the output's scale is the input's."""
    if engine not in ENGINE.available_engines():
        pytest.skip(f"this build of torch does not have the engine {engine!r}")
    compared, killed = 0, 0
    codes: NDArray[Any] = np.arange(256, dtype=np.uint8)
    for x in clamps(81, 160):
        for name in CLAMPS:
            got = ENGINE.clamp(name, codes, x=layers.pair(x), engine=engine)
            compared += require_equal(ENGINE, got, np.clip(codes, *bounds(name, x)), case=(name, x))
            killed += int(differing(got, np.clip(codes, *zero_point_last(name, x))).sum())
    assert compared >= 120_000 and killed


def test_every_operator_is_asked_or_left_out_with_a_reason() -> None:
    """torch.ops.quantized of the installed version has no operator that is named nowhere here."""
    rest = {name for name in ENGINE.operators() if not name.startswith(OTHER_MODELS)}
    known = {*ASKED, *WHY_NOT}
    assert rest <= known, f"torch {ENGINE.installed_version()}: {sorted(rest - known)}"
    assert not set(ASKED) & set(WHY_NOT)
