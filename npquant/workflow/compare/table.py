"""A comparison as text, CSV and JSON: first who is ahead of the first method and who behind, then the figures.

Legend: found the comparison; pair a method beside the first; width in columns; bits a width of weights; value a
ratio.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from math import fsum, isfinite, isnan, nan
from typing import Any

from npquant.compression.chain.weight_codes import Bits
from npquant.measure.real_targets import in_digits
from npquant.report.text_layout import chain, labelled, table, wrap
from npquant.workflow.compare.methods import width_name
from npquant.workflow.compare.pairs import AHEAD, BEHIND, LEAST_DIVERGENCE, OPEN, Estimate, Pair
from npquant.workflow.compare.run import MethodComparison
from npquant.workflow.compare.trial import Row


def divergence_name(found: MethodComparison) -> str:
    """Name how far answers lie from the float network's: KL, of real targets the divergence."""
    return "KL" if found.kind == "classes" else "divergence"


def comparison_sections(found: MethodComparison, width: int) -> list[list[str]]:
    """Lay a comparison out for a terminal: the answer, what was compared, a table a width, what the figures mean."""
    return [
        _answer(found, width),
        _setting(found, width),
        *(_figures(found, bits, width) for bits in found.bits),
        wrap(_meaning(found), "", width),
    ]


