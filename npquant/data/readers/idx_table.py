"""Rows, 2 of 6: IDX files, the format of MNIST, gzipped or not, as a raw table.

An IDX file is two zero bytes, an item type, the number of dimensions, each dimension as a big-endian uint32, and the
items, big-endian.

Letters: R rows, K features; max_bytes the most that a file, or what it unpacks to, may take.
"""

from __future__ import annotations

import gzip
import os
import re
import struct
import zlib
from math import prod
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from npquant.data.raw_table import RawTable, labelled_table
from npquant.files.archive import read_bounded

_ITEMS: Final = MappingProxyType({0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"})
_MOST_DIMENSIONS: Final = 4
_GZIP: Final = b"\x1f\x8b"
# What in a file's name says that it holds images or labels; what else differs between the files of a set.
_IMAGES: Final = re.compile(r"^X(?=_)|images|[-.]idx[234]-ubyte(\.gz)?$")
_LABELS: Final = re.compile(r"^y(?=_)|labels|[-.]idx[12]-(ubyte|int)(\.gz)?$")
_PART: Final = re.compile(r"train|t10k|test\d*k?")


def read_idx(path: str | os.PathLike[str], *, max_bytes: int) -> NDArray[Any]:
    """Return the array of the IDX file at a `path`: one to four dimensions, the file's item type in native byte order.

    Gzip is told by its first bytes, not by its name. OSError if the file cannot be read; ValueError if it is no IDX
    file, exceeds max_bytes, or is shorter or longer than its header says.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = (Path(folder) / "labels").write_bytes(bytes([0, 0, 0x0B, 1, 0, 0, 0, 2, 0, 7, 255, 255]))
    ...     read_idx(Path(folder) / "labels", max_bytes=100)
    array([ 7, -1], dtype=int16)
    """
    data = read_bounded(path, max_bytes=max_bytes)
    if not data.startswith(_GZIP):
        return _parse(memoryview(data), str(path))
    try:
        with gzip.open(os.fspath(path), "rb") as stream:
            unpacked = _unpack(stream, str(path), max_bytes)
    except (EOFError, gzip.BadGzipFile, zlib.error) as damage:
        raise ValueError(f"{path}: damaged gzip ({damage}); download it again") from damage
    return _parse(memoryview(unpacked), str(path))


def _unpack(stream: gzip.GzipFile, name: str, max_bytes: int) -> bytes:
    """Unpack the header, then what it promises and one byte more, whatever follows."""
    # So a gzip bomb costs what its header admits to, and no more than max_bytes.
    start = stream.read(4)
    start += stream.read(4 * min(start[3], _MOST_DIMENSIONS) if len(start) == 4 else 0)
    _, shape, dtype = _header(memoryview(start), name)
    promise = prod(shape) * dtype.itemsize
    if promise > max_bytes:
        raise ValueError(f"{name}: promises {promise} bytes, the limit is {max_bytes}")
    return start + stream.read(promise + 1)


def _header(data: memoryview, name: str) -> tuple[int, tuple[int, ...], np.dtype[Any]]:
    """Parse the header: its length, the shape, the item type."""
    if len(data) < 4 or data[0] or data[1] or data[2] not in _ITEMS:
        raise ValueError(
            f"{name}: magic number {bytes(data[:4]).hex()} is not IDX (MNIST's images start with "
            "00000803, labels with 00000801); unpack other formats first"
        )
    dimensions = data[3]
    if not 1 <= dimensions <= _MOST_DIMENSIONS:
        raise ValueError(f"{name}: {dimensions} dimensions; IDX data has 1 to {_MOST_DIMENSIONS}")
    length = 4 + 4 * dimensions
    if len(data) < length:
        raise ValueError(f"{name}: ends within its header; download it again")
    return length, struct.unpack_from(f">{dimensions}I", data, 4), np.dtype(_ITEMS[data[2]])


def _parse(data: memoryview, name: str) -> NDArray[Any]:
    """Parse a whole IDX file."""
    start, shape, dtype = _header(data, name)
    promise, found = prod(shape) * dtype.itemsize, len(data) - start
    if found != promise:
        raise ValueError(
            f"{name}: the header promises {promise} bytes for shape {shape}, "
            f"{'more' if found > promise else found} follow; download it again"
        )
    array = np.frombuffer(data, dtype, offset=start).reshape(shape)
    return array.astype(dtype.newbyteorder("="), copy=False)


def read_idx_pair(images: Path, labels: Path, *, max_bytes: int) -> RawTable:
    """Read the IDX files of `images` and their `labels`; features are named by their place in the image.

    Images (R, ...) are flattened to (R, K), labels are (R,) integers. OSError or ValueError as `read_idx`; also if the
    two do not belong together.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     images, labels = Path(folder) / "images", Path(folder) / "labels"
    ...     _ = images.write_bytes(bytes([0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2, 30, 40]))
    ...     _ = labels.write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 1, 7]))
    ...     table = read_idx_pair(images, labels, max_bytes=100)
    >>> table.x, table.labels, table.feature_names
    (array([[30, 40]], dtype=uint8), array([7], dtype=uint8), ('pixel_0_0', 'pixel_0_1'))
    """
    x = read_idx(images, max_bytes=max_bytes)
    y = read_idx(labels, max_bytes=max_bytes)
    if y.ndim == 2 and y.shape[1] > 1 and re.search(r"idx2-int(\.gz)?$", labels.name):
        y = y[:, 0]  # of QMNIST's eight columns the class; the others say who wrote it
    if y.ndim != 1 or not np.issubdtype(y.dtype, np.integer):
        raise ValueError(f"{labels}: labels are one integer a row, found {y.dtype} {y.shape}")
    if x.ndim < 2 or 0 in x.shape:
        raise ValueError(f"{images}: images are (R, ...) with R >= 1, found shape {x.shape}")
    if len(x) != len(y):
        raise ValueError(f"{images}: {len(x)} images, but {labels} has {len(y)} labels")
    names = tuple("pixel_" + "_".join(map(str, place)) for place in np.ndindex(x.shape[1:]))
    return labelled_table(str(images), x.reshape(len(x), -1), y, names)


def find_idx_pairs(path: Path) -> list[tuple[Path, Path]]:
    """Return the pairs (images, labels) of a folder in MNIST's naming, or the one pair that the file `path` belongs to.

    MNIST's names are ``train-images-idx3-ubyte`` and ``train-labels-idx1-ubyte``; its kin put the set's name before
    them (EMNIST), a point for a hyphen, ``idx2-int`` for labels of several columns (QMNIST), or start with ``X`` and
    ``y`` (Kannada-MNIST); all with or without ``.gz``. Training images come first, then in alphabetic order. ValueError
    if there is no image file, one has no label file beside it, or the folder holds several sets.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte"):
    ...         (Path(folder) / name).touch()
    ...     [(images.name, labels.name) for images, labels in find_idx_pairs(Path(folder))]
    [('t10k-images-idx3-ubyte.gz', 't10k-labels-idx1-ubyte')]
    """
    folder = path if path.is_dir() else path.parent
    if path.is_dir():
        images = [file for file in folder.iterdir() if _holds(file, _IMAGES)]
    else:
        images = [path if _holds(path, _IMAGES) else _partner(path, _LABELS, _IMAGES, "images")]
    # Of a file that lies there both packed and unpacked, the unpacked one is read.
    images = [file for file in images if file.suffix != ".gz" or not file.with_suffix("").exists()]
    if not images:
        raise ValueError(f"{path}: no file named like train-images-idx3-ubyte; name a CSV or npz file itself")
    images.sort(key=lambda file: ("train" not in file.name, file.name))
    sets = {_PART.sub("", _key(file, _IMAGES)): file.name for file in images}
    if len(sets) > 1:
        found = ", ".join(sorted(sets.values()))
        raise ValueError(f"{path}: holds several sets ({found}); keep one a folder, or name one of the files")
    return [(file, _partner(file, _IMAGES, _LABELS, "labels")) for file in images]


def _holds(file: Path, sort: re.Pattern[str]) -> bool:
    """Tell whether a file is named like one of images, or one of labels."""
    return "idx" in file.name and sort.search(file.name) is not None


def _key(file: Path, sort: re.Pattern[str]) -> str:
    """Return what a name says apart from whether it holds images or labels, and how they are packed."""
    return re.sub(r"[-._]+", "-", sort.sub("", file.name))


def _partner(file: Path, own: re.Pattern[str], other: re.Pattern[str], sort: str) -> Path:
    """Find the file that belongs to this one."""
    entries = [entry for entry in file.parent.iterdir() if _holds(file, own) and _holds(entry, other)]
    found = sorted(entry for entry in entries if _key(entry, other) == _key(file, own))
    if not found:
        raise ValueError(
            f"{file}: no {sort} file beside it; IDX files come in pairs, "
            "train-images-idx3-ubyte and train-labels-idx1-ubyte"
        )
    return found[0]
