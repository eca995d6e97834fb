"""The float network's standing: nothing learned is said, and classes in another order are found."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npquant.measure.evaluate import Evaluation, Reference
from npquant.measure.standing import judge_standing
from npquant.nn.model import DenseLayer, FloatMLP


def answers(predicted: Any, y: Any, classes: Any) -> Any:
    """Make the answers of a network that predicts these classes."""
    return Reference(np.zeros((len(y), 1)), y, Evaluation(np.eye(classes)[predicted], predicted == y))


def test_judge_standing_says_nothing_of_a_good_network() -> None:
    """Answers that are mostly right over even classes are worth no note."""
    y = np.arange(300) % 3
    predicted = np.where(np.arange(300) % 10 == 0, (y + 1) % 3, y)
    standing = judge_standing(answers(predicted, y, 3), ("a", "b", "c"))
    assert standing.warning is None and standing.notes == ()


@pytest.mark.parametrize(
    ("lost", "warning"),
    [
        (9, None),
        (10, "no more than the commonest class 'a' alone (60)"),
        (11, "fewer than the commonest class 'a' alone (60)"),
    ],
)
def test_judge_standing_warns_at_and_below_the_commonest_class(lost: Any, warning: Any) -> None:
    """As many right rows as the commonest class gives is a warning, one fewer is worse; each is the first note too."""
    y = np.repeat([0, 1], [60, 40])
    predicted = np.zeros(100, int)
    predicted[60:70] = 1  # ten of class b are found
    predicted[:lost] = 1  # and so many of class a lost
    standing = judge_standing(answers(predicted, y, 2), ("a", "b"))
    if warning is None:
        assert standing.warning is None
    else:
        assert standing.warning is not None and standing.warning.endswith(warning)
        assert standing.notes[0].lower().startswith(standing.warning.lower())


def test_judge_standing_names_the_one_answer() -> None:
    """One class to all rows is said by name, also where it is not the commonest."""
    y = np.repeat([0, 1], [60, 40])
    standing = judge_standing(answers(np.ones(100, int), y, 2), ("a", "b"))
    assert standing.warning == "the float network answers 'b' to all 100 rows"


def test_judge_standing_doubts_what_luck_gives() -> None:
    """More right rows than the commonest class, but within T2's interval: a note, and no warning."""
    y = np.repeat([0, 1], [50, 50])
    predicted = np.arange(100) % 2
    predicted[0] = y[0]
    predicted[1] = y[1]
    standing = judge_standing(answers(predicted, y, 2), ("a", "b"))
    assert standing.warning is None
    assert len(standing.notes) == 1 and "do not show that it is better" in standing.notes[0]


@pytest.mark.parametrize(("common", "said"), [(74, False), (75, True)])
def test_judge_standing_says_where_classes_are_unbalanced(common: Any, said: Any) -> None:
    """Of two classes, three quarters is three times the even odds."""
    y = np.repeat([0, 1], [common, 100 - common])
    notes = judge_standing(answers(y, y, 2), ("a", "b")).notes
    assert any(f"{common:.1f} % of the validation rows are 'a'" in note for note in notes) is said


@given(st.permutations(range(6)), st.integers(0, 30))
def test_judge_standing_finds_the_order_of_the_classes(order: Any, wrong: Any) -> None:
    """A good network whose classes are renamed by any permutation is found, and told what it would be right on."""
    y = np.tile(np.arange(6), 50)
    meant = y.copy()
    meant[:wrong] = (y[:wrong] + 1) % 6
    predicted = np.array(order)[meant]
    notes = judge_standing(answers(predicted, y, 6), tuple("abcdef")).notes
    found = [note for note in notes if "another order" in note]
    assert len(found) == (list(order) != list(range(6)))
    assert not (found and any("learned nothing" in note for note in notes))  # it learned all, and says it otherwise
    assert all(f"right on {300 - wrong} of 300" in note for note in found)


@given(st.integers(0, 2**32 - 1), st.integers(2, 6))
def test_judge_standing_takes_chance_for_no_order(seed: int, classes: Any) -> None:
    """A network that answers at random is right by the commonest class or doubted, never good."""
    rng = np.random.default_rng(seed)
    y = np.arange(120) % classes
    predicted = rng.permutation(y)
    standing = judge_standing(answers(predicted, y, classes), tuple("abcdef"[:classes]))
    right, alone = int((predicted == y).sum()), int((y == 0).sum())
    assert (standing.warning is not None) is (right <= alone)


def standing_of_real(b: Any, y: Any) -> Any:
    """What is said of a network that answers x + b."""
    x = np.arange(4.0)[:, None]
    model = FloatMLP((DenseLayer(np.ones((1, len(b))), np.array(b), "identity"),))
    return judge_standing(Reference.of(model, x, y), ())


def test_judge_standing_of_real_targets() -> None:
    """Outputs that are worse than the mean of their targets are named once, and those that do not vary, too."""
    x = np.arange(4.0)[:, None]
    good = standing_of_real([0.1, 0.0], np.repeat(x, 2, axis=1))
    assert good.warning is None and good.notes == ()
    poor = standing_of_real([0.1, 9.0, -7.0], np.repeat(x, 3, axis=1))
    assert poor.warning is not None and "mean of the targets of outputs 1, 2 (R2 -63.800)" in poor.warning
    assert len(poor.notes) == 1 and poor.warning[1:] in poor.notes[0]
    assert "mean of the targets (R2 -63.800)" in str(standing_of_real([9.0], x).warning)
    flat = standing_of_real([0.0], np.ones((4, 1)))
    assert flat.warning is None and flat.notes == ("All validation rows have one target: R2 says nothing there.",)
