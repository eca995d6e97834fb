"""Vectors with teeth: which rules a set of vectors can separate, and with how many of its codes.

Legend: a vector set is made of cases or of records (a layer, its input, the codes that the set gives); base the profile
that the set is of, in which a wrong rule replaces one part; a code counts against a rule only where the base itself
gives the set's code."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from npquant.arrays import Codes
from npquant.kernels.qparams import QuantParams
from npquant.profiles import get
from npquant.profiles.operators import quantize
from npquant.testing.bugs.catalogue import bug_named
from npquant.testing.case import Case, checked, expected
from npquant.testing.who.records import Record
from npquant.testing.who.suspects import Suspect, profile_suspect, rule_suspect


@dataclass(frozen=True, slots=True, eq=False)
class QuantizeRecord:
    """Real values, the codes that a set gives for them, and the quantization between."""

    x: NDArray[np.float32]
    params: QuantParams
    y_q: Codes


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of the table: a wrong rule that a set's own codes kill, or two rules of which either may be right.

    op: "linear" or "quantize". one, other: names in the catalogue; other is "" where the set's own code is meant."""

    group: str
    says: str
    one: str
    other: str = ""
    op: str = "linear"


def _rules() -> Iterator[Rule]:
    for says, one, other in (
        ("truncates toward zero, or rounds", "truncates_toward_zero", ""),
        ("floors (a plain shift), or rounds", "floors", ""),
        ("ties up, or to even", "sends_ties_up", "sends_ties_to_even"),
        ("ties up, or away from zero", "sends_ties_up", "sends_ties_away"),
        ("ties away from zero, or to even", "sends_ties_away", "sends_ties_to_even"),
        ("ties to zero, or away from it", "sends_ties_to_zero", "sends_ties_away"),
        ("one rounding, or two", "rounds_once_where_twice_is_due", "rounds_twice_away"),
        ("zero point before a half-even rounding, or after", "rounds_after_the_zero_point", "sends_ties_to_even"),
        ("zero point before a half-away rounding, or after", "rounds_away_after_the_zero_point", "sends_ties_away"),
        ("in float32, or exactly", "rounds_in_float32", "sends_ties_to_even"),
    ):
        yield Rule("rounding", says, f"rounding.{one}", f"rounding.{other}" if other else "")
    # These round half up: beside a rounding that does so too, they differ from it by their multiplier alone.
    for says, name in (
        ("8 bits, or exact", "multiplier_has_8_bits"),
        ("15 bits, or exact", "multiplier_has_15_bits"),
        ("16 bits truncated, or exact", "multiplier_has_16_bits_truncated"),
        ("made in float32, or exact", "multiplier_is_made_in_float32"),
        ("left shift ignored, or applied", "left_shift_is_ignored"),
    ):
        yield Rule("multiplier", says, f"multiplier.{name}", "rounding.sends_ties_up")
    for group, says, name in (
        ("rails", "wraps in place of saturating", "saturation.wraps_in_place_of_saturating"),
        ("rails", "wraps at the upper rail", "saturation.wraps_at_the_upper_rail_only"),
        ("rails", "wraps at the lower rail", "saturation.wraps_at_the_lower_rail_only"),
        ("rails", "never gives the lowest code", "saturation.never_reaches_the_lowest_code"),
        ("rails", "never gives the highest code", "saturation.never_reaches_the_highest_code"),
        ("rails", "clamps before the zero point", "saturation.clamps_before_the_zero_point"),
        ("rails", "wraps to int16 before the clamp", "saturation.scaled_value_wraps_to_16_bits_first"),
        ("accumulator", "passes through float32 (above 2^24)", "accumulators.converts_the_accumulator_to_float32"),
        ("accumulator", "16 bits", "accumulators.accumulator_has_16_bits"),
        ("accumulator", "24 bits", "accumulators.accumulator_has_24_bits"),
        ("bias", "dropped", "biases.is_dropped"),
        ("bias", "one too large", "biases.is_one_too_large"),
        ("bias", "one too small", "biases.is_one_too_small"),
        ("bias", "int16", "biases.wraps_to_16_bits"),
        ("bias", "added after scaling", "biases.is_added_after_scaling"),
        ("zero points", "input's forgotten", "zero_points.input_zero_point_is_forgotten"),
        ("zero points", "weights' forgotten", "zero_points.weight_zero_point_is_forgotten"),
        ("zero points", "K zx zw missing", "zero_points.cross_term_is_missing"),
        ("zero points", "x - zx in int8", "zero_points.input_zero_point_is_subtracted_in_8_bits_wrapping"),
        ("zero points", "output's forgotten", "zero_points.output_zero_point_is_forgotten"),
        ("zero points", "output's read as uint8", "zero_points.output_zero_point_is_read_as_unsigned"),
        ("lanes", "input read as the other sign", "lanes.input_is_read_as_the_other_sign"),
        ("lanes", "weight -128 taken for -127", "lanes.lowest_weight_is_one_higher"),
        ("lanes", "pairs saturate to int16", "lanes.pairs_saturate_to_16_bits"),
        ("lanes", "pairs wrap in int16", "lanes.pairs_wrap_in_16_bits"),
        ("lanes", "int16 lane, products 8 apart", "lanes.products_eight_apart_wrap_in_16_bits"),
        ("tails", "last input skipped", "tails.last_input_is_skipped"),
        ("tails", "K mod 4 dropped", "tails.depth_tail_dropped_4"),
        ("tails", "K mod 16 dropped", "tails.depth_tail_dropped_16"),
        ("tails", "K mod 16 dropped beyond 64", "tails.depth_tail_dropped_16_beyond_64"),
        ("tails", "odd last row skipped", "tails.odd_last_row_is_skipped"),
        ("channels", "scale of channel 0 for all", "channels.channel_0_serves_all"),
        ("activation", "ignored", "activations.is_ignored"),
        ("activation", "ReLU at code 0", "activations.clamps_at_code_zero"),
    ):
        yield Rule(group, says, name)
    for says, one, other in (
        ("truncates, or rounds", "truncates", ""),
        ("ties away from zero, or to even", "ties_away", "ties_even"),
        ("ties up, or to even", "ties_up", "ties_even"),
        ("multiplies by the reciprocal, or divides", "multiplies_by_the_reciprocal", ""),
        ("zero point before the rounding, or after", "rounds_after_the_zero_point", "ties_even"),
        ("wraps in place of saturating", "wraps_in_place_of_saturating", ""),
        ("zero point forgotten", "zero_point_is_forgotten", ""),
    ):
        yield Rule("QUANTIZE", says, f"real_values.{one}", f"real_values.{other}" if other else "", "quantize")


