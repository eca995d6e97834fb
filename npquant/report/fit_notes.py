"""What a reader must know of a float network before reading what was lost of it: whether it knows anything.

A budget is about the difference of two networks, and is met by any network made of one that knows nothing.

Legend: reference the float network's answers on validation rows; class_names C names, none for real targets.
"""

from __future__ import annotations

import numpy as np

from npquant.arrays import Int64
from npquant.measure.evaluate import Evaluation, Reference
from npquant.measure.real_targets import RealEvaluation


def fit_notes(reference: Reference, class_names: tuple[str, ...]) -> list[str]:
    """Say where a float network is no better than the commonest class, or than the mean of a real target.

    >>> from npquant.nn.model import DenseLayer, FloatMLP
    >>> model = FloatMLP((DenseLayer(np.zeros((1, 2)), np.array([1.0, 0.0]), "identity"),))
    >>> fit_notes(Reference.of(model, np.zeros((3, 1)), np.array([1, 1, 0])), ("no", "yes"))[0]
    "The float network gives the class 'no' to all 3 validation rows."
    """
    if isinstance(reference.answers, RealEvaluation):
        return _mean_notes(reference.answers)
    return _class_notes(reference.answers, reference.y, class_names)


def _class_notes(found: Evaluation, y: Int64, class_names: tuple[str, ...]) -> list[str]:
    notes, given, counts = [], np.unique(found.predicted), np.bincount(y)
    if len(given) == 1:
        notes.append(
            f"The float network gives the class {class_names[int(given[0])]!r} to all {found.rows:,} validation rows."
        )
    common = int(np.argmax(counts))
    if found.n_correct <= counts[common]:
        how = "as many as" if found.n_correct == counts[common] else "fewer than"
        notes.append(
            f"The float network is right on {found.n_correct:,} of {found.rows:,} validation rows, {how} the answer "
            f"{class_names[common]!r} to all: train longer, or see whether its classes are in another order than the "
            f"data's ({', '.join(class_names[:10])}{', ...' * (len(class_names) > 10)})."
        )
    return notes


def _mean_notes(found: RealEvaluation) -> list[str]:
    """Name the outputs that explain nothing, and those that have nothing to explain."""
    poor = [(c, r2) for c, r2 in enumerate(found.r2) if r2 is not None and r2 <= 0]
    constant = [c for c, r2 in enumerate(found.r2) if r2 is None]
    notes = []
    if poor:
        of, least = _outputs([c for c, _ in poor], len(found.r2)), min(r2 for _, r2 in poor)
        notes.append(
            f"The float network is no better than the mean of the targets{of} (R2 {least:.3f} on the validation "
            "rows): train longer, or look for features that say more."
        )
    if constant:
        notes.append(f"All validation rows have one target{_outputs(constant, len(found.r2))}: R2 says nothing there.")
    return notes


def _outputs(numbers: list[int], among: int) -> str:
    if among == 1:
        return ""
    return f" of output{'s' * (len(numbers) > 1)} {', '.join(map(str, numbers))}"
