"""The counterexample: its report word for word, its data, its script run by Python, its C compiled by gcc."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import npquant
from npquant.profiles import get
from npquant.testing.adapters.callable import from_callable
from npquant.testing.bugs.catalogue import bug_named
from npquant.testing.case import Case, one_layer
from npquant.testing.explain.counterexample import Counterexample, explain, minimize
from npquant.testing.explain.smaller import measure
from npquant.testing.judge import judge
from npquant.testing.trial import run

ROOT = Path(__file__).parents[3]
WRONG = """
import numpy as np

def backend(x_q, w_q, bias, *, x, w, y, activation="none"):
    acc = (x_q.astype(int) - x.zero_point) @ (w_q.astype(int) - w.zero_point) + (0 if bias is None else bias)
    steps = np.trunc(acc * (np.float64(x.scale) * w.scale / y.scale)) + y.zero_point
    return np.clip(steps, y.qmin, y.qmax).astype(y.dtype)
"""
SEVEN = ("Stages of y", "Diagnosis", "Pattern", "Size", "To run it again", "Made by")


def truncating() -> Counterexample:
    """Return what a truncating kernel gets wrong, from one case of its own, whatever the classes hold."""
    backend = bug_named("rounding.truncates_toward_zero").make(get("ort"))
    p, w = npquant.QuantParams(0.5, 0, -128, 127), npquant.QuantParams(0.25, 0, -128, 127)
    rng = np.random.default_rng(0)
    x_q, w_q = rng.integers(-9, 10, (3, 4)).astype(np.int8), rng.integers(-9, 10, (4, 5)).astype(np.int8)
    case = one_layer(x_q, w_q, np.arange(5).astype(np.int32), p, w, p, "ort")
    finding, _ = judge(backend, case)
    assert finding is not None
    return Counterexample(backend, finding)


def test_text_is_this() -> None:
    """The report of a truncating kernel, word for word up to the script, has its parts in order."""
    text = truncating().text()
    assert text.startswith(
        "linear under ort, class plain: gave a wrong code; y[0, 0] is 1, 2 is due (-1)\n"
        "  x  [[0]] int8, scale 1, zero point 0\n"
        "  w  [[0]] int8, scale 0.5, zero point 0, bias [3]\n"
        "  y  [[1]] int8, due [[2]] int8, scale 1, zero point 0\n"
        "\n"
        "Stages of y[0, 0]\n"
        "  products    all 1 are 0\n"
        "  bias        +3\n"
        "  accumulator 3\n"
        "  exact       3 * 1/2 = 3/2, on a tie\n"
        "  rounded     2   <-- 1 is the exact value rounded down\n"
        "  zero point  +0 = 2\n"
        "  clamp       to [-128, 127] = 2, got 1\n"
        "\n"
        "Diagnosis\n"
        "  truncates toward zero: A cast from float, or an integer division\n"
        "  rounding.truncates_toward_zero reproduces all "
    )
    assert "met in microsoft/onnxruntime#32452" in text
    places = [text.index(part) for part in SEVEN if part in text]
    assert len(places) >= 5
    assert places == sorted(places)
    assert npquant.__version__ in text
    assert text == truncating().text()


def test_as_json_is_plain_data() -> None:
    """json.dumps takes it, and it holds the seven parts."""
    data = json.loads(json.dumps(truncating().as_json()))
    assert data["got"] == [[1]]
    assert data["want"] == [[2]]
    assert data["stages"]["exact"] == "3/2"
    assert data["diagnoses"][0]["name"] == "rounding.truncates_toward_zero"
    assert {"headline", "stages", "diagnoses", "pattern", "size", "script", "c", "made_by"} <= set(data)


def script_says(failure: Counterexample, folder: Path, module: str) -> list[str]:
    """Run a script beside a module; return its lines."""
    (folder / "kernel.py").write_text(module)
    (folder / "case.py").write_text(failure.script())
    command = [sys.executable, "case.py", "kernel:backend"]
    done = subprocess.run(
        command, cwd=folder, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=True, timeout=120
    )
    assert "hypothesis" not in failure.script().lower()
    return done.stdout.splitlines()


def test_script_prints_what_is_due_and_what_comes(tmp_path: Path) -> None:
    """Run apart from the kit's search, the script shows the same mistake."""
    assert script_says(truncating(), tmp_path, WRONG) == ["want [[2]]", "got  [[1]] "]


def test_script_repeats_a_sequence(tmp_path: Path) -> None:
    """A backend that keeps its sums is wrong only after the call before, which the script makes."""
    name = "state.accumulator_is_not_cleared"
    failure = run(bug_named(name).make(get("ort")), tier="smoke").failures[0]
    module = f"""
from npquant.profiles import get
from npquant.testing.bugs.catalogue import bug_named
backend = bug_named({name!r}).make(get("ort"))
"""
    want, got = script_says(failure, tmp_path, module)
    assert want.removeprefix("want ") != got.removeprefix("got  ").strip()


GROUPS = (
    "rounding.floors",
    "networks.bias_is_the_layers_before",
    "channels.channel_0_serves_all",
    "memory.answer_is_none",
)


@pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")
@pytest.mark.parametrize("name", [*GROUPS, "real_values.huge_values_wrap"])
def test_c_snippet_compiles_without_a_warning(name: str, tmp_path: Path) -> None:
    """As C99, with every warning an error."""
    verdict = run(bug_named(name).make(get("ort")), tier="smoke")
    if not verdict.failures:
        verdict = run(bug_named(name).make(get("ort")), classes=["float_edge"])
    source = tmp_path / "case.c"
    source.write_text(verdict.failures[0].c_snippet())
    flags = ["-std=c99", "-Wall", "-Wextra", "-pedantic", "-Werror", "-c", "-o", str(tmp_path / "case.o")]
    subprocess.run(["gcc", *flags, str(source)], check=True, timeout=60)


def test_counterexample_is_explained_once_and_late() -> None:
    """Until it is looked into, the backend is not asked; then once."""
    calls = [0]

    def f(x_q: Any, w_q: Any, bias: Any, **parameters: Any) -> Any:
        calls[0] += 1
        return npquant.linear(x_q, w_q, None, profile="ort", **parameters)

    failure = run(f, profile="ort", tier="smoke").failures[0]
    before = calls[0]
    assert (failure.kind, failure.group) == ("gave a wrong code", "tie")
    assert calls[0] == before
    assert failure.explanation is failure.explanation
    assert calls[0] > before
    assert measure(failure.case) <= measure(failure.found.case)
    assert failure.report() == failure.text()


def test_a_small_case_fits_on_three_lines() -> None:
    """Headline apart: input, weights, output."""
    rows = truncating().text().split("\n\n")[0].splitlines()
    assert len(rows) == 4
    assert [row.split()[0] for row in rows[1:]] == ["x", "w", "y"]


def test_minimize_and_explain_take_one_case() -> None:
    """A right case has nothing to minimize; a wrong one is made small, and explained alone."""
    found = truncating()
    case: Case = found.found.case
    assert minimize(from_callable(found.backend.f, profile="ort"), case).case.elements == 2  # type: ignore[attr-defined]
    assert minimize(bug_named("memory.reversed_rows_are_read_forwards").make(get("ort")), case) is None
    assert "rounding.truncates_toward_zero" in explain(found.backend, found.found)
