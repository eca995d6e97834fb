"""What was found out about a kernel, in lines for a terminal.

Legend: a class is candidates that give equal codes on everything that was seen; candidates the classes, nearest first;
likeness (profile, profile, why) of those that nothing tells apart.
"""

from __future__ import annotations

from collections.abc import Sequence

from npquant.testing.who.candidate import Candidate


def class_lines(
    candidates: Sequence[Sequence[Candidate]], likeness: Sequence[tuple[str, str, str]], most: int
) -> list[str]:
    """Write who is possible, and the `most` nearest classes of the others."""
    exact = [group for group in candidates if not group[0].mismatches]
    lines = ["", "still possible: " + _named(exact[0]) if exact else "nobody gives all of these codes"]
    lines += _likeness_lines(likeness)
    others = [group for group in candidates if group[0].mismatches][:most]
    lines += ["", "nearest of the others:" if exact else "nearest:"] if others else []
    for group in others:
        first = group[0]
        lines.append(f"  {first.mismatches:>6,} of {first.outputs:,} codes differ: {_named(group)}")
        if first.first is not None:
            lines.append(f"         {first.first.text()}")
    return lines


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
