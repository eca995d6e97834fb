"""Cards are plain words and code: what reStructuredText would read into them is said not to be there."""

from __future__ import annotations

import re
from typing import Final

from sphinx.application import Sphinx

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


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("autodoc-process-docstring", _plain_card, priority=100)
    return {"parallel_read_safe": True}
