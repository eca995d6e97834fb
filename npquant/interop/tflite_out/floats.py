"""A FloatMLP as TFLite operators: FULLY_CONNECTED in float32.

Legend: parts the file in the making, model the network, head what to write behind its logits.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from npquant.interop.flatbuffer import Scalar
from npquant.interop.tflite_out.parts import Parts, fused
from npquant.nn.model import FloatMLP

_FUSED: Final = MappingProxyType({"identity": "NONE", "relu": "RELU"})
_BEHIND: Final = MappingProxyType({"clipped_relu": "RELU_0_TO_1", "sigmoid": "LOGISTIC", "tanh": "TANH"})
_HEADS: Final = MappingProxyType({"softmax": "SOFTMAX", "logsoftmax": "LOG_SOFTMAX", "logistic": "LOGISTIC"})


def add_floats(parts: Parts, model: FloatMLP, head: str) -> int:
    """Add a network's layers and its head; return the output's tensor. ValueError, naming the layer, for an activation
    that TFLite has not, or a weight beyond float32."""
    now = parts.tensor("input", "FLOAT32", (1, model.n_inputs))
    for index, layer in enumerate(model.layers):
        place, n = f"layer {index}", layer.w.shape[1]
        if layer.activation not in (*_FUSED, *_BEHIND):
            known = ", ".join((*_FUSED, *_BEHIND))
            raise ValueError(f"{place}: TFLite has no operator for {layer.activation}; it has {known}")
        weights = parts.tensor(f"{place} weights", "FLOAT32", layer.w.T.shape, data=_float32(layer.w.T, place))
        bias = parts.tensor(f"{place} bias", "FLOAT32", (n,), data=_float32(layer.b, place))
        after = parts.tensor(place, "FLOAT32", (1, n))
        options = {0: fused(_FUSED.get(layer.activation, "NONE"))}
        now = parts.operator("FULLY_CONNECTED", 1, (now, weights, bias), after, options)
        if layer.activation in _BEHIND:
            name = _BEHIND[layer.activation]
            now = parts.operator(name, 1, (now,), parts.tensor(f"{place} {name}", "FLOAT32", (1, n)), {})
    if head == "none":
        return now
    after = parts.tensor(head, "FLOAT32", (1, model.neurons[-1]))
    return parts.operator(_HEADS[head], 1, (now,), after, {0: Scalar("f", 1.0)} if head == "softmax" else {})


def _float32(values: NDArray[Any], place: str) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):
        narrow = np.asarray(values).astype(np.float32)
    if not np.isfinite(narrow).all():
        raise ValueError(f"{place}: a weight or bias is beyond float32, the only float type of TFLite's layers")
    return narrow
