"""One layer as C: its constants, and the function that takes its inputs to its outputs.

Legend: step a LayerPlan, i the layer's number, K contracted depth, N outputs; NAME stands for the program's name.
"""

from __future__ import annotations

from math import gcd

import numpy as np

from npquant.interop.c99.c_arrays import array, constant_type, literal
from npquant.interop.c99.plan import LayerPlan
from npquant.interop.c99.requantization import WIDE_RULES, Requantization


def layer_constants(step: LayerPlan, i: int) -> str:
    """Return the arrays of a layer: weights, biases, and multipliers and shifts where each channel has its own."""
    stored = step.weights
    ctype = "uint8_t" if stored.form == "packed" else "int8_t"
    parts = [array(f"NAME_w{i}", ctype, stored.codes, _weights_comment(step))]
    if stored.gaps is not None and stored.counts is not None:
        parts.append(array(f"NAME_g{i}", "uint8_t", stored.gaps, "inputs from one entry to the next"))
        parts.append(array(f"NAME_c{i}", "uint16_t", stored.counts, "entries of each output"))
    if stored.base.ndim:
        parts.append(array(f"NAME_z{i}", constant_type(stored.base), stored.base, "zero of each output's weights"))
    ctype = "int64_t" if stored.wide else "int32_t"
    zero = int(step.layer.x.zero_point)
    what = f"bias - ({zero}) sum(w): the input's zero point is in it" if zero else "bias"
    parts.append(array(f"NAME_b{i}", ctype, stored.constant, what))
    if step.requantization is not None and step.requantization.multiplier.ndim:
        parts += _channel_constants(step.requantization, i)
    if step.table is not None and step.layer.pre is not None:
        what = f"{step.layer.activation}: the output code of {step.layer.pre.qmin}, and on"
        parts.append(array(f"NAME_t{i}", step.y_type, step.table, what))
    return "\n".join(parts)


def _weights_comment(step: LayerPlan) -> str:
    stored, (k, n) = step.weights, step.layer.shape
    if stored.form == "sparse":
        nonzero = int(np.count_nonzero(stored.codes))
        return f"{nonzero} weights of {k * n} that are not zero, output by output"
    if stored.form == "packed":
        return f"{n} x {k} weights of {stored.bits} bits, least significant first, a row an output"
    return f"{n} x {k} weights, a row an output"


def _channel_constants(rounding: Requantization, i: int) -> list[str]:
    ctype = "int64_t" if rounding.rule == "float64" else "int32_t"
    parts = [array(f"NAME_m{i}", ctype, rounding.multiplier, "multiplier of each output")]
    parts.append(array(f"NAME_s{i}", "int8_t", rounding.right, "right shift of each output"))
    if rounding.left.any():
        parts.append(array(f"NAME_l{i}", "int8_t", rounding.left, "left shift of each output"))
    return parts


def layer_function(step: LayerPlan, i: int) -> str:
    """Return the function of a layer, whose comment states what its accumulators can reach (C7)."""
    (k, n), stored = step.layer.shape, step.weights
    low, high = int(step.low.min()), int(step.high.max())
    acc = "int64_t" if stored.wide else "int32_t"
    width = "int64_t holds every sum on the way to it" if stored.wide else "and so does every sum on the way to it"
    lines = [
        f"/* Layer {i}: {k} inputs, {n} outputs, {step.layer.activation}. The accumulator reaches [{low}, {high}] over",
        f"   all inputs: it fits {step.bits} bits, {width}. */",
        f"static void NAME_layer{i}(const {step.x_type} *x, {step.y_type} *y)",
        "{",
        *_declarations(step, i, acc),
        f"    for (n = 0; n < {n}; n++) {{",
        *(f"        {line}" for line in _accumulate(step, i, acc)),
        *(f"        {line}" for line in _finish(step, i)),
        "    }",
        "}",
    ]
    return "\n".join(lines) + "\n"


def _declarations(step: LayerPlan, i: int, acc: str) -> list[str]:
    stored, k = step.weights, step.layer.shape[0]
    if stored.form == "sparse":
        return [
            f"    const int8_t *w = NAME_w{i};",
            f"    const uint8_t *gap = NAME_g{i};",
            "    int32_t n;",
        ]
    lines = ["    int32_t n;"]
    if stored.base.any():
        lines += [f"    {acc} sum = 0;", "    int32_t k;", f"    for (k = 0; k < {k}; k++) {{"]
        lines += ["        sum += x[k];", "    }"]
    return lines


