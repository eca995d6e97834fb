"""The parts of the report: what is said of a network, of a pair of them, of the search, and to the reader.

Legend: found what two networks or one answered; b rows that the reference alone gets right, c rows that the candidate
alone gets right; p of the paired test (T1).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from npquant.compression.chain.layer_report import LayerReport
from npquant.measure.evaluate import Answers, Compared, Comparison, Evaluation
from npquant.measure.real_targets import RealComparison
from npquant.report.real_entries import errors_entry, real_comparison, real_notes


def accuracy_entry(found: Evaluation) -> dict[str, Any]:
    """Describe how many of one row at least a network gets right: "accuracy" as a share in [0, 1], and its two counts.

    >>> accuracy_entry(Evaluation(np.zeros((4, 2)), np.array([True, True, False, True])))
    {'accuracy': 0.75, 'correct': 3, 'rows': 4}
    """
    return {"accuracy": found.n_correct / found.rows, "correct": found.n_correct, "rows": found.rows}


def answers_entry(found: Answers) -> dict[str, Any]:
    """Describe what a network answers on a set of rows: `accuracy_entry`, or of real targets `errors_entry`."""
    return accuracy_entry(found) if isinstance(found, Evaluation) else errors_entry(found)


def difference_entry(found: Compared) -> dict[str, Any]:
    """Describe how near the float network's answers are: a share of rows, or of the spread of real targets."""
    if isinstance(found, Comparison):
        return {"agreement": found.agreement / found.rows}
    return {"deviation": found.deviation}


def dynamic_difference(dynamic: Compared, static: Compared) -> dict[str, Any]:
    """Describe how near the dynamic twin's answers are to the float network's, the `static` one's beside."""
    if isinstance(dynamic, Comparison) and isinstance(static, Comparison):
        return {**difference_entry(dynamic), "kl": dynamic.kl, "static_kl": static.kl}
    return {**difference_entry(dynamic), "static_deviation": difference_entry(static)["deviation"]}


def comparison_entry(
    step: int, names: tuple[str, str], rows_of: str, found: Compared, sqnr: tuple[float, ...] | None = None
) -> dict[str, Any]:
    """Describe two networks on the same rows, an item of "comparisons".

    `step` compares them; `names` are reference and candidate, `rows_of` "validation" or "test", `sqnr` the decibels by
    layer (None: not measured, and no key). "agreement" is a share, "drop_points" a difference of accuracies in points
    (positive where the candidate loses), "kl" in nats (M2). Of real targets `real_comparison`.

    >>> from npquant.measure.statistics import McNemar
    >>> found = Comparison(rows=200, agreement=190, kl=0.01, paired=McNemar(b=3, c=1, p=0.625))
    >>> entry = comparison_entry(5, ("float", "uniform"), "validation", found)
    >>> entry["drop_points"], entry["agreement"], entry["mcnemar"]
    (1.0, 0.95, {'b': 3, 'c': 1, 'p': 0.625})
    """
    named = {"step": step, "reference": names[0], "candidate": names[1], "set": rows_of, "rows": found.rows}
    entry = {**named, **(real_comparison(found) if isinstance(found, RealComparison) else _class_comparison(found))}
    return entry if sqnr is None else {**entry, "sqnr_db": sqnr}


def _class_comparison(found: Comparison) -> dict[str, Any]:
    paired = found.paired
    return {
        "agreement": found.agreement / found.rows,
        "agreeing": found.agreement,
        "drop_points": 100 * (paired.b - paired.c) / found.rows,
        "kl": found.kl,
        "mcnemar": {"b": paired.b, "c": paired.c, "p": paired.p},
    }


def layer_entry(layer: LayerReport) -> dict[str, Any]:
    """Describe what one layer's rectified rounding cost (E6), beside the bound that it was proven not to exceed (E13).

    An item of "rectified" in "bounds", of a `layer` of `quantize_model`: with E6 of nearest rounding, and the neuron
    that comes nearest to its bound.

    >>> observed, bound = np.array([1.0, 3.0]), np.array([4.0, 4.0])
    >>> entry = layer_entry(LayerReport(4, observed, observed, bound, observed / 2, observed))
    >>> entry["share"], entry["worst_neuron"]
    (0.5, {'neuron': 1, 'observed': 3.0, 'bound': 4.0, 'share': 0.75})
    """
    shares = layer.phi_by_neuron / np.where(layer.bound_by_neuron > 0, layer.bound_by_neuron, np.inf)
    worst = int(np.argmax(shares))
    return {
        "bits": layer.bits,
        "observed": layer.phi,
        "bound": layer.bound,
        "share": layer.share_of_bound,
        "nearest_rounding": layer.phi_uniform,
        "carried": layer.carried,
        "neurons_nearest": layer.neurons_nearest,
        "worst_neuron": {
            "neuron": worst,
            "observed": float(layer.phi_by_neuron[worst]),
            "bound": float(layer.bound_by_neuron[worst]),
            "share": float(shares[worst]),
        },
    }


def _points_note(rows: dict[str, int], points: dict[str, float]) -> str:
    return (
        f"One of {rows['validation']:,} validation rows is {points['validation']:.2f} points, one of {rows['test']:,} "
        f"test rows {points['test']:.2f}: read the paired counts, not the difference of two accuracies."
    )


def notes_of(report: dict[str, Any]) -> list[str]:
    """Say what a reader must know, from "config", "data", "budget", "pruning" and "deployment" of a `report`.

    >>> data = {"rows": {"validation": 50, "test": 40}, "points_per_row": {"validation": 2.0, "test": 2.5}}
    >>> config, budget = {"data": "mine.csv", "bits": None}, {"thresholds": {"bits": [8, 4]}, "stopped": None}
    >>> pruning = {"nothing_pruned": True, "rates": [0.0]}
    >>> deployment = {"targets": [], "differing_targets": []}
    >>> parts = {"data": data, "config": config, "budget": budget, "pruning": pruning, "deployment": deployment}
    >>> notes_of(parts)[1:]
    ['Nothing was pruned: every pruning rate is 0.']
    """
    rows, points, budget = report["data"]["rows"], report["data"]["points_per_row"], report["budget"]
    real = report["data"].get("kind") == "real"
    notes = real_notes(report) if real else [_points_note(rows, points)]
    if budget["stopped"] is not None:
        said = budget["stopped"]["reason"]
        notes.insert(0, f"{said[0].upper()}{said[1:]}: without --time-limit the same seed gives the same bytes.")
    if report["config"]["data"] is None:
        notes.append(
            "The digits come from 13 writers without their names: a random split shares writers between its sets, so "
            "accuracy on a new writer is lower than these figures."
        )
    if report["pruning"]["nothing_pruned"]:
        small = any(report["pruning"]["rates"])
        why = "the rates are less than half a neuron of each layer" if small else "every pruning rate is 0"
        notes.append(f"Nothing was pruned: {why}.")
    if {2, "ternary"} & set(budget["thresholds"]["bits"]):
        what = "the deviation, not only RMSE," if real else "KL, not only accuracy,"
        notes.append(f"Two bits suit only networks with width to spare; compare {what} with 3 bits.")
    if report["deployment"]["targets"]:
        notes.append(
            "The integer network's time is NumPy's on this machine, and says nothing of a microcontroller's; the C "
            "program's bytes and time, this machine's too, are nearer to one."
        )
    for name in report["deployment"]["differing_targets"]:
        notes.append(
            f"{name} answers otherwise than npquant says it must: do not deploy it; npquant verify says where."
        )
    return notes
