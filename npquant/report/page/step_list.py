"""The eight steps, what each did, and its seconds.

Legend: report the whole.
"""

from __future__ import annotations

from html import escape
from typing import Any, Final

from npquant.report.page.words import duration, figures, is_real, whole, widths
from npquant.report.real_text import by_output
from npquant.report.text_layout import chain

_NAMES: Final = ("Float model", "Split", "Thresholds", "Quantize", "Check", "Prune", "Check", "Deploy")


def write_steps(report: dict[str, Any]) -> str:
    """Write them as a list: a row on a desk, a column on a phone."""
    told = steps_did(report)
    items = (
        f"<li><i>{step['number']}</i><b>{name}</b><span>{escape(did)}</span><small>{duration(step['seconds'])}</small></li>"
        for step, name, did in zip(report["steps"], _NAMES, told, strict=True)
    )
    return f'<ol class="steps wide">{"".join(items)}</ol>'


def steps_did(report: dict[str, Any]) -> tuple[str, ...]:
    """Say in a clause what each step did."""
    first, rows = report["models"][0], report["data"]["rows"]
    tried = len(report["budget"]["frontier"])
    shape = chain((report["data"]["features"], *first["neurons"]))
    return (
        f"{shape}, {report['model']['source']}",
        f"{whole(rows['train'])} / {whole(rows['validation'])} / {whole(rows['test'])} rows",
        f"{whole(tried)} candidate{'s' * (tried != 1)} tried",
        f"{widths(report).removesuffix(' integers')} weights",
        _checked(report, 5, "rectified"),
        _pruned(report),
        _checked(report, 7, "pruned"),
        _deployed(report),
    )


def _checked(report: dict[str, Any], step: int, name: str) -> str:
    found = next(
        e for e in report["comparisons"] if (e["step"], e["reference"], e["candidate"]) == (step, "float", name)
    )
    if is_real(report):
        rises = found["rmse_rise"]
        if len(rises) == 1 and rises[0] is not None:
            return f"RMSE {'down' if rises[0] < 0 else 'up'} by {figures(abs(rises[0]))}"
        return f"RMSE up by {by_output(rises, 2)}"
    return f"{found['mcnemar']['b']:,} lost, {found['mcnemar']['c']:,} won of {found['rows']:,}"


def _pruned(report: dict[str, Any]) -> str:
    gone = sum(sum(layer.values()) for layer in report["pruning"]["removed"])
    hidden = sum(report["models"][0]["neurons"][:-1])
    return f"{whole(gone)} of {whole(hidden)} neurons go" if gone else "no neuron goes"


def _deployed(report: dict[str, Any]) -> str:
    targets = report["deployment"]["targets"]
    equal = sum(bool(target["equal"]) for target in targets)
    return f"read back, same codes{f'; {equal} export runs equal' if equal else ''}"
