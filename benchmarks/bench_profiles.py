"""Time linear layers under every profile against npquant's own, those of 16-bit codes against the same profile's of 8,
and onnx_ref against onnx.reference, equality first.

Run with one BLAS thread: OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 python benchmarks/bench_profiles.py
onnx is optional; without it that line says so. Ratios above 1 say that npquant's profile is the faster.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

import npquant
from npquant import QuantParams
from npquant.integer.layer import IntegerLayer
from npquant.integer.mlp import IntegerMLP
from npquant.profiles import get, names

SIZE = 256
WIDTHS = (784, 300, 100, 10)
WIDE = ("npquant", "litert_ref_2025", "ruy_x86", "tflm")
THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
Codes = NDArray[np.integer[Any]]


def interleaved_medians(calls: Sequence[Callable[[], object]], repeats: int) -> list[float]:
    """Time calls in turn, so that slow moments meet all of them, each after one that warms the caches; medians, s."""
    times: list[list[float]] = [[] for _ in calls]
    for _ in range(repeats):
        for call, seconds in zip(calls, times, strict=True):
            call()
            start = time.perf_counter()
            call()
            seconds.append(time.perf_counter() - start)
    return [median(seconds) for seconds in times]


def layer_call(name: str, largest_weight: int) -> tuple[Callable[[], Codes], Codes]:
    """Return a 256x256x256 layer under a profile, and its codes by a plain integer sum and the record's stages."""
    profile = get(name)
    rng = np.random.default_rng(0)
    signed = "int8" in profile.code_types and profile.accumulator != "pair16"
    low, high = (-128, 127) if signed else (0, 255)
    zx, zy = ((5, -3) if signed else (133, 125)) if profile.zero_points else (0, 0)
    x_q = rng.integers(low, high + 1, (SIZE, SIZE)).astype(np.int8 if signed else np.uint8)
    w_q = rng.integers(-largest_weight, largest_weight + 1, (SIZE, SIZE)).astype(np.int8)
    bias = rng.integers(-5000, 5000, SIZE).astype(np.int32)
    x, w, y = QuantParams(0.02, zx, low, high), QuantParams(0.01, 0, -128, 127), QuantParams(0.5, zy, low, high)
    call = partial(npquant.linear, x_q, w_q, bias, x=x, w=w, y=y, profile=name)
    acc = plain_sums(x_q.astype(np.int64), w_q.astype(np.int64), zx, profile.accumulator == "pair16")
    made = profile.make_multiplier(x.scale, w.scale, y.scale)
    real = np.asarray(bias * (float(x.scale) * float(w.scale)), np.float32)
    staged = acc + bias if profile.add_bias is None else profile.add_bias(acc, real, made)
    return call, profile.output_stage(staged, made, y.zero_point, low, high).astype(y.dtype)


def plain_sums(x: NDArray[np.int64], w: NDArray[np.int64], zx: int, pairs_saturate: bool) -> NDArray[np.int64]:
    """Sum products in int64, with or without saturating each pair of raw products to int16."""
    if not pairs_saturate:
        return np.asarray((x - zx) @ w)
    sums = [(x[:, k : k + 2] @ w[k : k + 2]).clip(-(2**15), 2**15 - 1) for k in range(0, SIZE, 2)]
    return np.asarray(np.sum(sums, axis=0) - zx * w.sum(axis=0))


def wide_call(name: str, bias: str) -> tuple[Callable[[], Codes], Codes]:
    """Return a layer of that size of int16 codes, and its codes by the same plain sum and its own stage."""
    profile, rng = get(name), np.random.default_rng(0)
    x_q = rng.integers(-32768, 32768, (SIZE, SIZE)).astype(np.int16)
    w_q = rng.integers(-127, 128, (SIZE, SIZE)).astype(np.int8)
    b_q = rng.integers(-50000, 50000, SIZE).astype(bias)
    x, w = QuantParams(0.02 / 256, 0, -32768, 32767), QuantParams(0.01, 0, -128, 127)
    y = QuantParams(0.5 / 256, 0, -32768, 32767)
    call = partial(npquant.linear, x_q, w_q, b_q, x=x, w=w, y=y, profile=name)
    stage = next(stage for stage in profile.wide_stages if stage.bias == bias)
    acc = plain_sums(x_q.astype(np.int64), w_q.astype(np.int64), 0, pairs_saturate=False) + b_q
    made = stage.make_multiplier(x.scale, w.scale, y.scale)
    return call, stage.output_stage(acc, made, 0, y.qmin, y.qmax).astype(y.dtype)


def wide_against_narrow(repeats: int) -> list[dict[str, object]]:
    """Compare a layer of 16-bit codes with the same profile's of 8-bit codes; the target is 0.3 of its speed."""
    cases = [(name, stage.bias) for name in WIDE for stage in get(name).wide_stages]
    calls = []
    for name, bias in cases:
        wide, expected = wide_call(name, bias)
        if not np.array_equal(wide(), expected):
            raise AssertionError(f"{name} gives other codes of 16 bits than its stage after a plain integer product")
        calls += [wide, layer_call(name, 127)[0]]
    times = interleaved_medians(calls, repeats)
    return [
        {"profile": name, "bias": bias, "ms": round(wide * 1e3, 3), "speed_over_8_bits": round(narrow / wide, 3)}
        for (name, bias), wide, narrow in zip(cases, times[::2], times[1::2], strict=True)
    ]


