"""LiteRT's float layers of integer weights are the profiles' dynamic rules, bit for bit, in its three resolvers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from npquant import QuantParams
from npquant.profiles import get
from npquant.profiles.dynamic import dynamic_linear
from tests.peers import engines_litert as ENGINE
from tests.peers.comparison import require_equal
from tests.peers.dynamic_layers import FloatLayer, float_layers

pytestmark = pytest.mark.peer
PROFILES = {"ref": "litert_ref_2025", "opt": "ruy_x86", "xnnpack": "xnnpack_fp32"}
# Each resolver's nearest rule that is wrong: another resolver's.
WRONG = {"ref": "xnnpack_fp32", "opt": "xnnpack_fp32", "xnnpack": "litert_ref_2025"}


def asked(layer: FloatLayer, resolver: str, *, asymmetric: bool) -> NDArray[np.float32]:
    """Run the layer in the engine."""
    return ENGINE.hybrid(
        layer.x, layer.w_q, layer.bias, w=(layer.w.scale, 0), resolver=resolver, narrow=layer.w.qmax == 7,
        activation="relu" if layer.relu else "none", asymmetric_inputs=asymmetric,
    )  # fmt: skip


def computed(layer: FloatLayer, profile: str, *, asymmetric: bool) -> NDArray[np.float32]:
    """Compute the layer by a profile; the switch is LiteRT's, and its delegate does not read it."""
    variant = "asymmetric_inputs" if asymmetric and get(profile).dynamic.variants else None
    return dynamic_linear(
        layer.x, layer.w_q, w=layer.w, bias=layer.bias, profile=profile, variant=variant,
        activation="relu" if layer.relu else "none",
    )  # fmt: skip


@pytest.mark.parametrize("resolver", PROFILES)
@pytest.mark.parametrize("asymmetric", [False, True])
def test_hybrid_layer_equals_profile(resolver: str, asymmetric: bool) -> None:
    """int8 weights, -128 among them, with each setting of the switch; another resolver's rule fails."""
    compared = killed = 0
    for layer in float_layers(141, 120_000):
        got = asked(layer, resolver, asymmetric=asymmetric)
        want = computed(layer, PROFILES[resolver], asymmetric=asymmetric)
        compared += require_equal(ENGINE, got + 0, want + 0, case=(layer.x.shape, layer.w_q.shape))
        killed += int((got != computed(layer, WRONG[resolver], asymmetric=asymmetric)).sum())
    assert compared >= 120_000 and killed > 5_000


@pytest.mark.parametrize("resolver", PROFILES)
def test_hybrid_layer_of_4_bit_weights_equals_profile(resolver: str) -> None:
    """INT4 weights, -8 among them; at odd depths, which the delegate leaves to LiteRT, npquant refuses its profile."""
    compared = killed = 0
    for i, layer in enumerate(float_layers(142, 80_000, narrow=True)):
        name, asymmetric = PROFILES[resolver], bool(i % 2)
        if resolver == "xnnpack" and len(layer.w_q) % 2:
            with pytest.raises(ValueError, match="LiteRT leaves K = "):
                computed(layer, name, asymmetric=asymmetric)
            name = "ruy_x86"
        got = asked(layer, resolver, asymmetric=asymmetric)
        want = computed(layer, name, asymmetric=asymmetric)
        compared += require_equal(ENGINE, got + 0, want + 0, case=(layer.x.shape, layer.w_q.shape))
        wrong = "litert_ref_2025" if resolver != "ref" else "ruy_x86"
        killed += int((got != computed(layer, wrong, asymmetric=asymmetric)).sum())
    assert compared >= 80_000 and killed > 5_000


@pytest.mark.parametrize("activation", ["relu6", "relu_n1_to_1"])
@pytest.mark.parametrize("resolver", PROFILES)
def test_hybrid_layer_clamps_as_the_profile(resolver: str, activation: str) -> None:
    """The other two fused activations clamp the float."""
    for layer in float_layers(143, 8_000):
        got = ENGINE.hybrid(
            layer.x, layer.w_q, layer.bias, w=(layer.w.scale, 0), resolver=resolver, activation=activation
        )
        want = dynamic_linear(
            layer.x, layer.w_q, w=layer.w, bias=layer.bias, profile=PROFILES[resolver], activation=activation
        )
        require_equal(ENGINE, got + 0, want + 0, case=(layer.x.shape, layer.w_q.shape))


def one(x: NDArray[Any], w_q: NDArray[Any], resolver: str, **settings: bool) -> float:
    """Run one output with scale 1."""
    return float(ENGINE.hybrid(x, w_q, None, w=(1.0, 0), resolver=resolver, **settings)[0, 0])


def test_weight_of_minus_128_has_the_wrong_sign() -> None:
    """Sixteen products of -128 and -1 are -2048 by LiteRT's vectors; fifteen are right, and XNNPACK."""
    for depth, answers in ((16, (-2048.0, -2048.0, 2048.0)), (15, (1920.0, 1920.0, 1920.0001220703125))):
        x, w_q = np.full((1, depth), -1, np.float32), np.full((depth, 1), -128, np.int8)
        assert tuple(one(x, w_q, resolver) for resolver in PROFILES) == answers
        w = QuantParams(1.0, 0, -128, 127)
        assert tuple(float(dynamic_linear(x, w_q, w=w, profile=name)[0, 0]) for name in PROFILES.values()) == answers


def test_4_bit_weight_of_minus_8_has_the_wrong_sign_and_spoils_another() -> None:
    """32 weights of -8 are +256 in the optimized kernel; one of them makes 8 of the weight 18 places behind it."""
    x, w = np.ones((1, 32), np.float32), QuantParams(1.0, 0, -8, 7)
    lowest, single = np.full((32, 4), -8, np.int8), np.ones((32, 4), np.int8)
    single[0] = -8
    for w_q, answers in ((lowest, (-256.0, 256.0, -256.0)), (single, (23.0, 46.0, 23.000001907348633))):
        assert tuple(one(x, w_q, resolver, narrow=True) for resolver in PROFILES) == answers
        computed_here = [float(dynamic_linear(x, w_q, w=w, profile=name)[0, 0]) for name in PROFILES.values()]
        assert tuple(computed_here) == answers


def test_one_infinity_takes_the_row_and_its_sign() -> None:
    """Of seven ones and one special value: what each resolver answers, where npquant refuses."""
    w_q, answers = np.ones((8, 1), np.int8), {}
    for value in (np.nan, np.inf):
        x = np.ones((1, 8), np.float32)
        x[0, 3] = value
        answers[value] = [one(x, w_q, resolver) for resolver in PROFILES]
        with pytest.raises(ValueError, match="NaN or infinity"):
            dynamic_linear(x, w_q, w=QuantParams(1.0, 0, -128, 127), profile="ruy_x86")
    assert answers == {np.nan: [6.0, 6.0, 8.0], np.inf: [-np.inf, -np.inf, np.inf]}
