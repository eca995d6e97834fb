"""Where a label is derived: the first page, in the order of the book, that writes its equation out.

Legend: name of a label (R9); text of a page; pages of the book in order, path from docs/ -> text.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

DOCS: Final = Path(__file__).parent
# Lists of labels, and what was decided when: they derive nothing.
NO_DERIVATIONS: Final = ("equations.md", "labels.md", "index.md", "api.md")
LABEL: Final = re.compile(r"(?<!\bESP32-)\b([A-Z])(\d{1,3})\b")
_SPAN: Final = re.compile(r"\b([A-Z])(\d{1,3})(?:-| to |\.\.)\1(\d{1,3})\b")
# A formula says its label at its end, a line of a plain block at its beginning.
_DISPLAYED: Final = re.compile(r"\\tag\{([A-Z]\d{1,3})\}|^    ([A-Z]\d{1,3})'?  ", re.MULTILINE)


def book() -> dict[str, str]:
    """Return the pages: chapters by number, then appendices as the cover lists them."""
    listed = re.findall(r"\]\(([\w/-]+\.md)\)", (DOCS / "index.md").read_text(encoding="utf-8"))
    chapters = sorted(f"book/{path.name}" for path in (DOCS / "book").glob("*.md"))
    order = dict.fromkeys([*chapters, *listed])
    kept = [name for name in order if name not in NO_DERIVATIONS and not name.startswith("decisions")]
    return {name: (DOCS / name).read_text(encoding="utf-8") for name in kept if (DOCS / name).exists()}


def labels_in(text: str) -> set[str]:
    """Return the labels that stand in a text, those inside a span ("R20 to R23") included."""
    found = {letter + number for letter, number in LABEL.findall(text)}
    for letter, low, high in _SPAN.findall(text):
        found |= {f"{letter}{number}" for number in range(int(low), int(high) + 1)}
    return found


def displayed(text: str) -> dict[str, int]:
    """Return where the formulas of a page stand, by label."""
    return {found[1] or found[2]: found.start() for found in reversed(list(_DISPLAYED.finditer(text)))}


def named(text: str) -> dict[str, int]:
    """Return where each label of a page first stands."""
    lines = reversed(list(re.finditer(r"^.+$", text, re.MULTILINE)))
    return {name: line.start() for line in lines for name in labels_in(line[0])}


def anchor(text: str, place: int) -> str:
    """Return the anchor of the heading above a line, or on it, as GitHub writes it; "" for the page's own heading."""
    above = re.sub(r"^```.*?^```", "", text[: text.index("\n", place)], flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^##+ (.*)$", above, re.MULTILINE)
    if not headings:
        return ""
    return "#" + re.sub(r"[^\w\- ]", "", headings[-1].lower()).replace(" ", "-")


def derivations(pages: dict[str, str]) -> dict[str, str]:
    """Return a link for each label: to the first formula that has it, else to the first place that names it."""
    found: dict[str, str] = {}
    for places_of in (displayed, named):
        for page, text in pages.items():
            for name, place in places_of(text).items():
                found.setdefault(name, f"[{title(page)}]({page}{anchor(text, place)})")
    return found


def title(page: str) -> str:
    """Return what a link to a page is called: a chapter by its number, another page by its file."""
    chapter = re.match(r"book/(\d+)", page)
    return f"chapter {int(chapter[1])}" if chapter else page.removesuffix(".md")
