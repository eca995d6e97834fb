"""Who decides between methods: rows that none of them was calibrated on.

Legend: H rows held out, C outputs; `errors` maps the name of each method to D (H,), how far its network lies from the
float one on each row: in nats, or squared in units of the outputs' spread. The first method stands unless another
proves better. `logits` (H, C) of the float network, `found` (H, C) of an integer one; `output` "softmax" or "identity".

E30 (divergence)  D_r = sum_c p_c (log p_c - log q_c)  as in M2;  or  mean_c (found_c - logits_c)^2 / var_c
E31 (decision)    of all methods the best has the least mean_r D; it is taken instead of the first where
                  mean_r d > 2 sd_r d / sqrt(H),  d_r = D_r(first) - D_r(best)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from npquant.arrays import Float64, Real
from npquant.compression.least_squares import INDISTINCT
from npquant.nn.losses import kl_by_row

# By which the best must be ahead: the differences have heavy tails, and with one of them luck decided too often.
STANDARD_ERRORS: Final = 2


@dataclass(frozen=True, slots=True)
class MethodChoice:
    """The method that was taken, and what the rows held out said of each.

    >>> choice = decide_method({"rectified": np.array([0.2, 0.4]), "nearest": np.array([0.1, 0.2])})
    >>> choice.taken, choice.best, choice.reason
    ('nearest', 'nearest', '2 rows held out of calibration: nearest 0.15, rectified 0.3')
    """

    taken: str
    best: str  # of the least mean error
    rows: int  # H; 0 where rows were too few to hold any out
    errors: tuple[tuple[str, float], ...]  # mean_r D of every method, the first method first

    @property
    def tied(self) -> bool:
        """Whether another method was better, but by no more than two standard errors."""
        return self.taken != self.best

    @property
    def reason(self) -> str:
        """What decided, in words, without a full stop."""
        if not self.rows:
            return "rows are too few to hold any out"
        ordered = ", ".join(f"{name} {error:.4g}" for name, error in sorted(self.errors, key=lambda pair: pair[1]))
        said = f"{self.rows:,} rows held out of calibration: {ordered}"
        return f"{said}; {self.best} is not better by more than two standard errors" if self.tied else said

    def to_json(self) -> dict[str, Any]:
        """Describe the choice for a report."""
        return {
            "taken": self.taken,
            "best": self.best,
            "rows_held_out": self.rows,
            "errors": dict(self.errors),
            "reason": self.reason,
        }


def decide_method(errors: Mapping[str, Float64]) -> MethodChoice:
    """E31: take the best method where it beats the first by more than two standard errors, else the first.

    >>> noisy = {"rectified": np.array([0.2, 0.2, 0.2]), "gptq": np.array([0.0, 0.3, 0.2])}
    >>> decide_method(noisy).taken, decide_method(noisy).best
    ('rectified', 'gptq')
    """
    first = next(iter(errors))
    means = {name: float(each.mean()) for name, each in errors.items()}
    best = min(means, key=lambda name: means[name])
    gained = errors[first] - errors[best]
    # One row has no spread to tell: then nothing is proven.
    spread = float(gained.std(ddof=1)) / np.sqrt(len(gained)) if len(gained) > 1 else np.inf
    proven = float(gained.mean()) > STANDARD_ERRORS * spread + INDISTINCT * means[first]
    return MethodChoice(best if proven else first, best, len(gained), tuple(means.items()))


def divergence_by_row(logits: Real, found: Real, output: str) -> Float64:
    """E30: say how far each row's answers lie from the float network's.

    An output that does not vary counts in its own unit.

    >>> divergence_by_row(np.array([[0.0], [2.0]]), np.array([[0.5], [2.0]]), "identity")
    array([0.25, 0.  ])
    """
    if output == "softmax":
        return kl_by_row(logits, found)
    variance = logits.var(axis=0)
    away = np.square(found - np.asarray(logits, np.float64)) / np.where(variance > 0, variance, 1.0)
    return np.asarray(away.mean(axis=1), np.float64)
