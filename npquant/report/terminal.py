"""The report as a page of plain text for a terminal, at most 96 columns wide."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from npquant.budget.decision import REQUIREMENTS
from npquant.report.real_text import (
    compared_errors,
    dynamic_errors,
    found_rise,
    model_errors,
    nearest_rise,
    real_data,
    target_difference,
)
from npquant.report.text_layout import joined, labelled, table, wrap


def render_report(report: dict[str, Any]) -> str:
    """Lay out a `report`, as `run_workflow` returns it, as lines of at most 96 columns, the last one ended."""
    sections = (
        _head(report),
        _thresholds(report["budget"]),
        _compared(report, 5, "Step 5   quantized, against float, on the validation rows"),
        _compared(report, 7, "Step 7   pruned and quantized, on the validation rows") + _pruning(report),
        _models(report),
        _deployment(report),
        _targets(report),
        _verdict(report),
    )
    return "\n\n".join("\n".join(lines) for lines in sections if lines) + "\n"


def _real(report: dict[str, Any]) -> bool:
    return bool(report["data"].get("kind") == "real")


def _points(value: float) -> str:
    return f"{value:+.2f}" if value else "0.00"


def _percent(share: float) -> str:
    return f"{100 * share:.2f}"


def _p_value(p: float) -> str:
    return "<.0001" if p < 0.0001 else f"{p:.4f}"


def _decibels(values: Sequence[float | None]) -> str:
    return " ".join("exact" if value is None else f"{value:.1f}" for value in values)


def _seconds(seconds: float) -> str:
    return f"{1e6 * seconds:,.0f} us" if seconds < 1e-2 else f"{1e3 * seconds:,.1f} ms"


def _head(report: dict[str, Any]) -> list[str]:
    data, rows, config = report["data"], report["data"]["rows"], report["config"]
    floating = report["models"][0]
    widths = "-".join(map(str, (data["features"], *floating["neurons"])))
    seconds = sum(step["seconds"] for step in report["steps"])
    what = real_data(report) if _real(report) else f"{data['classes']} classes"
    return [
        f"npquant {report['environment']['npquant']}   eight steps in {seconds:.1f} s   seed {config['seed']}",
        "",
        f"  data   {data['name']}: {rows['total']:,} rows, {data['features']} features, {what}",
        f"         {rows['train']:,} train, {rows['validation']:,} validation, {rows['test']:,} test"
        f"   split {data['split_sha256'][:12]}",
        f"  float  {widths}, {joined(report['model']['activations'][:-1])} ({_source(report['model'])})",
    ]


def _source(model: dict[str, Any]) -> str:
    foreign = model["format"] not in (None, "npquant")
    return f"{model['source']}, {model['format']}" if foreign else str(model["source"])


def _thresholds(budget: dict[str, Any]) -> list[str]:
    found = budget["thresholds"]
    if "rise" in budget:
        asked, lost = found_rise(budget)
    else:
        drop = budget["drop"]
        asked = [f"at most {budget['max_drop']:g} points ({budget['allowed_rows']} validation rows) lost"]
        lost = [
            f"  lost   {drop['points']:.2f} points ({drop['b']} rows lost, {drop['c']} won), "
            f"95 % interval {drop['low']:.2f} to {drop['high']:.2f}"
        ]
    limits = (("max_bytes", "at most {:,} bytes"), ("max_macs", "at most {:,} MACs"), ("min_sqnr", "at least {:g} dB"))
    asked += [text.format(budget[name]) for name, text in limits if budget[name] is not None]
    by_hidden = f"pruning rate {joined(found['rates'])}, activation bits {joined(found['activation_bits'])}"
    lines = [
        "Step 3   thresholds from the budget",
        f"  asked  {', '.join(asked)}",
        f"  found  weight bits {joined(found['bits'])} by layer; {by_hidden} by hidden layer",
        *lost,
        *_tried(budget),
    ]
    verdict = "searched" if budget["two_bits_searched"] else "only where a limit needs them or for all layers alike"
    if budget.get("kl_at_4_bits") is not None:
        lines.append(f"  2 bits {verdict}: KL of 4 bits everywhere is {budget['kl_at_4_bits']:.5f}")
    if budget.get("deviation_at_4_bits") is not None:
        deviation = _percent(budget["deviation_at_4_bits"])
        lines += labelled("2 bits", f"{verdict}: the deviation of 4 bits everywhere is {deviation} %")
    return lines


def _tried(budget: dict[str, Any]) -> list[str]:
    """Count the candidates by what they were tried for."""
    phases = [trial["phase"] for trial in budget["frontier"]]
    names = {
        "sensitivity": "of one layer alone",
        "uniform": "alike in all layers",
        "walk": "on the way",
        "stretch": "stretched",
        "beyond": "beyond the accuracy",
        "activations": "with fewer activation bits",
        "confirmed": "built anew on all rows",
    }
    counts = [f"{phases.count(phase)} {what}" for phase, what in names.items() if phase in phases]
    front = sum(trial["pareto"] for trial in budget["frontier"])
    return labelled("tried", f"{len(phases)} candidates ({', '.join(counts)}), {front} of them on the Pareto front")


def _compared(report: dict[str, Any], step: int, title: str) -> list[str]:
    if _real(report):
        return [title, *compared_errors(report, step)]
    accuracy = {model["name"]: model["validation"]["accuracy"] for model in report["models"]}
    rows = [
        (
            f"{entry['reference']} -> {entry['candidate']}",
            f"{_percent(accuracy[entry['reference']])} {_percent(accuracy[entry['candidate']])}",
            _percent(entry["agreement"]),
            f"{entry['mcnemar']['b']}/{entry['mcnemar']['c']}",
            _p_value(entry["mcnemar"]["p"]),
            f"{entry['kl']:.5f}",
            _decibels(entry.get("sqnr_db", [])),
        )
        for entry in report["comparisons"]
        if entry["step"] == step
    ]
    head = ("before -> after", "accuracy %", "agree %", "lost/won", "p", "KL", "SQNR dB by layer")
    return [title, *table(head, rows)]


def _models(report: dict[str, Any]) -> list[str]:
    models = report["models"]
    if _real(report):
        return ["All models   the test rows were opened once, here", *model_errors(models)]
    rows = [
        (
            model["name"],
            joined(model["bits"]),
            "-".join(map(str, model["neurons"])),
            f"{model['bytes']:,}",
            f"{models[0]['bytes'] / model['bytes']:.1f}x",
            f"{model['macs']:,}",
            _percent(model["validation"]["accuracy"]),
            _percent(model["test"]["accuracy"]),
            _percent(model["agreement"]),
        )
        for model in models
    ]
    head = ("model", "bits", "neurons", "bytes", "smaller", "MACs", "valid. %", "test %", "agree %")
    return ["All models   the test rows were opened once, here", *table(head, rows, text_columns=3)]


def _pruning(report: dict[str, Any]) -> list[str]:
    removed = report["pruning"]["removed"]
    if report["pruning"]["nothing_pruned"]:
        return []
    causes = [", ".join(f"{count} {cause}" for cause, count in layer.items() if count) or "none" for layer in removed]
    return labelled("gone", "; ".join(f"layer {number}: {text}" for number, text in enumerate(causes)))


def _deployment(report: dict[str, Any]) -> list[str]:
    deployment, dynamic = report["deployment"], report["dynamic"]
    rows = [
        (
            str(entry["batch"]),
            *(_seconds(entry[f"{name}_seconds"]) for name in ("float", "integer", "dynamic")),
            f"{entry['integer_seconds'] / entry['float_seconds']:.2f}",
            f"{entry['dynamic_seconds'] / entry['float_seconds']:.2f}",
        )
        for entry in deployment["latency"]
    ]
    files = ", ".join(f"{name} {size:,} bytes" for name, size in deployment["files"].items())
    return [
        f"Step 8   deployed to {report['config']['out']}",
        *labelled("files", f"{files}, report.json"),
        *labelled("bytes", f"{_parts(deployment['parts'])}"),
        *labelled("proof", f"deployed.npz, read back, computes the same codes on {deployment['proof']['rows']:,} rows"),
        *_bounds(report["bounds"]),
        *labelled("runs", f"{_kernels(deployment['kernels'])}"),
        *labelled("other", f"dynamic quantization of the same network: {_dynamic(dynamic)}"),
        "",
        *table(("batch", "float", "integer", "dynamic", "integer/float", "dynamic/float"), rows, text_columns=0),
    ]


def _dynamic(dynamic: dict[str, Any]) -> str:
    if "deviation" in dynamic:
        return dynamic_errors(dynamic)
    return (
        f"test {_percent(dynamic['test']['accuracy'])} %, agreement {_percent(dynamic['agreement'])} %, "
        f"KL {dynamic['kl']:.5f} (deployed {dynamic['static_kl']:.5f})"
    )


def _targets(report: dict[str, Any]) -> list[str]:
    """Lay out what was exported and run; what could not be is named below."""
    targets, real = report["deployment"]["targets"], _real(report)
    if not targets:
        return []
    rows = [
        (
            f"{entry['target']} in {entry['engine']}",
            f"{entry['measured']['code_bytes'] or entry['bytes']:,}",
            entry["profile"],
            f"{entry['outputs'] - entry['differing']:,} of {entry['outputs']:,}",
            target_difference(entry) if real else _percent(entry["agreement"]),
            "-" if entry["measured"]["seconds"] is None else _row_time(entry["measured"]["seconds"]),
        )
        for entry in targets
        if entry["reason"] is None
    ]
    head = ("target", "bytes", "arithmetic", "equal answers", "largest diff." if real else "agree %", "one row")
    lines = ["Exports   run in their runtimes, compared byte for byte with npquant's answers"]
    lines += table(head, rows) if rows else []
    for entry in targets:
        made = entry["measured"]
        if made["code_bytes"] is not None:
            size = f"{made['code_bytes']:,} bytes of code and constants, {made['ram_bytes']:,} of RAM"
            lines += labelled("size", f"{entry['target']} compiled with -Os by {made['version']}: {size}")
        if made["instructions"] is not None:
            lines += labelled(
                "steps", f"{entry['target']} at -O2: {made['instructions']:,} instructions a row, by valgrind"
            )
        if made["uncounted"] is not None:
            lines += labelled("absent", f"{entry['target']} in {entry['engine']}, not counted: {made['uncounted']}")
        why = entry["reason"] or made["reason"]
        if why is not None:
            what = "not run" if entry["reason"] else "not timed"
            lines += labelled("absent", f"{entry['target']} in {entry['engine']}, {what}: {why}")
    return lines


def _row_time(seconds: float) -> str:
    return f"{1e9 * seconds:,.0f} ns" if seconds < 1e-5 else f"{1e6 * seconds:,.1f} us"


def _parts(parts: Sequence[dict[str, Any]]) -> str:
    """Sum the bytes of a file by name, the largest first; the rest in one word."""
    sums: dict[str, int] = {}
    for part in parts:
        sums[part["name"]] = sums.get(part["name"], 0) + part["n_bytes"]
    return ", ".join(f"{size:,} {name}" for name, size in sorted(sums.items(), key=lambda item: (-item[1], item[0])))


def _bounds(bounds: dict[str, Any]) -> list[str]:
    layers = bounds["rectified"]
    shares = joined(f"{_percent(layer['share'])} %" for layer in layers)
    worst = max(range(len(layers)), key=lambda layer: layers[layer]["worst_neuron"]["share"])
    neuron = layers[worst]["worst_neuron"]
    return [
        *labelled("bound", f"no input makes an accumulator exceed {joined(bounds['accumulator_bits'])} bits, by layer"),
        *labelled(
            "error",
            f"rounding costs {shares} of its proven bound, by layer; at most "
            f"{_percent(neuron['share'])} % (layer {worst}, neuron {neuron['neuron']})",
        ),
    ]


def _kernels(kernels: Sequence[dict[str, Any]]) -> str:
    done, whole = (sum(layer[name] for layer in kernels) for name in ("executed_macs", "macs"))
    return f"{joined(layer['kernel'] for layer in kernels)} kernels by layer, {done:,} of {whole:,} MACs a row"


def _verdict(report: dict[str, Any]) -> list[str]:
    """Say what was decided, and on what evidence."""
    budget = report["budget"]
    lines = ["Budget met." if budget["met"] else "Budget MISSED: " + _missed(budget) + "."]
    for name, evidence in (("Validation", budget["rise" if _real(report) else "drop"]), ("Test", budget["test"])):
        lines += wrap(f"{name} rows: {evidence['reason']}.")
    for note in report["notes"]:
        lines += wrap(note)
    return lines


def _missed(budget: dict[str, Any]) -> str:
    reasons = " and ".join(REQUIREMENTS[name] for name in budget["failing"])
    near = budget["nearest"]
    if near is None:
        return reasons
    sqnr = "exact" if near["sqnr_db"] is None else f"{near['sqnr_db']:.1f} dB"
    lost = f"{_points(near['drop_points'])} points lost" if "drop_points" in near else nearest_rise(near)
    return (
        f"{reasons}\n  nearest point: {near['bytes']:,} bytes, {near['macs']:,} MACs, {sqnr}, "
        f"{lost} (bits {joined(near['bits'])}, rates {joined(near['rates'])})"
    )
