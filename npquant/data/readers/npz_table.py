"""Rows, 2 of 6: npz files as a raw table.

Letters: R rows, K features, C classes; max_bytes the most that a file, and what it unpacks to, may take.
"""

from __future__ import annotations

import re
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from npquant.data.labels import are_quantities
from npquant.data.raw_table import RawTable, labelled_table
from npquant.data.readers.array_column import array_column
from npquant.files.archive import decode_npy, decode_zip, read_bounded

_NAMES: Final = ("class_names", "feature_names")
_HALF: Final = re.compile(r"-(imgs|labels)\.npz$")
_PARTS: Final = ("", "_train", "_val", "_test")
# MedMNIST's names of the parts.
_ALIASES: Final = MappingProxyType(
    {
        f"{part}_{own}": f"{letter}_{part}"
        for part in ("train", "val", "test")
        for own, letter in (("images", "x"), ("labels", "y"))
    }
)


def npz_table(data: bytes, source: str, *, max_bytes: int) -> RawTable:
    """Read labelled rows from the `data` of a whole npz archive, stored or deflated; `source` names it in messages.

    Arrays: ``x`` (R, ...) of numbers, flattened to (R, K), and ``y`` (R,) of numbers, bool or text, or real targets
    (R,) or (R, C); optionally ``class_names`` (C,), which integers in ``y`` then index, and ``feature_names`` (K,),
    both text. Keras' ``x_train``, ``y_train``, ``x_test``, ``y_test``, or MedMNIST's ``train_images``, ``train_labels``
    and so on, in place of ``x`` and ``y`` are joined. Any other array beside them is refused, since a misspelt name
    would be lost otherwise. An archive without any of them is a table of named columns: arrays (R,), or (R, k) for k.

    The members may take max_bytes together. ValueError if the archive is damaged, unbounded, lacks an array, or holds
    one of another kind.

    >>> import io
    >>> stream = io.BytesIO()
    >>> np.savez(stream, x=np.arange(8).reshape(2, 2, 2), y=np.array([True, False]))
    >>> table = npz_table(stream.getvalue(), "t.npz", max_bytes=10_000)
    >>> table.x.shape, table.labels.tolist()
    ((2, 4), [1, 0])
    """
    members = decode_zip(data, source, max_bytes=max_bytes)
    arrays = {name.removesuffix(".npy"): decode_npy(content, f"{source}: {name}") for name, content in members.items()}
    if set(_ALIASES) & set(arrays):
        arrays = {_ALIASES.get(name, name): array for name, array in arrays.items()}
    known = {letter + part for letter in "xy" for part in _PARTS}
    if arrays and not set(arrays) & (known | set(_NAMES)):
        return _named_columns(arrays, source)
    unknown = set(arrays) - known - set(_NAMES)
    if unknown:
        raise ValueError(f"{source}: unknown arrays {sorted(unknown)}; x and y are read")
    x, y = _features_and_labels(arrays, source)
    width = x.shape[1]
    names = _names(arrays, "feature_names", source) or tuple(f"x{k}" for k in range(width))
    if len(names) != width:
        raise ValueError(f"{source}: {width} features, but {len(names)} feature_names")
    return labelled_table(source, x, y, names, class_names=_names(arrays, "class_names", source))


def _named_columns(arrays: dict[str, NDArray[Any]], source: str) -> RawTable:
    """Make a table of arrays that are columns, in their order; which is the label is chosen as for any table."""
    shapes = {name: array.shape for name, array in arrays.items()}
    if any(len(shape) not in (1, 2) for shape in shapes.values()) or len({shape[0] for shape in shapes.values()}) > 1:
        raise ValueError(
            f"{source}: arrays {shapes} are neither x and y nor columns: give x (R, K) and y (R,), or arrays of R rows"
        )
    columns = []
    for name, array in arrays.items():
        parts = {name: array} if array.ndim == 1 else {f"{name}{k}": array[:, k] for k in range(array.shape[1])}
        columns += [array_column(part, values, source) for part, values in parts.items()]
    if not columns or not len(columns[0].values):
        raise ValueError(f"{source}: needs rows and features, found arrays {shapes}")
    return RawTable(source, tuple(columns), header=True)


