"""The page: the answer first, then the steps, all networks, how sure the answer is, and what a reader must know."""

from __future__ import annotations

from typing import Any

from npquant.report.terminal.answer import answer_lines
from npquant.report.terminal.details import detail_sections
from npquant.report.terminal.figures import percent
from npquant.report.terminal.quality import cells, is_real
from npquant.report.terminal.steps import step_lines
from npquant.report.text_layout import WIDTH, chain, joined, labelled, table, wrap


def render_report(report: dict[str, Any], *, width: int = WIDTH, verbose: bool = False) -> str:
    """Lay out a `report`, as `run_workflow` returns it, as lines of at most `width` columns, the last one ended.

    `verbose` adds the figures by layer.
    """
    sections = [
        answer_lines(report, width),
        step_lines(report, width),
        _models(report, width),
        *(detail_sections(report, width) if verbose else ()),
        _evidence(report, width),
    ]
    return "\n\n".join("\n".join(lines) for lines in sections if lines) + "\n"


def _models(report: dict[str, Any], width: int) -> list[str]:
    models, real = report["models"], is_real(report)
    units = ("RMSE", "R2") if real else ("%",)
    rows = [
        (
            model["name"],
            joined(model["bits"]),
            chain(model["neurons"]),
            f"{model['bytes']:,}",
            f"{models[0]['bytes'] / model['bytes']:.1f}x",
            f"{model['macs']:,}",
            *cells(model, "validation"),
            *cells(model, "test"),
            *([] if real else [percent(model["agreement"])]),
        )
        for model in models
    ]
    head = (
        "network",
        "bits",
        "neurons",
        "bytes",
        "smaller",
        "MACs",
        *(f"{rows_of} {unit}" for rows_of in ("valid.", "test") for unit in units),
        *([] if real else ["agree %"]),
    )
    title = "All networks (MACs: products a row; the test rows were opened once, for this table)"
    return [*wrap(title, "", width), *table(head, rows, text_columns=3, width=width)]


def _evidence(report: dict[str, Any], width: int) -> list[str]:
    """Say how sure the verdict is, and what else a reader must know."""
    budget = report["budget"]
    lines = ["How sure, and what to know"]
    for name, evidence in (("validation", budget.get("drop") or budget.get("rise")), ("test", budget["test"])):
        if evidence is not None:
            lines += labelled(name, f"{evidence['reason']}.", width, 14)
    for note in report["notes"]:
        lines += wrap(note, "  - ", width, hang=0)
    return lines