def _accumulate(step: LayerPlan, i: int, acc: str) -> list[str]:
    """The lines that leave the accumulator of output n in `acc`."""
    stored, k = step.weights, step.layer.shape[0]
    start = f"{acc} acc = NAME_b{i}[n];"
    if stored.base.any():
        base = f"NAME_z{i}[n]" if stored.base.ndim else literal(int(stored.base))
        start = f"{acc} acc = NAME_b{i}[n] - {base} * sum;"
    cast = f"({acc})"
    if stored.form == "sparse":
        return [
            start,
            "int32_t at = 0;",
            "int32_t e;",
            f"for (e = 0; e < NAME_c{i}[n]; e++) {{",
            "    at += *gap++;",
            f"    acc += {cast}x[at] * *w++;",
            "}",
        ]
    if stored.form == "packed":
        return [f"const uint8_t *w = NAME_w{i}[n];", start, *_packed_products(stored.bits, k, cast)]
    return [
        f"const int8_t *w = NAME_w{i}[n];",
        start,
        "int32_t i;",
        f"for (i = 0; i < {k}; i++) {{",
        f"    acc += {cast}x[i] * w[i];",
        "}",
    ]


def _packed_products(bits: int, k: int, cast: str) -> list[str]:
    """Loop over the shortest run of whole bytes that holds whole weights; what is left over stands behind it."""
    step = bits // gcd(bits, 8)
    group = 8 // gcd(bits, 8)
    whole, rest = divmod(k, group)
    lines = []
    if whole:
        lines += ["int32_t g;", f"for (g = 0; g < {whole}; g++) {{"]
        lines += [f"    acc += {cast}x[{group} * g{_plus(j)}] * {_field(bits, j, 'g', step)};" for j in range(group)]
        lines += ["}"]
    lines += [f"acc += {cast}x[{whole * group + j}] * {_field(bits, whole * group + j)};" for j in range(rest)]
    return lines


def _field(bits: int, j: int, loop: str = "", step: int = 0) -> str:
    """The C expression of the j-th weight of a run of bytes: at most two of them."""
    byte, place = divmod(j * bits, 8)
    prefix = "" if not loop else f"{step} * {loop}" if step > 1 else loop
    first = f"w[{prefix}{_plus(byte)}]" if prefix else f"w[{byte}]"
    second = f"w[{prefix}{_plus(byte + 1)}]" if prefix else f"w[{byte + 1}]"
    shifted = f"{first} >> {place}" if place else first
    if place + bits <= 8:
        return f"({shifted})" if place + bits == 8 and place else f"({shifted} & {2**bits - 1})"
    return f"(({shifted} | {second} << {8 - place}) & {2**bits - 1})"


def _plus(offset: int) -> str:
    return f" + {offset}" if offset else ""


def _finish(step: LayerPlan, i: int) -> list[str]:
    """The lines that turn `acc` into output n."""
    rounding = step.requantization
    narrow = step.y_type == "int32_t" if rounding is None else rounding.rule not in WIDE_RULES
    acc = "(int32_t)acc" if step.weights.wide and narrow else "acc"
    if rounding is None:
        return [f"y[n] = {acc};"]
    call = f"NAME_{rounding.rule}({', '.join([acc, *_arguments(rounding, i)])})"
    zero = "" if not rounding.zero_point else f" {'-' if rounding.zero_point < 0 else '+'} {abs(rounding.zero_point)}"
    if rounding.fits:
        code, ctype = f"(int32_t){call}{zero}", "int32_t"
    elif rounding.overflow == "wraps":
        code, ctype = f"NAME_wrap32({call}{zero})", "int64_t"
    elif rounding.overflow == "wraps_first":
        code, ctype = f"NAME_wrap32({call}){zero}", "int64_t"
    else:
        code, ctype = f"{call}{zero}", "int64_t"
    clamped = f"code < {rounding.low} ? {rounding.low} : code > {rounding.high} ? {rounding.high} : code"
    lines = [f"const {ctype} code = {code};"]
    if step.table is not None and step.layer.pre is not None:
        start = step.layer.pre.qmin
        offset = "" if not start else f" {'+' if start < 0 else '-'} {abs(start)}"
        return [*lines, f"y[n] = NAME_t{i}[({clamped}){offset}];"]
    return [*lines, f"y[n] = ({step.y_type})({clamped});"]


def _arguments(rounding: Requantization, i: int) -> list[str]:
    """The multiplier and shifts of output n, as numbers where all outputs share them."""
    shifts = ["l", "s"] if rounding.rule in ("double_away", "double_up", "floor_up") else ["s"]
    if rounding.multiplier.ndim:
        return [f"NAME_m{i}[n]", *("0" if c == "l" and not rounding.left.any() else f"NAME_{c}{i}[n]" for c in shifts)]
    values = {"l": rounding.left, "s": rounding.right}
    return [str(int(rounding.multiplier)), *(str(int(values[c])) for c in shifts)]
