"""Zip archives of .npy arrays (the npz format), written byte-reproducibly and read within bounds.

Legend: array what a .npy file holds; members contents of files by name; data the whole content of a file; name what to
call it in a message, which starts with it; place where in that file the data stand; path a file; max_bytes the most
that it, or all members together, may take.

Reading never unpickles, never evaluates text, and never believes a size that it has not checked: a damaged or hostile
file raises FormatError, and costs no more memory than the caller allows.
"""

from __future__ import annotations

import io
import os
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from npquant.files.format_error import FormatError

# Exactly the item types that are plain numbers or text: no objects, records, dates or void.
_ITEM: Final = re.compile(r"[<>|=]?(?:[iu][1248]|f[248]|b1|U[1-9]\d{0,3})")
_HEADER: Final = re.compile(
    rb"\{\s*'descr':\s*'([^']*)',\s*'fortran_order':\s*(True|False),"
    rb"\s*'shape':\s*\(((?:\d{1,18}(?:,\s*\d{1,18})*,?)?)\),?\s*\}\s*"
)
_HEADER_LIMIT: Final = 4096
_MEMBERS_LIMIT: Final = 4096
# What zipfile raises on damaged archives (RuntimeError: encrypted; NotImplementedError: patched).
_DAMAGE: Final = (
    zipfile.BadZipFile, zlib.error, struct.error, ValueError, EOFError, RuntimeError, OverflowError,
    OSError, IndexError,
)  # fmt: skip


def encode_npy(array: NDArray[Any]) -> bytes:
    """L4. An array of integers, floats, bool or text, any shape, as a .npy file of version 1.0.

    Stored in C order, little-endian: equal arrays give equal bytes, on every machine. TypeError if the dtype is none of
    these; objects, for example, would need pickle.

    >>> np.load(io.BytesIO(encode_npy(np.array([1, 2], np.int8)))).tolist()
    [1, 2]
    """
    little = array.astype(array.dtype.newbyteorder("<"), order="C", copy=False)
    if _ITEM.fullmatch(little.dtype.str) is None:
        raise TypeError(f"an array of {array.dtype} is not stored; convert it to numbers or text")
    header = f"{{'descr': '{little.dtype.str}', 'fortran_order': False, 'shape': {array.shape}, }}"
    # Magic and length take 10 bytes, the newline one; the format asks for a multiple of 64.
    header += " " * (-(len(header) + 11) % 64) + "\n"
    start = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode("ascii")
    return start + little.tobytes()


def decode_npy(data: bytes | memoryview, name: str, place: str = "") -> NDArray[Any]:
    """L4. The array in a .npy file of version 1.0, 2.0 or 3.0, in native byte order; read-only where it shares memory.

    The header is matched, not evaluated. FormatError if it is not that of plain numbers or text, or the length is not
    what it promises.

    >>> decode_npy(encode_npy(np.eye(2, dtype=np.float32)), "eye").tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    if data[:6] != b"\x93NUMPY" or len(data) < 12 or data[6] not in (1, 2, 3):
        raise FormatError(name, place, "not a .npy array; write it with numpy.save or numpy.savez")
    form, start = ("<H", 10) if data[6] == 1 else ("<I", 12)
    (length,) = struct.unpack_from(form, data, 8)
    found = _HEADER.fullmatch(data[start : start + min(length, _HEADER_LIMIT)])
    if found is None or length > _HEADER_LIMIT:
        raise FormatError(name, place, "the .npy header is damaged or describes records")
    item = found[1].decode("latin-1")
    if _ITEM.fullmatch(item) is None:
        raise FormatError(name, place, f"item type {item!r} is refused; store integers, floats or text, never objects")
    dtype = np.dtype(item)
    shape = tuple(int(extent) for extent in found[3].split(b",") if extent.strip())
    if len(shape) > 32 or len(data) - start - length != prod(shape) * dtype.itemsize:
        raise FormatError(
            name,
            place,
            f"the header promises {dtype} of shape {shape}, "
            f"{len(data) - start - length} bytes follow; the file is damaged",
        )
    stored = np.dtype(np.uint8) if dtype == np.bool_ else dtype
    flat = np.frombuffer(data, stored, count=prod(shape), offset=start + length)
    array = flat.reshape(shape, order="F" if found[2] == b"True" else "C")
    if dtype == np.bool_:
        return np.asarray(array != 0)
    if dtype.kind == "U":
        _require_text(flat, name, place)
    return array.astype(dtype.newbyteorder("="), copy=False)


def _require_text(flat: NDArray[Any], name: str, place: str) -> None:
    """Refuse code points that NumPy lets in: one beyond Unicode crashes later, a surrogate cannot be printed."""
    points = flat.view(np.dtype(np.uint32).newbyteorder(flat.dtype.byteorder))
    if np.any((points > 0x10FFFF) | ((points >= 0xD800) & (points < 0xE000))):
        raise FormatError(name, place, "holds code points that are no text; the file is damaged")


def encode_zip(members: Mapping[str, bytes]) -> bytes:
    """L1. Members, in their order, as a stored (not compressed) zip archive.

    No clock, user or system enters it, so equal members give equal bytes.

    >>> len(encode_zip({"a": b"1"}))
    101
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members.items():
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.create_system = 3  # Unix, wherever it is written
            entry.external_attr = 0o100644 << 16  # an ordinary file, readable by all
            archive.writestr(entry, content)
    return buffer.getvalue()


