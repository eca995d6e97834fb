"""Networks as zips that NumPy opens: named arrays, and a manifest that vouches for them.

L1 (zip)       stored, not compressed: `manifest.json` first, then one .npy array a tensor, in the manifest's order
L2 (manifest)  compact JSON: schema, kind, npquant and numerics (their versions), the entries of the kind, tensors: name
               -> SHA-256, in hex, of that member's bytes (so of dtype and shape as well); data where facts are known
L3 (float)     tensors w0, b0, w1, b1, ... as the layers hold them; fact `activations`
L4 (array)     the .npy format: C order, little-endian, plain numbers or text

Legend: model a FloatMLP; kind that of the network; entries those of its kind in the manifest, what JSON holds; tensors
arrays by name, in their order; data a whole zip, nothing in which is trusted; name what to call it in a message.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final

from numpy.typing import NDArray

from npquant.files.archive import decode_npy, encode_npy, encode_zip, slice_zip
from npquant.files.facts import Facts
from npquant.files.format_error import FormatError
from npquant.nn.model import DenseLayer, FloatMLP
from npquant.version import __version__, numerics_version

SCHEMA: Final = "npquant.model/1"
_MANIFEST: Final = "manifest.json"
_DATA: Final = "data"
# What the names of half a million columns take; parsed text takes some ten times its length.
_MANIFEST_LIMIT: Final = 1 << 24
Entries = Mapping[str, Any]
Tensors = Mapping[str, NDArray[Any]]


def float_layout(model: FloatMLP) -> tuple[Entries, Tensors]:
    """L3. Lay a float network out: entries and tensors.

    >>> import numpy as np
    >>> layer = DenseLayer(np.zeros((1, 2), np.float32), np.zeros(2, np.float32), "identity")
    >>> list(float_layout(FloatMLP((layer,)))[1])
    ['w0', 'b0']
    """
    tensors: dict[str, NDArray[Any]] = {}
    for number, layer in enumerate(model.layers):
        tensors[f"w{number}"] = layer.w
        tensors[f"b{number}"] = layer.b
    return {"activations": [layer.activation for layer in model.layers]}, tensors


def float_model(entries: Entries, tensors: Tensors) -> FloatMLP:
    """L3. The float network that `float_layout` laid out; nothing in entries and tensors is trusted.

    ValueError, TypeError or KeyError if they do not describe one.

    >>> import numpy as np
    >>> layer = DenseLayer(np.zeros((1, 2), np.float32), np.zeros(2, np.float32), "identity")
    >>> float_model(*float_layout(FloatMLP((layer,)))).n_inputs
    1
    """
    activations = entries["activations"]
    if not isinstance(activations, list) or not all(isinstance(name, str) for name in activations):
        raise TypeError("activations must be a list of names")
    _require_tensors(tensors, [f"{letter}{n}" for n in range(len(activations)) for letter in "wb"])
    return FloatMLP(tuple(DenseLayer(tensors[f"w{n}"], tensors[f"b{n}"], name) for n, name in enumerate(activations)))


def _require_tensors(tensors: Tensors, expected: list[str]) -> None:
    """Refuse missing, additional and reordered tensors."""
    if list(tensors) != expected:
        raise ValueError(f"expected the tensors {expected}, found {list(tensors)}")


def encode_archive(kind: str, entries: Entries, tensors: Tensors, facts: Facts | None = None) -> bytes:
    """L1, L2. Named tensors and what they mean as a zip; facts are what is known of the data, if anything.

    ValueError if the manifest would be longer than is read back.

    >>> import numpy as np
    >>> encode_archive("Example", {}, {"x": np.zeros(3)})[30:43]
    b'manifest.json'
    """
    arrays = {name: encode_npy(tensor) for name, tensor in tensors.items()}
    manifest = {
        "schema": SCHEMA,
        "kind": kind,
        "npquant": __version__,
        "numerics": numerics_version,
        **entries,
        **({} if facts is None else {_DATA: facts.to_json()}),
        "tensors": {name: sha256(content).hexdigest() for name, content in arrays.items()},
    }
    text = json.dumps(manifest, separators=(",", ":"), allow_nan=False).encode("ascii")
    if len(text) > _MANIFEST_LIMIT:
        raise ValueError(f"names and facts take {len(text):,} bytes, {_MANIFEST_LIMIT:,} are read: save without facts")
    return encode_zip({_MANIFEST: text, **{f"{name}.npy": content for name, content in arrays.items()}})


def decode_archive(data: bytes, name: str) -> tuple[dict[str, Any], dict[str, NDArray[Any]], int]:
    """L1, L2. The manifest of a zip, the tensors that it names, and the length of the manifest in bytes.

    FormatError if the zip is damaged, holds what the manifest does not name, or an array does not match its SHA-256.

    >>> import numpy as np
    >>> decode_archive(encode_archive("Example", {}, {"x": np.zeros(3)}), "example")[1]
    {'x': array([0., 0., 0.])}
    """
    members = slice_zip(data, name)
    text = bytes(members.pop(_MANIFEST, b""))
    manifest = _decode_manifest(text, name)
    return manifest, _decode_tensors(manifest, members, name), len(text)


def _decode_tensors(manifest: dict[str, Any], members: dict[str, memoryview], name: str) -> dict[str, NDArray[Any]]:
    """Compare each tensor with its hash, and read it."""
    hashes = manifest.get("tensors")
    if not isinstance(hashes, dict):
        raise FormatError(name, _MANIFEST, "names no tensors")
    if [f"{tensor}.npy" for tensor in hashes] != list(members):
        raise FormatError(name, _MANIFEST, f"names the tensors {list(hashes)}, the members are {list(members)}")
    tensors = {}
    for tensor, expected in hashes.items():
        content = members[f"{tensor}.npy"]
        if sha256(content).hexdigest() != expected:
            raise FormatError(name, f"tensor {tensor!r}", "does not match its SHA-256; get it anew")
        tensors[tensor] = decode_npy(content, name, f"tensor {tensor!r}")
    return tensors


def _decode_manifest(text: bytes, name: str) -> dict[str, Any]:
    """Parse the manifest and check what it claims to be."""
    if not 0 < len(text) <= _MANIFEST_LIMIT:
        raise FormatError(name, "", f"no {_MANIFEST} of a plausible size; not saved by npquant")
    try:
        manifest = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FormatError(name, _MANIFEST, f"is not JSON ({error})") from error
    if not isinstance(manifest, dict) or manifest.get("schema") != SCHEMA:
        raise FormatError(name, _MANIFEST, f"not of the schema {SCHEMA!r}; this npquant reads no other")
    return manifest


def archive_facts(manifest: Mapping[str, Any], name: str) -> Facts | None:
    """L2. What a manifest says of the data; None if nothing. FormatError if it is no such record.

    >>> archive_facts({"data": {"features": 2}}, "example").feature_names
    ('x0', 'x1')
    """
    if _DATA not in manifest:
        return None
    try:
        return Facts.from_json(manifest[_DATA])
    except (ValueError, TypeError) as error:
        raise FormatError(name, f"{_MANIFEST}, {_DATA!r}", str(error)) from error
