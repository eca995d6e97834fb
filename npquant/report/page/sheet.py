"""The whole page: one HTML file with its style and its pictures inside, and nothing that is fetched or run.

Legend: report the whole, as `run_workflow` returns it or report.json holds it.
"""

from __future__ import annotations

from html import escape
from importlib import resources
from typing import Any

from npquant.report.page.accumulators import accumulators
from npquant.report.page.bytes_field import bytes_field
from npquant.report.page.coins import coins
from npquant.report.page.confusion import confusion
from npquant.report.page.data_set import data_set, notes
from npquant.report.page.decibels import decibels
from npquant.report.page.disputed import disputed
from npquant.report.page.engines import engines, exports
from npquant.report.page.figure import Figure, Section, draw_figure, write_section
from npquant.report.page.frontier import frontier
from npquant.report.page.headline import headline
from npquant.report.page.interval import interval
from npquant.report.page.latency import latency
from npquant.report.page.matrices import matrices
from npquant.report.page.neurons import neurons
from npquant.report.page.output_codes import output_codes
from npquant.report.page.parts import parts_of_file
from npquant.report.page.pixel_pictures import picture_symbols
from npquant.report.page.real_values import real_values
from npquant.report.page.rounding_error import rounding_error
from npquant.report.page.squares import squares
from npquant.report.page.step_list import write_steps
from npquant.report.page.tiles import write_tiles
from npquant.report.page.verdict import masthead, sure_columns, verdict_lines
from npquant.report.page.weight_codes import weight_codes
from npquant.report.page.words import is_real


def render_page(report: dict[str, Any]) -> str:
    """Draw a report as a page.

    ValueError if the report has no pictures, as those of earlier versions.
    """
    if "pictures" not in report:
        raise ValueError("the report has no key 'pictures', it is an earlier version's; run npquant run once more")
    style = (resources.files("npquant.report.page") / "page.css").read_text(encoding="utf-8")
    parts = [section for section in _sections(report) if section.body]
    links = "".join(f'<a href="#{part.name}">{part.short}</a>' for part in parts)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta name="color-scheme" content="light dark"><link rel="icon" href="data:,">'
        f"<title>{escape(headline(report))}: npquant</title><style>{style}</style></head><body>"
        f"{picture_symbols(report)}{masthead(report)}<main>{verdict_lines(report)}{draw_figure(bytes_field(report))}"
        f"{sure_columns(report)}{write_tiles(report)}<nav>{links}</nav>{''.join(map(write_section, parts))}</main>"
        "<footer>Everything on this page comes from report.json beside it; docs/report.md says what each number is."
        "</footer></body></html>\n"
    )


def _sections(report: dict[str, Any]) -> tuple[Section, ...]:
    pruned = _present(neurons(report)) or ("<p>No neuron was pruned: all of them stay.</p>",)
    proven = _present(accumulators(report), rounding_error(report))
    deployed = _present(parts_of_file(report), latency(report), engines(report), exports(report))
    quantized = _present(matrices(report), weight_codes(report), decibels(report), output_codes(report))
    return (
        Section("steps", "The eight steps", "Eight steps", "", (write_steps(report),)),
        Section("sure", "How sure is that?", "How sure", "step 8, test rows, opened once", _sure(report), fresh=True),
        Section("tried", "What was tried", "Search", "step 3, validation rows", (frontier(report),), fresh=True),
        Section("quantized", "Quantized", "Quantize", "steps 4 and 5", quantized, fresh=True),
        Section("pruned", "Pruned", "Prune", "steps 6 and 7", pruned, fresh=True),
        Section("proven", "What is proven", "Proofs", "", proven),
        Section("deployed", "Deployed", "Deployed", "step 8", deployed, fresh=True),
        Section("rows", "The data, and what it cannot say", "Data", "", (data_set(report), notes(report))),
    )


def _present(*parts: Figure | str | None) -> tuple[Figure | str, ...]:
    return tuple(part for part in parts if part is not None)


def _sure(report: dict[str, Any]) -> tuple[Figure | str, ...]:
    if is_real(report):
        return interval(report), real_values(report)
    left, right = _stacked(squares(report), coins(report)), _stacked(interval(report), confusion(report))
    return _present(left, right, disputed(report))


def _stacked(*figures: Figure | None) -> str:
    """Put figures into one column of two."""
    return f'<div class="col">{"".join(draw_figure(figure) for figure in figures if figure is not None)}</div>'
