"""A Keras file from its bytes: a zip of JSON and HDF5 (.keras), or HDF5 with the JSON in an attribute (.h5).

Legend: path a file; data its content, nothing in which is trusted; name what to call it.
"""

from __future__ import annotations

import os
import re
from contextlib import AbstractContextManager
from typing import Final

import numpy as np

from npquant.files.archive import decode_zip, read_bounded
from npquant.files.format_error import FormatError
from npquant.files.reading import MAX_BYTES
from npquant.interop.hdf5 import Hdf5File, open_hdf5
from npquant.interop.imported import Imported
from npquant.interop.keras_in.architecture import chain_of, parse_model
from npquant.interop.keras_in.layers import steps_of_chain
from npquant.interop.keras_in.weights import H5Weights, Weights, ZipWeights
from npquant.interop.steps import fold

# What deflated members may inflate to beyond the file's own length.
_INFLATED: Final = 8 << 20


def from_keras(path: str | os.PathLike[str]) -> Imported:
    """Read a Keras model of dense layers, without Keras: a `.keras` file, or a whole model in `.h5`.

    Parameters
    ----------
    path : path
        What ``model.save`` of Keras 2 or 3 wrote. Sequential models, Functional ones that are a chain, and models
        inside models are read.

    Returns
    -------
    Imported
        A `FloatMLP` in the weights' own dtype (float16 and bfloat16 as float32), or of float64 where a
        BatchNormalization, Normalization, Rescaling or clip was folded. A last softmax or sigmoid is the `head`.

    Raises
    ------
    OSError
        If the file cannot be opened.
    FormatError
        If it is damaged, holds weights without the architecture, or a layer that is not read; names the layer.
    ImportError
        If h5py is not installed; names the extra.

    Notes
    -----
    Nothing of the file is executed; links out of it are not followed. Dropout and its kin, Flatten and Reshape do
    nothing to a row. Quantized models are refused: Keras rounds their activations as it runs.

    Examples
    --------
    >>> import json, tempfile, h5py, numpy
    >>> dense = {"class_name": "Dense", "config": {"name": "fc", "units": 1, "activation": "sigmoid"}}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with h5py.File(os.path.join(folder, "net.h5"), "w") as file:
    ...         file.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": {"layers": [dense]}})
    ...         group = file.create_group("model_weights/fc")
    ...         group.attrs["weight_names"] = ["fc/kernel:0", "fc/bias:0"]
    ...         group["fc/kernel:0"], group["fc/bias:0"] = numpy.ones((2, 1)), numpy.zeros(1)
    ...     found = from_keras(os.path.join(folder, "net.h5"))
    >>> found.head, found.run([[1.0, -1.0]])
    ('logistic', array([[0.5]]))
    """
    return decode_keras(read_bounded(path, max_bytes=MAX_BYTES), os.fspath(path))


def decode_keras(data: bytes, name: str) -> Imported:
    """Read the content of a .keras or .h5 file."""
    # A file's numbers may overflow, or be signalling NaNs: what is not finite is refused where it is used.
    with np.errstate(all="ignore"):
        return _decode_zip(data, name) if data[:2] == b"PK" else _decode_h5(data, name)


def _decode_zip(data: bytes, name: str) -> Imported:
    members = decode_zip(data, name, max_bytes=len(data) + _INFLATED)
    for member in members:
        if member.startswith(("/", "\\")) or ".." in re.split(r"[/\\]", member):
            raise FormatError(name, f"member {member!r}", "leads out of the archive; Keras writes no such name")
    for member in ("config.json", "model.weights.h5"):
        if member not in members:
            raise FormatError(name, member, f"is missing; it holds {', '.join(members)} (sharded weights are not read)")
    config = parse_model(members["config.json"], name, "config.json")
    said = parse_model(members.get("metadata.json", b"{}"), name, "metadata.json").get("keras_version")
    # Kept by no name here: the file's weights are let go once they are read.
    opened = open_hdf5(members.pop("model.weights.h5"), name)
    return _imported(opened, config, ZipWeights, said, name, "keras")


def _decode_h5(data: bytes, name: str) -> Imported:
    with open_hdf5(data, name) as h5:
        text, said = h5.text("", "model_config"), h5.text("", "keras_version")
        if text is None:
            raise FormatError(
                name,
                "attribute 'model_config'",
                "is missing: these are weights without the architecture, as of save_weights; save the whole model",
            )
    return _imported(open_hdf5(data, name), parse_model(text, name, "model_config"), H5Weights, said, name, "hdf5")


def _imported(
    opened: AbstractContextManager[Hdf5File],
    config: dict[str, object],
    weights: type[ZipWeights] | type[H5Weights],
    said: object,
    name: str,
    kind: str,
) -> Imported:
    layers = chain_of(config, name)
    major = re.match(r"[0-9]{1,3}", str(said))
    with opened as h5:
        found: Weights = weights(h5, name)
        steps, notes = steps_of_chain(layers, found, int(major[0]) if major else 2, name)
    model, head, folded = fold(steps, name)
    return Imported(model, head, (*folded, *notes), kind)
