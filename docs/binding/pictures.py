"""Pictures stand in the page, so that the theme's switch turns their colours and their words can be found.

A figure of docs/figures/plate.py brings a palette of its own, for readers who open it alone; here the page's governs.
"""

from __future__ import annotations

import re
from html import escape
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.writers.html5 import HTML5Translator


def inlined(svg: str, words: str) -> str:
    """Return a figure without its own style and ground, said in words for those who cannot see it."""
    body = re.sub(
        r'<title>.*?</title>|<desc>.*?</desc>|<style>.*?</style>|<rect class="bg" width="100%"[^>]*>', "", svg
    )
    width, height = re.findall(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', body)[0]
    size = f'<svg width="{width}" height="{height}" aria-label="{escape(words)}"'
    return f'<div class="plate">{body.strip().replace("<svg", size, 1)}</div>\n'


def _picture(self: HTML5Translator, node: nodes.image) -> None:
    path = Path(self.builder.srcdir, node["uri"])
    svg = path.read_text(encoding="utf-8") if path.suffix == ".svg" and path.exists() else ""
    if 'class="bg"' not in svg:
        HTML5Translator.visit_image(self, node)
        return
    self.body.append(inlined(svg, node.get("alt", "")))
    raise nodes.SkipNode


def _end(self: HTML5Translator, node: nodes.image) -> None:
    HTML5Translator.depart_image(self, node)


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.add_node(nodes.image, override=True, html=(_picture, _end))
    return {"parallel_read_safe": True}
