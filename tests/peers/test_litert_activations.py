"""LiteRT's stand-alone activations are npquant's tables and requantizations, code for code."""

from __future__ import annotations

import numpy as np
import pytest

import npquant
from npquant.kernels.activation_bounds import bounds_half_away
from npquant.kernels.lookup import activation_table
from npquant.kernels.multiplier import decompose_multiplier
from tests.peers import adversarial, layers
from tests.peers import engines_litert as ENGINE
from tests.peers.comparison import require_equal

pytestmark = pytest.mark.peer

each_resolver = pytest.mark.parametrize("resolver", ENGINE.RESOLVERS)
EVERY_CODE = np.arange(-128, 128).astype(np.int8)


@each_resolver
@pytest.mark.parametrize(
    ("name", "operator", "scale", "zero_point"),
    [("sigmoid", "logistic", 2.0**-8, -128), ("tanh", "tanh", 2.0**-7, 0)],
)
def test_table_equals_engine(resolver: str, name: str, operator: str, scale: float, zero_point: int) -> None:
    """The correctly rounded table is the engine's: no drawn entry lies within its libm's error."""
    rng = np.random.default_rng(61)
    y = layers.params(scale, zero_point, np.int8)
    for zero in adversarial.zero_points("int8", 256)[:64]:
        x = layers.params(np.exp(rng.uniform(-8, 1)), int(zero), np.int8)
        got = ENGINE.activate(operator, EVERY_CODE, x=layers.pair(x), y=layers.pair(y), resolver=resolver)
        require_equal(ENGINE, got, activation_table(name, x, y), case=x)


@each_resolver
@pytest.mark.parametrize("name", ["relu", "relu6"])
def test_relu_equals_double_rounding(resolver: str, name: str) -> None:
    """ReLU requantizes q - zx by f32(sx / sy) with double rounding, then clamps as FC does."""
    rng = np.random.default_rng(62)
    for zx, zy in adversarial.zero_points("int8", 256).reshape(-1, 2):
        sx, sy, _ = adversarial.scale_triples(rng, 1)[0]
        x, y = layers.params(sx, int(zx), np.int8), layers.params(sy, int(zy), np.int8)
        multiplier = decompose_multiplier(np.float64(np.float32(sx / sy)))
        centred = EVERY_CODE.astype(np.int64) - int(zx)
        scaled = npquant.requantize(centred, multiplier, y=y, profile="tflite_ref")
        want = np.clip(scaled, *bounds_half_away(name, y)).astype(np.int8)
        got = ENGINE.activate(name, EVERY_CODE, x=layers.pair(x), y=layers.pair(y), resolver=resolver)
        require_equal(ENGINE, got, want, case=(x, y))
