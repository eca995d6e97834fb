"""External data: tensors in files beside the model, and nowhere else.

A location is a relative path without "..", and what it leads to must be a plain file inside the model's folder when
all links are followed. No more bytes are read than the files have, however many tensors point into them.

Legend: entries location, offset and length as the file gives them; size the bytes that shape and type ask for; place
the tensor.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath

from npquant.files.format_error import FormatError


class Folder:
    """Hold the folder that a model's external data must lie in, and how much of it was read.

    None is no folder: a model that came without a path has no files beside it.
    """

    def __init__(self, folder: str | os.PathLike[str] | None, file: str) -> None:
        self._root = None if folder is None else Path(folder)
        self._file = file
        self._sizes: dict[str, int] = {}
        self._read = 0

    def read(self, entries: Mapping[str, str], size: int, place: str) -> bytes:
        """Return the tensor's bytes; FormatError for every location, offset or length that does not hold."""
        path = self._inside(entries.get("location", ""), place)
        offset = self._number(entries, "offset", 0, place)
        length = self._number(entries, "length", size, place)
        if length != size:
            raise FormatError(self._file, place, f"external data is {length} bytes long; type and shape take {size}")
        try:
            # A device or a pipe may block when it is opened, so it is told apart before.
            if not stat.S_ISREG(path.stat().st_mode):
                raise FormatError(self._file, place, f"external data {entries['location']!r} is not a plain file")
            with path.open("rb") as data:
                total = os.fstat(data.fileno()).st_size
                self._sizes[str(path)] = total
                self._read += size
                if offset > total - size:
                    raise FormatError(self._file, place, f"external data ends at {offset + size}, its file at {total}")
                if self._read > sum(self._sizes.values()):
                    raise FormatError(self._file, place, "more external data is asked for than its files hold")
                data.seek(offset)
                raw = data.read(size)
        except (OSError, ValueError) as error:
            if isinstance(error, FormatError):
                raise
            name = entries["location"][:80]
            raise FormatError(self._file, place, f"external data {name!r} cannot be read: {error}") from error
        if len(raw) != size:
            raise FormatError(self._file, place, "external data was cut off while it was read")
        return raw

    def _inside(self, location: str, place: str) -> Path:
        if self._root is None:
            raise FormatError(self._file, place, "has external data, and the model came without a folder; give a path")
        parts = PurePosixPath(location).parts
        foreign = PureWindowsPath(location)
        outside = ".." in parts or ".." in foreign.parts or location.startswith("/") or foreign.drive or foreign.root
        if not parts or outside or "\0" in location:
            raise FormatError(
                self._file, place, f"external data at {location[:80]!r}; it must lie in the model's own folder"
            )
        try:
            root = self._root.resolve()
            path = (root / location).resolve()
        except (OSError, RuntimeError, ValueError) as error:
            raise FormatError(self._file, place, f"external data {location[:80]!r}: {error}") from error
        if not path.is_relative_to(root):
            raise FormatError(self._file, place, f"external data {location[:80]!r} leads out of the model's folder")
        return path

    def _number(self, entries: Mapping[str, str], key: str, default: int, place: str) -> int:
        text = entries.get(key, "")
        if not text:
            return default
        if not (text.isascii() and text.isdigit() and len(text) < 19):
            raise FormatError(self._file, place, f"external data has the {key} {text[:40]!r}; it must be a number")
        return int(text)
