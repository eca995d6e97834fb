"""The report as a page of plain text for a terminal, at most 96 columns wide."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from npquant.workflow.verdict import MISSES

WIDTH: Final = 96


def render_report(report: dict[str, Any]) -> str:
    """Lay out a report as text.

    Parameters
    ----------
    report : dict
        As `run_workflow` returns it.

    Returns
    -------
    str
        Lines of at most 96 columns, the last one ended.

    Examples
    --------
    >>> import tempfile
    >>> from npquant.workflow.steps import run_workflow
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     page = render_report(run_workflow(out=folder, bits=8, prune=0.0))
    >>> page[page.index("Budget") : page.index("  Test rows")]
    'Budget met.\\n'
    """
    sections = (
        _head(report),
        _thresholds(report["budget"]),
        _compared(report, 5, "Step 5   quantized, against float, on the validation rows"),
        _compared(report, 7, "Step 7   pruned and quantized, on the validation rows"),
        _models(report),
        _deployment(report),
        _verdict(report),
    )
    return "\n\n".join("\n".join(lines) for lines in sections) + "\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, text_columns: int = 1) -> list[str]:
    """Align cells in columns: text to the left, numbers to the right.

    Parameters
    ----------
    head : sequence of str
        Column titles.
    rows : iterable of sequences of str
        Cells, as many as titles.
    text_columns : int
        How many of the first columns hold text.

    Returns
    -------
    list of str
        Title line, rule, rows; indented by two, without spaces at the end.

    Examples
    --------
    >>> print("\\n".join(table(("name", "bytes"), [("float", "12,345")])))
      name    bytes
      -----  ------
      float  12,345
    """
    cells = [tuple(head), *map(tuple, rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    cells.insert(1, tuple("-" * width for width in widths))

    def line(row: tuple[str, ...]) -> str:
        sides = ("<" if column < text_columns else ">" for column in range(len(row)))
        aligned = (f"{cell:{side}{width}}" for cell, side, width in zip(row, sides, widths, strict=True))
        return ("  " + "  ".join(aligned)).rstrip()

    return [line(row) for row in cells]


def joined(values: Iterable[object]) -> str:
    """Write one value a layer, or the value once where all are equal.

    Parameters
    ----------
    values : iterable
        By layer.

    Returns
    -------
    str
        The values between slashes; a dash where there is none.

    Examples
    --------
    >>> joined([8, 8, 8]), joined([4, 8]), joined([])
    ('8', '4/8', '-')
    """
    parts = [str(value) for value in values]
    return "-" if not parts else parts[0] if len(set(parts)) == 1 else "/".join(parts)


def wrap(text: str, indent: str = "  ") -> list[str]:
    """Break a sentence into lines of at most 96 columns.

    Parameters
    ----------
    text : str
        Words; the spaces between them are not kept.
    indent : str
        What stands before the first line; later ones are indented by two more.

    Returns
    -------
    list of str
        Lines without spaces at the end; a word that is longer than a line stands on one alone.

    Examples
    --------
    >>> [len(line) for line in wrap("word " * 20)], wrap("word " * 20)[1]
    ([96, 8], '    word')
    """
    lines, line = [], indent
    for word in text.split():
        if len(line) + len(word) > WIDTH and line.strip():
            lines.append(line.rstrip())
            line = indent + "  "
        line += word + " "
    return [*lines, line.rstrip()]


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
    return [
        f"npquant {report['environment']['npquant']}   eight steps in {seconds:.1f} s   seed {config['seed']}",
        "",
        f"  data   {data['name']}: {rows['total']:,} rows, {data['features']} features, {data['classes']} classes",
        f"         {rows['train']:,} train, {rows['validation']:,} validation, {rows['test']:,} test"
        f"   split {data['split_sha256'][:12]}",
        f"  float  {widths}, {joined(report['model']['activations'][:-1])} ({report['model']['source']})",
    ]


def _thresholds(budget: dict[str, Any]) -> list[str]:
    found, phases = budget["thresholds"], [trial["phase"] for trial in budget["frontier"]]
    asked = [f"at most {budget['max_drop']:g} points ({budget['allowed_rows']} validation rows) lost"]
    limits = (("max_bytes", "bytes"), ("max_macs", "MACs"))
    asked += [f"at most {budget[name]:,} {unit}" for name, unit in limits if budget[name] is not None]
    lines = [
        "Step 3   thresholds from the requirement",
        f"  asked  {', '.join(asked)}",
        f"  found  weight bits {joined(found['bits'])} by layer; pruning rate {joined(found['rates'])} by hidden layer",
        f"  tried  {len(phases)} candidates: {phases.count('sensitivity')} for sensitivity, "
        f"{phases.count('walk') + phases.count('stretch')} on the way, {phases.count('beyond')} beyond the accuracy",
    ]
    if budget["kl_at_4_bits"] is not None:
        verdict = "searched" if budget["two_bits_searched"] else "not searched (above 0.002)"
        lines.append(f"  2 bits {verdict}: KL of 4 bits everywhere is {budget['kl_at_4_bits']:.5f}")
    return lines


def _compared(report: dict[str, Any], step: int, title: str) -> list[str]:
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


def _deployment(report: dict[str, Any]) -> list[str]:
    deployment, bounds = report["deployment"], report["bounds"]
    rows = [
        (
            str(entry["batch"]),
            _seconds(entry["float_seconds"]),
            _seconds(entry["integer_seconds"]),
            f"{entry['integer_seconds'] / entry['float_seconds']:.2f}",
        )
        for entry in deployment["latency"]
    ]
    files = ", ".join(f"{name} {size:,} bytes" for name, size in deployment["files"].items())
    return [
        f"Step 8   deployed to {report['config']['out']}",
        *wrap(f"files  {files}, report.json"),
        *wrap(f"proof  deployed.npz, read back, computes the same codes on {deployment['proof']['rows']:,} rows"),
        *wrap(f"bound  no input makes an accumulator exceed {joined(bounds['accumulator_bits'])} bits, by layer"),
        "",
        *table(("batch", "float", "integer", "integer/float"), rows, text_columns=0),
    ]


def _verdict(report: dict[str, Any]) -> list[str]:
    budget = report["budget"]
    chosen = next(e for e in report["comparisons"] if (e["set"], e["candidate"]) == ("test", "deployed"))
    paired, test = chosen["mcnemar"], budget["test"]
    lines = ["Budget met." if budget["met"] else "Budget MISSED: " + _missed(budget) + "."]
    change = chosen["drop_points"]
    outcome = f"{abs(change):.2f} points {'gained' if change < 0 else 'lost'}"
    judged = f"{'within' if test['within'] else 'beyond'} the {budget['max_drop']:g} asked"
    if not test["within"] and not test["larger_drop_shown"]:
        judged += ", but the paired test does not show a larger drop"
    lines += wrap(
        f"Test rows: {outcome} ({paired['b']} lost, {paired['c']} won of {chosen['rows']:,}; "
        f"p {_p_value(paired['p'])}), {judged}."
    )
    for note in report["notes"]:
        lines += wrap(note)
    return lines


def _missed(budget: dict[str, Any]) -> str:
    reasons = " and ".join(MISSES[name] for name in budget["failing"])
    near = budget["nearest"]
    if near is None:
        return reasons
    return (
        f"{reasons}\n  nearest point: {near['bytes']:,} bytes, {near['macs']:,} MACs, {_points(near['drop_points'])} "
        f"points lost (bits {joined(near['bits'])}, rates {joined(near['rates'])})"
    )
