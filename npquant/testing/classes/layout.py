"""Operands that do not lie in C order without gaps: Fortran order, views with strides, reversed rows, read-only memory.

Legend: profile the engine's record, can what the backend takes, rng a Generator; kind the type of input and output
codes; shape (B, N, K)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from typing import Final

import numpy as np

from npquant.profiles.record import Profile
from npquant.testing.backend import Capabilities
from npquant.testing.case import LAYOUTS, Case
from npquant.testing.classes.parts import code_type
from npquant.testing.classes.tail import shaped

NAME: Final = "layout"
SUBJECT: Final = "inputs and weights in Fortran order, with gaps, reversed, read-only"


def lattice(profile: Profile, can: Capabilities) -> Iterator[Case]:
    """Yield each layout of the input, of the weights, and of both; no two axes are equal, and then all are."""
    rng = np.random.default_rng(0)
    for layout in LAYOUTS[1:]:
        for x_layout, w_layout in ((layout, "c"), ("c", layout), (layout, layout)):
            for shape in ((4, 3, 5), (4, 4, 4)):
                yield laid_out(profile, can.code_types[0], shape, (x_layout, w_layout), can, rng)


def draw(profile: Profile, can: Capabilities, rng: np.random.Generator) -> Iterator[Case]:
    """Yield random shapes in random layouts without end."""
    pairs = list(product(LAYOUTS, LAYOUTS))[1:]
    while True:
        shape = (int(rng.integers(2, 9)), int(rng.integers(2, 9)), int(rng.integers(2, 20)))
        yield laid_out(profile, code_type(can, rng), shape, pairs[rng.integers(len(pairs))], can, rng)


def laid_out(
    profile: Profile,
    kind: str,
    shape: tuple[int, int, int],
    layouts: tuple[str, str],
    can: Capabilities,
    rng: np.random.Generator,
) -> Case:
    """Return a layer of (B, N, K) whose input and weights lie in the given layouts."""
    case = shaped(profile, kind, shape, can, rng)
    return replace(case.tagged(NAME), x_layout=layouts[0], w_layout=layouts[1])
