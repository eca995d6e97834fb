"""ncnn's int8 operators are the profile's: codes equal, real outputs bit for bit."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

import npquant
from npquant import QuantParams
from npquant.kernels.output_stages import real_output_fused, stage_per_unit_vectors_of_4
from npquant.kernels.rounding import round_half_away
from npquant.profiles.ncnn import inner_product, multipliers_per_unit
from tests.peers import adversarial, layers, machine
from tests.peers import engines_ncnn as ENGINE
from tests.peers.comparison import differing, require_equal

pytestmark = [
    pytest.mark.extra,
    pytest.mark.skipif(not machine.is_x86(), reason="the recorded rules are those of x86"),
]

BELOW_HALF = np.nextafter(np.float32(0.5), np.float32(0))


def symmetric(scale: object) -> QuantParams:
    """Parameters of ncnn's codes."""
    return QuantParams(scale, 0, -127, 127)


def beside_ties(seed: int, count: int, n: int) -> Iterator[tuple[NDArray[np.int32], tuple[np.float32, ...]]]:
    """Draw n accumulators beside ties, at rails and beyond, for each of `count` triples of scales."""
    rng = np.random.default_rng(seed)
    for sx, sw, sy in adversarial.scale_triples(rng, count):
        m = layers.real_multipliers(sx, sw, sy, n)
        yield adversarial.accumulators(rng, m), (sx, sw, sy)


def test_quantize_equals_profile() -> None:
    """R133, R131 and R132 on vectors and matrices with special values; half away everywhere is wrong."""
    rng, compared, killed = np.random.default_rng(1), 0, 0
    for i in range(120):
        y = symmetric(np.float32(2.0 ** -(i % 9)) if i % 3 == 0 else adversarial.scale_triples(rng, 1)[0, 0])
        rows, n = (1, 2, 3, 4, 5, 8, 12, 16)[i % 8], int(rng.integers(1, 700))
        x = adversarial.reals(rng, float(y.scale), 0, rows * n)
        special = np.concatenate([adversarial.special_reals(), np.float32([BELOW_HALF, -BELOW_HALF] * 8) * y.scale])
        x[: min(x.size, special.size)] = special[: x.size]
        rng.shuffle(x)
        x = x.reshape((rows, n) if i % 8 else (n,))
        got = ENGINE.quantize(x, y=layers.pair(y))
        compared += require_equal(ENGINE, got, npquant.quantize(x, y, profile="ncnn"), case=(y, x.shape))
        with np.errstate(over="ignore", invalid="ignore"):
            steps = round_half_away(np.asarray(x * (np.float32(1) / y.scale)))
        away = np.clip(np.where(np.isnan(steps), -127, steps), -127, 127).astype(np.int8)
        killed += int(differing(got, away).sum())
    assert compared >= 200_000 and killed > 0


def test_quantize_depends_on_position() -> None:
    """The number next below 1/2 is 1 in whole vectors of 4 and 0 after them; in rows by fours there is no rest."""
    one = (np.float32(1), 0)
    assert ENGINE.quantize(np.full(19, BELOW_HALF), y=one).tolist() == [1] * 16 + [0] * 3
    assert ENGINE.quantize(np.full((3, 6), BELOW_HALF), y=one).tolist() == [[1, 1, 1, 1, 0, 0]] * 3
    assert ENGINE.quantize(np.full((4, 6), BELOW_HALF), y=one).tolist() == [[1] * 6] * 4


def test_a_large_value_is_the_lowest_code() -> None:
    """What is 2^31 steps or more, infinite or NaN is -127 at every position; the largest number below 2^31 is 127."""
    large = np.float32([1e10, np.inf, np.nan, 2.0**31, 1e10, np.inf, np.nan])
    assert ENGINE.quantize(large, y=(np.float32(1), 0)).tolist() == [-127] * 7
    assert ENGINE.quantize(np.float32([2147483520]), y=(np.float32(1), 0)).tolist() == [127]
    for activation in ("none", "relu"):
        top = ENGINE.requantize(np.int32([2**31 - 1]), np.float32(1), np.float32(4), activation=activation)
        assert top.tolist() == [-127]


def test_dequantize_equals_profile() -> None:
    """R2 on every code."""
    for x in adversarial.scale_triples(np.random.default_rng(2), 64)[:, 0]:
        q = np.arange(-127, 128).astype(np.int8)
        got = ENGINE.dequantize(q, x=(x, 0))
        require_equal(ENGINE, got, npquant.dequantize(q, symmetric(x), profile="ncnn"), case=x)


def test_requantize_equals_profile() -> None:
    """R131 and R132 of two products, at any int32; litert_ref_2025, half away, is wrong here."""
    compared, killed = 0, 0
    for acc, (sx, sw, sy) in beside_ties(3, 60, 10_003):
        m, k = multipliers_per_unit(sx, sw, sy)
        got = ENGINE.requantize(acc, m[()], k[()])
        x, w, y = (symmetric(s) for s in (sx, sw, sy))
        want = npquant.requantize(acc, x=x, w=w, y=y, profile="ncnn")
        compared += require_equal(ENGINE, got, want, case=(sx, sw, sy))
        other = npquant.requantize(acc, x=x, w=w, y=QuantParams(sy, 0, -128, 127), profile="litert_ref_2025")
        killed += int(differing(got, np.maximum(other, -127)).sum())
    assert compared >= 600_000 and killed > 0


