"""Numbers as C text: constants and arrays that say their type, and a name that C and its library leave free.

Legend: name an identifier, ctype the type of an element, values an integer array of one or two axes, value one number,
comment what stands above a definition.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_WIDTH: Final = 112
_IDENTIFIER: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,30}")
_KEYWORDS: Final = frozenset(
    "auto break case char const continue default do double else enum extern float for goto if inline int long register "
    "restrict return short signed sizeof static struct switch typedef union unsigned void volatile while asm "
    "bool catch class delete explicit export false friend mutable namespace new operator private protected public "
    "template this throw true try typename using virtual main".split()
)


def checked_name(name: str) -> str:
    """Return name; ValueError unless it can stand before every identifier of a program, in C and in C++.

    >>> checked_name("digits")
    'digits'
    """
    if not isinstance(name, str) or not _IDENTIFIER.fullmatch(name) or name in _KEYWORDS:
        raise ValueError(
            f"the name is {name!r}; it must be a C identifier: a letter, then up to 30 letters, digits and _"
        )
    return name


def literal(value: int, ctype: str = "int32_t") -> str:
    """Return an integer constant of C; the most negative numbers, which C cannot write, as a difference.

    >>> literal(-(2**31)), literal(5)
    ('-2147483647 - 1', '5')
    """
    if value == -(2**31) and ctype != "int64_t":
        return "-2147483647 - 1"
    return str(value)


def array(name: str, ctype: str, values: NDArray[Any], comment: str = "") -> str:
    """Return the definition of a constant array, filled to the line's width; an empty one gets an element.

    >>> print(array("w", "int8_t", np.array([[1, -2], [3, 4]])), end="")
    static const int8_t w[2][2] = {
        {1, -2},
        {3, 4}
    };
    """
    shaped = values if values.size else np.zeros(1, np.int64)
    sizes = "".join(f"[{size}]" for size in shaped.shape)
    head = f"/* {comment} */\n" if comment else ""
    if shaped.ndim == 1:
        body = "\n".join(_lines((literal(int(v), ctype) for v in shaped), "    "))
    else:
        body = ",\n".join(_row([literal(int(v), ctype) for v in row]) for row in list(shaped))
    return f"{head}static const {ctype} {name}{sizes} = {{\n{body}\n}};\n"


def _row(texts: list[str]) -> str:
    whole = "    {" + ", ".join(texts) + "}"
    if len(whole) <= _WIDTH:
        return whole
    return "    {\n" + "\n".join(_lines(texts, "        ")) + "\n    }"


def _lines(texts: Iterable[str], indent: str) -> list[str]:
    lines, line = [], indent
    for text in texts:
        if len(line) + len(text) + 2 > _WIDTH and line != indent:
            lines.append(line.rstrip())
            line = indent
        line += f"{text}, "
    return [*lines, line.rstrip().removesuffix(",")]


def constant_type(values: NDArray[Any]) -> str:
    """Return the narrowest of C's signed types that holds all values, int8_t to int64_t."""
    low, high = int(values.min(initial=0)), int(values.max(initial=0))
    for bits in (8, 16, 32):
        if -(2 ** (bits - 1)) <= low and high < 2 ** (bits - 1):
            return f"int{bits}_t"
    return "int64_t"
