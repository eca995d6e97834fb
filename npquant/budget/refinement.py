"""What comes after a search: its best candidates with more care, fewer activation bits for free, another method.

G7 (free)         KL <= 1.1 * KL before: how far activation bits may go, which save no byte of the file and no MAC

Legend: KL the divergence M2 of the candidate from the float network, in nats (of real targets that of `rise`); outcome
of a search; budget as in it; measure Thresholds -> Measurement. Where it raises OutOfTime, what was chosen by then
stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from npquant.budget.greedy_search import Outcome, nearest_trial
from npquant.budget.requirements import Budget
from npquant.budget.space import Thresholds, Trial
from npquant.budget.time_limit import OutOfTime
from npquant.budget.trials import Measure, try_candidate

FREE: Final = 1.1
# Full builds at most, when candidates that were built on few rows are built on all of them.
CONFIRMATIONS: Final = 3
# KL falls when more rows calibrate: a candidate this far above G3 may still hold when it is built on all of them.
MAY_STILL_HOLD: Final = 1.3


def confirm(outcome: Outcome, budget: Budget, measure: Measure) -> Outcome:
    """Build what a search found with more care (`measure`), and take the best of it that keeps the budget.

    Up to three more trials, of the phase "confirmed". Without limits the smallest candidates come first, those that the
    cheap build found not quite sound included; one that is sound now is chosen, and else the old choice is built anew
    and replaces the old one if it misses nothing that the old one met.

    >>> from npquant.budget.greedy_search import search_thresholds
    >>> from npquant.budget.requirements import Measurement
    >>> from npquant.budget.space import Space
    >>> space, cheap = Space(((8,),), (), ()), lambda t: Measurement(0, 0, 9, 0.2, 1, 1, 20.0)
    >>> found = search_thresholds(space, Budget(), cheap)
    >>> confirm(found, Budget(), lambda t: Measurement(0, 0, 9, 0.1, 1, 1, 30.0)).chosen.found.kl
    0.1
    """
    trials: list[Trial] = []
    for old in (*_may_be_smaller(outcome, budget), outcome.chosen):
        new = _try_in_time(old.thresholds, budget, measure, "confirmed")
        if new is None:
            return replace(_with(outcome, budget, trials), stopped=True)
        trials.append(new)
        better = old is outcome.chosen or (new.sound and _smaller(new, outcome))
        if better and set(new.failing) <= set(outcome.chosen.failing):
            return _with(outcome, budget, trials, new)
    return _with(outcome, budget, trials)


def take_method(outcome: Outcome, budget: Budget, measure: Measure) -> Outcome:
    """Give the choice another method, which rows held out of calibration took (E31), as long as it keeps the budget.

    `measure` builds by that method. One trial of the phase "method", chosen where it misses nothing that the choice
    meets, takes no byte more, and is as sound; else the outcome keeps its choice.

    >>> from npquant.budget.greedy_search import search_thresholds
    >>> from npquant.budget.requirements import Measurement
    >>> from npquant.budget.space import Space
    >>> found = search_thresholds(Space(((8,),), (), ()), Budget(), lambda t: Measurement(0, 0, 9, 0.01, 1, 1, 20.0))
    >>> take_method(found, Budget(), lambda t: Measurement(0, 0, 9, 0.005, 1, 1, 30.0)).chosen.phase
    'method'
    """
    old = outcome.chosen
    new = _try_in_time(old.thresholds, budget, measure, "method")
    if new is None:
        return replace(outcome, stopped=True)
    no_worse = set(new.failing) <= set(old.failing) and new.sound >= old.sound
    taken = no_worse and new.found.n_bytes <= old.found.n_bytes
    return _with(outcome, budget, [new], new if taken else old)


def _with(outcome: Outcome, budget: Budget, trials: Sequence[Trial], chosen: Trial | None = None) -> Outcome:
    """Add trials and, if there is one, their choice; what comes nearest to a missed budget may be among them."""
    chosen, frontier = chosen or outcome.chosen, (*outcome.frontier, *trials)
    nearest = nearest_trial(frontier, budget) if chosen.failing else None
    return replace(outcome, chosen=chosen, nearest=nearest, frontier=frontier)


def _try_in_time(thresholds: Thresholds, budget: Budget, measure: Measure, phase: str) -> Trial | None:
    try:
        return try_candidate(thresholds, budget, measure, phase)
    except OutOfTime:
        return None


def _smaller(trial: Trial, outcome: Outcome) -> bool:
    return trial.found.n_bytes < outcome.chosen.found.n_bytes


def _may_be_smaller(outcome: Outcome, budget: Budget) -> list[Trial]:
    """Return smaller candidates that may hold once they are built with more care, the smallest first."""
    if budget.limited:
        return []
    near = []
    for trial in outcome.frontier:
        expected, allowed = budget.expectation(trial.found)
        if _smaller(trial, outcome) and expected / allowed <= MAY_STILL_HOLD:
            near.append(trial)
    return sorted(near, key=lambda trial: trial.found.n_bytes)[: CONFIRMATIONS - 1]


def lower_activation_bits(outcome: Outcome, budget: Budget, measure: Measure) -> Outcome:
    """G7. Lower the activation bits of the choice as far as KL <= 1.1 * KL before.

    The trials have the phase "activations"; the first that is free, misses nothing, is no larger and as sound is
    chosen; the same outcome where the budget is missed, or nothing is free. First each hidden layer goes as low as it
    may alone, if all share the room of G7; then the one that costs most comes back by a level, until the whole is free.

    >>> from npquant.budget.greedy_search import search_thresholds
    >>> from npquant.budget.requirements import Measurement
    >>> from npquant.budget.space import Space
    >>> space = Space(((8,),) * 2, ((0.0,),), ((8, 7, 6),))
    >>> law = lambda t: Measurement(0, 0, 9, 0.01 + 0.0005 * (8 - t.activation_bits[0]), 1, 1, 20.0)
    >>> found = search_thresholds(space, Budget(), law)
    >>> lower_activation_bits(found, Budget(), law).chosen.thresholds.activation_bits
    (6,)
    """
    chosen, levels = outcome.chosen, _cost_of_levels(outcome)
    if outcome.chosen.failing or not any(levels):
        return outcome
    room = (FREE - 1) * chosen.found.divergence / len(levels)
    before = chosen.thresholds.activation_bits
    target = [
        min([now, *(bits for bits, kl in alone.items() if kl <= room)])
        for now, alone in zip(before, levels, strict=True)
    ]
    trials: list[Trial] = []
    while tuple(target) != before:
        new = _try_in_time(replace(chosen.thresholds, activation_bits=tuple(target)), budget, measure, "activations")
        if new is None:
            return replace(outcome, frontier=(*outcome.frontier, *trials), stopped=True)
        trials.append(new)
        free = new.found.divergence <= FREE * chosen.found.divergence and new.found.n_bytes <= chosen.found.n_bytes
        if free and not new.failing and new.sound >= chosen.sound:
            return replace(outcome, chosen=new, frontier=(*outcome.frontier, *trials))
        lowered = [layer for layer, now in enumerate(before) if target[layer] < now]
        worst = max(lowered, key=lambda layer: levels[layer][target[layer]])
        target[worst] = min([before[worst], *(bits for bits in levels[worst] if bits > target[worst])])
    return replace(outcome, frontier=(*outcome.frontier, *trials))


def _cost_of_levels(outcome: Outcome) -> list[dict[int, float]]:
    """Return, for each hidden layer, the KL that each number of activation bits alone adds."""
    hidden = len(outcome.chosen.thresholds.activation_bits)
    costs: list[dict[int, float]] = [{} for _ in range(hidden)]
    for one in outcome.sensitivity:
        if one.kind == "activation_bits":
            added = one.trial.found.divergence - outcome.base.found.divergence
            costs[one.layer][one.trial.thresholds.activation_bits[one.layer]] = added
    return costs
