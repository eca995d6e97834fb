"""Float models, and what the definitions of ONNX's operators make of them, in float64.

Constants are small (no sum of magnitudes above 1, no divisor below 1), so that one bound serves all: see `bound`.
"""

from typing import Any, NamedTuple

import numpy as np

from tests.interop.onnx_in.models import model, node, tensor, value

RNG = np.random.default_rng(20)
U = 2.0**-24


def small(*shape: Any) -> Any:
    """Numbers whose sums along the first axis stay below 1."""
    return (RNG.uniform(-1, 1, shape) / shape[0]).astype(np.float32)


W, B, W2, B2 = small(4, 3), small(3) * 2, small(3, 2), small(2)
V, V64 = small(4), small(64, 5)
S, VAR, D = (RNG.uniform(low, high, 3).astype(np.float32) for low, high in ((0.3, 1), (1, 2), (1, 2)))
DIV = RNG.uniform(1, 2, (1, 4)).astype(np.float32)
PLANES = RNG.uniform(-1, 1, (1, 4, 1, 1)).astype(np.float32)
TENSORS = [
    tensor(name, np.asarray(array))
    for name, array in {
        "W": W, "WT": W.T.copy(), "B": B, "B1N": B[None], "W2": W2, "B2": B2, "V": V, "DIV": DIV, "S": S, "VAR": VAR,
        "D": D, "V64": V64, "PLANES": PLANES, "one": np.float32(1), "quarter": np.float32(0.25),
        "zero": np.float32(0), "six": np.float32(6), "W16": W.astype(np.float16), "to_rows": np.array([0, -1]),
        "minus_one": np.array([-1]), "i0": np.array(0), "i64": np.array([64]), "ax0": np.array([0]),
        "ax1": np.array([1]), "ax2": np.array([2]), "ones": np.array([1, 1]), "two64": np.array([2, 64]),
        "many64": np.array([-1, 64]), "half": np.float32([0.5]),
    }.items()
]  # fmt: skip


class Case(NamedTuple):
    """A model and its definition: want(x) of rows x, shaped as the file's input."""

    data: bytes
    want: object
    shape: tuple[Any, ...]
    bound: float


def sigmoid(z: Any) -> Any:
    return 1 / (1 + np.exp(-z))


def softmax(z: Any) -> Any:
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def case(nodes: Any, want: Any, *, shape: Any = (4,), opset: int = 13, dims: Any = None) -> Any:
    """A case, with the bound that its number of operations gives.

    Every constant maps a magnitude m to at most m + 1, and an error e to at most e; n operations one behind the other,
    the sums' included, leave an error of at most n u (n + 1), to first order and a factor 2 for the second and the
    engine's own functions.
    """
    data = model(nodes, TENSORS, inputs=[value("x", 1, dims or ("n", *shape))], opset=opset)
    n = len(nodes) + 4 + 3 + int(np.prod(shape))
    return Case(data, want, shape, 2 * n * (n + 1) * U)


TAIL = [node("Gemm", "h W2 B2", "y")]


def tailed(nodes: Any, hidden: Any, **kwargs: Any) -> Any:
    """A case with a second layer behind."""
    return case([*nodes, *TAIL], lambda x: hidden(x) @ W2.astype(float) + B2, **kwargs)


def z(x: Any, w: Any = W, b: Any = B) -> Any:
    return x @ w.astype(float) + b


def relu(t: Any) -> Any:
    return np.maximum(t, 0)


GEMM = node("Gemm", "x W B", "g")
ROWS = [node("Gemm", "f V64", "y")]


def flattened(nodes: Any, *, shape: Any = (1, 8, 8), dims: Any = None, opset: int = 13) -> Any:
    """Nodes that only flatten x into f, and a product."""
    return case([*nodes, *ROWS], lambda x: x.reshape(-1, 64) @ V64.astype(float), shape=shape, dims=dims, opset=opset)


