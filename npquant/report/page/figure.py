"""A figure of the page: its finding, what is drawn, and the drawing at two widths, of which the page shows one.

Legend: report the whole; figure one record, section one part of the page.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import Final

from npquant.report.page.svg import Drawing

PHONE: Final = 358
COLUMN: Final = 536
PAGE: Final = 1120


@dataclass(frozen=True, slots=True)
class Figure:
    """Hold what the page shows and says of one picture."""

    name: str  # of the element
    title: str  # the finding; "" where a headline has said it
    sub: str  # what is drawn
    label: str  # what is shown, with its numbers, for those who cannot see it
    draw: Callable[[float], Drawing]  # at a width in pixels
    note: str = ""
    wide: bool = False  # across the page, not in one of its two columns


@dataclass(frozen=True, slots=True)
class Section:
    """Hold a part of the page: figures and blocks of markup, in order."""

    name: str
    title: str
    short: str  # the title in the list of parts
    aside: str
    body: tuple[Figure | str, ...]
    fresh: bool = False  # begins a sheet of paper


def draw_figure(figure: Figure) -> str:
    """Write a figure, drawn for a desk and for a phone.

    >>> one = Figure("x", "A < B", "what", "all", lambda width: Drawing(width, 10))
    >>> "<h3>A &lt; B</h3>" in draw_figure(one), draw_figure(one).count("<svg")
    (True, 2)
    """
    parts = [f'<figure id="{figure.name}"{" class=wide" if figure.wide else ""}>']
    parts += [f"<h3>{escape(figure.title, quote=False)}</h3>"] if figure.title else []
    parts += [f'<p class="sub">{escape(figure.sub, quote=False)}</p>'] if figure.sub else []
    for name, width in (("w", PAGE if figure.wide else COLUMN), ("n", PHONE)):
        parts.append(f'<div class="{name}">{figure.draw(width).markup(figure.label)}</div>')
    parts += [f'<p class="note">{escape(figure.note, quote=False)}</p>'] if figure.note else []
    return "".join([*parts, "</figure>"])


def write_section(section: Section) -> str:
    """Write a part of the page; nothing where it has no body."""
    if not section.body:
        return ""
    inner = "".join(part if isinstance(part, str) else draw_figure(part) for part in section.body)
    return (
        f'<section id="{section.name}"{" class=fresh" if section.fresh else ""}>'
        f"<header><h2>{escape(section.title)}</h2><p>{escape(section.aside)}</p></header>"
        f'<div class="cols">{inner}</div></section>'
    )
