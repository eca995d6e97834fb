"""The canonical golden vector: a case with every value on its way, written down only where two definitions agree.

Legend: case a question, profile the arithmetic, layer one of its model, x_q that layer's input codes; origin and step
which canonical vector and which call of it; acc int32 accumulators, before the values that the clamp gets, y_q
output codes, each (B, N); kills names of the catalogue's bugs whose output on this case alone is wrong."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from npquant.arrays import Codes
from npquant.kernels.rounding import wrap_int32
from npquant.profiles import get
from npquant.profiles.record import Profile
from npquant.testing import backend as kinds
from npquant.testing.adapters.operands import bounds_of, multiplier_of
from npquant.testing.ask import ask
from npquant.testing.backend import Backend, capabilities_from, why_not_asked
from npquant.testing.bugs.catalogue import Bug
from npquant.testing.bugs.honest import Call, bias_codes, finish, sums
from npquant.testing.case import Case, Layer, Model, checked, expected, expected_of_layer
from npquant.testing.vectors.definition import KitFailure, Stages, defined_codes, defined_layer, open_room

Int32 = NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class LayerValues:
    """What a layer makes of its input x_q: m and e (N,), own where they are the profile's; its bounds; its values."""

    x_q: Codes
    m: Int32
    e: Int32
    own: bool
    low: int
    high: int
    acc: Int32
    before: Int32
    y_q: Codes


@dataclass(frozen=True, slots=True, eq=False)
class GoldenVector:
    """A case, its answer (None: the only answer is a refusal), the values of each layer, and the bugs it kills.

    origin is the number of the canonical vector, from 1; step that of the call which a flat vector was made of, 0 of a
    canonical one."""

    origin: int
    step: int
    case: Case
    layers: tuple[LayerValues, ...]
    y_q: Codes | None
    kills: tuple[str, ...]

    @property
    def id(self) -> str:
        """The name in every file: "7", or "7.2" for the second flat vector made of it."""
        return f"{self.origin}.{self.step}" if self.step else str(self.origin)


def made_vector(origin: int, step: int, case: Case, kills: tuple[str, ...]) -> GoldenVector:
    """Return the vector of a case; KitFailure where kernels and definitions differ."""
    if case.status != "valid":
        _require_refusal(case)
        return GoldenVector(origin, step, case, (), None, kills)
    profile = get(case.model.profile)
    if case.op == "quantize":
        y_q = expected(case)
        _require_equal(case, "codes", y_q, defined_codes(case.x_q, case.model.layers[0].x, profile))
        return GoldenVector(origin, step, case, (), y_q, kills)
    layers: list[LayerValues] = []
    codes: Codes = case.x_q
    for layer in case.model.layers:
        layers.append(values_of(layer, codes, profile))
        _require_layer(case, layers[-1], defined_layer(layer, codes, profile))
        codes = layers[-1].y_q
    return GoldenVector(origin, step, case, tuple(layers), codes, kills)


def values_of(layer: Layer, x_q: Codes, profile: Profile) -> LayerValues:
    """Return a layer's values by the array kernels."""
    call = Call(x_q, layer.w_q, layer.bias, checked(layer.x), checked(layer.w), checked(layer.y), layer.activation,
                profile)  # fmt: skip
    total = sums(call)
    low, high = bounds_of(layer, profile)
    # A float32 stage saturates at 2^31, the next number up.
    before = np.minimum(finish(call, total, bounds=open_room(profile, low, high)), 2**31 - 1)
    acc = wrap_int32(total if profile.takes_real_bias else total + bias_codes(call))
    fixed, n = multiplier_of(layer, profile), layer.w_q.shape[1]
    made = profile.make_multiplier(call.x.scale, call.w.scale, call.y.scale)
    m, e = (np.broadcast_to(np.asarray(v), (n,)).astype(np.int32) for v in (fixed.multiplier, fixed.shift))
    own = type(made) is type(fixed)
    y_q = expected_of_layer(layer, x_q, profile)
    return LayerValues(x_q, m, e, own, low, high, acc.astype(np.int32), before.astype(np.int32), y_q)


def _require_layer(case: Case, values: LayerValues, defined: Stages) -> None:
    for name in ("acc", "before", "y_q"):
        _require_equal(case, name, getattr(values, name), getattr(defined, name))


def _require_equal(case: Case, name: str, computed: NDArray[Any], defined: NDArray[Any]) -> None:
    """Refuse values that are not those of the definition."""
    if np.array_equal(computed, defined):
        return
    where = tuple(int(i) for i in np.argwhere(computed != defined)[0])
    raise KitFailure(
        f"the kit itself fails: on a case of {case.group} under {case.model.profile}, {name} at {where} is "
        f"{computed[where]} by the array kernels and {defined[where]} by the definition"
    )


def _require_refusal(case: Case) -> None:
    """Make sure that the profile's own operators refuse what must be refused."""
    if case.status != "must_reject":
        return
    try:
        expected(case)
    except (ValueError, TypeError):
        return
    raise KitFailure(f"the kit itself fails: {case.model.profile} takes a case that must be refused: {case.tags}")


def flat(case: Case) -> Iterator[Case]:
    """Yield a case as calls that any runner can make: one layer each, operands in C order, no state to keep.

    A neighbour's run and earlier runs become calls of their own, in their order; so does every layer of a network."""
    plain = replace(case, x_layout="c", w_layout="c", earlier=(), neighbour=None, same_buffer=False)
    if case.status != "valid" or case.op == "quantize":
        yield plain
        return
    if case.neighbour is not None:
        yield from _layers(replace(plain, model=case.neighbour))
    for codes in case.earlier:
        yield from _layers(replace(plain, x_q=codes))
    yield from _layers(plain)


def _layers(case: Case) -> Iterator[Case]:
    profile, codes = get(case.model.profile), case.x_q
    for layer in case.model.layers:
        yield replace(case, model=Model((layer,), case.model.profile), x_q=codes)
        codes = expected_of_layer(layer, codes, profile)


def is_flat(case: Case) -> bool:
    """Say whether a case is its own only flat call."""
    stateless = not case.earlier and case.neighbour is None
    return stateless and len(case.model.layers) == 1 and (case.x_layout, case.w_layout) == ("c", "c")


def killed_by(case: Case, bugs: tuple[Bug, ...]) -> tuple[str, ...]:
    """Return the names of the bugs whose output on this case, asked of a fresh backend, is wrong.

    What no output shows, such as a changed input, kills nothing here."""
    profile = get(case.model.profile)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        want = expected(case) if case.status == "valid" else None
        return tuple(bug.name for bug in bugs if _shows(bug.make, case, profile, want))


def _shows(make: Callable[[Profile], Backend], case: Case, profile: Profile, want: Codes | None) -> bool:
    backend = make(profile)
    if why_not_asked(case, capabilities_from(backend, profile)):
        return False
    outcome = ask(backend, case)
    if outcome.kind == kinds.DECLINED:
        return False
    if want is None:
        return case.status == "must_reject" and outcome.kind != kinds.REJECTED
    value = outcome.value
    return value is None or value.dtype != want.dtype or not np.array_equal(value, want)
