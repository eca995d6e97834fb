"""Time the int8 LeNet-300-100 against the float32 one and onnx.reference, after checking that the codes agree.

Run with one BLAS thread: OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 python benchmarks/bench_inference.py
onnx is optional; without it that line says so.
"""

from __future__ import annotations

import json
import os
import time
import tracemalloc
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from npquant.compression.rounding.uniform import quantize_uniform
from npquant.integer.mlp import IntegerMLP
from npquant.kernels.multiplier import layer_multiplier
from npquant.nn.model import DenseLayer, FloatMLP

WIDTHS = (784, 300, 100, 10)
THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


def interleaved_medians(calls: Sequence[Callable[[], object]], repeats: int) -> list[float]:
    """Time calls in turn, so that a slow moment of the machine meets all of them; medians in seconds."""
    times: list[list[float]] = [[] for _ in calls]
    for _ in range(repeats):
        for call, seconds in zip(calls, times, strict=True):
            start = time.perf_counter()
            call()
            seconds.append(time.perf_counter() - start)
    return [median(seconds) for seconds in times]


def make_models() -> tuple[FloatMLP, IntegerMLP, NDArray[np.float32], NDArray[np.int8]]:
    """Make a float network of the shape, its integer form, and 1,000 rows of pixels in both."""
    rng = np.random.default_rng(0)
    layers = []
    for i, (k, n) in enumerate(pairwise(WIDTHS)):
        size = 1 / np.sqrt(k) / (128 if i == 0 else 1)
        activation = "identity" if n == WIDTHS[-1] else "clipped_relu"
        w, b = rng.normal(0, size, (k, n)), rng.normal(0, 0.1, n)
        layers.append(DenseLayer(w.astype(np.float32), b.astype(np.float32), activation))
    model = FloatMLP(tuple(layers))
    x = rng.integers(0, 256, (1000, WIDTHS[0])).astype(np.float32)
    net = quantize_uniform(model, x[:256])
    return model, net, x, net.encode(x)


def plain_float(model: FloatMLP, x: NDArray[np.float32]) -> NDArray[Any]:
    """Run the float network with no checks and in-place passes: the leanest NumPy form."""
    a: NDArray[Any] = x
    for layer in model.layers:
        a = a @ layer.w
        a += layer.b
        if layer.activation == "clipped_relu":
            a.clip(0, 1, out=a)
    return a


