"""What was found out about a kernel, as text for a terminal and as JSON.

Legend: found the identification; a class is candidates that give equal codes on everything that was seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from npquant.testing.who.suspects import OVERFLOW

if TYPE_CHECKING:
    from npquant.testing.who.identification import Candidate, Identification, Mismatch


def as_text(found: Identification, most: int) -> str:
    """Write who is possible, or the `most` nearest classes of the others, and what to run next; for a terminal."""
    outputs = found.record.y_q.size + sum(y_q.size for _, y_q in found.more)
    lines = [
        f"{outputs:,} outputs of a layer of K = {found.record.layer.w_q.shape[0]}, N = {found.record.y_q.shape[1]}"
    ]
    exact = [group for group in found.candidates if not group[0].mismatches]
    if exact:
        lines += ["", "still possible: " + _named(exact[0])]
    else:
        lines += ["", "nobody gives all of these codes"]
    lines += _likeness_lines(found.likeness)
    others = [group for group in found.candidates if group[0].mismatches][:most]
    lines += ["", "nearest of the others:" if exact else "nearest:"] if others else []
    for group in others:
        first = group[0]
        lines.append(f"  {first.mismatches:>6,} of {first.outputs:,} codes differ: {_named(group)}")
        if first.first is not None:
            lines.append(f"         {first.first.text()}")
    if found.refused:
        lines += ["", "their engines do not take this layer: " + ", ".join(found.refused)]
    if len(found.next_inputs) == 1:
        lines += ["", "run this 1 row next: it tells apart what is still possible"]
    elif len(found.next_inputs):
        lines += ["", f"run these {len(found.next_inputs)} rows next: they tell apart what is still possible"]
    elif exact:
        lines += ["", "no further input was found that would tell apart what is still possible"]
    return "\n".join(lines) + "\n"


def _likeness_lines(likeness: Sequence[tuple[str, str, str]]) -> list[str]:
    """Write one line for each reason that holds of one profile and several others."""
    same: dict[tuple[str, str], list[str]] = {}
    for a, b, why in likeness:
        same.setdefault((a, why), []).append(b)
    return [f"  {a} and {', '.join(others)}: {why}" for (a, why), others in same.items()]


def _named(group: Sequence[Candidate]) -> str:
    """Name a class: all its profiles, and its rules where they are few or alone."""
    profiles = [candidate.name for candidate in group if not candidate.base]
    bases: dict[str, list[str]] = {}
    for candidate in group:
        if candidate.base:
            bases.setdefault(candidate.name, []).append(candidate.base)
    wrong = [f"{name} ({among[0]}{' and others' if among[1:] else ''})" for name, among in bases.items()]
    shown = profiles + ([] if profiles and len(wrong) > 3 else wrong[:6])
    rest = len(profiles) + len(wrong) - len(shown)
    unseen = "wrong rules that these inputs do not show" if profiles else "more"
    return ", ".join(shown) + (f" and {rest} {unseen}" if rest else "")


def as_json(found: Identification) -> dict[str, Any]:
    """Describe an identification in JSON's types."""

    def one(candidate: Candidate) -> dict[str, Any]:
        first = candidate.first
        return {
            "name": candidate.name,
            "base": candidate.base or None,
            "says": candidate.says,
            "outputs": candidate.outputs,
            "mismatches": candidate.mismatches,
            "first": None if first is None else _mismatch_as_json(first),
        }

    return {
        "outputs": int(found.record.y_q.size + sum(y_q.size for _, y_q in found.more)),
        "settled": found.settled,
        "possible": [candidate.label for candidate in found.possible],
        "profiles": list(found.profiles),
        "classes": [[one(candidate) for candidate in group] for group in found.candidates],
        "refused": dict(found.refused),
        "likeness": [{"a": a, "b": b, "why": why} for a, b, why in found.likeness],
        "next_inputs": found.next_inputs.tolist(),
    }


def _mismatch_as_json(first: Mismatch) -> dict[str, Any]:
    return {
        "batch": first.batch,
        "row": first.row,
        "output": first.output,
        "accumulator": first.accumulator,
        "exact": f"{first.exact.numerator}/{first.exact.denominator}",
        "exact_float": float(first.exact),
        "zero_point": first.zero_point,
        "kernel": first.got,
        "gives": None if first.gives == OVERFLOW else first.gives,
    }
