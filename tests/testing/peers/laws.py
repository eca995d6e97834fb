"""What is asked of every engine: the standard tier under its profile; a layer without inputs, asked alone; a near miss.

Legend: B batch, K contracted depth, N outputs; case classes by their names in npquant.testing.
"""

from __future__ import annotations

from collections.abc import Iterable
from types import ModuleType

import numpy as np

from npquant import QuantParams, profiles
from npquant.testing import Case, run
from npquant.testing.ask import ask
from npquant.testing.backend import Backend
from npquant.testing.case import expected, one_layer
from tests.peers.comparison import version_note


def require_conformance(engine: ModuleType, backend: Backend, *, unasked: Iterable[str] = ()) -> None:
    """Fail unless the standard tier finds nothing, and every class but those named had a case for the engine."""
    verdict = run(backend, tier="standard")
    said = [f"{f.kind} {f.detail} in {f.case.tags} at {f.index}: {f.case}" for f in verdict.failures]
    assert verdict.exit_code == 0, "\n".join([f"{version_note(engine)} is not {verdict.profile}", *said])
    assert {result.name for result in verdict.classes if not result.calls} == set(unasked)
    assert verdict.cases >= 25_000


def require_rejection(backend: Backend, *others: str) -> None:
    """Fail unless ties, long sums, rails, zero points and clamps tell the engine from each of these profiles."""
    for other in others:
        verdict = run(backend, profile=other, classes=("tie", "wide", "rail", "zero_point", "activation"))
        assert verdict.exit_code == 1, f"{backend.name} passes for {other}"


def without_inputs(profile: str) -> Case:
    """Return the smallest layer of K = 0: one row, one output, M = 1, and the bias 5, which is the answer."""
    kind = profiles.get(profile).code_types[0]
    codes, weights = QuantParams(1.0, 0, *bounds(kind)), QuantParams(1.0, 0, -128, 127)
    bias = np.array([5], np.int32)
    return one_layer(np.zeros((1, 0), kind), np.zeros((0, 1), np.int8), bias, codes, weights, codes, profile)


def bounds(kind: str) -> tuple[int, int]:
    """Return the interval of a type of codes."""
    return int(np.iinfo(kind).min), int(np.iinfo(kind).max)


def require_bias_without_inputs(backend: Backend) -> None:
    """Fail unless K = 0 gives the requantized bias, three times."""
    case = without_inputs(backend.profile)
    assert expected(case).tolist() == [[5]]
    for _ in range(3):
        outcome = ask(backend, case)
        assert outcome.value is not None, outcome.detail
        assert outcome.value.tolist() == [[5]]
