"""The one decision whether a budget is met: reports, commands and exit codes read the record that `decide` returns.

G2 (shown)        P(Binomial(b - allowed + c, 1/2) >= b - allowed) < 0.05: the paired test shows a larger drop

Two sets of rows are judged by two rules. The validation rows chose the candidate, so they must keep the limit: G1. The
test rows chose nothing. A network that loses exactly what is allowed loses more on about half of all test sets, so a
test set refutes it only where a drop that large would be rare: G2. G2 on validation rows would decide nothing: where
b - c <= allowed, at most half of the n = b - allowed + c rows in doubt are lost (or none, where b <= allowed), and
P(Binomial(n, 1/2) >= n / 2) >= 1/2. Neither rule proves the limit; that takes the interval T2, which is always said.

Legend: b rows that the float network alone gets right, c the candidate alone; rows R; allowed those that G1 allows.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import comb
from types import MappingProxyType
from typing import Final, Literal

from npquant.budget.paired_rise import PairedRise, paired_rise
from npquant.budget.requirements import Budget, Measured, Measurement, accuracy_holds, allowed_rows
from npquant.measure.evaluate import Compared, Comparison
from npquant.measure.real_targets import RealComparison
from npquant.measure.statistics import exact_p, paired_interval

SIGNIFICANCE: Final = Fraction(1, 20)
# What each requirement is called in a sentence.
REQUIREMENTS: Final = MappingProxyType(
    {
        "max_drop": "the drop of validation accuracy",
        "max_rmse_rise": "the rise of validation RMSE",
        "max_bytes": "the size of deployed.npz",
        "max_macs": "the multiply-accumulates a row",
        "min_sqnr": "the SQNR of the logits",
        "test_drop": "the test rows show a larger drop",
        "test_rise": "the test rows show a larger rise of RMSE",
    }
)


@dataclass(frozen=True, slots=True)
class PairedDrop:
    """The accuracy lost on one set of rows, how sure that is, and how it stands to the limit."""

    b: int
    c: int
    rows: int
    max_drop: float  # the limit, in points
    points: float  # 100 (b - c) / R lost; negative where accuracy is gained
    allowed_rows: int  # the limit in whole rows (G1)
    p: float  # of McNemar's exact test, two-sided (T1)
    low: float  # ends of the 95 % interval T2, in points
    high: float
    within: bool  # G1
    larger_drop_shown: bool  # G2

    @property
    def limit_lies(self) -> Literal["below", "inside", "above"]:
        """Where the limit lies to the interval: inside it, ends included, these rows cannot tell."""
        if self.max_drop < self.low:
            return "below"
        return "above" if self.max_drop > self.high else "inside"

    @property
    def reason(self) -> str:
        """Counts, test and interval in words, without a full stop."""
        in_rows = f"{self.allowed_rows:,} row{'s' * (self.allowed_rows != 1)}"
        against = f"{'within' if self.within else 'beyond'} the {self.max_drop:g} asked ({in_rows})"
        if not self.within:
            shown = "and the paired test shows" if self.larger_drop_shown else "but the paired test does not show"
            against += f", {shown} a larger drop"
        p = "<.0001" if self.p < 0.0001 else f"{self.p:.4f}"
        return (
            f"{abs(self.points):.2f} points {'gained' if self.points < 0 else 'lost'} ({self.b:,} lost, {self.c:,} won "
            f"of {self.rows:,}; p {p}), {against}; 95 % interval {self.low:.2f} to {self.high:.2f}: {self._conclusion}"
        )

    @property
    def _conclusion(self) -> str:
        if self.limit_lies == "inside":
            # G2 asks one side at 5 %, the interval leaves 2.5 % on each: between the two the test speaks first.
            inside = f"the limit of {self.max_drop:g} lies inside it"
            return f"{inside}, near its end" if self.larger_drop_shown else f"{inside}, so these rows cannot tell"
        return f"all of it {'within' if self.limit_lies == 'above' else 'beyond'} the limit of {self.max_drop:g}"


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided of a candidate: the evidence on both sets of rows, and the names of what is missed."""

    validation: PairedDrop | PairedRise  # of classes, or of real targets
    test: PairedDrop | PairedRise | None  # None: no test rows were opened
    failing: tuple[str, ...]  # of REQUIREMENTS, in that order

    @property
    def met(self) -> bool:
        """Whether nothing is missed."""
        return not self.failing

    @property
    def missed(self) -> str:
        """Name what is missed, in words; empty where the budget is met."""
        return " and ".join(REQUIREMENTS[name] for name in self.failing)


def decide(budget: Budget, found: Measured, test: Compared | None = None) -> Decision:
    """Decide whether a budget is met: G1 and the limits on the validation rows (`found`), G2 on the `test` rows.

    `test` compares the float network with the candidate on rows that chose nothing; None: there are none. Of real
    targets the rise of RMSE takes the place of the drop, with the same two rules (see `paired_rise`).

    >>> found = Measurement(b=1, c=0, rows=270, kl=0.01, n_bytes=900, macs=64, sqnr=20.0)
    >>> decide(Budget(max_bytes=800), found).failing, decide(Budget(), found).met
    (('max_bytes',), True)
    >>> decide(Budget(), found).validation.reason.partition("; 95")[0]
    '0.37 points lost (1 lost, 0 won of 270; p 1.0000), within the 1 asked (2 rows)'
    """
    failing = budget.failing(found)
    if isinstance(found, Measurement):
        chosen_by = paired_drop(found.b, found.c, found.rows, budget.points)
        unseen = None
        if isinstance(test, Comparison):
            unseen = paired_drop(test.paired.b, test.paired.c, test.rows, budget.points)
        refuted = unseen is not None and unseen.larger_drop_shown
        return Decision(chosen_by, unseen, (*failing, *(("test_drop",) if refuted else ())))
    limit = budget.rise_limit
    on_test = paired_rise(test, limit) if isinstance(test, RealComparison) else None
    refuted = on_test is not None and on_test.larger_rise_shown
    return Decision(paired_rise(found.errors, limit), on_test, (*failing, *(("test_rise",) if refuted else ())))


def paired_drop(b: int, c: int, rows: int, max_drop: float) -> PairedDrop:
    """Hold the counts of one set of rows to a limit of `max_drop` points.

    >>> paired_drop(2, 1, 269, 1.0).limit_lies, paired_drop(2, 1, 26_900, 1.0).limit_lies
    ('inside', 'above')
    """
    allowed = allowed_rows(max_drop, rows)
    low, high = (100 * end for end in paired_interval(b, c, rows))
    within, shown = accuracy_holds(b, c, rows, max_drop), shows_larger_drop(b, c, allowed)
    return PairedDrop(b, c, rows, max_drop, 100 * (b - c) / rows, allowed, exact_p(b, c), low, high, within, shown)


def shows_larger_drop(b: int, c: int, allowed: int) -> bool:
    """G2. P(Binomial(n, 1/2) >= b - allowed) < 0.05, n = b - allowed + c, allowed >= 0; in exact integers.

    McNemar's exact test, one-sided, after taking the allowed rows from b. Never where b - c <= allowed: see above.

    >>> shows_larger_drop(4, 1, 2), shows_larger_drop(12, 1, 2)
    (False, True)
    """
    excess = max(b - allowed, 0)
    n = excess + c
    return sum(comb(n, i) for i in range(c + 1)) < SIGNIFICANCE * (1 << n)
