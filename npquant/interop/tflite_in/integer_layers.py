"""A chain of integer operators as an IntegerMLP, with what stands before its first layer and behind its last.

The order that is read: QUANTIZE at the door or none; FULLY_CONNECTED layers, each with elementwise operators on codes
behind it (LOGISTIC, TANH, RELU, RELU6, RELU_N1_TO_1, QUANTIZE: one table of codes); SOFTMAX or LOGISTIC as the head;
QUANTIZE or DEQUANTIZE at the other door, or DEQUANTIZE and a head in float.

Legend: chain the operators in order; nodes them, the flattens left out; node one of them; profile the arithmetic that
the tables, and later the network, are computed by; p and q quantization of an operator's inputs and outputs, n values a
row.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from npquant.files.format_error import FormatError
from npquant.integer.layer import IntegerLayer
from npquant.interop.tflite_in.chain import Chain, Node
from npquant.interop.tflite_in.constants import CODES, constant, params_of
from npquant.interop.tflite_in.float_steps import check_layer_options, fused_name, softmax_beta
from npquant.interop.tflite_in.names import TYPES
from npquant.interop.tflite_in.tables import code_table
from npquant.kernels.lookup import activation_table
from npquant.kernels.qparams import QuantParams
from npquant.profiles.record import Profile, weight_type
from npquant.profiles.refusals import refuse_unsupported, refuse_wide

_FUSED: Final = MappingProxyType({"NONE": "identity", "RELU": "relu", "RELU6": "relu6", "RELU_N1_TO_1": "relu_n1_to_1"})
_TABLES: Final = ("LOGISTIC", "TANH", "RELU", "RELU6", "RELU_N1_TO_1", "QUANTIZE")
_HEADS: Final = MappingProxyType({"SOFTMAX": "softmax", "LOGISTIC": "logistic", "LOG_SOFTMAX": "logsoftmax"})
FLOAT: Final = "FLOAT32"


@dataclass(slots=True, eq=False)
class IntegerParts:
    """The layers, and what the file's own input, head and output are: params of codes, None for real values."""

    layers: list[IntegerLayer] = field(default_factory=list)
    inputs: QuantParams | None = None
    outputs: QuantParams | None = None
    head: str = "none"
    behind: QuantParams | None = None  # what the head writes, where it writes codes
    notes: list[str] = field(default_factory=list)


def is_integer(chain: Chain) -> bool:
    """True where a layer reads codes."""
    return any(n.operator.name == "FULLY_CONNECTED" and n.x.type in CODES for n in chain.nodes)


def read_integers(chain: Chain, profile: Profile) -> IntegerParts:
    """The layers of an integer chain and its doors. FormatError, naming the operator, where the order is another."""
    nodes = _without_reshapes(chain)
    parts = IntegerParts()
    at = _front(chain, nodes, parts)
    while at < len(nodes) and nodes[at].operator.name == "FULLY_CONNECTED":
        end = at + 1
        while end < len(nodes) and nodes[end].operator.name in _TABLES and _codes_to_codes(nodes[end]):
            end += 1
        last = not any(node.operator.name == "FULLY_CONNECTED" for node in nodes[end:])
        if last:
            end = at + 1 + _tables_before_the_door(nodes[at + 1 : end])
        parts.layers.append(_layer(chain, nodes[at], nodes[at + 1 : end], profile))
        at = end
    _back(chain, nodes[at:], parts)
    return parts


def _without_reshapes(chain: Chain) -> list[Node]:
    """The other nodes; a RESHAPE must leave its codes what they mean."""
    nodes = []
    for node in chain.nodes:
        if node.operator.name == "RESHAPE":
            same = node.x.type == node.y.type
            if not same or (node.x.type in CODES and params_of(chain.graph, node.x) != params_of(chain.graph, node.y)):
                raise FormatError(
                    chain.graph.name, node.operator.place, f"takes {node.x.said} to {node.y.said} of another meaning"
                )
        else:
            nodes.append(node)
    return nodes


def _codes_to_codes(node: Node) -> bool:
    return node.x.type in CODES and node.y.type in CODES