def fast_route() -> Callable[[], Codes]:
    """Return the same shape as a prepared one-layer network, npquant's fastest way, its codes checked."""
    rng = np.random.default_rng(0)
    x, w, y = QuantParams(0.02, 5, -128, 127), QuantParams(0.01, 0, -128, 127), QuantParams(0.5, -3, -128, 127)
    x_q = rng.integers(-128, 128, (SIZE, SIZE)).astype(np.int8)
    w_q = rng.integers(-127, 128, (SIZE, SIZE)).astype(np.int8)
    net = IntegerMLP((IntegerLayer(w_q, np.zeros(SIZE, np.int32), x, w, y, "identity"),), x)
    if not np.array_equal(net.run(x_q), net.run_plain(x_q)):
        raise AssertionError("the prepared network gives other codes than the plain one")
    return partial(net.run, x_q)


def against_own(repeats: int) -> list[dict[str, object]]:
    """Compare every profile's bulk layer with npquant's own, and with a network prepared in advance."""
    cases = [(name, 127) for name in names()]
    cases += [(name, 63) for name in names() if get(name).accumulator == "pair16"]
    calls = [fast_route()]
    for name, largest in cases:
        call, expected = layer_call(name, largest)
        if not np.array_equal(call(), expected):
            raise AssertionError(f"{name} gives other codes than its stages after a plain integer product")
        calls.append(call)
    prepared, *times = interleaved_medians(calls, repeats)
    return [
        {
            "profile": name,
            "weights_up_to": largest,
            "ms": round(seconds * 1e3, 3),
            "speed_over_npquant": round(times[0] / seconds, 3),
            "speed_over_prepared_network": round(prepared / seconds, 3),
        }
        for (name, largest), seconds in zip(cases, times, strict=True)
    ]


def lenet() -> IntegerMLP:
    """Make a LeNet-300-100 of random int8 weights, per-channel scales, codes spread over the range, under onnx_ref."""
    rng = np.random.default_rng(0)
    layers, x, spread = [], QuantParams(1 / 255, -128, -128, 127), 0.58  # root mean square of uniform numbers
    for k, n in pairwise(WIDTHS):
        w = QuantParams(rng.uniform(0.5, 1.5, n).astype(np.float32) * 0.01, 0, -128, 127)
        spread *= float(np.sqrt(k)) * 0.73  # weights of 73 steps of 0.01, root mean square
        y = QuantParams(spread / 40, -3, -128, 127)
        w_q = rng.integers(-127, 128, (k, n)).astype(np.int8)
        layers.append(IntegerLayer(w_q, np.zeros(n, np.int32), x, w, y, "identity"))
        x = y
    return IntegerMLP(tuple(layers), layers[0].x, profile=get("onnx_ref"))


def onnx_graph(net: IntegerMLP) -> bytes:
    """Write the network as three QLinearMatMul nodes."""
    from onnx import TensorProto, helper, numpy_helper

    nodes, constants, flow = [], [], "x"
    for i, layer in enumerate(net.layers):
        values = {
            f"sx{i}": np.float32(layer.x.scale),
            f"zx{i}": np.int8(layer.x.zero_point),
            f"w{i}": layer.w_q,
            f"sw{i}": np.asarray(layer.w.scale, np.float32),
            f"zw{i}": np.zeros(layer.w_q.shape[1], np.int8),
            f"sy{i}": np.float32(layer.y.scale),
            f"zy{i}": np.int8(layer.y.zero_point),
        }
        constants += [numpy_helper.from_array(np.asarray(value), name) for name, value in values.items()]
        nodes.append(helper.make_node("QLinearMatMul", [flow, *values], [f"y{i}"]))
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


def against_onnx_reference(batch: int, repeats: int) -> dict[str, object]:
    """Compare with onnx.reference's own QLinearMatMul, equal bytes first."""
    try:
        import onnx
        from onnx.reference import ReferenceEvaluator
    except ImportError:
        return {"onnx_reference": "not installed"}
    net = lenet()
    x_q = np.random.default_rng(1).integers(-128, 128, (batch, WIDTHS[0])).astype(np.int8)
    evaluator = ReferenceEvaluator(onnx.load_model_from_string(onnx_graph(net)))
    theirs = evaluator.run(None, {"x": x_q})[0]
    if theirs.tobytes() != net.run(x_q).tobytes() or np.ptp(theirs.astype(int)) < 50:
        raise AssertionError("onnx.reference gives other bytes, or codes that saturate or stand still")
    ours_s, theirs_s = interleaved_medians([partial(net.run, x_q), partial(evaluator.run, None, {"x": x_q})], repeats)
    figures = {"batch": batch, "npquant_us": round(ours_s * 1e6, 1), "onnx_us": round(theirs_s * 1e6, 1)}
    return {"onnx_reference_lenet": figures | {"faster": round(theirs_s / ours_s, 1)}, "version": onnx.__version__}


def main() -> None:
    """Print one JSON line a figure."""
    if not any(os.environ.get(name) == "1" for name in THREADS):
        print(f"warning: BLAS threads are not pinned; set {THREADS[0]}=1")
    lines = [*against_own(30), *wide_against_narrow(30)]
    for line in lines:
        print(json.dumps(line))
    for batch, repeats in ((1, 100), (64, 30)):
        print(json.dumps(against_onnx_reference(batch, repeats)), flush=True)


if __name__ == "__main__":
    main()
