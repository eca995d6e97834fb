"""Patterns: what the wrong codes share, found without any list of bugs."""

from itertools import chain, islice
from typing import Any

import numpy as np
import pytest

import npquant
from npquant.profiles import get
from npquant.testing.adapters.callable import from_callable
from npquant.testing.backend import VALUE, WRONG_VALUE, Capabilities, Outcome, capabilities_of
from npquant.testing.case import expected
from npquant.testing.classes import tail, tie, zero_point
from npquant.testing.classes.float_edge import quantized
from npquant.testing.classes.parts import params
from npquant.testing.explain.pattern import pattern, said_of_deltas, separating
from npquant.testing.explain.shrink import Observation, observed
from npquant.testing.judge import judge

CAN: Capabilities = capabilities_of(get("ort"))


def seen(f: Any, module: Any, draws: Any = 60) -> list[Observation]:
    """Put the lattice of a class and some drawn cases to a function, and return what was seen."""
    backend = from_callable(f, profile="ort")
    rows = []
    drawn = islice(module.draw(get("ort"), CAN, np.random.default_rng(1)), draws)
    for case in chain(drawn, module.lattice(get("ort"), CAN)):
        finding, outcome = judge(backend, case)
        rows.append(observed(case, outcome, finding))
    return rows


def wrong_where(mask: Any) -> Any:
    """Return a backend that is one off where mask(x_q, w_q, parameters, codes) says so."""

    def f(x_q: Any, w_q: Any, bias: Any, **parameters: Any) -> Any:
        codes = npquant.linear(x_q, w_q, bias, profile="ort", **parameters)
        return codes ^ np.asarray(mask(x_q, w_q, parameters, codes)).astype(codes.dtype)

    return f


@pytest.mark.parametrize(
    ("says", "mask", "module"),
    [
        ("K mod 16 is not 0", lambda x, w, p, y: np.full(y.shape, w.shape[0] % 16 != 0), tail),
        ("the row is the fifth or later", lambda x, w, p, y: np.arange(len(y))[:, None] + 0 * y.astype(int) >= 4, tail),
        ("zx is not 0", lambda x, w, p, y: np.full(y.shape, p["x"].zero_point != 0), zero_point),
        ("zx is the lowest code", lambda x, w, p, y: np.full(y.shape, p["x"].zero_point == p["x"].qmin), zero_point),
        (
            "K mod 4 is not 0 and the row is not the first",
            lambda x, w, p, y: (np.arange(len(y))[:, None] + 0 * y.astype(int) > 0) & (w.shape[0] % 4 != 0),
            tail,
        ),
        ("K is above 64", lambda x, w, p, y: np.full(y.shape, w.shape[0] > 64), tail),
    ],
)
def test_pattern_finds_the_condition(says: Any, mask: Any, module: Any) -> None:
    """A mistake with a condition: the condition is the best hypothesis, and no right code is under it."""
    found = pattern(seen(wrong_where(mask), module, draws=300))
    best = [h.says for h in found.hypotheses if not h.right and not h.wrong_elsewhere]
    assert says in best


def test_pattern_of_a_truncating_kernel_is_its_fraction() -> None:
    """A kernel that rounds down is wrong exactly where the exact value is a half or more above a whole number, or
    nearly so: on ties half of the codes are right."""

    def floors(x_q: Any, w_q: Any, bias: Any, *, x: Any, w: Any, y: Any, activation: str) -> Any:
        acc = (x_q.astype(int) - x.zero_point) @ (w_q.astype(int) - w.zero_point) + bias
        steps = np.floor(acc * (np.float64(x.scale) * w.scale / y.scale)) + y.zero_point
        return np.clip(steps, y.qmin, y.qmax).astype(y.dtype)

    found = pattern(seen(floors, tie))
    assert found.deltas == "got - want is always -1: a rounding, or a sum that is a little off"
    assert "half or more above" in found.hypotheses[0].says


