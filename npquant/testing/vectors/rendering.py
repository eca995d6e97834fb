"""What a format makes of the vectors: files, the answer due for each, and what it cannot say.

Legend: collection the set of vectors; vectors flat ones, each of one layer."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from npquant.testing.vectors.collection import Collection
from npquant.testing.vectors.vector import GoldenVector


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """One question of a format: its name, the vector it asks, the answer that is due (None: a refusal).

    what: "codes", or "accumulators" where those are asked; kills the bugs that show in this form."""

    id: str
    vector: GoldenVector
    answer: NDArray[Any] | None
    kills: tuple[str, ...]
    what: str = "codes"


@dataclass(frozen=True, slots=True, eq=False)
class Rendering:
    """Files by their path, the entries in their order, and how many vectors were left out, by why."""

    files: dict[str, bytes]
    entries: tuple[Entry, ...]
    left_out: dict[str, int]


Render = Callable[[Collection], Rendering]


def entries_of(vectors: Iterable[GoldenVector]) -> tuple[Entry, ...]:
    """Return an entry for each vector, its output codes due."""
    return tuple(Entry(vector.id, vector, vector.y_q, vector.kills) for vector in vectors)


def layers_only(vectors: Iterable[GoldenVector]) -> tuple[tuple[GoldenVector, ...], dict[str, int]]:
    """Return the vectors of a linear layer that has an answer, and the count of the others by why."""
    kept: list[GoldenVector] = []
    left_out: dict[str, int] = {}
    for vector in vectors:
        reason = "a refusal: the format states one shape" if vector.y_q is None else ""
        reason = reason or ("QUANTIZE: the format asks one function, the layer" if not vector.layers else "")
        if reason:
            left_out[reason] = left_out.get(reason, 0) + 1
        else:
            kept.append(vector)
    return tuple(kept), left_out


def as_json(document: Any) -> bytes:
    """Return a document as JSON text that is the same on every machine; a list of numbers stands on one line.

    >>> as_json({"a": [1, 2], "b": {"c": None}}).decode().splitlines()
    ['{', ' "a": [1, 2],', ' "b": {', '  "c": null', ' }', '}']
    """
    return (_text(document, "\n") + "\n").encode("ascii")


def _text(node: Any, line: str) -> str:
    inner = line + " "
    if isinstance(node, dict) and node:
        return "{" + ",".join(f"{inner}{json.dumps(k)}: {_text(v, inner)}" for k, v in node.items()) + line + "}"
    if isinstance(node, list | tuple) and any(isinstance(value, dict) for value in node):
        return "[" + ",".join(inner + _text(value, inner) for value in node) + line + "]"
    return json.dumps(node, allow_nan=False)


def number(value: Any) -> float | str:
    """Return a value of float32 as JSON holds it, exactly; NaN and infinities by name.

    >>> number(np.float32(0.1)), number(np.inf)
    (0.10000000149011612, 'Infinity')
    """
    real = float(value)
    if np.isnan(real):
        return "NaN"
    return real if np.isfinite(real) else ("Infinity" if real > 0 else "-Infinity")


def numbers(values: Any) -> Any:
    """Return values of float32, an array or one, as JSON holds them."""
    array = np.asarray(values)
    return number(array) if array.ndim == 0 else [numbers(value) for value in array]
