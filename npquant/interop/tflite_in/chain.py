"""The one chain of operators from a file's input to its output, its flattens taken out.

Legend: graph the file's subgraph; operator one of its operators; index a tensor's number.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from npquant.files.format_error import FormatError
from npquant.interop.tflite_in.flatten import SHAPE_OPERATORS, Pair, flattened, shape_value
from npquant.interop.tflite_in.graph import Graph, Operator, Tensor

CLIPS: Final = ("RELU", "RELU6", "RELU_N1_TO_1", "RELU_0_TO_1", "MINIMUM", "MAXIMUM")
AFFINE: Final = ("ADD", "SUB", "MUL", "DIV")
KNOWN: Final = (
    "FULLY_CONNECTED",
    *CLIPS,
    "LOGISTIC",
    "TANH",
    *AFFINE,
    "SOFTMAX",
    "LOG_SOFTMAX",
    "QUANTIZE",
    "DEQUANTIZE",
    "RESHAPE",
)


class Node(NamedTuple):
    """An operator of the chain: it reads x and writes y; row is the shape of one row of x."""

    operator: Operator
    x: Tensor
    y: Tensor
    row: tuple[int, ...]


@dataclass(slots=True, eq=False)
class Chain:
    """The chain so far: `current` is the tensor that the next operator must read."""

    graph: Graph
    current: int
    row: tuple[int, ...]
    batch: int
    nodes: list[Node] = field(default_factory=list)
    derived: dict[int, Tensor] = field(default_factory=dict)  # what DEQUANTIZE made of a constant, by tensor
    shapes: dict[int, Pair] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    written: set[int] = field(default_factory=set)


def read_chain(graph: Graph) -> Chain:
    """Follow a file's operators. FormatError, naming the operator, where they are no chain or one is not known."""
    _check_operators(graph)
    first = _only(graph, 1, "input")
    tensor = graph.tensor(first)
    if not 2 <= len(tensor.shape):
        raise FormatError(graph.name, tensor.said, f"is an input of rank {len(tensor.shape)}; rows (B, K) are read")
    if min(tensor.shape) < 1:
        raise FormatError(graph.name, tensor.said, f"is an input of the shape {list(tensor.shape)}; sizes are positive")
    chain = Chain(graph, first, tensor.shape[1:], tensor.shape[0], written={first})
    for operator in graph.operators:
        _take(chain, operator)
    if _only(graph, 2, "output") != chain.current:
        raise FormatError(graph.name, f"tensor {chain.current}", "is written last, but is not the output")
    return chain


def _check_operators(graph: Graph) -> None:
    """Name the first operator that no chain of layers holds, before anything else is judged."""
    if not graph.operators:
        raise FormatError(graph.name, "", "holds no operator, hence no layer")
    for operator in graph.operators:
        if operator.name not in (*KNOWN, *SHAPE_OPERATORS):
            raise FormatError(graph.name, operator.place, f"is not read; {', '.join(KNOWN)} are")
    names = [operator.name for operator in graph.operators]
    if "FULLY_CONNECTED" not in names:
        raise FormatError(graph.name, "", f"holds no FULLY_CONNECTED layer; its operators are {', '.join(names[:9])}")


def _only(graph: Graph, slot: int, what: str) -> int:
    """The one input or output of the subgraph."""
    indices = graph.subgraph.numbers(slot, "i4")
    if indices.size != 1:
        some = ", ".join(graph.tensor(int(index)).said for index in indices[:4])
        raise FormatError(graph.name, f"{what}s", f"there are {indices.size} ({some}); a network of one {what} is read")
    return int(indices[0])


def _take(chain: Chain, operator: Operator) -> None:
    graph, place = chain.graph, operator.place
    if len(operator.outputs) != 1 or not operator.inputs:
        raise FormatError(
            graph.name, place, f"has {len(operator.inputs)} inputs and {len(operator.outputs)} outputs; it writes one"
        )
    out = operator.outputs[0]
    if out in chain.written or graph.is_constant(out):
        raise FormatError(graph.name, place, f"writes {graph.tensor(out).said}, which holds something already")
    chain.written.add(out)
    if operator.name in SHAPE_OPERATORS:
        of_current = operator.inputs[0] == chain.current
        chain.shapes[out] = shape_value(graph, operator, chain.shapes, chain.row if of_current else None)
    elif operator.name == "DEQUANTIZE" and graph.is_constant(operator.inputs[0]):
        chain.derived[out] = graph.tensor(operator.inputs[0])
    else:
        _follow(chain, operator, out)


def _follow(chain: Chain, operator: Operator, out: int) -> None:
    """Take an operator that must read the current tensor, and beside it nothing but what the file holds."""
    graph = chain.graph
    streams = [index for index in operator.inputs if not _held(chain, index)]
    if streams != [chain.current]:
        seen = ", ".join(graph.tensor(index).said for index in streams) or "constants alone"
        raise FormatError(
            graph.name,
            operator.place,
            f"reads {seen}; in a chain it reads {graph.tensor(chain.current).said} once, and constants",
        )
    x, y, row = graph.tensor(chain.current), graph.tensor(out), chain.row
    if operator.name == "RESHAPE":
        if operator.inputs[0] != chain.current:
            raise FormatError(graph.name, operator.place, "reshapes a constant")
        chain.row = (flattened(graph, operator, chain.shapes, row, chain.batch),)
        if len(row) > 1:
            chain.notes.append(
                f"{operator.place}: rows of shape {list(row)} are read as {chain.row[0]} values in order"
            )
    elif operator.name == "FULLY_CONNECTED":
        chain.row = (_layer_outputs(chain, operator, row),)
    chain.current = out
    chain.nodes.append(Node(operator, x, y, row))


def _held(chain: Chain, index: int) -> bool:
    """True for an absent operand, a constant of the file, and what was computed from constants or from shapes."""
    return index < 0 or index in chain.derived or index in chain.shapes or chain.graph.is_constant(index)


def _layer_outputs(chain: Chain, operator: Operator, row: tuple[int, ...]) -> int:
    """N of a layer by its weights (N, K), whatever the file declares of activations; a row of rank > 1 must hold K."""
    graph, place = chain.graph, operator.place
    if len(operator.inputs) not in (2, 3) or operator.inputs[0] != chain.current or operator.inputs[1] < 0:
        raise FormatError(graph.name, place, "must read activations, weights and, if it has one, a bias")
    weights = chain.derived.get(operator.inputs[1], graph.tensor(operator.inputs[1]))
    if len(weights.shape) != 2 or min(weights.shape) < 1:
        raise FormatError(graph.name, place, f"has weights of shape {list(weights.shape)}; (N, K) are read")
    n, k = weights.shape
    if len(row) > 1 and math.prod(row) != k:
        raise FormatError(
            graph.name, place, f"reads rows of shape {list(row)}, rank {len(row) + 1}, by {k} values; rank 2 is read"
        )
    if len(row) > 1:
        chain.notes.append(f"{place}: rows of shape {list(row)} are read as {k} values in order")
    return n