def test_said_of_deltas_knows_wraps() -> None:
    """Multiples of 256 and of 65536 are told from roundings and from anything else."""
    assert "8 bits wrapped" in said_of_deltas(np.array([256, -256, 256]))
    assert "16 bits wrapped" in said_of_deltas(np.array([65536]))
    assert "always +1" in said_of_deltas(np.array([1, 1]))
    assert "-1 or +1" in said_of_deltas(np.array([1, -1]))
    assert said_of_deltas(np.array([3])) == "got - want is +3"
    assert said_of_deltas(np.array([3, 5])) == "got - want is between +3 and +5, 2 different values"
    assert said_of_deltas(np.array([], int)) == ""


def test_separating_finds_pairs_and_does_not_invent() -> None:
    """A mistake under two conditions is found as the pair; where nothing fits, nothing is said."""
    rng = np.random.default_rng(0)
    a, b, c = rng.random((3, 400)) < 0.5
    best = separating({"a": a, "b": b, "c": c}, a & b)[0]
    assert best.says == "a and b"
    assert (best.right, best.wrong_elsewhere) == (0, 0)
    assert separating({"a": a, "b": b}, c & ~a & ~b | a & b & c) == ()


def test_separating_takes_a_half_that_is_nearly_always_true() -> None:
    """Of a pair one half may spare next to nothing by itself: few depths are whole vectors."""
    rng = np.random.default_rng(3)
    few, many = rng.random(2000) < 0.3, rng.random(2000) < 0.95
    best = separating({"few": few, "many": many}, few & many)[0]
    assert (best.says, best.right, best.wrong_elsewhere) == ("few and many", 0, 0)


def test_separating_says_one_thing_once() -> None:
    """Of statements that are true of the same codes the first is given."""
    rng = np.random.default_rng(4)
    a, b = rng.random((2, 400)) < 0.4
    assert [h.says for h in separating({"a": a, "also a": a.copy(), "b": b}, a)] == ["a"]


def test_pattern_of_nothing_is_empty() -> None:
    """No observation, or only such as are no codes."""
    assert pattern([]).lines() == []
    case = next(tie.lattice(get("ort"), CAN))
    assert pattern([Observation(case, Outcome("raised an exception"), "raised an exception")]).lines() == []


def test_pattern_of_a_crash_is_about_cases() -> None:
    """Where there are no codes to compare, the condition of the case is found."""

    def crashes(x_q: Any, w_q: Any, bias: Any, **parameters: Any) -> Any:
        if len(x_q) > 4:
            raise SystemExit(3)
        return npquant.linear(x_q, w_q, bias, profile="ort", **parameters)

    found = pattern(seen(crashes, tail))
    assert found.deltas == ""
    assert "B is above 4" in [h.says for h in found.hypotheses]
    assert not found.hypotheses[0].right


def test_separating_makes_no_statement_of_two_codes() -> None:
    """Two wrong codes fall under many statements by chance: nothing is said of them."""
    rng = np.random.default_rng(0)
    wrong = np.zeros(300, bool)
    wrong[[5, 17]] = True
    table = {str(i): rng.random(300) < 0.2 for i in range(200)}
    assert separating(table, wrong) == ()


def test_pattern_takes_quantize_cases_of_any_shape_and_per_channel() -> None:
    """Failures of QUANTIZE on rows, on matrices and under several scales lie in one table."""
    profile = get("ort")
    one, several = params("int8", 0.5), params("int8", np.array([0.5, 0.25], np.float32), np.zeros(2, np.int32))
    cases = [
        *quantized(profile, np.arange(5, dtype=np.float32), one),
        *quantized(profile, np.arange(6, dtype=np.float32).reshape(3, 2), several),
    ]
    seen = [Observation(case, Outcome(VALUE, expected(case) ^ 1), WRONG_VALUE) for case in cases]
    assert len(seen) == 2 and pattern(seen).deltas != ""
