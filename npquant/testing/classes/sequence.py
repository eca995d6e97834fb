"""Calls that follow each other: the same model again, on larger and smaller batches, with another model in between.

Legend: profile the engine's record, can what the backend takes, rng a Generator; kind the type of input and output
codes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import numpy as np

from npquant.profiles.record import Profile
from npquant.testing.backend import Capabilities
from npquant.testing.case import Case
from npquant.testing.classes.parts import code_type, fill, params
from npquant.testing.classes.tail import shaped

NAME: Final = "sequence"
SUBJECT: Final = "a model run again, on more rows and fewer, in the same memory, and beside another model"


def lattice(profile: Profile, can: Capabilities) -> Iterator[Case]:
    """Yield one shape twice, fewer rows after more, more after fewer, a buffer filled anew, two models in turn."""
    rng = np.random.default_rng(0)
    for kind in can.code_types:
        for batches in ((3, 3), (6, 2), (1, 5), (4, 4, 1)):
            yield in_turn(profile, kind, batches, can, rng)
        yield replace(in_turn(profile, kind, (3, 3), can, rng), same_buffer=True)
        yield beside(profile, kind, (3, 4, 5), can, rng)
        yield beside(profile, kind, (2, 9, 21), can, rng)


def draw(profile: Profile, can: Capabilities, rng: np.random.Generator) -> Iterator[Case]:
    """Yield random sequences without end."""
    while True:
        kind = code_type(can, rng)
        if rng.random() < 0.5:
            yield beside(
                profile, kind, (int(rng.integers(1, 6)), int(rng.integers(1, 9)), int(rng.integers(1, 30))), can, rng
            )
        else:
            batches = tuple(int(b) for b in rng.integers(1, 8, int(rng.integers(2, 5))))
            yield in_turn(profile, kind, batches, can, rng)


def in_turn(profile: Profile, kind: str, batches: tuple[int, ...], can: Capabilities, rng: np.random.Generator) -> Case:
    """Return a case of the last batch size, after runs of the others on the same prepared model."""
    case = shaped(profile, kind, (batches[-1], 4, 11), can, rng).tagged(NAME)
    x = params(kind, 0.5)
    return replace(case, earlier=tuple(fill("random", (b, 11), x, rng) for b in batches[:-1]))


def beside(
    profile: Profile, kind: str, shape: tuple[int, int, int], can: Capabilities, rng: np.random.Generator
) -> Case:
    """Return a case with another model of the same shape, weights and scales of its own, run in between."""
    case = shaped(profile, kind, shape, can, rng).tagged(NAME)
    other = shaped(profile, kind, shape, can, rng).model
    layer = other.layers[0]
    y = layer.y
    louder = replace(layer, y=params(kind, np.float32(float(y.scale) * 1.7), -9 if can.input_zero_point else 0))
    return replace(case, neighbour=replace(other, layers=(louder,)))