def comparison_csv(found: MethodComparison) -> bytes:
    """Write a line a row; of real targets RMSE and R2 stand where classes have accuracy, and rows lost and won."""
    text = io.StringIO()
    lines = [row_json(found, row) for row in found.rows]
    writer = csv.DictWriter(text, list(lines[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: f"{v:.9g}" if isinstance(v, float) else v for name, v in line.items()} for line in lines)
    return text.getvalue().encode("utf-8")


def comparison_json(found: MethodComparison) -> dict[str, Any]:
    """Return all that was found, as JSON has it; floats are not rounded yet."""
    return {
        "command": "compare",
        "data": found.data,
        "kind": found.kind,
        "neurons": found.neurons,
        "activation": found.activation,
        "first": found.methods[0],
        "methods": found.methods,
        "bits": found.bits,
        "seeds": found.seeds,
        "rows": [row_json(found, row) for row in found.rows],
        "pairs": [pair.to_json() for pair in found.pairs],
    }


def row_json(found: MethodComparison, row: Row) -> dict[str, Any]:
    """Name the figures of a row."""
    asked: dict[str, Any] = {"method": row.method, "bits": row.bits, "seed": row.seed}
    if found.kind == "classes":
        scores: dict[str, Any] = {"accuracy_float": row.floating.value, "accuracy": row.score.value}
        scores |= {"rows_lost": row.lost, "rows_won": row.won}
    else:
        scores = {"rmse_float": row.floating.value, "rmse": row.score.value}
        scores |= {"r2_float": row.floating.r2, "r2": row.score.r2}
    return {**asked, **scores, divergence_name(found).lower(): row.divergence, "seconds": row.seconds}


def verdict_words(found: MethodComparison, bits: Bits) -> str:
    """Say who is ahead of the first method at a width, who behind, and who not told apart from it."""
    pairs = [pair for pair in found.pairs if pair.bits == bits]
    if len(found.seeds) == 1:
        groups = [("lower", [p for p in pairs if p.divergence.value < 1])]
        groups += [("higher", [p for p in pairs if p.divergence.value > 1])]
        groups += [("the same", [p for p in pairs if p.divergence.value == 1])]
    else:
        words = ((AHEAD, "ahead"), (BEHIND, "behind"), (OPEN, "not told apart"))
        groups = [(said, [pair for pair in pairs if pair.verdict == verdict]) for verdict, said in words]
    return "; ".join(f"{said}: {_listed(group)}" for said, group in groups if group)


def ratio(value: float) -> str:
    """Write a ratio.

    >>> ratio(0.5349), ratio(0.0123), ratio(45.24), ratio(361723.6)
    ('0.53', '0.012', '45', '361,700')
    """
    if 1000 <= value < 1e9:
        return f"{float(f'{value:.4g}'):,.0f}"
    return f"{value:.2f}" if 0.1 <= value < 10 else in_digits(value, 2)


def _listed(pairs: Sequence[Pair]) -> str:
    ordered = sorted(pairs, key=lambda pair: pair.divergence.value)
    return ", ".join(f"{pair.method} ({ratio(pair.divergence.value)})" for pair in ordered)


def _answer(found: MethodComparison, width: int) -> list[str]:
    name, first, count = divergence_name(found), found.methods[0], len(found.seeds)
    over = f"over {count} seeds" if count > 1 else "on one seed, which tells no method from luck"
    title = f"Against {first}, in {name} to the float network, {over} (in brackets: {name} over {first}'s):"
    column = max(len(width_name(bits)) for bits in found.bits) + 4
    lines = [line for bits in found.bits for line in _said(found, bits, width, column)]
    return [*wrap(title, "", width), *lines]


def _said(found: MethodComparison, bits: Bits, width: int, column: int) -> list[str]:
    return labelled(width_name(bits), verdict_words(found, bits), width, column)


def _setting(found: MethodComparison, width: int) -> list[str]:
    floats = {row.seed: row.floating for row in found.rows}.values()
    values = [score.value for score in floats]
    classes = found.kind == "classes"
    score, unit = ("accuracy", " %") if classes else ("RMSE", "")
    low, high = (f"{end:.2f}" if classes else in_digits(end) for end in (min(values), max(values)))
    spread = f"{low}{unit}" if low == high else f"{low} to {high}{unit}"
    seeds = f"seed{'s' * (len(found.seeds) > 1)} {', '.join(map(str, found.seeds))}"
    line = f"{found.data}: {chain(found.neurons)}, {found.activation}; {seeds}; float {score} {spread} on test rows"
    return wrap(line, "", width)


def _figures(found: MethodComparison, bits: Bits, width: int) -> list[str]:
    """Lay out one width: means over seeds, then what stands beside the first method."""
    name = divergence_name(found)
    scores = ("test %", "lost", name, f"{name} ratio", "points")
    if found.kind != "classes":
        scores = ("RMSE", "R2", name, "ratio", "RMSE more")
    pairs = {pair.method: pair for pair in found.pairs if pair.bits == bits}
    lines = []
    for method in found.methods:
        rows = [row for row in found.rows if (row.method, row.bits) == (method, bits)]
        ratios, more, time = _beside(found, pairs.get(method))
        seconds = in_digits(_mean([row.seconds for row in rows]), 2)
        lines.append((method, *_means(found, rows), ratios, more, seconds, time))
    return table((width_name(bits), *scores, "CPU s", "time"), lines, width=width)


def _means(found: MethodComparison, rows: Sequence[Row]) -> tuple[str, str, str]:
    value, divergence = _mean([row.score.value for row in rows]), in_digits(_mean([row.divergence for row in rows]), 3)
    if found.kind == "classes":
        return f"{value:.2f}", _points(-_mean([row.gained for row in rows]), ""), divergence
    r2 = _mean([nan if row.score.r2 is None else row.score.r2 for row in rows])
    return in_digits(value), "-" if isnan(r2) else in_digits(r2), divergence


def _beside(found: MethodComparison, pair: Pair | None) -> tuple[str, str, str]:
    """Write the ratio of divergences, the difference of scores and the ratio of times; dashes for the first method."""
    if pair is None:
        return "-", "-", "-"
    points = found.kind == "classes"
    return (
        _with_ends(pair.divergence, ratio),
        _with_ends(pair.score, lambda value: _points(value, "+") if points else in_digits(value, 3)),
        ratio(pair.seconds.value),
    )


def _points(value: float, sign: str) -> str:
    """Write points of accuracy, never minus nothing.

    >>> _points(-0.001, "+"), _points(1.5, "+"), _points(1.5, "")
    ('0.00', '+1.50', '1.50')
    """
    text = f"{value:{sign}.2f}"
    return text if text.strip("+-0.") else "0.00"


def _with_ends(estimate: Estimate, write: Callable[[float], str]) -> str:
    if not isfinite(estimate.low):
        return write(estimate.value)
    high = write(estimate.high) if isfinite(estimate.high) else "inf"
    return f"{write(estimate.value)} ({write(estimate.low)}..{high})"


def _meaning(found: MethodComparison) -> str:
    """Say what the columns are."""
    name, first = divergence_name(found), found.methods[0]
    apart = (
        "KL: to the float network, in nats"
        if found.kind == "classes"
        else "divergence: mean square of what is answered otherwise than by the float network, over the targets' spread"
    )
    lost = "lost: points less than the float network; " if found.kind == "classes" else ""
    beside = f"ratios and differences: to {first}, paired by seed"
    if len(found.seeds) == 1:
        return f"{lost}{apart}; {beside}; one seed has no interval: ask for more."
    ends = f"geometric means for ratios, in brackets 95 % intervals (T4), each for its pair alone; {name} below"
    return f"{lost}{apart}; {beside}; {ends} {LEAST_DIVERGENCE:g} counts as that."


def _mean(values: Sequence[float]) -> float:
    return fsum(values) / len(values)
