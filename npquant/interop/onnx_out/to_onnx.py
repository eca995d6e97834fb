"""The door: a network as an ONNX file.

Legend: model, form, head, weights and facts as on the card of `to_onnx`.
"""

from __future__ import annotations

import json
import os

from npquant.files.facts import Facts, check_facts
from npquant.files.storage import write_atomically
from npquant.integer.dynamic_mlp import DynamicMLP
from npquant.integer.mlp import IntegerMLP
from npquant.interop.onnx_in.own_metadata import KEY
from npquant.interop.onnx_out.dynamic_graph import encode_dynamic
from npquant.interop.onnx_out.float_graph import encode_float
from npquant.interop.onnx_out.integer_graph import FORMS, encode_integer
from npquant.interop.onnx_out.integer_weights import WEIGHTS
from npquant.interop.protobuf_writer import content, repeated
from npquant.interop.steps import HEADS
from npquant.nn.model import FloatMLP


def to_onnx(
    model: FloatMLP | IntegerMLP | DynamicMLP,
    path: str | os.PathLike[str],
    *,
    form: str = "qdq",
    head: str = "none",
    weights: str = "auto",
    facts: Facts | None = None,
) -> None:
    """Write a network as an ONNX file: real values in, logits or the head's shares out, the batch left open.

    Parameters
    ----------
    model : FloatMLP, IntegerMLP or DynamicMLP
        A FloatMLP becomes Gemm and activations in float32, to which float64 numbers are rounded. A DynamicMLP keeps its
        arithmetic to the last bit.
    path : path
        The file; written whole or not at all.
    form : {"qdq", "qoperator", "integer"}
        Of an IntegerMLP. "qdq": every layer between DequantizeLinear and QuantizeLinear, which onnxruntime fuses into
        integers and other compilers read. "qoperator": com.microsoft QGemm, for onnxruntime alone. "integer":
        MatMulInteger, Add, Cast, Mul and QuantizeLinear, which give the same codes in every runtime, fused or not.
    head : {"none", "softmax", "logsoftmax", "logistic"}
        What stands behind the logits, in float32.
    weights : {"auto", "int8", "uint8", "int4"}
        How form "qdq" stores codes of weights. "auto": as int8 where they lie in [-64, 64], else as uint8, 128 higher.
        "int8", which some compilers ask for, is computed wrongly by onnxruntime on an x86 without VNNI where larger
        codes meet. "int4" halves what fits into 4 bits, and is computed in float32: no bytes are promised.
    facts : Facts, optional
        What is known of the data: JSON in the metadata, under "npquant.data".

    Raises
    ------
    ValueError
        If an argument is unknown, weights are chosen for another form than "qdq", a layer has 16-bit codes, QGemm would
        have to change the type of its codes, a dynamic activation is not the same in every runtime, or
        the profile of a dynamic network is that of an engine without such operators.
    OSError
        If the file cannot be written.

    Notes
    -----
    Profile "ort" gives the codes of every IntegerMLP in onnxruntime before it runs, whatever profile the network has;
    the file's metadata name that profile, the form, the width of the weights, and npquant's versions. `read` gives
    back the same weights less their zero points and the same biases (weights stored 128 higher come back as uint8), but
    no DynamicMLP of npquant's own profile, whose operators are not read. The same network is the same bytes on every
    machine. NumPy alone writes it.

    Intervals narrower than their type are Clip or Relu behind QuantizeLinear. A table is a Sigmoid or Tanh between
    DequantizeLinear and QuantizeLinear where no entry lies within 2^-20 real units of a tie, else a Gather. Inputs with
    a scale a feature are divided by it in float64, and have scale 1 afterwards.

    Source: runs of onnxruntime 1.32.0 on x86 with AVX2 alone; onnx/onnx ``docs/Operators.md``, operator set 19.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from npquant.nn.model import DenseLayer
    >>> net = FloatMLP([DenseLayer(np.eye(2), np.zeros(2), "identity")])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     to_onnx(net, Path(folder) / "net.onnx", head="softmax")
    ...     b"Softmax" in (Path(folder) / "net.onnx").read_bytes()
    True
    """
    write_atomically(path, encode_onnx(model, form=form, head=head, weights=weights, facts=facts))


def encode_onnx(
    model: FloatMLP | IntegerMLP | DynamicMLP,
    *,
    form: str = "qdq",
    head: str = "none",
    weights: str = "auto",
    facts: Facts | None = None,
) -> bytes:
    """The bytes that `to_onnx` writes, with its arguments and errors."""
    for name, value, known in (("form", form, tuple(FORMS)), ("head", head, HEADS), ("weights", weights, WEIGHTS)):
        if value not in known:
            raise ValueError(f"{name} is {value!r}; it must be one of {', '.join(known)}")
    if weights != "auto" and not (form == "qdq" and isinstance(model, IntegerMLP)):
        raise ValueError(f"weights is {weights!r}; only an integer network of form 'qdq' has a choice")
    if isinstance(model, FloatMLP):
        data = encode_float(model, head, "float32")
    elif isinstance(model, DynamicMLP):
        data = encode_dynamic(model, head)
    else:
        data = encode_integer(model, head, form, weights)
    if facts is None:
        return data
    check_facts(facts, model.n_inputs, model.neurons[-1])
    # A field of a message may stand anywhere in it: ModelProto.metadata_props is 14.
    said = json.dumps(facts.to_json(), separators=(",", ":"))
    return data + repeated(14, [content(1, KEY) + content(2, said)])
