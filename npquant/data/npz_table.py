"""Rows, 2 of 6: npz files as a raw table.

Letters: R rows, K features, C classes.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from npquant.data.raw_table import RawTable
from npquant.files.archive import decode_npy, decode_zip

_NAMES: Final = ("class_names", "feature_names")


def npz_table(data: bytes, source: str, *, max_bytes: int) -> RawTable:
    """Read labelled rows from the `data` of a whole npz archive, stored or deflated; `source` names it in messages.

    Arrays: ``x`` (R, ...) of numbers, flattened to (R, K), and ``y`` (R,) of integers, bool or text, or real targets
    (R,) or (R, C); optionally ``class_names`` (C,), which integers in ``y`` then index, and ``feature_names`` (K,),
    both text. Keras' ``x_train``, ``y_train``, ``x_test``, ``y_test`` in place of ``x`` and ``y`` are joined. Any other
    array is refused, since a misspelt name would be lost otherwise.

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
    unknown = set(arrays) - {"x", "y", "x_train", "y_train", "x_test", "y_test", *_NAMES}
    if unknown:
        raise ValueError(f"{source}: unknown arrays {sorted(unknown)}; x and y are read")
    x, y = _features_and_labels(arrays, source)
    width = x.shape[1]
    names = _names(arrays, "feature_names", source) or tuple(f"x{k}" for k in range(width))
    if len(names) != width:
        raise ValueError(f"{source}: {width} features, but {len(names)} feature_names")
    return RawTable(source, x, y, names, class_names=_names(arrays, "class_names", source))


def _features_and_labels(arrays: dict[str, NDArray[Any]], source: str) -> tuple[NDArray[Any], NDArray[Any]]:
    """Join and check the rows."""
    parts = [suffix for suffix in ("", "_train", "_test") if {"x" + suffix, "y" + suffix} & set(arrays)]
    if not parts or any(letter + suffix not in arrays for suffix in parts for letter in "xy"):
        raise ValueError(f"{source}: needs arrays x and y, found {sorted(arrays)}")
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
    whole = y.dtype.kind == "f" and y.ndim == 1 and np.array_equal(y, np.rint(y))
    if y.dtype.kind not in "biufU" or whole:
        raise ValueError(f"{source}: y{suffix} is {y.dtype}; store class labels, y.astype(int)")
    if y.shape not in (x.shape[:1], (len(x), 1)) and (y.dtype.kind != "f" or y.ndim != 2 or len(y) != len(x)):
        raise ValueError(
            f"{source}: y{suffix} has shape {y.shape}, x{suffix} {len(x)} rows; one label a row "
            "(of one-hot rows, store y.argmax(axis=1))"
        )


def _names(arrays: dict[str, NDArray[Any]], name: str, source: str) -> tuple[str, ...]:
    """Read names, if the file has them."""
    if name not in arrays:
        return ()
    if arrays[name].dtype.kind != "U" or arrays[name].ndim != 1:
        raise ValueError(f"{source}: {name} must be one-dimensional text")
    return tuple(arrays[name].tolist())
