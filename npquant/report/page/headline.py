"""The answer in a sentence that a stranger understands, chosen by rules on the data.

Legend: report the whole; name that of a requirement.
"""

from __future__ import annotations

from typing import Any

from npquant.report.page.words import decimal, figures, is_real, listed, nouns, spelled, spelled_rows, times, whole


def headline(report: dict[str, Any]) -> str:
    """Say what was gained and lost, or by how much the budget is missed."""
    budget = report["budget"]
    if not budget["met"]:
        return f"Not met: {listed([_missed(report, name) for name in budget['failing']])}"
    before, after = report["models"][0]["bytes"], report["models"][-1]["bytes"]
    return f"{smaller(before / after)}, {_price(report)}"


def smaller(ratio: float) -> str:
    """Say what became of the size, `ratio` times of which was there before.

    >>> smaller(18.2), smaller(1.04), smaller(0.5)
    ('18 times smaller', 'No smaller', '2 times larger')
    """
    if ratio >= 1.05:
        return f"{times(ratio)} times smaller"
    return "No smaller" if ratio > 1 / 1.05 else f"{times(1 / ratio)} times larger"


def _price(report: dict[str, Any]) -> str:
    test = report["budget"]["test"]
    noun, plural = nouns(report)
    if is_real(report):
        worst = test["outputs"][test["worst_output"]]
        if worst["rise"] <= 0:
            return "and no larger error"
        if worst["before"] == 0:
            return f"at the price of an error of {figures(worst['after'])}"
        return f"at the price of {figures(100 * worst['rise'] / worst['before'])} % more error"
    net = test["b"] - test["c"]
    if net > 0:
        return f"at the price of {spelled_rows(net, noun, plural)} in {whole(test['rows'])}"
    if test["b"] == 0:
        return f"and no {noun} lost"
    return f"with {'as many' if net == 0 else 'more'} {plural} won {'as' if net == 0 else 'than'} lost"


def _missed(report: dict[str, Any], name: str) -> str:
    """Say by how much a requirement is missed."""
    budget, last = report["budget"], report["models"][-1]
    noun, plural = nouns(report)
    if name == "max_bytes":
        over = last["bytes"] - budget["max_bytes"]
        return f"the file is {whole(over)} byte{'s' * (over != 1)} too large"
    if name == "max_macs":
        over = last["macs"] - budget["max_macs"]
        return f"{whole(over)} product{'s' * (over != 1)} a row too many"
    if name == "max_drop":
        drop = budget["drop"]
        return (
            f"it loses {spelled_rows(drop['b'] - drop['c'] - budget['allowed_rows'], noun, plural)} more than allowed"
        )
    if name == "max_rmse_rise":
        worst = budget["rise"]["outputs"][budget["rise"]["worst_output"]]
        return f"RMSE rises by {figures(worst['rise'], 3)}, and {figures(worst['allowed'], 3)} was allowed"
    if name == "min_sqnr":
        reached = _logits_sqnr(report)
        by = "too low" if reached is None else f"{decimal(budget['min_sqnr'] - reached, 1)} dB too low"
        return f"the signal-to-noise ratio is {by}"
    return "the test rows show a larger " + ("loss" if name == "test_drop" else "rise of RMSE")


def _logits_sqnr(report: dict[str, Any]) -> float | None:
    pairs = [e for e in report["comparisons"] if e["step"] == 7 and e["reference"] == "float"]
    return pairs[0]["sqnr_db"][-1] if pairs else None


def deck(report: dict[str, Any]) -> tuple[str, str, str]:
    """Say the same in full: what comes before the bold part, that part, and what follows."""
    first, last, data = report["models"][0], report["models"][-1], report["data"]
    if report["config"]["data"] is None:
        what = "that reads handwritten digits"
    else:
        inputs = f"of {whole(data['features'])} input{'s' * (data['features'] != 1)}"
        outputs = first["neurons"][-1]
        kind = "real target" if is_real(report) else "class"
        plural = "real targets" if is_real(report) else "classes"
        what = f"{inputs} and {spelled_rows(outputs, kind, plural)}"
    before = f"A network {what} went from {whole(first['bytes'])} bytes of float to "
    return before, f"{whole(last['bytes'])} bytes of ", f" {_unseen(report)}"


def _unseen(report: dict[str, Any]) -> str:
    """Say what happened on the rows that nothing was chosen on."""
    test, (_, plural) = report["budget"]["test"], nouns(report)
    on = f"On {whole(test['rows'])} {plural} that nothing was chosen on, "
    if is_real(report):
        worst = test["outputs"][test["worst_output"]]
        which = f" of output {test['worst_output']}, which fares worst," if len(test["outputs"]) > 1 else ""
        before, after = figures(worst["before"], 3), figures(worst["after"], 3)
        return f"{on}its RMSE{which} is {after} where the float network's is {before}."
    if test["b"] == test["c"] == 0:
        return f"{on}it is right and wrong on the same ones."
    verb = "was" if test["c"] == 1 else "were"
    lost = f"{spelled(test['b']) if test['b'] else 'none'} wrong that {'was' if test['b'] == 1 else 'were'} right"
    return f"{on}it gets {lost}, and {spelled(test['c']) if test['c'] else 'none'} right that {verb} wrong."
