"""Cases that must be refused: depths that differ, a bias of another length, zero points outside the codes, scales
that are none.

Legend: profile the engine's record, can what the backend takes, rng a Generator.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import numpy as np

from npquant.profiles.record import Profile
from npquant.testing.backend import Capabilities
from npquant.testing.case import Case, Layer, Params, RawParams
from npquant.testing.classes.tail import shaped

NAME: Final = "illegal"
SUBJECT: Final = "what must be refused: depths that differ, a wrong bias, parameters out of range"


def lattice(profile: Profile, can: Capabilities) -> Iterator[Case]:
    """Yield each kind of illegal case once; the second tag is what a backend promises to refuse."""
    rng = np.random.default_rng(0)
    case = shaped(profile, can.code_types[0], (3, 4, 6), can, rng)
    layer = case.model.layers[0]
    yield _refused(replace(case, x_q=case.x_q[:, :5]), "shape")
    yield _refused(replace(case, x_q=np.concatenate([case.x_q, case.x_q], axis=1)), "shape")
    assert layer.bias is not None
    yield _of_layer(case, replace(layer, bias=layer.bias[:3]), "shape")
    yield _of_layer(case, replace(layer, bias=np.concatenate([layer.bias, layer.bias[:1]])), "shape")
    yield _of_layer(case, replace(layer, x=_beyond(layer.x)), "zero_point")
    for scale in (0.0, -1.0, np.inf, np.nan):
        yield _of_layer(case, replace(layer, x=_scaled(layer.x, scale)), "scale")
    yield _of_layer(case, replace(layer, y=_beyond(layer.y)), "zero_point")
    for scale in (0.0, -1.0, np.inf, np.nan):
        yield _of_layer(case, replace(layer, y=_scaled(layer.y, scale)), "scale")


def draw(profile: Profile, can: Capabilities, rng: np.random.Generator) -> Iterator[Case]:
    """Yield depths that differ by a random number, without end."""
    while True:
        b, n, k = (int(v) for v in rng.integers(1, 9, 3))
        case = shaped(profile, can.code_types[0], (b, n, k + 1), can, rng)
        yield _refused(replace(case, x_q=case.x_q[:, : int(rng.integers(0, k + 1))]), "shape")


def _of_layer(case: Case, layer: Layer, promise: str) -> Case:
    return _refused(replace(case, model=replace(case.model, layers=(layer,))), promise)


def _beyond(p: Params) -> RawParams:
    """Return p with a zero point one above its codes."""
    return RawParams(p.scale, p.qmax + 1, p.qmin, p.qmax)


def _scaled(p: Params, scale: float) -> RawParams:
    """Return p with a scale that is none."""
    return RawParams(np.float32(scale), p.zero_point, p.qmin, p.qmax)


def _refused(case: Case, promise: str) -> Case:
    return replace(case, status="must_reject", tags=(NAME, promise))
