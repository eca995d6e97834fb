"""report.json of a run: what the eight steps made, put into the report's words.

Legend: made all that a run made; steps the entries of its clock.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from numpy.typing import NDArray

from npquant.budget.decision import decide
from npquant.budget.search import SearchResult
from npquant.compression.chain.input_choice import inputs_notes
from npquant.data.sets import Sets
from npquant.files.facts import Facts
from npquant.measure.cost import filled_zeros
from npquant.measure.evaluate import in_float64
from npquant.measure.standing import Standing, judge_standing
from npquant.report.budget_entries import budget_entry
from npquant.report.document import SCHEMA, environment, rounded
from npquant.report.entries import notes_of
from npquant.workflow.config import RunConfig
from npquant.workflow.deployed import Deployed
from npquant.workflow.float_model import FloatStart
from npquant.workflow.judge import Judge
from npquant.workflow.pictures.entry import pictures_entry
from npquant.workflow.targets import differing_targets


@dataclass(frozen=True, slots=True, eq=False)
class Made:
    """What a run made, from its rows to its exports; the judge has opened the test rows."""

    config: RunConfig
    sets: Sets
    x_calibration: NDArray[Any]  # of the sets
    match_notes: tuple[str, ...]  # how the rows met a network that knows its data
    facts: Facts
    start: FloatStart
    search: SearchResult
    judge: Judge
    deployed: Deployed
    exported: list[dict[str, Any]]


def run_report(made: Made, steps: list[dict[str, Any]]) -> dict[str, Any]:
    """Describe a run as report.schema.json says, its notes last: they read the figures above them."""
    sets, search, judge, deployed = made.sets, made.search, made.judge, made.deployed
    standing = judge_standing(search.reference, sets.dataset.class_names)
    decision = decide(made.config.budget, search.found, judge.on_test("deployed"))
    report: dict[str, Any] = rounded(
        {
            "schema": SCHEMA,
            "environment": environment(),
            "config": made.config.to_json(),
            "data": sets.to_json(),
            "model": _model_entry(made.start, standing),
            "steps": steps,
            "models": judge.model_entries(made.start.model, deployed.n_bytes, made.facts),
            "comparisons": judge.comparisons,
            "budget": budget_entry(search, decision),
            "pruning": search.pruned.to_json(),
            "dynamic": judge.dynamic_entry(deployed.dynamic, search.thresholds.bits),
            "deployment": _deployment_entry(made),
            "bounds": judge.bounds("deployed", search.layers),
            "pictures": _pictures_entry(made),
        }
    )
    return {**report, "notes": _notes(made, report, standing)}


def _model_entry(start: FloatStart, standing: Standing) -> dict[str, Any]:
    return {
        "source": start.source,
        "format": start.format,
        "head": start.head,
        "activations": [layer.activation for layer in start.model.layers],
        "tried": [asdict(trial) for trial in start.tried],
        "warning": standing.warning,
    }


def _deployment_entry(made: Made) -> dict[str, Any]:
    return {
        **made.deployed.files,
        "inputs": made.deployed.model.inputs_kind,
        "kernels": made.judge.kernel_entries("deployed"),
        "latency": made.deployed.latency,
        "targets": made.exported,
        "differing_targets": differing_targets(made.exported),
    }


def _pictures_entry(made: Made) -> dict[str, Any]:
    floating, opened = in_float64(made.start.model), made.judge.opened_on("deployed")
    return pictures_entry(made.sets, made.search, floating, made.deployed.model, *opened)


def _notes(made: Made, report: dict[str, Any], standing: Standing) -> list[str]:
    """Say what a reader must know beside the figures."""
    back = filled_zeros(made.search.pruned.model, made.deployed.model)
    return [
        *standing.notes,
        *made.start.notes,
        *made.match_notes,
        *notes_of(report),
        *_zero_notes(back),
        *inputs_notes(made.x_calibration, made.deployed.model.inputs_kind),
    ]


def _zero_notes(back: int) -> list[str]:
    """Say what rounding undid: the rectified method has no zeros to keep, unless it is told to."""
    advice = "npquant prune, then npquant quantize --keep-zeros, keep a sparse network's zeros."
    return [f"{back:,} weights that were 0 in the float network are 0 no longer: {advice}"] if back else []
