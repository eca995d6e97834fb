"""QUANTIZE and DEQUANTIZE of int16 and int32 codes are the profiles': LiteRT's resolvers and TFLite-Micro."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import npquant
from npquant import QuantParams
from npquant.profiles import get
from npquant.profiles.codes_to_codes import requantize_codes
from tests.peers import engines_litert, engines_tflm, layers, machine, vectors
from tests.peers.comparison import differing, require_equal

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(not machine.is_x86(), reason="the recorded overflow rules are those of x86"),
]

PROFILE = {"ref": "litert_ref_2025", "opt": "ruy_x86", "xnnpack": "xnnpack_fp32", "tflm": "tflm"}
TYPES = ("int8", "uint8", "int16", "int32")
each_engine = pytest.mark.parametrize("engine", PROFILE)


def asked(engine: str, operator: str, *operands: Any, **options: Any) -> NDArray[Any]:
    """Run one operator of one engine."""
    if engine == "tflm":
        answer: NDArray[Any] = getattr(engines_tflm, operator)(*operands, **options)
        return answer
    answer = getattr(engines_litert, operator)(*operands, **options, resolver=engine)
    return answer


def module(engine: str) -> ModuleType:
    """Return the module of an engine."""
    return engines_tflm if engine == "tflm" else engines_litert


@each_engine
def test_quantize_to_int16_equals_profile(engine: str) -> None:
    """At ties, NaN, infinities and overflow, with zero points; the rule of 8 bits under the delegate is wrong."""
    compared, killed, other = 0, 0, "ruy_x86" if engine in ("ref", "tflm") else "litert_ref_2025"
    for x, y in vectors.to_quantize(121, 60, 6000, "int16"):
        got = asked(engine, "quantize", x, y=layers.pair(y), dtype="int16")
        compared += require_equal(module(engine), got, npquant.quantize(x, y, profile=PROFILE[engine]), case=y)
        killed += int(differing(got, npquant.quantize(x, y, profile=other)).sum())
    assert compared >= 360_000 and killed > 0


@each_engine
def test_dequantize_of_int16_equals_profile(engine: str) -> None:
    """R2 on every code; LiteRT takes no zero point, TFLite-Micro any."""
    compared = 0
    for q, x in vectors.to_dequantize(122, 6, "int16"):
        x = x if engine == "tflm" else layers.params(x.scale, 0, "int16")
        got = asked(engine, "dequantize", q, x=layers.pair(x))
        compared += require_equal(module(engine), got, npquant.dequantize(q, x, profile=PROFILE[engine]), case=x)
    assert compared >= 390_000


def pairs(seed: int, before: str, after: str, count: int) -> Iterator[tuple[NDArray[Any], QuantParams, QuantParams]]:
    """Draw codes of one type and parameters of both: steps beside ties, rails and whole ranges; zero points."""
    rng = np.random.default_rng(seed)
    low, high = np.iinfo(before).min, np.iinfo(before).max
    for i in range(count):
        ratio = (1.0, 2.0**-3, np.exp(rng.uniform(-12, 6)), np.exp(rng.uniform(-1, 1)), 3 / 8, 2.0**-16)[i % 6]
        sy = np.float32(np.exp(rng.uniform(-6, 1)))
        zx, zy = (0, 0) if before == after else (int(z) for z in rng.integers(-100, 100, 2))
        zx, zy = max(zx, low), max(zy, int(np.iinfo(after).min))
        tie = np.rint((rng.integers(-33_000, 33_000, 3000) + 0.5) / ratio) + rng.integers(-1, 2, 3000) + zx
        drawn = rng.integers(low, high, 3000, endpoint=True)
        q = np.where((rng.random(3000) < 0.6) & (tie >= low) & (tie <= high), tie, drawn).astype(before)
        yield q, layers.params(np.float32(sy * ratio), zx, before), layers.params(sy, zy, after)


@each_engine
@pytest.mark.parametrize(
    ("before", "after"), sorted({pair for name in PROFILE.values() for pair in get(name).code_pairs})
)
def test_requantize_of_wide_codes_equals_profile(engine: str, before: str, after: str) -> None:
    """R62 in all of them, whatever the position; one rounding is wrong. What the record refuses stops it."""
    record = get(PROFILE[engine])
    compared, killed = 0, 0
    for q, x, y in pairs(123, before, after, 30):
        if (before, after) not in record.code_pairs and not {before, after} <= {*record.code_types}:
            with pytest.raises(RuntimeError):
                asked(engine, "requantize", q, x=layers.pair(x), y=layers.pair(y), dtype=after)
            return
        got = asked(engine, "requantize", q, x=layers.pair(x), y=layers.pair(y), dtype=after)
        compared += require_equal(module(engine), got, requantize_codes(q, x=x, y=y, profile=record), case=(x, y))
        exact = (q.astype(np.int64) - int(x.zero_point)) * (np.float64(x.scale) / np.float64(y.scale))
        once = np.clip(np.floor(exact + 0.5) + int(y.zero_point), y.qmin, y.qmax).astype(y.dtype)
        killed += int(differing(got, once).sum())
    assert compared >= 90_000 and killed > 0


@each_engine
def test_engines_refuse_what_the_profiles_refuse(engine: str) -> None:
    """Every pair of types, with and without zero points: engine and profile answer alike, or both refuse."""
    for before in TYPES:
        for after in TYPES:
            for zx, zy in ((0, 0), (3, 0), (0, 3)):
                x, y = layers.params(0.5, zx, before), layers.params(0.25, zy, after)
                q = np.arange(40).astype(before)
                assert refuses_engine(engine, q, x, y) == refuses_profile(PROFILE[engine], q, x, y), (before, after, zx)


def refuses_engine(engine: str, q: NDArray[Any], x: QuantParams, y: QuantParams) -> bool:
    """Whether the engine fails to prepare or to run."""
    try:
        asked(engine, "requantize", q, x=layers.pair(x), y=layers.pair(y), dtype=y.dtype.name)
    except RuntimeError:
        return True
    return False


def refuses_profile(profile: str, q: NDArray[Any], x: QuantParams, y: QuantParams) -> bool:
    """Whether the profile refuses."""
    try:
        requantize_codes(q, x=x, y=y, profile=profile)
    except ValueError:
        return True
    return False
