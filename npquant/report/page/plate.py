"""A figure that stands alone: one SVG, its finding on top, for light and for dark ground.

Colours are names of the page's palette (page.css), of which the file carries both halves.

Legend: plate the figure; body its marks.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape
from importlib import resources
from typing import Final

from npquant.report.page.svg import Drawing, broken, number

WIDTH: Final = 760
FACES: Final = (
    '-apple-system,"Segoe UI",Roboto,"Noto Sans","Liberation Sans",Arial,sans-serif',
    'ui-monospace,"SF Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace',
)
LINE: Final = 24  # pixels from one line of a title to the next


@dataclass(frozen=True, slots=True)
class Plate:
    """Hold one figure."""

    name: str  # of the file, without ending
    title: str  # the finding
    sub: str  # what is drawn, axes and units
    label: str  # the whole in words for those who cannot see it, with its numbers
    drawing: Drawing  # the marks, `WIDTH` wide


def svg_of(plate: Plate) -> str:
    """Write a figure: title, what is drawn, the marks under them."""
    titles, subs = broken(plate.title, WIDTH, 20, bold=True), broken(plate.sub, WIDTH, 14)
    top = LINE * len(titles)
    lines = [_line("title ink", 20 + LINE * i, words) for i, words in enumerate(titles)]
    lines += [_line("t14 mut", top + 18 + 20 * i, words) for i, words in enumerate(subs)]
    top += 20 * len(subs) + 20
    marks = plate.drawing.markup("").replace(' role="img" aria-label=""', "", 1)
    body = "".join(lines) + f'<svg y="{top}"{marks.removeprefix("<svg")}'
    size = f'viewBox="0 0 {WIDTH} {number(top + plate.drawing.height)}"'
    said = f"<title>{escape(plate.title)}</title><desc>{escape(plate.label)}</desc>"
    # A ground of its own: the page around it may be dark where the reader's system is light.
    head = f'{said}<style>{style_of(body)}</style><rect class="bg" width="100%" height="100%"/>'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">{head}{body}</svg>\n'


def _line(names: str, y: int, words: str) -> str:
    return f'<text class="{names}" y="{y}">{escape(words, quote=False)}</text>'


def style_of(body: str) -> str:
    """Return the rules of the page's style that the marks use, and both palettes."""
    sheet = (resources.files("npquant.report.page") / "page.css").read_text(encoding="utf-8")
    light, dark = re.findall(r":root\{(?:color-scheme:light dark;)?([^}]*)\}", sheet)
    used = {name for names in re.findall(r'class="([^"]*)"', body) for name in names.split()} | {"bg"}
    # `.name{...}` alone at a rule's start: the first of a name is its colour or size, the others are a phone's.
    found = dict(reversed(re.findall(r"(?<=[}\n])\.([\w-]+)(\{[^}]*\})", sheet)))
    rules = "".join(f".{name}{rule}" for name, rule in sorted(found.items()) if name in used)
    light, dark = light.replace("\n", ""), dark.replace("\n", "")
    return (
        f"svg{{{light};font-family:{FACES[0]};font-variant-numeric:tabular-nums}}"
        f"@media (prefers-color-scheme:dark){{svg{{{dark}}}}}"
        f"{rules}.title{{font-size:20px;font-weight:650}}.mono{{font-family:{FACES[1]}}}"
    )
