"""TOSA's RESCALE, MATMUL and layers, in Arm's reference model, are the profiles' and the kernels', bit for bit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from npquant import FixedMultiplier, QuantParams, linear
from npquant.kernels.allowed_codes import allowed_codes_inexact
from npquant.kernels.linear import accumulate
from npquant.kernels.multiplier import decompose_multiplier
from npquant.kernels.requantize import requantize_mantissa16
from npquant.profiles.operators import requantize
from tests.peers import adversarial, layers
from tests.peers import engines_tosa as ENGINE
from tests.peers.comparison import differing, require_equal

pytestmark = pytest.mark.extra

MODES = {"tosa_single": "SINGLE_ROUND", "tosa_double": "DOUBLE_ROUND"}
WRONG = {"tosa_single": "tosa_double", "tosa_double": "tosa_single"}
# Input types, and output types with a zero point for each graph: 16-bit ones have none, uint16 has 0 or 2^15.
FROM_INT32 = ("int8", "int16", "int32")
FROM_CODES = [("int8", "int16"), ("int8", "uint8"), ("uint8", "int8"), ("int16", "int8"), ("int16", "int32"),
              ("int8", "uint16"), ("uint16", "int8")]  # fmt: skip

each_profile = pytest.mark.parametrize("profile", MODES)


def multipliers(rng: np.random.Generator, n: int) -> FixedMultiplier:
    """Draw n multipliers: of scales, unnormalised ones, and 0, with every right shift from 2 to 62."""
    of_scales = np.prod(adversarial.scale_triples(rng, n).astype(np.float64) ** [1, 1, -1], axis=1)
    fixed = decompose_multiplier(of_scales)
    m = np.where(rng.random(n) < 0.2, rng.integers(0, 2**31, n), fixed.multiplier)
    e = np.where(rng.random(n) < 0.2, rng.integers(-31, 30, n), fixed.shift)
    return FixedMultiplier(np.where(rng.random(n) < 0.01, 0, m), np.clip(e, -31, 29))


def legal(rng: np.random.Generator, fixed: FixedMultiplier, rows: int) -> NDArray[np.int32]:
    """Draw accumulators beside ties, at rails and far out, as far as RESCALE promises an answer: below 2^(30-e)."""
    real, n = np.asarray(fixed.real), np.size(fixed.shift)
    acc = np.stack([adversarial.accumulators(rng, np.maximum(real, 2.0**-62)) for _ in range(rows)])
    reach = np.minimum(2 ** (30 - np.asarray(fixed.shift, np.int64)), 2**31)
    return np.clip(acc, -reach, reach - 1).astype(np.int32).reshape(rows, n)


def of_type(name: str, zero_point: int) -> QuantParams:
    """Return codes that fill a type."""
    return layers.params(1.0, zero_point, name)


def rescales(seed: int, count: int, out: str) -> Iterator[tuple[NDArray[np.int32], FixedMultiplier, int]]:
    """Draw RESCALEs of int32: half per channel, half with one multiplier."""
    rng = np.random.default_rng(seed)
    for i in range(count):
        if i % 2:
            fixed = multipliers(rng, 512)
            acc = legal(rng, fixed, 32)
        else:
            one = multipliers(rng, 1)
            fixed = FixedMultiplier(int(one.multiplier[0]), int(one.shift[0]))  # type: ignore[index]
            acc = legal(rng, FixedMultiplier(np.full(2048, fixed.multiplier), np.full(2048, fixed.shift)), 8)
        yield acc, fixed, int(adversarial.zero_points("int8", count)[i]) if out == "int8" else 0


def asked(acc: NDArray[Any], fixed: FixedMultiplier, types: tuple[str, str], **given: Any) -> NDArray[Any]:
    """Run RESCALE with npquant's m and e."""
    return ENGINE.rescale(acc, types=types, m=fixed.multiplier, shift=31 - np.asarray(fixed.shift), **given)


@each_profile
@pytest.mark.parametrize("out", FROM_INT32)
def test_rescale_of_int32_equals_profile(profile: str, out: str) -> None:
    """RESCALE of accumulators to 8, 16 and 32 bits is requantize by the same multiplier; the other mode is not."""
    compared = killed = 0
    for acc, fixed, ozp in rescales(71, 24, out):
        got, y = asked(acc, fixed, ("int32", out), ozp=ozp, mode=MODES[profile]), of_type(out, ozp)
        compared += require_equal(ENGINE, got, requantize(acc, fixed, y=y, profile=profile), case=fixed)
        killed += int(differing(got, requantize(acc, fixed, y=y, profile=WRONG[profile])).sum())
    assert compared >= 390_000 and killed


