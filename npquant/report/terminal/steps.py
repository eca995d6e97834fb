"""The eight steps: what each did, and its seconds at the right edge.

Legend: report the whole; number of a step, from 1; width of the page in columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType
from typing import Any, Final

from npquant.report.real_text import by_output
from npquant.report.terminal.exports import export_lines
from npquant.report.terminal.figures import elapsed, listed, percent, rows, short_time
from npquant.report.terminal.quality import before_after, change, classes, is_real, right
from npquant.report.text_layout import chain, joined, wrap

_INDENT: Final = " " * 5
_INPUTS: Final = MappingProxyType(
    {
        "exact": "whole numbers are their own codes, nothing is rounded",
        "by_feature": "a step for each feature",
        "one_scale": "one step for all features",
    }
)


def step_lines(report: dict[str, Any], width: int) -> list[str]:
    """Lay out all steps."""
    title = f"The eight steps, npquant {report['environment']['npquant']}, seed {report['config']['seed']}"
    lines = [_edges(title, elapsed(sum(step["seconds"] for step in report["steps"])), width)]
    told = (_model, _split, _thresholds, _quantized, _compared, _pruned, _compared_pruned, _deployed)
    for step, tell in zip(report["steps"], told, strict=True):
        lines.append(_edges(f"  {step['number']}  {step['name']}", elapsed(step["seconds"]), width))
        for sentence in tell(report):
            lines += wrap(sentence, _INDENT, width, hang=2)
        if tell in (_compared, _compared_pruned):
            lines += _pairs(report, step["number"], width)
    return [*lines, *export_lines(report, width, len(_INDENT))]


def _edges(left: str, right_edge: str, width: int) -> str:
    return left + right_edge.rjust(max(width - len(left), len(right_edge) + 2))


def _model(report: dict[str, Any]) -> list[str]:
    model, first = report["model"], report["models"][0]
    foreign = model["format"] not in (None, "npquant")
    source = f"{model['source']}, {model['format']}" if foreign else str(model["source"])
    shape = chain((report["data"]["features"], *first["neurons"]))
    hidden = joined(model["activations"][:-1])
    return [f"{shape}, {hidden} ({source}): {right(first, 'validation')}", *_activations_tried(model["tried"])]


def _activations_tried(tried: Sequence[dict[str, Any]]) -> list[str]:
    """Say which hidden activations were compared, and how well each did."""
    figures = [
        f"{t['activation']} {percent(t['accuracy']) if t['rmse'] is None else by_output(t['rmse'])}" for t in tried
    ]
    what = "" if not tried else "% of the validation rows" if tried[0]["rmse"] is None else "RMSE there"
    return [f"tried: {', '.join(figures)} {what}"] if tried else []


def _split(report: dict[str, Any]) -> list[str]:
    data, parts = report["data"], report["data"]["rows"]
    named = [f"{parts[name]:,} {name}" for name in ("train", "validation", "test")]
    lines = [
        f"{data['name']}: {rows(parts['total'])} of {rows(data['features'], 'feature')}, {classes(report)}",
        f"{listed(named)} rows (split {data['split_sha256'][:12]})",
    ]
    return [*lines, *data["notes"]]


def _thresholds(report: dict[str, Any]) -> list[str]:
    budget = report["budget"]
    found, tried = budget["thresholds"], len(budget["frontier"])
    bits = joined(found["bits"])
    widths = "ternary weights" if bits == "ternary" else f"weights of {bits} bits"
    rates = f"{joined(f'{100 * rate:g}' for rate in found['rates'])} % of the hidden neurons pruned"
    wide = "inputs, logits and " if 16 in found["activation_bits"] else ""
    outputs = f"{wide}hidden outputs of {joined(found['activation_bits'])} bits"
    chosen = ", ".join([widths, *([rates, outputs] if found["rates"] else [])])
    return [f"asked: {', '.join(_asked(budget))}", f"{rows(tried, 'candidate')} tried; chosen: {chosen}"]


def _asked(budget: dict[str, Any]) -> list[str]:
    limits = (("max_bytes", "at most {:,} bytes"), ("max_macs", "at most {:,} MACs"), ("min_sqnr", "at least {:g} dB"))
    asked = [text.format(budget[name]) for name, text in limits if budget[name] is not None]
    if "rise" in budget:
        allowed = by_output([one["allowed"] for one in budget["rise"]["outputs"]], 3)
        return [f"RMSE up by at most {allowed}", *asked]
    rows_lost = rows(budget["allowed_rows"], "validation row")
    return [f"at most {budget['max_drop']:g} point{'s' * (budget['max_drop'] != 1)} lost ({rows_lost})", *asked]


def _quantized(report: dict[str, Any]) -> list[str]:
    models = {model["name"]: model for model in report["models"]}
    sizes = listed([f"{name} {models[name]['bytes']:,}" for name in ("uniform", "rectified")])
    return [
        f"at these bits, nothing pruned yet: {sizes} bytes (float {models['float']['bytes']:,})",
        f"inputs: {_INPUTS[report['deployment']['inputs']]}",
    ]


def _compared(report: dict[str, Any]) -> list[str]:
    meaning = "" if is_real(report) else "; lost, won: rows that only the first, only the second gets right"
    return [f"on the validation rows{meaning or ':'}"]


def _pruned(report: dict[str, Any]) -> list[str]:
    pruning, models = report["pruning"], {model["name"]: model for model in report["models"]}
    if pruning["nothing_pruned"]:
        return ["nothing was pruned"]
    sums: dict[str, int] = {}
    for layer in pruning["removed"]:
        for cause, count in layer.items():
            sums[cause] = sums.get(cause, 0) + count
    hidden = sum(models["float"]["neurons"][:-1])
    causes = listed([f"{count:,} {cause}" for cause, count in sums.items() if count])
    shapes = " -> ".join(chain(models[name]["neurons"]) for name in ("float", "pruned"))
    return [
        f"{sum(sums.values()):,} of {rows(hidden, 'hidden neuron')} removed ({causes}), the others refitted and "
        f"quantized: {shapes}, {models['pruned']['bytes']:,} bytes"
    ]


def _compared_pruned(report: dict[str, Any]) -> list[str]:
    return ["on the validation rows:"]


def _pairs(report: dict[str, Any], number: int, width: int) -> list[str]:
    """Lay out the pairs of networks that a step compares, a line each; on a narrow page, two."""
    models = {model["name"]: model for model in report["models"]}
    cells = [
        (
            f"{entry['reference']} -> {entry['candidate']}",
            before_after(models[entry["reference"]], models[entry["candidate"]], "validation"),
            *change(entry),
        )
        for entry in report["comparisons"]
        if entry["step"] == number
    ]
    sizes = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        (_INDENT + "  ".join(f"{cell:<{size}}" for cell, size in zip(row, sizes, strict=True))).rstrip()
        for row in cells
    ]
    if max(map(len, lines)) <= width:
        return lines
    return [line for names, *told in cells for line in (_INDENT + names, *wrap(", ".join(told), _INDENT + "  ", width))]


def _deployed(report: dict[str, Any]) -> list[str]:
    deployment, bits = report["deployment"], max(report["bounds"]["accumulator_bits"])
    lines = [
        f"deployed.npz, read back, computes the same codes on {rows(deployment['proof']['rows'])}",
        f"no input can overflow: sums need at most {bits} of {bits + _headroom(report)} bits",
    ]
    one = next((entry for entry in deployment["latency"] if entry["batch"] == 1), None)
    if one is not None:
        made, was = (short_time(one[f"{name}_seconds"]) for name in ("integer", "float"))
        lines.append(f"one row takes {made} in NumPy, where the float network takes {was}")
    return lines


def _headroom(report: dict[str, Any]) -> int:
    bounds = report["bounds"]
    widest = max(range(len(bounds["accumulator_bits"])), key=lambda layer: bounds["accumulator_bits"][layer])
    return int(bounds["headroom_bits"][widest])
