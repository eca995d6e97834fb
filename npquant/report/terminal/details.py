"""What --verbose adds: figures by layer, all pairs of networks, what was tried, what each byte is for.

Every table says below its title what its figures mean. Legend: report the whole; width of the page in columns.
"""

from __future__ import annotations

from itertools import zip_longest
from typing import Any

from npquant.report.terminal.exports import export_detail_lines
from npquant.report.terminal.figures import decibels, nats, p_value, percent, short_time
from npquant.report.terminal.quality import is_real
from npquant.report.text_layout import table, wrap


def detail_sections(report: dict[str, Any], width: int) -> list[list[str]]:
    """Lay out all of it, a block each."""
    return [
        _layers(report, width),
        _bounds(report, width),
        _pairs(report, width),
        _tried(report, width),
        _bytes(report, width),
        _times(report, width),
        export_detail_lines(report, width),
    ]


def _layers(report: dict[str, Any], width: int) -> list[str]:
    """Lay out what was chosen for each layer and what came of it; the last layer is not pruned."""
    found, causes = report["budget"]["thresholds"], report["pruning"]["removed"]
    ratios = _ratios(report)
    columns = zip_longest(found["bits"], found["rates"], found["activation_bits"], causes, fillvalue=None)
    head = ("layer", "neurons", "left", "bits", "output bits", "rate", "removed", *(f"{name} dB" for name in ratios))
    before, after = (report["models"][index]["neurons"] for index in (0, -1))
    cells = [
        (
            str(number),
            f"{before[number]:,}",
            f"{after[number]:,}",
            str(bits),
            "-" if outputs is None else str(outputs),
            "-" if rate is None else f"{rate:g}",
            "-" if gone is None else ", ".join(f"{count} {why}" for why, count in gone.items() if count) or "none",
            *(decibels(values[number]) for values in ratios.values()),
        )
        for number, (bits, rate, outputs, gone) in enumerate(columns)
    ]
    said = (
        "dB: how far the noise of rounding and pruning lies below the float network's outputs, layers before included"
    )
    return ["Layers", *wrap(said, width=width), *table(head, cells, width=width)]


def _ratios(report: dict[str, Any]) -> dict[str, list[float | None]]:
    """Find the signal-to-noise ratios by layer against the float network, by network."""
    return {
        entry["candidate"]: entry["sqnr_db"]
        for entry in report["comparisons"]
        if entry["reference"] == "float" and "sqnr_db" in entry and entry["step"] in (5, 7)
    }


def _bounds(report: dict[str, Any], width: int) -> list[str]:
    bounds, kernels = report["bounds"], report["deployment"]["kernels"]
    cells = [
        (
            str(number),
            kernel["kernel"],
            f"{kernel['macs']:,}",
            f"{kernel['executed_macs']:,}",
            str(bits),
            *_shares(layer),
        )
        for number, (kernel, bits, layer) in enumerate(
            zip(kernels, bounds["accumulator_bits"], bounds["rectified"] or [None] * len(kernels), strict=True)
        )
    ]
    head = (
        "layer", "kernel", "MACs", "executed", "sum bits", "of bound %", "nearest %", "worst neuron %", "it is",
    )  # fmt: skip
    said = (
        "sum bits: no input makes a sum need more. of bound %: the squared error that rounding the weights cost (E6), "
        "of what was proven, before a weight was rounded, that it cannot exceed (E13); beside it what rounding each "
        "weight to the nearest code would have cost, and the neuron that comes nearest to its own bound"
    )
    return ["Sums and rounding", *wrap(said, width=width), *table(head, cells, text_columns=2, width=width)]


def _shares(layer: dict[str, Any] | None) -> tuple[str, ...]:
    """Say how much of its bound a layer's rounding used; nothing where another method has none."""
    if layer is None:
        return ("-",) * 4
    worst, bound = layer["worst_neuron"], layer["bound"]
    nearest = percent(layer["nearest_rounding"] / bound) if bound else "-"
    return percent(layer["share"]), nearest, percent(worst["share"]), str(worst["neuron"])


def _pairs(report: dict[str, Any], width: int) -> list[str]:
    pairs = [entry for entry in report["comparisons"] if "mcnemar" in entry]
    if not pairs:
        return []
    cells = [
        (
            f"{entry['reference']} -> {entry['candidate']}",
            entry["set"],
            percent(entry["agreement"]),
            f"{entry['mcnemar']['b']:,}/{entry['mcnemar']['c']:,}",
            p_value(entry["mcnemar"]["p"]).removeprefix("p ").removeprefix("= "),
            nats(entry["kl"]),
        )
        for entry in pairs
    ]
    said = (
        "lost/won: rows that only the first, only the second network gets right; p: the chance of so uneven a count if "
        "neither were better (McNemar's exact test); KL: how far class probabilities are apart, in nats (M2)"
    )
    head = ("networks", "rows", "agree %", "lost/won", "p", "KL")
    return ["Pairs of networks", *wrap(said, width=width), *table(head, cells, text_columns=2, width=width)]


def _tried(report: dict[str, Any], width: int) -> list[str]:
    """Count the candidates by what they were tried for."""
    budget = report["budget"]
    phases = [trial["phase"] for trial in budget["frontier"]]
    names = {
        "start": "to start from",
        "sensitivity": "of one layer alone",
        "uniform": "alike in all layers",
        "walk": "on the way",
        "stretch": "stretched",
        "beyond": "beyond the accuracy",
        "activations": "with fewer activation bits",
        "confirmed": "built anew on all rows",
        "method": "by another method",
    }
    counts = [f"{phases.count(phase)} {what}" for phase, what in names.items() if phase in phases]
    front = sum(trial["pareto"] for trial in budget["frontier"])
    noise, name = ("deviation", "deviation_at_4_bits") if is_real(report) else ("KL", "kl_at_4_bits")
    lines = [
        f"{len(phases)} tried: {', '.join(counts)}",
        f"{front} of them: no other is better in bytes, MACs and {noise}",
    ]
    if budget.get(name) is not None:
        reach = "from the start" if budget["two_bits_searched"] else "only where a limit needs them"
        lines.append(f"2 bits and ternary searched {reach}: {noise} of 4 bits everywhere is {budget[name]:.5f}")
    return ["Candidates", *(part for line in lines for part in wrap(line, width=width))]


def _bytes(report: dict[str, Any], width: int) -> list[str]:
    sums: dict[str, int] = {}
    for part in report["deployment"]["parts"]:
        sums[part["name"]] = sums.get(part["name"], 0) + part["n_bytes"]
    told = ", ".join(f"{size:,} {name}" for name, size in sorted(sums.items(), key=lambda item: (-item[1], item[0])))
    return ["Bytes of deployed.npz", *wrap(told, width=width)]


def _times(report: dict[str, Any], width: int) -> list[str]:
    """Lay out NumPy's times, and what the dynamic twin is and answers."""
    names = ("float", "integer", "dynamic")
    cells = [
        (str(entry["batch"]), *(short_time(entry[f"{name}_seconds"]) for name in names))
        for entry in report["deployment"]["latency"]
    ]
    dynamic = report["dynamic"]
    answers = f"; {percent(dynamic['test']['accuracy'])} % of the test rows right" if "kl" in dynamic else ""
    width8 = ", in codes of 8 bits" if 16 in report["budget"]["thresholds"]["activation_bits"] else ""
    said = f"dynamic: the same weights, but ranges of activations taken from each row at run time{width8}{answers}"
    return [
        "Times of a batch in NumPy, from real inputs to real outputs",
        *wrap(said, width=width),
        *table(("batch", *names), cells, text_columns=0, width=width),
    ]
