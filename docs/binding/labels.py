"""A label leads to its equation: R and C to their row of docs/equations.md, others to the page that derives them."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import ClassVar, Final

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform

PAGE: Final = "equations"
_ROW: Final = re.compile(r"^\| ([RC]\d+) \|", re.MULTILINE)
_TEXT: Final = re.compile(r"(?<![\w-])([A-Z]\d{1,3})\b")
# What is a link already, a name, or shown as it stands.
_APART: Final = (nodes.reference, nodes.literal, nodes.literal_block, nodes.doctest_block, nodes.title, nodes.math)


def rows() -> frozenset[str]:
    """Return the labels that have a row."""
    return frozenset(_ROW.findall((Path(__file__).parents[1] / f"{PAGE}.md").read_text(encoding="utf-8")))


ROWS: Final = rows()


def places() -> dict[str, tuple[str, str]]:
    """Return page and anchor of the first formula of each label, in the order of the book, or of its row."""
    labels = runpy.run_path(str(Path(__file__).parents[1] / "label_pages.py"))
    found: dict[str, tuple[str, str]] = {name: (PAGE, f"#{name}") for name in ROWS}
    for page, text in labels["book"]().items():
        for name, place in labels["displayed"](text).items():
            found.setdefault(name, (page.removesuffix(".md"), labels["anchor"](text, place)))
    return found


PLACES: Final = places()


def place_of(name: str, app: Sphinx, here: str) -> str:
    """Return the address of a label's equation, seen from the page `here`; "" if that is the page, or there is none."""
    page, anchor = PLACES.get(name, (here, ""))
    return "" if page == here else app.builder.get_relative_uri(here, page) + anchor


class Rows(SphinxPostTransform):
    """Give each row of the page of equations its label as its id: the first, where several forms share one."""

    default_priority = 400

    def run(self, **_: object) -> None:
        """Called by Sphinx."""
        seen = set()
        for row in self.document.findall(nodes.row) if self.env.docname == PAGE else ():
            name = row.children[0].astext()
            if name in ROWS and name not in seen:
                row["ids"].append(name)
                seen.add(name)


class Links(SphinxPostTransform):
    """Make labels links."""

    default_priority = 401
    formats: ClassVar = ("html",)

    def run(self, **_: object) -> None:
        """Called by Sphinx."""
        here = self.env.docname
        for text in list(self.document.findall(nodes.Text)) if here != PAGE else ():
            if not any(isinstance(above, _APART) for above in ancestors(text)) and _TEXT.search(text):
                parts = [(part, place_of(part, self.app, here)) for part in _TEXT.split(text) if part]
                text.parent.replace(text, [linked(part, place) for part, place in parts])


def ancestors(node: nodes.Node) -> list[nodes.Node]:
    """Return what a node stands in, from the inside out."""
    found = []
    while node.parent is not None:
        node = node.parent
        found.append(node)
    return found


def linked(part: str, place: str) -> nodes.Node:
    """Return a label that has a place as a link to it, other words as they are."""
    return nodes.reference(part, part, refuri=place, internal=True, classes=["label"]) if place else nodes.Text(part)


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.add_post_transform(Rows)
    app.add_post_transform(Links)
    return {"parallel_read_safe": True}
