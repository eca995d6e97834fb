"""Each rule in C gives the steps of its kernel, at the accumulators that hurt: midpoints, rails, and beside them."""

from __future__ import annotations

import ctypes
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from npquant.interop.c99.plain import named
from npquant.interop.c99.rules import rule_source
from npquant.interop.consumers.cc import STRICT, version_cc
from npquant.kernels.multiplier import FixedMultiplier
from npquant.kernels.requantize import (
    requantize_double_rounding,
    requantize_double_rounding_up,
    requantize_floor_then_half_up,
    requantize_half_away,
    requantize_single_rounding,
)
from npquant.kernels.rounding import round_half_away, round_half_even

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(version_cc() is None, reason="gcc is not installed"),
]

FIXED: dict[str, Callable[..., Any]] = {
    "single": requantize_single_rounding,
    "away": requantize_half_away,
    "double_away": requantize_double_rounding,
    "double_up": requantize_double_rounding_up,
    "floor_up": requantize_floor_then_half_up,
}


def _function(rule: str, folder: Path) -> Callable[..., Any]:
    """Compile a rule, with its wrap, and return a function over arrays."""
    doubled = rule in ("double_away", "double_up", "floor_up")
    mtype = "int64_t" if rule == "float64" else "int32_t"
    arguments = "acc[i], m[i], l[i], s[i]" if doubled else "acc[i], m[i], s[i]"
    text = "#include <stdint.h>\n" + named(rule_source(frozenset({(rule, doubled)})), "net")
    text += (
        f"void all(int64_t n, const int32_t *acc, const {mtype} *m, const int32_t *l, const int32_t *s, int64_t *y);\n"
        f"void all(int64_t n, const int32_t *acc, const {mtype} *m, const int32_t *l, const int32_t *s, int64_t *y)\n"
        f"{{\n    int64_t i;\n    (void)l;\n    for (i = 0; i < n; i++) {{\n        y[i] = net_{rule}({arguments});\n"
        "    }\n}\n"
    )
    source, library = folder / "rule.c", folder / "rule.so"
    source.write_text(text)
    command = ["gcc", *STRICT, "-Wno-unused-function", "-O2", "-fsanitize-undefined-trap-on-error"]
    command += ["-fsanitize=undefined", "-shared", "-fPIC", str(source), "-o", str(library)]
    subprocess.run(command, check=True, capture_output=True)
    call = ctypes.CDLL(str(library)).all

    def run(acc: Any, m: Any, left: Any, right: Any) -> np.ndarray:
        types = (np.int32, np.int64 if rule == "float64" else np.int32, np.int32, np.int32)
        arrays = [
            np.ascontiguousarray(np.broadcast_to(a, acc.shape), t)
            for a, t in zip((acc, m, left, right), types, strict=True)
        ]
        y = np.empty(acc.shape, np.int64)
        call(ctypes.c_int64(acc.size), *(a.ctypes.data_as(ctypes.c_void_p) for a in (*arrays, y)))
        return y

    return run


def _accumulators(rng: np.random.Generator, real: np.ndarray) -> np.ndarray:
    """Beside the midpoints between steps, small and large, and all over int32."""
    steps = rng.integers(-300, 300, real.shape) + 0.5
    with np.errstate(over="ignore", divide="ignore"):
        middle = np.clip(np.rint(steps / np.maximum(real, 1e-300)), -(2**31), 2**31 - 1)
    near = middle.astype(np.int64) + rng.integers(-1, 2, real.shape)
    wild = rng.integers(-(2**31), 2**31, real.shape)
    small = rng.integers(-40, 40, real.shape)
    rails = np.where(rng.random(real.shape) < 0.5, -(2**31), 2**31 - 1)
    return np.clip(np.concatenate([near, near, wild, small, rails]), -(2**31), 2**31 - 1)


@pytest.mark.parametrize("rule", sorted(FIXED))
def test_fixed_rules_equal_kernels(rule: str, tmp_path: Path) -> None:
    """R6, R8, R19, R20, R21: 400,000 accumulators, multipliers and shifts, those of exact ties among them."""
    run, rng = _function(rule, tmp_path), np.random.default_rng(1)
    e = np.concatenate([rng.integers(-31, 31, 40_000), rng.integers(-12, 1, 40_000)])
    m = rng.integers(2**30, 2**31, len(e))
    m[::2] = 2**30 + (rng.integers(0, 8, len(m[::2])) << 27)  # few significant bits: ties are exact
    acc = _accumulators(rng, np.ldexp(m.astype(np.float64), e - 31))
    m, e = np.tile(m, 5), np.tile(e, 5)
    want = FIXED[rule](acc, FixedMultiplier(m, e))
    if rule in ("single", "away"):
        left, right = 0 * e, 31 - e
    else:
        right = np.maximum(1 if rule == "floor_up" else 0, -e)
        left = e + right if rule == "floor_up" else np.maximum(e, 0)
    assert np.array_equal(run(acc, m, left, right), want)


def test_float32_rule_equals_float32(tmp_path: Path) -> None:
    """round_half_even(f32(f32(acc) M)) for 400,000 accumulators and multipliers, from 2^-60 to 2^22."""
    run, rng = _function("float32", tmp_path), np.random.default_rng(2)
    real = np.ldexp(rng.uniform(0.5, 1, 80_000), rng.integers(-60, 23, 80_000)).astype(np.float32)
    real[::2] = np.ldexp(rng.integers(1, 64, 40_000), rng.integers(-20, 0, 40_000))
    acc = _accumulators(rng, real.astype(np.float64))
    scale = np.tile(real, 5)
    want = round_half_even(acc.astype(np.float32) * scale).astype(np.float64)
    fraction, e = np.frexp(scale.astype(np.float64))
    s = np.clip(24 - e, 1, 63)
    assert np.array_equal(run(acc, np.ldexp(fraction, 24).astype(np.int64), 0, s).astype(np.float64), want)


def test_float64_rule_equals_float64(tmp_path: Path) -> None:
    """round_half_away(f64(acc M)) for 400,000 accumulators and multipliers, from 2^-70 to 2^20."""
    run, rng = _function("float64", tmp_path), np.random.default_rng(3)
    real = np.ldexp(rng.uniform(0.5, 1, 80_000), rng.integers(-70, 21, 80_000))
    real[::2] = np.ldexp(rng.integers(1, 64, 40_000), rng.integers(-20, 0, 40_000))
    # Quotients of integers by odd numbers: a midpoint times its inverse rounds onto the tie, or beside it.
    real[1::4] = (rng.integers(0, 200, 20_000) + 0.5) / (rng.integers(1, 2**20, 20_000) * 2 + 1)
    acc = _accumulators(rng, real)
    scale = np.tile(real, 5)
    want = round_half_away(acc * scale)
    fraction, e = np.frexp(scale)
    assert np.array_equal(run(acc, np.ldexp(fraction, 53).astype(np.int64), 0, np.minimum(53 - e, 95)), want)
