"""Declared coverage bins: what a tier must have put at least once, each hit or missed by a list of cases.

Legend: acc accumulator, bias included; steps acc sx sw / sy; zy zero point of the output; B, K, N shape; profile an
engine's record, can what a backend takes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Final

import numpy as np

from npquant.arrays import Float64, Int64
from npquant.profiles.record import Profile
from npquant.testing.backend import Capabilities, capabilities_of
from npquant.testing.case import Case, Layer
from npquant.testing.solve import centred_sums

LANES: Final = (4, 8, 16, 32)
# Powers of two between which the right shift of a multiplier is binned; below 0 it is a left shift.
SHIFTS: Final = ((-30, 0, "left"), (0, 4, "0-3"), (4, 8, "4-7"), (8, 12, "8-11"), (12, 40, "12 and more"))


def declared(profile: Profile) -> tuple[str, ...]:
    """Return the bins that a standard tier must hit for a profile's engine.

    >>> from npquant.profiles import get
    >>> "tie + even, zy odd" in declared(get("ort")), "tie + even, zy odd" in declared(get("gemmini_f32"))
    (True, False)
    """
    can = capabilities_of(profile)
    return tuple(_declared(profile, can))


def _declared(profile: Profile, can: Capabilities) -> Iterator[str]:
    zeros = ("even", "odd") if can.input_zero_point else ("even",)
    for sign in "+-":
        for parity in ("even", "odd"):
            yield from (f"tie {sign} {parity}, zy {zero}" for zero in zeros)
    yield from ("beside a tie, below", "beside a tie, above")
    for rail in ("low", "high"):
        yield from (f"rail {rail} {offset:+d}" for offset in (-1, 0, 1))
        yield f"rail {rail}, beyond int16"
    for lane in LANES:
        yield from (f"K mod {lane}: {rest}" for rest in ("0", "1", "more", f"{lane - 1}"))
    yield from ("K = 0", "K = 1", "K > 64", "K > 1024")
    yield from (f"shift {name}" for _, _, name in SHIFTS)
    for name in can.activations:
        yield f"activation {name}, zy at the middle"
        if can.input_zero_point:
            yield f"activation {name}, zy elsewhere"
    yield from ("B = 0", "B = 1", "B = 2", "B odd", "B > 8", "N = 1", "N mod 4 not 0", "N > 16", "N = K")
    yield from (f"x {layout}" for layout in can.layouts)
    yield from (f"weights {layout}" for layout in can.layouts)
    yield from ("earlier runs", "the same buffer again", "a neighbour", "several layers", "no bias", "pruned weights")
    yield from ("lowest weight", "highest weight", "lowest input", "highest input")
    yield from ("acc > 2^15", "acc > 2^24", "acc > 2^30", "acc < -2^15", "acc < -2^24", "acc < -2^30")
    yield from (f"codes {kind}" for kind in can.code_types if kind in ("int8", "uint8"))
    if can.per_channel:
        yield from ("channels of unlike mantissa", "channels of unlike exponent")
    if can.weight_zero_point:
        yield "weight zero point"
    if can.input_zero_point:
        yield from ("input zero point", "zx at an end", "zy at an end")
    if can.rejects:
        yield "must be refused"


def bins_of(case: Case) -> set[str]:
    """Return the bins that a case hits.

    >>> from npquant.kernels.qparams import QuantParams
    >>> from npquant.testing.case import one_layer
    >>> p = QuantParams(0.5, 0, -128, 127)
    >>> one = one_layer(np.array([[1]], np.int8), np.array([[-5]], np.int8), None, p, p, p, "npquant")
    >>> sorted(bins_of(one))[:4]
    ['B = 1', 'K = 1', 'K mod 16: 1', 'K mod 32: 1']
    >>> "tie - odd, zy even" in bins_of(one)
    True
    """
    if case.op != "linear":
        return set()
    if case.status != "valid":
        return {"must be refused"} if case.status == "must_reject" else set()
    found = set(_of_the_question(case))
    layer = case.model.layers[0]
    found |= set(_of_the_layer(layer, case))
    if case.x_q.size or layer.w_q.shape[0] == 0:
        found |= set(_of_the_values(layer, case))
    return found


def _of_the_question(case: Case) -> Iterator[str]:
    """Yield bins of batch, layouts and state."""
    b = len(case.x_q)
    yield from (f"B = {size}" for size in (0, 1, 2) if b == size)
    if b > 2 and b % 2:
        yield "B odd"
    if b > 8:
        yield "B > 8"
    yield from (f"x {case.x_layout}", f"weights {case.w_layout}")
    if case.earlier:
        yield "earlier runs"
    if case.earlier and case.same_buffer:
        yield "the same buffer again"
    if case.neighbour is not None:
        yield "a neighbour"
    if len(case.model.layers) > 1:
        yield "several layers"


def _of_the_layer(layer: Layer, case: Case) -> Iterator[str]:
    """Yield bins of shape, quantization and operands."""
    k, n = layer.w_q.shape
    for lane in LANES:
        rest = k % lane
        named = str(rest) if rest in (0, 1, lane - 1) else "more"
        yield f"K mod {lane}: {named}"
    yield from (f"K = {size}" for size in (0, 1) if k == size)
    yield from (f"K > {size}" for size in (64, 1024) if k > size)
    yield from (text for text, hit in (("N = 1", n == 1), ("N mod 4 not 0", n % 4), ("N > 16", n > 16)) if hit)
    middle = (layer.y.qmin + layer.y.qmax + 1) // 2
    place = "at the middle" if int(layer.y.zero_point) == middle else "elsewhere"
    flags = {
        "N = K": n == k > 1,
        "no bias": layer.bias is None,
        "pruned weights": layer.w_q.size >= 4 and np.mean(layer.w_q == layer.w.zero_point) >= 0.25,
        "lowest weight": np.any(layer.w_q == layer.w.qmin),
        "highest weight": np.any(layer.w_q == layer.w.qmax),
        "lowest input": np.any(case.x_q == layer.x.qmin),
        "highest input": np.any(case.x_q == layer.x.qmax),
        "weight zero point": np.any(layer.w.zero_point),
        "input zero point": int(layer.x.zero_point) != (layer.x.qmin + layer.x.qmax + 1) // 2,
        "zx at an end": int(layer.x.zero_point) in (layer.x.qmin, layer.x.qmax),
        "zy at an end": int(layer.y.zero_point) in (layer.y.qmin, layer.y.qmax),
    }
    yield from (name for name, hit in flags.items() if hit)
    yield f"codes {layer.x.dtype.name}"
    yield f"activation {layer.activation}, zy {place}"
    if np.ndim(layer.w.scale):
        mantissa, exponent = np.frexp(np.asarray(layer.w.scale))
        if len(np.unique(mantissa)) > 1:
            yield "channels of unlike mantissa"
        if len(np.unique(exponent)) > 1:
            yield "channels of unlike exponent"


def _of_the_values(layer: Layer, case: Case) -> Iterator[str]:
    """Yield bins of accumulators and of what they become."""
    acc = centred_sums(layer, case.x_q) + (0 if layer.bias is None else layer.bias.astype(np.int64))
    real = np.asarray(layer.x.scale, np.float64) * np.asarray(layer.w.scale, np.float64) / np.float64(layer.y.scale)
    factors = np.broadcast_to(real, (acc.shape[1],))
    shifts = 1 - np.frexp(factors)[1]
    yield from (f"shift {name}" for low, high, name in SHIFTS if np.any((shifts - 1 >= low) & (shifts - 1 < high)))
    for power in (15, 24, 30):
        if acc.max(initial=0) > 2**power:
            yield f"acc > 2^{power}"
        if acc.min(initial=0) < -(2**power):
            yield f"acc < -2^{power}"
    steps = acc * factors
    if layer.activation == "none":
        yield from _of_the_rails(layer, steps)
    yield from _of_the_ties(layer, acc, steps)


def _of_the_rails(layer: Layer, steps: Float64) -> Iterator[str]:
    whole = np.floor(steps + 0.5) + int(layer.y.zero_point)
    for rail, bound, outward in (("low", layer.y.qmin, -1), ("high", layer.y.qmax, 1)):
        yield from (f"rail {rail} {offset:+d}" for offset in (-1, 0, 1) if np.any(whole == bound + offset * outward))
        if np.any((whole - bound) * outward > 2**15):
            yield f"rail {rail}, beyond int16"


def _of_the_ties(layer: Layer, acc: Int64, steps: Float64) -> Iterator[str]:
    """Yield ties, decided exactly, and accumulators one beside a tie, exact or between two of them."""
    zero = "odd" if int(layer.y.zero_point) % 2 else "even"
    inside = np.abs(steps) < 2**20
    away = steps - np.floor(steps) - 0.5
    near = inside & (np.abs(away) <= 2.0**-20)
    scales = np.broadcast_to(np.asarray(layer.w.scale), (acc.shape[1],))
    for row, n in np.argwhere(near)[:64]:
        factor = Fraction(float(layer.x.scale)) * Fraction(float(scales[n])) / Fraction(float(layer.y.scale))
        exact = int(acc[row, n]) * factor
        if (2 * exact).denominator == 1 and (2 * exact).numerator % 2:
            parity = "odd" if int(exact - Fraction(1, 2)) % 2 else "even"
            yield f"tie {'+' if exact > 0 else '-'} {parity}, zy {zero}"
    width = np.broadcast_to(np.abs(steps / np.where(acc == 0, 1, acc)), steps.shape)
    beside = inside & (np.abs(away) <= width) & (away != 0)
    if np.any(beside & (away < 0)):
        yield "beside a tie, below"
    if np.any(beside & (away > 0)):
        yield "beside a tie, above"


def missed(profile: Profile, cases: Iterable[Case]) -> set[str]:
    """Return the declared bins that no case hits; it stops at the case that hits the last."""
    left = set(declared(profile))
    for case in cases:
        left -= bins_of(case)
        if not left:
            break
    return left
