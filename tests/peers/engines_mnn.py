"""MNN's int8 convolution and conversions on files built in memory, one thread: NumPy arrays in, NumPy arrays out.

Legend: B batch, K contracted depth, N outputs; a pair (scale, zero_point) stands for a tensor's affine map. Weights
come as (K, N); rows are pixels of a 1x1 convolution.
"""

from __future__ import annotations

from importlib.metadata import version
from tempfile import NamedTemporaryFile
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tests.peers.mnn_writer import Quant, write_conversions, write_layer

PACKAGE = "MNN"
STUDIED_VERSION = "3.6.1"
EXTRA = "engines"

Affine = tuple[ArrayLike, ArrayLike]


def installed_version() -> str:
    """Return the version of the installed engine."""
    return version(PACKAGE)


def _run(model: bytes, x: NDArray[np.float32]) -> NDArray[np.float32]:
    """Run a one-input, one-output model on real values in NCHW."""
    import MNN

    with NamedTemporaryFile(suffix=".mnn") as file:
        file.write(model)
        file.flush()
        net = MNN.Interpreter(file.name)
    session = net.createSession({"numThread": 1, "backend": "CPU", "precision": "high"})
    given = net.getSessionInput(session)
    given.copyFrom(MNN.Tensor(x.shape, MNN.Halide_Type_Float, np.ascontiguousarray(x), MNN.Tensor_DimensionType_Caffe))
    net.runSession(session)
    out = net.getSessionOutput(session)
    host = MNN.Tensor(
        out.getShape(), MNN.Halide_Type_Float, np.zeros(out.getShape(), np.float32), MNN.Tensor_DimensionType_Caffe
    )
    out.copyToHostTensor(host)
    return np.array(host.getNumpyData())


def _quant(pair: Affine, low: int, high: int) -> Quant:
    return Quant(float(np.float32(pair[0])), int(pair[1]), low, high)


def linear(
    x_q: NDArray[Any],
    w_q: NDArray[Any],
    bias: NDArray[np.float32] | None,
    *,
    x: Affine,
    w: Affine,
    y: Affine,
    relu: bool = False,
    low: int = -128,
    high: int = 127,
) -> NDArray[np.int8]:
    """Run a layer of codes; they come back exactly from what the engine dequantizes."""
    n = w_q.shape[1]
    given, made = _quant(x, -128, 127), _quant(y, low, high)
    alpha = np.broadcast_to(np.asarray(w[0], np.float32), n)
    real_bias = np.zeros(n, np.float32) if bias is None else bias
    model = write_layer(len(x_q), w_q, real_bias, alpha, given, made, relu=relu)
    real = (x_q.astype(np.float32) - np.float32(given.zero_point)) * np.float32(given.scale)
    out = _run(model, real.T[None, :, :, None])[0, :, :, 0].T
    codes = np.rint(out.astype(np.float64) / made.scale) + made.zero_point
    return codes.astype(np.int8)


def quantize_input(x: NDArray[np.float32], *, y: Affine) -> NDArray[np.int8]:
    """Quantize a vector as a layer's input, which a layer of one weight of 1 hands on."""
    made = _quant(y, -128, 127)
    one = np.ones(1, np.float32)
    model = write_layer(x.size, np.ones((1, 1), np.int8), np.zeros(1, np.float32), one, made, made, relu=False)
    out = _run(model, x[None, None, :, None]).ravel()
    return (np.rint(out.astype(np.float64) / made.scale) + made.zero_point).astype(np.int8)


def quantize(x: NDArray[np.float32], *, y: Affine) -> NDArray[np.int8]:
    """Run FloatToInt8 on a vector."""
    made = _quant(y, -128, 127)
    out = _run(write_conversions((1, 1, x.size, 1), made, 1.0), x[None, None, :, None]).ravel()
    return (out + np.float32(made.zero_point)).astype(np.int8)


def dequantize(x_q: NDArray[np.int8], *, x: Affine) -> NDArray[np.float32]:
    """Run Int8ToFloat on a vector."""
    steps = _quant((1.0, x[1]), -128, 127)
    real = x_q.astype(np.float32) - np.float32(steps.zero_point)
    model = write_conversions((1, 1, x_q.size, 1), steps, float(np.float32(x[0])))
    return _run(model, real[None, None, :, None]).ravel()
