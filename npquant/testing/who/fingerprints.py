"""Which arithmetic a black box implements: a handful of vectors that tell all profiles apart, then volume for shares.

Legend: an answer is an output code, "refused" or "overflow"; a vector is a one-output layer of `separating`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Final

import numpy as np

from npquant.kernels.qparams import QuantParams
from npquant.profiles import get, names
from npquant.profiles.record import Profile
from npquant.testing import backend as kinds
from npquant.testing.adapters.callable import from_callable
from npquant.testing.ask import ask
from npquant.testing.backend import Backend, Capabilities, capabilities_of, why_not_asked
from npquant.testing.case import Case, expected, one_layer
from npquant.testing.classes import plain, rail, tie, zero_point
from npquant.testing.separating import RARE, SEPARATING_SET, Answer, Vector, answer, candidates, search

# Vectors that are put at most, and drawn ones that are searched where the fixed set does not separate what is taken.
MOST_VECTORS: Final = 8
DRAWN: Final = 600
# Cases of each class and type of codes that the shares are taken over.
VOLUME: Final = 5


@dataclass(frozen=True, slots=True, eq=False)
class Match:
    """One profile against the answers of a black box.

    outputs, agreeing: codes that both gave, and those that are equal. refusals: vectors that one of them refused and
    the other did not. first: the first case on which their codes part, the index of the output, and both codes."""

    profile: str
    outputs: int
    agreeing: int
    refusals: int
    first: tuple[Case, tuple[int, ...], int, int] | None

    @property
    def share(self) -> float:
        """The share of codes that agree; 0 where there are none to compare."""
        return self.agreeing / self.outputs if self.outputs else 0.0

    @property
    def alike(self) -> float:
        """The share of answers that agree, where a refusal by one side alone is one that does not."""
        return self.agreeing / max(self.outputs + self.refusals, 1)

    @property
    def exact(self) -> bool:
        """Whether there were codes to compare, and all agree."""
        return 0 < self.outputs == self.agreeing


@dataclass(frozen=True, slots=True, eq=False)
class Fingerprint:
    """Which profiles a black box answers like.

    Parameters
    ----------
    backend : str
        Its name.
    matches : tuple of Match
        All profiles: first those that agree on every code, then by the share of answers that agree; a refusal by one
        side alone is an answer that does not.
    same : tuple of str
        The profiles that agree on every code that both gave, and of these the ones that refuse most alike: more than
        one where no vector that the backend takes separates them, none where every profile parts from it.
    vectors, answered : int
        Vectors put to it, and those that it answered with a code.

    Examples
    --------
    >>> from functools import partial
    >>> import npquant
    >>> fingerprint(partial(npquant.linear, profile="qnnpack")).same
    ('qnnpack',)
    """

    backend: str
    matches: tuple[Match, ...]
    same: tuple[str, ...]
    vectors: int
    answered: int

    def text(self, most: int = 6) -> str:
        """Write it for a terminal.

        Parameters
        ----------
        most : int
            Profiles that are listed.

        Returns
        -------
        str
            Lines: who is the same, the shares, and the first case on which each other one parts.
        """
        head = f"{self.backend}: {self.vectors} vectors, {self.answered} answered by a code"
        lines = [head, ""]
        if len(self.same) > 1:
            lines.append(f"no vector that it takes tells these apart: {', '.join(self.same)}")
        elif not self.same:
            lines.append("no profile agrees with it on everything")
        for match in self.matches[:most]:
            refused = f", {match.refusals} vectors refused by one of the two" if match.refusals else ""
            share = "100 %" if match.exact else f"{100 * min(match.share, 0.99999):.3f} %"
            lines.append(f"  {match.profile:<22} {share:>9} of {match.outputs:,} codes{refused}")
            if match.first is not None:
                case, index, got, want = match.first
                lines.append(f"      parts at {_shown(case, index)}: it gives {got}, {match.profile} gives {want}")
        return "\n".join(lines) + "\n"

    def as_json(self) -> dict[str, Any]:
        """Describe it in JSON's types.

        Returns
        -------
        dict
            backend, same, vectors, answered, matches.
        """
        return {
            "backend": self.backend,
            "same": list(self.same),
            "vectors": self.vectors,
            "answered": self.answered,
            "matches": [
                {
                    "profile": match.profile,
                    "outputs": match.outputs,
                    "agreeing": match.agreeing,
                    "refusals": match.refusals,
                    "first": None if match.first is None else _shown(match.first[0], match.first[1]),
                }
                for match in self.matches
            ],
        }


def fingerprint(backend: Backend | Callable[..., Any], *, volume: bool = True) -> Fingerprint:
    """Say which arithmetic a black box implements.

    Parameters
    ----------
    backend : Backend or callable
        As `run` takes it; what profile it claims plays no part. A function is asked of every type of codes.
    volume : bool
        Whether to put some hundred further cases, of ties, rails, zero points and random operands, for the shares.

    Returns
    -------
    Fingerprint
        All profiles, best first, and those that agree on everything.

    Notes
    -----
    At most eight vectors are put: the separating set, and where the backend takes too little of it, vectors searched
    among those that it takes. Codes come first: one that differs parts a profile from the backend, there is no
    tolerance. Among profiles that agree on every code, refusals decide: who refuses what an engine takes, or the
    reverse, comes behind who refuses alike. A declined case says nothing, and a backend that declines everything is
    nobody's.

    Examples
    --------
    >>> from functools import partial
    >>> import npquant
    >>> found = fingerprint(partial(npquant.linear, profile="tflite_single"), volume=False)
    >>> found.same, found.vectors <= 8
    (('tflite_single',), True)
    """
    subject = backend if isinstance(backend, Backend) else _unclaimed(backend)
    can: Capabilities = getattr(subject, "capabilities", Capabilities)()
    vectors = _vectors_for(can)
    seen = [(vector, _answer_of(subject, vector)) for vector in vectors]
    cases = _volume(can) if volume else []
    asked = [(case, ask(subject, case)) for case in cases]
    valued = [(case, outcome.value) for case, outcome in asked if outcome.kind == kinds.VALUE]
    matches = [_match(get(name), seen, valued) for name in names()]
    ranked = sorted(matches, key=lambda match: (not match.exact, -match.alike))
    exact = [match for match in ranked if match.exact]
    same = tuple(match.profile for match in exact if match.refusals == exact[0].refusals)
    answered = sum(isinstance(one, int) for _, one in seen)
    return Fingerprint(subject.name, tuple(ranked), same, len(vectors), answered)


def _unclaimed(function: Callable[..., Any]) -> Backend:
    name = getattr(function, "__name__", type(function).__name__)
    return from_callable(function, profile="npquant", capabilities=Capabilities(), name=name)


def as_case(vector: Vector, profile: str = "npquant") -> Case:
    """Return a vector as a case under a profile.

    >>> as_case(SEPARATING_SET[1]).model.layers[0].w_q.T.tolist()
    [[127, 127]]
    """
    info = np.iinfo(vector.code_type)
    low, high = int(info.min), int(info.max)
    return one_layer(
        np.array([vector.x_q], vector.code_type),
        np.array(vector.w_q, np.int8)[:, None],
        np.array([vector.bias], np.int32),
        QuantParams(vector.sx, vector.zx, low, high),
        QuantParams(vector.sw, 0, -128, 127),
        QuantParams(vector.sy, vector.zy, low, high),
        profile,
        vector.activation,
    )


def _vectors_for(can: Capabilities) -> Sequence[Vector]:
    """Return the separating set where all of it is taken, else as good a one of vectors that are taken."""
    if not any(why_not_asked(as_case(vector), can) for vector in SEPARATING_SET):
        return SEPARATING_SET
    drawn = [*SEPARATING_SET, *RARE, *candidates(np.random.default_rng(0), DRAWN)]
    taken = [vector for vector in drawn if not why_not_asked(as_case(vector), can)]
    profiles = [get(name) for name in names()]
    return search(profiles, taken)[:MOST_VECTORS] if taken else []


def _answer_of(backend: Backend, vector: Vector) -> Answer | None:
    """Put a vector to a backend; None where its answer says nothing, or is none."""
    outcome = ask(backend, as_case(vector, backend.profile))
    if outcome.kind == kinds.REJECTED:
        return "overflow" if outcome.detail.startswith("OverflowError") else "refused"
    return int(outcome.value[0, 0]) if outcome.kind == kinds.VALUE and outcome.value is not None else None


def _volume(can: Capabilities) -> list[Case]:
    """Return cases of ties, rails, zero points and random operands, of what a backend takes."""
    profile = get("npquant")
    weights = tuple(name for name in can.weight_types if name == "int8") or can.weight_types
    found: list[Case] = []
    for kind in can.code_types:
        one = replace(can, weight_types=weights, code_types=(kind,))
        for module in (tie, rail, zero_point, plain):
            found += islice(module.lattice(profile, one), VOLUME)
    return [case for case in found if not why_not_asked(case, can)]


def _match(profile: Profile, seen: Sequence[tuple[Vector, Answer | None]], valued: Sequence[tuple[Case, Any]]) -> Match:
    """Compare a profile with all that a backend answered."""
    refusals = outputs = agreeing = 0
    first: tuple[Case, tuple[int, ...], int, int] | None = None
    for vector, got in seen:
        want = answer(profile, vector)
        if isinstance(got, int) and isinstance(want, int):
            outputs, agreeing = outputs + 1, agreeing + (got == want)
            if got != want and first is None:
                first = (as_case(vector, profile.name), (0, 0), got, want)
        else:
            refusals += got is not None and got != want
    can = capabilities_of(profile)
    for case, codes in valued:
        asked = replace(case, model=replace(case.model, profile=profile.name))
        if why_not_asked(asked, can):
            continue
        try:
            due = expected(asked)
        except (ValueError, OverflowError):
            continue
        differ = np.argwhere(due != codes)
        outputs, agreeing = outputs + due.size, agreeing + due.size - len(differ)
        if len(differ) and first is None:
            index = tuple(int(i) for i in differ[0])
            first = (asked, index, int(codes[index]), int(due[index]))
    return Match(profile.name, outputs, agreeing, refusals, first)


def _shown(case: Case, index: tuple[int, ...]) -> str:
    """Write one output of a case in a line: its codes where they are few, and its quantization."""
    layer = case.model.layers[0]
    row, n = index
    x, w = case.x_q[row].tolist(), layer.w_q[:, n].tolist()
    codes = f"x_q {x}, w_q {w}" if len(x) <= 8 else f"{len(x)} inputs"
    bias = 0 if layer.bias is None else int(layer.bias[n])
    sw = float(np.broadcast_to(np.asarray(layer.w.scale), (layer.w_q.shape[1],))[n])
    scales = f"scales {float(layer.x.scale):.9g}, {sw:.9g}, {float(layer.y.scale):.9g}"
    zeros = f"zero points {int(layer.x.zero_point)}, {int(np.max(layer.w.zero_point))}, {int(layer.y.zero_point)}"
    act = "" if layer.activation == "none" else f", {layer.activation}"
    return f"{codes}, bias {bias}, {scales}, {zeros}{act}"
