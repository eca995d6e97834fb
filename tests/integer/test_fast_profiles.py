"""Under an engine's profile the prepared weights give the plain form's codes, and are not used where they could not."""

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npquant.integer.fast_profiles import prepare_for_profile, run_for_profile
from npquant.integer.layer import IntegerLayer, run_layer_plain
from npquant.integer.mlp import IntegerMLP
from npquant.kernels.qparams import QuantParams
from npquant.profiles import get, names

PROFILES = [name for name in names() if name != "npquant"]


def layer(seed: int, depth: int = 6, largest: int = 127) -> IntegerLayer:
    """Draw a layer whose outputs spread over the code range."""
    rng = np.random.default_rng(seed)
    activation = str(rng.choice(["identity", "relu", "relu6", "sigmoid"]))
    x = QuantParams(0.1, int(rng.integers(-128, 128)), -128, 127)
    w = QuantParams(rng.uniform(0.01, 0.1, 4), 0, -128, 127)
    y = QuantParams(1 / 256 if activation == "sigmoid" else 0.37, int(rng.integers(-128, 128)), -128, 127)
    pre = QuantParams(0.05, 3, -128, 127) if activation == "sigmoid" else None
    w_q = rng.integers(-largest, largest + 1, (depth, 4)).astype(np.int8)
    return IntegerLayer(w_q, rng.integers(-500, 500, 4).astype(np.int32), x, w, y, activation, pre)


def equals_plain(run: Any, seed: int, name: str) -> bool:
    """Say whether a prepared layer gives the plain codes; true where the layer is left to the plain form."""
    one, profile = layer(seed), get(name)
    prepared = prepare_for_profile(one, profile)
    if prepared is None:
        return True
    x_q = np.random.default_rng(seed).integers(-128, 128, (40, 6)).astype(np.int8)
    got, want = run((prepared,), x_q, profile), run_layer_plain(one, x_q, profile)
    return got.dtype == want.dtype and np.array_equal(got, want)


@pytest.mark.parametrize("name", PROFILES)
@given(seed=st.integers(0, 2**32 - 1))
def test_run_for_profile_equals_plain(name: Any, seed: int) -> None:
    """Bit for bit, for every profile, activation and zero point."""
    assert equals_plain(run_for_profile, seed, name)


def test_run_for_profile_law_kills_a_forgotten_zero_point_and_bias() -> None:
    """Leaving out the input's zero point or the bias is seen."""

    def without_zero(layers: Any, x_q: Any, profile: Any) -> Any:
        (part,) = layers
        moved = dataclasses.replace(part.layer, x=QuantParams(part.layer.x.scale, 0, -128, 127))
        return run_for_profile((dataclasses.replace(part, layer=moved),), x_q, profile)

    def without_bias(layers: Any, x_q: Any, profile: Any) -> Any:
        return run_for_profile((dataclasses.replace(layers[0], bias=layers[0].bias * 0),), x_q, profile)

    assert all(equals_plain(run_for_profile, seed, "ort") for seed in range(20))
    for mutant in (without_zero, without_bias):
        assert not all(equals_plain(mutant, seed, "ort") for seed in range(20))


@pytest.mark.parametrize("name", ["fbgemm", "onednn_vnni", "ort_pair16", "gemmini_f32"])
def test_prepare_for_profile_leaves_what_it_cannot_do(name: Any) -> None:
    """Float biases, uint8 engines, saturating pairs and refused layers go to the plain form."""
    assert prepare_for_profile(layer(0), get(name)) is None


def test_prepare_for_profile_stays_within_exact_float32() -> None:
    """A layer whose sums may pass 2^24 is left alone; the network still gives the exact codes."""
    deep = layer(1, depth=4000)
    assert prepare_for_profile(deep, get("ort")) is None
    net = IntegerMLP((deep,), deep.x, profile=get("ort"))
    x_q = np.full((2, 4000), -128, np.int8)
    assert np.array_equal(net.run(x_q), net.run_plain(x_q))
