"""StableHLO's quantized operators, compiled by IREE, are `stablehlo_iree`; TOSA's RESCALE is `tosa_single`, `_double`.

The fused multiply-add is this processor's: IREE compiles for the host.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import npquant
from npquant import QuantParams
from tests.peers import adversarial, layers, machine, vectors
from tests.peers import engines_iree as ENGINE
from tests.peers.comparison import differing, require_equal

pytestmark = [
    pytest.mark.extra,
    pytest.mark.skipif(not machine.fuses_multiply_add(), reason="the profile is that of a processor with FMA"),
]

PROFILE = "stablehlo_iree"
N = 131_072


def _sums(seed: int, count: int) -> list[tuple[NDArray[np.int32], QuantParams, QuantParams, QuantParams]]:
    """Draw accumulators beside ties, rails and powers of two, under scales and output zero points."""
    rng = np.random.default_rng(seed)
    drawn = []
    for zero in adversarial.zero_points("int8", count):
        sx, sw, sy = adversarial.scale_triples(rng, 1)[0]
        acc = adversarial.accumulators(rng, layers.real_multipliers(sx, sw, sy, N))
        scales = ((sx, 0), (sw, 0), (sy, int(zero)))
        drawn.append((acc, *(layers.params(scale, z, "int8") for scale, z in scales)))
    return drawn  # type: ignore[return-value]


def _of_sums(drawn: list[tuple[Any, ...]]) -> Any:
    """Compile the requantization of each."""
    types = [ENGINE.sums_type([float(x.scale) * float(w.scale)], None) for _, x, w, _ in drawn]
    return ENGINE.compiled(
        [ENGINE.requantize(i, N, types[i], y, "i32") for i, (_, _, _, y) in enumerate(drawn)],
    )


def _two_roundings(acc: NDArray[np.int32], x: QuantParams, w: QuantParams, y: QuantParams) -> NDArray[np.int8]:
    """Round the product, then the sum with the zero point: what a processor without FMA would do."""
    m = np.float32(np.float64(x.scale) * np.float64(w.scale) / np.float64(y.scale))
    with np.errstate(over="ignore"):
        v = acc.astype(np.float32) * m + np.float32(y.zero_point)
    return np.rint(np.clip(v, -128, 127)).astype(np.int8)


def test_requantize_equals_profile_and_kills_others() -> None:
    """int32 to int8: product and zero point in one fused step, before the rounding."""
    drawn, compared, unfused = _sums(241, 8), 0, 0
    killed: set[Any] = set()
    module = _of_sums(drawn)
    wrong = {"onnx_ref", "ort", "npquant", "tflite_ref", "litert_ref_2025", "tosa_double"}
    for i, (acc, x, w, y) in enumerate(drawn):
        got = ENGINE.run(module, i, acc)
        compared += require_equal(ENGINE, got, npquant.requantize(acc, x=x, w=w, y=y, profile=PROFILE), case=(x, w, y))
        unfused += int((got != _two_roundings(acc, x, w, y)).sum())
        for name in wrong - killed:
            if differing(got, npquant.requantize(acc, x=x, w=w, y=y, profile=name)).any():
                killed.add(name)
    assert compared >= 1_048_576 and killed == wrong and unfused > 0


def _layers(seed: int, each: bool) -> list[layers.Layer]:
    """Draw whole layers with real biases, of 512 rows at least; weights have no zero points (the verifier refuses)."""
    rng, drawn = np.random.default_rng(seed), []
    for layer in list(layers.products(seed, 8, codes="int8", weights="int8", weight_zero_points=False))[::2]:
        depth, n = len(layer.w_q), 256 + layer.w_q.shape[1]
        scale = np.float32(rng.uniform(0.3, 2, n) * float(layer.w.scale)) if each else layer.w.scale
        steps = rng.integers(-3000, 3000, n) + rng.choice([0, 0.25, 0.5], n)
        drawn.append(
            dataclasses.replace(
                layer,
                x_q=adversarial.codes(rng, (512 + len(layer.x_q), depth), "int8"),
                w_q=adversarial.codes(rng, (depth, n), "int8"),
                w=layers.params(scale, 0, "int8"),
                bias=np.float32(steps * float(layer.x.scale) * np.asarray(scale, np.float64)),
            )
        )
    return drawn


@pytest.mark.parametrize("each", [False, True])
def test_linear_equals_profile(each: bool) -> None:
    """dot_general to int32, a bias quantized to int32, and uniform_quantize: the whole layer."""
    drawn = _layers(242, each)
    shapes = [(*layer.x_q.shape, layer.w_q.shape[1]) for layer in drawn]
    written = [
        ENGINE.linear(i, shape, layer.x, layer.w, layer.y, direct=False)
        for i, (layer, shape) in enumerate(zip(drawn, shapes, strict=True))
    ]
    module, compared = ENGINE.compiled(written), 0
    for i, layer in enumerate(drawn):
        bias = np.broadcast_to(np.asarray(layer.bias), (len(layer.x_q), shapes[i][2]))
        got = ENGINE.run(module, i, layer.x_q, layer.w_q, bias)
        compared += require_equal(ENGINE, got, layer.under(PROFILE), case=layer)
    assert compared >= 524_288


def test_quantize_equals_profile() -> None:
    """uniform_quantize of float32: a division, the zero point, the clip, then the rounding; all but NaN."""
    drawn = [(np.resize(x[~np.isnan(x)], N), y) for x, y in vectors.to_quantize(243, 8, N, "int8")]
    module = ENGINE.compiled([ENGINE.quantize(i, N, y) for i, (_, y) in enumerate(drawn)])
    compared, killed = 0, set()
    for i, (x, y) in enumerate(drawn):
        got = ENGINE.run(module, i, x)
        compared += require_equal(ENGINE, got, npquant.quantize(x, y, profile=PROFILE), case=y)
        killed |= {n for n in ("ort", "fbgemm") if differing(got, npquant.quantize(x, y, profile=n)).any()}
    assert compared >= 1_048_576 and killed == {"ort", "fbgemm"}


def test_nan_has_no_code_of_its_own() -> None:
    """NaN is quantized to whatever the conversion leaves, which is no code that could be relied on: npquant refuses."""
    y = QuantParams(0.5, 1, -128, 127)
    module = ENGINE.compiled([ENGINE.quantize(0, 67, y)])
    ENGINE.run(module, 0, np.full(67, np.nan, np.float32))
    with pytest.raises(ValueError, match="has no code"):
        npquant.quantize([np.nan], y, profile=PROFILE)


def test_dequantize_equals_profile() -> None:
    """uniform_dequantize."""
    drawn = [(np.resize(q, N), x) for q, x in vectors.to_dequantize(244, 16, "int8")]
    module = ENGINE.compiled([ENGINE.dequantize(i, N, x) for i, (_, x) in enumerate(drawn)])
    compared = 0
    for i, (q, x) in enumerate(drawn):
        want = npquant.dequantize(q, x, profile=PROFILE)
        compared += require_equal(ENGINE, ENGINE.run(module, i, q), want, case=x)
    assert compared >= 1_048_576


def _types(seed: int, count: int) -> list[tuple[QuantParams, QuantParams]]:
    """Draw pairs of int8 types, whose ratios meet ties or not, with every kind of zero point."""
    rng, pairs = np.random.default_rng(seed), []
    for zx, zy in zip(*(adversarial.zero_points("int8", count)[::way] for way in (1, -1)), strict=True):
        sx, _, sy = adversarial.scale_triples(rng, 1)[0]
        sy = np.float32(sx * rng.choice([0.5, 2, 4, 1.5, 0.3, 0.7]))
        pairs.append((layers.params(sx, int(zx), "int8"), layers.params(sy, int(zy), "int8")))
    return pairs


def test_requantize_codes_equals_profile() -> None:
    """uniform_quantize of int8 to int8: every code under 4,096 pairs of types, as channels; under 4 of them alone."""
    from npquant.profiles.codes_to_codes import requantize_codes

    pairs = _types(245, 4096)
    every = np.arange(-128, 128, dtype=np.int8)
    alone = [ENGINE.requantize(i, 256, ENGINE.quantized(x), y, "i8") for i, (x, y) in enumerate(pairs[:4])]
    module = ENGINE.compiled([*alone, ENGINE.requantize_channels(4, 256, pairs)])
    got = ENGINE.run(module, 4, np.repeat(every[:, None], len(pairs), axis=1))
    compared, killed = 0, 0
    for i, (x, y) in enumerate(pairs):
        want = requantize_codes(every, x=x, y=y, profile=PROFILE)
        compared += require_equal(ENGINE, got[:, i], want, case=(x, y))
        killed += int(differing(got[:, i], requantize_codes(every, x=x, y=y, profile="litert_ref_2025")).sum())
        if i < len(alone):
            require_equal(ENGINE, ENGINE.run(module, i, every), want, case=(x, y))
    assert compared >= 1_048_576 and killed > 0


def direct(x_q: Any, w_q: Any, x: QuantParams, w: QuantParams, y: QuantParams) -> NDArray[np.int8]:
    """Do what the lowering of dot_general to int8 does: truncate two products apart, and wrap to 8 bits."""
    ratio = np.float64(x.scale) * np.float64(w.scale) / np.float64(y.scale)
    left, right = x_q.astype(np.int64), w_q.astype(np.int64)
    dot, zx, zw = left @ right, int(x.zero_point), int(w.zero_point)
    offset = zx * right.sum(0) + zw * left.sum(1, keepdims=True) - zx * zw * len(right)
    if abs(ratio - 1) > 0.001:
        dot, offset = (np.trunc(v.astype(np.float32) * np.float32(ratio)).astype(np.int64) for v in (dot, offset))
    return (dot + int(y.zero_point) - offset).astype(np.int8)


def test_dot_general_to_int8_neither_rounds_nor_clamps() -> None:
    """The form that the specification shows: 100 times 2 is -56, and 100 / 64 is 1; the specification has neither."""
    one, wide = QuantParams(1.0, 0, -128, 127), QuantParams(64.0, 0, -128, 127)
    drawn = [(np.int8([[100]]), np.int8([[2]]), one, one, one), (np.int8([[100]]), np.int8([[1]]), one, one, wide)]
    for layer in layers.products(246, 10, codes="int8", weights="int8"):
        drawn.append((layer.x_q, layer.w_q, layer.x, layer.w, layer.y))
    written = [
        ENGINE.linear(i, (*x_q.shape, w_q.shape[1]), x, w, y, direct=True)  # type: ignore[misc]
        for i, (x_q, w_q, x, w, y) in enumerate(drawn)
    ]
    module, specified = ENGINE.compiled(written), []
    for i, (x_q, w_q, x, w, y) in enumerate(drawn):
        got = ENGINE.run(module, i, x_q, w_q)
        require_equal(ENGINE, got, direct(x_q, w_q, x, w, y), case=(x, w, y))
        right = npquant.linear(x_q, w_q, None, x=x, w=w, y=y, profile=PROFILE)
        specified.append(float(differing(got, right).mean()))
    assert [int(ENGINE.run(module, i, *drawn[i][:2])[0, 0]) for i in (0, 1)] == [-56, 1]
    assert specified[:2] == [1, 1] and np.mean(specified[2:]) > 0.3


def _rescale(i: int, fixed: npquant.FixedMultiplier, zero: int, mode: str) -> str:
    shift = 31 - int(fixed.shift)
    return f"""func.func @f{i}(%x: tensor<{N}xi32>) -> tensor<{N}xi8> {{
      %m = "tosa.const"() <{{values = dense<{int(fixed.multiplier)}> : tensor<1xi32>}}> : () -> tensor<1xi32>
      %s = "tosa.const"() <{{values = dense<{shift}> : tensor<1xi8>}}> : () -> tensor<1xi8>
      %a = "tosa.const"() <{{values = dense<0> : tensor<1xi32>}}> : () -> tensor<1xi32>
      %z = "tosa.const"() <{{values = dense<{zero}> : tensor<1xi8>}}> : () -> tensor<1xi8>
      %y = "tosa.rescale"(%x, %m, %s, %a, %z) <{{scale32 = true, rounding_mode = #tosa.rounding_mode<{mode}>,
        per_channel = false, input_unsigned = false, output_unsigned = false}}> :
        (tensor<{N}xi32>, tensor<1xi32>, tensor<1xi8>, tensor<1xi32>, tensor<1xi8>) -> tensor<{N}xi8>
      return %y : tensor<{N}xi8>
    }}"""


@pytest.mark.parametrize(("mode", "profile"), [("SINGLE_ROUND", "tosa_single"), ("DOUBLE_ROUND", "tosa_double")])
def test_tosa_rescale_equals_profile(mode: str, profile: str) -> None:
    """TOSA's RESCALE, int32 to int8, where TOSA defines it, and not the other rounding."""
    from npquant.profiles import get

    drawn, compared, other = _sums(247, 8), 0, 0
    rival = {"tosa_single": "tosa_double", "tosa_double": "tosa_single"}[profile]
    made = [get(profile).make_multiplier(x.scale, w.scale, y.scale) for _, x, w, y in drawn]
    module = ENGINE.compiled(
        [
            _rescale(i, fixed, int(y.zero_point), mode)
            for i, (fixed, (_, _, _, y)) in enumerate(zip(made, drawn, strict=True))
        ],
        "tosa",
    )
    for i, (acc, _, _, y) in enumerate(drawn):
        # What TOSA defines: values within half of 2^shift (scale_helpers.tosac, apply_scale_32).
        half = 2 ** (30 - int(made[i].shift))
        acc = np.clip(acc, max(-half, -(2**31)), min(half, 2**31) - 1).astype(np.int32)
        got = ENGINE.run(module, i, acc)
        want = npquant.requantize(acc, made[i], y=y, profile=profile)
        compared += require_equal(ENGINE, got, want, case=(made[i], y))
        other += int(differing(got, npquant.requantize(acc, made[i], y=y, profile=rival)).sum())
    assert compared >= 1_048_576 and other > 0
