"""Shares as a headline says them.

Legend: share in (0, 1].
"""

from __future__ import annotations

from typing import Final

_PARTS: Final = (
    "half", "a third", "a quarter", "a fifth", "a sixth", "a seventh", "an eighth", "a ninth", "a tenth",
    "an eleventh", "a twelfth", "a 13th", "a 14th", "a 15th", "a 16th", "a 17th", "an eighteenth", "a 19th",
    "a twentieth",
)  # fmt: skip
_NEAR: Final = 0.06


def share_words(share: float) -> str:
    """Write a share as one part of several where it is one to within 6 %, else in per cent.

    >>> share_words(0.33), share_words(1 / 18.2), share_words(0.42), share_words(0.998), share_words(0.003)
    ('a third', 'an eighteenth', '42 %', 'all', '0.3 %')
    """
    if share > 0.99:
        return "all" if share < 1.01 else f"{100 * share:.0f} %"
    parts = round(1 / share)
    if 2 <= parts <= len(_PARTS) + 1 and abs(share * parts - 1) <= _NEAR:
        return _PARTS[parts - 2]
    return f"{100 * share:.0f} %" if share >= 0.1 else f"{100 * share:.1f} %"
