"""Ask Z3 whether an equation holds for every 64-bit number; the same formulas take Python's integers.

Legend: p a product of an accumulator and a multiplier, or any integer; s a right shift in bits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest

Formula = Callable[..., Any]


def z3() -> Any:
    """Return the solver; skip, with the reason, where it is not installed (which fails on CI)."""
    return pytest.importorskip("z3", reason="z3-solver is not installed; it is in the extra 'test'")


def product() -> Any:
    """Return a free 64-bit number."""
    return z3().BitVec("p", 64)


def choose(condition: Any, yes: Any, no: Any) -> Any:
    """Return yes where the condition holds, else no: of Python's numbers, or as a formula."""
    if isinstance(condition, bool):
        return yes if condition else no
    return z3().If(condition, *(z3().BitVecVal(x, 64) if isinstance(x, int) else x for x in (yes, no)))


def valid(claim: Any, *given: Any) -> bool:
    """Say whether a claim holds for every value of its variables that fulfils what is given."""
    solver = z3().Solver()
    solver.add(*given)
    solver.add(z3().Not(claim))
    answer = solver.check()
    assert str(answer) != "unknown", solver.reason_unknown()
    return str(answer) == "unsat"


def within(p: Any, bits: int) -> Any:
    """|p| <= 2^bits."""
    return z3().And(p >= -(1 << bits), p <= 1 << bits)


def equal_for_all(left: Formula, right: Formula, shifts: Iterable[int], given: Formula) -> bool:
    """Say whether left(p, s) = right(p, s) for every p of which given(p, s) holds, at each shift in turn.

    A shift that is a number is wiring to the solver; one that is a variable would cost it ten times as long.
    """
    p = product()
    return all(valid(left(p, s) == right(p, s), given(p, s)) for s in shifts)