def decode_zip(data: bytes, name: str, *, max_bytes: int) -> dict[str, bytes]:
    """L1. Every member of a stored or deflated zip archive by its name, in the directory's order.

    The sizes of the directory are added up before anything is inflated, and no member is inflated past its own; the
    checksum of each is compared. FormatError if the archive is damaged, encrypted, or compressed otherwise, a name
    stands twice, or the members exceed max_bytes.

    >>> decode_zip(encode_zip({"a": b"1"}), "example", max_bytes=10)
    {'a': b'1'}
    """
    with _naming_damage(name):
        archive = zipfile.ZipFile(io.BytesIO(data))
    entries = archive.infolist()
    _require_modest(entries, name, max_bytes)
    with _naming_damage(name), archive:
        members = {entry.filename: _inflated(archive, entry) for entry in entries}
    for entry in entries:
        if len(members[entry.filename]) != entry.file_size:
            raise FormatError(name, f"member {entry.filename!r}", "is cut short; get it anew")
    return members


def slice_zip(data: bytes, name: str) -> dict[str, memoryview]:
    """L1. Every member of a stored zip archive by its name, in the directory's order, as a view of data: no copy.

    Checksums of .npy members are not compared: L2 has a hash for each. FormatError if the archive is damaged,
    encrypted or compressed, or a name stands twice.

    >>> {name: bytes(view) for name, view in slice_zip(encode_zip({"a": b"1"}), "example").items()}
    {'a': b'1'}
    """
    with _naming_damage(name):
        entries = zipfile.ZipFile(io.BytesIO(data)).infolist()
    _require_modest(entries, name, len(data))
    with _naming_damage(name):
        members = {entry.filename: _stored(data, entry) for entry in entries}
    for entry in entries:
        view = members[entry.filename]
        if not entry.filename.endswith(".npy") and zlib.crc32(view) != entry.CRC:
            raise FormatError(name, f"member {entry.filename!r}", "does not match its checksum; get it anew")
    return members


def _stored(data: bytes, entry: zipfile.ZipInfo) -> memoryview:
    """Find the bytes of a stored member, behind its own header and that header's name and extra field."""
    if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1:
        raise ValueError(f"member {entry.filename!r} is compressed or encrypted, not stored")
    if entry.header_offset < 0:
        raise ValueError(f"member {entry.filename!r} starts before the file")
    fields = struct.unpack_from("<4s2xHH4xL8xHH", data, entry.header_offset)
    signature, flags, method, checksum, name_length, extra_length = fields
    name = entry.header_offset + 30
    start = name + name_length + extra_length
    if start + entry.file_size > len(data):
        raise ValueError(f"member {entry.filename!r} is cut short")
    # A checksum that stands behind the data, by flag 3, is 0 here.
    same = checksum == entry.CRC or flags & 8
    if signature != b"PK\3\4" or method or not same or data[name : name + name_length] != entry.filename.encode():
        raise ValueError(f"member {entry.filename!r} has another header than the directory says")
    return memoryview(data)[start : start + entry.file_size]


def _inflated(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    """Read a member, one byte further than it promises: ZipFile.read would inflate all before it cuts."""
    with archive.open(entry) as stream:
        return stream.read(entry.file_size + 1)


@contextmanager
def _naming_damage(name: str) -> Iterator[None]:
    """Turn whatever a damaged archive makes zipfile raise into FormatError."""
    try:
        yield
    except _DAMAGE as damage:
        raise FormatError(name, "", f"not an intact zip archive ({damage}); get it anew") from damage


def _require_modest(entries: Iterable[zipfile.ZipInfo], name: str, max_bytes: int) -> None:
    """Refuse an archive by its directory alone."""
    seen: set[str] = set()
    total = 0
    for entry in entries:
        if entry.filename in seen or len(seen) >= _MEMBERS_LIMIT:
            raise FormatError(name, f"member {entry.filename!r}", "stands twice, or one too many")
        seen.add(entry.filename)
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise FormatError(name, f"member {entry.filename!r}", "is neither stored nor deflated")
        total += entry.file_size
        if total > max_bytes:
            raise FormatError(name, "", f"its members promise more than the limit of {max_bytes} bytes")


def read_bounded(path: str | os.PathLike[str], *, max_bytes: int) -> bytes:
    """Read a regular file of at most max_bytes bytes.

    OSError if it cannot be opened or read, FormatError if it is no regular file, or too long.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "a.bin"
    ...     _ = path.write_bytes(b"abc")
    ...     read_bounded(path, max_bytes=3)
    b'abc'
    """
    status = os.stat(path)
    if not stat.S_ISREG(status.st_mode):
        raise FormatError(path, "", "not a regular file")
    if status.st_size > max_bytes:
        raise FormatError(path, "", f"{status.st_size} bytes, the limit is {max_bytes}")
    with Path(path).open("rb") as stream:
        return stream.read(status.st_size)
