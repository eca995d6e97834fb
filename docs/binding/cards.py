"""Cards are plain words and code: what reStructuredText would read into them is said not to be there."""

from __future__ import annotations

import re
import runpy
from importlib import import_module
from pathlib import Path
from typing import Final

from sphinx.application import Sphinx

_API: Final = runpy.run_path(str(Path(__file__).parents[1] / "generate_api.py"))
EXPLAINED_ON, PLACE_OF = _API["explained_on"], _API["place_of"]
# An example, up to the next empty line; code in backticks; a sign that would be markup.
_PARTS: Final = re.compile(r"(^ *>>>.*(?:\n.+)*)|(?<!`)(`[^`]+`)(?!`)|([\\*|]|(?<=\w)_(?!\w))", re.MULTILINE)


def plain(card: str) -> str:
    r"""Return a card as reStructuredText that shows it as it stands; code in backticks is code.

    >>> plain("|acc| times `scale_` of x_")
    '\\|acc\\| times ``scale_`` of x\\_'
    >>> plain(">>> -2**3 | 1")
    '>>> -2**3 | 1'
    """
    return _PARTS.sub(lambda found: found[1] or (f"`{found[2]}`" if found[2] else f"\\{found[3]}"), card)


def _plain_card(app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    # Of a module the page itself says what it is. Above an attribute's words a comment stands, so that what comes
    # before a colon in them is no type.
    card = "" if what == "module" else "..\n\n" * (what in ("property", "attribute")) + "\n".join(lines)
    lines[:] = plain(card).split("\n")
    if what in ("class", "function", "exception"):
        pages = [f":doc:`/{page.removesuffix('.md')}`" for page in EXPLAINED_ON(PLACE_OF(obj))]
        lines[:] = _before_the_first_block(lines, f"Explained in {' and in '.join(pages)}." if pages else "")


def _before_the_first_block(lines: list[str], words: str) -> list[str]:
    """Put a paragraph after a card's first one."""
    first = lines.index("") if "" in lines else len(lines)
    return [*lines[:first], "", words, *lines[first:]]


def _home(app: Sphinx, module: str, name: str) -> str | None:
    # A member's source is its class's, whatever the member holds: a field may hold a function of builtins.
    return getattr(getattr(import_module(module), name.partition(".")[0], None), "__module__", None)


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("autodoc-process-docstring", _plain_card, priority=100)
    app.connect("viewcode-follow-imported", _home)
    return {"parallel_read_safe": True}
