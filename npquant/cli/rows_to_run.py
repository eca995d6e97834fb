"""The rows that a command runs a network on: the user's, the bundled digits, or codes drawn over the input's interval.

Legend: model an integer network; data the path of the user's rows or None; seed that of drawing; own whether the file
is npquant's own; facts what file, the network's, knows of its data.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from npquant.data.datasets import load_dataset, load_optdigits
from npquant.data.matching import match_features
from npquant.files.facts import Facts
from npquant.integer.mlp import IntegerMLP

_DRAWN: Final = 1000


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Hold real inputs, and say where they come from."""

    x: NDArray[Any]
    words: str
    notes: tuple[str, ...] = ()


def rows_to_run(
    model: IntegerMLP, data: str | None, seed: int, *, own: bool, facts: Facts | None = None, file: str = "the network"
) -> Rows:
    """Return rows for a network; drawn ones, as real values, are those of codes that are even over the whole interval.

    ValueError if the data has other features than the network takes, or the seed is negative.

    >>> from npquant.integer.layer import IntegerLayer
    >>> from npquant.kernels.qparams import QuantParams
    >>> p = QuantParams(0.5, 0, -128, 127)
    >>> net = IntegerMLP((IntegerLayer(np.array([[3]], np.int8), np.array([0], np.int32), p, p, p, "identity"),), p)
    >>> rows = rows_to_run(net, None, 0, own=True)
    >>> rows.words, int(net.encode(rows.x).min()), int(net.encode(rows.x).max())
    ('1,000 rows of codes drawn evenly (seed 0)', -128, 127)
    """
    if seed < 0:
        raise ValueError(f"the seed is {seed}; give a whole number of at least 0 with --seed")
    if data is not None:
        matched = match_features(load_dataset(data), facts, file)
        found = matched.data
        if found.x.shape[1] != model.n_inputs:
            raise ValueError(f"{data}: has {found.x.shape[1]} features; the network takes {model.n_inputs}")
        return Rows(found.x, f"the {len(found.x):,} rows of {data}", matched.notes)
    digits = load_optdigits()
    if own and digits.x.shape[1] == model.n_inputs:
        return Rows(digits.x, f"the {len(digits.x):,} bundled digits")
    params = model.input_params
    codes = np.random.default_rng(seed).integers(params.qmin, params.qmax + 1, (_DRAWN, model.n_inputs))
    # |q - z| < 2^17 and scales are float32: the product is exact in float64, and its quotient rounds back to q - z.
    real = (codes - np.asarray(params.zero_point)) * np.asarray(params.scale, np.float64)
    offset = 0.0 if model.input_offset is None else model.input_offset
    return Rows(real + offset, f"{_DRAWN:,} rows of codes drawn evenly (seed {seed})")
