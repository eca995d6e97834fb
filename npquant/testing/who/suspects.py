"""Who may have computed an answer: every profile, and the wrong rules that are written first, each as one function.

Legend: layer one linear layer; x_q (B, K) input codes; an answer is int64 codes (B, N); fixed the kernel's multiplier,
where it takes no scales; base the profile in which a rule replaces one part; name of a profile; bug a rule of the
catalogue."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from npquant.arrays import Int64
from npquant.kernels.multiplier import FixedMultiplier
from npquant.profiles import get, names
from npquant.profiles.operators import linear
from npquant.profiles.record import Profile
from npquant.profiles.refusals import refuse_unsupported
from npquant.testing.bugs.catalogue import CATALOGUE, Bug
from npquant.testing.bugs.honest import answer, as_function
from npquant.testing.case import Layer

# Modules of the catalogue whose rules are functions of a layer and its rows; what a rule of the first does depends on
# the rows by their sums of products alone.
STAGE: Final = ("rounding", "multiplier", "saturation", "biases", "accumulators", "activations")
STATELESS: Final = (*STAGE, "zero_points", "lanes", "tails", "channels", "pruned")
# Stands for the code where a profile's engine reports that an accumulator leaves int32.
OVERFLOW: Final = 1 << 40


@dataclass(frozen=True, slots=True, eq=False)
class Suspect:
    """A profile, or a rule in the place of one part of one; stage: sums of products are all that it reads."""

    name: str
    base: str
    says: str
    stage: bool
    answers: Callable[[Layer, NDArray[np.integer[Any]]], Int64]
    # The same without checks of codes, for layers that no file could hold.
    of_sums: Callable[[Layer, NDArray[np.integer[Any]]], Int64]

    @property
    def is_profile(self) -> bool:
        """Whether it is a profile as it stands."""
        return not self.base

    @property
    def label(self) -> str:
        """Its name, and where it is a rule, the profile that it was put in."""
        return self.name if self.is_profile else f"{self.name} ({self.base})"


def record_under(name: str | Profile, fixed: FixedMultiplier | None) -> Profile:
    """Return a profile whose multiplier is the kernel's own, where its stage takes one of 31 bits.

    An engine with a float multiplier, or one of 15 bits, makes its own of m 2^(e-31)."""
    profile = get(name)
    if fixed is None:
        return profile
    third = profile.make_multiplier(1.0, np.float32(1 / 3), 1.0)
    if not isinstance(third, FixedMultiplier) or third.multiplier % 2**16 == 0:
        return profile
    return replace(profile, make_multiplier=lambda sx, sw, sy: fixed)


def why_refused(layer: Layer, profile: Profile) -> str:
    """Return the engine's reason against a layer; "" where it takes it."""
    try:
        refuse_unsupported(profile, layer.x, layer.w, layer.y)  # type: ignore[arg-type]
        profile.activation_bounds("identity" if layer.activation == "none" else layer.activation, layer.y)  # type: ignore[arg-type]
    except (ValueError, KeyError, NotImplementedError) as reason:
        return str(reason)
    return ""


def profile_suspect(name: str, fixed: FixedMultiplier | None = None) -> Suspect:
    """Return a profile as a suspect.

    >>> profile_suspect("ort").label
    'ort'
    """
    profile = record_under(name, fixed)

    def answers(layer: Layer, x_q: NDArray[np.integer[Any]]) -> Int64:
        given = {"x": layer.x, "w": layer.w, "y": layer.y, "profile": profile, "activation": layer.activation}
        try:
            return linear(x_q, layer.w_q, layer.bias, **given).astype(np.int64)  # type: ignore[arg-type]
        except OverflowError:
            rows = [_one_row(row, layer, given) for row in x_q[:, np.newaxis]]
            return np.concatenate(rows)

    honest = as_function(answer, profile)
    return Suspect(profile.name, "", profile.engine, True, answers, _through(honest))


def _one_row(row: NDArray[np.integer[Any]], layer: Layer, given: dict[str, Any]) -> Int64:
    try:
        return linear(row, layer.w_q, layer.bias, **given).astype(np.int64)
    except OverflowError:
        return np.full((1, layer.w_q.shape[1]), OVERFLOW)


def _through(function: Callable[..., Any]) -> Callable[[Layer, NDArray[np.integer[Any]]], Int64]:
    """Return a function of operands as one of a layer and its rows."""

    def answers(layer: Layer, x_q: NDArray[np.integer[Any]]) -> Int64:
        with np.errstate(all="ignore"):
            codes = function(x_q, layer.w_q, layer.bias, x=layer.x, w=layer.w, y=layer.y, activation=layer.activation)
        shape = (len(x_q), layer.w_q.shape[1])
        return np.broadcast_to(np.asarray(codes), shape).astype(np.int64)

    return answers


def rules() -> tuple[Bug, ...]:
    """Return the bugs of the catalogue that need no state: what one answer to one question can show."""
    return tuple(bug for bug in CATALOGUE if bug.group in STATELESS)


def rule_suspect(bug: Bug, base: str, fixed: FixedMultiplier | None = None) -> Suspect:
    """Return a rule in the place of one part of a profile."""
    backend: Any = bug.make(record_under(base, fixed))
    function = _through(backend.f)
    by_sums = bug.group in STAGE or bug.name.startswith("zero_points.output_zero_point")
    return Suspect(bug.name, base, bug.says, by_sums, function, function)


def profile_suspects(layer: Layer, fixed: FixedMultiplier | None) -> tuple[list[Suspect], dict[str, str]]:
    """Return the profiles whose engines take a layer, and the reasons of the others by name."""
    reasons = {name: why_refused(layer, record_under(name, fixed)) for name in names()}
    taken = [profile_suspect(name, fixed) for name, reason in reasons.items() if not reason]
    return taken, {name: reason for name, reason in reasons.items() if reason}
