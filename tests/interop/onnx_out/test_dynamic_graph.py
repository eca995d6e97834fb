"""A dynamic network as ONNX is npquant's own arithmetic to the last bit, or the engine's where that is its profile."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from npquant.integer.dynamic_layer import DynamicLayer
from npquant.integer.dynamic_mlp import DynamicMLP
from npquant.interop.consumers.onnxruntime import run_onnxruntime, version_onnxruntime
from npquant.interop.onnx_out.dynamic_graph import encode_dynamic
from npquant.kernels.qparams import QuantParams
from npquant.profiles import get

needs_onnxruntime = pytest.mark.skipif(version_onnxruntime() is None, reason="onnxruntime is not installed")
SIZES = (33, 20, 17, 9)


def network(
    rng: np.random.Generator, granularity: str, bits: int, *, zeros: bool = False, most: int = 127, **other: Any
) -> Any:
    """Draw a network whose activations are exact."""
    layers = []
    for k, n, activation in zip(SIZES, SIZES[1:], ("relu", "clipped_relu", "identity"), strict=False):
        zw = rng.integers(-5, 6, n) if zeros else np.zeros(n, np.int64)
        w = QuantParams(rng.uniform(0.001, 0.01, n), zw, -128, 127)
        w_q = rng.integers(-most, most + 1, (k, n)).astype(np.int8)
        layers.append(DynamicLayer(w_q, w, rng.normal(size=n), activation, bits))
    return DynamicMLP(tuple(layers), granularity, **other)


def inputs(rng: np.random.Generator, rows: int, spread: float) -> np.ndarray:
    """Draw rows of many ranges, with ties, zeros, one side only, and numbers below float32's normal ones."""
    x = (rng.normal(size=(rows, SIZES[0])) * 10.0 ** rng.uniform(-spread, spread / 6, (rows, 1))).astype(np.float32)
    x[0], x[1], x[2], x[3] = 0, np.arange(SIZES[0]), -5, 1e-42
    x[4 : rows // 4] = rng.integers(-255, 256, (rows // 4 - 4, SIZES[0])) / 2
    return x


@pytest.mark.peer
@needs_onnxruntime
@pytest.mark.parametrize("granularity", ["row", "batch"])
@pytest.mark.parametrize("bits", [8, 4, 2])
def test_encode_dynamic_is_equal_to_the_last_bit(granularity: str, bits: int, tmp_path: Path) -> None:
    """onnxruntime gives the network's float32 outputs bit for bit: a range a row or a batch, any width of codes."""
    rng, path = np.random.default_rng([bits, len(granularity)]), tmp_path / "net.onnx"
    net = network(rng, granularity, bits, zeros=bits == 4)
    path.write_bytes(encode_dynamic(net, "none"))
    x = inputs(rng, 2000, 40.0 if granularity == "row" else 1.0)
    assert np.array_equal(run_onnxruntime(path, x), net.logits(x))


@pytest.mark.peer
@needs_onnxruntime
@pytest.mark.parametrize("most", [60, 127])
def test_encode_dynamic_of_an_engines_profile_is_equal(most: int, tmp_path: Path) -> None:
    """Under profile "ort", DynamicQuantizeLinear and weights that no pair saturates with, whatever their size."""
    rng, path = np.random.default_rng(most), tmp_path / "net.onnx"
    net = network(rng, "batch", 8, zeros=True, most=most, profile=get("ort"))
    data = encode_dynamic(net, "none")
    path.write_bytes(data)
    assert b"DynamicQuantizeLinear" in data
    for _ in range(20):
        x = inputs(rng, 20, 1.0)
        assert np.array_equal(run_onnxruntime(path, x), net.logits(x))


@pytest.mark.peer
def test_encode_dynamic_is_what_the_checker_accepts() -> None:
    """onnx.checker takes both forms."""
    onnx = pytest.importorskip("onnx")
    for profile in ("npquant", "ort"):
        data = encode_dynamic(network(np.random.default_rng(1), "batch", 8, profile=get(profile)), "softmax")
        onnx.checker.check_model(data, full_check=True)


def test_encode_dynamic_refuses_functions() -> None:
    """A sigmoid between dynamic layers would be another code beside ties: refused by layer and name."""
    one = QuantParams(0.5, 0, -128, 127)
    layer = DynamicLayer(np.array([[1]], np.int8), one, [0.0], "sigmoid")
    with pytest.raises(ValueError, match="layer 0: a dynamic sigmoid"):
        encode_dynamic(DynamicMLP((layer,)), "none")


def test_encode_dynamic_refuses_engines_that_run_no_onnx() -> None:
    """The operators of ONNX are another arithmetic than fbgemm's or XNNPACK's layer."""
    one = QuantParams(0.5, 0, -128, 127)
    layer = DynamicLayer(np.array([[1]], np.int8), one, [0.0], "relu")
    for name, granularity in (("fbgemm", "batch"), ("xnnpack_fp32", "row")):
        with pytest.raises(ValueError, match=f"no ONNX operators compute as {name} does"):
            encode_dynamic(DynamicMLP((layer,), granularity, get(name)), "none")