def _tables_before_the_door(nodes: list[Node]) -> int:
    """How many of the last layer's tables belong to it: a LOGISTIC, or a QUANTIZE after which nothing but QUANTIZEs
    comes, stands behind it."""
    names = [node.operator.name for node in nodes]
    while names and names[-1] == "QUANTIZE":
        names.pop()
    return len(names) - 1 if names and names[-1] == "LOGISTIC" else len(names)


def _front(chain: Chain, nodes: list[Node], parts: IntegerParts) -> int:
    """Read what stands before the first layer, and say where that is."""
    graph, first = chain.graph, nodes[0]
    parts.inputs = None if first.x.type == FLOAT else params_of(graph, first.x)
    if first.operator.name == "FULLY_CONNECTED":
        return 0
    second = nodes[1].operator.name if len(nodes) > 1 else ""
    if first.operator.name != "QUANTIZE" or second != "FULLY_CONNECTED":
        wrong = nodes[1].operator if first.operator.name == "QUANTIZE" else first.operator
        raise FormatError(
            graph.name, wrong.place, "stands before the first layer; one QUANTIZE may stand there in an integer file"
        )
    params_of(graph, first.y)
    parts.notes.append(f"{first.operator.place}: the inputs are quantized by the file")
    return 1


def _layer(chain: Chain, node: Node, tables: list[Node], profile: Profile) -> IntegerLayer:
    """One layer and the elementwise operators behind it, as one table."""
    graph, operator = chain.graph, node.operator
    check_layer_options(chain, node)
    if node.x.type not in CODES or node.y.type not in CODES:
        raise FormatError(
            graph.name, operator.place, f"takes {node.x.said} to {node.y.said}: layers of codes and of floats are mixed"
        )
    fused = fused_name(chain, node)
    if fused not in _FUSED:
        raise FormatError(graph.name, operator.place, f"has a fused {fused}, which codes have not; {', '.join(_FUSED)}")
    x, y = params_of(graph, node.x), params_of(graph, node.y)
    w_q, w = _weights(chain, node, profile)
    bias = _bias(chain, node, x, w, y, profile)
    try:
        refuse_unsupported(profile, x, w, y)
        refuse_wide(profile, bias.dtype.name if _bias_of(node) >= 0 else None, x, w, y)
        if not tables:
            return IntegerLayer(w_q, bias, x, w, y, _FUSED[fused])
        low, high = profile.activation_bounds(_FUSED[fused], y)
        codes = np.clip(np.arange(y.qmin, y.qmax + 1), low, high).astype(y.dtype)
        p = y
        for one in tables:
            q = params_of(graph, one.y)
            codes = code_table(one.operator.name, p, q, profile, w_q.shape[1])[codes.astype(np.int64) - p.qmin]
            p = q
        name = tables[0].operator.name
        own = {"LOGISTIC": "sigmoid", "TANH": "tanh"}.get(name) if len(tables) == 1 and fused == "NONE" else None
        if own and y.dtype == p.dtype == np.int8 and np.array_equal(codes, activation_table(own, y, p)):
            return IntegerLayer(w_q, bias, x, w, p, own, y)
        return IntegerLayer(w_q, bias, x, w, p, "table", y, codes.astype(p.dtype))
    except (ValueError, TypeError, OverflowError) as error:
        if isinstance(error, FormatError):
            raise
        raise FormatError(graph.name, operator.place, f"takes {node.x.said} to {node.y.said}: {error}") from error


def _weights(chain: Chain, node: Node, profile: Profile) -> tuple[NDArray[Any], QuantParams]:
    graph, operator = chain.graph, node.operator
    index = operator.inputs[1]
    tensor = graph.tensor(index)
    if not graph.is_constant(index) or tensor.type not in ("INT8", "INT4", "UINT8"):
        raise FormatError(graph.name, operator.place, f"multiplies codes by {tensor.said}; INT8, INT4 or UINT8 is read")
    if tensor.type == "INT4" and tensor.shape[1] % 2 and profile.name.startswith("xnnpack"):
        raise FormatError(
            graph.name,
            operator.place,
            f"has an odd number of INT4 weights a neuron, {tensor.said}; LiteRT computes it by ruy and the rest by "
            'XNNPACK: read it under "ruy_x86" or "litert_ref_2025"',
        )
    w = params_of(graph, tensor, tensor.shape[0])
    return constant(graph, tensor).T, w


