"""Whether two profiles can be told apart on a layer at all: by their rules, or by every accumulator that it can reach.

Legend: a, b names of profiles; d (K, N) weight codes less their zero points; sums of products, without the bias; a
total is a sum with its bias; fixed the kernel's multiplier, where it takes no scales; effort accumulators that are
looked at for one answer before it stays open."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from npquant.arrays import Float64, Int64
from npquant.kernels.multiplier import FixedMultiplier
from npquant.profiles.record import Profile
from npquant.testing.case import Layer
from npquant.testing.who.next_inputs import bias_of_layer, multipliers, with_sums
from npquant.testing.who.reaching import centred_interval, centred_weights, reachable_interval
from npquant.testing.who.suspects import profile_suspect, record_under

EFFORT: Final = 1 << 23
CHUNK: Final = 1 << 16


@dataclass(frozen=True, slots=True, eq=False)
class Likeness:
    """What is known of two profiles on a layer: equal for every input, or different, or neither was shown.

    where: (output, sum of products) at which their codes differ, if one was found."""

    equal: bool
    why: str
    where: tuple[int, int] | None = None


def compare(layer: Layer, a: str, b: str, fixed: FixedMultiplier | None, effort: int = EFFORT) -> Likeness:
    """Say whether any input of a layer tells two profiles apart, both of whose engines take it."""
    one, two = record_under(a, fixed), record_under(b, fixed)
    lows, highs = reachable_interval(centred_weights(layer), *centred_interval(layer))
    bias = bias_of_layer(layer)
    if _pairs_saturate(layer, one) != _pairs_saturate(layer, two):
        return Likeness(False, "pairs of products can saturate in one of them alone")
    if _pairs_saturate(layer, one) and one.pairs_apart(layer.w_q.shape[0]) != two.pairs_apart(layer.w_q.shape[0]):
        return Likeness(False, "they pair other products, which can saturate")
    low, high = int((lows + bias).min(initial=0)), int((highs + bias).max(initial=0))
    # An engine that sees its layer whole may sum inputs raised by 128 (R138).
    whole = any(record.whole_layer is not None for record in (one, two))
    raised = 128 * int(np.abs(centred_weights(layer).sum(axis=0)).max(initial=0)) if whole else 0
    if low - raised < -(2**31) or high + raised >= 2**31:
        return Likeness(False, "an accumulator can leave int32, which was not searched")
    if _same_rules(layer, one, two):
        return Likeness(True, f"the same rules on this layer, whose accumulators lie in [{low}, {high}]")
    return _by_every_accumulator(layer, (a, b), (one, two), fixed, (lows, highs), effort)


def _pairs_saturate(layer: Layer, profile: Profile) -> bool:
    """Say whether two neighbouring raw products can leave int16 on a machine that saturates them."""
    paired = layer.x.dtype == np.uint8 or profile.pairs_int8
    if profile.accumulator != "pair16" or not paired or layer.w_q.dtype != np.int8:
        return False
    w, apart = layer.w_q.astype(np.int64), profile.pairs_apart(layer.w_q.shape[0])
    nothing = np.zeros((1, w.shape[1]), np.int64)
    w = np.concatenate([w[:apart], *([nothing] * (apart % 2)), w[apart:]])
    w = np.concatenate([w, *([nothing] * (len(w) % 2))])
    largest = layer.x.qmax + (128 if layer.x.dtype == np.int8 else 0)
    above, below = np.maximum(w, 0) * largest, np.minimum(w, 0) * largest
    return bool(((above[::2] + above[1::2]) >= 2**15).any() or ((below[::2] + below[1::2]) < -(2**15)).any())


def _same_rules(layer: Layer, one: Profile, two: Profile) -> bool:
    """Say whether two profiles have one output stage and make one multiplier and one interval of this layer."""
    if (one.output_stage, one.add_bias, one.whole_layer) != (two.output_stage, two.add_bias, two.whole_layer):
        return False
    made = [_as_arrays(p.make_multiplier(layer.x.scale, layer.w.scale, layer.y.scale)) for p in (one, two)]
    same = len(made[0]) == len(made[1]) and all(np.array_equal(m, n) for m, n in zip(*made, strict=True))
    name = "identity" if layer.activation == "none" else layer.activation
    bounds = [p.activation_bounds(name, layer.y) for p in (one, two)]  # type: ignore[arg-type]
    return same and bounds[0] == bounds[1]


def _as_arrays(made: Any) -> tuple[Float64, ...]:
    """Return a multiplier of any form as numbers; 31 bits and 24 are exact in float64."""
    if isinstance(made, FixedMultiplier):
        return (np.asarray(made.multiplier, np.float64), np.asarray(made.shift, np.float64))
    parts = made if isinstance(made, tuple) else (made,)
    return tuple(np.asarray(part, np.float64) for part in parts)


def _by_every_accumulator(
    layer: Layer,
    names: tuple[str, str],
    records: tuple[Profile, Profile],
    fixed: FixedMultiplier | None,
    ends: tuple[Int64, Int64],
    effort: int,
) -> Likeness:
    """Run both profiles on every sum that the outputs can reach, each output or each different multiplier once."""
    suspects = [profile_suspect(name, fixed) for name in names]
    looked = 0
    for n, low, high in _intervals(layer, records, ends):
        waiting = [_telling_points(layer, n, low, high)]
        while waiting:
            points = waiting.pop()
            if len(points) > CHUNK:
                waiting += [points[CHUNK - 1 :]]
                points = points[:CHUNK]
            looked += len(points)
            if looked > effort:
                return Likeness(
                    False, f"no difference at {looked - len(points):,} accumulators; more were not looked at"
                )
            outputs = [n, *_another_scale(layer, n)]
            probe, x_q = with_sums(layer, outputs, np.repeat(points[:, np.newaxis], len(outputs), axis=1))
            one, two = (suspect.of_sums(probe, x_q)[:, 0] for suspect in suspects)
            differ = np.flatnonzero(one != two)
            if len(differ):
                return Likeness(False, "they differ", (n, int(points[differ[0]])))
            waiting += [gap for gap in (_unproven(points, one),) if len(gap)]
    low, high = int((ends[0] + bias_of_layer(layer)).min()), int((ends[1] + bias_of_layer(layer)).max())
    return Likeness(True, f"every accumulator in [{low}, {high}] gives one code under both, as {looked:,} of them show")


def _another_scale(layer: Layer, n: int) -> list[int]:
    """Return an output whose scale is not that of output n, if any: beside it an engine may compute otherwise."""
    scales = np.broadcast_to(np.asarray(layer.w.scale), (layer.w_q.shape[1],))
    return [int(other) for other in np.flatnonzero(scales != scales[n])[:1]]


def _intervals(
    layer: Layer, records: tuple[Profile, Profile], ends: tuple[Int64, Int64]
) -> Iterator[tuple[int, int, int]]:
    """Yield (output, lowest sum, highest sum): where the bias is an integer, outputs of one multiplier share one."""
    factors, bias = multipliers(layer), bias_of_layer(layer)
    if any(record.takes_real_bias for record in records):
        groups = [np.array([n]) for n in range(len(bias))]
    else:
        groups = [np.flatnonzero(factors == factor) for factor in np.unique(factors)]
    for group in groups:
        n = int(group[0])
        yield n, int((ends[0] + bias)[group].min() - bias[n]), int((ends[1] + bias)[group].max() - bias[n])


def _telling_points(layer: Layer, n: int, low: int, high: int) -> Int64:
    """Return sums of output n, in order, that show every other one: beside each tie, and both ends.

    For 2^-31 <= M < 1/2 and totals within 2^30 no step leaves int32, so that every profile's code grows with the
    accumulator: where both profiles give one code at two sums, they give it at all between. Elsewhere a shift or the
    half step of a rounding may wrap: every sum is returned, as far as one chunk more than the effort."""
    factor, bias = float(multipliers(layer)[n]), int(bias_of_layer(layer)[n])
    if not 2.0**-31 <= factor < 0.5 or low + bias < -(2**30) or high + bias > 2**30:
        return np.arange(low, min(high, low + EFFORT + 1) + 1)
    ties = np.arange(layer.y.qmin - 1, layer.y.qmax + 1) - int(layer.y.zero_point) + 0.5
    at = np.floor(ties / factor).astype(np.int64) - bias
    points = np.concatenate([at + d for d in range(-2, 4)] + [np.array([low, high])])
    return np.unique(points[(points >= low) & (points <= high)])


def _unproven(points: Int64, codes: Int64) -> Int64:
    """Return the sums between two neighbouring points whose codes differ: what growing alone does not show."""
    gaps = np.flatnonzero((np.diff(points) > 1) & (np.diff(codes) != 0))
    parts = [np.arange(points[i] + 1, points[i + 1]) for i in gaps]
    return np.concatenate(parts) if parts else points[:0]
