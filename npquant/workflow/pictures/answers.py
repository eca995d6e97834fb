"""What both networks answer on the test rows: counts by class, the rows that one of them gets wrong, real values.

Legend: opened the test rows, and what the float network answers there; answers those of the deployed network; shape of
the pictures that rows are, or None.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from npquant.measure.evaluate import Answers, Evaluation, Reference
from npquant.measure.real_targets import RealEvaluation
from npquant.workflow.pictures.pixels import in_levels

DISPUTED: Final = 48
_REAL_ROWS: Final = 200
_SMALL: Final = 32 * 32  # pixels of a picture that a report still holds


def class_answers(opened: Reference, answers: Answers, shape: tuple[int, int] | None) -> dict[str, Any] | None:
    """Count rows by label and both answers, and list those that one of the networks gets wrong; None of real targets.

    >>> float_ones = Evaluation(np.array([[2.0, 0.0], [0.0, 0.0]]), np.array([True, False]))
    >>> own = Evaluation(np.array([[0.0, 2.0], [0.0, 0.0]]), np.array([False, False]))
    >>> found = class_answers(Reference(np.zeros((2, 1)), np.array([0, 1]), float_ones), own, None)
    >>> found["counts"], [(row["row"], row["answers"]) for row in found["disputed"]]
    ([[0, 0, 1, 1], [1, 0, 0, 1]], [(0, [0, 1]), (1, [0, 0])])
    """
    if not isinstance(opened.answers, Evaluation) or not isinstance(answers, Evaluation):
        return None
    both = np.stack([opened.y, opened.answers.predicted, answers.predicted], axis=1)
    kinds, counts = np.unique(both, axis=0, return_counts=True)
    order = _disputed(opened.answers, answers)
    shown = order[:DISPUTED]
    largest = float(opened.x.max())
    shares = [_softmax(found.logits[shown]) for found in (opened.answers, answers)]
    return {
        "counts": [[*kind, count] for kind, count in zip(kinds.tolist(), counts.tolist(), strict=True)],
        "disputed": [
            {
                "row": row,
                "label": int(both[row, 0]),
                "answers": both[row, 1:].tolist(),
                "shares": [float(share[place, both[row, 1 + side]]) for side, share in enumerate(shares)],
                "pixels": in_levels(opened.x[row], largest) if shape and opened.x.shape[1] <= _SMALL else None,
            }
            for place, row in enumerate(shown)
        ],
        "left_out": len(order) - len(shown),
    }


def _disputed(before: Evaluation, after: Evaluation) -> list[int]:
    """Order the rows that a network gets wrong: lost, won, wrong in both."""
    one, two = before.correct, after.correct
    kinds = (one & ~two, ~one & two, ~one & ~two)
    return [row for kind in kinds for row in np.flatnonzero(kind).tolist()]


def _softmax(logits: NDArray[Any]) -> NDArray[np.float64]:
    real = logits.astype(np.float64)
    with np.errstate(under="ignore"):
        powers = np.exp(real - real.max(axis=1, keepdims=True, initial=-np.inf))
        shares: NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
    return shares


def real_answers(opened: Reference, answers: Answers, output: int | None) -> dict[str, Any] | None:
    """List targets and both answers of one output, of at most 200 rows spread over all; None of classes."""
    if output is None or not isinstance(opened.answers, RealEvaluation) or not isinstance(answers, RealEvaluation):
        return None
    one, two = opened.answers, answers
    rows = np.unique(np.linspace(0, one.rows - 1, _REAL_ROWS).astype(int))
    values = {"target": one.y, "float": one.logits, "deployed": two.logits}
    return {"output": output, **{name: each[rows, output].tolist() for name, each in values.items()}}