RULES: Final = tuple(_rules())


@dataclass(frozen=True, slots=True, eq=False)
class Coverage:
    """What a vector set can separate: killed[i] of its codes tell rule i of `rules`.

    codes: how many it has, (linear, QUANTIZE). foreign: codes of its own that its base does not give. skipped: cases
    that are no single answer to one layer, such as networks and cases to be refused."""

    name: str
    base: str
    rules: tuple[Rule, ...]
    killed: tuple[int, ...]
    codes: tuple[int, int]
    foreign: int
    skipped: int

    @property
    def separated(self) -> tuple[Rule, ...]:
        """The rules that some code tells."""
        return tuple(rule for rule, count in zip(self.rules, self.killed, strict=True) if count)

    @property
    def blind(self) -> tuple[Rule, ...]:
        """The rules that none tells."""
        return tuple(rule for rule, count in zip(self.rules, self.killed, strict=True) if not count)

    def text(self) -> str:
        """Write the table: a line a rule."""
        return table((self,))


def table(found: Sequence[Coverage]) -> str:
    """Write what was found of several sets side by side: a line a rule, a column a set, "." where no code tells the
    rule."""
    names = [one.name for one in found]
    width = max(14, *(len(name) for name in names))
    first = found[0]
    left = max(len(f"{rule.group}: {rule.says}") for rule in first.rules)
    lines = [" " * left + "".join(f"  {name:>{width}}" for name in names)]
    lines.append("codes".ljust(left) + "".join(f"  {sum(one.codes):>{width},}" for one in found))
    for i, rule in enumerate(first.rules):
        counts = [one.killed[i] for one in found]
        shown = [f"{count:,}" if count else "." for count in counts]
        lines.append(f"{rule.group}: {rule.says}".ljust(left) + "".join(f"  {text:>{width}}" for text in shown))
    totals = [f"{len(one.separated)} of {len(one.rules)}" for one in found]
    lines.append("rules told".ljust(left) + "".join(f"  {text:>{width}}" for text in totals))
    return "\n".join(lines) + "\n"


