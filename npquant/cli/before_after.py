"""A network before and after a command, on the validation rows: what it costs, what it answers, and how that differs.

Pages are laid out from the record that --json prints, so that both say the same.

Legend: record what `compare_networks` returns; start the network before, with its rows; max_drop points of accuracy
that may be lost, None: any.
"""

from __future__ import annotations

import os
from typing import Any

from npquant.budget.decision import decide
from npquant.budget.requirements import Budget, measurement
from npquant.cli.starting_network import StartingNetwork
from npquant.measure.cost import Network, executed_macs, nonzero_weights, weight_widths
from npquant.measure.evaluate import Comparison, Evaluation, Reference, compare, in_float64
from npquant.measure.statistics import sqnr_db
from npquant.nn.model import FloatMLP
from npquant.report.budget_entries import evidence_entry
from npquant.report.entries import accuracy_entry, comparison_entry


def check_max_drop(max_drop: float | None) -> None:
    """Refuse a budget outside [0, 100] points.

    >>> check_max_drop(-1.0)
    Traceback (most recent call last):
    ValueError: --max-drop is -1; give points of accuracy in [0, 100]
    """
    if max_drop is not None and not 0 <= max_drop <= 100:
        raise ValueError(f"--max-drop is {max_drop:g}; give points of accuracy in [0, 100]")


def compare_networks(start: StartingNetwork, result: Network, out: str, max_drop: float | None) -> dict[str, Any]:
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
    sqnr = sqnr_db(reference.answers.logits, answers.logits)
    return {
        "data": start.data,
        "before": _entry(start.path, start.model, reference.answers),
        "after": after,
        "comparison": comparison,
        "budget": _budget_entry(found, sqnr, after, max_drop),
        "notes": list(start.notes),
    }


def _entry(path: str, model: Network, answers: Evaluation) -> dict[str, Any]:
    """Describe one network."""
    return {
        "file": path,
        "bytes": os.path.getsize(path),
        "bits": weight_widths(model),
        "neurons": model.neurons,
        "macs": model.macs,
        "executed_macs": executed_macs(model),
        "nonzero_weights": sum(nonzero_weights(model)),
        "validation": accuracy_entry(answers),
    }


def _budget_entry(found: Comparison, sqnr: float, after: dict[str, Any], max_drop: float | None) -> dict[str, Any]:
    """Describe what was decided; where nothing is required, that is met."""
    lost = found.paired.b - found.paired.c
    if max_drop is None:
        return {"max_drop": None, "allowed_rows": None, "lost_rows": lost, "met": True, "evidence": None}
    decision = decide(Budget(max_drop), measurement(found, sqnr, after["bytes"], after["macs"]))
    return {
        "max_drop": max_drop,
        "allowed_rows": decision.validation.allowed_rows,
        "lost_rows": lost,
        "met": decision.met,
        "evidence": evidence_entry(decision.validation),
    }
