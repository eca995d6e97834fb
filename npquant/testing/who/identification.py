"""Who computes so: the profiles and the wrong rules that give a kernel's own answers, and inputs that tell them apart.

Legend: x_q (B, K) input codes, w_q (K, N) weight codes, bias (N,) int32 codes, y_q (B, N) the kernel's answer; x, w, y
quantization; a suspect is a profile, or a rule in the place of one part of a profile, its base; more are later batches
(x_q, y_q), seed that of the search for inputs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npquant.arrays import Codes, Int64
from npquant.kernels.multiplier import FixedMultiplier
from npquant.kernels.qparams import QuantParams
from npquant.testing.case import Layer
from npquant.testing.who.equality import compare
from npquant.testing.who.next_inputs import bias_of_layer, next_rows
from npquant.testing.who.reaching import as_codes, centred_interval, centred_weights, rows_reaching
from npquant.testing.who.records import Record, answers_of, integers, make_record
from npquant.testing.who.suspects import OVERFLOW, Suspect, profile_suspects, rule_suspect, rules
from npquant.testing.who.telling import as_json, as_text

Batch = tuple[Codes, NDArray[np.integer[Any]]]
# A rule is run on this many rows first, fewer of a large layer, and on all where at most every twentieth code is wrong.
FIRST_ROWS: Final = 24
FIRST_ELEMENTS: Final = 2_000_000
# Profiles, one of each arithmetic that the answers tell apart, in which rules are tried.
MOST_BASES: Final = 3
# A rule that is wrong there, on at most this share of codes, is tried in all other profiles.
NEAR: Final = 0.02
# Modules of the catalogue whose rules scale and round by themselves, whatever the base does.
BASELESS: Final = ("rounding",)


@dataclass(frozen=True, slots=True, eq=False)
class Mismatch:
    """The first output on which a suspect differs from the kernel: what went in, and what came of it.

    exact: the accumulator, bias included, in output steps, before rounding and zero point. gives: OVERFLOW where the
    suspect reports that the accumulator leaves int32."""

    batch: int
    row: int
    output: int
    accumulator: int
    exact: Fraction
    zero_point: int
    got: int
    gives: int

    def text(self) -> str:
        """Say it in a line."""
        gives = "an overflow" if self.gives == OVERFLOW else str(self.gives)
        where = f"row {self.row}, output {self.output}" + (f" of batch {self.batch}" if self.batch else "")
        return (
            f"{where}: accumulator {self.accumulator}, exactly {float(self.exact):.7g} steps and zero point "
            f"{self.zero_point}: it gives {gives}, the kernel gave {self.got}"
        )


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """One suspect against a kernel's answers: how many of `outputs` codes differ, and the first that does.

    name of the profile or rule; base: the profile that a rule was put in, "" for a profile; says: what it does."""

    name: str
    base: str
    says: str
    outputs: int
    mismatches: int
    first: Mismatch | None

    @property
    def label(self) -> str:
        """The name, with the base of a rule."""
        return f"{self.name} ({self.base})" if self.base else self.name


@dataclass(frozen=True, slots=True, eq=False)
class Identification:
    """What is known of a kernel from its answers.

    Parameters
    ----------
    candidates : tuple of tuple of Candidate
        Classes of equal codes on all answers, fewest mismatches first; in a class profiles first.
    refused : dict of str to str
        Profiles whose engine does not take the layer, with its reason.
    next_inputs : ndarray of integers, shape (R, K)
        At most 16 rows of x_q for this very layer, to be run as one batch and fed back by `with_answers`; no row where
        nothing is left to tell apart.
    likeness : tuple of tuple of str
        (profile, profile, why) of each pair still possible that `next_inputs` does not tell apart.
    record : Record
        The layer and the first batch.
    more : tuple of pairs of arrays
        Later batches (x_q, y_q).
    seed : int
        Of the search.

    Examples
    --------
    >>> p = QuantParams(0.5, 0, -128, 127)
    >>> found = identify([[1], [3]], [[-5]], [0], [[-3], [-8]], x=p, w=p, y=p)
    >>> "litert_ref_2025" in found.profiles, "ort" in found.profiles
    (True, False)
    """

    candidates: tuple[tuple[Candidate, ...], ...]
    refused: dict[str, str]
    next_inputs: Codes
    likeness: tuple[tuple[str, str, str], ...]
    record: Record
    more: tuple[Batch, ...]
    seed: int

    @property
    def possible(self) -> tuple[Candidate, ...]:
        """The candidates that give every code of the kernel."""
        return tuple(c for group in self.candidates for c in group if not c.mismatches)

    @property
    def profiles(self) -> tuple[str, ...]:
        """The names of the profiles among them."""
        return tuple(candidate.name for candidate in self.possible if not candidate.base)

    @property
    def settled(self) -> bool:
        """Whether a profile is possible, and no input of this layer would tell those that are apart."""
        return bool(self.profiles) and all(why.startswith(EQUAL) for _, _, why in self.likeness) and self._all_alike

    @property
    def _all_alike(self) -> bool:
        first, *others = self.profiles
        return {b for a, b, _ in self.likeness if a == first} >= set(others)

    def with_answers(self, x_q: ArrayLike, y_q: ArrayLike) -> Identification:
        """Go on with what the kernel answered to further rows, such as `next_inputs`.

        Parameters
        ----------
        x_q : array of integers, shape (B, K)
            Input codes, run as one batch.
        y_q : array of integers, shape (B, N)
            The kernel's answer.

        Returns
        -------
        Identification
            From all answers so far.

        Raises
        ------
        ValueError
            If a shape or a code does not fit the layer.
        """
        return identify_record(self.record, (*self.more, (x_q, y_q)), self.seed)

    def text(self, most: int = 5) -> str:
        """Write it for a terminal: who is possible, or the nearest few; the first mismatch of others; what to run next.

        Parameters
        ----------
        most : int
            Classes that are shown in full.

        Returns
        -------
        str
            Lines.
        """
        return as_text(self, most)

    def as_json(self) -> dict[str, Any]:
        """Describe it in JSON's types.

        Returns
        -------
        dict
            outputs, settled, possible, classes, refused, likeness, next_inputs.
        """
        return as_json(self)


EQUAL: Final = "no input of this layer can tell them apart: "
OPEN: Final = "not decided: "


def identify(
    x_q: ArrayLike,
    w_q: ArrayLike,
    bias: ArrayLike | None,
    y_q: ArrayLike,
    *,
    x: QuantParams,
    w: QuantParams,
    y: QuantParams,
    multiplier: FixedMultiplier | None = None,
    activation: str = "none",
    more: Iterable[tuple[ArrayLike, ArrayLike]] = (),
    seed: int = 0,
) -> Identification:
    """Say which arithmetic gives a kernel's answers, and which inputs of the same layer would tell more.

    Parameters
    ----------
    x_q : array of integers, shape (B, K)
        Input codes in [x.qmin, x.qmax].
    w_q : array of integers, shape (K, N)
        Weight codes in [w.qmin, w.qmax].
    bias : array of integers, shape (N,), or None
        int32 codes of scale sx sw.
    y_q : array of integers, shape (B, N)
        What the kernel gave.
    x, w, y : QuantParams
        Input and output (per-tensor), weights (per-tensor, or N scales).
    multiplier : FixedMultiplier, optional
        m and e of M = m 2^(e-31), one or N, where the kernel is given these: the scales of x, w and y then play no
        part. Engines with a float multiplier round M to theirs.
    activation : {"none", "relu", "clipped_relu", "relu6", "relu_n1_to_1"}
        Fused activation.
    more : iterable of (x_q, y_q)
        Further batches of the same layer.
    seed : int
        Of the search for inputs.

    Returns
    -------
    Identification
        Ranked candidates, and rows to run next.

    Raises
    ------
    TypeError
        If an operand is not made of integers.
    ValueError
        If shapes do not agree, or a code is outside its interval.

    Notes
    -----
    Candidates are all profiles whose engine takes the layer, and the wrong rules of the catalogue that need no state,
    each in the place of one part of the nearest profiles. A candidate that differs on one code is out: there is no
    tolerance. Two profiles of which no input of the layer shows a difference are said to be equal only where their
    rules are the same or every accumulator within reach was looked at. An empty batch leaves everybody possible.

    Examples
    --------
    >>> p = QuantParams(0.5, 0, -128, 127)
    >>> found = identify([[4]], [[-5]], [0], [[-10]], x=p, w=p, y=p)
    >>> x2 = found.next_inputs
    >>> import npquant
    >>> found = found.with_answers(x2, npquant.linear(x2, [[-5]], [0], x=p, w=p, y=p, profile="nvdla"))
    >>> found.settled, "litert_ref_2025" in found.profiles, "npquant" in found.profiles
    (True, True, False)
    """
    return identify_record(make_record(x_q, w_q, bias, y_q, x, w, y, multiplier, activation), more, seed)


def identify_record(record: Record, more: Iterable[tuple[ArrayLike, ArrayLike]] = (), seed: int = 0) -> Identification:
    """Identify from a record, as one is read from a file, and further batches (x_q, y_q)."""
    layer = record.layer
    later = tuple(_batch(layer, x_q, y_q) for x_q, y_q in more)
    batches = ((record.x_q, record.y_q), *later)
    profiles, refused = profile_suspects(layer, record.fixed)
    judged = [_judged(suspect, layer, batches) for suspect in profiles]
    judged += _rules_tried(record, batches, _bases(judged))
    classes = _classes(judged)
    rng = np.random.default_rng(seed)
    alive = [one.suspect for one in judged if not one.candidate.mismatches]
    rows = next_rows(layer, alive, rng)
    likeness, extra = _likenesses(record, [s for s in alive if s.is_profile], rows, rng)
    rows = np.concatenate([rows, extra])
    return Identification(classes, refused, rows, likeness, record, later, seed)


def _batch(layer: Layer, x_q: ArrayLike, y_q: ArrayLike) -> Batch:
    """Check a further batch against the layer; ValueError where it does not fit."""
    codes = integers("x_q", x_q, 2)
    if codes.shape[1] != layer.w_q.shape[0]:
        raise ValueError(f"x_q has {codes.shape[1]} columns; the layer has K = {layer.w_q.shape[0]}")
    if codes.size and (codes.min() < layer.x.qmin or codes.max() > layer.x.qmax):
        raise ValueError(f"x_q has codes outside [{layer.x.qmin}, {layer.x.qmax}]")
    shape = (len(codes), layer.w_q.shape[1])
    return codes.astype(layer.x.dtype), answers_of(y_q, shape, layer.y)


@dataclass(frozen=True, slots=True, eq=False)
class _Judged:
    suspect: Suspect
    candidate: Candidate
    # Of all answers, where they were all worked out: equal for equal codes.
    mark: bytes


def _judged(suspect: Suspect, layer: Layer, batches: Sequence[Batch]) -> _Judged:
    """Compare a suspect with the kernel: on all rows, or a rule that is far off on the first rows alone."""
    x_q, y_q = batches[0]
    rows = max(4, min(FIRST_ROWS, FIRST_ELEMENTS // max(1, layer.w_q.size)))
    if not suspect.is_profile and len(x_q) > rows:
        few = [(x_q[:rows], y_q[:rows])]
        found = _compared(suspect, layer, few)
        if found.candidate.mismatches * 20 > found.candidate.outputs:
            return found
    return _compared(suspect, layer, batches)


def _compared(suspect: Suspect, layer: Layer, batches: Sequence[Batch]) -> _Judged:
    wrong = outputs = 0
    first, marks = None, []
    for i, (x_q, y_q) in enumerate(batches):
        codes = suspect.answers(layer, x_q)
        differ = np.argwhere(codes != y_q)
        if len(differ) and first is None:
            first = _explained(layer, i, x_q, y_q, codes, differ[0])
        wrong, outputs = wrong + len(differ), outputs + codes.size
        marks.append(codes.tobytes())
    candidate = Candidate(suspect.name, suspect.base, suspect.says, outputs, wrong, first)
    return _Judged(suspect, candidate, b"".join(marks))


def _explained(
    layer: Layer, batch: int, x_q: Codes, y_q: NDArray[np.integer[Any]], codes: Int64, where: Int64
) -> Mismatch:
    """Work out one output in exact arithmetic."""
    row, n = int(where[0]), int(where[1])
    centred = x_q[row].astype(np.int64) - int(layer.x.zero_point)
    acc = int(centred @ centred_weights(layer)[:, n] + bias_of_layer(layer)[n])
    sw = np.broadcast_to(np.asarray(layer.w.scale, np.float64), (layer.w_q.shape[1],))[n]
    factor = Fraction(float(layer.x.scale)) * Fraction(float(sw)) / Fraction(float(layer.y.scale))
    zero = int(layer.y.zero_point)
    return Mismatch(batch, row, n, acc, acc * factor, zero, int(y_q[row, n]), int(codes[row, n]))


def _share(candidate: Candidate) -> float:
    return candidate.mismatches / max(candidate.outputs, 1)


def _bases(judged: Sequence[_Judged]) -> list[str]:
    """Name the profiles: one of each class of equal codes, nearest first, then the rest. Those that are out are among
    them: of one of these, a rule may not be.
    """
    ranked = sorted(judged, key=lambda one: _share(one.candidate))
    first: dict[bytes, str] = {}
    for one in ranked:
        first.setdefault(one.mark, one.suspect.name)
    leading = list(first.values())
    return leading + [one.suspect.name for one in ranked if one.suspect.name not in leading]


def _rules_tried(record: Record, batches: Sequence[Batch], bases: Sequence[str]) -> list[_Judged]:
    """Judge the rules in the first few bases, and in all others those that come near without giving every code."""
    found: list[_Judged] = []
    best: dict[str, float] = {}
    for i, base in enumerate(bases):
        for bug in rules():
            worth = i < MOST_BASES or 0 < best[bug.name] <= NEAR
            if not worth or (i and bug.group in BASELESS):
                continue
            one = _judged(rule_suspect(bug, base, record.fixed), record.layer, batches)
            found.append(one)
            best[bug.name] = min(best.get(bug.name, 1.0), _share(one.candidate))
    return found


def _classes(judged: Sequence[_Judged]) -> tuple[tuple[Candidate, ...], ...]:
    """Group candidates that gave equal codes, nearest first, profiles before rules."""
    groups: dict[tuple[int, bytes], list[Candidate]] = {}
    for one in judged:
        groups.setdefault((one.candidate.outputs, one.mark), []).append(one.candidate)
    ranked = sorted(groups.values(), key=lambda group: (_share(group[0]), bool(group[0].base)))
    return tuple(tuple(group) for group in ranked)


def _likenesses(
    record: Record, profiles: Sequence[Suspect], rows: Codes, rng: np.random.Generator
) -> tuple[tuple[tuple[str, str, str], ...], Codes]:
    """Say of each profile that rows leave together with an earlier one why; return rows that part some after all."""
    layer = record.layer
    found, extra = [], np.empty((0, layer.w_q.shape[0]), rows.dtype)
    firsts: dict[bytes, list[str]] = {}
    for suspect in profiles:
        together = firsts.setdefault(suspect.answers(layer, rows).tobytes(), [])
        if together:
            known = compare(layer, together[0], suspect.name, record.fixed)
            reached = _reaching(layer, known.where, rng)
            extra = np.concatenate([extra, reached])
            if not len(reached):
                found.append((together[0], suspect.name, (EQUAL if known.equal else OPEN) + known.why))
        together.append(suspect.name)
    return tuple(found), extra[:4]


def _reaching(layer: Layer, where: tuple[int, int] | None, rng: np.random.Generator) -> Codes:
    """Return a row that takes an output to a sum, or none."""
    if where is None:
        return as_codes(layer, np.empty((0, layer.w_q.shape[0]), np.int64))
    n, total = where
    u, reached = rows_reaching(centred_weights(layer)[:, n], *centred_interval(layer), np.repeat(total, 8), rng)
    return as_codes(layer, u[reached][:1])
