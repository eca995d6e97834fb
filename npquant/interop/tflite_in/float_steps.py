"""A chain of float operators as the steps that every float importer lists.

Legend: chain the operators in order; node one of them; name that of a fused activation.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import inf, prod
from types import MappingProxyType
from typing import Final

import numpy as np

from npquant.arrays import Float64
from npquant.files.format_error import FormatError
from npquant.interop.steps import Activation, Affine, Clip, Head, Linear, Step
from npquant.interop.tflite_in.chain import AFFINE, Chain, Node
from npquant.interop.tflite_in.constants import float_constant
from npquant.interop.tflite_in.names import FUSED

BOUNDS: Final = MappingProxyType(
    {"RELU": (0.0, inf), "RELU6": (0.0, 6.0), "RELU_N1_TO_1": (-1.0, 1.0), "RELU_0_TO_1": (0.0, 1.0)}
)
_ACTIVATIONS: Final = MappingProxyType({"LOGISTIC": "sigmoid", "TANH": "tanh"})


def float_steps(chain: Chain) -> Iterator[Step]:
    """The steps of a float chain. FormatError, naming the operator, for what stands in no float network."""
    for node in chain.nodes:
        if node.operator.name == "RESHAPE":
            continue
        if (node.x.type, node.y.type) != ("FLOAT32", "FLOAT32"):
            raise FormatError(
                chain.graph.name,
                node.operator.place,
                f"takes {node.x.said} to {node.y.said} in a network of float layers; FLOAT32 is read",
            )
        yield from _steps(chain, node)


def _steps(chain: Chain, node: Node) -> Iterator[Step]:
    name, place = node.operator.name, node.operator.place
    if name == "FULLY_CONNECTED":
        yield from _layer(chain, node)
    elif name in AFFINE:
        yield _affine(chain, node)
        yield from _fused(chain, node)
    elif name in ("MINIMUM", "MAXIMUM"):
        bound = _values(chain, node)
        if bound.size != 1 or not np.isfinite(bound).all():
            raise FormatError(chain.graph.name, place, "has more than one bound, or none; one finite number is read")
        yield Clip(place, *((-inf, float(bound[0])) if name == "MINIMUM" else (float(bound[0]), inf)))
    elif name in BOUNDS:
        yield Clip(place, *BOUNDS[name])
    elif name in _ACTIVATIONS:
        yield Activation(place, _ACTIVATIONS[name])
    elif name == "LOG_SOFTMAX":
        yield Head(place, "logsoftmax")
    elif name == "SOFTMAX":
        if (beta := softmax_beta(chain, node)) != 1:
            yield Affine(place, beta, 0.0, f"{place}: its factor {beta:g} was folded into the logits")
        yield Head(place, "softmax")
    else:
        raise FormatError(chain.graph.name, place, "stands between float layers; no float network holds it")


def softmax_beta(chain: Chain, node: Node) -> float:
    """The factor on a SOFTMAX's inputs. FormatError unless it is positive and finite."""
    beta = float(node.operator.option(0, "f"))
    if not 0 < beta < inf:
        raise FormatError(chain.graph.name, node.operator.place, f"has beta {beta}; a positive number is read")
    return beta


def fused_name(chain: Chain, node: Node) -> str:
    """The activation fused into an operator, as the schema calls it."""
    number = int(node.operator.option(0, "b"))
    if not 0 <= number < len(FUSED) or FUSED[number] == "SIGN_BIT":
        raise FormatError(chain.graph.name, node.operator.place, f"has the fused activation {number}; 0 to 4 are read")
    return FUSED[number]


def check_layer_options(chain: Chain, node: Node) -> None:
    """FormatError where a FULLY_CONNECTED stores its weights in another order."""
    if order := int(node.operator.option(1, "b")):
        raise FormatError(chain.graph.name, node.operator.place, f"has weights of format {order} (shuffled); 0 is read")


def _fused(chain: Chain, node: Node) -> Iterator[Step]:
    name, place = fused_name(chain, node), node.operator.place
    if name in BOUNDS:
        yield Clip(f"{place} with fused {name}", *BOUNDS[name])
    elif name == "TANH":
        yield Activation(f"{place} with fused {name}", "tanh")


def _layer(chain: Chain, node: Node) -> Iterator[Step]:
    graph, operator = chain.graph, node.operator
    check_layer_options(chain, node)
    weights = float_constant(graph, operator.inputs[1], chain.derived, operator)
    bias = None
    if len(operator.inputs) == 3 and operator.inputs[2] >= 0:
        bias = float_constant(graph, operator.inputs[2], chain.derived, operator).reshape(-1)
    fused = list(_fused(chain, node))
    yield Linear(fused[0].place if fused else operator.place, weights.T, bias)
    yield from fused


def _values(chain: Chain, node: Node) -> Float64:
    """The constant operand of an elementwise operator: one number, or one a value of a row."""
    operator = node.operator
    others = [index for index in operator.inputs if index != node.x.index]
    if len(operator.inputs) != 2 or len(others) != 1:
        raise FormatError(chain.graph.name, operator.place, "must read activations and one constant")
    values = float_constant(chain.graph, others[0], chain.derived, operator).astype(np.float64)
    if values.size == 1 or (values.shape[-1:] == node.row[-1:] == (values.size,) and len(node.row) == 1):
        return values.reshape(-1)
    if prod(node.row) > len(chain.graph.data):  # K values of weights must follow
        raise FormatError(chain.graph.name, operator.place, f"works on rows of shape {list(node.row)} without weights")
    try:
        return np.broadcast_to(values, (1, *node.row)).reshape(-1)
    except ValueError as error:
        raise FormatError(
            chain.graph.name,
            operator.place,
            f"has a constant of shape {list(values.shape)} for rows of shape {list(node.row)}",
        ) from error


def _affine(chain: Chain, node: Node) -> Affine:
    name, place = node.operator.name, node.operator.place
    values, left = _values(chain, node), node.operator.inputs[0] == node.x.index
    says = f"{place}: its constant was folded into the layer beside it"
    if name == "MUL":
        return Affine(place, values, 0.0, says)
    if name == "ADD":
        return Affine(place, 1.0, values, says)
    if name == "SUB":
        return Affine(place, 1.0 if left else -1.0, -values if left else values, says)
    if not left:
        raise FormatError(
            chain.graph.name, place, "divides a constant by activations; activations by a constant is read"
        )
    with np.errstate(divide="ignore"):  # what is not finite is refused where it is folded
        return Affine(place, 1.0 / values, 0.0, says)
