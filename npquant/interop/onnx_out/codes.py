"""Codes in an ONNX graph, and what takes codes to codes: intervals and tables.

A runtime fuses a layer into integers where it stands between DequantizeLinear and QuantizeLinear. In form "qdq" every
step between two layers is therefore float, and exact: f32(s (q - z)) / s lies within 2^-23 |q - z| of q - z.

Legend: graph what is written so far; codes what is worked on; x names real values in it; params a quantization, y that
of a table's codes; name what a node is called; low and high the codes that are left; form as in `integer_graph`;
function "sigmoid" or "tanh"; table a code of y for each code of `codes`, from its qmin on.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from npquant.interop.onnx_out.graph import TYPES, Graph
from npquant.kernels.affine import dequantize as dequantized
from npquant.kernels.lookup import FUNCTIONS
from npquant.kernels.qparams import QuantParams

# How far off a runtime's own sigmoid or tanh may be, in real units, for a table to be left to it.
FUNCTION_ERROR: Final = 2.0**-20
_OPERATORS: Final = MappingProxyType({"sigmoid": "Sigmoid", "tanh": "Tanh"})


class Codes(NamedTuple):
    """Codes by the name of their value, and what they mean: params, and the names of scale and zero point."""

    q: str
    params: QuantParams
    scale: str
    zero_point: str


def codes_of(graph: Graph, q: str, params: QuantParams, name: str) -> Codes:
    """Name scale and zero point of the codes q."""
    scale = graph.constant(f"{name}.scale", np.array(params.scale, np.float32))
    return Codes(q, params, scale, graph.constant(f"{name}.zero_point", np.array(params.zero_point, params.dtype)))


def quantize(graph: Graph, x: str, codes: Codes, name: str) -> Codes:
    """QuantizeLinear of x, as `codes` says."""
    return codes._replace(q=graph.node("QuantizeLinear", (x, codes.scale, codes.zero_point), name))


def dequantize(graph: Graph, codes: Codes, name: str) -> str:
    """DequantizeLinear: f32(s (q - z))."""
    return graph.node("DequantizeLinear", (codes.q, codes.scale, codes.zero_point), name)


def add_clip(graph: Graph, codes: Codes, low: int, high: int, form: str, name: str) -> Codes:
    """Codes in [low, high]; nothing where that is all of their type, a Relu where it ends there and starts at 0."""
    dtype, z = codes.params.dtype, int(codes.params.zero_point)
    least, most = int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)
    if (low, high) == (least, most):
        return codes
    # An interval of one code is none that a reader takes; as real bounds it is.
    real = form == "qdq" or low == high
    ends: tuple[NDArray[Any], ...] = tuple(np.array(end, dtype) for end in (low, high))
    x = codes.q
    if real:
        x = dequantize(graph, codes, f"{name}.real")
        ends = tuple(np.array(np.float32(end - z) * np.float32(codes.params.scale)) for end in (low, high))
    if real and (low, high) == (z, most):
        x = graph.node("Relu", (x,), f"{name}.relu")
    else:
        bounds = [graph.constant(f"{name}.{end}", bound) for end, bound in zip(("low", "high"), ends, strict=True)]
        x = graph.node("Clip", (x, *bounds), f"{name}.clip")
    return quantize(graph, x, codes, f"{name}.clipped") if real else codes._replace(q=x)


def add_table(
    graph: Graph, codes: Codes, y: QuantParams, function: str, table: NDArray[Any], form: str, name: str
) -> Codes:
    """A table: the runtime's own function where every runtime's gives these codes, else a Gather."""
    x = dequantize(graph, codes, f"{name}.real")
    if is_safe_function(function, codes.params, y):
        x = graph.node(_OPERATORS[function], (x,), f"{name}.{function}")
    else:
        x = _look_up(graph, x, codes, dequantized(table, y), name)
    found = quantize(graph, x, codes_of(graph, "", y, name), f"{name}.codes")
    return add_clip(graph, found, y.qmin, y.qmax, form, name)


def _look_up(graph: Graph, x: str, codes: Codes, values: NDArray[np.float32], name: str) -> str:
    """Real values by real values; the index is round(x / s) + z - qmin: in float, so that the layer before is fused."""
    steps = graph.node("Round", (graph.node("Div", (x, codes.scale), f"{name}.quotient"),), f"{name}.steps")
    wide = graph.node("Cast", (steps,), f"{name}.wide", {"to": TYPES["int32"]})
    least = graph.constant(f"{name}.least", np.array(codes.params.qmin - int(codes.params.zero_point), np.int32))
    index = graph.node("Sub", (wide, least), f"{name}.index")
    return graph.node("Gather", (graph.constant(f"{name}.values", values), index), f"{name}.found")


def is_safe_function(function: str, params: QuantParams, y: QuantParams) -> bool:
    """Whether no value of function lies so near a tie of y that FUNCTION_ERROR could move its code.

    >>> one = QuantParams(1 / 16, 0, -128, 127)
    >>> is_safe_function("sigmoid", one, QuantParams(1 / 256, -128, -128, 127))
    True
    """
    if function not in _OPERATORS:
        return False
    q = np.arange(params.qmin, params.qmax + 1) - int(params.zero_point)
    with np.errstate(under="ignore"):
        v = FUNCTIONS[function][0](q * np.float64(params.scale)) / np.float64(y.scale)
    # The argument and the quotient round to float32: |f'| |x| < 1, so that v is off by less than 2^-22 |v| besides.
    error = FUNCTION_ERROR / np.float64(y.scale) + np.abs(v) * 2.0**-22
    return bool((np.abs(v - np.floor(v) - 0.5) > error).all())
