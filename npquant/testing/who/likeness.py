"""Profiles that rows leave together: why no input of the layer tells them apart, or one that does after all.

Legend: record the layer and its first batch; profiles the suspects still possible; rows (R, K) input codes; rng draws.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from npquant.arrays import Codes
from npquant.testing.case import Layer
from npquant.testing.who.equality import compare
from npquant.testing.who.reaching import as_codes, centred_interval, centred_weights, rows_reaching
from npquant.testing.who.records import Record
from npquant.testing.who.suspects import Suspect

EQUAL: Final = "no input of this layer can tell them apart: "
OPEN: Final = "not decided: "


def likenesses(
    record: Record, profiles: Sequence[Suspect], rows: Codes, rng: np.random.Generator
) -> tuple[tuple[tuple[str, str, str], ...], Codes]:
    """Say of each profile that rows leave together with an earlier one why; return rows that part some after all."""
    layer = record.layer
    found, extra = [], np.empty((0, layer.w_q.shape[0]), rows.dtype)
    firsts: dict[bytes, list[str]] = {}
    for suspect in profiles:
        together = firsts.setdefault(suspect.answers(layer, rows).tobytes(), [])
        if together:
            known = compare(layer, together[0], suspect.name, record.fixed)
            reached = _reaching(layer, known.where, rng)
            extra = np.concatenate([extra, reached])
            if not len(reached):
                found.append((together[0], suspect.name, (EQUAL if known.equal else OPEN) + known.why))
        together.append(suspect.name)
    return tuple(found), extra[:4]


def _reaching(layer: Layer, where: tuple[int, int] | None, rng: np.random.Generator) -> Codes:
    """Return a row that takes an output to a sum, or none."""
    if where is None:
        return as_codes(layer, np.empty((0, layer.w_q.shape[0]), np.int64))
    n, total = where
    u, reached = rows_reaching(centred_weights(layer)[:, n], *centred_interval(layer), np.repeat(total, 8), rng)
    return as_codes(layer, u[reached][:1])
