"""Whether a float network has learned anything: held against the commonest class alone, or the mean of real targets.

Everything after step 1 is judged against the float network, so that a budget is met by a network that knows nothing
too. What a reader must then know is said here, once, and printed wherever the verdict is.

Legend: reference the float network's answers on validation rows, found those of R rows, y true classes, int64 (R,);
names of the C classes, none for real targets; right rows whose class is predicted, by the network or by the rule
"always the commonest class".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from npquant.arrays import Int64, Mask
from npquant.measure.evaluate import Evaluation, Reference
from npquant.measure.real_targets import RealEvaluation
from npquant.measure.statistics import mcnemar, paired_interval

# Classes are called unbalanced where the odds of the commonest are this many times those of an even share.
_UNBALANCED: Final = 3


@dataclass(frozen=True, slots=True)
class Standing:
    """What a reader must know of a float network before any figure that is held against it."""

    warning: str | None  # what a verdict must not be printed without, a clause; None: nothing
    notes: tuple[str, ...]  # sentences


def judge_standing(reference: Reference, names: Sequence[str]) -> Standing:
    """Hold a network's answers against the commonest class, or the mean, and look for classes numbered otherwise.

    >>> from npquant.nn.model import DenseLayer, FloatMLP
    >>> model = FloatMLP((DenseLayer(np.zeros((1, 2)), np.array([1.0, 0.0]), "identity"),))
    >>> judge_standing(Reference.of(model, np.zeros((3, 1)), np.array([1, 1, 0])), ("no", "yes")).warning
    "the float network answers 'no' to all 3 rows"
    """
    if isinstance(reference.answers, RealEvaluation):
        return _real_standing(reference.answers)
    return _class_standing(reference.answers, reference.y, names)


def _real_standing(found: RealEvaluation) -> Standing:
    """Name the outputs that explain nothing, and those that have nothing to explain."""
    poor = [(c, r2) for c, r2 in enumerate(found.r2) if r2 is not None and r2 <= 0]
    constant = [c for c, r2 in enumerate(found.r2) if r2 is None]
    warning, notes = None, []
    if poor:
        of, least = _outputs([c for c, _ in poor], len(found.r2)), min(r2 for _, r2 in poor)
        warning = f"the float network is no better than the mean of the targets{of} (R2 {least:.3f})"
        notes.append(_sentence(warning, "the target and the features"))
    if constant:
        notes.append(f"All validation rows have one target{_outputs(constant, len(found.r2))}: R2 says nothing there.")
    return Standing(warning, tuple(notes))


def _outputs(numbers: list[int], among: int) -> str:
    if among == 1:
        return ""
    return f" of output{'s' * (len(numbers) > 1)} {', '.join(map(str, numbers))}"


def _class_standing(found: Evaluation, y: Int64, names: Sequence[str]) -> Standing:
    """Hold answers against the commonest class."""
    counts = np.bincount(y, minlength=len(names))
    commonest = int(np.argmax(counts))
    warning = _warning(found, names, commonest, int(counts[commonest]))
    renamed = _renamed(found, y, names)
    notes = [renamed] if renamed else []
    if warning is not None and not renamed:
        notes.append(_sentence(warning, "the label, the order of the classes and the features"))
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


def _sentence(warning: str, suspects: str) -> str:
    """Make a sentence of a warning, with what can be done: look at the suspects."""
    return (
        f"{warning[0].upper()}{warning[1:]}: it has learned nothing that a smaller network could keep; look at "
        f"{suspects} before any figure here."
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
