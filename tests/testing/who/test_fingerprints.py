"""`fingerprint`: every profile is recognized by at most eight vectors; ambiguity and refusals are said."""

from functools import partial
from typing import Any

import numpy as np
import pytest

import npquant
from npquant.profiles import get, names
from npquant.testing import Capabilities, fingerprint, from_callable
from npquant.testing.bugs.catalogue import bug_named
from npquant.testing.case import expected
from npquant.testing.separating import SEPARATING_SET, answer
from npquant.testing.who.fingerprints import as_case


@pytest.mark.parametrize("name", names())
def test_fingerprint_recognizes_every_profile(name: Any) -> None:
    """At most eight vectors separate all profiles, whatever a backend claims."""
    found = fingerprint(partial(npquant.linear, profile=name), volume=False)
    assert found.same == (name,) and found.vectors <= 8


@pytest.mark.parametrize("name", ["tflm", "fbgemm", "onednn_avx2", "qnnpack"])
def test_fingerprint_searches_among_what_a_backend_takes(name: Any) -> None:
    """A backend of one type of codes is put other vectors of that type, at most eight, and is recognized by codes."""
    kernel = partial(npquant.linear, profile=name)
    can = Capabilities(code_types=get(name).code_types)
    found = fingerprint(from_callable(kernel, profile=name, capabilities=can))
    assert found.same == (name,) and found.vectors <= 8 and found.answered > 3


def test_fingerprint_states_what_no_vector_separates() -> None:
    """A backend without zero points and with int8 codes: three profiles are one class, and that is said."""
    found = fingerprint(from_callable(partial(npquant.linear, profile="gemmini_f32"), profile="gemmini_f32"))
    assert set(found.same) == {"ort", "ort_pair16", "gemmini_f32"}
    assert "no vector that it takes tells these apart: " in found.text()


def test_fingerprint_gives_shares_and_the_first_separating_case() -> None:
    """tflite_single is met on every code, ort on fewer, and the case that parts them is one on which they do part."""
    found = fingerprint(partial(npquant.linear, profile="tflite_single"))
    by_name = {match.profile: match for match in found.matches}
    assert found.same == ("tflite_single",) and by_name["tflite_single"].share == 1.0
    assert 0.5 < by_name["ort"].share < 1.0 and "parts at" in found.text()
    case, index, got, want = by_name["ort"].first  # type: ignore[misc]
    assert expected(case)[index] == want != got


def test_fingerprint_of_a_bug_is_nobody() -> None:
    """One code that differs parts a profile: a kernel that never gives the lowest code is none.

    Nearest are ncnn, whose lowest code is -127 as well, and the kernel's own.
    """
    found = fingerprint(bug_named("saturation.never_reaches_the_lowest_code").make(get("ort")))
    assert found.same == () and "no profile agrees" in found.text()
    assert found.matches[0].profile == "ncnn"
    assert found.matches[1].profile in ("ort", "ort_pair16", "gemmini_f32")


def test_fingerprint_counts_refusals_apart_and_no_answer_as_nothing() -> None:
    """A kernel that refuses uint8 is still recognized by its codes; one that declines everything is nobody's."""

    def int8_only(x_q: Any, *operands: Any, **params: Any) -> Any:
        if x_q.dtype == np.uint8:
            raise ValueError("int8 only")
        return npquant.linear(x_q, *operands, **params, profile="tosa_single")

    found = fingerprint(int8_only)
    assert "tosa_single" in found.same and next(m for m in found.matches if m.profile == "tosa_single").refusals > 0

    def declines(*operands: Any, **params: Any) -> None:
        raise NotImplementedError

    nothing = fingerprint(declines)
    assert (nothing.same, nothing.answered) == ((), 0)
    assert nothing.as_json()["matches"][0]["agreeing"] == 0


@pytest.mark.parametrize("name", ["npquant", "fbgemm", "tflite_ref"])
def test_as_case_is_the_vector(name: Any) -> None:
    """A vector as a case has the vector's answer."""
    for vector in SEPARATING_SET:
        want = answer(get(name), vector)
        if isinstance(want, int):
            assert expected(as_case(vector, name))[0, 0] == want
