"""Laws of trying candidates: which step greedy coordinate descent takes first."""

import pytest

from npquant.budget.requirements import Budget, Measurement
from npquant.budget.space import Thresholds
from npquant.budget.trials import Trials
from tests.budget.test_greedy_search import SPACE, network


def law_steps_by_the_largest_ratio(trials: Trials) -> None:
    """G4. The first step from the loosest candidate saves the most bytes per KL added, measured one axis at a time."""
    taken: list[Thresholds] = []
    trials.trial(SPACE.loosest, "start")
    trials.study_axes(SPACE.ceilings(low=True))
    trials.descend(
        SPACE.loosest,
        "walk",
        lambda trial: taken.append(trial.thresholds) is None,  # type: ignore[func-returns-value]
        SPACE.ceilings(low=True),
        only_sound=True,
    )
    base = trials.base.found
    ratios = {
        one.trial.thresholds: (base.n_bytes - one.trial.found.n_bytes) / (one.trial.found.kl - base.kl)
        for one in trials.axis_trials
        if one.trial.sound
    }
    assert len(ratios) > 5, "the case is vacuous"
    assert taken[0] == max(ratios, key=lambda made: ratios[made])


@pytest.mark.parametrize("fragile", [0, 1, 2])
def test_descend_steps_by_the_largest_ratio(fragile: int) -> None:
    """The law above, where a limit on bytes makes the loosest candidate the start."""
    law_steps_by_the_largest_ratio(Trials(SPACE, Budget(2.0, 300), network(fragile)))


def test_descend_law_kills_the_smallest_ratio() -> None:
    """A descent that takes the dearest step first is found out."""

    class Dearest(Trials):
        def _ratio(self, axis: int, level: int, after: int, found: Measurement) -> float:  # type: ignore[override]
            return 1 / super()._ratio(axis, level, after, found)

    with pytest.raises(AssertionError):
        law_steps_by_the_largest_ratio(Dearest(SPACE, Budget(2.0, 300), network()))
