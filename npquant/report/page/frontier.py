"""Every candidate that the search tried: what it loses, and how far it is from the float network, over its bytes.

Legend: report the whole; trial one candidate; counts of candidates.
"""

from __future__ import annotations

from typing import Any, Final

from npquant.report.page.candidates import KINDS, chosen_trial, trial_kind
from npquant.report.page.figure import Figure
from npquant.report.page.frontier_drawing import draw_frontier
from npquant.report.page.frontier_panels import panels_of
from npquant.report.page.words import is_real, listed, nouns, spelled, whole

_MUCH: Final = 0.9  # of the chosen bytes and less is much smaller


def frontier_title(smaller: tuple[int, int, int], failed: int, n_bytes: int, plural: str) -> str:
    """Say what lies below the choice.

    `smaller` counts the much smaller candidates: sound, lucky, losing; `failed` all that lose too much, `n_bytes` are
    the choice's, `plural` names rows.

    >>> frontier_title((0, 3, 9), 20, 1558, "digits")
    'Much below 1,558 bytes, candidates lose digits, or keep them by luck'
    >>> frontier_title((0, 0, 0), 0, 1558, "digits"), frontier_title((0, 0, 0), 1, 1558, "digits")
    ('Every candidate kept the limit: more could be asked', 'Nothing much smaller than 1,558 bytes was tried')
    """
    sound, lucky, losing = smaller
    if failed == 0 and not lucky:
        return "Every candidate kept the limit: more could be asked"
    if sound:
        return f"Smaller than {whole(n_bytes)} bytes keeps the limit, too: what else was asked decides"
    if lucky and losing:
        return f"Much below {whole(n_bytes)} bytes, candidates lose {plural}, or keep them by luck"
    if lucky or losing:
        said = f"lose {plural}" if losing else "keep the limit by luck alone"
        return f"Much below {whole(n_bytes)} bytes, candidates {said}"
    return f"Nothing much smaller than {whole(n_bytes)} bytes was tried"


def search_title(budget: dict[str, Any], chosen: dict[str, Any], plural: str) -> str:
    """Say what the search of a `budget` found, whose `chosen` candidate is deployed; `plural` names rows."""
    trials = budget["frontier"]
    if {trial["phase"] for trial in trials} <= {"start", "confirmed"}:
        return "Nothing was searched: all thresholds were given"
    if chosen["failing"]:
        return "No candidate meets all that was asked: the nearest is deployed"
    if not budget["met"]:
        return "Candidates keep the limit here; the test rows refute the one that was chosen"
    kinds = [trial_kind(trial) for trial in trials]
    below = [kind for kind, t in zip(kinds, trials, strict=True) if t["bytes"] < _MUCH * chosen["bytes"]]
    losing = sum(bool({"max_drop", "max_rmse_rise"} & set(trial["failing"])) for trial in trials)
    return frontier_title((below.count(0), below.count(1), below.count(2)), losing, chosen["bytes"], plural)


def frontier(report: dict[str, Any]) -> Figure:
    """Draw all candidates in two panels over one axis of bytes."""
    trials, chosen = report["budget"]["frontier"], chosen_trial(report)
    kinds = [trial_kind(trial) for trial in trials]
    title = search_title(report["budget"], chosen, "accuracy" if is_real(report) else nouns(report)[1])
    front = sum(trial["pareto"] for trial in trials)
    noise = "deviation" if is_real(report) else "divergence"
    best = f"for {whole(front)} of them no other is better in bytes, products and {noise}"
    sub = f"{whole(len(trials))} candidate{'s' * (len(trials) != 1)}; {best}. The ring is the one deployed."
    told = listed([f"{whole(kinds.count(k))} {name}" for k, name in enumerate(KINDS) if k in kinds])
    label = f"{whole(len(trials))} candidates over bytes: {told}. Deployed: {whole(chosen['bytes'])} bytes."
    panels, note = panels_of(report), _note(report)
    return Figure(
        "frontier", title, sub, label, lambda width: draw_frontier(report, kinds, panels, width), note, wide=True
    )


def _note(report: dict[str, Any]) -> str:
    """Say what luck looks like, where a candidate kept the limit, and lost it when it was built with more care."""
    seen: dict[str, dict[str, Any]] = {}
    for trial in report["budget"]["frontier"]:
        made = str((trial["bits"], trial["rates"], trial["activation_bits"]))
        if trial["phase"] == "confirmed" and made in seen and "b" in trial:
            old, new = (t["b"] - t["c"] for t in (seen[made], trial))
            if "max_drop" in trial["failing"] and "max_drop" not in seen[made]["failing"]:
                return (
                    f"{whole(seen[made]['bytes'])} bytes lost {spelled(old)} net when tried; built anew on all "
                    f"calibration rows it lost {spelled(new)}. That is what luck looks like."
                )
        seen[made] = trial
    return ""