@pytest.mark.parametrize("activation", ["none", "relu", "relu6"])
def test_requantize_fuses_its_bias(activation: str) -> None:
    """R136 with biases that cancel the product: a bias that is rounded apart is wrong here."""
    rng, compared, killed = np.random.default_rng(4), 0, 0
    for acc, (sx, sw, sy) in beside_ties(5, 30, 4_001):
        m, k = multipliers_per_unit(sx, sw, sy)
        b = np.float32(-float(rng.choice(acc)) * float(m) + float(rng.normal(0, 40)) / float(k))
        near = np.rint(-float(b) / float(m)) + rng.integers(-60, 61, acc.size)
        acc = np.where(rng.random(acc.size) < 0.5, np.clip(near, -(2**31), 2**31 - 1), acc).astype(np.int32)
        got = ENGINE.requantize(acc, m[()], k[()], b, activation)
        low, high = {"none": (-np.inf, np.inf), "relu": (0, np.inf), "relu6": (0, 6)}[activation]
        real = np.clip(real_output_fused(acc.astype(np.int64), m, b), low, high).astype(np.float32)
        want = stage_per_unit_vectors_of_4(real, k, -127, 127).astype(np.int8)
        compared += require_equal(ENGINE, got, want, case=(sx, sw, sy, b))
        apart = np.clip(acc.astype(np.float32) * m + b, low, high).astype(np.float32)
        killed += int(differing(got, stage_per_unit_vectors_of_4(apart, k, -127, 127).astype(np.int8)).sum())
    assert compared >= 100_000 and killed > 0


def drawn_layers(seed: int, count: int) -> Iterator[layers.Layer]:
    """Draw layers of every depth around the vector widths, per tensor and per channel, with real biases or none."""
    rng = np.random.default_rng(seed)
    for i in range(count):
        depth, n, rows = (
            int(rng.choice([*adversarial.DEPTHS, 333])),
            int(rng.integers(1, 66)),
            (1, 3, 4, 8, 5, 33)[i % 6],
        )
        sx, sw, sy = layers.scales(rng, n, per_channel=bool(i % 2))
        if i % 3:
            sy = np.float32(float(sx) * float(np.mean(sw)) * 64 * depth**0.5)
        x_q = np.maximum(adversarial.codes(rng, (rows, depth), "int8"), -127)
        w_q = adversarial.codes(rng, (depth, n), "int8")
        bias = None if i % 4 == 0 else (rng.normal(0, 30, n) * float(sy)).astype(np.float32)
        activation = ("none", "relu", "relu6", "clipped_relu", "relu_n1_to_1")[i % 5]
        yield layers.Layer(x_q, w_q, bias, symmetric(sx), QuantParams(sw, 0, -128, 127), symmetric(sy), activation)


def test_inner_product_and_layer_equal_profile() -> None:
    """R135, real outputs bit for bit, and their codes; a fused bias is wrong here."""
    compared, killed = 0, 0
    for layer in drawn_layers(6, 240):
        pairs = {"x": layers.pair(layer.x), "w": layers.pair(layer.w), "activation": layer.activation}
        got = ENGINE.inner_product(layer.x_q, layer.w_q, layer.bias, **pairs)
        want = inner_product(layer.x_q, layer.w_q, layer.bias, x=layer.x, w=layer.w, activation=layer.activation)
        compared += require_equal(ENGINE, got + np.float32(0), want + np.float32(0), case=layer)
        codes = layer.on(ENGINE.linear, activation=layer.activation)
        compared += require_equal(ENGINE, codes, layer.under("ncnn"), case=layer)
        if layer.bias is not None and layer.activation == "none":
            acc = layer.x_q.astype(np.int64) @ layer.w_q.astype(np.int64)
            m, _ = multipliers_per_unit(layer.x.scale, layer.w.scale, 1.0)
            killed += int(differing(got, real_output_fused(acc, m, layer.bias)).sum())
    assert compared >= 80_000 and killed > 0


def test_layer_equals_profile_beside_ties() -> None:
    """The codes of a layer whose products are beside ties; ort, half even, is wrong here."""
    compared, killed = 0, 0
    rng = np.random.default_rng(7)
    for layer in layers.through_products(8, 48, 2_050, codes="int8", per_channel=False):
        x_q = (layer.x_q - layer.x.zero_point).astype(np.int8)
        x_q = np.repeat(x_q, int(rng.integers(1, 5)), axis=0)
        one = layers.Layer(x_q, layer.w_q, None, *(symmetric(p.scale) for p in (layer.x, layer.w, layer.y)))
        got = one.on(ENGINE.linear)
        compared += require_equal(ENGINE, got, one.under("ncnn"), case=one)
        killed += int(
            differing(
                got,
                np.maximum(
                    layers.Layer(
                        x_q, layer.w_q, None, *(layers.params(p.scale, 0, "int8") for p in (layer.x, layer.w, layer.y))
                    ).under("ort"),
                    -127,
                ),
            ).sum()
        )
    assert compared >= 150_000 and killed > 0


def test_sums_wrap() -> None:
    """A sum of 140,000 products leaves int32 and comes back on the other side."""
    x_q, w_q = np.full((1, 140_000), 127, np.int8), np.full((140_000, 1), 127, np.int8)
    one = symmetric(1.0)
    got = ENGINE.inner_product(x_q, w_q, None, x=(1.0, 0), w=(1.0, 0))
    require_equal(ENGINE, got, inner_product(x_q, w_q, None, x=one, w=one), case="140,000")
    assert got[0, 0] < 0
