"""The graph as a whole: what enters, what leaves, and in which order its nodes are computed.

Nodes may stand in any order in the file; only those that the output needs are read.

Legend: model and graph the messages; walk the walk; tensors the initializers; made the node that writes each name;
source the name of the input.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from npquant.interop.onnx_in.messages import Graph, Model, Node, Tensor, Value, quoted
from npquant.interop.onnx_in.tensors import FLOATS
from npquant.interop.onnx_in.values import Walk

# Operators are refused by name where they are met; these hold graphs of their own, or change what a node means.
CONTROL: Final = ("If", "Loop", "Scan", "SequenceMap")
DOMAINS: Final = MappingProxyType(
    {"": "ONNX's own", "ai.onnx.ml": "classical learning", "com.microsoft": "onnxruntime's"}
)
# Opset 28 is the newest of onnx 1.23.2; a later one may give an operator another meaning.
MAX_OPSET: Final = 28


def check_model(model: Model, walk: Walk) -> Graph:
    """Return the model's graph; FormatError for what no graph of plain operators has."""
    if model.graph is None:
        walk.refuse("", "holds no graph; it is damaged or no ONNX model")
    graph = model.graph
    for node in graph.nodes:
        if node.op in CONTROL or any(a.graphs for a in node.attributes.values()):
            walk.refuse(node, "holds a graph of its own; npquant reads a straight line of operators")
        if node.domain not in DOMAINS:
            walk.refuse(
                node, f"is of the domain {quoted(node.domain)}, which npquant does not read; export to ONNX QDQ"
            )
    if model.functions:
        walk.refuse("", f"defines {model.functions} functions of its own; inline them (onnx.inliner)")
    if graph.sparse:
        walk.refuse("", f"holds {graph.sparse} sparse initializers; store them dense")
    if not 1 <= walk.opset <= MAX_OPSET:
        walk.refuse("", f"is of opset {walk.opset}; 1 to {MAX_OPSET} are read")
    return graph


def opset_of(model: Model) -> int:
    """Return the opset of ONNX's own operators; 1 where an old file (IR below 3) does not say."""
    return model.opsets.get("", 1 if model.ir_version < 3 else 0)


def tensors_by_name(graph: Graph, walk: Walk) -> dict[str, Tensor]:
    """Return the initializers; FormatError if two have one name."""
    found: dict[str, Tensor] = {}
    for tensor in graph.tensors:
        if tensor.name in found:
            walk.refuse(f"initializer {quoted(tensor.name)}", "stands in the file twice")
        found[tensor.name] = tensor
    return found


def producers(graph: Graph, walk: Walk, tensors: Mapping[str, Tensor]) -> dict[str, Node]:
    """Return the node that writes each name; FormatError if a name is written twice."""
    taken = {value.name for value in graph.inputs} | set(tensors)
    found: dict[str, Node] = {}
    for node in graph.nodes:
        for name in node.outputs:
            if name and (name in found or name in taken):
                walk.refuse(node, f"writes {quoted(name)}, which the file has already")
            if name:
                found[name] = node
    return found


def the_input(graph: Graph, walk: Walk, tensors: Mapping[str, Tensor]) -> Value:
    """Return the one input that is no initializer."""
    real = [value for value in graph.inputs if value.name not in tensors]
    if len({value.name for value in graph.inputs}) != len(graph.inputs):
        walk.refuse("", "has two inputs of one name")
    if len(real) != 1:
        names = ", ".join(quoted(value.name) for value in real[:4])
        walk.refuse("", f"has {len(real)} inputs ({names}); networks with one input are read, their weights constants")
    return real[0]


def the_output(graph: Graph, walk: Walk, made: Mapping[str, Node], source: str) -> Value:
    """Return the one output that holds logits or probabilities; labels derived from them are left, and said so."""
    outputs = graph.outputs
    if len(outputs) > 1:
        outputs = [o for o in outputs if o.type in (0, *FLOATS, 2, 3) and source in _ancestors(made, o.name, walk)]
    if len(outputs) != 1:
        names = ", ".join(quoted(o.name) for o in graph.outputs[:4])
        walk.refuse("", f"has {len(graph.outputs)} outputs ({names}); networks with one output of numbers are read")
    if others := ", ".join(quoted(o.name) for o in graph.outputs if o is not outputs[0]):
        walk.note(f"beside {quoted(outputs[0].name)} the file gives labels, which were left out: {others}")
    return outputs[0]


def _ancestors(made: Mapping[str, Node], name: str, walk: Walk) -> set[str]:
    """Every name that `name` is computed from."""
    seen, waiting = {name}, [name]
    while waiting:
        node = made.get(waiting.pop())
        for one in node.inputs if node else ():
            if one and one not in seen:
                seen.add(one)
                waiting.append(one)
    return seen


def ordered(walk: Walk, made: Mapping[str, Node], known: Mapping[str, object], output: str) -> list[Node]:
    """Return the nodes that the output needs, each after those it reads; FormatError for cycles and missing names.

    made the producers; known the names that no node writes.
    """
    done: dict[int, Node] = {}
    open_: dict[int, Node] = {}
    waiting: list[tuple[str, bool, Node | None]] = [(output, False, None)]
    while waiting:
        name, leaving, reader = waiting.pop()
        node = made.get(name)
        if leaving and node is not None:
            done[id(open_.pop(id(node)))] = node
            continue
        if name in known or (node is not None and id(node) in done):
            continue
        if node is None:
            walk.refuse(reader or "", f"reads {quoted(name)}, which nothing in the file writes")
        if id(node) in open_:
            walk.refuse(node, "is computed from its own output: the graph has a cycle")
        open_[id(node)] = node
        waiting.append((name, True, node))
        waiting += [(one, False, node) for one in node.inputs if one]
    return list(done.values())
