"""Whether a float network has learned anything: what it gets right, held against the commonest class alone.

Everything after step 1 is judged against the float network, so that a budget is met by a network that knows nothing
too. What a reader must then know is said here, once, and printed wherever the verdict is.

Legend: found the float network's answers on R rows, y their true classes, int64 (R,); names of the classes; C classes;
right rows whose class is predicted, by the network or by the rule "always the commonest class".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from npquant.arrays import Int64, Mask
from npquant.measure.evaluate import Evaluation
from npquant.measure.statistics import mcnemar, paired_interval

# Classes are called unbalanced where the odds of the commonest are this many times those of an even share.
_UNBALANCED: Final = 3


@dataclass(frozen=True, slots=True)
class Standing:
    """What a reader must know of a float network before any figure that is held against it."""

    warning: str | None  # what a verdict must not be printed without, a clause; None: nothing
    notes: tuple[str, ...]  # sentences


def judge_standing(found: Evaluation, y: Int64, names: Sequence[str]) -> Standing:
    """Hold a network's answers against the commonest class, and look for classes that are numbered otherwise.

    >>> one, other = np.array([[9.0, 0.0]]), np.array([[0.0, 9.0]])
    >>> y = np.array([0] * 30 + [1] * 20)
    >>> logits = np.concatenate([np.repeat(other, 30, axis=0), np.repeat(one, 20, axis=0)])
    >>> judge_standing(Evaluation(logits, logits.argmax(axis=1) == y), y, ("no", "yes")).warning
    "the float network is right on 0 of 50 rows, fewer than the commonest class 'no' alone (30)"
    """
    counts = np.bincount(y, minlength=len(names))
    commonest = int(np.argmax(counts))
    warning = _warning(found, names, commonest, int(counts[commonest]))
    notes = [] if warning is None else [_sentence(warning)]
    renamed = _renamed(found, y, names)
    notes += [renamed] if renamed else []
    if warning is None:
        notes += _doubt(found, y == commonest, names[commonest])
    share = counts[commonest] / len(y)
    if len(names) > 1 and share * (len(names) - 1) >= _UNBALANCED * (1 - share):
        notes.append(
            f"The classes are unbalanced: {100 * share:.1f} % of the validation rows are {names[commonest]!r}, and so "
            "much accuracy is had by that answer alone."
        )
    return Standing(warning, tuple(notes))


def _warning(found: Evaluation, names: Sequence[str], commonest: int, alone: int) -> str | None:
    """Say where the network is not above the commonest class alone, in a clause."""
    answered = np.unique(found.predicted)
    if len(answered) == 1 and len(names) > 1:
        return f"the float network answers {names[answered[0]]!r} to all {found.rows:,} rows"
    if found.n_correct > alone:
        return None
    than = "no more" if found.n_correct == alone else "fewer"
    return (
        f"the float network is right on {found.n_correct:,} of {found.rows:,} rows, {than} than the commonest class "
        f"{names[commonest]!r} alone ({alone:,})"
    )


def _sentence(warning: str) -> str:
    """Make a sentence of a warning, with what can be done."""
    return (
        f"{warning[0].upper()}{warning[1:]}: it has learned nothing that a smaller network could keep; look at the "
        "label, the order of the classes and the features before any figure here."
    )


def _doubt(found: Evaluation, others: Mask, name: str) -> list[str]:
    """Say where more right rows than by the commonest class may be luck: T2 with 95 %."""
    paired = mcnemar(found.correct, others)
    if paired_interval(paired.b, paired.c, found.rows)[0] > 0:
        return []
    return [
        f"The float network is right on {found.n_correct:,} of {found.rows:,} validation rows, the commonest class "
        f"{name!r} alone on {int(others.sum()):,}: these rows do not show that it is better."
    ]


def _renamed(found: Evaluation, y: Int64, names: Sequence[str]) -> str | None:
    """Say where the network's classes, renamed one for one, are right so much oftener that it is no luck (T2, 95 %)."""
    table = np.zeros((found.logits.shape[1], len(names)), np.int64)
    np.add.at(table, (found.predicted, y), 1)
    answered, meant = np.flatnonzero(table.any(axis=1)), table.argmax(axis=1)
    if len(set(meant[answered].tolist())) < len(answered):
        return None
    right = meant[found.predicted] == y
    paired = mcnemar(right, found.correct)
    if len(answered) < 2 or paired_interval(paired.b, paired.c, found.rows)[0] <= 0:
        return None
    moved = [f"{names[k]!r} for {names[int(meant[k])]!r}" for k in answered.tolist() if meant[k] != k]
    listed = ", ".join(moved[:3]) + (f" and {len(moved) - 3} more" if len(moved) > 3 else "")
    return (
        f"The network seems to number the classes in another order than the data: it answers {listed}. Renamed so, it "
        f"would be right on {int(right.sum()):,} of {found.rows:,} validation rows, not on {found.n_correct:,}. The "
        f"data's order is {', '.join(names)}; number the classes alike in both."
    )
