"""A candidate of the search, as a mark: what it is, and which one was deployed.

Legend: report the whole; trial one candidate; plane a drawing, x and y where on it.
"""

from __future__ import annotations

from typing import Any, Final

from npquant.report.page.svg import Drawing

KINDS: Final = ("meets the limits, and can be expected to again", "meets them by luck", "loses more than allowed",
                 "misses another limit", "one layer alone")  # fmt: skip


def trial_kind(trial: dict[str, Any]) -> int:
    """Say what a candidate is: 0 sound, 1 lucky, 2 loses too much, 3 misses another limit, 4 of one layer alone.

    >>> trial_kind({"phase": "walk", "failing": ["max_drop"], "sound": False})
    2
    """
    if trial["phase"] == "sensitivity":
        return 4
    if {"max_drop", "max_rmse_rise"} & set(trial["failing"]):
        return 2
    return 3 if trial["failing"] else 0 if trial["sound"] else 1


def chosen_trial(report: dict[str, Any]) -> dict[str, Any]:
    """Find the candidate that was deployed."""
    at = report["pictures"]["search"]["chosen"]
    found: dict[str, Any] = report["budget"]["frontier"][-1 if at is None else at]
    return found


def draw_mark(plane: Drawing, kind: int, x: float, y: float) -> None:
    """Draw a candidate on a plane, by its kind as in `trial_kind`, at (x, y)."""
    if kind == 0:
        plane.circle(x, y, 4.6, "blue", "bg", 1)
    elif kind == 1:
        plane.circle(x, y, 4.2, "bg", "blue", 1.8)
    elif kind == 2:
        plane.cross(x, y, 3.8, "orange")
    elif kind == 3:
        plane.rect(x - 3.6, y - 3.6, 7.2, 7.2, "bg", "orange", 1.8)
    else:
        plane.circle(x, y, 2.4, "ln")
