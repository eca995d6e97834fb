"""A label leads to its equation: each R and C that a page or card names is a link to its row of docs/equations.md."""

from __future__ import annotations

import re
from pathlib import Path
from typing import ClassVar, Final

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform

PAGE: Final = "equations"
_ROW: Final = re.compile(r"^\| ([RC]\d+) \|", re.MULTILINE)
_TEXT: Final = re.compile(r"\b([RC]\d{1,3})\b")
# What is a link already, a name, or shown as it stands.
_APART: Final = (nodes.reference, nodes.literal, nodes.literal_block, nodes.doctest_block, nodes.title, nodes.math)


def rows() -> frozenset[str]:
    """Return the labels that have a row."""
    return frozenset(_ROW.findall((Path(__file__).parents[1] / f"{PAGE}.md").read_text(encoding="utf-8")))


ROWS: Final = rows()


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
        page = self.app.builder.get_relative_uri(self.env.docname, PAGE)
        for text in list(self.document.findall(nodes.Text)) if self.env.docname != PAGE else ():
            if not any(isinstance(above, _APART) for above in ancestors(text)) and _TEXT.search(text):
                text.parent.replace(text, [linked(part, page) for part in _TEXT.split(text) if part])


def ancestors(node: nodes.Node) -> list[nodes.Node]:
    """Return what a node stands in, from the inside out."""
    found = []
    while node.parent is not None:
        node = node.parent
        found.append(node)
    return found


def linked(part: str, page: str) -> nodes.Node:
    """Return a label as a link, other words as they are."""
    if part not in ROWS:
        return nodes.Text(part)
    return nodes.reference(part, part, refuri=f"{page}#{part}", internal=True, classes=["label"])


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.add_post_transform(Rows)
    app.add_post_transform(Links)
    return {"parallel_read_safe": True}
