"""Statements about output codes: of shape, zero points, sums, exact values and operands, each true or false of a code.

Legend: case a question; table the statements by name, of each output code, flat; p quantization parameters, letter
which; acc (B, N) accumulators. Nothing here needs a list of known bugs."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from npquant.arrays import Int64
from npquant.testing.case import Case, checked
from npquant.testing.explain.smaller import bias_codes
from npquant.testing.solve import centred_sums, exact_multipliers

Bools = NDArray[np.bool_]


def features(case: Case) -> dict[str, Bools]:
    """Return statements about each output code of a case, flat; of a network or of real values only those of the
    case."""
    if case.op == "quantize":
        return {says: true.ravel() for says, true in _of_values(case).items()}
    b, n = len(case.x_q), case.model.layers[-1].w_q.shape[1]
    rows, columns = (index.ravel() for index in np.indices((b, n)))
    table = {says: np.full(b * n, bool(true)) for says, true in of_case(case).items()}
    table["the row is not the first"] = rows > 0
    table["the row is the last of several"] = (rows == b - 1) & (b > 1)
    table["the row is the last"] = rows == b - 1
    table["the row is odd"] = rows % 2 == 1
    table["the column is odd"] = columns % 2 == 1
    table["the row is the last of an odd number"] = (rows == b - 1) & (b % 2 == 1)
    table["the row is the fifth or later"] = rows >= 4
    table["the column is not the first"] = columns > 0
    table["the column is the last of several"] = (columns == n - 1) & (n > 1)
    table["the column is the last"] = columns == n - 1
    table["the column is the last of an odd number"] = (columns == n - 1) & (n % 2 == 1)
    for width in (4, 8, 16):
        table[f"the column is {width} or later"] = columns >= width
        table[f"the column is in the last, incomplete {width}"] = columns >= n // width * width
    if len(case.model.layers) == 1:
        table |= _of_sums(case)
    return table


def of_case(case: Case) -> dict[str, bool]:
    """Return statements about a whole case."""
    layers = case.model.layers
    first = layers[0]
    b, k, n = len(case.x_q), first.w_q.shape[0], layers[-1].w_q.shape[1]
    said: dict[str, Any] = {f"K mod {m} is not 0": k % m for m in (2, 4, 8, 16, 32)}
    said |= {f"K mod {m} is not 0 and K is above {4 * m}": k % m and k > 4 * m for m in (4, 8, 16)}
    said |= {f"K mod {m} is {r}": k % m == r for m in (3, 4, 8, 16) for r in range(1, m)}
    said |= {f"N mod {m} is {r}": n % m == r for m in (4, 8) for r in range(1, m)}
    said |= {f"K is above {m}": k > m for m in (1, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096)}
    said |= {f"N mod {m} is not 0": n % m for m in (2, 4, 8, 16)}
    said |= {f"N is above {m}": n > m for m in (1, 4, 8, 16, 32, 64)}
    said |= {f"B is above {m}": b > m for m in (1, 2, 3, 4, 8, 32)}
    said |= {f"B mod {m} is {r}": b % m == r for m in (3, 4) for r in range(1, m)}
    said |= _of_zero_point("zx", first.x) | _of_zero_point("zy", layers[-1].y)
    return said | {
        "K is 1": k == 1,
        "N is 1": n == 1,
        "B is 1": b == 1,
        "B is odd": b % 2,
        "N = K": n == k,
        "N = K = B": n == k == b,
        "zw is not 0": np.any(first.w.zero_point),
        "the codes are uint8": first.x.dtype == np.uint8,
        "the codes are of two types": first.x.dtype != layers[-1].y.dtype,
        "the weights are uint8": first.w_q.dtype == np.uint8,
        "the weights have channels of their own": first.w.per_channel,
        "all channels have one scale": first.w.per_channel and np.unique(np.ravel(first.w.scale)).size == 1,
        "the bias of output 0 is 0": first.bias is not None and first.bias.size and np.ravel(first.bias)[0] == 0,
        "there is a bias": first.bias is not None,
        "there is no bias": first.bias is None,
        "an activation is fused": any(layer.activation != "none" for layer in layers),
        "there are several layers": len(layers) > 1,
        "the input is not in C order": case.x_layout != "c",
        "the weights are not in C order": case.w_layout != "c",
        "the model was run before": bool(case.earlier),
        "another model ran in between": case.neighbour is not None,
    }


def _of_zero_point(letter: str, p: Any) -> dict[str, bool]:
    """Return statements about a zero point: the ends, 0 and -1 are what kernels take for a sign that there is none."""
    zero = int(np.ravel(p.zero_point)[0]) if np.size(p.zero_point) else 0
    return {
        f"{letter} is not 0": zero != 0,
        f"{letter} is odd": zero % 2 == 1,
        f"{letter} is -1": zero == -1,
        f"{letter} is the lowest code": zero == p.qmin,
        f"{letter} is the highest code": zero == p.qmax,
    }


def _of_sums(case: Case) -> dict[str, Bools]:
    """Return statements about accumulators, exact values and operands of each output of a layer."""
    layer = case.model.layers[0]
    b, n = len(case.x_q), layer.w_q.shape[1]
    bias = bias_codes(layer)
    acc = centred_sums(layer, case.x_q) + bias
    below, twice, den = _exact(acc, exact_multipliers(layer))
    whole, tie = twice == 0, twice == den
    above = twice >= den
    size_above = np.where(acc < 0, 2 * den - twice, twice) >= den
    y = checked(layer.y)
    exact = (below + twice / (2 * den)).astype(np.float64)
    steps = exact + int(y.zero_point)
    x_low = np.repeat((case.x_q == layer.x.qmin).any(axis=1)[:, None], n, axis=1)
    w_low = np.repeat((layer.w_q == layer.w.qmin).any(axis=0)[None], b, axis=0)
    biased = np.repeat((bias != 0)[None], b, axis=0)
    m = np.repeat(np.array([v >= 1 for v in exact_multipliers(layer)], bool)[None], b, axis=0)
    parity = below % 2 == 1
    table = {
        "the exact value is on a tie": tie,
        "the exact value is not whole": ~whole,
        "the exact value is a half or more above a whole number": above,
        "the size of the exact value is a half or more above a whole number": size_above & ~whole,
        "the exact value is on a tie above an even number": tie & ~parity,
        "the exact value is on a tie above an odd number": tie & parity,
        "the exact value is negative": exact < 0,
        "the exact value is positive": exact > 0,
        "the code is due to be negative before the zero point and is not whole": (exact < 0) & ~whole,
        "the code saturates above": steps > y.qmax + 0.5,
        "the code saturates below": steps < y.qmin - 0.5,
        "the code saturates": (steps > y.qmax + 0.5) | (steps < y.qmin - 0.5),
        "the highest code is due": steps >= y.qmax - 0.5,
        "the lowest code is due": steps <= y.qmin + 0.5,
        "the input row holds its lowest code": x_low,
        "the weight column holds its lowest code": w_low,
        "input row and weight column both hold their lowest code": x_low & w_low,
        "the bias is not 0": biased,
        "the accumulator is 0": acc == 0,
        "the multiplier is 1 or more": m,
        "the column's weights are all at their zero point": np.repeat(
            (layer.w_q == np.asarray(layer.w.zero_point)).all(axis=0)[None], b, axis=0
        ),
    }
    for bits in (15, 16, 23, 24, 31):
        table[f"the accumulator is {2**bits} or more in size"] = np.abs(acc) >= 2**bits
    return {says: np.asarray(true, bool).ravel() for says, true in table.items()}


def _exact(acc: Int64, multipliers: list[Fraction]) -> tuple[Any, Any, Any]:
    """Return floor(acc M), twice what is left over it in units of 1 / den, and den, as Python integers (B, N)."""
    top = np.array([m.numerator for m in multipliers], object)
    den = np.broadcast_to(np.array([m.denominator for m in multipliers], object), acc.shape)
    scaled = acc.astype(object) * top
    return scaled // den, 2 * (scaled % den), den


def _of_values(case: Case) -> dict[str, Bools]:
    """Return statements about each real value to be quantized."""
    v, p = case.x_q.astype(np.float64), case.model.layers[0].x
    with np.errstate(all="ignore"):
        steps = v / np.asarray(p.scale, np.float64)  # of each channel, where there are several
        tie = np.abs(steps - np.floor(steps) - 0.5) == 0
        over = np.abs(steps) > 2.0**31
    return {
        "the value is NaN": np.isnan(v),
        "the value is infinite": np.isinf(v),
        "the value is negative": v < 0,
        "the value is on a tie": tie,
        "the value is beyond 2^31 steps": over,
        "zy is not 0": np.full(v.shape, bool(np.any(p.zero_point))),
    }
