"""Where a backend is wrong, in words: what all wrong codes share and the right ones do not, and by how much they are
off.

Legend: observations cases with what the backend made of them; a feature is a statement that is true or false of each
output code; delta is got less want; table the features by name; wrong whether each code is, most how many statements.
Nothing here needs a list of known bugs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations
from math import log, prod
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from npquant.arrays import Int64
from npquant.testing.ask import answer_shape
from npquant.testing.backend import VALUE, WRONG_VALUE
from npquant.testing.case import Case, checked, expected
from npquant.testing.explain.shrink import Observation
from npquant.testing.explain.smaller import bias_codes
from npquant.testing.solve import centred_sums, exact_multipliers

# Output codes of one case that are looked at, and of all failing or passing ones; exact ratios are slow.
MOST_OF_A_CASE: Final = 300
MOST_CODES: Final = 2000
# Failing cases, and passing ones.
MOST_CASES: Final = 32
# A statement under which all wrong codes would fall as often as this by chance is not made.
CHANCE: Final = 1e-4
Bools = NDArray[np.bool_]


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
        stated = [{says: np.array([bool(true)]) for says, true in _of_case(o.case).items()} for o in rows]
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
    scored = [(badness(true, wrong), says) for says, true in table.items() if badness(true, wrong) is not None]
    scored.sort(key=lambda item: item[0] or 0)
    singles = {says: score for score, says in scored}
    both = {}
    for a, b in combinations(list(singles)[:24], 2):
        score = badness(table[a] & table[b], wrong)
        if score is not None and score < min(singles[a] or 0, singles[b] or 0):
            both[f"{a} and {b}"] = (score, table[a] & table[b])
    ranked = [(score or 0, says, table[says]) for says, score in singles.items()]
    ranked += [(score, says, true) for says, (score, true) in both.items()]
    ranked.sort(key=lambda item: item[0])
    # What comes close to the best only.
    return tuple(
        Hypothesis(says, *(int(np.count_nonzero(part)) for part in _four(true, wrong)))
        for score, says, true in ranked[:most]
        if score <= 2 * ranked[0][0] + 1
    )


def _four(true: Bools, wrong: Bools) -> tuple[Bools, Bools, Bools, Bools]:
    return true & wrong, true & ~wrong, ~true & wrong, ~true & ~wrong


def badness(true: Bools, wrong: Bools) -> int | None:
    """Return how badly a statement separates: the right codes for which it holds, and four times the wrong ones for
    which it does not; None if it misses more than one wrong code in eight, or spares too few right ones."""
    inside, spared, missed, outside = (int(np.count_nonzero(part)) for part in _four(true, wrong))
    if not inside or missed * 8 > inside + missed or outside * 8 < outside + spared:
        return None
    # Codes must be wrong twice as often where it holds, or it says little.
    if 2 * missed * (inside + spared) > inside * (missed + outside):
        return None
    # So few wrong codes fall under a statement that holds so often by chance: there are hundreds of statements.
    if inside * log((inside + spared) / true.size) > log(CHANCE):
        return None
    return spared + 4 * missed


def features(case: Case) -> dict[str, Bools]:
    """Return statements about each output code of a case, flat; of a network or of real values only those of the
    case."""
    if case.op == "quantize":
        return {says: true.ravel() for says, true in _of_values(case).items()}
    b, n = len(case.x_q), case.model.layers[-1].w_q.shape[1]
    rows, columns = (index.ravel() for index in np.indices((b, n)))
    table = {says: np.full(b * n, bool(true)) for says, true in _of_case(case).items()}
    table["the row is not the first"] = rows > 0
    table["the row is the last of several"] = (rows == b - 1) & (b > 1)
    table["the row is the last"] = rows == b - 1
    table["the row is the last of an odd number"] = (rows == b - 1) & (b % 2 == 1)
    table["the row is the fifth or later"] = rows >= 4
    table["the column is not the first"] = columns > 0
    table["the column is the last of several"] = (columns == n - 1) & (n > 1)
    table["the column is the last"] = columns == n - 1
    table["the column is the last of an odd number"] = (columns == n - 1) & (n % 2 == 1)
    for width in (4, 8, 16):
        table[f"the column is {width} or later"] = columns >= width
        table[f"the column is in the last, incomplete {width}"] = columns >= n // width * width
    if len(case.model.layers) == 1:
        table |= _of_sums(case)
    return table


def _of_case(case: Case) -> dict[str, bool]:
    """Return statements about a whole case."""
    layers = case.model.layers
    first = layers[0]
    b, k, n = len(case.x_q), first.w_q.shape[0], layers[-1].w_q.shape[1]
    said: dict[str, Any] = {f"K mod {m} is not 0": k % m for m in (2, 4, 8, 16, 32)}
    said |= {f"K mod {m} is not 0 and K is above {4 * m}": k % m and k > 4 * m for m in (4, 8, 16)}
    said |= {f"K mod {m} is {r}": k % m == r for m in (3, 4, 8, 16) for r in range(1, m)}
    said |= {f"N mod {m} is {r}": n % m == r for m in (4, 8) for r in range(1, m)}
    said |= {f"K is above {m}": k > m for m in (1, 4, 8, 16, 32, 64, 256, 1024)}
    said |= {f"N mod {m} is not 0": n % m for m in (2, 4, 8, 16)}
    said |= {f"N is above {m}": n > m for m in (1, 4, 8, 16, 32, 64)}
    said |= {f"B is above {m}": b > m for m in (1, 2, 3, 4, 8, 32)}
    return said | {
        "K is 1": k == 1,
        "N is 1": n == 1,
        "B is 1": b == 1,
        "B is odd": b % 2,
        "N = K": n == k,
        "N = K = B": n == k == b,
        "zx is not 0": np.any(first.x.zero_point),
        "zw is not 0": np.any(first.w.zero_point),
        "zy is not 0": np.any(layers[-1].y.zero_point),
        "zy is odd": int(np.ravel(layers[-1].y.zero_point)[0]) % 2,
        "the codes are uint8": first.x.dtype == np.uint8,
        "the weights have channels of their own": first.w.per_channel,
        "there is a bias": first.bias is not None,
        "there is no bias": first.bias is None,
        "an activation is fused": any(layer.activation != "none" for layer in layers),
        "there are several layers": len(layers) > 1,
        "the input is not in C order": case.x_layout != "c",
        "the weights are not in C order": case.w_layout != "c",
        "the model was run before": bool(case.earlier),
        "another model ran in between": case.neighbour is not None,
    }


def _of_sums(case: Case) -> dict[str, Bools]:
    """Return statements about accumulators, exact values and operands of each output of a layer."""
    layer = case.model.layers[0]
    b, n = len(case.x_q), layer.w_q.shape[1]
    bias = bias_codes(layer)
    acc = centred_sums(layer, case.x_q) + bias
    below, twice, den = _exact(acc, exact_multipliers(layer))
    whole, tie = twice == 0, twice == den
    above = twice >= den
    size_above = np.where(acc < 0, 2 * den - twice, twice) >= den
    y = checked(layer.y)
    exact = (below + twice / (2 * den)).astype(np.float64)
    steps = exact + int(y.zero_point)
    x_low = np.repeat((case.x_q == layer.x.qmin).any(axis=1)[:, None], n, axis=1)
    w_low = np.repeat((layer.w_q == layer.w.qmin).any(axis=0)[None], b, axis=0)
    biased = np.repeat((bias != 0)[None], b, axis=0)
    m = np.repeat(np.array([v >= 1 for v in exact_multipliers(layer)], bool)[None], b, axis=0)
    parity = below % 2 == 1
    table = {
        "the exact value is on a tie": tie,
        "the exact value is not whole": ~whole,
        "the exact value is a half or more above a whole number": above,
        "the size of the exact value is a half or more above a whole number": size_above & ~whole,
        "the exact value is on a tie above an even number": tie & ~parity,
        "the exact value is on a tie above an odd number": tie & parity,
        "the exact value is negative": exact < 0,
        "the exact value is positive": exact > 0,
        "the code is due to be negative before the zero point and is not whole": (exact < 0) & ~whole,
        "the code saturates above": steps > y.qmax + 0.5,
        "the code saturates below": steps < y.qmin - 0.5,
        "the code saturates": (steps > y.qmax + 0.5) | (steps < y.qmin - 0.5),
        "the highest code is due": steps >= y.qmax - 0.5,
        "the lowest code is due": steps <= y.qmin + 0.5,
        "the input row holds its lowest code": x_low,
        "the weight column holds its lowest code": w_low,
        "input row and weight column both hold their lowest code": x_low & w_low,
        "the bias is not 0": biased,
        "the multiplier is 1 or more": m,
        "the column's weights are all at their zero point": np.repeat(
            (layer.w_q == np.asarray(layer.w.zero_point)).all(axis=0)[None], b, axis=0
        ),
    }
    for bits in (15, 16, 23, 24, 31):
        table[f"the accumulator is {2**bits} or more in size"] = np.abs(acc) >= 2**bits
    return {says: np.asarray(true, bool).ravel() for says, true in table.items()}


def _exact(acc: Int64, multipliers: list[Fraction]) -> tuple[Any, Any, Any]:
    """Return floor(acc M), twice what is left over it in units of 1 / den, and den, as Python integers (B, N)."""
    top = np.array([m.numerator for m in multipliers], object)
    den = np.broadcast_to(np.array([m.denominator for m in multipliers], object), acc.shape)
    scaled = acc.astype(object) * top
    return scaled // den, 2 * (scaled % den), den


def _of_values(case: Case) -> dict[str, Bools]:
    """Return statements about each real value to be quantized."""
    v, p = case.x_q.astype(np.float64), case.model.layers[0].x
    with np.errstate(all="ignore"):
        steps = v / np.asarray(p.scale, np.float64)  # of each channel, where there are several
        tie = np.abs(steps - np.floor(steps) - 0.5) == 0
        over = np.abs(steps) > 2.0**31
    return {
        "the value is NaN": np.isnan(v),
        "the value is infinite": np.isinf(v),
        "the value is negative": v < 0,
        "the value is on a tie": tie,
        "the value is beyond 2^31 steps": over,
        "zy is not 0": np.full(v.shape, bool(np.any(p.zero_point))),
    }
