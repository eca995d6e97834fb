"""What is said of a float network that knows nothing, and of none that knows something."""

import numpy as np
import pytest
from numpy.typing import NDArray

from npquant.measure.evaluate import Reference
from npquant.nn.model import DenseLayer, FloatMLP
from npquant.report.fit_notes import fit_notes

Y = np.array([0] * 6 + [1] * 3 + [2] * 3)
NAMES = ("red", "green", "blue")


def answering(classes: NDArray[np.int64]) -> Reference:
    """A network that reads its answer off the row."""
    model = FloatMLP((DenseLayer(np.eye(3), np.zeros(3), "identity"),))
    return Reference.of(model, np.eye(3)[classes], Y)


@pytest.mark.parametrize(
    ("classes", "words"),
    [
        (Y, []),
        (np.where(Y == 2, 1, Y), []),
        (0 * Y, ["gives the class 'red' to all 12", "right on 6 of 12 validation rows, as many as the answer 'red'"]),
        (0 * Y + 2, ["gives the class 'blue' to all 12", "right on 3 of 12 validation rows, fewer than"]),
        (2 - Y, ["fewer than the answer 'red' to all: train longer, or see whether its classes are in another order"]),
    ],
)
def test_fit_notes_of_classes(classes: NDArray[np.int64], words: list[str]) -> None:
    """One class for all rows, no better than the commonest, worse: each is said once; else nothing."""
    notes = fit_notes(answering(classes), NAMES)
    assert len(notes) == len(words)
    assert all(word in note for word, note in zip(words, notes, strict=True))


def outputs_of(b: list[float], y: NDArray[np.float64]) -> list[str]:
    """The notes on a network that answers x + b."""
    x = np.arange(4.0)[:, None]
    model = FloatMLP((DenseLayer(np.ones((1, len(b))), np.array(b), "identity"),))
    return fit_notes(Reference.of(model, x, y), ())


def test_fit_notes_of_real_targets() -> None:
    """Outputs that are worse than the mean of their targets are named once, and those that do not vary, too."""
    x = np.arange(4.0)[:, None]
    assert not outputs_of([0.1, 0.0], np.repeat(x, 2, axis=1))
    (note,) = outputs_of([0.1, 9.0, -7.0], np.repeat(x, 3, axis=1))
    assert "mean of the targets of outputs 1, 2 (R2 -63.800 on the validation rows)" in note
    (note,) = outputs_of([9.0], x)
    assert "mean of the targets (R2 -63.800" in note
    assert outputs_of([0.0], np.ones((4, 1))) == ["All validation rows have one target: R2 says nothing there."]
