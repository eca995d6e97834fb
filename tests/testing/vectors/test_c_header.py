"""The C form, compiled by gcc as C99 without a warning: an honest kernel passes the checker, a broken one does not."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from npquant.testing import verify
from npquant.testing.vectors import write
from npquant.testing.vectors.collection import collect
from tests.testing.adapters.compiled import KERNELS

FLAGS = ["-Wall", "-Wextra", "-pedantic", "-Werror", "-O1"]
STORE = "*((uint8_t *)q->y + b * q->y_row + n * q->y_column) = (uint8_t)y;"


@pytest.fixture(scope="module")
def folder(own: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The header of npquant's own arithmetic, and the checker."""
    place = tmp_path_factory.mktemp("vectors") / "set"
    write(place, "c", own)
    return place


def checker(folder: Any, tmp_path: Path, *change: Any, standard: str = "c99") -> Any:
    """Compile the checker with the kernel, a piece of its text changed."""
    compiler = shutil.which("gcc")
    if compiler is None:
        pytest.skip("gcc is not installed")
    text = (KERNELS / "shared_kernel.c").read_text(encoding="utf-8")
    if change:
        assert text.count(change[0]) == 1
        text = text.replace(*change)
    (tmp_path / "kernel.c").write_text(text, encoding="utf-8")
    made = tmp_path / "checker"
    sources = [str(folder / "checker.c"), str(tmp_path / "kernel.c")]
    command = [compiler, f"-std={standard}", *FLAGS, f"-I{folder}", "-o", str(made), *sources]
    subprocess.run(command, check=True, capture_output=True, text=True)
    return made


def run(made: Any, *arguments: Any) -> Any:
    """Run a checker; return its exit code and what it printed."""
    done = subprocess.run([str(made), *arguments], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout


@pytest.mark.parametrize("standard", ["c99", "c11"])
def test_honest_kernel_passes_without_a_warning(standard: Any, folder: Any, tmp_path: Path) -> None:
    """Header, checker and kernel are pedantic C99, and every vector passes."""
    code, printed = run(checker(folder, tmp_path, standard=standard))
    assert (code, printed) == (0, "19 of 19 vectors ran, 0 wrong\n")


WRONG = {
    "no_rounding_constant": (" + ((int64_t)1 << (shift - 1))", "", "1.1 (tie): y[0]["),
    "rounding_constant_one_off": (
        "((int64_t)1 << (shift - 1)))",
        "((int64_t)1 << (shift - 1)) - 1)",
        "1.1 (tie): y[0][",
    ),
    "tail_dropped": ("k < q->depth", "k < q->depth - q->depth % 4", "2.1 (tail): y[0]["),
    "input_zero_point_forgotten": (" - q->x_zero", "", "(tie): y[0]["),
    "clamp_of_the_activation_forgotten": ("y > q->high ? q->high", "y > 127 ? 127", "(activation): y["),
    "writes_behind": (STORE, f"{STORE} ((uint8_t *)q->y)[q->rows * q->y_row] = 1;", "wrote outside its output"),
    "writes_before": (STORE, f"{STORE} ((uint8_t *)q->y)[-1] = 1;", "wrote outside its output"),
    "refuses": ("return NPQUANT_OK;", "return NPQUANT_REJECTED;", "returned 1"),
    "channel_0": ("q->multiplier[n]", "q->multiplier[0]", "(activation): y["),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_checker_kills(wrong: Any, folder: Any, tmp_path: Path) -> None:
    """One changed line of the kernel: exit code 1, and a line that says where, what, accumulator and value."""
    old, new, says = WRONG[wrong]
    code, printed = run(checker(folder, tmp_path, old, new))
    assert code == 1 and says in printed
    assert "y[" not in printed or "is due; accumulator " in printed


def test_kernel_that_declines_everything_ran_nothing(folder: Any, tmp_path: Path) -> None:
    """Exit code 4: never green by accident."""
    code, printed = run(checker(folder, tmp_path, "return NPQUANT_OK;", "return NPQUANT_DECLINED;"))
    assert (code, printed) == (4, "0 of 19 vectors ran, 0 wrong\n")


def test_printed_codes_are_a_signature(folder: Any, tmp_path: Path) -> None:
    """With an argument the checker prints what `verify` reads; the same vectors in the same order as signature.txt."""
    code, printed = run(checker(folder, tmp_path), "--codes")
    (tmp_path / "out.txt").write_text(printed)
    assert code == 0 and verify(folder, tmp_path / "out.txt").passed
    code, printed = run(checker(folder, tmp_path, " + ((int64_t)1 << (shift - 1))", ""), "--codes")
    (tmp_path / "out.txt").write_text(printed)
    verdict = verify(folder, tmp_path / "out.txt")
    assert not verdict.passed and "rounding.floors" in verdict.suspects


def test_checker_is_short(folder: Any) -> None:
    """About sixty lines of code, so that it can be read before it is believed."""
    lines = (folder / "checker.c").read_text().splitlines()
    assert sum(bool(line.strip()) and not line.startswith((" *", "/*")) for line in lines) <= 66


@pytest.mark.parametrize("name", ["fbgemm", "gemmini_f32"])
def test_header_of_other_profiles_compiles(name: Any, few_bugs: Any, tmp_path: Path) -> None:
    """uint8 codes and engines of floats: the header is as pedantic, and an integer kernel is found wrong or right."""
    write(tmp_path / "set", "c", collect(name))
    assert run(checker(tmp_path / "set", tmp_path))[0] in (0, 1)
