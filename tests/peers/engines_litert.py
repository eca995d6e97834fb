"""LiteRT's 8-bit operators on whole models built in memory: NumPy arrays in, NumPy arrays out.

Legend: B batch, K contracted depth, N outputs; a pair (scale, zero_point) stands for a tensor's
affine map. Weights come as (K, N) and are stored as LiteRT wants them, (N, K).

The three resolvers compute three arithmetics: ``xnnpack`` (AUTO, the delegate), ``ref``
(BUILTIN_REF) and ``opt`` (BUILTIN_WITHOUT_DEFAULT_DELEGATES: ruy and the vector kernels).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tests.peers.tflite_writer import Operator, Tensor, write_model

PACKAGE = "ai-edge-litert"
STUDIED_VERSION = "2.3.0"
EXTRA = "peers"
RESOLVERS = ("xnnpack", "ref", "opt")

# The fixed-point softmax shifts by 35 - clz(sum) and kills the process where that exceeds 31,
# which takes a sum of exponentials of 512, hence a row of at least 512.
_SOFTMAX_REF_LONGEST_ROW = 511

Affine = tuple[ArrayLike, ArrayLike]
Codes = NDArray[np.int8] | NDArray[np.uint8]


def installed_version() -> str:
    """Return the version of the installed engine."""
    return version(PACKAGE)


def run(model: bytes, x: NDArray[Any], *, resolver: str) -> NDArray[Any]:
    """Run a one-input, one-output model under one resolver and return a copy of the output."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    kind = {
        "xnnpack": OpResolverType.AUTO,
        "ref": OpResolverType.BUILTIN_REF,
        "opt": OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    }[resolver]
    interpreter = Interpreter(model_content=model, experimental_op_resolver_type=kind, num_threads=1)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
    interpreter.invoke()
    return np.array(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]))


def fully_connected(
    x_q: Codes,
    w_q: Codes,
    bias: NDArray[np.integer[Any]] | None,
    *,
    x: Affine,
    w: Affine,
    y: Affine,
    resolver: str,
    activation: str = "none",
    bias_type: str | None = None,
    narrow: bool = False,
    output: str | None = None,
) -> Codes:
    """Run FULLY_CONNECTED on (B, K) by (K, N); several weight scales mean per channel, narrow weights are INT4.

    output is the type of the outputs where it is not that of the inputs.
    """
    tensors = fully_connected_tensors(x_q, w_q, bias, x=x, w=w, y=y, narrow=narrow, output=output)
    model = write_model(Operator.FULLY_CONNECTED, tensors, activation=activation, bias_type=bias_type)
    return run(model, x_q, resolver=resolver)


def fully_connected_tensors(
    x_q: Codes,
    w_q: Codes,
    bias: NDArray[np.integer[Any]] | None,
    *,
    x: Affine,
    w: Affine,
    y: Affine,
    narrow: bool = False,
    output: str | None = None,
) -> tuple[Tensor, ...]:
    """Return the tensors of FULLY_CONNECTED, three without a bias; the weights are stored as (N, K)."""
    weights = tensor(w_q.T.shape, w_q.dtype, w, data=w_q.T)
    return (
        tensor(x_q.shape, x_q.dtype, x),
        replace(weights, dtype="int4") if narrow else weights,
        *(() if bias is None else (_bias(bias, x, w),)),
        tensor((x_q.shape[0], w_q.shape[1]), output or x_q.dtype, y),
    )


def hybrid(
    x: NDArray[np.float32],
    w_q: NDArray[np.int8],
    bias: NDArray[np.float32] | None,
    *,
    w: Affine,
    resolver: str,
    narrow: bool = False,
    activation: str = "none",
    asymmetric_inputs: bool = False,
) -> NDArray[np.float32]:
    """Run FULLY_CONNECTED on float (B, K) by integer (K, N), float out; narrow weights are INT4."""
    weights = tensor(w_q.T.shape, w_q.dtype, w, data=np.ascontiguousarray(w_q.T))
    tensors = (
        tensor(x.shape, x.dtype),
        replace(weights, dtype="int4") if narrow else weights,
        *(() if bias is None else (tensor(bias.shape, bias.dtype, data=bias),)),
        tensor((x.shape[0], w_q.shape[1]), x.dtype),
    )
    model = write_model(Operator.FULLY_CONNECTED, tensors, activation=activation, asymmetric_inputs=asymmetric_inputs)
    return run(model, x, resolver=resolver)


