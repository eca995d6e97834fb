"""Save networks: one file, safe to open, written whole or not at all.

Z1 (kinds)   an npz is the zip of `npquant.files.layouts`; every other file the bytes of `npquant.files.container`
Z2 (npz)     a float network's tensors are L3; an integer network is one, `network`: the container's bytes as uint8, or
             L5 where the container does not hold its kind; a dynamic network's are L6
Z3 (bytes)   equal networks, with equal facts, give equal bytes
Z4 (whole)   a file holds its old content or all of the new

Legend: model a FloatMLP, IntegerMLP or DynamicMLP, path a file, data its content; facts what is known of the rows.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from pathlib import Path

import numpy as np

from npquant.files.container.encode import encode_container, unfit
from npquant.files.container.layout import Part
from npquant.files.facts import Facts
from npquant.files.layouts import encode_archive
from npquant.files.plain_arrays import encode_plain_arrays
from npquant.files.reading import NETWORK, decode_network, read_network
from npquant.integer.dynamic_mlp import DynamicMLP
from npquant.integer.mlp import IntegerMLP
from npquant.nn.model import FloatMLP


def write_atomically(path: str | os.PathLike[str], data: bytes) -> None:
    """Z4. Write data so that path, whatever happens, holds either its old content or all of the new.

    A new file in the same folder, which must exist, is written, flushed to the disk, and renamed over path; a symbolic
    link is followed. Whatever interrupts this, Ctrl-C included, the new file is removed and path is untouched. OSError,
    naming path, if the folder is missing, the disk full, or the place not writable; ValueError if path exists and is no
    regular file (a folder, a device).

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_atomically(Path(folder) / "report.json", b"{}")
    ...     os.listdir(folder)
    ['report.json']
    """
    target = Path(os.path.realpath(path))
    temporary = target.parent / f".npquant-{secrets.token_hex(8)}.tmp"
    try:
        if target.exists() and not stat.S_ISREG(target.stat().st_mode):
            raise ValueError(f"{path}: exists and is no regular file; choose another name")
        with temporary.open("xb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, target)
    except OSError as error:
        # The system names the temporary file, if any; the reader asked for this one.
        raise OSError(error.errno, error.strerror or "cannot be written", str(path)) from error
    finally:
        # Renamed or never made, it is not there; an error about it would hide the one that matters.
        with contextlib.suppress(OSError):
            temporary.unlink()


def save(
    model: FloatMLP | IntegerMLP | DynamicMLP,
    path: str | os.PathLike[str],
    encoding: str = "auto",
    *,
    facts: Facts | None = None,
) -> None:
    """Save a network in the native format.

    Parameters
    ----------
    model : FloatMLP, IntegerMLP or DynamicMLP
        The network.
    path : path
        The file; replaced whole if it exists. NAME.npz gives a zip, every other name (by custom NAME.npq) the bare
        container, some 600 bytes shorter, for integer networks of int8 codes. A float network is a zip under every
        name, and its arrays are what NumPy opens; of an integer network NumPy sees the container's bytes alone:
        ``npquant.interop.to_npz`` writes its arrays.
    encoding : {"auto", "dense", "bitmask", "relative", "arithmetic"}
        That of an integer network's weights in the container; "auto" takes the shortest for each layer.
    facts : Facts, optional
        What is known of the data: names of features and classes, the data's hash. The network runs without them.

    Raises
    ------
    TypeError
        If `model` is no such network.
    OSError, ValueError
        As `encode_model` and `write_atomically`; ValueError too if facts name other numbers of features or classes.

    Notes
    -----
    Z1 to Z3. ``npquant.load`` gives every number back bit for bit, ``npquant.read_facts`` the facts.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from npquant.nn.model import DenseLayer
    >>> layer = DenseLayer(np.eye(2, dtype=np.float32), np.zeros(2, np.float32), "identity")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(FloatMLP((layer,)), Path(folder) / "model.npz")
    ...     read_network(Path(folder) / "model.npz").model.neurons
    (2,)
    """
    zipped = isinstance(model, FloatMLP) or Path(path).suffix.lower() == ".npz"
    write_atomically(path, encode_model(model, encoding, "npz" if zipped else "npq", facts))


def encode_model(
    model: FloatMLP | IntegerMLP | DynamicMLP,
    encoding: str = "auto",
    container: str = "npz",
    facts: Facts | None = None,
) -> bytes:
    """Encode a network in the native format: what ``save`` writes; its length is the size that reports state.

    encoding is "auto", "dense", "bitmask", "relative" or "arithmetic" (W3), that of an integer network's weights;
    container "npz", the zip, or "npq", the bare container; a float or dynamic network, and an integer network that the
    container does not hold, have the zip alone. TypeError if model is no such network; ValueError if encoding or
    container are none of these, not for this kind of network, or as `encode_container`; or if facts do not fit.

    >>> import numpy as np
    >>> from npquant.nn.model import DenseLayer
    >>> layer = DenseLayer(np.zeros((1, 2), np.float32), np.zeros(2, np.float32), "identity")
    >>> encode_model(FloatMLP((layer,)))[:2]
    b'PK'
    """
    if container not in ("npz", "npq"):
        raise ValueError(f"unknown container {container!r}; a network is written as npz or npq")
    if isinstance(model, IntegerMLP) and (container == "npq" or not unfit(model)):
        data = encode_container(model, encoding, facts)
        if container == "npq":
            return data
        return encode_archive("IntegerMLP", {}, {NETWORK: np.frombuffer(data, np.uint8)})
    plain = encode_plain_arrays(model, facts)
    if encoding != "auto" or container != "npz":
        way_out = "quantize the float network first" if isinstance(model, FloatMLP) else "save this one as NAME.npz"
        raise ValueError(f"encodings and the bare container are for integer networks of int8 codes: {way_out}")
    return plain


def itemize(source: str | os.PathLike[str] | bytes) -> tuple[Part, ...]:
    """Say what each byte of a saved network is for.

    Parameters
    ----------
    source : path or bytes
        A file that ``save`` wrote, or what `encode_model` returned.

    Returns
    -------
    tuple of Part
        Their bytes sum to the file's length, exactly. "zip" is what the npz needs beside its content.

    Raises
    ------
    OSError
        If the file cannot be opened.
    FormatError
        If it is damaged, or no file of npquant's own; bytes are called "bytes".

    Examples
    --------
    >>> import numpy as np
    >>> from npquant.nn.model import DenseLayer
    >>> layer = DenseLayer(np.zeros((3, 2), np.float32), np.zeros(2, np.float32), "identity")
    >>> for part in itemize(encode_model(FloatMLP((layer,)))):
    ...     print(part)
    Part(name='zip', layer=None, encoding='', n_bytes=556)
    Part(name='manifest', layer=None, encoding='', n_bytes=262)
    Part(name='weights', layer=0, encoding='float32', n_bytes=24)
    Part(name='biases', layer=0, encoding='float32', n_bytes=8)
    """
    if isinstance(source, bytes):
        return decode_network(source, "bytes").parts
    return read_network(source).parts
