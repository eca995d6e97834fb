"""Operators on real values: products, affine maps, batch normalization, activations and heads, as tokens.

Legend: walk the walk; node the operator; inputs what its names stand for, None where one is left out; data the
one of them that flows, and x its values; c a constant; (K, N) the shape of a product's weights, n = N.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npquant.interop.onnx_in.attributes import attribute, constant, float_of, integer_of, numbers, scalar
from npquant.interop.onnx_in.const import Const
from npquant.interop.onnx_in.constants import bounds_of_clip
from npquant.interop.onnx_in.messages import Node
from npquant.interop.onnx_in.shapes import rows
from npquant.interop.onnx_in.tensors import DOUBLE, FLOATS, type_name
from npquant.interop.onnx_in.tokens import CodeClip, DynamicProduct, Pair, Product
from npquant.interop.onnx_in.values import Data, Known, Walk
from npquant.interop.steps import Activation, Affine, Clip, Head

Inputs = Sequence[Known | None]
_LARGEST = float(np.finfo(np.float32).max)


def float_node(walk: Walk, node: Node, inputs: Inputs, data: Data) -> Data | None:
    """Return what an operator of ONNX's own domain makes of real values, None if it is not one that is read."""
    if node.op == "Clip" and data.type not in FLOATS:
        low, high = bounds_of_clip(walk, node, inputs)
        return data.then(CodeClip(node.place, *(0 if v is None else int(v) for v in (low, high))))
    if data.type not in FLOATS:
        walk.refuse(node, f"takes {type_name(data.type)}; a Cast or DequantizeLinear to floats must stand before it")
    match node.op:
        case "Gemm":
            return gemm(walk, node, inputs, data)
        case "MatMul":
            return _matmul(walk, node, inputs, data)
        case "Add" | "Sum" | "Sub" | "Mul" | "Div" | "Neg":
            return _affine(walk, node, inputs, data)
        case "BatchNormalization":
            return _batch_normalization(walk, node, inputs, data)
        case "Softmax" | "LogSoftmax":
            return _softmax(walk, node, data)
        case "Clip" | "Max" | "Min" | "Relu":
            return data.then(_clip(walk, node, inputs))
        case "HardSigmoid":
            return hard_sigmoid(walk, node, data, float_of(walk, node, "alpha", 0.2), float_of(walk, node, "beta", 0.5))
        case "Sigmoid" | "Tanh" | "Softplus":
            return data.then(Activation(node.place, node.op.lower()))
    return None


def gemm(walk: Walk, node: Node, inputs: Inputs, data: Data) -> Data:
    """Gemm: alpha x B + beta C, B transposed where transB says so."""
    if inputs[0] is not data:
        walk.refuse(node, "has a constant on the left, and the data on the right; npquant reads y = x w")
    if integer_of(walk, node, "transA", 0):
        walk.refuse(node, "turns its input (transA=1); npquant reads rows of examples")
    w = constant(walk, node, inputs[1] if len(inputs) > 1 else None, "weights")
    c = inputs[2] if len(inputs) > 2 else None
    b = None if c is None else constant(walk, node, c, "bias")
    alpha, beta = float_of(walk, node, "alpha", 1.0), float_of(walk, node, "beta", 1.0)
    return _product(walk, node, data, Product(node.place, w, b, integer_of(walk, node, "transB", 0) != 0, alpha, beta))


def _matmul(walk: Walk, node: Node, inputs: Inputs, data: Data) -> Data:
    if inputs[0] is not data:
        walk.refuse(node, "has a constant on the left, and the data on the right; npquant reads y = x w")
    w = constant(walk, node, inputs[1] if len(inputs) > 1 else None, "weights")
    return _product(walk, node, data, Product(node.place, w, None, turned=False))


def _product(walk: Walk, node: Node, data: Data, product: Product) -> Data:
    """Check types and shapes of a product."""
    for c, role in ((product.w, "weights"), (product.b, "bias")):
        if c is not None and c.type != data.type:
            walk.refuse(node, f"its {role} are {type_name(c.type)} and its input {type_name(data.type)}")
    if product.w.array.ndim != 2 or not product.w.array.size:
        walk.refuse(node, f"its weights have shape {product.w.array.shape}; they must be a matrix that is not empty")
    k, n = product.shape
    if product.b is not None:
        product = product._replace(b=fitted_bias(walk, node, product.b, n))
    found = rows(walk, node, data)
    if data.token is None and any(shape[1] not in (k, None) for shape in found.values()):
        walk.note(f"{node.place}: the file declares other inputs than the {k} that its weights take")
    return data.then(product, shapes={batch: (batch, n) for batch in found})


