"""Mathematics as MathML, which browsers draw themselves: no script, no font to fetch.

`\\tag{R9}` becomes the label at the right, and a link to its row of the page of equations.
"""

from __future__ import annotations

import re
from html import escape

from docutils import nodes
from labels import place_of
from latex2mathml.converter import convert
from sphinx.application import Sphinx
from sphinx.writers.html5 import HTML5Translator

TAG = re.compile(r"\\tag\{([^}]*)\}")


# What latex2mathml makes of ":=", a name and a relation, far from each other.
_BECOMES = "<mi>:</mi><mo>&#x0003D;</mo>"


def mathml(latex: str, *, display: bool = False) -> str:
    r"""Return MathML for what latex2mathml reads, and for four things that it does not; ValueError for the rest.

    >>> "mtable" in mathml(r"\begin{aligned} a &= b \\ &= c \end{aligned}"), "a_b" in mathml(r"\operatorname{a\_b}")
    (True, True)
    """
    latex = latex.replace("{aligned}", "{align*}")
    latex = re.sub(r"\\(?:operatorname|text|mathrm)\{([^{}]*\\_[^{}]*)\}", _words, latex)
    found = convert(latex, display="block" if display else "inline").replace(_BECOMES, "<mo>&#x2254;</mo>")
    if "<mi>&</mi>" in found or re.search(r">\\\w+<", found):
        raise ValueError(f"latex2mathml does not read {latex!r}")
    return found


def _words(found: re.Match[str]) -> str:
    return rf"\text{{{found[1]}}}".replace(r"\_", "_")


def _inline(self: HTML5Translator, node: nodes.math) -> None:
    self.body.append(mathml(node.astext()))
    raise nodes.SkipNode


def _display(self: HTML5Translator, node: nodes.math_block) -> None:
    text = node.astext()
    tags = "".join(f'<span class="tag">{label(self, name)}</span>' for name in TAG.findall(text))
    formula = mathml(TAG.sub("", text).strip(), display=True)
    self.body.append(f'<div class="formula"><div class="scrolls">{formula}</div>{tags}</div>\n')
    raise nodes.SkipNode


def label(self: HTML5Translator, name: str) -> str:
    """Write a label as a link to its equation, where another page has it."""
    place = place_of(name, self.builder.app, self.builder.current_docname)
    return f'<a href="{place}">{name}</a>' if place else escape(name)


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.add_html_math_renderer("mathml", (_inline, None), (_display, None))
    return {"parallel_read_safe": True}
