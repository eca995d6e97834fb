"""Any file of a network, by what it holds and not by its name.

Legend: path the file; profile the arithmetic of an integer file (None: `litert_ref_2025` for TFLite, `ort` for ONNX);
activations those of the hidden layers, for formats that do not say.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from npquant.files.archive import read_bounded
from npquant.files.container.layout import Part
from npquant.files.facts import Facts
from npquant.files.format_error import FormatError
from npquant.files.reading import MAX_BYTES, decode_network
from npquant.integer.dynamic_mlp import DynamicMLP
from npquant.integer.mlp import IntegerMLP
from npquant.interop.imported import Imported
from npquant.interop.recognition import format_of
from npquant.nn.model import FloatMLP
from npquant.profiles.record import Profile


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
    try:
        data = read_bounded(path, max_bytes=MAX_BYTES)
    except FormatError as error:
        if Path(path).is_dir():
            raise FormatError(name, "", _folder(Path(path))) from error
        raise
    found = format_of(data)
    if found == "npquant":
        stored = decode_network(data, name)
        return Imported(stored.model, "none", (), found, facts=stored.facts), stored.parts, stored.n_bytes
    return _foreign(data, name, found, profile, activations), (), len(data)


def _foreign(
    data: bytes, name: str, found: str, profile: str | Profile | None, activations: str | Sequence[str] | None
) -> Imported:
    if found == "tflite":
        from npquant.interop.tflite_in import decode_tflite

        return decode_tflite(data, name, profile=profile)
    if found in ("keras", "hdf5"):
        from npquant.interop.keras_in import decode_keras

        return decode_keras(data, name)
    if found == "safetensors":
        from npquant.interop.safetensors import decode_safetensors

        return decode_safetensors(data, name, activations=activations)
    if found == "onnx":
        from npquant.interop.onnx_in import decode_onnx

        return decode_onnx(data, name, folder=Path(name).parent, profile=profile)
    raise FormatError(name, "", found)


def _folder(path: Path) -> str:
    if (path / "saved_model.pb").exists():
        return "is a TensorFlow SavedModel, a folder; convert it to TFLite, or save it as one .keras file"
    return "is a folder; a file of ONNX, TFLite, Keras, safetensors or npquant's own is read"


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


def read_facts(path: str | os.PathLike[str]) -> Facts | None:
    """Read what a network's file knows of the data behind it.

    Parameters
    ----------
    path : path
        As for ``npquant.interop.read``, with its errors.

    Returns
    -------
    Facts or None
        What ``save`` was given, or what npquant's own export or the importer of the format says; None where the file
        says nothing, as files of older versions do.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> import npquant
    >>> from npquant.nn.model import DenseLayer
    >>> net = FloatMLP((DenseLayer(np.eye(2), np.zeros(2), "identity"),))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     npquant.save(net, Path(folder) / "model.npz", facts=Facts(("age", "weight"), label="heart"))
    ...     read_facts(Path(folder) / "model.npz").feature_names
    ('age', 'weight')
    """
    return read(path).facts
