"""Dynamic quantization and integer products are the profiles', bit for bit, in both ONNX engines."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from npquant import QuantParams
from npquant.profiles.dynamic import dynamic_linear, dynamic_quantize, matmul_integer
from tests.peers import adversarial, engines_onnx_reference, machine
from tests.peers import engines_onnxruntime as ENGINE
from tests.peers.comparison import require_equal
from tests.peers.dynamic_layers import FloatLayer, float_layers
from tests.peers.onnx_models import one_node_model

pytestmark = pytest.mark.peer
ENGINES: dict[str, Any] = {"ort": ENGINE, "onnx_ref": engines_onnx_reference}
each_engine = pytest.mark.parametrize("profile", ENGINES)


def ranges() -> list[NDArray[np.float32]]:
    """Return tensors of many ranges: one-sided, empty, tiny, huge, with zero points beside ties."""
    rng = np.random.default_rng(31)
    found = [np.zeros(3, np.float32), np.zeros((2, 0), np.float32), np.array([3e38, -3e38, 1.0, 0.0], np.float32)]
    for size in (1, 2, 7, 8, 33, 257):
        for exponent in (-149, -148, -142, -130, -126, -60, -3, 0, 5, 100):
            for low in (-1.0, 0.0, 0.5, -2.0):
                found.append(np.ldexp(rng.uniform(low, 1, size), exponent).astype(np.float32))
    for k in range(255):
        ends = np.array([-(k + 0.5) / 255, 1 - (k + 0.5) / 255], np.float32)
        found.append(np.concatenate([ends, rng.uniform(ends[0], ends[1], 30).astype(np.float32)]))
        steps = (np.arange(-k, 256 - k) + 0.5)[:-1].astype(np.float32)  # scale 1: every value but the ends is a tie
        found.append(np.concatenate([np.array([-k, 255 - k], np.float32), steps]))
    return found


def outputs(x: NDArray[np.float32], profile: str) -> list[NDArray[Any]]:
    """Return the profile's three outputs in the operator's order."""
    made = dynamic_quantize(x, profile=profile)
    return [made.codes, made.scale, made.zero_point]


@each_engine
def test_dynamic_quantize_linear_equals_profile(profile: str) -> None:
    """Codes, scale and zero point, on every zero point and scales down to 0."""
    engine, compared = ENGINES[profile], 0
    for x in ranges():
        if profile == "onnx_ref" and x.size == 0:
            continue  # the evaluator's np.max refuses an empty tensor
        for got, want in zip(engine.dynamic_quantize_linear(x), outputs(x, profile), strict=True):
            compared += require_equal(engine, got, want, case=x)
    assert compared >= 70_000


@each_engine
@pytest.mark.parametrize("types", [("uint8", "uint8"), ("uint8", "int8"), ("int8", "int8")])
def test_matmul_integer_equals_profile(profile: str, types: tuple[str, str]) -> None:
    """Any depth, zero points per tensor and per column; 140,000 deep, the sum wraps."""
    engine, rng, compared = ENGINES[profile], np.random.default_rng(32), 0
    exact = profile == "onnx_ref" or machine.sums_pairs_exactly()
    name = profile if exact else "ort_pair16"
    for depth in (*adversarial.DEPTHS, 140_000):
        rows, columns = (1, 2) if depth > 1000 else (33, 17)
        x_q, w_q = (adversarial.codes(rng, s, t) for s, t in zip(((rows, depth), (depth, columns)), types, strict=True))
        if depth > 1000:
            x_q[:], w_q[:] = np.iinfo(types[0]).min, np.iinfo(types[1]).min
            zeros: list[tuple[Any, Any]] = [(np.iinfo(types[0]).max, np.iinfo(types[1]).max)]
        else:
            per_column = adversarial.codes(rng, (columns,), types[1])
            zeros = [(0, 0), (int(x_q[0, 0]), int(w_q[0, 0])), (int(x_q[-1, -1]), per_column)]
        for zx, zw in zeros:
            got = engine.matmul_integer(x_q, w_q, x_zero_point=zx, w_zero_point=zw)
            want = matmul_integer(x_q, w_q, x_zero_point=zx, w_zero_point=zw, profile=name)
            compared += require_equal(engine, got, want, case=(types, depth, zx, zw))
    assert compared >= 30_000


def dynamic_model(
    x: NDArray[np.float32], w_q: NDArray[Any], w: QuantParams, bias: NDArray[np.float32] | None = None
) -> tuple[bytes, dict[str, Any]]:
    """Build what ONNX Runtime's own dynamic quantizer writes: five nodes, weights constant, and the bias."""
    from onnx import TensorProto, helper, numpy_helper

    nodes = [
        helper.make_node("DynamicQuantizeLinear", ["x"], ["x_q", "sx", "zx"]),
        helper.make_node("MatMulInteger", ["x_q", "w_q", "zx", "zw"], ["acc"]),
        helper.make_node("Cast", ["acc"], ["real"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["sx", "sw"], ["scale"]),
        helper.make_node("Mul", ["real", "scale"], ["y" if bias is None else "product"]),
        *([] if bias is None else [helper.make_node("Add", ["product", "b"], ["y"])]),
    ]
    scale = np.asarray(w.scale, np.float32)
    zero = np.broadcast_to(np.asarray(w.zero_point), scale.shape).astype(w_q.dtype)
    constants = [numpy_helper.from_array(a, n) for n, a in (("w_q", w_q), ("sw", scale), ("zw", zero))]
    constants += [] if bias is None else [numpy_helper.from_array(bias, "b")]
    graph = helper.make_graph(
        nodes,
        "dynamic_linear",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    return model.SerializeToString(), {"x": x}


def matmul_model(x: NDArray[np.float32], layer: FloatLayer) -> tuple[bytes, dict[str, Any]]:
    """Build the one contributed operator that ONNX Runtime fuses those nodes into."""
    scale = np.asarray(layer.w.scale, np.float32)
    zero = np.broadcast_to(np.asarray(layer.w.zero_point), scale.shape).astype(layer.w_q.dtype)
    feeds = [x, layer.w_q, scale, zero, *([] if layer.bias is None else [layer.bias])]
    return one_node_model("DynamicQuantizeMatMul", feeds, ["float32"], domain="com.microsoft")


@pytest.mark.parametrize("form", ["operator", "fused", "apart"])
def test_dynamic_linear_of_onnxruntime_has_one_arithmetic_in_three_forms(form: str) -> None:
    """The operator with its bias, the nodes that are fused into it, and the nodes apart; one fused rounding fails."""
    name = "ort" if machine.sums_pairs_exactly() else "ort_pair16"
    compared = killed = 0
    for layer in float_layers(34, 100_000):
        if form == "operator":
            got = ENGINE.run(*matmul_model(layer.x, layer))[0]
        else:
            model, feeds = dynamic_model(layer.x, layer.w_q, layer.w, layer.bias)
            got = ENGINE.run(model, feeds, optimized=form == "fused")[0]
        want = dynamic_linear(layer.x, layer.w_q, w=layer.w, bias=layer.bias, profile=name)
        compared += require_equal(ENGINE, got + 0, want + 0, case=(layer.x.shape, layer.w_q.shape))
        wrong = "fbgemm" if name == "ort" else "fbgemm_pair16"
        killed += int((got != dynamic_linear(layer.x, layer.w_q, w=layer.w, bias=layer.bias, profile=wrong)).sum())
    assert compared >= 100_000 and killed > 5_000


@each_engine
@pytest.mark.parametrize("per_channel", [False, True])
def test_dynamic_linear_equals_profile(profile: str, per_channel: bool) -> None:
    """The five nodes of a dynamically quantized layer, which ONNX Runtime fuses into one."""
    engine, rng, compared = ENGINES[profile], np.random.default_rng(33), 0
    exact = profile == "onnx_ref" or machine.sums_pairs_exactly()
    name = profile if exact else "ort_pair16"
    for depth in (*adversarial.DEPTHS, 1000):
        for dtype in ("int8", "uint8"):
            x = (rng.normal(size=(33, depth)) * 10 ** rng.uniform(-3, 3)).astype(np.float32)
            w_q = adversarial.codes(rng, (depth, 17), dtype)
            scale = rng.uniform(1e-4, 1, 17 if per_channel else ())
            info = np.iinfo(dtype)
            zero = rng.integers(info.min, info.max, np.shape(scale)) if dtype == "uint8" else 0
            w = QuantParams(scale, zero, info.min, info.max)
            got = engine.run(*dynamic_model(x, w_q, w))[0]
            compared += require_equal(engine, got, dynamic_linear(x, w_q, w=w, profile=name), case=(depth, dtype))
    assert compared >= 20_000
