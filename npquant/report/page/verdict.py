"""The first screen: the verdict, what was asked and reached, how sure that is, and four pairs of numbers.

Legend: report the whole; evidence what one set of rows says.
"""

from __future__ import annotations

from html import escape
from typing import Any

from npquant.report.page.headline import deck, headline
from npquant.report.page.words import decimal, figures, is_real, listed, probability, whole, widths

_TICK = "M 5.5 10.5l3 3 6-7"
_CROSS = "M 6.5 6.5l7 7m0-7l-7 7"


def verdict_lines(report: dict[str, Any]) -> str:
    """Write the verdict, its headline and the deck below it, then what it may not be read without."""
    met = report["budget"]["met"]
    word, hue, mark = ("Budget met", "blue", _TICK) if met else ("Budget missed", "orange", _CROSS)
    before, bold, after = map(escape, deck(report))
    return (
        f'<p class="verdict {hue}-words" id="verdict">'
        f'<svg width="20" height="20" viewBox="0 0 20 20" aria-hidden="true">'
        f'<circle cx="10" cy="10" r="10" class="{hue}"/>'
        f'<path d="{mark}" class="none s-on" stroke-width="2"/></svg>{word}</p>'
        f"<h1>{escape(headline(report))}</h1>"
        f'<p class="deck">{before}<b>{bold}{widths(report)}</b>.{after}</p>{_warnings(report)}'
    )


def _warnings(report: dict[str, Any]) -> str:
    """Say what no verdict may be read without."""
    warning, differing = report["model"]["warning"], report["deployment"]["differing_targets"]
    said = [f"{warning[0].upper()}{warning[1:]}."] if warning else []
    said += [f"{listed(differing)} answers otherwise than it must: do not deploy it."] if differing else []
    return "".join(f'<p class="warning">{escape(words)}</p>' for words in said)


def sure_columns(report: dict[str, Any]) -> str:
    """Write three sentences side by side: asked, reached, how sure."""
    real = is_real(report)
    asked, reached, sure = (
        (_asked_rise, _reached_rise, _sure_rise) if real else (_asked_drop, _reached_drop, _sure_drop)
    )
    told = (
        ("What was asked", asked(report) + _limits(report)),
        ("What was reached", reached(report) + _costs(report)),
        ("How sure", sure(report)),
    )
    columns = (f'<div><p class="small">{name}</p><p>{text}</p></div>' for name, text in told)
    return f'<div class="sure">{"".join(columns)}</div>'


def _limits(report: dict[str, Any]) -> str:
    """Write the limits on cost that were asked for."""
    limits = (("max_bytes", "{} bytes"), ("max_macs", "{} products a row"))
    told = [
        f"at most <b>{text.format(whole(report['budget'][name]))}</b>"
        for name, text in limits
        if report["budget"][name]
    ]
    least = report["budget"]["min_sqnr"]
    told += [f"at least <b>{least:g} dB</b>"] if least else []
    return f" And {listed(told)}." if told else ""


def _costs(report: dict[str, Any]) -> str:
    """Write what came of the limits on cost."""
    last, budget = report["models"][-1], report["budget"]
    told = [f"{whole(last['bytes'])} bytes"] if budget["max_bytes"] else []
    told += [f"{whole(last['macs'])} products"] if budget["max_macs"] else []
    return f" {listed(told).capitalize()}." if told else ""


def _asked_drop(report: dict[str, Any]) -> str:
    budget = report["budget"]
    points, allowed = budget["max_drop"], budget["allowed_rows"]
    named = f"<b>{points:g} point{'s' * (points != 1)}</b>"
    return f"At most {named} of accuracy lost: {whole(allowed)} of {whole(budget['drop']['rows'])} validation rows."


def _counts(evidence: dict[str, Any], noun: str = "") -> str:
    return f"{whole(evidence['b'])}{noun} lost, {whole(evidence['c'])} won"


def points(value: float) -> str:
    """Write points, a `value` of which is lost, or gained.

    >>> points(0.37), points(-0.37), points(0.0)
    ('0.37 points', '0.37 points gained', '0 points')
    """
    return "0 points" if value == 0 else f"{decimal(abs(value))} points{' gained' * (value < 0)}"


