"""ONNX files into networks: `from_onnx`, and the bytes-to-network function under it.

Legend: data the bytes of a model; name what its errors call it; folder where its external data must lie, None where it
came without files; profile the arithmetic of an integer file, "ort" where none is given.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np

from npquant.files.archive import read_bounded
from npquant.files.reading import MAX_BYTES
from npquant.interop.imported import Imported
from npquant.interop.onnx_in.dynamic_network import dynamic_network
from npquant.interop.onnx_in.external import Folder
from npquant.interop.onnx_in.float_network import float_network
from npquant.interop.onnx_in.graph import check_model, opset_of, producers, tensors_by_name, the_input, the_output
from npquant.interop.onnx_in.integer_network import integer_network
from npquant.interop.onnx_in.messages import read_model
from npquant.interop.onnx_in.own_metadata import with_facts
from npquant.interop.onnx_in.tensors import TensorReader
from npquant.interop.onnx_in.tokens import Dequantize, DynamicProduct, Quantize
from npquant.interop.onnx_in.values import Walk
from npquant.interop.onnx_in.walking import walk_graph
from npquant.interop.onnx_in.wire import Reader
from npquant.profiles import get
from npquant.profiles.record import Profile


@runtime_checkable
class Serializable(Protocol):
    """What onnx.ModelProto offers: its own bytes."""

    def SerializeToString(self) -> bytes:
        """Return the message's bytes."""


def from_onnx(source: str | os.PathLike[str] | Serializable, *, profile: str | Profile | None = None) -> Imported:
    """Read a network from an ONNX file or model.

    Parameters
    ----------
    source : path or onnx.ModelProto
        Float, QDQ, QOperator or dynamically quantized. External data is read from the file's own folder; a ModelProto
        must hold its data itself.
    profile : str or Profile, optional
        The arithmetic of an integer file; "ort" if not given. A float file has none, and a dynamic one has its own.

    Returns
    -------
    Imported
        A FloatMLP; an IntegerMLP where activations are quantized; a DynamicMLP where inputs choose their own scales.

    Raises
    ------
    OSError
        If the file cannot be opened.
    FormatError
        If it is damaged, or holds what npquant does not read; names file and node.

    Notes
    -----
    J1 to J4 for the float part; batch normalization is read as inference in every opset. The package onnx is not
    needed: the file is read by npquant's own bounded reader.

    Examples
    --------
    >>> import tempfile
    >>> from npquant.files.format_error import FormatError
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "empty.onnx"
    ...     _ = path.write_bytes(bytes([8, 7, 66, 2, 16, 13, 58, 0]))  # IR 7, opset 13, and an empty graph
    ...     try:
    ...         from_onnx(path)
    ...     except FormatError as error:
    ...         print(error.problem)
    has 0 inputs (); networks with one input are read, their weights constants
    """
    if isinstance(source, Serializable):
        return decode_onnx(source.SerializeToString(), "ModelProto", folder=None, profile=profile)
    name = os.fspath(source)
    data = read_bounded(source, max_bytes=MAX_BYTES)
    return decode_onnx(data, name, folder=Path(source).parent, profile=profile)


def decode_onnx(
    data: bytes, name: str, *, folder: str | os.PathLike[str] | None, profile: str | Profile | None = None
) -> Imported:
    """Return the network in the bytes of an ONNX model; FormatError where there is none that npquant reads."""
    record = get("ort" if profile is None else profile)
    # A file's numbers may overflow, or be signalling NaNs: what is not finite is refused where it is used.
    with np.errstate(all="ignore"):
        return _decoded(data, name, folder, record)


def _decoded(data: bytes, name: str, folder: str | os.PathLike[str] | None, record: Profile) -> Imported:
    reader = Reader(name)
    model = read_model(memoryview(data), reader)
    walk = Walk(name, opset_of(model), TensorReader(reader, Folder(folder, name)))
    graph = check_model(model, walk)
    tensors = tensors_by_name(graph, walk)
    source = the_input(graph, walk, tensors)
    made = producers(graph, walk, tensors)
    output = the_output(graph, walk, made, source.name)
    tokens = walk_graph(walk, made, tensors, source, output).tokens()
    if any(isinstance(token, DynamicProduct) for token in tokens):
        read = dynamic_network(walk, tokens, record)
    elif any(isinstance(token, Quantize | Dequantize) for token in tokens):
        read = integer_network(walk, tokens, record)
    else:
        read = float_network(walk, tokens)
    return with_facts(read, model, reader)
