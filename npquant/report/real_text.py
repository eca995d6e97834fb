"""The lines of the page that real targets have: RMSE and R2 where classes have accuracy.

Legend: values numbers, one an output, written with so many significant digits; near a candidate. Values by output stand
between slashes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from npquant.measure.real_targets import in_digits


def by_output(values: Iterable[float | None], digits: int = 4) -> str:
    """Write a value an output, a dash where there is none; of more than three outputs the least and the largest.

    >>> by_output([0.123456, None, 1e-6]), by_output([4.0, 1.0, 2.0, 3.0])
    ('0.1235/-/1e-06', '1..4')
    """
    listed = list(values)
    known = [value for value in listed if value is not None]
    if len(listed) > 3 and known:
        return f"{in_digits(min(known), min(digits, 3))}..{in_digits(max(known), min(digits, 3))}"
    return "/".join("-" if value is None else in_digits(value, digits) for value in listed)


def nearest_rise(near: dict[str, Any]) -> str:
    """Say what the nearest candidate loses."""
    return f"RMSE up by {by_output(near['rmse_rise'], 3)}"