def _bias_of(node: Node) -> int:
    """The number of a layer's bias tensor, -1 for none."""
    return node.operator.inputs[2] if len(node.operator.inputs) == 3 else -1


def _bias(chain: Chain, node: Node, x: QuantParams, w: QuantParams, y: QuantParams, profile: Profile) -> NDArray[Any]:
    """The bias as codes of sx sw, zeros where it is absent; its own scale, which no kernel reads, must be that.

    Beside int16 inputs its type is the accumulator's: an absent one has what the engine then takes, and LiteRT misreads
    an INT32 one that the layer's options do not name.
    """
    graph, operator = chain.graph, node.operator
    wide, n = x.dtype == np.int16, graph.tensor(operator.inputs[1]).shape[0]
    index = _bias_of(node)
    if index < 0:
        stage = profile.wide_stage(None, x.dtype.name, weight_type(w))
        return np.zeros(n, "int32" if stage is None else stage.bias)
    tensor = graph.tensor(index)
    named = TYPES[2 if int(operator.option(4, "b")) == 2 else 4] if wide else "INT32"
    if not graph.is_constant(index) or tensor.type != named:
        raise FormatError(graph.name, operator.place, f"has the bias {tensor.said}; a constant of {named} is read")
    values = constant(graph, tensor).reshape(-1)
    scale = np.zeros(0) if tensor.quantization is None else tensor.quantization.numbers(2, "f4")
    known = scale.size in (0, 1, n) and bool(np.isfinite(scale).all())
    apart = np.abs(float(x.scale) * np.asarray(w.scale, np.float64) - scale) if known and scale.size else np.zeros(0)
    # No kernel reads the scale; LiteRT's tflite/kernels/kernel_util.cc, GetQuantizedConvolutionMultipler, allows this.
    if not known or (apart > 0.02 * float(y.scale)).any():
        raise FormatError(graph.name, operator.place, f"has a bias, {tensor.said}, of another scale than sx sw")
    if tensor.quantization is not None and np.any(tensor.quantization.numbers(3, "i8")):
        raise FormatError(graph.name, operator.place, f"has a bias, {tensor.said}, with a zero point")
    return values


def _back(chain: Chain, nodes: list[Node], parts: IntegerParts) -> None:
    """Read what stands behind the last layer: a head, QUANTIZE or DEQUANTIZE, in float a head too."""
    graph = chain.graph
    y = parts.layers[-1].y if parts.layers else None
    codes: QuantParams | None = y
    for node in nodes:
        name, place = node.operator.name, node.operator.place
        if name in _HEADS and parts.head == "none":
            _head(chain, node, parts)
            codes = parts.behind
        elif name == "DEQUANTIZE" and codes is not None and node.y.type == FLOAT:
            codes = None
        elif name == "QUANTIZE" and codes is not None and _codes_to_codes(node) and node is nodes[-1]:
            codes = params_of(graph, node.y)
        else:
            raise FormatError(
                graph.name,
                place,
                f"takes {node.x.said} to {node.y.said} behind the last layer of an integer network, "
                "where a head, and then QUANTIZE or DEQUANTIZE, are read",
            )
    parts.outputs = codes


def _head(chain: Chain, node: Node, parts: IntegerParts) -> None:
    """Split a head off. FormatError for one on codes that no profile computes: 16 bits, a factor, log-softmax."""
    graph, operator = chain.graph, node.operator
    parts.head = _HEADS[operator.name]
    parts.notes.append(f"the {operator.name} behind the last layer was split off as the head '{parts.head}'")
    if operator.name == "SOFTMAX" and softmax_beta(chain, node) != 1:
        raise FormatError(graph.name, operator.place, "has a beta other than 1")
    if node.x.type == FLOAT and node.y.type == FLOAT:
        return
    if "INT16" in (node.x.type, node.y.type) or operator.name == "LOG_SOFTMAX" or not _codes_to_codes(node):
        raise FormatError(
            graph.name,
            operator.place,
            f"takes {node.x.said} to {node.y.said}; on codes a SOFTMAX or LOGISTIC of INT8 or UINT8 is read",
        )
    parts.behind = params_of(graph, node.y)
