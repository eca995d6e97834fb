"""OpenVINO's linear layers and conversions are the profile's, bit for bit; run apart, with the extra `engines`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import npquant
from npquant.kernels.linear import accumulate
from npquant.kernels.quantize_engines import dequantize_float32, quantize_divide_half_even
from tests.peers import adversarial, layers, machine, vectors
from tests.peers import engines_openvino as ENGINE
from tests.peers.comparison import differing, require_equal

pytestmark = pytest.mark.extra

# Without VNNI every product is paired, those of int8 inputs too.
PROFILE = "openvino" if machine.sums_pairs_exactly() else "openvino_pair16"
DEPTHS = (3, 5, 37, 64, 130, 300, 301, 509, 600, 784, 1100)
FORMS = [
    (bias, activation, zx, each)
    for bias in ("none", "many", "one", "near")
    for activation in ("none", "relu")
    for zx in (False, True)
    for each in ("one", "many", "equal")
]


def _near(rng: np.random.Generator, value: Any, size: int | None = None) -> Any:
    """Return the power of two nearest to a value, up to three units in the last place."""
    return (np.exp2(np.round(np.log2(value))) * (1 + rng.integers(-3, 4, size) * 2.0**-23)).astype(np.float32)


def _bias(rng: np.random.Generator, kind: str, n: int, sy: np.float32) -> NDArray[np.float32] | None:
    halves = (rng.integers(-160, 160, n) / 2 * sy).astype(np.float32)
    drawn = {
        "many": halves,
        "one": np.repeat(halves[:1], n),
        "near": (halves[0] + rng.uniform(-1e-4, 1e-4, n) * sy * rng.choice([0.1, 0.5, 1])).astype(np.float32),
    }
    return drawn.get(kind)


def _drawn(seed: int, form: tuple[str, str, bool, str], count: int, n: int, largest: int) -> Iterator[layers.Layer]:
    """Draw layers of a form whose scales are powers of two up to a few last places: ties, and beside them."""
    kind, activation, zx, each = form
    rng = np.random.default_rng(seed)
    for i in range(count):
        codes = ("uint8", "int8")[i % 2]
        info, depth = np.iinfo(codes), int(rng.choice(DEPTHS))
        sx = _near(rng, np.exp(rng.uniform(-5, 0)))
        sw = _near(rng, np.exp(rng.uniform(-6, -2)), n)
        scale = {"one": sw[0], "many": sw, "equal": np.repeat(sw[:1], n)}[each]
        spread = float(sx) * float(np.exp(np.mean(np.log(scale)))) * 43 * largest * depth**0.5
        sy = _near(rng, spread / rng.choice([20, 60, 200]))
        zero = int(rng.integers(info.min, info.max + 1)) or 1
        zy = int(rng.choice([info.min, info.max, 0, *rng.integers(info.min, info.max + 1, 2)]))
        yield layers.Layer(
            rng.integers(info.min, info.max + 1, (256, depth)).astype(codes),
            rng.integers(-largest, largest + 1, (depth, n)).astype(np.int8),
            _bias(rng, kind, n, sy),
            layers.params(sx, zero if zx else 0, codes),
            layers.params(scale, 0, "int8"),
            layers.params(sy, zy, codes),
            activation,
        )


def _engine(layer: layers.Layer) -> NDArray[Any]:
    return layer.on(ENGINE.layer, dtype=layer.y.dtype.name, activation=layer.activation)


def test_layers_equal_profile() -> None:
    """Every form, by bias, relu, zero point of the inputs and scales of the weights, at ties and beside them."""
    compared = 0
    for seed, form in enumerate(FORMS):
        for layer in _drawn(seed, form, 2, 64, 127):
            compared += require_equal(ENGINE, _engine(layer), layer.under(PROFILE), case=(form, layer))
    assert compared >= 1_500_000


def test_layers_whose_pairs_fit_are_of_both_profiles() -> None:
    """Where no pair of products saturates, the forms are those of both profiles, so of every x86."""
    for seed, form in enumerate(FORMS[::5]):
        for layer in _drawn(500 + seed, form, 2, 17, 63):
            require_equal(ENGINE, _engine(layer), layer.under("openvino"), case=(form, layer))
            assert not differing(layer.under("openvino"), layer.under("openvino_pair16")).any()


def test_one_output_equals_profile() -> None:
    """N = 1, where one bias is all of them."""
    for seed, form in enumerate(FORMS[::3]):
        for layer in _drawn(700 + seed, form, 1, 1, 127):
            require_equal(ENGINE, _engine(layer), layer.under(PROFILE), case=(form, layer))


def test_columns_without_a_sum_equal_profile() -> None:
    """Columns whose weights cancel: the zero point of the inputs adds nothing, and the form is another."""
    for layer in _drawn(800, ("many", "none", True, "one"), 6, 64, 127):
        half = layer.w_q.shape[0] // 2
        w_q = np.vstack([layer.w_q[:half], -layer.w_q[:half]])
        folded = layers.Layer(layer.x_q[:, : 2 * half], w_q, layer.bias, layer.x, layer.w, layer.y)
        require_equal(ENGINE, _engine(folded), folded.under(PROFILE), case=folded)


def test_qlinear_matmul_is_the_layer() -> None:
    """QLinearMatMul is the same layer without bias."""
    for zx in (False, True):
        for layer in _drawn(900, ("none", "none", zx, "one"), 4, 33, 127):
            got = layer.on(
                lambda x_q, w_q, bias, **pairs: ENGINE.qlinear_matmul(x_q, w_q, **pairs), dtype=layer.y.dtype.name
            )
            require_equal(ENGINE, got, layer.under(PROFILE), case=layer)


def test_sums_alone_decide_without_bias_and_zero_point() -> None:
    """There `requantize` gives the layer's codes."""
    compared = 0
    for seed, each in enumerate(("one", "many")):
        for layer in _drawn(600 + seed, ("none", "none", False, each), 4, 64, 63):
            sums = accumulate(layer.x_q, layer.w_q, 0, 0, 0)
            want = npquant.requantize(sums, x=layer.x, w=layer.w, y=layer.y, profile="openvino")
            compared += require_equal(ENGINE, _engine(layer), want, case=layer)
    assert compared >= 130_000


