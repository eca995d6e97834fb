"""torch's dynamic linear layers are the profiles' dynamic rules, bit for bit, in its four engines."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from npquant import QuantParams
from npquant.integer.dynamic_layer import DynamicLayer
from npquant.integer.dynamic_mlp import DynamicMLP
from npquant.profiles import get
from npquant.profiles.dynamic import dynamic_linear
from tests.peers import adversarial, machine
from tests.peers import engines_torch as ENGINE
from tests.peers.comparison import require_equal
from tests.peers.dynamic_layers import float_layers

pytestmark = pytest.mark.peer
each_engine = pytest.mark.parametrize("engine", ENGINE.ENGINES)


def profile_of(engine: str) -> str:
    """Name the profile of an engine on this machine."""
    exact = machine.sums_pairs_exactly()
    names = {
        "fbgemm": "fbgemm" if exact else "fbgemm_pair16",
        "x86": "fbgemm" if exact else "fbgemm_pair16",
        "onednn": "onednn_vnni" if exact else "onednn_avx2",
    }
    return names.get(engine, "qnnpack")


def skip_without(engine: str) -> None:
    """Skip an engine that this build of torch does not have."""
    if engine not in ENGINE.available_engines():
        pytest.skip(f"this torch has no engine {engine}")


@each_engine
def test_linear_dynamic_equals_profile(engine: str) -> None:
    """Per tensor and per channel, with and without bias and relu, in the full and the reduced range."""
    skip_without(engine)
    compared = killed = 0
    name = profile_of(engine)
    wrong = "ort" if engine != "qnnpack" else "fbgemm"
    for i, layer in enumerate(float_layers(151, 120_000)):
        reduced = bool(i % 3 == 1) and engine != "qnnpack"
        settings = {"w": layer.w, "bias": layer.bias, "activation": "relu" if layer.relu else "none"}
        got = ENGINE.linear_dynamic(
            layer.x, layer.w_q, layer.bias, w=(layer.w.scale, 0), engine=engine, relu=layer.relu, reduce_range=reduced
        )
        variant = "reduce_range" if reduced else None
        want = dynamic_linear(layer.x, layer.w_q, profile=name, variant=variant, **settings)
        compared += require_equal(ENGINE, got + 0, want + 0, case=(layer.x.shape, layer.w_q.shape, reduced))
        other = dynamic_linear(layer.x, layer.w_q, profile=wrong, **settings)
        killed += int((got != other).sum())
    assert compared >= 120_000 and killed > 5_000


@pytest.mark.parametrize("engine", ["fbgemm", "x86", "qnnpack"])
def test_linear_dynamic_honours_weight_zero_points(engine: str) -> None:
    """One for all, or one a column."""
    skip_without(engine)
    rng, compared = np.random.default_rng(152), 0
    for layer in float_layers(152, 20_000):
        zero = rng.integers(-128, 128, np.shape(layer.w.scale))
        w = QuantParams(layer.w.scale, zero, -128, 127)
        got = ENGINE.linear_dynamic(layer.x, layer.w_q, layer.bias, w=(w.scale, w.zero_point), engine=engine)
        want = dynamic_linear(layer.x, layer.w_q, w=w, bias=layer.bias, profile=profile_of(engine))
        compared += require_equal(ENGINE, got + 0, want + 0, case=(layer.x.shape, layer.w_q.shape))
    assert compared >= 20_000


@pytest.mark.parametrize("engine", ["fbgemm", "x86"])
def test_linear_dynamic_of_small_weights_is_the_same_on_every_x86(engine: str) -> None:
    """No pair of 255 and 64 saturates: without VNNI too the record with exact sums answers."""
    skip_without(engine)
    compared = 0
    for layer in float_layers(154, 20_000):
        w_q = (layer.w_q >> 1).astype(np.int8)
        got = ENGINE.linear_dynamic(layer.x, w_q, layer.bias, w=(layer.w.scale, 0), engine=engine)
        want = dynamic_linear(layer.x, w_q, w=layer.w, bias=layer.bias, profile="fbgemm")
        compared += require_equal(ENGINE, got + 0, want + 0, case=(layer.x.shape, layer.w_q.shape))
    assert compared >= 20_000


@each_engine
def test_dynamic_network_equals_engine(engine: str) -> None:
    """Three layers in a row; the modules of torch.nn.quantized.dynamic pass the reduced range."""
    skip_without(engine)
    rng, compared = np.random.default_rng(155), 0
    profile = get(profile_of(engine))
    for variant in (None, *dict(profile.dynamic.variants)):
        for rows in (1, 7, 64):
            widths, layers = (int(rng.integers(1, 90)), 33, 16, 5), []
            for k, n in pairwise(widths):
                w_q, w = adversarial.codes(rng, (k, n), "int8"), QuantParams(rng.uniform(1e-3, 1e-2, n), 0, -128, 127)
                layers.append(DynamicLayer(w_q, w, rng.normal(size=n), "relu" if n != 5 else "identity"))
            y = x = rng.normal(0, 3, (rows, widths[0])).astype(np.float32)
            for layer in layers:
                y = ENGINE.linear_dynamic(
                    y, np.array(layer.w_q), np.array(layer.b), w=(layer.w.scale, 0), engine=engine,
                    relu=layer.activation == "relu", reduce_range=variant is not None,
                )  # fmt: skip
            net = DynamicMLP(tuple(layers), "batch", profile, variant)
            compared += require_equal(ENGINE, y + 0, net.logits(x) + 0, case=(engine, variant, rows))
    assert compared >= 300


@each_engine
def test_linear_dynamic_stretches_small_ranges_as_the_profile(engine: str) -> None:
    """Ranges from nothing to the largest float32: a scale of 0.1, the smallest scale, and outputs that overflow."""
    skip_without(engine)
    rng, compared = np.random.default_rng(153), 0
    for exponent in (-149, -148, -130, -126, -60, -20, -14, -12, 100, 126):
        for low in (-1.0, 0.0, -0.01):
            x: NDArray[np.float32] = np.ldexp(rng.uniform(low, 1, (3, 19)), exponent).astype(np.float32)
            for tensor in (x, -x):
                w_q = rng.integers(-127, 128, (19, 5)).astype(np.int8)
                got = ENGINE.linear_dynamic(tensor, w_q, None, w=(1.0, 0), engine=engine)
                want = dynamic_linear(tensor, w_q, w=QuantParams(1.0, 0, -128, 127), profile=profile_of(engine))
                compared += require_equal(ENGINE, got + 0, want + 0, case=(exponent, low))
    assert compared >= 900
