"""Suspects held against a kernel's answers, code by code: profiles first, then rules in those that come nearest.

Legend: layer the kernel's; x_q (B, K) input codes, y_q (B, N) the kernel's answer; batches pairs of these; record the
layer and its first batch; every what was judged so far; tried_in the profiles that rules are put in, nearest first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from npquant.arrays import Codes, Int64
from npquant.testing.case import Layer
from npquant.testing.who.candidate import Candidate, Mismatch
from npquant.testing.who.next_inputs import bias_of_layer
from npquant.testing.who.reaching import centred_weights
from npquant.testing.who.records import Record
from npquant.testing.who.suspects import Suspect, rule_suspect, rules

Batch = tuple[Codes, NDArray[np.integer[Any]]]
# A rule is run on this many rows first, fewer of a large layer, and on all where at most every twentieth code is wrong.
FIRST_ROWS: Final = 24
FIRST_ELEMENTS: Final = 2_000_000
# Profiles, one of each arithmetic that the answers tell apart, in which rules are tried.
MOST_BASES: Final = 3
# A rule that is wrong there, on at most this share of codes, is tried in all other profiles.
NEAR: Final = 0.02
# Modules of the catalogue whose rules scale and round by themselves, whatever the base does.
BASELESS: Final = ("rounding",)


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """A suspect and what came of it."""

    suspect: Suspect
    candidate: Candidate
    # Of all answers, where they were all worked out: equal for equal codes.
    mark: bytes


def judged(suspect: Suspect, layer: Layer, batches: Sequence[Batch]) -> Judged:
    """Compare a suspect with the kernel: on all rows, or a rule that is far off on the first rows alone."""
    x_q, y_q = batches[0]
    rows = max(4, min(FIRST_ROWS, FIRST_ELEMENTS // max(1, layer.w_q.size)))
    if not suspect.is_profile and len(x_q) > rows:
        few = [(x_q[:rows], y_q[:rows])]
        found = _compared(suspect, layer, few)
        if found.candidate.mismatches * 20 > found.candidate.outputs:
            return found
    return _compared(suspect, layer, batches)


def _compared(suspect: Suspect, layer: Layer, batches: Sequence[Batch]) -> Judged:
    wrong = outputs = 0
    first, marks = None, []
    for i, (x_q, y_q) in enumerate(batches):
        codes = suspect.answers(layer, x_q)
        differ = np.argwhere(codes != y_q)
        if len(differ) and first is None:
            first = _explained(layer, i, x_q, y_q, codes, differ[0])
        wrong, outputs = wrong + len(differ), outputs + codes.size
        marks.append(codes.tobytes())
    candidate = Candidate(suspect.name, suspect.base, suspect.says, outputs, wrong, first)
    return Judged(suspect, candidate, b"".join(marks))


def _explained(
    layer: Layer, batch: int, x_q: Codes, y_q: NDArray[np.integer[Any]], codes: Int64, where: Int64
) -> Mismatch:
    """Work out one output in exact arithmetic."""
    row, n = int(where[0]), int(where[1])
    centred = x_q[row].astype(np.int64) - int(layer.x.zero_point)
    acc = int(centred @ centred_weights(layer)[:, n] + bias_of_layer(layer)[n])
    sw = np.broadcast_to(np.asarray(layer.w.scale, np.float64), (layer.w_q.shape[1],))[n]
    factor = Fraction(float(layer.x.scale)) * Fraction(float(sw)) / Fraction(float(layer.y.scale))
    zero = int(layer.y.zero_point)
    return Mismatch(batch, row, n, acc, acc * factor, zero, int(y_q[row, n]), int(codes[row, n]))


def _share(candidate: Candidate) -> float:
    return candidate.mismatches / max(candidate.outputs, 1)


def bases(every: Sequence[Judged]) -> list[str]:
    """Name the profiles: one of each class of equal codes, nearest first, then the rest. Those that are out are among
    them: of one of these, a rule may not be.
    """
    ranked = sorted(every, key=lambda one: _share(one.candidate))
    first: dict[bytes, str] = {}
    for one in ranked:
        first.setdefault(one.mark, one.suspect.name)
    leading = list(first.values())
    return leading + [one.suspect.name for one in ranked if one.suspect.name not in leading]


def rules_tried(record: Record, batches: Sequence[Batch], tried_in: Sequence[str]) -> list[Judged]:
    """Judge the rules in the first few bases, and in all others those that come near without giving every code."""
    found: list[Judged] = []
    best: dict[str, float] = {}
    for i, base in enumerate(tried_in):
        for bug in rules():
            worth = i < MOST_BASES or 0 < best[bug.name] <= NEAR
            if not worth or (i and bug.group in BASELESS):
                continue
            one = judged(rule_suspect(bug, base, record.fixed), record.layer, batches)
            found.append(one)
            best[bug.name] = min(best.get(bug.name, 1.0), _share(one.candidate))
    return found


def classes(every: Sequence[Judged]) -> tuple[tuple[Candidate, ...], ...]:
    """Group candidates that gave equal codes, nearest first, profiles before rules."""
    groups: dict[tuple[int, bytes], list[Candidate]] = {}
    for one in every:
        groups.setdefault((one.candidate.outputs, one.mark), []).append(one.candidate)
    ranked = sorted(groups.values(), key=lambda group: (_share(group[0]), bool(group[0].base)))
    return tuple(tuple(group) for group in ranked)