def test_other_profiles_fail() -> None:
    """The operands tell OpenVINO from the nearest profiles."""
    wrong, killed = {"onnx_ref", "ort", "npquant", "tflite_ref"}, set()
    for seed, form in enumerate([("none", "none", True, "many"), ("many", "none", False, "one")]):
        for layer in _drawn(20 + seed, form, 4, 64, 63):
            got = _engine(layer)
            killed |= {n for n in wrong if differing(got, layer.under(n)).any()}
    assert killed == wrong


@pytest.mark.parametrize("codes", ["int8", "uint8"])
def test_quantize_equals_profile(codes: str) -> None:
    """QuantizeLinear is the profile at ties, NaN, infinities and overflow; dividing is not."""
    compared, killed = 0, 0
    for x, y in vectors.to_quantize(950, 32, 4000, codes):
        got = ENGINE.quantize(x, y=layers.pair(y), dtype=codes)
        compared += require_equal(ENGINE, got, npquant.quantize(x, y, profile="openvino"), case=y)
        killed += int(differing(got, quantize_divide_half_even(x, y)).sum())
    assert compared >= 128_000 and killed > 0


@pytest.mark.parametrize("codes", ["int8", "uint8"])
def test_dequantize_equals_profile(codes: str) -> None:
    """DequantizeLinear is the profile, fused; the rounded product of the difference is not."""
    killed = 0
    for q, x in vectors.to_dequantize(951, 32, codes):
        got = ENGINE.dequantize(q, x=layers.pair(x))
        require_equal(ENGINE, got, npquant.dequantize(q, x, "openvino"), case=x)
        killed += int(differing(got, dequantize_float32(q, x)).sum())
    assert killed > 0


@pytest.mark.parametrize(
    ("depth", "zx", "w", "sy", "answer"),
    [(4096, 129, 63, 16, 0), (1100, 169, 127, 4, 33), (784, 255, 127, 4, 178), (1024, 251, 97, 4, 29)],
)
def test_the_zero_point_of_the_inputs_is_lost(depth: int, zx: int, w: int, sy: int, answer: int) -> None:
    """Every input is its zero point, so that the code is 112; the engine loses it to float32."""
    x, one, y = layers.params(1, zx, "uint8"), layers.params(1, 0, "int8"), layers.params(sy, 112, "uint8")
    layer = layers.Layer(np.full((1, depth), zx, np.uint8), np.full((depth, 3), w, np.int8), None, x, one, y)
    require_equal(ENGINE, _engine(layer), layer.under(PROFILE), case=layer)
    assert layer.under("openvino").tolist() == [[answer] * 3] and layer.under("ort").tolist() == [[112] * 3]
    if w < 64 or machine.sums_pairs_exactly():
        assert _engine(layer).tolist() == [[answer] * 3]


def test_matmul_integer_is_computed_in_float32() -> None:
    """3,000 products that add up to an odd number beyond 2^24 come out even."""
    x_q, w_q = np.full((1, 3000), 127, np.int8), np.full((3000, 1), 127, np.int8)
    w_q[0] = 126
    exact = int(accumulate(x_q, w_q, 0, 0, 0)[0, 0])
    assert exact == 48_386_873 and ENGINE.matmul_integer(x_q, w_q).tolist() == [[48_386_872]]


def test_accumulators_wrap() -> None:
    """70,000 products leave int32."""
    x_q, w_q = np.full((1, 70_000), 255, np.uint8), np.full((70_000, 2), 126, np.int8)
    one = layers.params(1, 0, "uint8")
    layer = layers.Layer(x_q, w_q, None, one, layers.params(1, 0, "int8"), layers.params(2.0**24, 128, "uint8"))
    require_equal(ENGINE, _engine(layer), layer.under(PROFILE), case="70,000 products")
    assert adversarial.INT32_MAX < 70_000 * 255 * 126
