"""A saved network from its bytes: read once, checked once, decoded once. Here stands what stops a hostile file.

1. A regular file of at most 2^31 bytes is read, in one go (`archive.read_bounded`).
2. Its first bytes decide which of two readers takes it; anything else is refused.
3. A zip is stored, its members views of the file, so that nothing inflates; no pickle is read and no header evaluated
   (`archive`); each tensor must match its SHA-256 (L2, `layouts`).
4. A container must match its CRC-32; no field is read past the end, and no layer is made that costs more steps than the
   length of the file allows (N6, `container.layout`): some bytes cannot stand for gigabytes.
5. The records check what they are given: scales, codes in their intervals, that no accumulator can leave int32 (C7).

Whatever fails is a FormatError, which names the file and the place in it.
Legend: path a file; data the whole content of one, nothing in which is trusted; name what to call it in a message.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Final

import numpy as np

from npquant.files.archive import read_bounded
from npquant.files.container.decode import decode_container
from npquant.files.container.layout import MAGIC, Part, warn_of_numerics
from npquant.files.facts import Facts, check_facts
from npquant.files.format_error import FormatError
from npquant.files.layouts import Entries, Tensors, archive_facts, decode_archive, float_model
from npquant.files.plain_arrays import DYNAMIC_KIND, ENDS, INTEGER_KIND, decode_plain_arrays
from npquant.integer.dynamic_mlp import DynamicMLP
from npquant.integer.mlp import IntegerMLP
from npquant.nn.model import FloatMLP

Network = FloatMLP | IntegerMLP | DynamicMLP
# The one tensor of an integer network's zip, where the container holds it (Z2).
NETWORK: Final = "network"
# Kinds whose tensors are plain arrays, and what makes the network of them.
KINDS: Final[Mapping[str, Callable[[Entries, Tensors], Network]]] = MappingProxyType(
    {
        "FloatMLP": float_model,
        INTEGER_KIND: partial(decode_plain_arrays, INTEGER_KIND),
        DYNAMIC_KIND: partial(decode_plain_arrays, DYNAMIC_KIND),
    }
)
# The most that a file of any format may take.
MAX_BYTES: Final = 1 << 31
_TENSOR: Final = re.compile(r"(.*?)([0-9]*)")
_ROLES: Final = MappingProxyType(
    {"w": "weights", "b": "biases", "table": "tables", "w_scale": "scales", **dict.fromkeys(ENDS, "offset")}
)


@dataclass(frozen=True, slots=True)
class StoredNetwork:
    """Hold all that a file says."""

    model: Network
    parts: tuple[Part, ...]  # what each byte is for, in the order of the file
    n_bytes: int  # length of the file, the sum of the parts
    facts: Facts | None = None  # what it says of the data


def read_network(path: str | os.PathLike[str]) -> StoredNetwork:
    """Read a file that `npquant.save` wrote: opened, read and decoded once.

    OSError if it cannot be opened, FormatError if it is damaged, of another format or describes no network. A file
    written under another numerics version warns if its profile's answers may differ.

    >>> from importlib import resources
    >>> found = read_network(resources.files("npquant.data") / "bundled" / "digits_float.npz")
    >>> found.model.n_inputs, found.n_bytes == sum(part.n_bytes for part in found.parts)
    (64, True)
    """
    return decode_network(read_bounded(path, max_bytes=MAX_BYTES), str(path))


def decode_network(data: bytes, name: str) -> StoredNetwork:
    """Z1, Z2. Decode the content of a file, by its first bytes; FormatError as `read_network`.

    >>> decode_network(b"hello", "stranger.npq")
    Traceback (most recent call last):
    npquant.files.format_error.FormatError: stranger.npq: neither a zip nor an npquant container; not saved by npquant
    """
    if data[:2] == b"PK":
        model, parts, facts = _decode_zip(data, name)
    elif data[:3] == MAGIC:
        model, parts, facts = decode_container(data, name)
    else:
        raise FormatError(name, "", "neither a zip nor an npquant container; not saved by npquant")
    if facts is not None:
        try:
            check_facts(facts, model.n_inputs, model.neurons[-1])
        except ValueError as error:
            raise FormatError(name, "facts", str(error)) from error
    return StoredNetwork(model, parts, len(data), facts)


def _decode_zip(data: bytes, name: str) -> tuple[Network, tuple[Part, ...], Facts | None]:
    """Read the network inside a zip."""
    manifest, tensors, manifest_bytes = decode_archive(data, name)
    kind = manifest.get("kind")
    if kind == "IntegerMLP":
        network = tensors.get(NETWORK)
        if network is None or len(tensors) != 1 or network.dtype != np.uint8 or network.ndim != 1:
            raise FormatError(name, "", f"an IntegerMLP is one uint8 tensor {NETWORK!r}, found {list(tensors)}")
        model, parts, facts = decode_container(network.tobytes(), name)
        return model, _zip_parts(len(data), manifest_bytes, parts), facts
    if not isinstance(kind, str) or kind not in KINDS:
        known = ", ".join(("IntegerMLP", *KINDS))
        raise FormatError(name, "manifest.json", f"unknown kind {kind!r}; this npquant reads {known}")
    try:
        plain = KINDS[kind](manifest, tensors)
    except KeyError as error:
        raise FormatError(name, "", f"does not describe a {kind}: {error} is missing") from error
    except (ValueError, TypeError, OverflowError) as error:
        raise FormatError(name, "", f"does not describe a {kind}: {error}") from error
    if not isinstance(plain, FloatMLP):
        warn_of_numerics(str(manifest.get("numerics")), plain.profile)
    return plain, _zip_parts(len(data), manifest_bytes, _tensor_parts(tensors)), archive_facts(manifest, name)


def _tensor_parts(tensors: Tensors) -> tuple[Part, ...]:
    """Say what each array is for, by its name: that of L3, L5 and L6."""
    parts = []
    for tensor, array in tensors.items():
        what, number = _TENSOR.fullmatch(tensor).groups()  # type: ignore[union-attr]
        layer = int(number) if number else None
        parts.append(Part(_ROLES.get(what, "parameters"), layer, array.dtype.name, array.nbytes))
    return tuple(parts)


def _zip_parts(total: int, manifest: int, parts: tuple[Part, ...]) -> tuple[Part, ...]:
    """Add what the zip takes: its directory and the headers of its members."""
    overhead = total - manifest - sum(part.n_bytes for part in parts)
    return (Part("zip", None, "", overhead), Part("manifest", None, "", manifest), *parts)