def onnx_graph(net: IntegerMLP) -> bytes:
    """Write the network as MatMulInteger, Add and QLinear-style requantization in float64, operator by operator."""
    from onnx import TensorProto, helper, numpy_helper

    nodes: list[Any] = []
    constants: list[Any] = []

    def constant(name: str, value: NDArray[Any]) -> str:
        constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    flow = "x"
    for i, layer in enumerate(net.layers):
        low, high = layer.code_range
        real = np.broadcast_to(np.asarray(layer_multiplier(layer.x, layer.w, layer.y).real), layer.bias.shape)
        zero = constant(f"zx{i}", np.array(int(layer.x.zero_point), np.int8))
        weights, none = constant(f"w{i}", layer.w_q), constant(f"zw{i}", np.array(0, np.int8))
        bias, scale = constant(f"b{i}", layer.bias), constant(f"m{i}", real.astype(np.float64))
        start = constant(f"s{i}", np.array(int(layer.y.zero_point) + 0.5))
        ends = constant(f"lo{i}", np.array(float(low))), constant(f"hi{i}", np.array(float(high)))
        nodes += [
            helper.make_node("MatMulInteger", [flow, weights, zero, none], [f"p{i}"]),
            helper.make_node("Add", [f"p{i}", bias], [f"acc{i}"]),
            helper.make_node("Cast", [f"acc{i}"], [f"real{i}"], to=TensorProto.DOUBLE),
            helper.make_node("Mul", [f"real{i}", scale], [f"scaled{i}"]),
            helper.make_node("Add", [f"scaled{i}", start], [f"moved{i}"]),
            helper.make_node("Floor", [f"moved{i}"], [f"floor{i}"]),
            helper.make_node("Clip", [f"floor{i}", *ends], [f"clip{i}"]),
            helper.make_node("Cast", [f"clip{i}"], [f"y{i}"], to=TensorProto.INT8),
        ]
        flow = f"y{i}"
    graph = helper.make_graph(
        nodes,
        "mlp",
        [helper.make_tensor_value_info("x", TensorProto.INT8, [None, WIDTHS[0]])],
        [helper.make_tensor_value_info(flow, TensorProto.INT8, [None, WIDTHS[-1]])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    return bytes(model.SerializeToString())


def against_onnx_reference(net: IntegerMLP, x_q: NDArray[np.int8]) -> dict[str, object]:
    """Compare with onnx.reference on the same integer graph."""
    try:
        import onnx
        from onnx.reference import ReferenceEvaluator
    except ImportError:
        return {"onnx_reference": "not installed"}
    evaluator = ReferenceEvaluator(onnx.load_model_from_string(onnx_graph(net)))
    if not np.array_equal(evaluator.run(None, {"x": x_q})[0], net.run(x_q)):
        raise AssertionError("onnx.reference gives other codes on the same integer graph")
    figures: dict[str, object] = {}
    for batch, repeats in ((1, 50), (1000, 3)):
        rows = x_q[:batch]
        ours, theirs = interleaved_medians([partial(net.run, rows), partial(evaluator.run, None, {"x": rows})], repeats)
        figures[f"batch_{batch}"] = {"npquant_us": ours * 1e6, "onnx_us": theirs * 1e6, "faster": theirs / ours}
    return {"onnx_reference": figures}


def peak_memory(net: IntegerMLP, x_q: NDArray[np.int8]) -> dict[str, float]:
    """Measure the peak of one call, over weights (int8) plus the largest activation (int8 codes of the input)."""
    net.run(x_q)
    tracemalloc.start()
    net.run(x_q)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    weights = sum(layer.w_q.nbytes + layer.bias.nbytes for layer in net.layers)
    return {
        "peak_bytes": peak,
        "weights_and_largest_activation": weights + x_q.nbytes,
        "ratio": peak / (weights + x_q.nbytes),
    }


def main() -> None:
    """Print one JSON line a figure."""
    if not any(os.environ.get(name) == "1" for name in THREADS):
        print(f"warning: BLAS threads are not pinned; set {THREADS[0]}=1")
    model, net, x, x_q = make_models()
    if not np.array_equal(net.run(x_q), net.run_plain(x_q)):
        raise AssertionError("the fast route differs from the plain one")
    start = time.perf_counter()
    IntegerMLP(net.layers, net.input_params)
    print(json.dumps({"prepare_ms": (time.perf_counter() - start) * 1e3}))
    for batch, repeats in ((1, 2000), (64, 300), (1000, 80)):
        rows, codes = x[:batch], x_q[:batch]
        ours, theirs, lean, encode, plain = interleaved_medians(
            [
                partial(net.run, codes),
                partial(model.logits, rows),
                partial(plain_float, model, rows),
                partial(net.encode, rows),
                partial(net.run_plain, codes),
            ],
            repeats,
        )
        figures = {
            "int8_us": ours,
            "float32_us": theirs,
            "lean_float32_us": lean,
            "encode_us": encode,
            "plain_us": plain,
        }
        line: dict[str, object] = {name: round(value * 1e6, 1) for name, value in figures.items()}
        line |= {"batch": batch, "int8_over_float32": round(ours / theirs, 3), "int8_over_lean": round(ours / lean, 3)}
        print(json.dumps(line), flush=True)
    print(json.dumps(peak_memory(net, x_q)))
    print(json.dumps(against_onnx_reference(net, x_q)))


if __name__ == "__main__":
    main()