@each_profile
@pytest.mark.parametrize("types", FROM_CODES, ids=lambda types: "-".join(types))
def test_rescale_of_codes_equals_profile(profile: str, types: tuple[str, str]) -> None:
    """RESCALE of 8- and 16-bit codes subtracts their zero point first, and then is requantize."""
    rng, compared = np.random.default_rng(72), 0
    for i in range(16):
        ozp, izp = (_zero_point(rng, name, i) for name in reversed(types))
        fixed = multipliers(rng, 128)
        # Codes less their zero point lie within 2^16: RESCALE promises answers for e <= 13.
        fixed = FixedMultiplier(fixed.multiplier, np.minimum(fixed.shift, 13))
        x_q = adversarial.codes(rng, (32, 128), types[0])
        got = asked(x_q, fixed, types, izp=izp, ozp=ozp, mode=MODES[profile])
        want = requantize(x_q.astype(np.int64) - izp, fixed, y=of_type(types[1], ozp), profile=profile)
        compared += require_equal(ENGINE, got, want, case=(types, izp, ozp))
    assert compared >= 60_000


def _zero_point(rng: np.random.Generator, name: str, i: int) -> int:
    """Draw a zero point that RESCALE takes for a type: any of 8 bits, 0 for int16 and int32, 0 or 2^15 for uint16."""
    if name.endswith("int8"):
        return int(rng.choice(adversarial.zero_points(name, 256)))
    return 2**15 * (i % 2) if name == "uint16" else 0


def test_rescale_by_16_bits_equals_the_kernel(tmp_path: Path) -> None:
    """RESCALE of int48 by a 16-bit multiplier is R91 of the same mantissa, zeros appended; R6 of a product is not."""
    rng, compared = np.random.default_rng(73), 0
    for _ in range(3):
        m, shift = rng.integers(0, 2**15, 256), rng.integers(20, 47, 256)
        acc = np.rint((rng.integers(-33000, 33000, (256, 256)) + 0.5) / np.maximum(m, 1) * 2.0**shift)
        reach = np.minimum(2.0**31 / np.maximum(m, 1) * 2.0**shift, 2.0**47) - 2.0**shift
        acc = np.clip(acc + rng.integers(-1, 2, acc.shape), -reach, reach).astype(np.int64)
        given = {"types": ("int48", "int16"), "m": m, "shift": shift, "folder": tmp_path}
        want = requantize_mantissa16(acc, FixedMultiplier(m << 16, 15 - shift)).clip(-32768, 32767).astype(np.int16)
        compared += require_equal(ENGINE, ENGINE.rescale(acc, **given), want, case=given)
    assert compared >= 100_000


@pytest.mark.parametrize("codes", ["int8", "int16"])
def test_matmul_equals_exact_sums(codes: str, tmp_path: Path) -> None:
    """MATMUL is the exact sum, zero points included for int8, of 48 bits for int16."""
    rng, compared = np.random.default_rng(74), 0
    for depth in adversarial.DEPTHS if codes == "int8" else (1, 33, 300):
        rows, n = 40 if codes == "int8" else 250, 96
        x_q, w_q = adversarial.codes(rng, (rows, depth), codes), adversarial.codes(rng, (depth, n), codes)
        zx, zw = (int(z) for z in rng.integers(-128, 128, 2)) if codes == "int8" else (0, 0)
        got = ENGINE.matmul(x_q, w_q, zx=zx, zw=zw, folder=None if codes == "int8" else tmp_path)
        want = (x_q.astype(np.int64) - zx) @ (w_q.astype(np.int64) - zw)
        assert codes == "int16" or np.array_equal(want, accumulate(x_q, w_q, 0, zx, zw))
        compared += require_equal(ENGINE, got, want.astype(got.dtype), case=(rows, depth, zx, zw))
    assert compared >= 60_000


