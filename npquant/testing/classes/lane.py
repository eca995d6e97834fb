"""Needles in vector lanes: two extreme products a few places apart among zeros, and rows of nothing but extremes.

Legend: profile the engine's record, can what the backend takes, rng a Generator, kind a type of codes, zx the input's
zero point counted from the middle code, distances of two products; K contracted depth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

import numpy as np

from npquant.profiles.record import Profile
from npquant.testing.backend import Capabilities
from npquant.testing.case import Case, Layer
from npquant.testing.classes.parts import as_case, bias_of, code_type, on_the_ties, params, weight_params
from npquant.testing.solve import bias_for, centred_sums

NAME: Final = "lane"
SUBJECT: Final = "extreme products that share a lane: neighbours, and 2, 4, 8, 16, 32 places apart"
DISTANCES: Final = (1, 2, 3, 4, 8, 16, 32)


def lattice(profile: Profile, can: Capabilities) -> Iterator[Case]:
    """Yield needles for each type and zero point, then rows of extremes, then one product a code of the weights."""
    rng = np.random.default_rng(0)
    for kind in can.code_types:
        for zx in (0, 1, -128, 127) if can.input_zero_point else (0,):
            yield needles(profile, kind, zx, 64)
        for depth in (2, 16, 65):
            yield extremes(profile, kind, depth)
            yield pinned(profile, kind, depth, rng)
        yield every_weight(profile, kind)
        yield every_input(profile, kind)


def draw(profile: Profile, can: Capabilities, rng: np.random.Generator) -> Iterator[Case]:
    """Yield layers whose codes are mostly ends of the interval, without end."""
    while True:
        kind = code_type(can, rng)
        zx = int(rng.choice([0, 1, -1, -128, 127])) if can.input_zero_point else 0
        x, w = params(kind, 1.0, zx), weight_params(profile, 1.0)
        k, n, b = int(rng.integers(1, 70)), 8, 4
        w_q = _ends(rng, (k, n), w.qmin, w.qmax)
        yield _layer(profile, kind, x, w, w_q, _ends(rng, (b, k), x.qmin, x.qmax))


def _ends(rng: np.random.Generator, shape: tuple[int, int], low: int, high: int) -> Any:
    picked = rng.choice([low, low, high, high, low + 1, high - 1, 0], shape)
    return picked.astype(np.int64)


def needles(profile: Profile, kind: str, zx: int, depth: int, distances: tuple[int, ...] = DISTANCES) -> Case:
    """Return a layer of one needle an output: two extreme products at a distance, and one row for each pair of ends."""
    x, w = params(kind, 1.0, zx), weight_params(profile, 1.0)
    w_q = np.zeros((depth, 2 * len(distances)), np.int64)
    for i, distance in enumerate(distances):
        for side, code in enumerate((w.qmin, w.qmax)):
            w_q[[i, i + distance], 2 * i + side] = code
    rows = np.array([np.full(depth, code) for code in (x.qmin, x.qmax, x.qmin + 1)])
    return _layer(profile, kind, x, w, w_q, rows)


def extremes(profile: Profile, kind: str, depth: int) -> Case:
    """Return a layer all of whose codes are ends: the largest sums of either sign that K products give."""
    x, w = params(kind, 1.0), weight_params(profile, 1.0)
    w_q = np.array([[w.qmin, w.qmax, w.qmin if k % 2 else w.qmax] for k in range(depth)])
    rows = np.array(
        [np.full(depth, x.qmin), np.full(depth, x.qmax), [x.qmin if k % 2 else x.qmax for k in range(depth)]]
    )
    return _layer(profile, kind, x, w, w_q, rows)


def pinned(profile: Profile, kind: str, depth: int, rng: np.random.Generator) -> Case:
    """Return sums of the largest products that the bias takes to ties and one beside: one lost in a lane shows."""
    x, w, y = params(kind, 1.0), weight_params(profile, 1.0), params(kind, 4.0)
    codes = rng.integers(y.qmin + 20, y.qmax - 20, 8)
    case = on_the_ties(profile, (x, w, y), codes.tolist(), (0, 1), (1, depth), rng)
    layer = case.model.layers[0]
    assert layer.bias is not None
    w_q = np.empty_like(layer.w_q)
    w_q[:, :4], w_q[:, 4:6], w_q[:, 6:] = w.qmin, w.qmax, np.where(np.arange(depth) % 2, w.qmax, w.qmin)[:, np.newaxis]
    x_q = np.full((1, depth), x.qmin, x.dtype)
    wanted = centred_sums(layer, case.x_q)[0] + layer.bias
    bias, _ = bias_for(wanted, centred_sums(replace(layer, w_q=w_q), x_q)[0])
    return as_case(replace(layer, w_q=w_q, bias=bias), x_q, profile, NAME)


def every_weight(profile: Profile, kind: str) -> Case:
    """Return a layer with one output for each code of the weights, and a few inputs of one code."""
    x, w = params(kind, 1.0), weight_params(profile, 1.0)
    w_q = np.arange(w.qmin, w.qmax + 1)[np.newaxis]
    return _layer(profile, kind, x, w, w_q, np.array([[int(x.zero_point) + 1], [x.qmin], [x.qmax]]), 1.0)


def every_input(profile: Profile, kind: str) -> Case:
    """Return a layer with one row for each code of the input, and a few weights."""
    x, w = params(kind, 1.0), weight_params(profile, 1.0)
    return _layer(
        profile, kind, x, w, np.array([[1, -1, w.qmax, w.qmin]]), np.arange(x.qmin, x.qmax + 1)[:, np.newaxis], 1.0
    )


def _layer(profile: Profile, kind: str, x: Any, w: Any, w_q: Any, x_q: Any, scale: float = 0.0) -> Case:
    """Return the layer under an output scale that keeps its largest sums inside the codes, or under the given one."""
    largest = float(np.abs((x_q - int(x.zero_point)).astype(np.int64) @ w_q).max(initial=1))
    y = params(kind, np.float32(scale or max(1.0, largest / 100)), 0)
    layer = Layer(w_q.astype(w.dtype), bias_of(0, w_q.shape[1]), x, w, y)
    return as_case(layer, x_q.astype(x.dtype), profile, NAME)