def _reached_drop(report: dict[str, Any]) -> str:
    drop, test = report["budget"]["drop"], report["budget"]["test"]
    rows = " rows" if drop["b"] != 1 else " row"
    same = ", too" if points(drop["points"]) == points(test["drop_points"]) else ""
    first = f"<b>{points(drop['points'])}</b>: {_counts(drop, rows)}."
    return f"{first} On test rows {points(test['drop_points']).removesuffix(' points')}{same}: {_counts(test)}."


def _sure_drop(report: dict[str, Any]) -> str:
    drop, test = report["budget"]["drop"], report["budget"]["test"]
    seen = "No loss beyond chance is seen"
    if test["p"] < 0.05:
        seen = "A loss is seen" if test["b"] > test["c"] else "A gain is seen"
    if test["larger_drop_shown"]:
        seen = "A loss of more than was asked is seen"
    seen += f" on the test rows ({probability(test['p'])})"
    limit = f"{report['budget']['max_drop']:g} point{'s' * (report['budget']['max_drop'] != 1)}"
    named = ((drop, f"{whole(drop['rows'])} validation rows"), (test, f"{whole(test['rows'])} test rows"))
    open_ones = [(name, e["high"]) for e, name in named if e["limit_lies"] != "above"]
    if not open_ones:
        return f"{seen}, and both sets of rows <b>rule out</b> a loss of more than {limit}."
    first, *others = [f"{name} {{}}{decimal(high, 1)} points" for name, high in open_ones]
    rest = "".join(f", nor {text.format('')}" for text in others)
    return f"{seen}; {first.format('<b>cannot rule out</b> a loss of ')}{rest}."


def _asked_rise(report: dict[str, Any]) -> str:
    rise = report["budget"]["rise"]
    allowed = [figures(one["allowed"], 3) for one in rise["outputs"]]
    named = f"<b>{allowed[0]}</b>" if len(allowed) == 1 else f"<b>{min(allowed)} to {max(allowed)}</b>, by output"
    return f"RMSE up by at most {named} on {whole(rise['rows'])} validation rows."


def _reached_rise(report: dict[str, Any]) -> str:
    told = []
    for name, evidence in (("validation", report["budget"]["rise"]), ("test", report["budget"]["test"])):
        worst = evidence["outputs"][evidence["worst_output"]]
        way = "down" if worst["rise"] < 0 else "up"
        told.append(f"{way} by <b>{figures(abs(worst['rise']), 3)}</b> to {figures(worst['after'], 3)} on {name} rows")
    return f"{told[0][0].upper()}{told[0][1:]}, {told[1]}."


def _sure_rise(report: dict[str, Any]) -> str:
    test = report["budget"]["test"]
    worst = test["outputs"][test["worst_output"]]
    if worst["low"] is None or worst["high"] is None:
        return f"{whole(test['rows'])} test rows are too few for an interval."
    low, high, allowed = (figures(worst[name], 3) for name in ("low", "high", "allowed"))
    where = "below" if test["larger_rise_shown"] else worst["limit_lies"]
    lies = {"above": "<b>rule out</b> more", "below": "<b>show</b> more"}.get(where)
    said = f"these rows {lies or f'<b>cannot rule out</b> {high}'}"
    interval = f"95 % interval of the rise on {whole(test['rows'])} test rows: {low} to {high}"
    return f"{interval}. {allowed} is allowed, and {said}."


def masthead(report: dict[str, Any]) -> str:
    """Write what ran, on what, and how long."""
    made, data = report["environment"], report["data"]
    seconds = sum(step["seconds"] for step in report["steps"])
    left = f"<b>npquant</b> report · {escape(data['name'])} · seed {report['config']['seed']}"
    right = f"npquant {made['npquant']} · Python {made['python']} · NumPy {made['numpy']} · {seconds:.1f} s"
    return f"<header><span>{left}</span><span>{escape(right)}</span></header>"
