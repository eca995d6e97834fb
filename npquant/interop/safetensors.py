"""safetensors: 8 bytes of a length, a JSON header, raw numbers; read within bounds by a reader of its own.

The header gives each tensor its dtype, shape and offsets; the tensors must fill the rest of the file without a hole or
an overlap, as the format asks. Source: huggingface/safetensors 0.5, README "Format" and safetensors/src/tensor.rs.

The header stands in the order of the names, not of the computation. Layers whose names differ only in numbers are
taken in the order of these ("net.2" before "net.10"); others in the one order in which their shapes fit.

Legend: data the content of a file, name or file what to call it; activations as of `npquant.interop.named_tensors`.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from math import prod
from types import MappingProxyType
from typing import Any, Final, NoReturn

import numpy as np
from numpy.typing import NDArray

from npquant.files.archive import read_bounded
from npquant.files.format_error import FormatError
from npquant.files.reading import MAX_BYTES
from npquant.interop.imported import Imported
from npquant.interop.named_tensors import HOW_TO_GIVE_THEM, group_by_layer, steps_of_layers
from npquant.interop.steps import fold

_DTYPES: Final = MappingProxyType({"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"})
# A layer takes about 200 bytes of header; JSON of this length takes less than 64 MB as objects.
_HEADER_LIMIT: Final = 1 << 20
_STEPS: Final = 10_000


def from_safetensors(path: str | os.PathLike[str], *, activations: str | Sequence[str]) -> Imported:
    """Read the fully-connected layers of a safetensors file.

    Parameters
    ----------
    path : path
        The file: tensors "<layer>.weight" (out, in) and "<layer>.bias" (out,) of F64, F32, F16 or BF16.
    activations : str or sequence of str
        The activation of every hidden layer, or one a layer (the last may be left out, and may be "softmax" or
        "logsoftmax"): the file does not say, and a guess would be silently wrong.

    Returns
    -------
    Imported
        A `FloatMLP` of the file's own numbers; F16 and BF16 as float32, which holds them exactly.

    Raises
    ------
    OSError
        If the file cannot be opened.
    FormatError
        If it is damaged, holds anything but fully-connected layers, or its layers have no certain order.
    ValueError
        If an activation is unknown.

    Notes
    -----
    Weights are taken as (out, in), as PyTorch writes them; a square weight does not show it, so the notes say it.
    BatchNorm statistics are refused, since their eps is not in the file: hand the module to `from_torch`.

    Examples
    --------
    >>> import tempfile
    >>> header = b'{"fc.weight": {"dtype": "F32", "shape": [1, 2], "data_offsets": [0, 8]}}'
    >>> content = len(header).to_bytes(8, "little") + header + np.array([[3, 4]], np.float32).tobytes()
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with open(os.path.join(folder, "net.safetensors"), "wb") as stream:
    ...         _ = stream.write(content)
    ...     found = from_safetensors(os.path.join(folder, "net.safetensors"), activations="relu")
    >>> found.run([[1.0, 1.0]])
    array([[7.]], dtype=float32)
    """
    return decode_safetensors(read_bounded(path, max_bytes=MAX_BYTES), os.fspath(path), activations=activations)


def decode_safetensors(data: bytes, name: str, *, activations: str | Sequence[str] | None = None) -> Imported:
    """Read the content of a safetensors file; without activations it is refused, once it is known to be sound."""
    header = _header(data, name)
    shared = header.pop("__metadata__", {})
    layers = group_by_layer(_tensors(header, data, name), name)
    if not isinstance(shared, dict) or any(not isinstance(text, str) for text in shared.values()):
        raise FormatError(name, "header", "__metadata__ must map text to text")
    for one, other in shared.items():
        if other in header and other.endswith(("weight", "bias")):
            raise FormatError(
                name, f"tensor {other!r}", f"is shared with {one!r}, so one layer stands twice; hand over the module"
            )
    if activations is None:
        raise FormatError(name, "activations", HOW_TO_GIVE_THEM)
    order, note = _in_order({prefix: layer["weight"].shape for prefix, layer in layers.items()}, name)
    ordered = {prefix: layers.pop(prefix) for prefix in order}
    model, head, notes = fold(steps_of_layers(ordered, activations, name), name)
    return Imported(
        model, head, (note, "weights are taken as (out, in), as PyTorch writes them", *notes), "safetensors"
    )


def _header(data: bytes, name: str) -> dict[str, Any]:
    length = int.from_bytes(data[:8], "little")
    if len(data) < 8 or length > len(data) - 8:
        raise FormatError(name, "header", f"promises {length} bytes, the file has {len(data)}; it is cut short")
    if length > _HEADER_LIMIT:
        raise FormatError(name, "header", f"takes {length} bytes, the limit for a perceptron is {_HEADER_LIMIT}")
    try:
        header = json.loads(
            data[8 : 8 + length].decode("utf-8"), object_pairs_hook=_without_doubles, parse_constant=_refuse_constant
        )
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError and JSONDecodeError among them
        raise FormatError(name, "header", f"is no JSON object in UTF-8 ({error})") from error
    if not isinstance(header, dict):
        raise FormatError(name, "header", "is no JSON object")
    return header


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
    return found


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON")


def _tensors(header: dict[str, Any], data: bytes, name: str) -> dict[str, NDArray[Any]]:
    """Return every tensor; read-only views of the file but for BF16, which is widened."""
    start, end = 8 + int.from_bytes(data[:8], "little"), 0
    spans = {tensor: _span(entry, tensor, name) for tensor, entry in header.items()}
    arrays = {}
    for tensor, (dtype, shape, low, high) in sorted(spans.items(), key=lambda item: item[1][2:]):
        if low != end or start + high > len(data):
            raise FormatError(
                name,
                f"tensor {tensor!r}",
                f"stands at {low} to {high}, and {end} to {len(data) - start} is left; holes and overlaps are refused",
            )
        end = high
        flat = np.frombuffer(data, dtype, count=prod(shape), offset=start + low)
        if dtype == _DTYPES["BF16"]:  # the upper half of a float32
            flat = (flat.astype(np.uint32) << 16).view(np.float32)
        arrays[tensor] = flat.reshape(shape)
    if start + end != len(data):
        raise FormatError(name, "", f"has {len(data) - start - end} bytes behind its last tensor")
    return {tensor: arrays[tensor] for tensor in header}


def _span(entry: Any, tensor: str, name: str) -> tuple[str, tuple[int, ...], int, int]:
    """Return dtype, shape and offsets of a tensor."""
    place = f"tensor {tensor!r}"
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise FormatError(name, place, "must have dtype, shape and data_offsets in the header, and nothing else")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    for numbers in (shape, offsets):
        if not isinstance(numbers, list) or any(type(n) is not int or not 0 <= n < 1 << 48 for n in numbers):
            raise FormatError(name, place, f"has shape or data_offsets {numbers!r}; counts are expected")
    if not isinstance(dtype, str) or dtype not in _DTYPES:
        batch = "; num_batches_tracked belongs to a batch normalization" if "num_batches" in tensor else ""
        raise FormatError(
            name,
            place,
            f"holds {dtype}, not a network's weights; {', '.join(_DTYPES)} are read{batch}"
            + (" (running_mean's eps is not in the file: use from_torch)" if batch else ""),
        )
    if (
        len(shape) > 8
        or len(offsets) != 2
        or offsets[1] - offsets[0] != prod(shape) * np.dtype(_DTYPES[dtype]).itemsize
    ):
        raise FormatError(name, place, f"{dtype} of shape {shape} does not take the bytes {offsets}")
    return _DTYPES[dtype], tuple(shape), offsets[0], offsets[1]


def _in_order(shapes: dict[str, tuple[int, ...]], name: str) -> tuple[list[str], str]:
    """Return the layers in the order of the computation, and the note that says how it was found."""
    natural = sorted(shapes, key=_numbers_as_numbers)
    if len({_pattern(prefix) for prefix in shapes}) <= 1:
        return natural, f"layers in the order of their numbers: {', '.join(map(repr, natural))}"
    chains = _chains(shapes, natural)
    if len(chains) > 1:
        raise FormatError(
            name,
            f"layers {', '.join(map(repr, natural))}",
            "fit in several orders, and their names do not number them; hand a state_dict in the order of the "
            "computation to npquant.interop.from_torch",
        )
    if not chains:
        found = ", ".join(f"{prefix!r} {shapes[prefix]}" for prefix in natural)
        raise FormatError(name, f"layers {found}", "fit in no order; the (out, in) weights of a chain are read")
    return chains[0], f"layers in the one order in which they fit: {', '.join(map(repr, chains[0]))}"


def _pattern(prefix: str) -> str:
    return re.sub(r"\d+", "#", prefix)


def _numbers_as_numbers(prefix: str) -> list[tuple[int, str]]:
    parts = re.split(r"([0-9]{1,18})", prefix)
    return [(int(part), "") if part.isdigit() and part.isascii() else (-1, part) for part in parts]


def _chains(shapes: dict[str, tuple[int, ...]], natural: list[str]) -> list[list[str]]:
    """Return up to two orders in which each layer takes what the one before gives, numbered ones in their order."""
    found: list[list[str]] = []
    edge: list[list[str]] = [[]]
    for _ in range(_STEPS):
        if not edge or len(found) > 1:
            return found
        path = edge.pop()
        if len(path) == len(natural):
            found.append(path)
        waiting: dict[str, str] = {}
        for prefix in natural:
            if prefix not in path:
                waiting.setdefault(_pattern(prefix), prefix)
        edge.extend([*path, one] for one in waiting.values() if not path or shapes[one][1] == shapes[path[-1]][0])
    return [natural, natural]  # too many to tell: several, for all that is known
