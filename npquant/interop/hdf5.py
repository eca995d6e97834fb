"""HDF5 in memory, read through h5py within bounds: what a file says is checked before h5py may act on it.

h5py follows what it is told: soft and external links, raw data that lies in another file, virtual data sets, filters
that load a plug-in or inflate without end, and variable-length text that many entries share. Here a path is walked
through hard links alone, and a data set is read only if its numbers stand in this file as they are, uncompressed.

Source: HDFGroup/hdf5 2.0, "HDF5 File Format Specification" 3.0, III.E (global heap) and IV.A.2.

Legend: data the content of a file, file what to call it; path names joined by "/", from the root.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from npquant.files.format_error import FormatError

_DEPTH: Final = 16
_NODES: Final = 10_000
_SLACK: Final = 8 << 20
_HEAP: Final = b"GCOL\x01\0\0\0"
_HARD: Final = 0
_LINKS: Final = MappingProxyType({1: "soft link", 64: "link to another file"})
_HOW_TO_REPACK: Final = "is stored {}; h5repack -f NONE -l CONTI writes a file that is read"


@contextmanager
def open_hdf5(data: bytes, file: str) -> Iterator[Hdf5File]:
    """Open a file's content; whatever h5py meets in a damaged one is a FormatError.

    ImportError, naming the extra, if h5py is not installed.
    """
    # The sizes of offsets and of lengths, 8 in all that is written today, stand elsewhere from version 2 on.
    sizes = data[9:11] if data[8:9] >= b"\x02" else data[13:15]
    if data[:8] != b"\x89HDF\r\n\x1a\n" or sizes != b"\x08\x08":
        raise FormatError(file, "", "is damaged, or no HDF5 that npquant reads: it does not begin as one")
    try:
        import h5py
    except ImportError as error:
        raise ImportError("HDF5 needs h5py: pip install 'npquant[keras]'") from error
    try:
        longest = _longest_text(data, file)
        with h5py.File(io.BytesIO(data), "r") as root:
            yield Hdf5File(root, len(data), longest, file)
    except (FormatError, ImportError):
        raise
    except Exception as error:  # the C library's complaints arrive as half a dozen kinds of exception
        raise FormatError(
            file, "", f"is damaged, or no HDF5 that npquant reads ({type(error).__name__}: {error})"
        ) from error


class Hdf5File:
    """Hold an open file, and how many bytes may still be read from it."""

    def __init__(self, root: Any, n_bytes: int, longest_text: int, file: str) -> None:
        self._root, self._longest_text, self._file = root, longest_text, file
        # Uncompressed numbers of a sound file cannot take more than the file.
        self._left = n_bytes + _SLACK

    def groups(self) -> Iterator[tuple[str, list[str]]]:
        """Yield each group's path with the names of its members; a bounded walk through hard links."""
        edge, seen = [((), self._root)], 0  # type: tuple[list[tuple[tuple[str, ...], Any]], int]
        while edge:
            names, group = edge.pop()
            members = list(group)
            seen += 1 + len(members)
            if seen > _NODES or len(names) > _DEPTH:
                raise FormatError(self._file, "/".join(names), "has more groups, or deeper ones, than a perceptron")
            yield "/".join(names), members
            for name in members:
                if self._link(group, name) == _HARD:
                    inner = self._child(group, name, "/".join((*names, name)))
                    if hasattr(inner, "keys"):
                        edge.append(((*names, name), inner))

    def has(self, name: str) -> bool:
        """Say whether the root has a member called `name`."""
        return self._link(self._root, name) is not None

    def text(self, path: str, name: str) -> str | None:
        """Return the attribute called `name` of a group, one text; None if it has none of the name."""
        values = self._attribute(path, name)
        if values is None:
            return None
        if len(values) != 1:
            raise FormatError(self._file, f"attribute {name!r} of {path!r}", "must be one text")
        return values[0]

    def names(self, path: str, name: str) -> list[str]:
        """Return the attribute called `name`, a list of texts; Keras cuts a long one into parts 0, 1, ..."""
        whole = self._attribute(path, name)
        if whole is not None:
            return whole
        found: list[str] = []
        for i in range(_NODES):
            part = self._attribute(path, f"{name}{i}")
            if part is None:
                break
            found += part
        return found

    def array(self, path: str) -> NDArray[Any]:
        """Return the float numbers of a data set, in native byte order; bfloat16 is widened to float32."""
        node, place = self._node(path), f"data set {path!r}"
        if not hasattr(node, "shape") or node.shape is None:
            raise FormatError(self._file, place, "is no data set with a shape")
        # HDF5 has no bfloat16: Keras writes two bytes without a meaning, and says the dtype beside them in .keras only.
        brain = node.dtype.str == "|V2" and str(node.attrs.get("dtype", "bfloat16")) == "bfloat16"
        if not brain and node.dtype.str[1:] not in ("f2", "f4", "f8"):
            raise FormatError(self._file, place, f"holds {node.dtype}; float16, bfloat16, float32 and float64 are read")
        self._require_plain(node, place)
        values = np.asarray(node[()])
        if brain:  # the upper half of a float32
            values = (values.view(np.uint16).astype(np.uint32) << 16).view(np.float32)
        return values.astype(values.dtype.newbyteorder("="), copy=False)

    def _require_plain(self, node: Any, place: str) -> None:
        """Refuse a data set whose numbers do not stand in this file, one after the other, as they are."""
        size = prod(node.shape) * node.dtype.itemsize
        plan = node.id.get_create_plist()
        if node.is_virtual or node.external:
            raise FormatError(self._file, place, "lies in another file; weights must stand in the file itself")
        if plan.get_nfilters() or node.chunks is not None:
            raise FormatError(self._file, place, _HOW_TO_REPACK.format(f"in chunks ({node.compression or 'filtered'})"))
        if size > self._left or node.id.get_storage_size() != size:
            raise FormatError(self._file, place, f"promises {size} bytes, {node.id.get_storage_size()} are stored")
        self._left -= size

    def _attribute(self, path: str, name: str) -> list[str] | None:
        attributes, place = self._node(path).attrs, f"attribute {name!r} of {path!r}"
        if name not in attributes:
            return None
        stored = attributes.get_id(name)
        count = prod(stored.shape)
        # Many entries of variable length may point to the same text.
        if count * max(stored.dtype.itemsize, self._longest_text if stored.dtype.kind == "O" else 0) > self._left:
            raise FormatError(self._file, place, f"promises {count} texts, more than the file can hold")
        values = np.atleast_1d(attributes[name]).ravel().tolist()
        try:
            return [value.decode("utf-8") if isinstance(value, bytes) else _text(value) for value in values]
        except (UnicodeDecodeError, TypeError) as error:
            raise FormatError(self._file, place, f"must be text in UTF-8 ({error})") from error

    def _node(self, path: str) -> Any:
        node = self._root
        for part in path.split("/") if path else []:
            node = self._child(node, part, path)
        return node

    def _link(self, group: Any, name: str) -> int | None:
        """Return the kind of the link to a member; None if there is none of the name."""
        links, key = group.id.links, name.encode("utf-8")
        return int(links.get_info(key).type) if links.exists(key) else None

    def _child(self, group: Any, name: str, path: str) -> Any:
        kind = self._link(group, name) if hasattr(group, "keys") and name not in ("", ".", "..") else None
        if kind is None:
            raise FormatError(self._file, f"{path!r}", f"is missing: there is no {name!r}")
        if kind != _HARD:
            what = _LINKS.get(kind, "link of an unknown kind")
            raise FormatError(self._file, f"{path!r}", f"{name!r} is a {what}; links are not followed")
        return group[name]


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{type(value).__name__} is no text")
    value.encode("utf-8")  # h5py lets damaged text in as surrogates
    return value


def _longest_text(data: bytes, file: str) -> int:
    """Return the length of the longest object in a global heap: no text of variable length is longer.

    FormatError for a heap that HDF5 2.0.0 walks without end (a free object of size 0), or that an object overruns.
    """
    longest, at = 0, data.find(_HEAP)
    while at >= 0:
        end = at + int.from_bytes(data[at + 8 : at + 16], "little")
        here = at + 16
        while here + 16 <= min(end, len(data)):
            index, size = (int.from_bytes(data[here + i : here + j], "little") for i, j in ((0, 2), (8, 16)))
            # An object takes its header and a multiple of 8; what is free counts its header itself.
            step = 16 + -(-size // 8) * 8 if index else size
            if step < 16 or here + step > end:
                raise FormatError(file, f"heap at byte {at}", f"is damaged: object {index} takes {size} bytes")
            longest = max(longest, size)
            here += step
        at = data.find(_HEAP, at + 8)
    return longest
