"""Any file of a network, by what it holds and not by its name.

Legend: path the file; profile the arithmetic of an integer file (None: `litert_ref_2025` for TFLite, `ort` for ONNX);
activations those of the hidden layers, for formats that do not say; start the first bytes of the file.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from npquant.files.archive import read_bounded
from npquant.files.container.layout import MAGIC, Part
from npquant.files.format_error import FormatError
from npquant.files.reading import decode_network
from npquant.integer.dynamic_mlp import DynamicMLP
from npquant.integer.mlp import IntegerMLP
from npquant.interop.imported import Imported
from npquant.nn.model import FloatMLP
from npquant.profiles.record import Profile

_MAX_BYTES = 1 << 31


def read(
    path: str | os.PathLike[str],
    *,
    profile: str | Profile | None = None,
    activations: str | Sequence[str] | None = None,
) -> Imported:
    """Read a network from a file of any format that npquant knows.

    Parameters
    ----------
    path : path
        An ONNX, TFLite, Keras (.keras, .h5), safetensors or npquant file, by what it holds and whatever its name.
    profile : str or Profile, optional
        The arithmetic of an integer file; by default that of the format's own runtime: "litert_ref_2025" for TFLite,
        "ort" for ONNX. The float formats and npquant's own have none to choose.
    activations : str or sequence of str, optional
        The activation of every hidden layer, or one a layer (the last layer's may be left out), where the file does
        not say: safetensors. Guessing would be silently wrong.

    Returns
    -------
    Imported
        The network, its head, and notes on what was folded, ignored or inferred.

    Raises
    ------
    OSError
        If the file cannot be opened.
    FormatError
        If it is damaged, of no known format, or says what npquant does not read; names file and place.
    ImportError
        If the format's package is not installed; names the extra.

    Examples
    --------
    >>> from importlib import resources
    >>> found = read(resources.files("npquant.data") / "bundled" / "digits_float.npz")
    >>> found.format, found.model.neurons, found.head
    ('npquant', (64, 32, 10), 'none')
    """
    return read_itemized(path, profile=profile, activations=activations)[0]


def read_itemized(
    path: str | os.PathLike[str],
    *,
    profile: str | Profile | None = None,
    activations: str | Sequence[str] | None = None,
) -> tuple[Imported, tuple[Part, ...], int]:
    """`read`, and in the same one pass what each byte of an npquant file is for (none of others), and its length."""
    name = os.fspath(path)
    data = read_bounded(path, max_bytes=_MAX_BYTES)
    found = format_of(data)
    if found == "npquant":
        stored = decode_network(data, name)
        return Imported(stored.model, "none", (), found), stored.parts, stored.n_bytes
    if found == "tflite":
        from npquant.interop.tflite_in import decode_tflite

        return decode_tflite(data, name, profile=profile), (), len(data)
    if found in ("keras", "hdf5"):
        from npquant.interop.keras_in import decode_keras

        return decode_keras(data, name), (), len(data)
    if found == "safetensors":
        from npquant.interop.safetensors import decode_safetensors

        return decode_safetensors(data, name, activations=activations), (), len(data)
    if found == "onnx":
        from npquant.interop.onnx_in import decode_onnx

        return decode_onnx(data, name, folder=Path(path).parent, profile=profile), (), len(data)
    raise FormatError(name, "", found)


def format_of(data: bytes) -> str:
    """Return the format of a file's content: "npquant", "tflite", "keras", "hdf5", "safetensors" or "onnx"; else what
    else it seems to be and what would be read.

    >>> format_of(b"PK\\x03\\x04...archive/data.pkl..."), format_of(b"    TFL3")
    ('is a pickle in a zip, as torch.save writes; pickles run code: save the state_dict as safetensors', 'tflite')
    """
    if data[4:8] == b"TFL3":
        return "tflite"
    if data[:8] == b"\x89HDF\r\n\x1a\n":
        return "hdf5"
    if data[:3] == MAGIC:
        return "npquant"
    if data[:2] == b"PK":
        return _zip_format(data)
    if (data[:1] == b"\x80" and data[1:2] <= b"\x05") or b"joblib" in data[:200] or b"sklearn" in data[:200]:
        return (
            "is a pickle; pickles run code: hand the estimator to npquant.interop.from_sklearn, "
            "or save a state_dict as safetensors"
        )
    if len(data) > 9 and data[8:9] == b"{" and int.from_bytes(data[:8], "little") < len(data):
        return "safetensors"
    if data[:1] in (b"\x08", b"\x12", b"\x1a", b"\x22", b"\x3a", b"\x42"):  # a protobuf field of ModelProto
        return "onnx"
    return "is of no known format; npquant reads ONNX, TFLite, Keras (.keras, .h5), safetensors and its own files"


def _zip_format(data: bytes) -> str:
    """The members that say what a zip is stand in it by name, compressed or not."""
    if b"manifest.json" in data[:64]:
        return "npquant"
    if b"data.pkl" in data:
        return "is a pickle in a zip, as torch.save writes; pickles run code: save the state_dict as safetensors"
    if b"model.weights.h5" in data:
        return "keras"
    return "npquant"


def load(path: str | os.PathLike[str]) -> FloatMLP | IntegerMLP | DynamicMLP:
    """Load a network from a file of any format that npquant knows.

    Parameters
    ----------
    path : path
        As for ``npquant.interop.read``, with its errors.

    Returns
    -------
    FloatMLP, IntegerMLP or DynamicMLP
        The network alone; what ``save`` wrote comes back bit for bit.

    Warns
    -----
    UserWarning
        If an integer network was written under another numerics version and its profile's answers may differ.

    Notes
    -----
    Nothing is unpickled or evaluated, and memory is bounded by the length of the file.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> import npquant
    >>> from npquant.nn.model import DenseLayer
    >>> layer = DenseLayer(np.array([[1 / 3]]), np.array([-0.0]), "identity")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     npquant.save(FloatMLP((layer,)), Path(folder) / "model.npz")
    ...     loaded = load(Path(folder) / "model.npz").layers[0]
    >>> loaded.w == layer.w, loaded.b, loaded.w.dtype
    (array([[ True]]), array([-0.]), dtype('float64'))
    """
    return read(path).model
