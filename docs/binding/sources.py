"""Links to files outside docs/ lead to a copy of the file: Markdown as well, which would else be taken for a page."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from sphinx.application import Sphinx

_LINK: Final = re.compile(r"\]\(((?:\.\./)+[\w./-]+\.md)\)")


def _copies(app: Sphinx, docname: str, source: list[str]) -> None:
    page = Path(app.srcdir, docname)

    def target(found: re.Match[str]) -> str:
        inside = (page.parent / found[1]).resolve().is_relative_to(Path(app.srcdir).resolve())
        return found[0] if inside else f"](<path:{found[1]}>)"

    source[0] = _LINK.sub(target, source[0])


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("source-read", _copies)
    return {"parallel_read_safe": True}
