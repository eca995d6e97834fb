"""One output, stage by stage: products, accumulator, exact value, rounding, zero point, clamp; and which stage explains
a wrong code.

Legend: call one row and one column of the layer, index where these stand in the output; acc its accumulator, bias
included; exact acc M as a ratio, in output steps; got the wrong code, want the due one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor, trunc
from typing import Any, Final

import numpy as np

from npquant.kernels.rounding import wrap_int32
from npquant.profiles import get
from npquant.testing.bugs.honest import Call, bias_codes, centred_w, centred_x, finish, sums
from npquant.testing.case import Case, checked, expected_of_layer
from npquant.testing.explain.smaller import keep_columns

STAGES: Final = ("products", "bias", "accumulator", "exact", "rounded", "zero point", "clamp")
WIDE: Final = (-(2**31), 2**31 - 1)


@dataclass(frozen=True, slots=True)
class Trace:
    """One output through all stages.

    products holds (k, x - zx, w - zw, their product) of those that are not 0; low and high are the bounds of the
    clamp; explained says (stage, how) of what alone would make the wrong code, the likeliest first."""

    layer: int
    index: tuple[int, int]
    depth: int
    products: tuple[tuple[int, int, int, int], ...]
    total: int
    bias: int
    acc: int
    multiplier: Fraction
    exact: Fraction
    rounded: int
    zero_point: int
    low: int
    high: int
    want: int
    got: int | None
    explained: tuple[tuple[str, str], ...]

    @property
    def beside_tie(self) -> Fraction:
        """How far the exact value is from the nearest k + 1/2, in output steps."""
        return self.exact - (Fraction(floor(self.exact)) + Fraction(1, 2))

    def lines(self) -> list[str]:
        """Return a line a stage; the first one that explains the wrong code is marked."""
        marked = dict(reversed(self.explained[:1]))
        tie = "on a tie" if self.beside_tie == 0 else f"{_number(abs(self.beside_tie))} from the nearest tie"
        ends = f"[{self.low}, {self.high}]"
        said = {
            "products": self._products(),
            "bias": f"{self.bias:+d}",
            "accumulator": f"{self.acc}",
            "exact": f"{self.acc} * {_number(self.multiplier)} = {_number(self.exact)}, {tie}",
            "rounded": f"{self.rounded}",
            "zero point": f"{self.zero_point:+d} = {self.rounded + self.zero_point}",
            "clamp": f"to {ends} = {self.want}" + ("" if self.got is None else f", got {self.got}"),
        }
        rows = []
        for stage in STAGES:
            rows.append(f"{stage:<12}{said[stage]}")
            if stage in marked:
                rows[-1] += f"   <-- {marked[stage]}"
        return rows

    def _products(self) -> str:
        shown = [f"{x} * {w}" + (f" (k {k})" if self.depth > 1 else "") for k, x, w, _ in self.products[:6]]
        more = len(self.products) - len(shown)
        text = " + ".join(shown) + (f" + {more} more" if more else "")
        return f"{text} = {self.total}" if text else f"all {self.depth} are 0"


def _number(value: Fraction) -> str:
    """Return a ratio as a whole number, a short fraction, or a decimal that says it is rounded."""
    if value.denominator == 1:
        return str(value.numerator)
    short = str(value)
    return short if len(short) <= 9 else f"{float(value):.9g}~"


def trace(case: Case, index: tuple[int, ...], got: int | None = None) -> Trace:
    """Follow one output of a case's last layer; the layers before it are computed as the profile does.

    >>> import numpy as np
    >>> from npquant.kernels.qparams import QuantParams
    >>> from npquant.testing.case import one_layer
    >>> p, half = QuantParams(1.0, 0, -128, 127), QuantParams(0.5, 0, -128, 127)
    >>> case = one_layer(np.array([[1]], np.int8), np.array([[-5]], np.int8), None, p, half, p, "ort")
    >>> t = trace(case, (0, 0), -3)
    >>> t.acc, t.exact, t.beside_tie, t.rounded, t.explained[0]
    (-5, Fraction(-5, 2), Fraction(0, 1), -2, ('rounded', '-3 is the exact value rounded down'))
    """
    profile = get(case.model.profile)
    codes = case.x_q
    for layer in case.model.layers[:-1]:
        codes = expected_of_layer(layer, codes, profile)
    row, column = (int(i) for i in index)
    layer = keep_columns(case, [column]).model.layers[-1]
    w: Any = checked(layer.w)
    call = Call(codes[[row]], layer.w_q, layer.bias, checked(layer.x), w, checked(layer.y), layer.activation, profile)
    return traced(call, len(case.model.layers) - 1, (row, column), got)


def lines_of_value(case: Case, index: tuple[int, ...], got: int) -> list[str]:
    """Return the stages of one real value to be quantized: the exact quotient by the scale, zero point, clamp.

    >>> import numpy as np
    >>> from npquant.kernels.qparams import QuantParams
    >>> from npquant.testing.case import Layer, Model
    >>> p = QuantParams(0.5, 3, -128, 127)
    >>> model = Model((Layer(np.zeros((1, 1), np.int8), None, p, p, p),), "ort")
    >>> print(*lines_of_value(Case(model, np.array([0.75], np.float32), op="quantize"), (0,), 4), sep="\\n")
    exact       0.75 / 0.5 = 3/2, on a tie
    zero point  +3
    clamp       to [-128, 127], got 4
    """
    p = checked(case.model.layers[0].x)
    scales, zeros = (np.broadcast_to(v, case.x_q.shape) for v in (p.scale, p.zero_point))
    value, scale = float(case.x_q[index]), float(scales[index])
    said = f"{value:.9g} / {scale:.9g}"
    if np.isfinite(value):
        exact = Fraction(value) / Fraction(scale)
        beside = exact - floor(exact) - Fraction(1, 2)
        tie = "on a tie" if beside == 0 else f"{_number(abs(beside))} from the nearest tie"
        said += f" = {_number(exact)}, {tie}"
    return [
        f"{'exact':<12}{said}",
        f"{'zero point':<12}{int(zeros[index]):+d}",
        f"{'clamp':<12}to [{p.qmin}, {p.qmax}], got {got}",
    ]


def traced(call: Call, layer: int, index: tuple[int, int], got: int | None) -> Trace:
    """Follow the only output of a call."""
    x, w = centred_x(call)[0], centred_w(call)[:, 0]
    total, bias = int(sums(call)[0, 0]), int(bias_codes(call)[0])
    acc = int(wrap_int32(np.asarray([total + bias]))[0])
    scales = (Fraction(float(np.ravel(v)[0])) for v in (call.x.scale, call.w.scale, call.y.scale))
    sx, sw, sy = scales
    m = sx * sw / sy
    exact, zy = acc * m, call.zy
    unclamped = _code(call, acc, WIDE)
    want = _code(call, acc, call.bounds)
    products = tuple((k, int(x[k]), int(w[k]), int(x[k] * w[k])) for k in np.flatnonzero(x * w).tolist())
    explained: tuple[tuple[str, str], ...] = ()
    if got is not None and got != want:
        found = list(_explanations(call, acc, exact, unclamped - zy, got))
        if abs(got - want) == 1 and exact.denominator > 1:
            found.sort(key=lambda pair: pair[0] != "rounded")
        explained = tuple(found) or ((("accumulator"), _needed(call, m, got)),)
    low, high = call.bounds
    return Trace(
        layer, index, call.depth, products, total, bias, acc, m, exact, unclamped - zy, zy, low, high, want, got,
        explained,
    )  # fmt: skip


def _code(call: Call, acc: int, bounds: tuple[int, int]) -> int:
    """Return the code that the profile makes of an accumulator, bias included."""
    bias = bias_codes(call)
    return int(finish(call, np.asarray([[acc]], np.int64) - bias, bounds=bounds)[0, 0])


def _explanations(call: Call, acc: int, exact: Fraction, rounded: int, got: int) -> Iterator[tuple[str, str]]:
    """Yield (stage, how) of each single change that gives the wrong code, stage by stage."""
    low, high = call.bounds
    for stage, said, other in _other_sums(call, acc):
        # Of a code on a rail any large sum would be an explanation.
        if stage in ("products", "accumulator") and got in (low, high) and "zero point" not in said:
            continue
        if other != acc and WIDE[0] <= other <= WIDE[1] and _code(call, other, call.bounds) == got:
            yield stage, said
    zy = call.zy
    for said, steps in _other_roundings(exact, zy):
        if min(max(steps + zy, low), high) == got:
            yield "rounded", f"{got} is the exact value {said}"
    if got == min(max(rounded, low), high):
        yield "zero point", "it is not added"
    if got == min(max(rounded - zy, low), high):
        yield "zero point", "it is subtracted"
    if got == min(max(min(max(rounded, low), high) + zy, low), high):
        yield "zero point", "it is added after the clamp"
    whole = rounded + zy
    if got == int(np.asarray(whole, np.int64).astype(call.y.dtype)):
        yield "clamp", f"{whole} wraps to 8 bits in place of saturating"
    elif whole != got and got in (low + 1, high - 1) and not low < whole < high:
        yield "clamp", f"it ends one inside the rail, at {got}"
    elif call.activation != "none" and got == min(max(whole, call.y.qmin), call.y.qmax):
        yield "clamp", "the fused activation is left out"


def _other_sums(call: Call, acc: int) -> Iterator[tuple[str, str, int]]:
    """Yield (stage, what a kernel did, the accumulator that it then has)."""
    x, w = centred_x(call)[0], centred_w(call)[:, 0]
    bias, zx, zw = int(bias_codes(call)[0]), call.zx, int(np.ravel(call.zw)[0])
    products = x * w
    for k in np.flatnonzero(products)[:64].tolist():
        yield "products", f"the product at k {k} is left out", acc - int(products[k])
    for k in np.flatnonzero(products)[:64].tolist():
        yield "products", f"the product at k {k} counts twice", acc + int(products[k])
    yield "products", "the input's zero point is not subtracted", acc + zx * int(w.sum())
    yield "products", "the weights' zero point is not subtracted", acc + zw * int(x.sum())
    yield "products", "no zero point is subtracted", acc + int((x + zx) @ (w + zw) - x @ w)
    yield "products", "the term K zx zw is missing", acc - len(x) * zx * zw
    yield "bias", "it is left out", acc - bias
    yield "bias", "it is added twice", acc + bias
    yield "bias", "it is subtracted", acc - 2 * bias
    yield "bias", "it is cut to 16 bits", acc - bias + int(np.asarray(bias, np.int64).astype(np.int16))
    for bits in (16, 24):
        wrapped = (acc + (1 << bits - 1)) % (1 << bits) - (1 << bits - 1)
        yield "accumulator", f"it wraps to {bits} bits", wrapped
        top = (1 << bits - 1) - 1
        yield "accumulator", f"it saturates to {bits} bits", min(max(acc, -top - 1), top)
    for lanes in (-2, -1, 1, 2):
        yield "accumulator", f"it is {lanes * 65536:+d} off: a lane of 16 bits wrapped", acc + lanes * 65536
    yield "accumulator", "it is the float32 nearest to the sum", int(np.float32(acc))


def _other_roundings(exact: Fraction, zy: int) -> Iterator[tuple[str, int]]:
    """Yield (how, whole steps) of the roundings that kernels have."""
    half = Fraction(1, 2)
    away = floor(abs(exact) + half)
    yield "rounded down", floor(exact)
    yield "cut toward 0", trunc(exact)
    yield "rounded up", ceil(exact)
    yield "rounded, ties up", floor(exact + half)
    yield "rounded, ties down", ceil(exact - half)
    yield "rounded, ties away from 0", away if exact >= 0 else -away
    yield "rounded, ties to even", round(exact)
    yield "plus one half, cut toward 0", trunc(exact + half)
    yield "rounded to even with the zero point already added", round(exact + zy) - zy


def _needed(call: Call, m: Fraction, got: int) -> str:
    """Say which accumulators would give the code."""
    low, high = call.bounds
    if not low <= got <= high:
        return f"{got} is outside [{low}, {high}]: no accumulator gives it"
    first, last = (got - call.zy - Fraction(1, 2)) / m, (got - call.zy + Fraction(1, 2)) / m
    if got == low:
        return f"it would have to be at most about {floor(last)}"
    if got == high:
        return f"it would have to be at least about {ceil(first)}"
    if ceil(first) >= floor(last):
        return f"it would have to be about {round((first + last) / 2)}"
    return f"it would have to be about {ceil(first)} to {floor(last)}"