def convolution_1x1(
    x_q: Codes,
    w_q: Codes,
    bias: NDArray[np.integer[Any]],
    *,
    x: Affine,
    w: Affine,
    y: Affine,
    resolver: str,
    activation: str = "none",
    bias_type: str | None = None,
    narrow: bool = False,
) -> Codes:
    """Run CONV_2D with a 1 x 1 kernel: the same matrix product as FULLY_CONNECTED; narrow weights are INT4."""
    rows, depth = x_q.shape
    n = w_q.shape[1]
    weights = tensor((n, 1, 1, depth), w_q.dtype, w, data=w_q.T)
    tensors = (
        tensor((1, rows, 1, depth), x_q.dtype, x),
        replace(weights, dtype="int4") if narrow else weights,
        _bias(bias, x, w),
        tensor((1, rows, 1, n), x_q.dtype, y),
    )
    model = write_model(Operator.CONV_2D, tensors, activation=activation, bias_type=bias_type)
    return run(model, x_q.reshape(1, rows, 1, depth), resolver=resolver).reshape(rows, n)


def quantize(x: NDArray[np.float32], *, y: Affine, dtype: str, resolver: str) -> Codes:
    """Run QUANTIZE, float32 to 8 bits."""
    tensors = (tensor(x.shape, x.dtype), tensor(x.shape, dtype, y))
    return run(write_model(Operator.QUANTIZE, tensors), x, resolver=resolver)


def requantize(x_q: Codes, *, x: Affine, y: Affine, dtype: str, resolver: str) -> Codes:
    """Run QUANTIZE, 8 bits to 8 bits."""
    tensors = (tensor(x_q.shape, x_q.dtype, x), tensor(x_q.shape, dtype, y))
    return run(write_model(Operator.QUANTIZE, tensors), x_q, resolver=resolver)


def dequantize(x_q: Codes, *, x: Affine, resolver: str) -> NDArray[np.float32]:
    """Run DEQUANTIZE, 8 bits to float32."""
    tensors = (tensor(x_q.shape, x_q.dtype, x), tensor(x_q.shape, "float32"))
    return run(write_model(Operator.DEQUANTIZE, tensors), x_q, resolver=resolver)


def activate(name: str, x_q: Codes, *, x: Affine, y: Affine, resolver: str) -> Codes:
    """Run a stand-alone activation: logistic, tanh, relu or relu6."""
    operator = {
        "logistic": Operator.LOGISTIC,
        "tanh": Operator.TANH,
        "relu": Operator.RELU,
        "relu6": Operator.RELU6,
    }[name]
    tensors = (tensor(x_q.shape, x_q.dtype, x), tensor(x_q.shape, x_q.dtype, y))
    return run(write_model(operator, tensors), x_q, resolver=resolver)


def softmax(x_q: Codes, *, x: Affine, y: Affine, beta: float, resolver: str) -> Codes:
    """Run SOFTMAX over the last axis; refuse the rows on which the engine kills the process."""
    if resolver == "ref" and x_q.shape[-1] > _SOFTMAX_REF_LONGEST_ROW:
        raise ValueError(
            f"BUILTIN_REF softmax can abort the process on rows of {x_q.shape[-1]} codes; "
            f"use at most {_SOFTMAX_REF_LONGEST_ROW}"
        )
    tensors = (tensor(x_q.shape, x_q.dtype, x), tensor(x_q.shape, x_q.dtype, y))
    return run(write_model(Operator.SOFTMAX, tensors, beta=beta), x_q, resolver=resolver)


def tensor(
    shape: Sequence[int],
    dtype: Any,
    affine: Affine | None = None,
    *,
    data: NDArray[Any] | None = None,
) -> Tensor:
    """Make a tensor; one zero point serves all the channels."""
    name = np.dtype(dtype).name
    if affine is None:
        return Tensor(tuple(shape), name, data=data)
    scale = np.atleast_1d(np.asarray(affine[0], np.float32))
    zero_point = np.broadcast_to(np.asarray(affine[1], np.int64), scale.shape)
    return Tensor(tuple(shape), name, scale, zero_point, data)


def _bias(bias: NDArray[np.integer[Any]], x: Affine, w: Affine) -> Tensor:
    """Make the bias: scale f32(sx * sw), which Prepare checks and no kernel uses."""
    scale = np.asarray(x[0], np.float32) * np.atleast_1d(np.asarray(w[0], np.float32))
    return tensor(bias.shape, bias.dtype, (scale, 0), data=bias)
