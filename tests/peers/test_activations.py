"""LiteRT's activations and requantize on codes are the profiles', bit for bit, under each of its resolvers.

The exponential of the profiles is float64's, rounded; the engine's comes from a C library. They met no tie apart here.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from npquant import QuantParams
from npquant.profiles.activations import activation, requantize_codes
from tests.peers import engines_litert as ENGINE
from tests.peers import layers, machine
from tests.peers.comparison import require_equal

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(not machine.is_x86(), reason="the vector kernels recorded are those of x86"),
]
XNNPACK = "xnnpack_fp32_avx512" if machine.has_avx512() else "xnnpack_fp32"
PROFILE = {"xnnpack": XNNPACK, "ref": "litert_ref_2025", "opt": "ruy_x86"}
ENGINE_NAMES = {"sigmoid": "logistic", "tanh": "tanh", "relu": "relu", "relu6": "relu6"}
each_resolver = pytest.mark.parametrize("resolver", ENGINE.RESOLVERS)
each_type = pytest.mark.parametrize("dtype", ["int8", "uint8"])


def all_codes(dtype: str, size: int = 256) -> NDArray[Any]:
    """Return every code of a type, in ascending order and again from the start."""
    info = np.iinfo(dtype)
    return (info.min + np.arange(size) % 256).astype(dtype).reshape(1, size)


def scales(rng: np.random.Generator, low: float, high: float) -> float:
    """Draw a scale: log-uniform, dyadic, or beside a dyadic one."""
    drawn = float(np.exp(rng.uniform(np.log(low), np.log(high))))
    dyadic = float(2.0 ** np.round(np.log2(drawn)))
    return [drawn, dyadic, float(np.nextafter(np.float32(dyadic), np.float32(rng.choice([0.0, 9.0]))))][rng.integers(3)]


@each_resolver
@each_type
@pytest.mark.parametrize("name", ["relu", "relu6"])
def test_clamp_activation_equals_profile(resolver: str, dtype: str, name: str) -> None:
    """All codes, a third of them with output parameters equal to the input's, ties of 6 / sy included."""
    rng, compared, info = np.random.default_rng(41), 0, np.iinfo(dtype)
    for k in range(300):
        x = layers.params(scales(rng, 1e-3, 20), int(rng.integers(info.min, info.max + 1)), dtype)
        y = layers.params(scales(rng, 1e-3, 20), int(rng.integers(info.min, info.max + 1)), dtype)
        if k % 3 == 1:
            y = layers.params(6 / (k % 50 + 0.5), int(y.zero_point), dtype)
        x = y if k % 3 == 2 else x
        q = all_codes(dtype, 256 + k % 19)
        got = ENGINE.activate(name, q, x=layers.pair(x), y=layers.pair(y), resolver=resolver)
        compared += require_equal(ENGINE, got, activation(name, q, x=x, y=y, profile=PROFILE[resolver]), case=(x, y))
    assert compared >= 75_000


def table_outputs(rng: np.random.Generator, name: str, resolver: str, dtype: str) -> QuantParams:
    """Return an output that the engine takes: the fixed one, or for tanh and XNNPACK any, ties included."""
    info = np.iinfo(dtype)
    if (name == "sigmoid" and resolver != "xnnpack") or rng.random() < 0.3:
        return layers.params(2.0**-8 if name == "sigmoid" else 2.0**-7, info.min if name == "sigmoid" else 0, dtype)
    zero_point = int(rng.integers(info.min, info.max + 1))
    scale = 1 / (rng.integers(1, 300) + 0.5) if rng.random() < 0.5 else scales(rng, 1e-3, 1)
    return layers.params(scale, zero_point, dtype)


@each_resolver
@each_type
@pytest.mark.parametrize("name", ["sigmoid", "tanh"])
def test_table_activation_equals_profile(resolver: str, dtype: str, name: str) -> None:
    """All codes at many input scales, up to where the exponential overflows."""
    rng, compared, info = np.random.default_rng(42), 0, np.iinfo(dtype)
    for _ in range(400):
        x = layers.params(scales(rng, 1e-4, 8), int(rng.integers(info.min, info.max + 1)), dtype)
        y = table_outputs(rng, name, resolver, dtype)
        q = all_codes(dtype)
        got = ENGINE.activate(ENGINE_NAMES[name], q, x=layers.pair(x), y=layers.pair(y), resolver=resolver)
        compared += require_equal(ENGINE, got, activation(name, q, x=x, y=y, profile=PROFILE[resolver]), case=(x, y))
    assert compared >= 100_000


@each_resolver
@pytest.mark.parametrize("types", [("int8", "int8"), ("uint8", "uint8"), ("int8", "uint8"), ("uint8", "int8")])
def test_requantize_codes_equals_profile(resolver: str, types: tuple[str, str]) -> None:
    """All codes and every length around the vector of 16, inside and outside the ratios that XNNPACK takes."""
    rng, compared = np.random.default_rng(43), 0
    for k in range(300):
        zeros = [int(rng.integers(np.iinfo(t).min, np.iinfo(t).max + 1)) for t in types]
        sx = scales(rng, 1e-3, 4)
        x = layers.params(sx, zeros[0], types[0])
        y = layers.params(sx if k % 10 == 0 else sx / scales(rng, 2.0**-10, 2.0**9), zeros[1], types[1])
        q = all_codes(types[0], 256 + k % 19)
        got = ENGINE.requantize(q, x=layers.pair(x), y=layers.pair(y), dtype=types[1], resolver=resolver)
        compared += require_equal(ENGINE, got, requantize_codes(q, x=x, y=y, profile=PROFILE[resolver]), case=(x, y))
    assert compared >= 75_000
