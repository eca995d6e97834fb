"""The smallest set that kills every known bug: sixteen cases, each dense with what hurts; every tier asks them first.

Legend: profile the engine's record, can what the backend takes, rng a Generator; zero whether zero points are taken;
kind the type of input and output codes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np

from npquant.kernels.qparams import QuantParams
from npquant.profiles.record import Profile
from npquant.testing.backend import Capabilities, capabilities_of
from npquant.testing.case import Case, Layer, Model
from npquant.testing.classes import (
    activation,
    degenerate,
    float_edge,
    illegal,
    lane,
    pruned,
    rail,
    sequence,
    tie,
    wide,
)
from npquant.testing.classes.deep import NAME as DEEP
from npquant.testing.classes.network import network
from npquant.testing.classes.parts import as_case, fill, on_the_ties, params, weight_params
from npquant.testing.classes.tail import shaped
from npquant.testing.classes.zero_point import zeros
from npquant.testing.solve import bias_for, centred_sums


def golden(profile: Profile, can: Capabilities) -> Iterator[Case]:
    """Yield the cases, those that kill most first; each keeps the tags of its class."""
    rng = np.random.default_rng(0)
    kind, last, zero = can.code_types[0], can.code_types[-1], can.input_zero_point
    if not profile.has_layers:
        yield from _real_values(profile, kind, can)
        return
    yield tie.on_ties(profile, kind, 0.5, 3 * zero, 66, rng)
    yield _laid(shaped(profile, kind, (5, 6, 19), can, rng), can, "fortran", "strided")
    yield rail.on_rails(profile, last, 0.0123, 5 * zero, rail.BEYOND, rng)
    yield _clamped_channels(profile, kind, can, rng)
    yield _zeros(profile, last, can, rng)
    yield lane.needles(profile, kind, 0, 17, (1, 4, 8))
    yield long_ties(profile, kind, can, rng)
    yield _in_turn(profile, kind, can, rng)
    yield _pruned(profile, kind, can, rng)
    yield _network(profile, kind, can, rng)
    yield _deep(profile, kind, can, rng)
    yield from _real_values(profile, kind, can)
    yield shaped(profile, kind, (2, 3, 0), can, rng).tagged(degenerate.NAME)
    yield from islice(illegal.lattice(profile, can), 0, 1)
    yield from islice(illegal.lattice(profile, can), 2, 3)
    yield _unit(profile, kind, can, rng)


def _clamped_channels(profile: Profile, kind: str, can: Capabilities, rng: np.random.Generator) -> Case:
    """Return outputs on and beside the bounds of ReLU6, each channel with a mantissa and an exponent of its own."""
    y = params(kind, np.float32(0.05), -28 * can.input_zero_point)
    fused = "relu6" if "relu6" in capabilities_of(profile).activations else "relu"
    codes = activation.codes_at_bounds(profile, fused, y)
    steps = np.arange(len(codes))
    scales = (np.float32(0.001) * (1 + 0.3 * (steps % 10)) * 2.0 ** -(steps % 7)).astype(np.float32)
    scales[3] = np.float32(2.0**-9 * (1 + 2.0**-23))
    zeros_of = np.zeros(len(codes), np.int32)
    w = weight_params(profile, scales, zeros_of) if can.per_channel else weight_params(profile, scales[0])
    name = "relu6" if "relu6" in can.activations else "none"
    x = params(kind, np.float32(1 - 2.0**-23), 0)
    return on_the_ties(profile, (x, w, y), codes, (1, 0), (2, 4), rng, name).tagged(activation.NAME)


def _zeros(profile: Profile, kind: str, can: Capabilities, rng: np.random.Generator) -> Case:
    """Return a layer under zero points at an end of the codes, one for each channel where these are honoured."""
    zw: Any = -100 if can.weight_zero_point else 0
    if zw and can.per_channel and profile.weight_zero_point == "honoured":
        zw = np.array([-100, 3, 0, 77, -1, 5, 127, -60])
    zero = can.input_zero_point
    case = zeros(profile, kind, can.weight_types[0], (-128 * zero, zw, 5 * zero), rng, 21)
    return _laid(case, can, "reversed", "c")


def _laid(case: Case, can: Capabilities, x_layout: str, w_layout: str) -> Case:
    """Lay the operands out as asked, as far as the backend takes it."""
    x_layout, w_layout = (layout if layout in can.layouts else "c" for layout in (x_layout, w_layout))
    return replace(case, x_layout=x_layout, w_layout=w_layout)


def long_ties(profile: Profile, kind: str, can: Capabilities, rng: np.random.Generator) -> Case:
    """Return accumulators of up to 31 bits on and beside ties, under M of about 7e-8, scales without a short product.

    Where accumulators wrap, the first two outputs leave int32 by their products.
    """
    x, y = params(kind, 0.37), params(kind, 0.9)
    scales = (7.3e-8 * 0.9 / 0.37 * (1 + np.arange(32) / 97)).astype(np.float32)
    zeros_of = np.zeros(32, np.int32)
    w = weight_params(profile, scales, zeros_of) if can.per_channel else weight_params(profile, scales[0])
    ends = [-124, -101, 65, 88, 100, 125]
    codes = [int(y.zero_point) + int(v) for v in (*rng.integers(-120, 120, 26), *ends)]
    case = on_the_ties(profile, (x, w, y), codes, (0, -1, 1), (1, 1), rng).tagged(wide.NAME)
    if profile.accumulator != "wrap":
        return case
    layer = case.model.layers[0]
    assert layer.bias is not None
    w_q, bias = layer.w_q.copy(), layer.bias.copy()
    away = 1 if int(case.x_q[0, 0]) > int(x.zero_point) else -1
    w_q[0, :2], bias[:2] = (100 * away, -100 * away), (2**31 - 1, -(2**31))
    return replace(case, model=replace(case.model, layers=(replace(layer, w_q=w_q, bias=bias),)))


def _in_turn(profile: Profile, kind: str, can: Capabilities, rng: np.random.Generator) -> Case:
    """Return a square layer that is run on no rows, more rows and as many, with another model in between."""
    case = sequence.beside(profile, kind, (4, 4, 4), can, rng)
    x = case.model.layers[0].x
    batches = (0, 6, 4) if can.min_batch == 0 else (6, 4)
    earlier = tuple(fill("random", (b, 4), x, rng) for b in batches)  # type: ignore[arg-type]
    return _laid(replace(case, earlier=earlier), can, "strided", "fortran")


def _pruned(profile: Profile, kind: str, can: Capabilities, rng: np.random.Generator) -> Case:
    """Return a layer of one row in seven, an output without weights, and one of two weights far apart."""
    keep = np.broadcast_to((np.arange(41) % 7 == 3)[:, np.newaxis], (41, 4)).copy()
    keep[:, 1], keep[:, 2] = False, False
    keep[[2, 40], 2] = True
    keep[8:12, 3] = True
    return pruned.sparse(profile, kind, 3 if can.weight_zero_point else 0, keep, can, rng)


def _network(profile: Profile, kind: str, can: Capabilities, rng: np.random.Generator) -> Case:
    """Return a network whose first layer has no weights but zero points, so that its biases are all that it says."""
    case = network(profile, kind, (3, 7, 6, 3), 3, can, rng)
    first = case.model.layers[0]
    blank = np.broadcast_to(np.asarray(first.w.zero_point, first.w_q.dtype), first.w_q.shape).copy()
    return replace(case, model=replace(case.model, layers=(replace(first, w_q=blank), *case.model.layers[1:])))


def _deep(profile: Profile, kind: str, can: Capabilities, rng: np.random.Generator) -> Case:
    """Return one output of 1,043 products as large as they get, all but cancelled by the bias: no bit of the sum is
    lost."""
    depth = min(1043, can.max_depth)
    x, w = params(kind, 1.0, -128 * can.input_zero_point), weight_params(profile, 1.0)
    w_q = np.where(np.arange(depth) % 97 == 5, 126, 127)[:, np.newaxis].astype(w.dtype)
    x_q = np.where(np.arange(depth) % 31 == 7, x.qmax - 1, x.qmax)[np.newaxis].astype(x.dtype)
    layer = Layer(w_q, np.zeros(1, np.int32), x, w, params(kind, 4.0))
    for _ in range(4):
        bias, _ = bias_for([4 * 37 + 2], centred_sums(layer, x_q)[0])
        if bias[0] % 4 == 1:  # one that float32 rounds: beyond 2^25 it holds multiples of 4
            break
        x_q[0, 0] -= 1
    return as_case(replace(layer, bias=bias), x_q, profile, DEEP)


def _real_values(profile: Profile, kind: str, can: Capabilities) -> Iterator[Case]:
    """Yield one case of QUANTIZE: ties and their neighbours, special values and NaN, under two scales of channels."""
    if "quantize" not in can.ops:
        return
    p = params(kind, np.float32(0.1), 3 * can.input_zero_point)
    values = np.concatenate([float_edge.on_ties(p)[::11], np.array(float_edge.SPECIAL, np.float32)])
    tiny = np.float32(1.2e-38)
    zero = np.full(2, int(p.zero_point), np.int32)
    channels = QuantParams(np.array([p.scale, tiny]), zero, p.qmin, p.qmax)
    second = np.resize(np.array([1e-38, -0.7e-38, 3e-38, 1.8e-38], np.float32), len(values))
    rows = np.stack([values, second], axis=1)
    with_nan = np.concatenate([rows, np.full((1, 2), np.nan, np.float32)])
    for x in (with_nan, rows):
        cases = list(float_edge.quantized(profile, x, channels))
        if cases:
            yield cases[0]
            return


def _unit(profile: Profile, kind: str, can: Capabilities, rng: np.random.Generator) -> Case:
    """Return 33 rows of one input and one output, without a bias, under a multiplier of exactly 1."""
    zero = can.input_zero_point
    x, w, y = params(kind, 0.5, 5 * zero), weight_params(profile, 0.5), params(kind, 0.25, 2 * zero)
    x_q = np.clip(int(x.zero_point) - 16 + rng.permutation(33)[:, np.newaxis], x.qmin, x.qmax).astype(x.dtype)
    layer = Layer(np.full((1, 1), 1, w.dtype), None, x, w, y)
    return Case(Model((layer,), profile.name), x_q, tags=(degenerate.NAME,))
