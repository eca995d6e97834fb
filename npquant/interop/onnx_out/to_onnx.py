"""The door: a network as an ONNX file."""

from __future__ import annotations

import os

from npquant.files.storage import write_atomically
from npquant.integer.dynamic_mlp import DynamicMLP
from npquant.integer.mlp import IntegerMLP
from npquant.interop.onnx_out.dynamic_graph import encode_dynamic
from npquant.interop.onnx_out.float_graph import encode_float
from npquant.interop.onnx_out.integer_graph import FORMS, encode_integer
from npquant.interop.onnx_out.integer_weights import WEIGHTS
from npquant.interop.steps import HEADS
from npquant.nn.model import FloatMLP


def encode_onnx(
    model: FloatMLP | IntegerMLP | DynamicMLP, *, form: str = "qdq", head: str = "none", weights: str = "auto"
) -> bytes:
    """The bytes that `to_onnx` writes, with its arguments and errors."""
    for name, value, known in (("form", form, tuple(FORMS)), ("head", head, HEADS), ("weights", weights, WEIGHTS)):
        if value not in known:
            raise ValueError(f"{name} is {value!r}; it must be one of {', '.join(known)}")
    if isinstance(model, FloatMLP):
        return encode_float(model, head, "float32")
    if isinstance(model, DynamicMLP):
        return encode_dynamic(model, head)
    return encode_integer(model, head, form, weights)
