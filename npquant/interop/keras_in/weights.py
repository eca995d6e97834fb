"""Which numbers of a Keras file are which layer's.

.keras   a group `layers/<class>/vars/<i>` a layer, the class in snake case and counted, not the layer's name; Keras
         2.13 wrote `_layer_checkpoint_dependencies/` and skipped numbers, Keras on Windows wrote one group
         `layers\\dense`. So groups of one class are matched in the order of their numbers
.h5      a group a layer by its name, whose attribute `weight_names` alone says where its weights stand

Source: keras-team/keras 3.15.1, keras/src/saving/saving_lib.py, keras/src/legacy/saving/legacy_h5_format.py; the files
tyza66/TensorFlowStart iris_model.keras (2.13) and abhaypandy/model.keras (2.15, Windows).

Legend: layer one of the chain; wanted the names of its variables, in the order in which Keras makes them; file its
name.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final, Protocol

from numpy.typing import NDArray

from npquant.files.format_error import FormatError
from npquant.interop.hdf5 import Hdf5File
from npquant.interop.keras_in.architecture import KerasLayer

_MARKERS: Final = ("layers", "_layer_checkpoint_dependencies")
_Key = tuple[str, ...]


class Weights(Protocol):
    """Where a layer's variables are found; `notes` says what was matched by order."""

    notes: list[str]

    def find(self, layer: KerasLayer, wanted: Sequence[str]) -> dict[str, NDArray[Any]]:
        """Return the variables called `wanted`; those of integers (count) are left out."""


class ZipWeights:
    """The weights in a .keras file."""

    def __init__(self, h5: Hdf5File, file: str) -> None:
        self._h5, self._file, self.notes = h5, file, list[str]()
        self._stores: dict[_Key, tuple[str, list[str]]] = {}
        for path, members in h5.groups():
            parts = tuple(re.split(r"[/\\]", path))
            if parts[-1] == "vars" and members:
                self._stores[parts[:-1]] = path, members

    def find(self, layer: KerasLayer, wanted: Sequence[str]) -> dict[str, NDArray[Any]]:
        """Match groups level by level, and variables by their number."""
        key: _Key = ()
        for snake, which, of in layer.trail:
            key = self._inner(key, snake, which, of, layer)
        path, members = self._stores[key]
        if sorted(members) != sorted(str(i) for i in range(len(wanted))):
            raise FormatError(
                self._file, layer.place, f"{path!r} holds {len(members)} variables; {', '.join(wanted)} are expected"
            )
        return {name: self._h5.array(f"{path}/{i}") for i, name in enumerate(wanted) if name != "count"}

    def _inner(self, key: _Key, snake: str, which: int, of: int, layer: KerasLayer) -> _Key:
        """Return the group of the `which`-th of `of` layers of a class in the model at `key`."""
        found: dict[str, _Key] = {}
        for marker in _MARKERS:
            for store in self._stores:
                inside = store[len(key) :]
                if store[: len(key)] == key and inside[:1] == (marker,) and len(inside) > 1:
                    if re.sub(r"_\d{1,18}$", "", inside[1]) == snake:
                        found[inside[1]] = (*key, marker, inside[1])
            if found:
                break
        expected = [snake, *(f"{snake}_{i}" for i in range(1, of))]
        if len(found) == of and set(expected) != set(found):
            name = sorted(found, key=lambda n: int(n[len(snake) + 1 :] or 0))[which]
            if name != expected[which]:
                self.notes.append(f"{layer.place}: its weights were matched by order; the file calls them {name!r}")
            return found[name]
        if expected[which] not in found:
            stored = sorted("/".join(store) for store in self._stores)
            raise FormatError(
                self._file, layer.place, f"has no weights {expected[which]!r}; there are {', '.join(stored[:20])}"
            )
        return found[expected[which]]


class H5Weights:
    """The weights in an .h5 file."""

    def __init__(self, h5: Hdf5File, file: str) -> None:
        self._h5, self._file, self.notes = h5, file, list[str]()
        self._root = "model_weights/" if h5.has("model_weights") else ""

    def find(self, layer: KerasLayer, wanted: Sequence[str]) -> dict[str, NDArray[Any]]:
        """Match by the layer's name, then by the last part of the names that `weight_names` lists."""
        group = self._root + layer.names[0]
        stored = self._h5.names(group, "weight_names")
        mine = [re.sub(r":\d+$", "", name).split("/") for name in stored]
        if len(layer.names) > 1:  # of an inner model, whose group lists the weights of all its layers
            keep = [i for i, parts in enumerate(mine) if layer.names[-1] in parts[:-1]]
            stored, mine = [stored[i] for i in keep], [mine[i] for i in keep]
        kinds = [parts[-1] for parts in mine]
        if sorted(kinds) != sorted(wanted):
            raise FormatError(
                self._file, layer.place, f"has the weight_names {stored}; one each of {', '.join(wanted)} is expected"
            )
        return {k: self._h5.array(f"{group}/{s}") for k, s in zip(kinds, stored, strict=True) if k != "count"}
