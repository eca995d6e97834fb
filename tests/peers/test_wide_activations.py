"""RELU, RELU6, LOGISTIC, TANH and SOFTMAX of int16 codes are the profiles': LiteRT's resolvers and TFLite-Micro."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from npquant import QuantParams
from npquant.profiles.codes_to_codes import activation, softmax
from tests.peers import engines_litert, layers, machine
from tests.peers.comparison import differing, require_equal
from tests.peers.test_wide_conversions import PROFILE, asked, each_engine, module
from tests.peers.tflite_writer import Operator, write_model

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(not machine.is_x86(), reason="the recorded overflow rules are those of x86"),
]

EVERY_CODE = np.arange(-(2**15), 2**15).astype(np.int16)
OUT = layers.params(2.0**-15, 0, "int16")
LITERT_NAMES = {"sigmoid": "logistic"}


def activated(engine: str, name: str, q: NDArray[Any], x: QuantParams, y: QuantParams) -> NDArray[Any]:
    """Run one activation of one engine."""
    known = name if engine == "tflm" else LITERT_NAMES.get(name, name)
    return asked(engine, "activate", known, q, x=layers.pair(x), y=layers.pair(y))


@each_engine
@pytest.mark.parametrize("name", ["sigmoid", "tanh"])
def test_sigmoid_and_tanh_of_int16_equal_profile(engine: str, name: str) -> None:
    """Every code at scales around powers of two, others, and ones that wrap; the other rule is wrong at 2^-12."""
    rng, compared = np.random.default_rng(131), 0
    powers = [2.0**-12, 2.0**-11, 2.0**-12 * 1.0005, 2.0**-11 * 0.9996, 2.0**-12 * 1.0008, 2.0**-10, 2.0**-20, 8.0]
    for scale in [*powers, *np.exp(rng.uniform(-12, 2, 8))]:
        x = layers.params(np.float32(scale), 0, "int16")
        got = activated(engine, name, EVERY_CODE, x, OUT)
        want = activation(name, EVERY_CODE, x=x, y=OUT, profile=PROFILE[engine])
        compared += require_equal(module(engine), got, want, case=x)
    assert compared >= 1_000_000
    other = "litert_ref_2025" if engine in ("opt", "xnnpack") else "ruy_x86"
    x = layers.params(2.0**-12, 0, "int16")
    wrong = activation(name, EVERY_CODE, x=x, y=OUT, profile=other)
    assert differing(activated(engine, name, EVERY_CODE, x, OUT), wrong).sum() > 20_000


@each_engine
@pytest.mark.parametrize("name", ["relu", "relu6"])
def test_relu_of_int16_equals_profile(engine: str, name: str) -> None:
    """LiteRT's ratio of scales is float32, TFLite-Micro's float64, and its relu6 does not rescale."""
    rng, compared, killed = np.random.default_rng(132), 0, 0
    other = "litert_ref_2025" if engine == "tflm" else "tflm"
    for i in range(60):
        sy = np.float32(np.exp(rng.uniform(-9, -2)))
        ratio = np.exp(rng.uniform(-3, 3)) if i % 3 else (rng.integers(9_000, 16_000) + 0.5) / 24_001
        x, y = layers.params(np.float32(sy * ratio), 0, "int16"), layers.params(sy, 0, "int16")
        q = rng.integers(-(2**15), 2**15, 2000).astype(np.int16)
        q[:1000] = 24_001 if i % 3 == 0 else rng.integers(-300, 300, 1000)
        got = activated(engine, name, q, x, y)
        compared += require_equal(
            module(engine), got, activation(name, q, x=x, y=y, profile=PROFILE[engine]), case=(x, y)
        )
        killed += int(differing(got, activation(name, q, x=x, y=y, profile=other)).sum())
    assert compared >= 120_000 and killed > 0


def shares(engine: str, q: NDArray[Any], x: QuantParams, beta: float) -> NDArray[Any]:
    """Run SOFTMAX; int16 rows may be of any length."""
    tensors = (
        engines_litert.tensor(q.shape, q.dtype, layers.pair(x)),
        engines_litert.tensor(q.shape, q.dtype, layers.pair(OUT)),
    )
    model = write_model(Operator.SOFTMAX, tensors, beta=beta)
    if engine == "tflm":
        answer: NDArray[Any] = module(engine).run(model, q)
        return answer
    return engines_litert.run(model, q, resolver=engine)


@each_engine
def test_softmax_of_int16_equals_profile(engine: str) -> None:
    """Rows of 1 to 5,000 codes, of any scale and factor; the other engine's tables are wrong."""
    rng, compared, killed = np.random.default_rng(133), 0, 0
    other = "litert_ref_2025" if engine == "tflm" else "tflm"
    for i in range(36):
        x = layers.params(np.float32(np.exp(rng.uniform(-14, 1))), 0, "int16")
        depth, beta = (1, 2, 7, 100, 1000, 5000)[i % 6], (0.7, 1.0, 2.5)[i % 3]
        q = rng.integers(-(2**15), 2**15, (max(2, 10_000 // depth), depth)).astype(np.int16)
        if i % 2:
            q = np.clip(rng.normal(0, 1 / x.scale, q.shape), -(2**15), 2**15 - 1).astype(np.int16)
        q[0] = q[0, 0]
        got = shares(engine, q, x, beta)
        want = softmax(q, x=x, y=OUT, profile=PROFILE[engine], beta=beta)
        compared += require_equal(module(engine), got, want, case=(x, beta))
        killed += int(differing(got, softmax(q, x=x, y=OUT, profile=other, beta=beta)).sum())
    assert compared >= 350_000 and killed > 0


@pytest.mark.parametrize("engine", ["ref", "opt"])
def test_softmax_of_equal_int16_codes_wraps_its_sum(engine: str) -> None:
    """140,000 equal codes become 4, and 70,000 become 0: an int32 sum of 32,767 each."""
    x = layers.params(0.1, 0, "int16")
    for depth, want in ((70_000, 0), (140_000, 4)):
        q = np.zeros((1, depth), np.int16)
        got = shares(engine, q, x, 1.0)
        require_equal(module(engine), got, softmax(q, x=x, y=OUT, profile=PROFILE[engine]), case=depth)
        assert set(got.ravel().tolist()) == {want}


@each_engine
@pytest.mark.parametrize("name", ["relu", "relu6", "sigmoid", "tanh"])
def test_engines_refuse_the_int16_activations_that_the_profiles_refuse(engine: str, name: str) -> None:
    """Zero points and output scales: engine and profile answer alike, or both refuse; relu6 of TFLite-Micro has any."""
    small, q = layers.params(2.0**-12, 0, "int16"), np.arange(-20, 20).astype(np.int16)
    shifted = layers.params(2.0**-12, 3, "int16")
    for x, y in ((small, OUT), (shifted, OUT), (small, shifted), (small, layers.params(2.0**-14, 0, "int16"))):
        refused = refuses(lambda x=x, y=y: activated(engine, name, q, x, y), RuntimeError)  # type: ignore[misc]
        assert refused == refuses(lambda x=x, y=y: activation(name, q, x=x, y=y, profile=PROFILE[engine]), ValueError)  # type: ignore[misc]
        if not refused:
            got = activated(engine, name, q, x, y)
            require_equal(module(engine), got, activation(name, q, x=x, y=y, profile=PROFILE[engine]), case=(x, y))


def refuses(call: Callable[[], Any], error: type[Exception]) -> bool:
    """Whether a call fails."""
    try:
        call()
    except error:
        return True
    return False