def fitted_bias(walk: Walk, node: Node, c: Const, n: int) -> Const:
    """Return a bias of N numbers from one of shape (N,), (1, N), (1,) or ()."""
    shape = c.array.shape
    if c.array.size not in (1, n) or any(s != 1 for s in shape[:-1]) or len(shape) > 2:
        walk.refuse(node, f"its bias has shape {shape}; it must be ({n},), (1, {n}) or one number")
    flat = c.array.reshape(-1)
    return Const(
        np.broadcast_to(flat, n) if flat.size != n else flat, c.type, c.scale, c.zero, 0, c.code_type, c.low, c.high
    )


def _row(walk: Walk, node: Node, c: NDArray[Any], data: Data) -> ArrayLike:
    """A constant that meets the data, as one number or one a number of a row."""
    if c.size == 1:
        return float(c.reshape(()))
    batch = min(data.shapes)
    shape = data.shapes[batch]
    if c.ndim > len(shape):
        walk.refuse(node, f"its constant has shape {c.shape}, which would give {shape} another")
    if c.ndim == len(shape) and c.shape[0] != 1:
        walk.refuse(node, f"its constant has shape {c.shape}: another number a row; npquant takes one row at a time")
    if None in shape[1:]:
        if c.ndim and c.shape[-1] == c.size:
            return c.reshape(-1)
        walk.refuse(node, f"its constant has shape {c.shape} and the file does not say the input's")
    tail = tuple(int(s) for s in shape[1:] if s is not None)
    try:
        if np.broadcast_shapes(c.shape[-len(tail) or len(c.shape) :], tail) != tail:
            raise ValueError
        return np.broadcast_to(c.reshape(c.shape[-len(tail) :]), tail).reshape(-1)
    except ValueError:
        walk.refuse(node, f"its constant has shape {c.shape}, which does not fit rows of {tail}")


def _affine(walk: Walk, node: Node, inputs: Inputs, data: Data) -> Data:
    if node.op == "Neg":
        return data.then(Affine(node.place, -1.0, 0.0, f"{node.place} was folded"))
    if len(inputs) != 2:
        walk.refuse(node, f"has {len(inputs)} inputs; two are read")
    left = inputs[0] is not data
    other = inputs[0] if left else inputs[1]
    if other is data:
        walk.refuse(node, "takes the data twice; branches that meet again are not read")
    values = numbers(walk, node, other, "constant", data)
    last = data.token
    if node.op in ("Add", "Sum") and isinstance(last, Product | DynamicProduct) and last.b is None:
        n = last.shape[1] if isinstance(last, Product) else last.w.array.shape[1]
        assert isinstance(other, Const)
        if values.size in (1, n) and all(s == 1 for s in values.shape[:-1]) and values.ndim <= 2:
            return data.instead(last._replace(b=fitted_bias(walk, node, other, n)))
    v = np.asarray(_row(walk, node, values, data), np.float64)
    with np.errstate(all="ignore"):
        match node.op:
            case "Mul":
                scale, shift = v, np.zeros(())
            case "Div" if not left:
                scale, shift = 1 / v, np.zeros(())
            case "Div":
                walk.refuse(node, "divides a constant by the data; npquant reads x / c")
            case "Sub":
                scale, shift = (-np.ones(()), v) if left else (np.ones(()), -v)
            case _:
                scale, shift = np.ones(()), v
    return data.then(Affine(node.place, scale, shift, f"{node.place} was folded", data.type == DOUBLE))


def _batch_normalization(walk: Walk, node: Node, inputs: Inputs, data: Data) -> Data:
    """scale (x - mean) / sqrt(var + epsilon) + B over axis 1, whatever the opset: inference."""
    if integer_of(walk, node, "training_mode", 0):
        walk.refuse(node, "normalizes by the batch (training_mode=1); npquant reads inference")
    if len(inputs) != 5 or inputs[0] is not data:
        walk.refuse(node, "takes the data, scale, B, mean and variance")
    roles = ("scale", "B", "mean", "variance")
    scale, b, mean, var = (
        numbers(walk, node, value, role, data).astype(np.float64) for value, role in zip(inputs[1:], roles, strict=True)
    )
    with np.errstate(all="ignore"):
        s = scale / np.sqrt(var + float_of(walk, node, "epsilon", 1e-5))
        t = b - mean * s
    rank = len(next(iter(data.shapes.values())))
    if s.ndim != 1 or t.shape != s.shape or rank < 2:
        walk.refuse(node, f"has parameters of shapes {s.shape} and {t.shape}; one a channel")
    if not (np.isfinite(s).all() and np.isfinite(t).all()):
        walk.refuse(node, "its variance is negative, or a number is not finite")
    spread = [a.reshape(-1, *[1] * (rank - 2)) for a in (s, t)]
    rowed = [_row(walk, node, a, data) for a in spread]
    return data.then(Affine(node.place, rowed[0], rowed[1], f"{node.place} was folded"))


