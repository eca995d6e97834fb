"""A DynamicMLP as ONNX, to the last bit: D1 to D4 spelled out in standard operators, in float64 where npquant is.

DynamicQuantizeLinear is shorter and another arithmetic: one range for the whole batch, and float32 quotients, which
round otherwise beside ties. It is written where the network's profile is an engine's that has it.

Legend: graph what is written so far; x names the real inputs of layer i, float32; layer a DynamicLayer; granularity
"row" or "batch", as D1; model and head as in `to_onnx`.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from npquant.integer.dynamic_layer import DynamicLayer
from npquant.integer.dynamic_mlp import DynamicMLP
from npquant.interop.onnx_out.float_graph import add_activation, add_head
from npquant.interop.onnx_out.graph import TYPES, Graph, encode_model
from npquant.interop.onnx_out.integer_weights import stored
from npquant.kernels.qparams import FLOAT32_TINY
from npquant.profiles.npquant import NPQUANT

# The rest are computed by the runtime's own approximations, and an output next to a tie would be another code.
EXACT_ACTIVATIONS: Final = ("identity", "relu", "clipped_relu")


def encode_dynamic(model: DynamicMLP, head: str) -> bytes:
    """ValueError where an activation is not exact in every runtime, or the profile is of no engine that runs ONNX."""
    graph, x = Graph(), "x"
    spelled = model.profile is NPQUANT
    if not spelled and not model.profile.runs_dynamic_graphs:
        raise ValueError(f"no ONNX operators compute as {model.profile.name} does; ort and onnx_ref have theirs")
    if spelled:
        for name, value in (("zero", 0.0), ("one", 1.0), ("tiny", FLOAT32_TINY)):
            graph.constant(name, np.array(value))
        graph.constant("axes", np.array([1] if model.granularity == "row" else [0, 1], np.int64))
    for i, layer in enumerate(model.layers):
        if layer.activation not in EXACT_ACTIVATIONS:
            known = ", ".join(EXACT_ACTIVATIONS)
            raise ValueError(f"layer {i}: a dynamic {layer.activation} is not the same in every runtime; only {known}")
        acc, scale = (_spelled if spelled else _engines)(graph, x, layer, i)
        factor = graph.node("Mul", (scale, graph.constant(f"sw{i}", np.array(layer.w.scale))), f"factor{i}")
        real = graph.node("Cast", (acc,), f"acc{i}.real", {"to": TYPES["float32"]})
        y = graph.node("Mul", (real, factor), f"scaled{i}")
        y = graph.node("Add", (y, graph.constant(f"b{i}", layer.b)), f"z{i}")
        x = add_activation(graph, y, layer.activation, f"activation{i}", "float32")
    properties = {
        "npquant.head": head,
        "npquant.profile": model.profile.name,
        "npquant.granularity": model.granularity,
    }
    outputs = (add_head(graph, x, head), "float32", model.neurons[-1])
    return encode_model(graph, ("x", "float32", model.n_inputs), outputs, properties)


def _engines(graph: Graph, x: str, layer: DynamicLayer, i: int) -> tuple[str, str]:
    """The operator of an engine's profile, and weights that no pair of uint8 products saturates with."""
    more = (f"scale{i}", f"x{i}.zero_point")
    codes = graph.node("DynamicQuantizeLinear", (x,), f"x{i}", more=more)
    w = stored(layer.w_q, layer.w.zero_point, "auto", exact=False)
    operands = graph.constant(f"w{i}", w.w_q), graph.constant(f"w{i}.zero_point", w.zero_point)
    return graph.node("MatMulInteger", (codes, operands[0], more[1], operands[1]), f"acc{i}"), more[0]


def _spelled(graph: Graph, x: str, layer: DynamicLayer, i: int) -> tuple[str, str]:
    """D2 and D3: codes, and their accumulators."""
    real = graph.node("Cast", (x,), f"real{i}", {"to": TYPES["float64"]})
    scale, zero = _parameters(graph, real, layer, i)
    wide = graph.node("Cast", (scale,), f"scale{i}.wide", {"to": TYPES["float64"]})
    steps = graph.node("Round", (graph.node("Div", (real, wide), f"quotient{i}"),), f"steps{i}")
    shifted = _saturated(graph, graph.node("Add", (steps, zero), f"shifted{i}"), layer, i, "codes")
    codes = graph.node("Cast", (shifted,), f"x{i}", {"to": TYPES["int8"]})
    # int8 by int8 is summed exactly everywhere; acc = x_q @ (w_q - zw) - zx (P + Q), each term inside int32 (D3).
    w = stored(layer.w_q, layer.w.zero_point, "int8", exact=True)
    weights = [graph.constant(f"w{i}", w.w_q)]
    if w.zero_point.any():
        weights += [graph.constant(f"x{i}.no_zero", np.array(0, np.int8)), graph.constant(f"w{i}.zero", w.zero_point)]
    product = graph.node("MatMulInteger", (codes, *weights), f"product{i}")
    sums = graph.constant(f"sums{i}", layer.centred_weights.sum(axis=0, dtype=np.int32))
    zero32 = graph.node("Cast", (zero,), f"zero{i}.int32", {"to": TYPES["int32"]})
    shift = graph.node("Mul", (zero32, sums), f"shift{i}")
    return graph.node("Sub", (product, shift), f"acc{i}"), scale


def _parameters(graph: Graph, real: str, layer: DynamicLayer, i: int) -> tuple[str, str]:
    """D1. The scale in float32 and the zero point in float64, one of each a row, or one for all."""
    # min(lo, 0) = lo' and max(hi, 0) = hi'; hi' - lo' of float32 values is inside float64.
    ends = []
    for end, reduction, bound in (("low", "ReduceMin", "Min"), ("high", "ReduceMax", "Max")):
        reduced = graph.node(reduction, (real, "axes"), f"{end}{i}.of_inputs", {"keepdims": 1})
        ends.append(graph.node(bound, (reduced, "zero"), f"{end}{i}"))
    count = graph.constant(f"step_count{i}", np.array(2.0**layer.x_bits - 1))
    quotient = graph.node("Div", (graph.node("Sub", ends[::-1], f"range{i}"), count), f"step{i}")
    single = graph.node("Cast", (quotient,), f"step{i}.single", {"to": TYPES["float32"]})
    step = graph.node("Cast", (single,), f"step{i}.wide", {"to": TYPES["float64"]})
    small = graph.node("Less", (step, "tiny"), f"small{i}")
    normal = graph.node("Where", (small, "one", step), f"normal{i}")
    least = graph.constant(f"least{i}", np.array(-(2.0 ** (layer.x_bits - 1))))
    from_low = graph.node("Sub", (least, graph.node("Div", (ends[0], normal), f"low_steps{i}")), f"from_low{i}")
    zero = _saturated(graph, graph.node("Round", (from_low,), f"rounded{i}"), layer, i, "zero")
    return graph.node("Cast", (normal,), f"scale{i}", {"to": TYPES["float32"]}), zero


def _saturated(graph: Graph, x: str, layer: DynamicLayer, i: int, name: str) -> str:
    half = 2.0 ** (layer.x_bits - 1)
    bounds = [graph.constant(f"{name}{i}.{end}", np.array(v)) for end, v in (("low", -half), ("high", half - 1))]
    return graph.node("Clip", (x, *bounds), f"{name}{i}.saturated")