def _features_and_labels(arrays: dict[str, NDArray[Any]], source: str) -> tuple[NDArray[Any], NDArray[Any]]:
    """Join and check the rows."""
    parts = [suffix for suffix in _PARTS if {"x" + suffix, "y" + suffix} & set(arrays)]
    if not parts or any(letter + suffix not in arrays for suffix in parts for letter in "xy"):
        raise ValueError(
            f"{source}: needs arrays x and y, found {sorted(arrays)}; or give every column an array of its own name"
        )
    for suffix in parts:
        _require_pair(arrays["x" + suffix], arrays["y" + suffix], suffix, source)
    shapes = {arrays["x" + suffix].shape[1:] for suffix in parts}
    if len(shapes) != 1:
        raise ValueError(f"{source}: the parts have rows of different shapes {sorted(shapes)}")
    x = np.concatenate([arrays["x" + suffix] for suffix in parts])
    y = np.concatenate([arrays["y" + suffix] for suffix in parts])
    y = y.reshape(-1) if y.shape[1:] == (1,) else y
    return x.reshape(len(x), -1), y.astype(np.int64) if y.dtype == np.bool_ else y


def _require_pair(x: NDArray[Any], y: NDArray[Any], suffix: str, source: str) -> None:
    """Refuse features or labels of another kind or length."""
    if x.dtype.kind not in "biuf" or x.ndim < 2 or 0 in x.shape:
        raise ValueError(
            f"{source}: x{suffix} must be numbers of shape (R, K), not empty; it is {x.dtype} of shape {x.shape}"
        )
    if y.dtype.kind not in "biufU":
        raise ValueError(f"{source}: y{suffix} is {y.dtype}; store classes or real targets as numbers or text")
    if y.shape not in (x.shape[:1], (len(x), 1)) and not (len(y) == len(x) and _several_targets(y)):
        raise ValueError(
            f"{source}: y{suffix} has shape {y.shape}, x{suffix} {len(x)} rows; one label a row "
            "(of one-hot rows, store y.argmax(axis=1); several real targets as float64)"
        )


def _several_targets(y: NDArray[Any]) -> bool:
    """Tell several real targets a row from one-hot rows, which are classes, and from several whole-number classes."""
    if y.ndim != 2 or y.dtype.kind not in "iuf":
        return False
    if y.dtype.kind == "f":
        return not (np.all((y == 0) | (y == 1)) and np.all(y.sum(axis=1) == 1))
    return any(are_quantities(column) for column in y.T)


def find_npz_pairs(path: Path) -> list[tuple[Path, Path]]:
    """Return the pairs (images, labels) that a file `path` belongs to, or a folder's: one array a file.

    Kuzushiji-MNIST's names are ``kmnist-train-imgs.npz`` and ``kmnist-train-labels.npz``. None for other names.
    ValueError if one has no partner, or the folder holds several sets.
    """
    if path.is_dir():
        images = sorted(path.glob("*-imgs.npz"), key=lambda file: ("train" not in file.name, file.name))
    else:
        images = [path.with_name(path.name.replace("-labels.npz", "-imgs.npz"))] if _HALF.search(path.name) else []
    sets = {re.sub("train|test", "", file.name) for file in images}
    if len(sets) > 1:
        found = ", ".join(file.name for file in images)
        raise ValueError(f"{path}: holds several sets ({found}); keep one a folder, or name one of the files")
    pairs = [(file, file.with_name(file.name.replace("-imgs.npz", "-labels.npz"))) for file in images]
    for half in (half for pair in pairs for half in pair):
        if not half.exists():
            raise ValueError(f"{path}: no {half.name} beside it; images and labels come in pairs")
    return pairs


def read_npz_pair(images: Path, labels: Path, *, max_bytes: int) -> RawTable:
    """Read files of one array each, of `images` (R, ...) and their `labels` (R,); max_bytes for each file."""
    arrays = {}
    for letter, path in (("x", images), ("y", labels)):
        members = decode_zip(read_bounded(path, max_bytes=max_bytes), str(path), max_bytes=max_bytes)
        if len(members) != 1:
            raise ValueError(f"{path}: holds {sorted(members)}, not one array; store x and y in one file")
        arrays[letter] = decode_npy(next(iter(members.values())), str(path))
    x, y = _features_and_labels(arrays, str(images))
    return labelled_table(str(images), x, y, [f"x{k}" for k in range(x.shape[1])])


def _names(arrays: dict[str, NDArray[Any]], name: str, source: str) -> tuple[str, ...]:
    """Read names, if the file has them."""
    if name not in arrays:
        return ()
    if arrays[name].dtype.kind != "U" or arrays[name].ndim != 1:
        raise ValueError(f"{source}: {name} must be one-dimensional text")
    return tuple(arrays[name].tolist())
