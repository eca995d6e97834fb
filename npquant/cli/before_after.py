"""A network before and after a command, on the validation rows: what it costs, what it answers, and how that differs.

Pages are laid out from the record that --json prints, so that both say the same.

Legend: record what `compare_networks` returns; start the network before, with its rows; max_drop points of accuracy
that may be lost, max_rmse_rise how far the RMSE of real targets may rise, as `Budget` has it; None: any.
"""

from __future__ import annotations

import argparse
import os
from typing import Any

from npquant.budget.decision import decide, paired_drop
from npquant.budget.paired_rise import paired_rise
from npquant.budget.requirements import Budget, measurement
from npquant.cli.starting_network import StartingNetwork, load_start
from npquant.measure.cost import Network, executed_macs, nonzero_weights, weight_widths
from npquant.measure.evaluate import Answers, Comparison, Reference, answers_sqnr, compare, in_float64
from npquant.measure.real_targets import RealComparison
from npquant.measure.standing import judge_standing
from npquant.nn.model import FloatMLP
from npquant.report.budget_entries import evidence_entry
from npquant.report.entries import answers_entry, comparison_entry
from npquant.report.real_entries import rise_entry


def check_limits(max_drop: float | None, max_rmse_rise: str | None) -> None:
    """Refuse a budget outside its interval, or one of both kinds.

    >>> check_limits(-1.0, None)
    Traceback (most recent call last):
    ValueError: --max-drop is -1; give points of accuracy in [0, 100]
    """
    if max_drop is not None and not 0 <= max_drop <= 100:
        raise ValueError(f"--max-drop is {max_drop:g}; give points of accuracy in [0, 100]")
    Budget(max_drop, max_rmse_rise=max_rmse_rise)


def asked_start(options: argparse.Namespace, rows: int | None) -> StartingNetwork:
    """Load what a command's options name, with so many rows to look at; a budget that does not fit it is refused."""
    check_limits(options.max_drop, options.max_rmse_rise)
    start = load_start(
        options.model, data=options.data, rows=rows, seed=options.seed, activations=options.activations,
        target=options.target, missing=options.missing,
    )  # fmt: skip
    Budget(options.max_drop, max_rmse_rise=options.max_rmse_rise).of_kind(start.sets.dataset.kind)
    return start


def compare_networks(
    start: StartingNetwork, result: Network, out: str, max_drop: float | None, max_rmse_rise: str | None = None
) -> dict[str, Any]:
    """Compare a command's network with its `result`, which stands in the file `out`, on the validation rows.

    Returned are "data", "before", "after", "comparison", "budget", "notes", as --json prints them. Float networks
    answer in float64. What `decide` decides stands under "budget".

    >>> from importlib import resources
    >>> from npquant.cli.starting_network import load_start
    >>> path = str(resources.files("npquant.data") / "bundled" / "digits_float.npz")
    >>> start = load_start(path, data=None, rows=None, seed=0)
    >>> budget = compare_networks(start, start.model, path, 0.0)["budget"]
    >>> budget["allowed_rows"], budget["lost_rows"], budget["met"], budget["evidence"]["limit_lies"]
    (0, 0, True, 'inside')
    """
    reference = Reference.of(start.floating, *start.sets.validation)
    answers = reference.evaluate(in_float64(result) if isinstance(result, FloatMLP) else result)
    found = compare(reference.answers, answers)
    comparison = comparison_entry(0, ("before", "after"), "validation", found)
    del comparison["step"]
    after = _entry(out, result, answers)
    sqnr = answers_sqnr(reference.answers, answers)
    return {
        "data": start.data,
        "before": _entry(start.path, start.model, reference.answers),
        "after": after,
        "comparison": comparison,
        "budget": _budget_entry(found, sqnr, after, max_drop)
        if isinstance(found, Comparison)
        else _real_budget_entry(found, sqnr, after, max_rmse_rise),
        "notes": [*start.notes, *judge_standing(reference, start.sets.dataset.class_names).notes],
    }


def _entry(path: str, model: Network, answers: Answers) -> dict[str, Any]:
    """Describe one network."""
    return {
        "file": path,
        "bytes": os.path.getsize(path),
        "bits": weight_widths(model),
        "neurons": model.neurons,
        "macs": model.macs,
        "executed_macs": executed_macs(model),
        "nonzero_weights": sum(nonzero_weights(model)),
        "validation": answers_entry(answers),
    }


def _budget_entry(found: Comparison, sqnr: float, after: dict[str, Any], max_drop: float | None) -> dict[str, Any]:
    """Describe what was decided; where nothing is required, that is met."""
    lost = found.paired.b - found.paired.c
    if max_drop is None:
        return {"max_drop": None, "allowed_rows": None, "lost_rows": lost, "met": True, "evidence": None}
    decision = decide(Budget(max_drop), measurement(found, sqnr, after["bytes"], after["macs"]))
    evidence = paired_drop(found.paired.b, found.paired.c, found.rows, max_drop)
    return {
        "max_drop": max_drop,
        "allowed_rows": evidence.allowed_rows,
        "lost_rows": lost,
        "met": decision.met,
        "evidence": evidence_entry(evidence),
    }


def _real_budget_entry(
    found: RealComparison, sqnr: float, after: dict[str, Any], max_rmse_rise: str | None
) -> dict[str, Any]:
    """Describe what was decided of real targets; where nothing is required, that is met."""
    if max_rmse_rise is None:
        return {"max_rmse_rise": None, "met": True, "evidence": None}
    budget = Budget(max_rmse_rise=max_rmse_rise)
    decision = decide(budget, measurement(found, sqnr, after["bytes"], after["macs"]))
    return {
        "max_rmse_rise": max_rmse_rise,
        "met": decision.met,
        "evidence": rise_entry(paired_rise(found, budget.rise_limit)),
    }