VIEW = [
    node("Shape", "x", "s"),
    node("Gather", "s i0", "n", axis=0),
    node("Unsqueeze", "n ax0", "n1"),
    node("Concat", "n1 minus_one", "t", axis=0),
    node("Reshape", "x t", "f"),
]
STRIDED = [
    node("Shape", "x", "s"),
    node("Slice", "s ax0 ax1 ax0", "n"),
    node("Slice", "s ax1 i64 ax0", "rest"),
    node("ReduceProd", "rest", "k", keepdims=1),
    node("Concat", "n k", "t", axis=0),
    node("Reshape", "x t", "f"),
]

CASES = {
    "gemm alpha beta transB": tailed(
        [node("Gemm", "x WT B1N", "g", transB=1, alpha=0.5, beta=0.25), node("Relu", "g", "h")],
        lambda x: relu(0.5 * (x @ W.astype(float)) + 0.25 * B),
    ),
    "gemm without bias": tailed([node("Gemm", "x W", "g"), node("Tanh", "g", "h")], lambda x: np.tanh(z(x, W, 0))),
    "gemm scalar bias": tailed(
        [node("Gemm", "x W quarter", "g"), node("Relu", "g", "h")], lambda x: relu(z(x, W, 0.25))
    ),
    "matmul and add": tailed(
        [node("MatMul", "x W", "m"), node("Add", "B m", "g"), node("Sigmoid", "g", "h")], lambda x: sigmoid(z(x))
    ),
    "affine maps before": tailed(
        [
            node("Sub", "x V", "a"), node("Div", "a DIV", "b"), node("Mul", "b quarter", "c"), node("Neg", "c", "d"),
            node("Sub", "one d", "e"), node("Gemm", "e W B", "g"), node("Relu", "g", "h"),
        ],
        lambda x: relu(z(1 + (x - V) / DIV * 0.25)),
    ),
    "scaler": tailed(
        [
            node("Scaler", "x", "a", domain="ai.onnx.ml", offset=[0.5, -0.25, 0.0, 1.0], scale=[0.5, 0.25, 1.0, 0.75]),
            node("Gemm", "a W B", "g"), node("Relu", "g", "h"),
        ],
        lambda x: relu(z((x - [0.5, -0.25, 0.0, 1.0]) * [0.5, 0.25, 1.0, 0.75])),
    ),
    **{
        f"batch normalization, opset {opset}": tailed(
            [
                node("MatMul", "x W", "m"), node("BatchNormalization", "m S B B VAR", "g", epsilon=0.25, **more),
                node("Relu", "g", "h"),
            ],
            lambda x: relu(S * (z(x, W, 0) - B) / np.sqrt(VAR.astype(float) + 0.25) + B),
            opset=opset,
        )
        for opset, more in ((7, {}), (9, {"momentum": 0.9}), (13, {"momentum": 0.9}), (15, {}))
    },
    "batch normalization behind the activation": tailed(
        [GEMM, node("Relu", "g", "r"), node("BatchNormalization", "r S B B VAR", "h")],
        lambda x: S * (relu(z(x)) - B) / np.sqrt(VAR.astype(float) + np.float32(1e-5)) + B,
    ),
    "relu6": tailed([GEMM, node("Clip", "g zero six", "h")], lambda x: np.clip(z(x), 0, 6)),
    "clip from below": tailed([GEMM, node("Clip", "g quarter", "h")], lambda x: np.maximum(z(x), 0.25)),
    "clip from above": tailed([GEMM, node("Clip", "g - quarter", "h")], lambda x: np.minimum(z(x), 0.25)),
    "clip by attributes": tailed(
        [GEMM, node("Clip", "g", "h", min=-0.25, max=0.5)], lambda x: np.clip(z(x), -0.25, 0.5), opset=9
    ),
    "max and min": tailed(
        [GEMM, node("Max", "g zero", "r"), node("Min", "quarter r", "h")], lambda x: np.clip(z(x), 0, 0.25)
    ),
    "hard sigmoid": tailed([GEMM, node("HardSigmoid", "g", "h")], lambda x: np.clip(0.2 * z(x) + 0.5, 0, 1)),
    "hard sigmoid of torch": tailed(
        [GEMM, node("HardSigmoid", "g", "h", alpha=1 / 6, beta=0.5)], lambda x: np.clip(z(x) / 6 + 0.5, 0, 1)
    ),
    "fused gemm": tailed(
        [node("FusedGemm", "x W B", "h", domain="com.microsoft", activation="Relu")], lambda x: relu(z(x))
    ),
    "weights through nodes": tailed(
        [
            node("Identity", "WT", "a"), node("Transpose", "a", "b", perm=[1, 0]), node("Mul", "b quarter", "c"),
            node("MatMul", "x c", "m"), node("Relu", "m", "h"),
        ],
        lambda x: relu(0.25 * z(x, W, 0)),
    ),
    "float16 weights, cast": tailed(
        [node("Cast", "W16", "c", to=1), node("Gemm", "x c B", "g"), node("Relu", "g", "h")],
        lambda x: relu(z(x, W.astype(np.float16))),
    ),
    "a constant behind its user": tailed(
        [node("Gemm", "x C B", "g"), node("Constant", "", "C", value=W), node("Relu", "g", "h")], lambda x: relu(z(x))
    ),
    "identity, dropout, reshape": tailed(
        [
            node("Identity", "x", "a"), node("Dropout", "a", "b mask"), node("Gemm", "b W B", "g"),
            node("Relu", "g", "r"), node("Reshape", "r to_rows", "h"),
        ],
        lambda x: relu(z(x)),
    ),
    "linear layers": tailed([node("Gemm", "x W B", "h")], z),
    "softmax": case([GEMM, node("Softmax", "g", "y")], lambda x: softmax(z(x))),
    "softmax of opset 9": case([GEMM, node("Softmax", "g", "y")], lambda x: softmax(z(x)), opset=9),
    "log-softmax": case([GEMM, node("LogSoftmax", "g", "y", axis=1)], lambda x: np.log(softmax(z(x)))),
    "a last sigmoid": case([GEMM, node("Sigmoid", "g", "y")], lambda x: sigmoid(z(x))),
    "scaled outputs": case([GEMM, node("Mul", "g quarter", "a"), node("Add", "a D", "y")], lambda x: z(x) / 4 + D),
    "flatten": flattened([node("Flatten", "x", "f")]),
    "flatten of axis -3": flattened([node("Flatten", "x", "f", axis=-3)]),
    "reshape to -1": flattened([node("Reshape", "x many64", "f")]),
    "reshape by 0": flattened([node("Reshape", "x to_rows", "f")]),
    "the batch baked in": flattened([node("Reshape", "x two64", "f", allowzero=1)], dims=(2, 1, 8, 8), opset=14),
    "a view of x.size(0)": flattened(VIEW),
    "a view of Shape, Slice, ReduceProd": flattened(STRIDED),
    "squeeze and unsqueeze": flattened(
        [node("Squeeze", "x ax1", "a"), node("Unsqueeze", "a ax2", "b"), node("Flatten", "b", "f")]
    ),
    "axes as attributes": flattened(
        [node("Squeeze", "x", "a", axes=[1]), node("Unsqueeze", "a", "b", axes=[3]), node("Flatten", "b", "f")],
        opset=11,
    ),
    "a transpose that moves nothing": flattened(
        [node("Transpose", "x", "t", perm=[0, 2, 3, 1]), node("Flatten", "t", "f")]
    ),
    "tile and expand by one": flattened(
        [node("Flatten", "x", "a"), node("Tile", "a ones", "b"), node("Expand", "b ones", "f")]
    ),
    "planes of an image": flattened(
        [node("Sub", "x PLANES", "a"), node("Add", "a PLANES", "b"), node("Flatten", "b", "f")], shape=(4, 4, 4)
    ),
}  # fmt: skip
