"""The rows that a command runs a network on: the user's, the bundled digits, or codes drawn over the input's interval.

Legend: model an integer network; data the path of the user's rows or None; seed that of drawing; own whether the file
is npquant's own; as_codes whether the user says that the rows are codes; facts what file, the network's, knows of its
data; target, missing: what `npquant.data.datasets.load_dataset` is told of the data.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from npquant.data.datasets import DEFAULT_MAX_BYTES, load_alike, load_optdigits
from npquant.data.encoding import Encoding
from npquant.data.matching import encoding_of, match_features
from npquant.data.readers.read_table import read_table
from npquant.files.archive import decode_npy, decode_zip, read_bounded
from npquant.files.facts import Facts
from npquant.integer.mlp import IntegerMLP
from npquant.testing.divergence import input_codes

_DRAWN: Final = 1000


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Hold inputs, real or codes, and say where they come from."""

    x: NDArray[Any]
    words: str
    codes: bool = False
    notes: tuple[str, ...] = ()


def rows_to_run(
    model: IntegerMLP,
    data: str | None,
    seed: int,
    *,
    own: bool,
    as_codes: bool = False,
    facts: Facts | None = None,
    file: str = "the network",
    target: str | int | None = None,
    missing: str | None = None,
) -> Rows:
    """Return rows for a network; drawn ones are codes that are even over the whole interval of the input.

    ValueError if the data has other features than the network takes, codes are no integers of the input's interval, or
    the seed is negative.

    >>> from npquant.integer.layer import IntegerLayer
    >>> from npquant.kernels.qparams import QuantParams
    >>> p = QuantParams(0.5, 0, -128, 127)
    >>> net = IntegerMLP((IntegerLayer(np.array([[3]], np.int8), np.array([0], np.int32), p, p, p, "identity"),), p)
    >>> rows = rows_to_run(net, None, 0, own=True)
    >>> rows.words, rows.codes, int(rows.x.min()), int(rows.x.max())
    ('1,000 rows of codes drawn evenly (seed 0)', True, -128, 127)
    """
    if seed < 0:
        raise ValueError(f"the seed is {seed}; give a whole number of at least 0 with --seed")
    if data is not None:
        told = _Told(target, missing, None if facts is None else encoding_of(facts))
        return _rows_of(model, data, facts, file, told, as_codes=as_codes)
    if as_codes:
        raise ValueError("--codes says what the rows of --data are: give --data too")
    digits = load_optdigits()
    if own and digits.x.shape[1] == model.n_inputs:
        return Rows(digits.x, f"the {len(digits.x):,} bundled digits")
    params = model.input_params
    codes = np.random.default_rng(seed).integers(params.qmin, params.qmax + 1, (_DRAWN, model.n_inputs))
    return Rows(codes.astype(params.dtype), f"{_DRAWN:,} rows of codes drawn evenly (seed {seed})", codes=True)


@dataclass(frozen=True, slots=True)
class _Told:
    """What is known of a table before it is read."""

    target: str | int | None
    missing: str | None
    encoding: Encoding | None


def _rows_of(model: IntegerMLP, data: str, facts: Facts | None, file: str, told: _Told, *, as_codes: bool) -> Rows:
    """Return the user's rows, checked against the network and brought into the order that its file knows."""
    x, named_codes, notes = _features(data, model.n_inputs, facts, file, told)
    codes = as_codes or named_codes
    if x.ndim != 2 or x.shape[1] != model.n_inputs:
        raise ValueError(f"{data}: has {x.shape[-1] if x.ndim else 0} features; the network takes {model.n_inputs}")
    if not codes:
        return Rows(x, f"the {len(x):,} rows of {data}", notes=notes)
    return Rows(_codes(model, x, data), f"the {len(x):,} rows of codes of {data}", codes=True, notes=notes)


def _features(
    data: str, features: int, facts: Facts | None, file: str, told: _Told
) -> tuple[NDArray[Any], bool, tuple[str, ...]]:
    """Return a file's numbers without labels, whether an array's name makes them codes, and how they were ordered."""
    if _is_zip(Path(data)):
        members = decode_zip(read_bounded(data, max_bytes=DEFAULT_MAX_BYTES), data, max_bytes=DEFAULT_MAX_BYTES)
        names = {name.removesuffix(".npy"): name for name in members}
        for array, is_codes in (("x_q", True), ("x", False)):
            if array in names and (is_codes or "y" not in names):
                found = decode_npy(members[names[array]], f"{data}: {names[array]}")
                return found.reshape(len(found), -1) if found.ndim else found, is_codes, ()
    alone = _features_alone(data, features) if facts is None and told.target is None else None
    if alone is not None:
        return alone, False, ()
    usual = None if facts is None else facts.label
    matched = match_features(load_alike(data, told.target, told.missing, told.encoding, usual), facts, file)
    return matched.data.x, False, matched.notes


def _features_alone(data: str, features: int) -> NDArray[Any] | None:
    """Return a text table of numbers in which no column is left for a label; None where it is another."""
    if Path(data).is_dir() or _is_zip(Path(data)):
        return None
    table = read_table(data, max_bytes=DEFAULT_MAX_BYTES)
    plain = all(not column.words and column.missing is None for column in table.columns)
    return table.x if plain and table.label is None and len(table.columns) == features else None


def _is_zip(place: Path) -> bool:
    if place.is_dir():
        return False
    with place.open("rb") as stream:
        return stream.read(2) == b"PK"


def _codes(model: IntegerMLP, x: NDArray[Any], data: str) -> NDArray[Any]:
    """Return codes in the type of the network's input; those of a text file may be written as 3.0."""
    if x.dtype.kind == "f":
        if not np.array_equal(np.rint(x), x) or np.abs(x).max(initial=0) >= 2**31:
            raise ValueError(f"{data}: codes are whole numbers; leave out --codes where the numbers are real inputs")
        x = x.astype(np.int64)
    try:
        return input_codes(model, x)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{data}: {error}") from None
