"""Quantized models built by hand, one for each way that files say it; weights of seven bits.

With weights in [-64, 63] a pair of products of uint8 and int8 stays inside int16 (255 (64 + 64) < 2^15), so that every
processor's onnxruntime sums them exactly.
"""

from typing import Any

import numpy as np

from tests.interop.onnx_in.models import model, node, tensor, value

RNG = np.random.default_rng(30)
K, N, C = 24, 16, 5
W1, W2 = (RNG.integers(-64, 64, shape).astype(np.int8) for shape in ((K, N), (N, C)))
B1, B2 = (RNG.integers(-3000, 3000, n).astype(np.int32) for n in (N, C))
SX, SH, SY = np.float32(0.021), np.float32(0.043), np.float32(0.19)
SW1, SW2 = np.float32(0.0123), RNG.uniform(0.005, 0.02, C).astype(np.float32)


def scales(kind: Any) -> Any:
    """The tensors of activations of one code type, and the weights with everything about them."""
    zero = np.uint8 if kind == "uint8" else np.int8
    low = 0 if kind == "uint8" else -128
    arrays = {
        "sx": SX,
        "zx": zero(low + 121),
        "sh": SH,
        "zh": zero(low),
        "zm": zero(low + 128),
        "sy": SY,
        "zy": zero(low + 90),
        "sw1": SW1,
        "sw2": SW2,
        "zw1": np.int8(0),
        "zw2": np.zeros(C, np.int8),
        "W1": W1,
        "W2": W2,
        "B1": B1,
        "B2": B2,
        "F1": (W1 * SW1).astype(np.float32),
        "fb1": (B1 * (SX * SW1)).astype(np.float32),
        "sb1": np.float32(SX * SW1),
        "sb2": (SH * SW2).astype(np.float32),
        "W1T": W1.T.copy(),
        "lo": zero(low + 8),
        "hi": zero(low + 247),
        "wlo": np.int8(-63),
        "whi": np.int8(63),
        "sp": np.float32(1 / 256),
        "zp": zero(low),
        "u1": (W1.astype(np.int16) + 128).astype(np.uint8),
        "zu1": np.uint8(128),
    }
    return [tensor(name, np.asarray(array)) for name, array in arrays.items()]


def q(a: Any, b: Any, s: str = "sh", zero: str = "zh") -> Any:
    return node("QuantizeLinear", f"{a} {s} {zero}", b)


def dq(a: Any, b: Any, s: str = "sh", zero: str = "zh", **more: Any) -> Any:
    return node("DequantizeLinear", f"{a} {s} {zero}", b, **more)


FIRST = [q("x", "xq", "sx", "zx"), dq("xq", "xd", "sx", "zx"), dq("W1", "w1", "sw1", "zw1")]
BIAS1 = [dq("B1", "b1", "sb1", "-")]
SECOND = [dq("W2", "w2", "sw2", "zw2", axis=1), dq("B2", "b2", "sb2", "-", axis=0)]
LAST = [node("Gemm", "hd w2 b2", "o"), q("o", "oq", "sy", "zy"), dq("oq", "y", "sy", "zy")]
GEMM1 = [*FIRST, *BIAS1, node("Gemm", "xd w1 b1", "g")]

QDQ = {
    "gemm, clamp by the zero point": [*GEMM1, q("g", "hq"), dq("hq", "hd"), *SECOND, *LAST],
    "gemm and relu": [*GEMM1, node("Relu", "g", "r"), q("r", "hq"), dq("hq", "hd"), *SECOND, *LAST],
    "matmul, add, relu": [
        *FIRST, *BIAS1, node("MatMul", "xd w1", "m"), node("Add", "m b1", "g"), q("g", "hq"), dq("hq", "hd"), *SECOND,
        *LAST,
    ],
    "two requantizations around a relu": [
        *GEMM1, q("g", "pq", "sh", "zm"), dq("pq", "pd", "sh", "zm"), node("Relu", "pd", "r"), q("r", "hq", "sh", "zm"),
        dq("hq", "hd", "sh", "zm"), *SECOND, *LAST,
    ],
    "a sigmoid between two quantizers": [
        *GEMM1, q("g", "pq", "sh", "zm"), dq("pq", "pd", "sh", "zm"), node("Sigmoid", "pd", "r"),
        q("r", "hq", "sp", "zp"), dq("hq", "hd", "sp", "zp"), SECOND[0], node("Gemm", "hd w2", "o"), *LAST[1:],
    ],
    "codes clipped into a narrower interval": [
        *GEMM1, q("g", "h0", "sh", "zm"), node("Clip", "h0 lo hi", "hq"), dq("hq", "hd", "sh", "zm"), *SECOND, *LAST,
    ],
    "no quantizer behind the last layer": [
        *GEMM1, q("g", "hq"), dq("hq", "hd"), *SECOND, node("Gemm", "hd w2 b2", "y"),
    ],
    "weights quantized by the file": [
        *FIRST[:2], q("F1", "f1", "sw1", "zw1"), dq("f1", "w1", "sw1", "zw1"), *BIAS1, node("Gemm", "xd w1 b1", "g"),
        q("g", "hq"), dq("hq", "hd"), *SECOND, *LAST,
    ],
    "transposed weights": [
        *FIRST[:2], dq("W1T", "w1", "sw1", "zw1"), *BIAS1, node("Gemm", "xd w1 b1", "g", transB=1), q("g", "hq"),
        dq("hq", "hd"), *SECOND, *LAST,
    ],
    "quantizers around a reshape": [
        *GEMM1, q("g", "h0"), dq("h0", "h1"), node("Flatten", "h1", "h2"), q("h2", "hq"), dq("hq", "hd"), *SECOND,
        *LAST,
    ],
    "a softmax of codes": [
        *GEMM1, q("g", "hq"), dq("hq", "hd"), *SECOND, *LAST[:2], dq("oq", "l", "sy", "zy"), node("Softmax", "l", "y"),
    ],
}  # fmt: skip

