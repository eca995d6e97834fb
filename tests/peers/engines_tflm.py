"""TFLite-Micro's int8 operators on whole models built in memory: NumPy arrays in, NumPy arrays out.

Legend: B batch, K contracted depth, N outputs; a pair (scale, zero_point) stands for a tensor's affine map.
Weights come as (K, N) and are stored as TFLite wants them, (N, K).
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.peers.engines_litert import Affine, Codes, fully_connected_tensors, tensor
from tests.peers.tflite_writer import Operator, Tensor, write_model

PACKAGE = "tflite-micro"
STUDIED_VERSION = "0.dev20261023182759"
EXTRA = "peers"


def installed_version() -> str:
    """Return the version of the installed engine."""
    return version(PACKAGE)


def run(model: bytes, x: NDArray[Any]) -> NDArray[Any]:
    """Run a one-input, one-output model and return its output."""
    from tflite_micro.python.tflite_micro import runtime

    interpreter = runtime.Interpreter.from_bytes(model, arena_size=200_000 + 40 * x.size + 4 * len(model))
    interpreter.set_input(x, 0)
    interpreter.invoke()
    return np.array(interpreter.get_output(0))


def fully_connected(
    x_q: Codes,
    w_q: Codes,
    bias: NDArray[np.integer[Any]] | None,
    *,
    x: Affine,
    w: Affine,
    y: Affine,
    activation: str = "none",
    bias_type: str | None = None,
    narrow: bool = False,
    output: str | None = None,
) -> Codes:
    """Run FULLY_CONNECTED on (B, K) by (K, N); several weight scales mean per channel, narrow weights are INT4."""
    tensors = fully_connected_tensors(x_q, w_q, bias, x=x, w=w, y=y, narrow=narrow, output=output)
    model = write_model(Operator.FULLY_CONNECTED, tensors, activation=activation, bias_type=bias_type)
    return run(model, x_q)


def _unary(operator: Operator, q: NDArray[Any], before: Tensor, after: Tensor, beta: float = 1.0) -> NDArray[Any]:
    return run(write_model(operator, (before, after), beta=beta), q)


def quantize(x: NDArray[np.float32], *, y: Affine, dtype: str) -> Codes:
    """Run QUANTIZE, float32 to codes."""
    return _unary(Operator.QUANTIZE, x, tensor(x.shape, x.dtype), tensor(x.shape, dtype, y))


def requantize(x_q: Codes, *, x: Affine, y: Affine, dtype: str) -> Codes:
    """Run QUANTIZE, codes to codes."""
    return _unary(Operator.QUANTIZE, x_q, tensor(x_q.shape, x_q.dtype, x), tensor(x_q.shape, dtype, y))


def dequantize(x_q: Codes, *, x: Affine) -> NDArray[np.float32]:
    """Run DEQUANTIZE, codes to float32."""
    return _unary(Operator.DEQUANTIZE, x_q, tensor(x_q.shape, x_q.dtype, x), tensor(x_q.shape, "float32"))


def activate(name: str, x_q: Codes, *, x: Affine, y: Affine) -> Codes:
    """Run a stand-alone activation: sigmoid, tanh, relu or relu6."""
    operator = {
        "sigmoid": Operator.LOGISTIC,
        "tanh": Operator.TANH,
        "relu": Operator.RELU,
        "relu6": Operator.RELU6,
    }[name]
    return _unary(operator, x_q, tensor(x_q.shape, x_q.dtype, x), tensor(x_q.shape, x_q.dtype, y))


def softmax(x_q: Codes, *, x: Affine, y: Affine, beta: float) -> Codes:
    """Run SOFTMAX over the last axis; rows of 512 codes and more can abort the process and are not for here."""
    if x_q.shape[-1] > 511:
        raise ValueError(f"rows of {x_q.shape[-1]} codes can abort the process; use at most 511")
    tensors = tensor(x_q.shape, x_q.dtype, x), tensor(x_q.shape, x_q.dtype, y)
    return _unary(Operator.SOFTMAX, x_q, *tensors, beta=beta)
