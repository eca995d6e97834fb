"""Save and load networks: one file, safe to open, written whole or not at all.

Z1  an npz is the zip of `npquant.files.layouts`; every other file the bytes of `npquant.files.container`
Z2  a float network's tensors are L3; an integer network is one, `network`: the container's bytes as uint8
Z3  equal networks give equal bytes
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from pathlib import Path
from typing import Final

import numpy as np

from npquant.files.archive import read_bounded
from npquant.files.container.decode import decode_container
from npquant.files.container.encode import encode_container
from npquant.files.container.layout import MAGIC, Part
from npquant.files.layouts import decode_archive, encode_archive, float_layout, float_model
from npquant.integer.mlp import IntegerMLP
from npquant.nn.model import FloatMLP

_NETWORK: Final = "network"
_MAX_BYTES: Final = 1 << 31


def write_atomically(path: str | os.PathLike[str], data: bytes) -> None:
    """Write a file so that it holds either its old content or all of the new.

    Parameters
    ----------
    path : path
        The file; its folder must exist. A symbolic link is followed.
    data : bytes
        The content.

    Raises
    ------
    OSError
        If the folder is missing, the disk full, or the place not writable; names `path`.
    ValueError
        If `path` exists and is no regular file (a folder, a device).

    Notes
    -----
    A new file in the same folder is written, flushed to the disk, and renamed over `path`. Whatever
    interrupts this, Ctrl-C included, the new file is removed and `path` is untouched.

    Examples
    --------
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


def save(model: FloatMLP | IntegerMLP, path: str | os.PathLike[str], encoding: str = "auto") -> None:
    """Save a network in the native format.

    Parameters
    ----------
    model : FloatMLP or IntegerMLP
        The network.
    path : path
        The file; replaced whole if it exists. NAME.npz gives a zip that NumPy opens, every other name (by custom
        NAME.npq) the bare container, some 600 bytes shorter. A float network is a zip under every name.
    encoding : {"auto", "dense", "bitmask", "relative", "arithmetic"}
        That of an integer network's weights; "auto" takes the shortest for each layer.

    Raises
    ------
    TypeError
        If `model` is no such network.
    OSError, ValueError
        As `encode_model` and `write_atomically`.

    Notes
    -----
    Z1 to Z3. ``load`` gives every number back bit for bit.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from npquant.nn.model import DenseLayer
    >>> layer = DenseLayer(np.eye(2, dtype=np.float32), np.zeros(2, np.float32), "identity")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(FloatMLP((layer,)), Path(folder) / "model.npz")
    ...     load(Path(folder) / "model.npz").neurons
    (2,)
    """
    zipped = isinstance(model, FloatMLP) or Path(path).suffix.lower() == ".npz"
    write_atomically(path, encode_model(model, encoding, "npz" if zipped else "npq"))


def encode_model(model: FloatMLP | IntegerMLP, encoding: str = "auto", container: str = "npz") -> bytes:
    """Encode a network in the native format.

    Parameters
    ----------
    model : FloatMLP or IntegerMLP
        The network.
    encoding : {"auto", "dense", "bitmask", "relative", "arithmetic"}
        That of an integer network's weights.
    container : {"npz", "npq"}
        The zip, or the bare container; a float network has the zip alone.

    Returns
    -------
    bytes
        What ``save`` writes; its length is the size that reports state.

    Raises
    ------
    TypeError
        If `model` is no such network.
    ValueError
        If encoding or container are none of these, not for a float network, or as `encode_container`.

    Notes
    -----
    Encodings are those of `npquant.codec.weight_stream` (W3).

    Examples
    --------
    >>> import numpy as np
    >>> from npquant.nn.model import DenseLayer
    >>> layer = DenseLayer(np.zeros((1, 2), np.float32), np.zeros(2, np.float32), "identity")
    >>> encode_model(FloatMLP((layer,)))[:2]
    b'PK'
    """
    if not isinstance(model, FloatMLP | IntegerMLP):
        raise TypeError(f"only a FloatMLP or an IntegerMLP can be saved, got {type(model).__name__}")
    if container not in ("npz", "npq"):
        raise ValueError(f"unknown container {container!r}; a network is written as npz or npq")
    if isinstance(model, IntegerMLP):
        data = encode_container(model, encoding)
        if container == "npq":
            return data
        return encode_archive("IntegerMLP", {}, {_NETWORK: np.frombuffer(data, np.uint8)})
    if encoding != "auto" or container != "npz":
        raise ValueError("encodings and the bare container are for integer networks: quantize the float network first")
    return encode_archive("FloatMLP", *float_layout(model))


