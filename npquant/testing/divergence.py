"""Where two profiles part on a network: how often in each layer, and the first place: the values, and what decided.

Legend: model an integer network, whose own profile plays no part; x its real inputs (B, K), B rows; N neurons of a
layer; a and b two profiles, by name or record; each layer starts from a's codes; found a `Divergence`; codes
whether x holds input codes.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike

from npquant.arrays import Codes
from npquant.integer.layer import IntegerLayer, run_layer_plain
from npquant.integer.mlp import IntegerMLP
from npquant.kernels.linear import accumulate
from npquant.profiles import get
from npquant.profiles.record import Profile
from npquant.testing.cards import differing_rules
from npquant.testing.deciding import FIELDS, deciding_fields
from npquant.testing.samples import exact_steps


@dataclass(frozen=True, slots=True)
class FirstDivergence:
    """Hold the first output on which two profiles differ.

    >>> FirstDivergence(0, 0, 0, -5, Fraction(-5, 2), 0, -2, -3).nearest_tie
    Fraction(0, 1)
    """

    layer: int
    row: int
    neuron: int
    accumulator: int  # the exact int32 sum, bias included
    exact: Fraction  # in output steps, before rounding and zero point
    zero_point: int  # added after (or before) the rounding
    a: int  # the two codes
    b: int
    deciding: tuple[tuple[str, ...], ...] = ()  # fields of b's record that in a's alone give b's code; smallest sets

    @property
    def nearest_tie(self) -> Fraction:
        """How far the exact value is from the nearest k + 1/2, in output steps."""
        return self.exact - (Fraction(self.exact.__floor__()) + Fraction(1, 2))


@dataclass(frozen=True, slots=True)
class Divergence:
    """Hold how two profiles differ on a network and some rows."""

    a: str  # the names
    b: str
    rows: int  # that were run
    differing: tuple[int, ...]  # outputs by layer that differ, each layer starting from a's codes
    outputs: tuple[int, ...]  # outputs by layer in all
    end_to_end: int  # output codes that differ when each profile runs the whole network by itself
    predictions: int  # predicted classes that do
    largest: int  # difference of two output codes, end to end
    first: FirstDivergence | None  # by layer, then row, then neuron
    rules: tuple[str, ...]  # in which the two records differ


def compare_profiles(
    model: IntegerMLP, x: ArrayLike, a: str | Profile, b: str | Profile, *, codes: bool = False
) -> Divergence:
    """Run a network under two profiles: counts by layer, and the first difference in full.

    ValueError if a profile is unknown, its engine refuses a layer, or x holds no codes of the network's input where
    `codes` says so; TypeError if these are no integers.

    >>> from npquant.integer.layer import IntegerLayer
    >>> from npquant.kernels.qparams import QuantParams
    >>> p = QuantParams(0.5, 0, -128, 127)
    >>> net = IntegerMLP((IntegerLayer(np.array([[-5]], np.int8), np.array([0], np.int32), p, p, p, "identity"),), p)
    >>> compare_profiles(net, [[0.5]], "npquant", "litert_ref_2025").first.exact
    Fraction(-5, 2)
    """
    one, two = (dataclasses.replace(model, profile=get(profile)) for profile in (a, b))
    inputs: Codes = input_codes(model, x) if codes else model.encode(x)
    differing, outputs, first = [], [], None
    start = inputs
    for i, layer in enumerate(model.layers):
        from_a, from_b = (run_layer_plain(layer, inputs, net.profile) for net in (one, two))
        unequal = from_a != from_b
        differing.append(int(unequal.sum()))
        outputs.append(unequal.size)
        if first is None and unequal.any():
            first = _describe(layer, i, inputs, (from_a, from_b), (one.profile, two.profile))
        inputs = from_a
    y_a, y_b = one.run_plain(start), two.run_plain(start)
    return Divergence(
        one.profile.name,
        two.profile.name,
        len(start),
        tuple(differing),
        tuple(outputs),
        int((y_a != y_b).sum()),
        int((y_a.argmax(axis=1) != y_b.argmax(axis=1)).sum()),
        # Codes have 32 bits at most, so their difference holds in int64.
        int(np.abs(y_a.astype(np.int64) - y_b.astype(np.int64)).max(initial=0)),
        first,
        tuple(differing_rules(one.profile, two.profile)),
    )


def input_codes(model: IntegerMLP, x: ArrayLike) -> Codes:
    """Take an array as input codes of a network, whatever its integer type.

    TypeError if it holds no integers, ValueError if a code leaves the input's interval, or the shape is another.

    >>> from npquant.integer.layer import IntegerLayer
    >>> from npquant.kernels.qparams import QuantParams
    >>> p = QuantParams(0.5, 0, -128, 127)
    >>> net = IntegerMLP((IntegerLayer(np.array([[-5]], np.int8), np.array([0], np.int32), p, p, p, "identity"),), p)
    >>> input_codes(net, [[3], [-128]]).dtype
    dtype('int8')
    """
    found, params = np.asarray(x), model.input_params
    if found.dtype.kind not in "iu":
        raise TypeError(
            f"the codes are {found.dtype}; give integers, or real values without saying that they are codes"
        )
    if found.ndim != 2 or found.shape[1] != model.n_inputs:
        raise ValueError(f"the codes have shape {found.shape}; the network takes rows of {model.n_inputs}")
    if found.size and not (params.qmin <= found.min() and found.max() <= params.qmax):
        span = f"[{found.min()}, {found.max()}]"
        raise ValueError(
            f"the codes span {span}; the network's input takes {params.dtype} in [{params.qmin}, {params.qmax}]"
        )
    return found.astype(params.dtype)


def _describe(
    layer: IntegerLayer, index: int, codes: Codes, answers: tuple[Codes, Codes], profiles: tuple[Profile, Profile]
) -> FirstDivergence:
    """Work out the first output of a layer that differs, in exact arithmetic."""
    a, b = answers
    row, neuron = (int(i) for i in np.argwhere(a != b)[0])
    acc = accumulate(codes[row : row + 1], layer.w_q, layer.bias, layer.x.zero_point, layer.w.zero_point)
    value = int(acc[0, neuron])
    pair = int(a[row, neuron]), int(b[row, neuron]), deciding_fields(layer, codes[row : row + 1], neuron, *profiles)
    if layer.y is None:
        return FirstDivergence(index, row, neuron, value, Fraction(value), 0, *pair)  # a step is an accumulator's
    sw = np.broadcast_to(np.asarray(layer.w.scale), (layer.shape[1],))[neuron]
    exact = exact_steps(value, float(layer.x.scale), float(sw), float(layer.target.scale))
    zero_point = int(layer.target.zero_point)
    return FirstDivergence(index, row, neuron, value, exact, zero_point, *pair)


def render_divergence(found: Divergence) -> str:
    """Write a comparison for a terminal: a table by layer, the first difference, and the rules that explain it."""
    lines = [f"{found.a} against {found.b} on {found.rows:,} rows", "", "  layer  outputs      differ  ppm"]
    for i, (count, total) in enumerate(zip(found.differing, found.outputs, strict=True)):
        lines.append(f"  {i:>5}  {total:>11,}  {count:>6,}  {1e6 * count / max(total, 1):,.0f}")
    lines += [
        "",
        f"  end to end: {found.end_to_end:,} output codes{_by(found)} and {found.predictions:,} predictions differ",
        "",
    ]
    if found.first is None:
        lines.append("  The two profiles agree on every output of these rows.")
        if found.rules:
            lines.append(f"  Their records differ on: {'; '.join(found.rules)}.")
        return "\n".join(lines) + "\n"
    first = found.first
    lines += [
        f"  first difference: layer {first.layer}, neuron {first.neuron}, row {first.row}",
        f"    accumulator            {first.accumulator}",
        f"    exact value            {float(first.exact):.10f} steps, {float(first.nearest_tie):+.3g} from a tie",
        f"    zero point             {first.zero_point}",
        f"    {found.a:<22} {first.a}",
        f"    {found.b:<22} {first.b}",
        *_decided(found, first),
        "    the profiles differ on",
        *(f"      {rule}" for rule in found.rules),
        f"    see: npquant profiles {found.a}, npquant profiles {found.b}",
    ]
    return "\n".join(lines) + "\n"


def _decided(found: Divergence, first: FirstDivergence) -> list[str]:
    """Say which fields decided the first difference, or that no set of them alone did."""
    if not first.deciding:
        return []
    alone = "alone" if len(first.deciding[0]) == 1 else "together"
    lines = [f"    decided by             {' and '.join(first.deciding[0])}"]
    lines += [f"      or                   {' and '.join(names)}" for names in first.deciding[1:]]
    lines += [f"      {FIELDS[name]}" for name in dict.fromkeys(sum(first.deciding, ()))]
    return [
        *lines,
        f"      in {found.a}'s record {alone} it makes {found.b}'s code"
        if alone == "alone"
        else f"      in {found.a}'s record {alone} they make {found.b}'s code; fewer do not",
    ]


def _by(found: Divergence) -> str:
    return f" (by up to {found.largest})" if found.largest > 1 else ""


def divergence_as_json(found: Divergence) -> dict[str, object]:
    """Describe a comparison in JSON's types; ``first`` has the exact value as "numerator/denominator" and as float."""
    record = dataclasses.asdict(found)
    if found.first is not None:
        exact = found.first.exact
        record["first"] |= {"exact": f"{exact.numerator}/{exact.denominator}", "exact_float": float(exact)}
    return record
