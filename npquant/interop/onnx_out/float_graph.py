"""A FloatMLP as ONNX: one Gemm a layer, its activation, and the head.

Legend: model the network; head "none", "softmax", "logsoftmax" or "logistic"; graph what is written so far, x the name
of a value in it; name what the node is called; activation a layer's, by npquant's name; kind of the numbers, "float32".
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

import numpy as np

from npquant.interop.onnx_out.graph import Graph, encode_model
from npquant.nn.model import FloatMLP

_ACTIVATIONS: Final = MappingProxyType(
    {"relu": "Relu", "sigmoid": "Sigmoid", "tanh": "Tanh", "softplus": "Softplus", "hard_sigmoid": "HardSigmoid"}
)
_HEADS: Final = MappingProxyType({"softmax": "Softmax", "logsoftmax": "LogSoftmax", "logistic": "Sigmoid"})


def encode_float(model: FloatMLP, head: str, kind: str) -> bytes:
    """Each y = x w + b is a Gemm with w as npquant holds it, (K, N); ValueError where a number is beyond kind."""
    graph, x = Graph(), "x"
    for i, layer in enumerate(model.layers):
        with np.errstate(over="ignore", under="ignore"):
            numbers = [values.astype(kind) for values in (layer.w, layer.b)]
        if not all(np.isfinite(values).all() for values in numbers):
            raise ValueError(f"layer {i}: holds numbers that are not finite in {kind}, in which ONNX is written")
        w, b = (graph.constant(f"{name}{i}", values) for name, values in zip("wb", numbers, strict=True))
        x = graph.node("Gemm", (x, w, b), f"gemm{i}")
        x = add_activation(graph, x, layer.activation, f"activation{i}", kind)
    x = add_head(graph, x, head)
    return encode_model(graph, ("x", kind, model.n_inputs), (x, kind, model.neurons[-1]), {"npquant.head": head})


def add_activation(graph: Graph, x: str, activation: str, name: str, kind: str) -> str:
    """clipped_relu is Clip to [0, 1], hard_sigmoid clip(x / 6 + 1/2, 0, 1); the rest are called alike."""
    if activation == "identity":
        return x
    if activation == "clipped_relu":
        low, high = (graph.constant(f"{name}.{end}", np.array(end, kind)) for end in (0, 1))
        return graph.node("Clip", (x, low, high), name)
    if activation not in _ACTIVATIONS:
        known = ", ".join(("identity", "clipped_relu", *_ACTIVATIONS))
        raise ValueError(f"{name}: ONNX is written with {known}; not with {activation!r}")
    if activation != "hard_sigmoid":
        return graph.node(_ACTIVATIONS[activation], (x,), name)
    return graph.node("HardSigmoid", (x,), name, {"alpha": 1 / 6, "beta": 0.5})


def add_head(graph: Graph, x: str, head: str) -> str:
    """Softmax and log-softmax run over the last axis."""
    if head == "none":
        return x
    return graph.node(_HEADS[head], (x,), head, {} if head == "logistic" else {"axis": -1})
