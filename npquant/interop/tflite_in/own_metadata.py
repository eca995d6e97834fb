"""What `to_tflite` adds to a file beside the network: intervals of weights, and what codes at its ends mean.

Legend: graph the file's subgraph; layers those read from it, profile their arithmetic.
"""

from __future__ import annotations

import dataclasses
import json
from typing import Any, Final

import numpy as np

from npquant.files.format_error import FormatError
from npquant.integer.layer import IntegerLayer
from npquant.integer.mlp import IntegerMLP
from npquant.interop.tflite_in.graph import Graph
from npquant.kernels.qparams import QuantParams
from npquant.profiles.record import Profile

_NAME: Final = "npquant"
_MOST_ENTRIES: Final = 64
_MOST_BYTES: Final = 1 << 21  # JSON takes up to 20 times its length when it is read


def own_metadata(graph: Graph) -> dict[str, Any]:
    """The metadata that npquant wrote, {} for none. FormatError if it is not what npquant writes."""
    count = graph.model.vector(6, 4)[1]
    for index in range(min(count, _MOST_ENTRIES)):
        entry = graph.model.item(6, index)
        if entry.string(0) == _NAME:
            start, length = graph.model.item(4, int(entry.scalar(1, "I"))).vector(0, 1)
            if length > _MOST_BYTES:
                raise FormatError(graph.name, f"metadata '{_NAME}'", f"has {length} bytes; {_MOST_BYTES} are read")
            try:
                said = json.loads(graph.data[start : start + length])
            except (ValueError, RecursionError) as error:
                raise FormatError(graph.name, f"metadata '{_NAME}'", "is not JSON") from error
            if not isinstance(said, dict):
                raise FormatError(graph.name, f"metadata '{_NAME}'", "is no table of names")
            return said
    return {}


def network(graph: Graph, layers: list[IntegerLayer], profile: Profile) -> IntegerMLP:
    """The network of layers, with what the metadata adds. FormatError where it contradicts the layers."""
    said = own_metadata(graph)
    first = layers[0].x
    try:
        if intervals := said.get("weights"):
            layers = [_narrowed(layer, *pair) for layer, pair in zip(layers, intervals, strict=True)]
        scale = said.get("input_scale")
        inputs = first if scale is None else QuantParams(np.array(scale), first.zero_point, first.qmin, first.qmax)
        ends = [said.get(name) for name in ("input_offset", "output_offset", "output_factor")]
        return IntegerMLP(tuple(layers), inputs, ends[0], profile, *ends[1:])
    except (ValueError, TypeError, OverflowError) as error:
        raise FormatError(graph.name, f"metadata '{_NAME}'" if said else "", str(error)) from error


def _narrowed(layer: IntegerLayer, qmin: int, qmax: int) -> IntegerLayer:
    """The layer with its weights' own interval, inside the type's."""
    w = layer.w
    if not w.qmin <= qmin < qmax <= w.qmax:
        raise ValueError(f"weights in [{qmin}, {qmax}] leave [{w.qmin}, {w.qmax}], their type")
    return dataclasses.replace(layer, w=QuantParams(w.scale, w.zero_point, qmin, qmax))
