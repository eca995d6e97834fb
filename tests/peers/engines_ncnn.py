"""ncnn's int8 operators on networks of one or two layers, their text and weights written here, one thread.

Legend: B batch, K contracted depth, N outputs; x_q (B, K), w_q (K, N) codes; a pair (scale, zero_point) stands for a
tensor's affine map, whose zero point is 0. ncnn holds codes per unit, k = f32(1 / s).
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

PACKAGE = "ncnn"
STUDIED_VERSION = "1.0.20261020"
EXTRA = "engines"

_INT8_WEIGHTS = np.uint32(0x000D4B38).tobytes()
_ACTIVATIONS = {
    "none": "",
    "relu": " 9=1",
    "clipped_relu": " 9=3 -23310=2,0.0,1.0",
    "relu6": " 9=3 -23310=2,0.0,6.0",
    "relu_n1_to_1": " 9=3 -23310=2,-1.0,1.0",
}

Affine = tuple[ArrayLike, ArrayLike]


def installed_version() -> str:
    """Return the version of the installed engine."""
    return version(PACKAGE)


def per_unit(scale: ArrayLike) -> NDArray[np.float32]:
    """Return f32(1 / s)."""
    return np.asarray(np.float32(1) / np.asarray(scale, np.float32))


def _run(layers: tuple[str, ...], weights: bytes, x: NDArray[Any]) -> NDArray[np.float32]:
    """Run layers that hand one blob on, from blob 0 to the last; codes come back as float32 numbers."""
    import ncnn

    lines = []
    for i, layer in enumerate(layers):
        kind, _, values = layer.partition(" ")
        lines.append(f"{kind} layer{i} 1 1 {i} {i + 1} {values}")
    count = len(layers) + 1
    net = ncnn.Net()
    net.opt.num_threads = 1
    net.opt.use_vulkan_compute = False
    if net.load_param_mem("\n".join(["7767517", f"{count} {count}", "Input in 0 1 0", *lines, ""])):
        raise RuntimeError(f"ncnn does not read {layers}")
    net.load_model_mem(weights)
    with net.create_extractor() as extractor:
        extractor.input("0", ncnn.Mat(np.ascontiguousarray(x)))
        failed, out = extractor.extract(str(count - 1))
        if failed:
            raise RuntimeError(f"ncnn does not run {layers}: {failed}")
        return np.array(out)


def _codes(out: NDArray[np.float32]) -> NDArray[np.int8]:
    return out.astype(np.int8)


def quantize(x: NDArray[np.float32], *, y: Affine) -> NDArray[np.int8]:
    """Run Quantize on a vector, or on a matrix of rows."""
    return _codes(_run(("Quantize 0=1",), per_unit(y[0]).tobytes(), x))


def dequantize(x_q: NDArray[np.int8], *, x: Affine) -> NDArray[np.float32]:
    """Run Dequantize, whose input is int32."""
    return _run(("Dequantize 0=1 1=0",), np.float32(x[0]).tobytes(), x_q.astype(np.int32))


def requantize(
    acc: NDArray[np.int32], m: np.float32, k: np.float32, bias: np.float32 | None = None, activation: str = "none"
) -> NDArray[np.int8]:
    """Run Requantize: real values by m, codes by k; a bias is real."""
    chosen = _ACTIVATIONS[activation].replace(" 9=", " 3=").replace("23310", "23304")
    weights = np.float32([m, k] if bias is None else [m, k, bias])
    return _codes(_run((f"Requantize 0=1 1=1 2={int(bias is not None)}{chosen}",), weights.tobytes(), acc))


def _inner_product(
    w_q: NDArray[np.int8], bias: NDArray[np.float32] | None, x: Affine, w: Affine, activation: str
) -> tuple[str, bytes]:
    depth, n = w_q.shape
    codes = np.ascontiguousarray(w_q.T).tobytes()
    kw = np.broadcast_to(per_unit(w[0]), n)
    weights = [_INT8_WEIGHTS, codes, bytes(-len(codes) % 4), b"" if bias is None else bias.astype(np.float32).tobytes()]
    weights += [kw.tobytes(), per_unit(x[0]).tobytes()]
    has_bias = int(bias is not None)
    return f"InnerProduct 0={n} 1={has_bias} 2={depth * n} 8=2{_ACTIVATIONS[activation]}", b"".join(weights)


def inner_product(
    x_q: NDArray[np.int8],
    w_q: NDArray[np.int8],
    bias: NDArray[np.float32] | None,
    *,
    x: Affine,
    w: Affine,
    activation: str = "none",
) -> NDArray[np.float32]:
    """Run InnerProduct on codes: real outputs (B, N)."""
    layer, weights = _inner_product(w_q, bias, x, w, activation)
    return _run((layer,), weights, x_q)


def linear(
    x_q: NDArray[np.int8],
    w_q: NDArray[np.int8],
    bias: NDArray[np.float32] | None,
    *,
    x: Affine,
    w: Affine,
    y: Affine,
    activation: str = "none",
) -> NDArray[np.int8]:
    """Run InnerProduct on codes, then Quantize."""
    layer, weights = _inner_product(w_q, bias, x, w, activation)
    return _codes(_run((layer, "Quantize 0=1"), weights + per_unit(y[0]).tobytes(), x_q))
