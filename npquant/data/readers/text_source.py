"""Rows, 2 of 6: a text file, packed or not, in whatever encoding it was written, as lines.

Letters: path the file; max_bytes the most that it, and what it unpacks to, may take.
"""

from __future__ import annotations

import codecs
import gzip
import io
import os
import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import IO, Final

from npquant.files.archive import read_bounded
from npquant.files.format_error import FormatError

# UTF-32 first: its mark starts with that of UTF-16.
_MARKS: Final = (
    (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"), (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"), (codecs.BOM_UTF8, "utf-8-sig"),
)  # fmt: skip
_PIECE: Final = 1 << 18
_UNDEFINED: Final = re.compile(rb"[\x81\x8d\x8f\x90\x9d]")  # in Windows-1252
_NOT_LATIN1: Final = re.compile(rb"[\x80-\x9f]")  # control characters there, letters and quotes in Windows-1252
_UTF8: Final = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
# What people name by mistake, by its first bytes.
_OTHER_KINDS: Final = MappingProxyType(
    {
        b"BZh": "it is packed by bzip2: unpack it",
        b"\xfd7zXZ": "it is packed by xz: unpack it",
        b"\x28\xb5\x2f\xfd": "it is packed by zstd: unpack it",
        b"7z\xbc\xaf": "it is packed by 7z: unpack it",
        b"\xd0\xcf\x11\xe0": "an Excel workbook: save its sheet as CSV",
        b"\x93NUMPY": "one array of NumPy: save it by numpy.savez(path, x=..., y=...)",
        b"\x89HDF": "it is HDF5: save its arrays by numpy.savez(path, x=..., y=...)",
        b"\x80": "it looks like a pickle: save its arrays by numpy.savez(path, x=..., y=...)",
    }
)
_DAMAGE: Final = (EOFError, gzip.BadGzipFile, zlib.error, zipfile.BadZipFile, RuntimeError, NotImplementedError)


@dataclass(frozen=True, slots=True)
class TextSource:
    """Hold where a text lies and how it is read; it is never in memory as a whole."""

    path: str
    member: str | None  # the one file of a zip archive, else None
    encoding: str
    size: int  # bytes, unpacked
    most_lines: int  # there are no more than these
    notes: tuple[str, ...]  # an encoding other than UTF-8, the member of an archive

    @contextmanager
    def lines(self) -> Iterator[IO[str]]:
        """Open the text from its start; every kind of line end is read as one."""
        with _unpacked(self.path, self.member) as stream:
            yield io.TextIOWrapper(stream, encoding=self.encoding)


def text_source(path: str | os.PathLike[str], *, max_bytes: int) -> TextSource:
    """Look through a text file once: plain, gzipped, or the one file in a zip archive; find its encoding and size.

    UTF-8, or what a byte order mark says; else Windows-1252, or Latin-1 if that is enough, and a note says so. OSError
    if the file cannot be read; ValueError if it is too long, damaged, no text, or partly UTF-8 and partly not.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = (Path(folder) / "t.csv").write_bytes("1,é\\n".encode("latin-1"))
    ...     text_source(Path(folder) / "t.csv", max_bytes=100).notes
    ('read as Latin-1, since line 1 is not UTF-8',)
    """
    name = os.fspath(path)
    member = _only_member(name, max_bytes)
    with _unpacked(name, member) as stream:
        head = stream.read(4)
    encoding = next((found for mark, found in _MARKS if head.startswith(mark)), "utf-8")
    size, lines, stray = _scan(name, member, encoding, max_bytes)
    notes: tuple[str, ...] = (f"the file {member!r} of the archive",) if member else ()
    if stray is not None:
        encoding = _one_byte_encoding(name, member, stray)
        title = "Latin-1" if encoding == "latin-1" else "Windows-1252"
        notes += (f"read as {title}, since line {stray} is not UTF-8",)
    elif encoding.startswith(("utf-16", "utf-32")):
        notes += (f"read as {encoding.upper()}",)
    return TextSource(name, member, encoding, size, lines, notes)


def first_bytes(path: str | os.PathLike[str], count: int) -> bytes:
    """Return the first `count` bytes of a file, unpacked if it is gzipped; ValueError if that is damaged."""
    with _unpacked(os.fspath(path), None) as stream:
        return stream.read(count)


