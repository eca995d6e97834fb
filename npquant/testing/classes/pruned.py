"""Layers that are mostly zero points: outputs without weights, inputs without use, long runs of zeros, patterns of
four.

Legend: profile the engine's record, can what the backend takes, rng a Generator, kind a type of codes, zw the
weights' zero point, keep (K, N) which weights are not zw, k and n its shape."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from npquant.profiles.record import Profile
from npquant.testing.backend import Capabilities
from npquant.testing.case import Case, Layer
from npquant.testing.classes.parts import as_case, code_type, fill, params, spreading_scale, weight_params

NAME: Final = "pruned"
SUBJECT: Final = "weights that equal their zero point: whole outputs, whole inputs, long runs, patterns of four"


def lattice(profile: Profile, can: Capabilities) -> Iterator[Case]:
    """Yield each pattern without weight zero points, and with them where these are taken."""
    rng = np.random.default_rng(0)
    for kind in can.code_types:
        for zw in (0, 3) if can.weight_zero_point else (0,):
            for keep in patterns(41, 8, rng):
                yield sparse(profile, kind, zw, keep, can, rng)
            yield distant(profile, kind, zw, can, rng)


def draw(profile: Profile, can: Capabilities, rng: np.random.Generator) -> Iterator[Case]:
    """Yield random densities without end."""
    while True:
        k, n = int(rng.integers(1, 60)), int(rng.integers(1, 12))
        zw = int(rng.integers(-5, 6)) if can.weight_zero_point else 0
        keep = rng.random((k, n)) < rng.uniform(0, 0.5)
        keep[:, rng.random(n) < 0.2] = False
        yield sparse(profile, code_type(can, rng), zw, keep, can, rng)


def patterns(k: int, n: int, rng: np.random.Generator) -> Iterator[NDArray[np.bool_]]:
    """Yield what is kept of (K, N) weights: nothing, two outputs of which one is first, one in 20, three of four, few
    rows."""
    yield np.zeros((k, n), bool)
    keep = np.zeros((k, n), bool)
    keep[:, [0, 5]] = True
    yield keep
    yield np.arange(k * n).reshape(n, k).T % 20 == 0
    keep = rng.random((k, n)) < 0.3
    keep[4:7, :3] = True
    yield keep
    yield np.broadcast_to((np.arange(k) % 7 == 3)[:, np.newaxis], (k, n)).copy()


def distant(profile: Profile, kind: str, zw: int, can: Capabilities, rng: np.random.Generator) -> Case:
    """Return a few weights with runs of more than 255 zeros between them, and a row that is all zero points."""
    keep = np.zeros((700, 5), bool)
    keep[[3, 290, 699], 0], keep[[0, 256, 512], 1], keep[[257, 600], 2], keep[[0, 699], 3] = True, True, True, True
    case = sparse(profile, kind, zw, keep, can, rng)
    case.x_q[1] = case.model.layers[0].x.zero_point
    return case


def sparse(
    profile: Profile, kind: str, zw: int, keep: NDArray[Any], can: Capabilities, rng: np.random.Generator
) -> Case:
    """Return a layer whose weights are their zero point unless kept, and some of whose inputs are code 0."""
    k, n = keep.shape
    zx, zy = (-7, 11) if can.input_zero_point else (0, 0)
    x, w = params(kind, 0.5, zx), weight_params(profile, 0.25, zw)
    y = params(kind, spreading_scale(0.5, 0.25, max(1, int(keep.sum() / n))), zy)
    w_q = np.where(keep, fill("random", (k, n), w, rng), zw)
    if zw:
        w_q[rng.random((k, n)) < 0.1] = 0
    x_q = np.where(rng.random((3, k)) < 0.2, np.clip(0, x.qmin, x.qmax), fill("random", (3, k), x, rng))
    bias = (rng.permutation(n) * 97 - 40 * n + 13).astype(np.int32)
    return as_case(Layer(w_q.astype(w.dtype), bias, x, w, y), x_q.astype(x.dtype), profile, NAME)
