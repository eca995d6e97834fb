"""Questions as a stream and answers as a stream: `generate --stream | ./sim | verify --stream`.

The simulator's output holds answers alone. Who verifies makes the same questions again, from the same profile, tier,
classes and seed, and reads an answer for each: one a line, in order; a greeting may come first.

Legend: profile the arithmetic judged by, can what is asked, tier and seed as in `run`; wanted names the classes; lines
what the simulator printed.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import replace

from npquant.profiles import get
from npquant.profiles.record import Profile
from npquant.profiles.refusals import refuse_layerless
from npquant.testing import backend as kinds
from npquant.testing.adapters.operands import plain_capabilities
from npquant.testing.adapters.pipe import answers_in, read_answer, write_question
from npquant.testing.backend import Capabilities, Outcome, Prepared
from npquant.testing.case import Case, Model, expected_of_layer
from npquant.testing.explain.counterexample import Counterexample
from npquant.testing.judge import judged
from npquant.testing.tally import Book
from npquant.testing.trial import chosen_classes, tier_cases
from npquant.testing.verdict import Verdict

NAME = "the stream"


def stream_capabilities(profile: Profile, ops: tuple[str, ...]) -> Capabilities:
    """Return what a stream asks: ops "linear", "quantize" or both, as far as the profile's engine has them."""
    unknown = [op for op in ops if op not in ("linear", "quantize")]
    if unknown:
        raise ValueError(f"there is no operator {unknown[0]!r}; known: linear, quantize")
    if "linear" in ops:
        refuse_layerless(profile)
    if "quantize" in ops and profile.quantize_codes is None:
        raise ValueError(f"{profile.name} has no QUANTIZE to judge by")
    return replace(plain_capabilities(profile), ops=ops)


def questions(
    profile: Profile, can: Capabilities, tier: str, seed: int, wanted: Iterable[str] | None = None
) -> Iterator[tuple[str, Case]]:
    """Yield each question's line and what it asks, none twice in a row.

    >>> from npquant.profiles import get
    >>> profile = get("npquant")
    >>> line, case = next(questions(profile, stream_capabilities(profile, ("linear",)), "smoke", 0))
    >>> line[:22], case.group
    ('linear int8 int8 int8 ', 'tie')
    """
    last = ""
    for case in tier_cases(profile, can, tier, seed, wanted):
        for single in single_questions(case, profile) if case.status == "valid" else ():
            try:
                line = write_question(single)
            except NotImplementedError:
                continue
            if line != last:
                yield line, single
            last = line


def single_questions(case: Case, profile: Profile) -> Iterator[Case]:
    """Yield a case as questions of one layer: earlier calls first; each layer of a network on what is due before it."""
    if case.op == "quantize":
        yield case
        return
    for x_q in (*case.earlier, case.x_q):
        codes = x_q
        for layer in case.model.layers:
            yield Case(Model((layer,), profile.name), codes, tags=case.tags)
            if len(case.model.layers) > 1:
                codes = expected_of_layer(layer, codes, profile)


class Recorded:
    """A backend of which nothing is left but what it said: it declines every question."""

    name = NAME

    def __init__(self, profile: str) -> None:
        self.profile = profile

    def prepare(self, model: Model) -> Prepared:
        """Decline; the model is not looked at."""
        raise NotImplementedError("the stream has passed")


def verify_stream(
    lines: Iterable[str],
    profile: str,
    tier: str = "standard",
    seed: int = 0,
    wanted: Iterable[str] | None = None,
    ops: tuple[str, ...] = ("linear",),
) -> Verdict:
    """Judge a stream of answers; ops as in `stream_capabilities`.

    An answer that is missing because the stream ends is a crash, none at all is nothing; answers left over are junk.
    """
    start = time.perf_counter()
    record, chosen = get(profile), chosen_classes(wanted)
    can = stream_capabilities(record, ops)
    book, answers = Book(chosen, None), answers_in(lines)
    last = None
    asked = questions(record, can, tier, seed, [module.NAME for module in chosen])
    for number, (_, case) in enumerate(asked, 1):
        line = next(answers, None)
        if line is None and last is None:
            break
        last = case
        outcome = read_answer(line, case) if line is not None else _ended(number)
        book.note(case, outcome, judged(case, outcome))
        if line is None or (tier == "forever" and book.failures):
            break
    else:
        if last is not None and next(answers, None) is not None:
            surplus = Outcome(kinds.JUNK, None, "answers are left over: something is printed beside the answers")
            book.note(last, surplus, judged(last, surplus))
    for _ in answers:
        pass  # read on, so that nobody upstream is told of a broken pipe
    recorded = Recorded(record.name)
    told = tuple(Counterexample(recorded, found, book.asked, at, tier, seed) for found, at in book.failures)
    results = tuple(tally.result() for tally in book.tallies.values())
    elapsed = time.perf_counter() - start
    return Verdict(NAME, record.name, tier, seed, results, told, elapsed, book.first_failure_after)


def _ended(number: int) -> Outcome:
    return Outcome(kinds.CRASHED, None, f"the answers end before question {number:,}")