def _softmax(walk: Walk, node: Node, data: Data) -> Data:
    rank = len(next(iter(data.shapes.values())))
    axis = integer_of(walk, node, "axis", -1 if walk.opset >= 13 else 1)
    if rank != 2 or axis not in (-1, 1):
        walk.refuse(node, f"works along axis {axis} of rank {rank}; the last of (B, C) is read")
    return data.then(Head(node.place, node.op.lower()))


def _clip(walk: Walk, node: Node, inputs: Inputs) -> Clip:
    if node.op == "Relu":
        return Clip(node.place, 0.0, inf)
    if node.op in ("Max", "Min"):
        consts = [i for i in inputs if not isinstance(i, Data)]
        if len(inputs) != 2 or len(consts) != 1:
            walk.refuse(node, "takes several of the data; one and a constant are read")
        bound = scalar(walk, node, consts[0], "constant")
        return Clip(node.place, bound, inf) if node.op == "Max" else Clip(node.place, -inf, bound)
    low, high = bounds_of_clip(walk, node, inputs)
    # Exporters write the largest float where there is no bound.
    floor = -inf if low is None or low <= -_LARGEST else low
    ceiling = inf if high is None or high >= _LARGEST else high
    return Clip(node.place, floor, ceiling)


def hard_sigmoid(walk: Walk, node: Node, data: Data, alpha: float, beta: float) -> Data:
    """clip(alpha x + beta, 0, 1): npquant's own where alpha is 1/6 and beta 1/2, else an affine map and a clip."""
    if np.float32(alpha) == np.float32(1 / 6) and beta == 0.5:
        return data.then(Activation(node.place, "hard_sigmoid"))
    if not alpha > 0:
        walk.refuse(node, f"has alpha {alpha}; it must be positive")
    slope = Affine(node.place, alpha, beta, f"{node.place}: its slope was folded into the layer before it")
    return data.then(slope).then(Clip(node.place, 0.0, 1.0))


def fused_gemm(walk: Walk, node: Node, inputs: Inputs, data: Data) -> Data:
    """com.microsoft FusedGemm: a Gemm and the activation that onnxruntime put into it."""
    given = attribute(walk, node, "activation")
    name = "" if given is None else given.s.decode(errors="replace")
    after = gemm(walk, node, inputs, data)
    match name:
        case "Relu":
            return after.then(Clip(node.place, 0.0, inf))
        case "Sigmoid" | "Tanh" | "Softplus":
            return after.then(Activation(node.place, name.lower()))
        case "HardSigmoid":
            alpha = float_of(walk, node, "activation_alpha", 0.2)
            return hard_sigmoid(walk, node, after, alpha, float_of(walk, node, "activation_beta", 0.5))
    walk.refuse(node, f"fuses the activation {name[:40]!r}; Relu, Sigmoid, Tanh, Softplus and HardSigmoid are read")


def scaler(walk: Walk, node: Node, data: Data) -> Data:
    """ai.onnx.ml Scaler: (x - offset) scale, a number a feature."""
    parts = []
    for name in ("offset", "scale"):
        given = attribute(walk, node, name)
        if given is None or not given.floats:
            walk.refuse(node, f"has no {name}")
        parts.append(np.array(given.floats, np.float64))
    offset, scale = parts
    if offset.size != 1 and scale.size != 1 and offset.size != scale.size:
        walk.refuse(node, f"has {offset.size} offsets and {scale.size} scales")
    with np.errstate(all="ignore"):
        shift = -offset * scale
    return data.then(Affine(node.place, scale, shift, f"{node.place} was folded"), type=1)


def probability_pair(walk: Walk, node: Node, inputs: Inputs) -> Data:
    """Concat of 1 - p and p: the two classes of one logistic unit."""
    if len(inputs) == 2 and all(isinstance(i, Data) for i in inputs):
        other, p = inputs
        assert isinstance(other, Data) and isinstance(p, Data)
        minus = other.token
        from_p = other.parent is p or (
            other.parent is not None and (other.parent.token, other.parent.parent) == (p.token, p.parent)
        )
        if isinstance(minus, Affine) and from_p and isinstance(p.token, Activation) and p.token.name == "sigmoid":
            if np.all(np.asarray(minus.scale) == -1) and np.all(np.asarray(minus.shift) == 1):
                return p.then(Pair(node.place), shapes={batch: (batch, 2) for batch in p.shapes})
    walk.refuse(node, "puts branches together; only [1 - p, p] of one probability p is read")
