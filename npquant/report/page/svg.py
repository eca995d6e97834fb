"""Marks on a plane, written as SVG: no more than the figures of the page need.

Colours are names of the palette in page.css, never values, so that one drawing serves light and dark ground.

Legend: value a number; x, y in pixels from the upper left; w, h sizes; fill and stroke names of colours, "" for none;
width of a line; d a path's commands; words what is written, plain text; size of type in pixels.
"""

from __future__ import annotations

from html import escape
from itertools import pairwise
from typing import Final

# Widths over size of the widest of the sans-serif faces that page.css names.
_NARROW: Final = frozenset("iljtfrI.,:;|!'()[] ")
_BROAD: Final = frozenset("mwMW@%\N{RIGHTWARDS ARROW}")


def number(value: float) -> str:
    """Write a coordinate with at most one decimal.

    >>> number(12.0), number(0.349), number(-0.01)
    ('12', '0.3', '0')
    """
    text = f"{value:.1f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def text_width(words: str, size: float = 12, *, bold: bool = False) -> float:
    """Estimate how wide words become in the widest face that may stand in; `bold` is wider.

    >>> text_width("iii") < text_width("mmm"), text_width("abc", 24) == 2 * text_width("abc", 12)
    (True, True)
    """
    units = sum(0.34 if sign in _NARROW else 0.92 if sign in _BROAD else 0.6 for sign in words)
    return units * size * (1.06 if bold else 1.0)


def clipped(words: str, room: float, size: float = 12, *, bold: bool = False) -> str:
    """Cut words to a room in pixels, an ellipsis at the end; `bold` as in `text_width`.

    >>> clipped("setosa", 100), clipped("a very long name of a class", 60)
    ('setosa', 'a very lo…')
    """
    if text_width(words, size, bold=bold) <= room:
        return words
    while words and text_width(words + "…", size, bold=bold) > room:
        words = words[:-1]
    return words.rstrip() + "…"


def broken(words: str, room: float, size: float = 12, *, bold: bool = False) -> list[str]:
    """Break words into lines of a room in pixels; `bold` as in `text_width`.

    >>> broken("one two three", 50)
    ['one two', 'three']
    """
    lines: list[str] = []
    for word in words.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and text_width(longer, size, bold=bold) <= room:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


class Drawing:
    """Collect the marks of one figure at one width."""

    def __init__(self, width: float, height: float) -> None:
        self.width, self.height = width, height
        self._marks: list[str] = []

    def rect(self, x: float, y: float, w: float, h: float, fill: str, stroke: str = "", width: float = 1.5) -> None:
        """Draw a box."""
        place = f'x="{number(x)}" y="{number(y)}" width="{number(max(w, 0))}" height="{number(max(h, 0))}"'
        self._marks.append(f"<rect {place}{_painted(fill, stroke, width)}/>")

    def line(
        self, x: float, y: float, to_x: float, to_y: float, stroke: str, width: float = 1.0, dash: str = ""
    ) -> None:
        """Draw a line to (to_x, to_y), dashed by pixels drawn and left out."""
        ends = f'x1="{number(x)}" y1="{number(y)}" x2="{number(to_x)}" y2="{number(to_y)}"'
        dashed = f' stroke-dasharray="{dash}"' if dash else ""
        self._marks.append(f"<line {ends}{_painted('', stroke, width)}{dashed}/>")

    def path(self, d: str, fill: str = "", stroke: str = "", width: float = 1.5, dash: str = "") -> None:
        """Draw any shape; dash as in `line`."""
        dashed = f' stroke-dasharray="{dash}"' if dash else ""
        self._marks.append(f'<path d="{d}"{_painted(fill, stroke, width)}{dashed}/>')

    def steps(self, points: list[tuple[float, float]], stroke: str, width: float = 2.0) -> None:
        """Draw a line through points, in steps: level first, then up or down."""
        start = f"M{number(points[0][0])} {number(points[0][1])}"
        bends = "".join(f"H{number(x)}V{number(y)}" for (_, _), (x, y) in pairwise(points))
        self.path(start + bends, "", stroke, width)

    def circle(self, x: float, y: float, r: float, fill: str, stroke: str = "", width: float = 1.0) -> None:
        """Draw a disc of radius r."""
        place = f'cx="{number(x)}" cy="{number(y)}" r="{number(r)}"'
        self._marks.append(f"<circle {place}{_painted(fill, stroke, width)}/>")

    def cross(self, x: float, y: float, r: float, stroke: str, width: float = 1.8) -> None:
        """Draw an x with arms of r."""
        a = number(2 * r)
        self.path(f"M{number(x - r)} {number(y - r)}l{a} {a}m-{a} 0l{a} -{a}", "", stroke, width)

    def use(self, name: str, x: float, y: float, size: float) -> None:
        """Place the picture of an id that stands in the page once, `size` wide and high."""
        self._marks.append(
            f'<use href="#{name}" x="{number(x)}" y="{number(y)}" width="{number(size)}" height="{number(size)}"/>'
        )

    def text(
        self, x: float, y: float, words: str, size: int = 12, fill: str = "mut", *,
        bold: bool = False, anchor: str = "", halo: bool = False, mono: bool = False,
    ) -> None:  # fmt: skip
        """Write words on the base line y, `bold` or `mono`; anchor "m" or "e" centres them or ends them at x.

        `halo` leaves a rim of ground around them, where they touch data.
        """
        names = [f"t{size}", fill, *(n for n, on in (("b", bold), ("halo", halo), ("mono", mono)) if on), anchor]
        classes = " ".join(filter(None, names))
        self._marks.append(
            f'<text x="{number(x)}" y="{number(y)}" class="{classes}">{escape(words, quote=False)}</text>'
        )

    def markup(self, label: str) -> str:
        """Write the drawing as an element whose label says to those who cannot see it what it shows."""
        w, h = number(self.width), number(self.height)
        head = f'<svg viewBox="0 0 {w} {h}" width="{w}" height="{h}" role="img" aria-label="{escape(label)}">'
        return f"{head}{''.join(self._marks)}</svg>"


def _painted(fill: str, stroke: str, width: float) -> str:
    names = [fill or "none", *([f"s-{stroke}"] if stroke else [])]
    thick = f' stroke-width="{width:g}"' if stroke else ""
    return f' class="{" ".join(names)}"{thick}'
