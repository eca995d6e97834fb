"""How well networks answer, in words: right classes, or the error of real targets.

Legend: report the whole, budget its entry of that name; model an entry of "models", rows_of "validation" or "test";
entry one of "comparisons"; before and after two models.
"""

from __future__ import annotations

from typing import Any

from npquant.measure.real_targets import in_digits
from npquant.report.real_text import by_output
from npquant.report.terminal.figures import percent, rows


def is_real(report: dict[str, Any]) -> bool:
    """Say whether the targets are real numbers, not classes."""
    return bool(report["data"].get("kind") == "real")


def quality_name(report: dict[str, Any]) -> str:
    """Name what is compared."""
    return "RMSE" if is_real(report) else "accuracy"


def before_after(before: dict[str, Any], after: dict[str, Any], rows_of: str) -> str:
    """Say how well two models answer.

    >>> before, after = {"test": {"accuracy": 0.985}}, {"test": {"accuracy": 0.981}}
    >>> before_after(before, after, "test")
    '98.50 -> 98.10 %'
    """
    one, two = before[rows_of], after[rows_of]
    if "rmse" in one:
        return f"{by_output(one['rmse'])} -> {by_output(two['rmse'])}"
    return f"{percent(one['accuracy'])} -> {percent(two['accuracy'])} %"


def right(model: dict[str, Any], rows_of: str) -> str:
    """Say how well one model answers, in full.

    >>> right({"validation": {"accuracy": 0.75, "correct": 3, "rows": 4}}, "validation")
    '75.00 % of 4 validation rows right'
    """
    found = model[rows_of]
    if "rmse" in found:
        return (
            f"RMSE {by_output(found['rmse'])}, R2 {by_output(found['r2'])} on {rows(found['rows'], f'{rows_of} row')}"
        )
    return f"{percent(found['accuracy'])} % of {rows(found['rows'], f'{rows_of} row')} right"


def cells(model: dict[str, Any], rows_of: str) -> tuple[str, ...]:
    """Write how well a model answers as cells of a table: one of classes, two of real targets."""
    found = model[rows_of]
    if "rmse" in found:
        return by_output(found["rmse"]), by_output(found["r2"])
    return (percent(found["accuracy"]),)


def lost(budget: dict[str, Any]) -> str:
    """Say what the deployed network loses on validation and test rows, and what was allowed.

    >>> lost({"max_drop": 1.0, "drop": {"points": 0.5}, "test": {"drop_points": -0.25}})
    'Points lost: 0.50 on validation, -0.25 on test rows; 1 asked.'
    """
    if "rise" in budget:
        pairs = [budget["rise"], budget["test"]]
        rises = [_worst_rise(entry, rows) for entry, rows in zip(pairs, ("validation", "test"), strict=True) if entry]
        return f"RMSE {', '.join(rises)}."
    told = f"{budget['drop']['points']:.2f} on validation"
    told += " rows" if budget["test"] is None else f", {budget['test']['drop_points']:.2f} on test rows"
    return f"Points lost: {told}; {budget['max_drop']:g} asked."


def _worst_rise(entry: dict[str, Any], rows: str) -> str:
    """Say what the output that lost most of what was allowed lost on these rows, which may be another on others."""
    worst = entry["outputs"][entry["worst_output"]]
    of = f" of output {entry['worst_output']}" if len(entry["outputs"]) > 1 else ""
    way = "down" if worst["rise"] < 0 else "up"
    return f"{way} by {in_digits(abs(worst['rise']), 3)}{of} on {rows} rows ({in_digits(worst['allowed'], 3)} asked)"


def change(entry: dict[str, Any]) -> tuple[str, ...]:
    """Say, in cells, how two networks differ on the same rows.

    >>> change({"mcnemar": {"b": 3, "c": 1, "p": 0.625}})
    ('3 lost', '1 won')
    """
    if "mcnemar" in entry:
        return f"{entry['mcnemar']['b']:,} lost", f"{entry['mcnemar']['c']:,} won"
    return (f"answers {percent(entry['deviation'])} % apart",)


def classes(report: dict[str, Any]) -> str:
    """Say what is learned: classes, or real targets."""
    if is_real(report):
        return rows(report["models"][0]["neurons"][-1], "real target")
    count = report["data"]["classes"]
    return f"{count:,} class{'es' * (count != 1)}"
