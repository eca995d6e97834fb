"""Who might compute so: a profile or a wrong rule, held against a kernel's answers, and the first code that differs.

Legend: a candidate is a profile, or a rule in the place of one part of a profile, its base.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from npquant.testing.who.suspects import OVERFLOW


@dataclass(frozen=True, slots=True, eq=False)
class Mismatch:
    """The first output on which a suspect differs from the kernel: what went in, and what came of it.

    exact: the accumulator, bias included, in output steps, before rounding and zero point. gives: OVERFLOW where the
    suspect reports that the accumulator leaves int32."""

    batch: int
    row: int
    output: int
    accumulator: int
    exact: Fraction
    zero_point: int
    got: int
    gives: int

    def text(self) -> str:
        """Say it in a line."""
        gives = "an overflow" if self.gives == OVERFLOW else str(self.gives)
        where = f"row {self.row}, output {self.output}" + (f" of batch {self.batch}" if self.batch else "")
        return (
            f"{where}: accumulator {self.accumulator}, exactly {float(self.exact):.7g} steps and zero point "
            f"{self.zero_point}: it gives {gives}, the kernel gave {self.got}"
        )

    def as_json(self) -> dict[str, Any]:
        """Describe it in JSON's types."""
        return {
            "batch": self.batch,
            "row": self.row,
            "output": self.output,
            "accumulator": self.accumulator,
            "exact": f"{self.exact.numerator}/{self.exact.denominator}",
            "exact_float": float(self.exact),
            "zero_point": self.zero_point,
            "kernel": self.got,
            "gives": None if self.gives == OVERFLOW else self.gives,
        }


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """One suspect against a kernel's answers: how many of `outputs` codes differ, and the first that does.

    name of the profile or rule; base: the profile that a rule was put in, "" for a profile; says: what it does."""

    name: str
    base: str
    says: str
    outputs: int
    mismatches: int
    first: Mismatch | None

    @property
    def label(self) -> str:
        """The name, with the base of a rule."""
        return f"{self.name} ({self.base})" if self.base else self.name

    def as_json(self) -> dict[str, Any]:
        """Describe it in JSON's types."""
        return {
            "name": self.name,
            "base": self.base or None,
            "says": self.says,
            "outputs": self.outputs,
            "mismatches": self.mismatches,
            "first": None if self.first is None else self.first.as_json(),
        }
