"""What stands in a record that names no layer: its engine quantizes and dequantizes alone.

Every door to a layer asks `npquant.profiles.refusals` first; these are for who goes around it.

Legend: sx sw sy scales, acc accumulators, multiplier what the first would make, zy zero point, [qmin, qmax] codes.
"""

from __future__ import annotations

from typing import Any, NoReturn

_REASON = "this engine has no layer of codes: it quantizes and dequantizes alone"


def no_multiplier(sx: Any, sw: Any, sy: Any) -> NoReturn:
    """Refuse to make a multiplier: ValueError."""
    raise ValueError(_REASON)


def no_stage(acc: Any, multiplier: Any, zy: Any, qmin: int, qmax: int) -> NoReturn:
    """Refuse to take accumulators to codes: ValueError."""
    raise ValueError(_REASON)
