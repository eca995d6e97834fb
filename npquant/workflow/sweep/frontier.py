"""The frontier of a sweep: which settings no other one beats, in accuracy and in bytes, by mean over seeds.

A setting is on it if no other has as many or more correct validation rows in as few or fewer bytes, and more or fewer
of one of them. Test rows stand beside and choose nothing.

Legend: records what cells gave, in grid order; points one a setting, each a mean over its seeds; width in columns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import fsum, sqrt
from typing import Any

from npquant.report.text_layout import table, wrap

Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Point:
    """One setting: shares of rows in per cent, points lost on test rows with their standard error (None: one seed)."""

    setting: tuple[tuple[str, Any], ...]  # a cell without its seed
    seeds: int
    float_validation: float  # of the float networks
    validation: float
    test: float
    lost: float
    lost_error: float | None
    kl: float  # on test rows, in nats
    bytes: float
    macs: float

    def to_json(self) -> dict[str, Any]:
        """Return the fields, the setting among them, as JSON has them."""
        return {**asdict(self), "setting": dict(self.setting)}


def points_of(records: Sequence[Record]) -> tuple[Point, ...]:
    """Average the records of each setting, but for settings of which a cell failed: a mean over fewer seeds misleads.

    >>> points_of([])
    ()
    """
    groups: dict[tuple[tuple[str, Any], ...], list[Record]] = {}
    for record in records:
        setting = tuple((name, value) for name, value in record["cell"].items() if name != "seed")
        groups.setdefault(tuple((name, _hashable(value)) for name, value in setting), []).append(record)
    return tuple(
        _point(setting, group) for setting, group in groups.items() if all(record["error"] is None for record in group)
    )


def frontier_of(points: Sequence[Point]) -> tuple[Point, ...]:
    """Return the points that none beats, the smallest first; of equals the first."""
    best: list[Point] = []
    for point in sorted(points, key=lambda point: (point.bytes, -point.validation)):
        if not best or point.validation > best[-1].validation:
            best.append(point)
    return tuple(best)


def share(answers: Record) -> float:
    """Return correct answers in per cent of the rows.

    >>> share({"rows": 4, "correct": 3})
    75.0
    """
    return float(100 * answers["correct"] / answers["rows"])


def varying(points: Sequence[Point]) -> list[str]:
    """Name what differs between points."""
    names = [name for name, _ in points[0].setting] if points else []
    return [name for name in names if len({dict(point.setting)[name] for point in points}) > 1]


def label(point: Point, names: Sequence[str]) -> str:
    """Write a point's values of these names in one line, but for those that are usual."""
    values, usual = dict(point.setting), ("none", 0.0, "per_channel", "min_max")
    return " ".join(_word(name, values[name]) for name in names if values[name] not in usual) or "as usual"


def frontier_lines(points: Sequence[Point], width: int) -> list[str]:
    """Lay the frontier of points out for a terminal."""
    best = frontier_of(points)
    if not best:
        return wrap("No setting has all its cells: there is no frontier.", "", width)
    names = varying(points)
    rows = [
        (
            label(point, names),
            f"{point.bytes:,.0f}",
            f"{point.validation:.2f}",
            f"{point.test:.2f}",
            f"{point.lost:.2f}" + ("" if point.lost_error is None else f" ± {point.lost_error:.2f}"),
            f"{point.kl:.4f}",
            f"{point.macs:,.0f}",
        )
        for point in best
    ]
    head = ("setting", "bytes", "valid. %", "test %", "lost", "KL", "MACs")
    seeds = {point.seeds for point in best}
    over = "" if seeds == {1} else f", means over {'/'.join(map(str, sorted(seeds)))} seeds, ± a standard error"
    title = (
        f"Frontier: {len(best)} of {len(points)} settings that none beats in bytes and correct validation rows{over}; "
        "lost: points of test accuracy; KL on test rows"
    )
    return [*wrap(title, "", width), *table(head, rows, width=width)]


def _point(setting: tuple[tuple[str, Any], ...], group: Sequence[Record]) -> Point:
    after = [record["after"] for record in group]
    lost = [share(record["before"]["test"]) - share(record["after"]["test"]) for record in group]
    return Point(
        setting,
        len(group),
        _mean([share(record["before"]["validation"]) for record in group]),
        _mean([share(one["validation"]) for one in after]),
        _mean([share(one["test"]) for one in after]),
        _mean(lost),
        _standard_error(lost),
        _mean([record["kl"]["test"] for record in group]),
        _mean([one["bytes"] for one in after]),
        _mean([one["macs"] for one in after]),
    )


def _mean(values: Sequence[float]) -> float:
    return fsum(values) / len(values)


def _standard_error(values: Sequence[float]) -> float | None:
    if len(values) < 2:
        return None
    mean = _mean(values)
    return sqrt(fsum((value - mean) ** 2 for value in values) / (len(values) - 1) / len(values))


def _hashable(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _word(name: str, value: Any) -> str:
    """Say a value so that a reader knows what it is of: words speak for themselves.

    >>> _word("bits", 4), _word("prune", 0.5), _word("method", "gptq")
    ('4 bits', 'prune 0.5', 'gptq')
    """
    if isinstance(value, str) and name != "bits":
        return value
    if name == "bits":
        return value if isinstance(value, str) else f"{value} bits"
    if isinstance(value, tuple):
        return "-".join(map(str, value))
    return f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}"
