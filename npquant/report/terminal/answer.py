"""The answer: what was required and reached, how well, how small, and where it is. Four lines on 80 columns.

Legend: report the whole; width of the page in columns.
"""

from __future__ import annotations

from typing import Any

from npquant.budget.decision import REQUIREMENTS
from npquant.report.real_text import nearest_rise
from npquant.report.terminal.figures import change, decibels, listed, rows
from npquant.report.terminal.quality import before_after, lost, quality_name
from npquant.report.text_layout import joined, labelled, wrap

_COLUMN = 12


def answer_lines(report: dict[str, Any], width: int) -> list[str]:
    """Lay out the verdict, with what it may not be read without, then how well and how small, then the files."""
    first, last = report["models"][0], report["models"][-1]
    test, validation = (before_after(first, last, name) for name in ("test", "validation"))
    costs = [change(first[name], last[name], unit) for name, unit in (("bytes", "bytes"), ("macs", "MACs"))]
    answers = f"{test} on test rows, {validation} on validation rows"
    lines = [
        *_verdict(report["budget"], report["model"]["warning"], width),
        *labelled(quality_name(report), answers, width, _COLUMN),
    ]
    lines += labelled("size", ", ".join(costs), width, _COLUMN)
    lines += labelled("files", _files(report), width, _COLUMN)
    return lines


def _verdict(budget: dict[str, Any], warning: str | None, width: int) -> list[str]:
    if budget["met"]:
        return wrap(f"Budget met{'' if warning is None else f', BUT {warning}'}. {lost(budget)}", "", width)
    reasons = listed([REQUIREMENTS[name] for name in budget["failing"]])
    lines = wrap(f"Budget MISSED: {reasons}{'' if warning is None else f', AND {warning}'}. {lost(budget)}", "", width)
    near = budget["nearest"]
    if near is None:
        return lines
    loses = f"{near['drop_points']:.2f} points lost" if "drop_points" in near else nearest_rise(near)
    found = (
        f"{near['bytes']:,} bytes, {near['macs']:,} MACs, {decibels(near['sqnr_db'])} dB, {loses} "
        f"(bits {joined(near['bits'])}, pruning rates {joined(near['rates'])})"
    )
    return [*lines, *labelled("nearest", found, width, _COLUMN)]


def _files(report: dict[str, Any]) -> str:
    exports = len({entry["target"] for entry in report["deployment"]["targets"] if entry["files"]})
    names = ["report.html to look at", "deployed.npz", *([rows(exports, "export")] if exports else [])]
    return f"{', '.join(names)}, in {report['config']['out']}"