QOPERATOR = {
    "QGemm twice": [
        FIRST[0], node("QGemm", "xq sx zx W1 sw1 zw1 B1 sh zh", "hq", domain="com.microsoft"),
        node("QGemm", "hq sh zh W2 sw2 zw2 B2 sy zy", "oq", domain="com.microsoft"), dq("oq", "y", "sy", "zy"),
    ],
    "QGemm with real outputs": [
        FIRST[0], node("QGemm", "xq sx zx W1T sw1 zw1 B1 sh zh", "hq", domain="com.microsoft", transB=1),
        node("QGemm", "hq sh zh W2 sw2 zw2 B2 - -", "y", domain="com.microsoft"),
    ],
    "QLinearMatMul": [
        FIRST[0], node("QLinearMatMul", "xq sx zx W1 sw1 zw1 sh zh", "hq"),
        node("QLinearMatMul", "hq sh zh W2 sw2 zw2 sy zy", "oq"), dq("oq", "y", "sy", "zy"),
    ],
    "QLinearSigmoid": [
        FIRST[0], node("QGemm", "xq sx zx W1 sw1 zw1 B1 sh zm", "pq", domain="com.microsoft"),
        node("QLinearSigmoid", "pq sh zm sp zp", "sq", domain="com.microsoft"),
        node("QGemm", "sq sp zp W2 sw2 zw2 B2 sy zy", "oq", domain="com.microsoft"), dq("oq", "y", "sy", "zy"),
    ],
}  # fmt: skip

DYNAMIC = {
    "MatMulInteger": [
        node("DynamicQuantizeLinear", "x", "xq xs xz"), node("MatMulInteger", "xq W1 xz zw1", "a"),
        node("Cast", "a", "af", to=1), node("Mul", "xs sw1", "s"), node("Mul", "af s", "m"), node("Add", "m fb1", "g"),
        node("Relu", "g", "h"), node("DynamicQuantizeLinear", "h", "hq hs hz"),
        node("MatMulInteger", "hq W2 hz zw2", "a2"), node("Cast", "a2", "a2f", to=1), node("Mul", "hs sw2", "s2"),
        node("Mul", "s2 a2f", "y"),
    ],
    "unsigned weights": [
        node("DynamicQuantizeLinear", "x", "xq xs xz"), node("MatMulInteger", "xq u1 xz zu1", "a"),
        node("Cast", "a", "af", to=1), node("Mul", "sw1 xs", "s"), node("Mul", "af s", "y"),
    ],
    "onnxruntime's fused operators": [
        node("DynamicQuantizeMatMul", "x W1 sw1 zw1 fb1", "g", domain="com.microsoft"), node("Relu", "g", "h"),
        node("DynamicQuantizeLinear", "h", "hq hs hz"),
        node("MatMulIntegerToFloat", "hq W2 hs sw2 hz zw2", "y", domain="com.microsoft"),
    ],
}  # fmt: skip


def built(nodes: Any, kind: Any, *, codes: bool = False, opset: int = 13) -> Any:
    """A model of a case; its input and output are codes where it has no quantizers at its ends."""
    types = {"uint8": 2, "int8": 3}
    entry = value("xq", types[kind], ("n", K)) if codes else value("x", 1, ("n", K))
    nodes = [n for n in nodes if n is not FIRST[0]] if codes else nodes
    return model(
        nodes, scales(kind), inputs=[entry], outputs=[value("y", types[kind] if codes else 1, None)], opset=opset
    )