def load(path: str | os.PathLike[str]) -> FloatMLP | IntegerMLP:
    """Load a network from the native format, whatever the name of the file.

    Parameters
    ----------
    path : path
        A file that ``save`` wrote.

    Returns
    -------
    FloatMLP or IntegerMLP
        The network, equal to the saved one bit for bit.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it is damaged, is of another format, or does not describe a network; names `path`.

    Warns
    -----
    UserWarning
        If an integer network was written under another numerics version and its profile's answers may differ.

    Notes
    -----
    Nothing is unpickled or evaluated. Memory and time are bounded by the length of the file (N6); each tensor of a zip
    is compared with its SHA-256 (L2), a container with its CRC-32 (N1).

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from npquant.nn.model import DenseLayer
    >>> layer = DenseLayer(np.array([[1 / 3]]), np.array([-0.0]), "identity")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(FloatMLP((layer,)), Path(folder) / "model.npz")
    ...     loaded = load(Path(folder) / "model.npz").layers[0]
    >>> loaded.w == layer.w, loaded.b, loaded.w.dtype
    (array([[ True]]), array([-0.]), dtype('float64'))
    """
    return _decode(read_bounded(path, max_bytes=_MAX_BYTES), str(path))[0]


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
    OSError, ValueError
        As ``load``; bytes are called "bytes".

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
        return _decode(source, "bytes")[1]
    return _decode(read_bounded(source, max_bytes=_MAX_BYTES), str(source))[1]


def _decode(data: bytes, name: str) -> tuple[FloatMLP | IntegerMLP, tuple[Part, ...]]:
    """Read a file by its first bytes."""
    if data[:2] == b"PK":
        return _decode_archive(data, name)
    if data[:3] != MAGIC:
        raise ValueError(f"{name}: neither a zip nor an npquant container; not saved by npquant")
    return _decode_integer(data, name)


def _decode_integer(data: bytes, name: str) -> tuple[IntegerMLP, tuple[Part, ...]]:
    try:
        return decode_container(data)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{name}: does not describe an IntegerMLP: {error}") from error


def _decode_archive(data: bytes, name: str) -> tuple[FloatMLP | IntegerMLP, tuple[Part, ...]]:
    """Read the network inside a zip."""
    manifest, tensors, manifest_bytes = decode_archive(data, name)
    kind = manifest.get("kind")
    if kind == "IntegerMLP":
        network = tensors.get(_NETWORK)
        if network is None or len(tensors) != 1 or network.dtype != np.uint8 or network.ndim != 1:
            raise ValueError(f"{name}: an IntegerMLP is one uint8 tensor {_NETWORK!r}, found {list(tensors)}")
        model, parts = _decode_integer(network.tobytes(), name)
        return model, _zip_parts(len(data), manifest_bytes, parts)
    if kind != "FloatMLP":
        raise ValueError(f"{name}: unknown kind {kind!r}; this npquant reads FloatMLP and IntegerMLP")
    try:
        floating = float_model(manifest, tensors)
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        raise ValueError(f"{name}: does not describe a FloatMLP: {error}") from error
    named = [(i, *pair) for i, y in enumerate(floating.layers) for pair in (("weights", y.w), ("biases", y.b))]
    stored = tuple(Part(what, i, array.dtype.name, array.nbytes) for i, what, array in named)
    return floating, _zip_parts(len(data), manifest_bytes, stored)


def _zip_parts(total: int, manifest: int, parts: tuple[Part, ...]) -> tuple[Part, ...]:
    """Add what the zip takes: its directory and the headers of its members."""
    overhead = total - manifest - sum(part.n_bytes for part in parts)
    return (Part("zip", None, "", overhead), Part("manifest", None, "", manifest), *parts)
