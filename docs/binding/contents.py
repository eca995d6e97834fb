"""The table of contents is the cover: its lists of links, heading by heading, are the order of the appendices.

The chapters of docs/book/ come first, by number. A page that is on no list is an orphan, which Sphinx complains about.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from sphinx.application import Sphinx

LISTS: Final = ("index", "decisions/README")
# Under these headings stand ways into the book, not its parts.
WAYS_IN: Final = ("Where to start",)
_LINK: Final = re.compile(r"\]\(([\w/.-]+)\.(?:md|rst)\)")


def toctrees(text: str, seen: list[str]) -> list[str]:
    """Return a hidden toctree for each section of a cover that has links to pages not seen yet, each page once."""
    trees = []
    for section in re.split(r"^(?=## )", text, flags=re.MULTILINE):
        heading = re.match(r"## (.*)", section)
        caption = heading[1] if heading else ""
        pages = [page for page in dict.fromkeys(_LINK.findall(section)) if page not in seen]
        if pages and caption not in WAYS_IN:
            trees.append(tree(pages, caption))
            seen = [*seen, *pages]
    return trees


def tree(pages: list[str], caption: str) -> str:
    """Return a hidden toctree."""
    head = ["```{toctree}", ":hidden:", *([f":caption: {caption}"] if caption else []), ""]
    return "\n".join([*head, *pages, "```"])


def _add_toctrees(app: Sphinx, docname: str, source: list[str]) -> None:
    if docname in LISTS:
        chapters = sorted(f"book/{path.stem}" for path in Path(app.srcdir, "book").glob("*.md"))
        trees = [tree(chapters, "The book")] if docname == "index" and chapters else []
        source[0] += "\n\n" + "\n\n".join([*trees, *toctrees(source[0], chapters)]) + "\n"


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("source-read", _add_toctrees)
    # A chapter that is new changes them, though their own files stand as they were.
    app.connect("env-get-outdated", lambda app, env, added, changed, removed: list(LISTS))
    return {"parallel_read_safe": True}
