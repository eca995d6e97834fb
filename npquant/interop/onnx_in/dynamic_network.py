"""Tokens of a dynamically quantized file to a DynamicMLP, whose inputs choose their own scales.

Legend: tokens what the walk found, in order; walk the walk; profile the arithmetic.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

import numpy as np

from npquant.integer.dynamic_layer import DynamicLayer
from npquant.integer.dynamic_mlp import DynamicMLP
from npquant.interop.imported import Imported
from npquant.interop.onnx_in.const import Const
from npquant.interop.onnx_in.constants import codes_of
from npquant.interop.onnx_in.tokens import DynamicProduct, Token
from npquant.interop.onnx_in.values import Walk
from npquant.interop.steps import Activation, Clip, Head
from npquant.kernels.qparams import QuantParams
from npquant.profiles.npquant import NPQUANT
from npquant.profiles.record import Profile


def dynamic_network(walk: Walk, tokens: Sequence[Token], profile: Profile) -> Imported:
    """Return the network: each product with the one activation behind it, and the head."""
    layers: list[tuple[DynamicProduct, str]] = []
    head = "none"
    for token in tokens:
        if head != "none":
            walk.refuse(token.place, "stands behind the head, which must be the last step")
        if isinstance(token, DynamicProduct):
            layers.append((token, "identity"))
        elif isinstance(token, Head) and layers:
            head = token.kind
            walk.note(f"{token.place}: the {head} behind the last layer was split off as the head")
        elif layers and layers[-1][1] == "identity" and (name := _activation(token)) is not None:
            layers[-1] = (layers[-1][0], name)
        else:
            walk.refuse(token.place, "is not read among dynamically quantized products (DynamicQuantizeLinear)")
    if layers[-1][1] == "sigmoid" and head == "none":
        layers[-1], head = (layers[-1][0], "identity"), "logistic"
        walk.note("the sigmoid behind the last layer was split off as the head 'logistic'")
    made = tuple(_layer(walk, product, name) for product, name in layers)
    if profile is not NPQUANT and not profile.runs_dynamic_graphs:
        walk.refuse("", f"{profile.name} has no DynamicQuantizeLinear; ort, ort_pair16 and onnx_ref have it")
    try:
        model = DynamicMLP(made, "batch", profile)
    except ValueError as error:
        walk.refuse("", str(error))
    if any(name in ("sigmoid", "tanh") for _, name in layers[:-1]):
        walk.note("a sigmoid or tanh in floats stands between its layers: an engine's own may move a later code by one")
    walk.note("the scales of its inputs come from all rows of a run together, as onnxruntime takes them")
    return Imported(model, head, tuple(walk.notes), "onnx")


def _activation(token: Token) -> str | None:
    if isinstance(token, Clip):
        return {(0.0, inf): "relu", (0.0, 1.0): "clipped_relu"}.get((token.low, token.high))
    return token.name if isinstance(token, Activation) else None


def _layer(walk: Walk, product: DynamicProduct, name: str) -> DynamicLayer:
    scale = product.scale.array.reshape(-1) if product.scale.array.size > 1 else product.scale.array.reshape(1)
    zero = None if product.zero is None else product.zero.array
    n = product.w.array.shape[1]
    if scale.size not in (1, n) or (zero is not None and (zero.size not in (1, n) or zero.ndim > 1)):
        walk.refuse(product.place, f"has {scale.size} scales for {n} outputs")
    if product.zero is not None and product.zero.type != product.w.type:
        walk.refuse(product.place, "its weights and their zero point have two types")
    codes = Const(product.w.array, product.w.type, scale, zero, 1, product.w.type, product.w.low, product.w.high)
    w_q, s, z, (low, high) = codes_of(walk, product.place, codes, turned=False)
    b = np.zeros(n, np.float32) if product.b is None else product.b.real()
    try:
        w = QuantParams(s, z, low, high)
        return DynamicLayer(w_q.astype(w.dtype), w, np.broadcast_to(b, n), name)
    except (ValueError, TypeError, OverflowError) as error:
        walk.refuse(product.place, str(error))