def _only_member(name: str, max_bytes: int) -> str | None:
    """Check the file's length, and find the one file of a zip archive."""
    with Path(name).open("rb") as stream:
        start = stream.read(2)
    if start != b"PK":
        if os.stat(name).st_size > max_bytes:
            read_bounded(name, max_bytes=max_bytes)  # says so
        return None
    try:
        with zipfile.ZipFile(name) as archive:
            entries = [
                entry
                for entry in archive.infolist()
                if not entry.is_dir() and not entry.filename.startswith("__MACOSX")
            ]
    except (*_DAMAGE, ValueError, OSError) as damage:
        raise FormatError(name, "", f"not an intact zip archive ({damage}); get it anew") from damage
    if len(entries) != 1:
        found = ", ".join(entry.filename for entry in entries[:9])
        raise ValueError(f"{name}: the archive holds {len(entries)} files ({found}); unpack it and name one of them")
    if entries[0].compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or entries[0].flag_bits & 1:
        raise ValueError(f"{name}: {entries[0].filename!r} is encrypted, or neither stored nor deflated; unpack it")
    return entries[0].filename


@contextmanager
def _unpacked(name: str, member: str | None) -> Iterator[IO[bytes]]:
    """Open the bytes of a text."""
    try:
        with Path(name).open("rb") as stream:
            if member is not None:
                with zipfile.ZipFile(stream) as archive, archive.open(member) as packed:
                    yield packed
            elif stream.read(2) == b"\x1f\x8b":
                stream.seek(0)
                with gzip.GzipFile(fileobj=stream) as unzipped:
                    yield unzipped  # type: ignore[misc]
            else:
                stream.seek(0)
                yield stream
    except _DAMAGE as damage:
        raise ValueError(f"{name}: damaged archive ({damage}); get it anew") from damage


def _scan(name: str, member: str | None, encoding: str, max_bytes: int) -> tuple[int, int, int | None]:
    """Return the size, a bound of the lines, and the first line that is not text of this encoding (None: all are)."""
    decoder = codecs.getincrementaldecoder(encoding)()
    size, lines, stray = 0, 1, None
    with _unpacked(name, member) as stream:
        while piece := stream.read(_PIECE):
            if encoding.startswith("utf-8") and b"\0" in piece:
                raise ValueError(f"{name}: not a table of text ({_kind(piece)}); name an IDX, npz or text file")
            if stray is None:
                try:
                    decoder.decode(piece)
                except UnicodeDecodeError as error:
                    # What the decoder kept of the piece before has no line end in it.
                    stray = lines + error.object.count(b"\n", 0, error.start)
            size += len(piece)
            lines += piece.count(b"\n")
            if b"\r" in piece:
                lines += piece.count(b"\r") - piece.count(b"\r\n")
            if size > max_bytes:
                raise FormatError(name, "", f"unpacks to more than the limit of {max_bytes} bytes")
    if stray is None:
        try:
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            stray = lines
    if stray is not None and not encoding == "utf-8":
        raise ValueError(f"{name}: line {stray} is not {encoding.upper()}, which its first bytes promise; save it anew")
    return size, lines, stray


def _kind(piece: bytes) -> str:
    """Say what a file is that holds zero bytes, by the first `piece` that does."""
    for start, what in _OTHER_KINDS.items():
        if piece.startswith(start):
            return what
    for first, order in ((0, "BE"), (1, "LE")):
        zeros = piece[first:64:2]
        if len(zeros) > 1 and 2 * zeros.count(0) > len(zeros) and 0 not in piece[1 - first : 64 : 2]:
            return f"it looks like UTF-16-{order} without a byte order mark: save it as UTF-8"
    return "it holds zero bytes"


def _one_byte_encoding(name: str, member: str | None, stray: int) -> str:
    """Choose between Latin-1 and Windows-1252, or find that the text is neither."""
    extended = False
    with _unpacked(name, member) as stream:
        while piece := stream.read(_PIECE):
            if _UTF8.search(piece):
                raise ValueError(f"{name}: line {stray} is not UTF-8, but other lines are; save the file as UTF-8")
            if _UNDEFINED.search(piece):
                raise ValueError(f"{name}: line {stray} is neither UTF-8 nor Windows-1252; save the file as UTF-8")
            extended = extended or _NOT_LATIN1.search(piece) is not None
    return "cp1252" if extended else "latin-1"
