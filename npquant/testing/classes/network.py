"""Networks of two and three layers: unlike widths, zero points, scales and activations, so that none can stand for
another.

Legend: profile the engine's record, can what the backend takes, rng a Generator; kind the type of all codes but
weights; rows B."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Final

import numpy as np

from npquant.profiles.record import Profile
from npquant.testing.backend import Capabilities
from npquant.testing.case import Case, Layer, Model
from npquant.testing.classes.parts import code_type, fill, params, spreading_scale, weight_params

NAME: Final = "network"
SUBJECT: Final = "several layers, of which no two share a width, a zero point, a scale or an activation"
WIDTHS: Final = ((5, 7, 3), (4, 4, 4), (9, 3, 11, 2), (1, 6, 1), (33, 17, 20, 5))


def lattice(profile: Profile, can: Capabilities) -> Iterator[Case]:
    """Yield networks of fixed widths, one row and several."""
    rng = np.random.default_rng(0)
    for kind in can.code_types:
        for widths in WIDTHS:
            for rows in (1, 4):
                yield network(profile, kind, widths, rows, can, rng)


def draw(profile: Profile, can: Capabilities, rng: np.random.Generator) -> Iterator[Case]:
    """Yield random widths and depths without end."""
    while True:
        widths = tuple(int(v) for v in rng.integers(1, 24, int(rng.integers(3, 6))))
        yield network(profile, code_type(can, rng), widths, int(rng.integers(1, 6)), can, rng)


def network(
    profile: Profile, kind: str, widths: tuple[int, ...], rows: int, can: Capabilities, rng: np.random.Generator
) -> Case:
    """Return a network of these widths; each layer's output quantization is the next one's input quantization."""
    zeros = rng.permutation([-17, 5, 40, -90, 12, 77]) if can.input_zero_point else np.zeros(6, np.int64)
    x = params(kind, 0.5, int(zeros[0]))
    x_q = fill("random", (rows, widths[0]), x, rng)
    layers = []
    for i, (k, n) in enumerate(pairwise(widths)):
        w = weight_params(profile, np.float32(0.02 * 1.7**i))
        y = params(kind, spreading_scale(x.scale, w.scale, k), int(zeros[i + 1]))
        w_q, bias = fill("random", (k, n), w, rng), rng.integers(-2500, 2501, n).astype(np.int32)
        last = i == len(widths) - 2
        name = "relu" if "relu" in can.activations and not last and i % 2 == 0 else "none"
        layers.append(Layer(w_q, bias, x, w, y, name))
        x = y
    return Case(Model(tuple(layers), profile.name), x_q, tags=(NAME,))