def coverage_of(
    vectors: Iterable[Case | Record | QuantizeRecord],
    base: str = "npquant",
    *,
    rules: Sequence[Rule] = RULES,
    name: str = "set",
) -> Coverage:
    """Say which rules a vector set can separate; cases are put under the base, whatever profile they name.

    ValueError if the base's engine takes none of the vectors."""
    records, skipped = [], 0
    for vector in vectors:
        record = _as_record(vector, base)
        skipped += record is None
        if record is not None:
            records.append(record)
    linear = [record for record in records if isinstance(record, Record)]
    real = [record for record in records if isinstance(record, QuantizeRecord)]
    codes = (sum(one.y_q.size for one in linear), sum(one.y_q.size for one in real))
    if not records:
        raise ValueError(f"{base} takes none of the {skipped} vectors")
    sound = {id(one): _sound(one, base) for one in records}
    killed = []
    for rule in rules:
        answers = [_rule_answers(rule_name, base) if rule_name else None for rule_name in (rule.one, rule.other)]
        chosen: Sequence[Any] = linear if rule.op == "linear" else real
        killed.append(sum(_count(record, answers, sound[id(record)]) for record in chosen))
    foreign = sum(int(np.count_nonzero(~mask)) for mask in sound.values())
    return Coverage(name, base, tuple(rules), tuple(killed), codes, foreign, skipped)


def _as_record(vector: Case | Record | QuantizeRecord, base: str) -> Record | QuantizeRecord | None:
    """Return a vector as a record; None for a case that has no single answer of one layer under the base."""
    if not isinstance(vector, Case):
        return vector
    if vector.status != "valid" or len(vector.model.layers) != 1:
        return None
    layer = vector.model.layers[0]
    try:
        if vector.op == "quantize":
            params = checked(layer.x)
            return QuantizeRecord(vector.x_q, params, quantize(vector.x_q, params, base))
        under = Case(type(vector.model)(vector.model.layers, base), vector.x_q)
        return Record(layer, vector.x_q, expected(under))
    except (ValueError, OverflowError):
        return None


def _sound(record: Record | QuantizeRecord, base: str) -> NDArray[np.bool_]:
    """Say which codes of a record the base gives itself."""
    if isinstance(record, QuantizeRecord):
        return np.asarray(quantize(record.x, record.params, base) == record.y_q)
    return np.asarray(profile_suspect(base).answers(record.layer, record.x_q) == record.y_q)


def _rule_answers(name: str, base: str) -> Suspect | Callable[..., Any]:
    """Return what answers as a rule does: a suspect of a linear layer, or a function of real values."""
    bug = bug_named(name)
    if bug.group != "real_values":
        return rule_suspect(bug, base)
    backend: Any = bug.make(get(base))
    function: Callable[..., Any] = backend.quantize_function
    return function


def _count(record: Any, answers: Sequence[Any], sound: NDArray[np.bool_]) -> int:
    """Count the codes on which one rule differs from the other, or from the set's own where the base gives these."""
    one, other = answers
    first = _codes(record, one)
    if other is None:
        return int(np.count_nonzero((first != record.y_q) & sound))
    return int(np.count_nonzero(first != _codes(record, other)))


def _codes(record: Record | QuantizeRecord, rule: Any) -> NDArray[Any]:
    if isinstance(record, QuantizeRecord):
        with np.errstate(all="ignore"):
            return np.asarray(rule(record.x, record.params))
    return np.asarray(rule.answers(record.layer, record.x_q))
