"""Who computes so: the profiles and the wrong rules that give a kernel's own answers, and inputs that tell them apart.

Legend: x_q (B, K) input codes, w_q (K, N) weight codes, bias (N,) int32 codes, y_q (B, N) the kernel's answer; x, w, y
quantization; a suspect is a profile, or a rule in the place of one part of a profile, its base; more are later batches
(x_q, y_q), seed that of the search for inputs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from npquant.arrays import Codes
from npquant.kernels.multiplier import FixedMultiplier
from npquant.kernels.qparams import QuantParams
from npquant.testing.case import Layer
from npquant.testing.who.candidate import Candidate
from npquant.testing.who.judging import Batch, bases, classes, judged, rules_tried
from npquant.testing.who.likeness import EQUAL, likenesses
from npquant.testing.who.next_inputs import next_rows
from npquant.testing.who.records import Record, answers_of, integers, make_record
from npquant.testing.who.suspects import profile_suspects
from npquant.testing.who.telling import class_lines


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
    def outputs(self) -> int:
        """How many codes of the kernel were seen."""
        return int(self.record.y_q.size + sum(y_q.size for _, y_q in self.more))

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
        k, n = self.record.layer.w_q.shape
        lines = [f"{self.outputs:,} outputs of a layer of K = {k}, N = {n}"]
        lines += class_lines(self.candidates, self.likeness, most)
        if self.refused:
            lines += ["", "their engines do not take this layer: " + ", ".join(self.refused)]
        if len(self.next_inputs) == 1:
            lines += ["", "run this 1 row next: it tells apart what is still possible"]
        elif len(self.next_inputs):
            lines += ["", f"run these {len(self.next_inputs)} rows next: they tell apart what is still possible"]
        elif self.possible:
            lines += ["", "no further input was found that would tell apart what is still possible"]
        return "\n".join(lines) + "\n"

    def as_json(self) -> dict[str, Any]:
        """Describe it in JSON's types.

        Returns
        -------
        dict
            outputs, settled, possible, classes, refused, likeness, next_inputs.
        """
        return {
            "outputs": self.outputs,
            "settled": self.settled,
            "possible": [candidate.label for candidate in self.possible],
            "profiles": list(self.profiles),
            "classes": [[candidate.as_json() for candidate in group] for group in self.candidates],
            "refused": dict(self.refused),
            "likeness": [{"a": a, "b": b, "why": why} for a, b, why in self.likeness],
            "next_inputs": self.next_inputs.tolist(),
        }


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
    every = [judged(suspect, layer, batches) for suspect in profiles]
    every += rules_tried(record, batches, bases(every))
    rng = np.random.default_rng(seed)
    alive = [one.suspect for one in every if not one.candidate.mismatches]
    rows = next_rows(layer, alive, rng)
    likeness, extra = likenesses(record, [s for s in alive if s.is_profile], rows, rng)
    rows = np.concatenate([rows, extra])
    return Identification(classes(every), refused, rows, likeness, record, later, seed)


def _batch(layer: Layer, x_q: ArrayLike, y_q: ArrayLike) -> Batch:
    """Check a further batch against the layer; ValueError where it does not fit."""
    codes = integers("x_q", x_q, 2)
    if codes.shape[1] != layer.w_q.shape[0]:
        raise ValueError(f"x_q has {codes.shape[1]} columns; the layer has K = {layer.w_q.shape[0]}")
    if codes.size and (codes.min() < layer.x.qmin or codes.max() > layer.x.qmax):
        raise ValueError(f"x_q has codes outside [{layer.x.qmin}, {layer.x.qmax}]")
    shape = (len(codes), layer.w_q.shape[1])
    return codes.astype(layer.x.dtype), answers_of(y_q, shape, layer.y)
