"""The core of a comparison: every method quantizes one network on the same rows, and the test rows judge them all.

All networks are made before the test rows are opened. Seconds are of the processor, so that other programs do not
count.

Legend: model the float network, rows (R, K) calibration rows; table the quantizers by name; bits a width; seed for what
draws; made the networks of `quantize_each`; reference the float network's answers on test rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from time import process_time

import numpy as np

from npquant.arrays import Float64
from npquant.compression.chain.weight_codes import Bits, weight_grid
from npquant.integer.mlp import IntegerMLP
from npquant.measure.evaluate import Answers, Comparison, Reference, compare
from npquant.measure.real_targets import RealComparison, RealEvaluation
from npquant.nn.model import FloatMLP
from npquant.workflow.compare.methods import Quantizer, width_name


@dataclass(frozen=True, slots=True, eq=False)
class Made:
    """A network that one method made of the float one, and the seconds that took."""

    method: str
    bits: Bits
    network: IntegerMLP
    seconds: float


@dataclass(frozen=True, slots=True)
class Score:
    """How well a network answers: `value` is accuracy in per cent; of real targets RMSE, and `r2` beside it.

    Of several targets `value` is the root mean square of their RMSE over their spread, and `r2` the mean of those that
    vary, NaN where none does.
    """

    value: float
    r2: float | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """What test rows say of one method at one width on one seed's network."""

    method: str
    bits: Bits
    seed: int
    floating: Score  # of the float network
    score: Score
    divergence: float  # KL to the float network in nats; of real targets as `RealComparison` has it
    lost: int | None  # test rows that only the float network gets right; None of real targets
    won: int | None  # that only this one does
    seconds: float

    @property
    def gained(self) -> float:
        """Points of accuracy, or RMSE, more than the float network has."""
        return self.score.value - self.floating.value


def quantize_each(model: FloatMLP, rows: Float64, table: Mapping[str, Quantizer], bits: Bits, seed: int) -> list[Made]:
    """Make the network of every method of a table at one width; ValueError names a method that leaves the grid.

    >>> from npquant.compression.rounding.uniform import quantize_uniform
    >>> from npquant.workflow.float_model import bundled_network
    >>> rows = np.zeros((20, 64))
    >>> table = {"plain": lambda model, rows, bits, seed: quantize_uniform(model, rows, bits)}
    >>> [(made.method, made.network.weight_bits) for made in quantize_each(bundled_network(), rows, table, 3, 0)]
    [('plain', (3, 3, 3))]
    """
    import_module("scipy.linalg")  # else the first method that solves a system pays for it, by the clock
    made = []
    for name, quantize in table.items():
        start = process_time()
        network = quantize(model, rows, bits, seed)
        made.append(Made(name, bits, network, process_time() - start))
        check_grid(network, name, bits)
    return made


def check_grid(network: IntegerMLP, name: str, bits: Bits) -> None:
    """See that the codes of every neuron lie on the grid of the width, or at 2 bits on its other side; name is told."""
    low, high = weight_grid(bits)
    for index, layer in enumerate(network.layers):
        least, most = layer.w_q.min(axis=0), layer.w_q.max(axis=0)
        on_grid = (least >= low) & (most <= high)
        if bits == 2:
            on_grid |= (least >= -high) & (most <= -low)
        if not on_grid.all():
            n = int(np.argmin(on_grid))
            raise ValueError(
                f"{name} at {width_name(bits)}: layer {index}, neuron {n}: codes {least[n]}..{most[n]} leave the grid "
                f"{low}..{high}"
            )


def judge_each(made: Iterable[Made], reference: Reference, seed: int) -> list[Row]:
    """Ask every network for the test rows; ArithmeticError if one's integer run differs from its definition."""
    floating = _score(reference.answers)
    rows = []
    for one in made:
        codes = one.network.encode(reference.x)
        if not np.array_equal(one.network.run(codes), one.network.run_plain(codes)):
            raise ArithmeticError(
                f"{one.method} at {width_name(one.bits)}: the integer run differs from its definition"
            )
        answers = reference.evaluate(one.network)
        found = compare(reference.answers, answers)
        lost, won = (found.paired.b, found.paired.c) if isinstance(found, Comparison) else (None, None)
        apart = found.divergence if isinstance(found, RealComparison) else found.kl
        rows.append(Row(one.method, one.bits, seed, floating, _score(answers), apart, lost, won, one.seconds))
    return rows


def _score(answers: Answers) -> Score:
    if not isinstance(answers, RealEvaluation):
        return Score(100 * answers.n_correct / answers.rows)
    explained = [value for value in answers.r2 if value is not None]
    r2 = sum(explained) / len(explained) if explained else float("nan")
    if len(answers.rmse) == 1:
        return Score(answers.rmse[0], r2)
    shares = np.array(answers.rmse) / np.array(answers.spread)
    return Score(float(np.sqrt(np.mean(np.square(shares)))), r2)
