"""Save and load networks: one npz file, safe to open, written whole or not at all.

F1  the file is a stored zip: `manifest.json` first, then one .npy array a tensor, in the manifest's order
F2  the manifest is compact JSON: schema, kind, npquant and numerics (their versions), the facts of the kind
    (`npquant.layouts`), and tensors: name -> SHA-256, in hex, of that member's bytes (so of dtype and shape as well)
F3  equal networks give equal bytes
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import stat
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from numpy.typing import NDArray

import npquant
from npquant.archive import decode_npy, decode_zip, encode_npy, encode_zip, read_bounded
from npquant.integer_mlp import IntegerMLP
from npquant.layouts import Facts, Tensors, float_layout, float_model, integer_layout, integer_model
from npquant.nn.model import FloatMLP

SCHEMA: Final = "npquant.model/1"
_MANIFEST: Final = "manifest.json"
_MANIFEST_LIMIT: Final = 1 << 20
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


def save(model: FloatMLP | IntegerMLP, path: str | os.PathLike[str]) -> None:
    """Save a network in the native format.

    Parameters
    ----------
    model : FloatMLP or IntegerMLP
        The network.
    path : path
        The file, by custom NAME.npz; replaced whole if it exists.

    Raises
    ------
    TypeError
        If `model` is no such network.
    OSError, ValueError
        As `write_atomically`.

    Notes
    -----
    F1 to F3. The arrays are stored as they are, so ``load`` gives them back bit for bit;
    ``numpy.load(path)`` reads them as well.

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
    write_atomically(path, encode_model(model))


def encode_model(model: FloatMLP | IntegerMLP) -> bytes:
    """Encode a network in the native format.

    Parameters
    ----------
    model : FloatMLP or IntegerMLP
        The network.

    Returns
    -------
    bytes
        What ``save`` writes; its length is the size that reports state.

    Raises
    ------
    TypeError
        If `model` is no such network.

    Examples
    --------
    >>> import numpy as np
    >>> from npquant.nn.model import DenseLayer
    >>> layer = DenseLayer(np.zeros((1, 2), np.float32), np.zeros(2, np.float32), "identity")
    >>> encode_model(FloatMLP((layer,)))[:2]
    b'PK'
    """
    if isinstance(model, FloatMLP):
        return _encode("FloatMLP", *float_layout(model))
    if isinstance(model, IntegerMLP):
        return _encode("IntegerMLP", *integer_layout(model))
    raise TypeError(f"only a FloatMLP or an IntegerMLP can be saved, got {type(model).__name__}")


def load(path: str | os.PathLike[str]) -> FloatMLP | IntegerMLP:
    """Load a network from the native format.

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

    Notes
    -----
    Nothing is unpickled or evaluated; no more memory is taken than the file is long; each tensor is
    compared with its SHA-256 (F2), and members that the manifest does not name are refused.

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
    manifest, tensors = _decode(read_bounded(path, max_bytes=_MAX_BYTES), str(path))
    kind = manifest.get("kind")
    try:
        if kind == "FloatMLP":
            return float_model(manifest, tensors)
        if kind == "IntegerMLP":
            return integer_model(manifest, tensors)
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        raise ValueError(f"{path}: does not describe a {kind}: {error}") from error
    raise ValueError(f"{path}: unknown kind {kind!r}; this npquant reads FloatMLP and IntegerMLP")


def _encode(kind: str, facts: Facts, tensors: Tensors) -> bytes:
    """Lay out F1 and F2."""
    arrays = {name: encode_npy(tensor) for name, tensor in tensors.items()}
    manifest = {
        "schema": SCHEMA,
        "kind": kind,
        "npquant": npquant.__version__,
        "numerics": npquant.numerics_version,
        **facts,
        "tensors": {name: sha256(content).hexdigest() for name, content in arrays.items()},
    }
    text = json.dumps(manifest, separators=(",", ":"), allow_nan=False).encode("ascii")
    return encode_zip({_MANIFEST: text, **{f"{name}.npy": content for name, content in arrays.items()}})


def _decode(data: bytes, name: str) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Read F1 and F2, and compare each tensor with its hash."""
    # A stored archive cannot hold more than its own length: a deflated bomb ends here.
    members = decode_zip(data, name, max_bytes=len(data))
    manifest = _decode_manifest(members.pop(_MANIFEST, b""), name)
    hashes = manifest.get("tensors")
    if not isinstance(hashes, dict):
        raise ValueError(f"{name}: the manifest names no tensors")
    if [f"{tensor}.npy" for tensor in hashes] != list(members):
        raise ValueError(f"{name}: the manifest names {list(hashes)}, the members are {list(members)}")
    tensors = {}
    for tensor, expected in hashes.items():
        content = members[f"{tensor}.npy"]
        if sha256(content).hexdigest() != expected:
            raise ValueError(f"{name}: tensor {tensor!r} does not match its SHA-256; get it anew")
        tensors[tensor] = decode_npy(content, f"{name}: tensor {tensor!r}")
    return manifest, tensors


def _decode_manifest(text: bytes, name: str) -> dict[str, Any]:
    """Parse the manifest and check what it claims to be."""
    if not 0 < len(text) <= _MANIFEST_LIMIT:
        raise ValueError(f"{name}: no {_MANIFEST} of a plausible size; not saved by npquant")
    try:
        manifest = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{name}: {_MANIFEST} is not JSON ({error})") from error
    if not isinstance(manifest, dict) or manifest.get("schema") != SCHEMA:
        raise ValueError(f"{name}: not of the schema {SCHEMA!r}; this npquant reads no other")
    return manifest
