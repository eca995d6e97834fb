"""A public name in code leads to its card, wherever a page writes it alone in backticks."""

from __future__ import annotations

import re
from typing import ClassVar, Final

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform

DOORS: Final = ("", "npquant.", "npquant.testing.", "npquant.interop.")
# A call or a name. A word such as `run` may mean a command as well: a bare one is linked in the table of names alone.
_NAME: Final = re.compile(r"([A-Za-z_][\w.]*)(?:\(.*)?", re.DOTALL)
_PLAIN_WORD: Final = re.compile(r"[a-z0-9]+")


def card_of(words: str, objects: dict[str, tuple[str, str]], *, table: bool) -> tuple[str, str] | None:
    """Return page and anchor of the card that a piece of code names, None if it names none.

    >>> cards = {"npquant.QuantParams": ("api/npquant", "q"), "npquant.train": ("api/npquant", "t")}
    >>> card_of("QuantParams(1.0, 0, -128, 127)", cards, table=False), card_of("train", cards, table=False)
    (('api/npquant', 'q'), None)
    """
    name = _NAME.fullmatch(words)
    if not name or (_PLAIN_WORD.fullmatch(name[1]) and not table):
        return None
    return next((objects[door + name[1]] for door in DOORS if door + name[1] in objects), None)


class Links(SphinxPostTransform):
    """Make names links."""

    default_priority = 402
    formats: ClassVar = ("html",)

    def run(self, **_: object) -> None:
        """Called by Sphinx."""
        here = self.env.docname
        known = self.env.domains.python_domain.objects
        objects = {name: (entry.docname, entry.node_id) for name, entry in known.items()}
        for code in list(self.document.findall(nodes.literal)):
            card = card_of(code.astext(), objects, table=here == "api")
            if card is None or card[0] == here or isinstance(code.parent, nodes.reference):
                continue
            place = f"{self.app.builder.get_relative_uri(here, card[0])}#{card[1]}"
            link = nodes.reference("", "", refuri=place, internal=True)
            code.replace_self(link)
            link += code


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.add_post_transform(Links)
    return {"parallel_read_safe": True}
