"""Where a backend is wrong, in words: what all wrong codes share and the right ones do not, and by how much they are
off.

Legend: observations cases with what the backend made of them; a feature is a statement that is true or false of each
output code; delta is got less want; table the features by name; wrong whether each code is, most how many statements,
ranked (badness, statement, where it is true), the best first. Nothing here needs a list of known bugs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import combinations
from math import log, prod
from typing import Final

import numpy as np
from numpy.typing import NDArray

from npquant.testing.ask import answer_shape
from npquant.testing.backend import VALUE, WRONG_VALUE
from npquant.testing.case import expected
from npquant.testing.explain.features import Bools, features, of_case
from npquant.testing.explain.shrink import Observation

# Output codes of one case that are looked at, and of all failing or passing ones; exact ratios are slow.
MOST_OF_A_CASE: Final = 300
MOST_CODES: Final = 2000
# Failing cases, and passing ones.
MOST_CASES: Final = 32
# A statement under which all wrong codes would fall as often as this by chance is not made.
CHANCE: Final = 1e-5
# Statements that are tried in pairs: about a thousand pairs.
MOST_HALVES: Final = 48


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """A statement about output codes: how many are wrong and right where it holds, and where it does not."""

    says: str
    wrong: int
    right: int
    wrong_elsewhere: int
    right_elsewhere: int

    def line(self) -> str:
        """Return it with its counts."""
        inside, outside = self.wrong + self.right, self.wrong_elsewhere + self.right_elsewhere
        only = "only " if not self.wrong_elsewhere else ""
        return (
            f"wrong {only}where {self.says}: {self.wrong} of {inside} such, "
            f"and {self.wrong_elsewhere} of {outside} others"
        )


@dataclass(frozen=True, slots=True)
class Pattern:
    """What can be said of the wrong codes: their deltas, where they stand, and the best hypotheses."""

    deltas: str
    hypotheses: tuple[Hypothesis, ...]

    def lines(self) -> list[str]:
        """Return the pattern in words."""
        return [*([self.deltas] if self.deltas else []), *(h.line() for h in self.hypotheses)]


def pattern(observations: Iterable[Observation]) -> Pattern:
    """Return what the wrong codes of some observations have in common, and the right ones have not.

    Where the first failure has no codes to compare (a crash, a wrong dtype), whole cases stand in for codes."""
    every = list(observations)
    failing = [o for o in every if o.kind != VALUE and o.case.status == "valid"][:MOST_CASES]
    passing = [o for o in every if o.kind == o.outcome.kind == VALUE and o.case.status == "valid"][:MOST_CASES]
    if not failing:
        return Pattern("", ())
    if failing[0].kind != WRONG_VALUE:
        rows = [o for o in (*failing, *passing) if o.case.op == "linear"]
        stated = [{says: np.array([bool(true)]) for says, true in of_case(o.case).items()} for o in rows]
        return Pattern("", _separated(stated, [np.array([o.kind != VALUE]) for o in rows]))
    deltas, tables = [], []
    for o in (*_up_to(failing), *_up_to(passing)):
        assert o.outcome.value is not None
        deltas.append((o.outcome.value.astype(np.int64) - expected(o.case).astype(np.int64)).ravel())
        tables.append(features(o.case))
    offs = np.concatenate([*deltas, np.zeros(0, np.int64)])
    return Pattern(said_of_deltas(offs[offs != 0]), _separated(tables, [d != 0 for d in deltas]))


def _up_to(observations: list[Observation]) -> Iterator[Observation]:
    """Yield observations of codes, of which none has too many, until there are enough codes."""
    seen = 0
    for o in observations:
        size = prod(answer_shape(o.case))
        if o.kind in (VALUE, WRONG_VALUE) and 0 < size <= MOST_OF_A_CASE and seen <= MOST_CODES:
            seen += size
            yield o


def _separated(tables: list[dict[str, Bools]], wrong: list[Bools]) -> tuple[Hypothesis, ...]:
    """Return the hypotheses over the features that all tables have."""
    if not tables:
        return ()
    names = [name for name in tables[0] if all(name in table for table in tables)]
    return separating({name: np.concatenate([t[name] for t in tables]) for name in names}, np.concatenate(wrong))


def said_of_deltas(deltas: NDArray[np.int64]) -> str:
    """Return what the differences, deltas, say.

    >>> said_of_deltas(np.array([-1, -1, -1]))
    'got - want is always -1: a rounding, or a sum that is a little off'
    >>> said_of_deltas(np.array([256, -256]))
    'got - want is a multiple of 256: 8 bits wrapped'
    """
    if not deltas.size:
        return ""
    values = np.unique(deltas)
    if np.all(values % 65536 == 0):
        return "got - want is a multiple of 65536: a lane of 16 bits wrapped"
    if np.all(values % 256 == 0):
        return "got - want is a multiple of 256: 8 bits wrapped"
    if np.all(np.abs(values) == 1):
        sign = f"always {values[0]:+d}" if len(values) == 1 else "-1 or +1"
        return f"got - want is {sign}: a rounding, or a sum that is a little off"
    if len(values) == 2 and values[0] == -values[1]:
        return f"got - want is {values[0]:+d} or {values[1]:+d}"
    if len(values) == 1:
        return f"got - want is {values[0]:+d}"
    return f"got - want is between {values[0]:+d} and {values[-1]:+d}, {len(values)} different values"


def separating(table: dict[str, Bools], wrong: Bools, most: int = 3) -> tuple[Hypothesis, ...]:
    """Return the statements, single and in pairs, that hold for all wrong codes, or nearly all, and the fewest right
    ones.

    A statement that is true of everything says nothing; a pair must say more than each of its halves."""
    if not wrong.any() or wrong.all():
        return ()
    said = {says: badness(true, wrong) for says, true in table.items()}
    ranked = [(score, says, table[says]) for says, score in said.items() if score is not None]
    # A half may be true of nearly every code: what it leaves out may be just what the other half lets in.
    costs = {says: cost for says, true in table.items() if (cost := _cost(true, wrong)) is not None}
    halves = sorted(costs, key=lambda says: costs[says])[:MOST_HALVES]
    for a, b in combinations(halves, 2):
        score = badness(table[a] & table[b], wrong)
        if score is not None and score < min(costs[a], costs[b]):
            ranked.append((score, f"{a} and {b}", table[a] & table[b]))
    ranked.sort(key=lambda item: item[0])
    best = unlike(ranked, most)
    # What comes close to the best only.
    return tuple(
        Hypothesis(says, *(int(np.count_nonzero(part)) for part in _four(true, wrong)))
        for score, says, true in best
        if score <= 2 * best[0][0] + 1
    )


def unlike(ranked: list[tuple[int, str, Bools]], most: int) -> list[tuple[int, str, Bools]]:
    """Return the first statements of a list that are true of different codes: one true of the same says nothing new."""
    first: dict[bytes, tuple[int, str, Bools]] = {}
    for item in ranked:
        if len(first) < most:
            first.setdefault(item[2].tobytes(), item)
    return list(first.values())


def _four(true: Bools, wrong: Bools) -> tuple[Bools, Bools, Bools, Bools]:
    return true & wrong, true & ~wrong, ~true & wrong, ~true & ~wrong


def badness(true: Bools, wrong: Bools) -> int | None:
    """Return how badly a statement separates: the right codes for which it holds, and four times the wrong ones for
    which it does not; None if it misses more than one wrong code in eight, or spares too few right ones."""
    inside, spared, missed, outside = (int(np.count_nonzero(part)) for part in _four(true, wrong))
    cost = _cost(true, wrong)
    if cost is None or outside * 8 < outside + spared:
        return None
    # Codes must be wrong twice as often where it holds, or it says little.
    if 2 * missed * (inside + spared) > inside * (missed + outside):
        return None
    # So few wrong codes fall under a statement that holds so often by chance: there are a thousand statements.
    if inside * log((inside + spared) / true.size) > log(CHANCE):
        return None
    return cost


def _cost(true: Bools, wrong: Bools) -> int | None:
    """Return right codes under a statement and four times the wrong ones beside it; None if these are too many."""
    inside, spared, missed, _ = (int(np.count_nonzero(part)) for part in _four(true, wrong))
    return None if not inside or missed * 8 > inside + missed else spared + 4 * missed
