"""Rows, the names that a table must have to meet what was made from another one.

Legend: own the table's names, known the other's; what "column" or "class"; source and file what to call the two.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from npquant.data.listing import listed

_SHOWN: Final = 5  # names in a message


def require_names(own: Sequence[str], known: Sequence[str], what: str, source: str, file: str) -> None:
    """Refuse names that are not the other's: columns must all be there, of classes some may be absent.

    >>> require_names(["light"], ["heavy", "light"], "class", "a.csv", "net.npz")
    """
    several = "columns" if what == "column" else "classes"
    twice = [name for name in dict.fromkeys((*own, *known)) if max(own.count(name), known.count(name)) > 1]
    if twice:
        raise ValueError(f"{source}: two {several} are called {quoted(twice)}, so order cannot be told; rename one")
    more = [name for name in own if name not in set(known)]
    less = [name for name in known if name not in set(own)] if what == "column" or more else []
    if more or less:
        found = [f"has {quoted(more)}, which {file} does not know"] * bool(more)
        found += [f"lacks {quoted(less)}, which {file} knows"] * bool(less)
        raise ValueError(
            f"{source}: {', and '.join(found)}: give it the {several} that the network was made from, by their names"
        )


def quoted(names: Sequence[str]) -> str:
    """Write names, as many as can be read."""
    return listed([repr(name) for name in names], _SHOWN)