@each_profile
def test_layer_equals_linear_by_multiplier(profile: str) -> None:
    """CONV2D of one pixel and RESCALE are `linear` by the same m and e: zero points of all three, per channel, bias."""
    rng, compared, killed = np.random.default_rng(75), 0, 0
    for i in range(48):
        depth, rows, n = adversarial.DEPTHS[i % len(adversarial.DEPTHS)], 24, 192
        x_q, w_q = adversarial.codes(rng, (rows, depth), "int8"), adversarial.codes(rng, (depth, n), "int8")
        zx, zw, zy = (int(z) for z in rng.integers(-128, 128, 3))
        # Sums lie within 2^23; a multiplier of about 64 / their deviation puts codes between the rails.
        real = rng.uniform(0.2, 2.0, n if i % 2 else 1) * 64 / (110**2 * depth**0.5)
        fixed = decompose_multiplier(real if i % 2 else float(real[0]))
        bias = rng.integers(-2000, 2000, n).astype(np.int32)
        got = ENGINE.layer(
            x_q, w_q, bias, zero_points=(zx, zw, zy), m=fixed.multiplier, shift=31 - np.asarray(fixed.shift),
            mode=MODES[profile],
        )  # fmt: skip
        given = {"x": of_type("int8", zx), "w": of_type("int8", zw), "y": of_type("int8", zy), "multiplier": fixed}
        compared += require_equal(ENGINE, got, linear(x_q, w_q, bias, profile=profile, **given), case=given)
        killed += int(differing(got, linear(x_q, w_q, bias, profile=WRONG[profile], **given)).sum())
    assert compared >= 200_000 and killed


def test_wide_layer_equals_the_kernels() -> None:
    """int16 codes times int8 weights: sums and biases of 48 bits, then R91: TFLite-Micro's int64 rule, saturating."""
    rng, compared = np.random.default_rng(76), 0
    for depth in (1, 7, 64, 300):
        x_q, w_q = adversarial.codes(rng, (48, depth), "int16"), adversarial.codes(rng, (depth, 256), "int8")
        bias = rng.integers(-(2**40), 2**40, 256)
        m, shift = rng.integers(2**14, 2**15, 256), rng.integers(36, 40, 256)
        got = ENGINE.layer(x_q, w_q, bias, zero_points=(0, 0, 0), m=m, shift=shift)
        acc = accumulate(x_q, w_q, bias, 0, 0)
        want = requantize_mantissa16(acc, FixedMultiplier(m << 16, 15 - shift)).clip(-32768, 32767).astype(np.int16)
        compared += require_equal(ENGINE, got, want, case=(depth, shift))
        by_linear = linear(
            x_q, w_q, bias, x=of_type("int16", 0), w=of_type("int8", 0), y=of_type("int16", 0), profile="tflm",
            multiplier=FixedMultiplier(m << 16, 15 - shift),
        )  # fmt: skip
        require_equal(ENGINE, got, by_linear, case=(depth, shift))
    assert compared >= 40_000


@pytest.mark.parametrize("out", FROM_INT32)
def test_inexact_bounds_equal_the_set(out: str, tmp_path: Path) -> None:
    """R160: the model's own lowest and highest accepted outputs, as its conformance tests ask for them, are the set."""
    rng, compared, two = np.random.default_rng(77), 0, 0
    info = np.iinfo(out)
    for _ in range(3):
        one = multipliers(rng, 1)
        m, e = int(one.multiplier[0]), int(one.shift[0])  # type: ignore[index]
        acc = legal(rng, FixedMultiplier(np.full(16384, m), np.full(16384, e)), 4)
        ozp = int(rng.integers(-128, 128)) if out == "int8" else 0
        low, high = ENGINE.bounds_of_inexact(acc, tmp_path, out=out, m=m, shift=31 - e, ozp=ozp)
        ours = allowed_codes_inexact(acc, FixedMultiplier(m, e), ozp, int(info.min), int(info.max))
        for got, want in zip((low, high), ours, strict=True):
            compared += require_equal(ENGINE, got, want.astype(out), case=(m, e, ozp))
        two += int((low != high).sum())
    assert compared >= 300_000 and two


@pytest.mark.parametrize("out", FROM_INT32)
def test_inexact_answer_is_in_the_set(out: str) -> None:
    """R160: the model's float32 answer is an allowed code; one code further it often is not."""
    outside = compared = 0
    info = np.iinfo(out)
    for acc, fixed, ozp in rescales(78, 8, out):
        got = asked(acc, fixed, ("int32", out), ozp=ozp, mode="INEXACT_ROUND").astype(np.int64)
        low, high = allowed_codes_inexact(acc, fixed, ozp, int(info.min), int(info.max))
        assert ((low <= got) & (got <= high)).all(), fixed
        compared, outside = compared + got.size, outside + int((got + 1 > high).sum())
    assert compared >= 130_000 and outside
