"""Laws of the pytest plugin: a test for each class, known failures with reasons, and no cost where it is not used."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TARGETS = str(Path(__file__).parent / "conformance_targets.py")
ORT = ("--npquant-profile", "ort", "--npquant-tier", "smoke")


def session(folder: Path, *arguments: str, named: bool = True) -> "subprocess.CompletedProcess[str]":
    """Run pytest in a folder with the plugin; named: by its module and no other, else as whatever is installed."""
    plugin = ["-p", "npquant.testing.plugin"] if named else []
    alone = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"} if named else {}
    return subprocess.run(
        [sys.executable, "-m", "pytest", *plugin, "-p", "no:cacheprovider", *arguments],
        cwd=folder,
        env={**os.environ, **alone, "PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)])},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def backend(name: str) -> tuple[str, ...]:
    """Return the options that name a target of the tests."""
    return ("--npquant-backend", f"{TARGETS}:{name}", *ORT)


def test_each_class_is_a_test(tmp_path: Path) -> None:
    """A right kernel passes npquant::plain ... npquant::illegal; what was not asked is skipped with its reason."""
    done = session(tmp_path, "-v", "-rs", *backend("right"))
    assert done.returncode == 0, done.stdout
    assert re.search(r"^npquant::tie PASSED", done.stdout, re.MULTILINE)
    assert "16 passed, 1 skipped" in done.stdout
    assert "not asked: no question of this class fits the backend" in done.stdout


def test_failures_show_the_counterexample(tmp_path: Path) -> None:
    """A failed class prints its report in place of a traceback."""
    done = session(tmp_path, *backend("rounds_up"), "-k", "tie or plain")
    assert done.returncode == 1 and "FAILED npquant::tie" in done.stdout
    assert "Stages of y" in done.stdout and "Traceback" not in done.stdout


def test_known_failures_are_expected_with_reasons_and_strict(tmp_path: Path) -> None:
    """A class of the file that fails is XFAIL with its reason, unshrunk; one that passes is a failure."""
    (tmp_path / "known.txt").write_text("tie: rounds half up, see the manual\nplain: long gone\n")
    done = session(tmp_path, "-rx", *backend("rounds_up"), "-k", "tie or plain", "--npquant-xfail", "known.txt")
    assert done.returncode == 1
    assert "XFAIL npquant::tie - rounds half up, see the manual" in done.stdout
    assert "passed, and was expected to fail: long gone" in done.stdout and "Stages of" not in done.stdout


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--npquant-xfail", "known.txt"), "--npquant-xfail without --npquant-backend"),
        ((*backend("right"), "--npquant-xfail", "known.txt"), "there is no case class 'ties'"),
        ((*backend("right"), "--npquant-xfail", "none.txt"), "No such file"),
    ],
)
def test_files_of_known_failures_are_read_before_anything(
    arguments: tuple[str, ...], complaint: str, tmp_path: Path
) -> None:
    """A file that is not there, names an unknown class, or is of no use is a usage error."""
    (tmp_path / "known.txt").write_text("ties: up\n")
    done = session(tmp_path, *arguments)
    assert done.returncode == 4 and complaint in done.stdout + done.stderr


def test_target_that_is_none_fails_its_tests(tmp_path: Path) -> None:
    """A target that cannot be found is red, never skipped."""
    done = session(tmp_path, *backend("nothing"), "-k", "tie")
    assert done.returncode == 1 and "has no attribute 'nothing'" in done.stdout


def test_session_that_judges_nothing_is_red(tmp_path: Path) -> None:
    """A backend that declines every question leaves skipped tests alone: exit code 4, and why."""
    done = session(tmp_path, *backend("Declining"))
    assert done.returncode == 4 and "no class was judged" in done.stdout
    assert "17 skipped" in done.stdout


def test_fixture_gives_the_backend_and_skips_without_one(tmp_path: Path) -> None:
    """quantized_backend is what the options name; without them the test is skipped with a reason."""
    (tmp_path / "test_mine.py").write_text(
        "def test_mine(quantized_backend):\n    assert quantized_backend.profile == 'ort'\n"
    )
    done = session(tmp_path, "test_mine.py", "-k", "mine", *backend("right"))
    assert done.returncode == 0 and "1 passed" in done.stdout
    done = session(tmp_path, "test_mine.py", "-rs")
    assert done.returncode == 0 and "no --npquant-backend was given" in done.stdout


def test_plugin_loads_nothing_heavy() -> None:
    """Imported beside pytest, the plugin loads neither NumPy nor Hypothesis nor any kernel."""
    code = (
        "import sys, pytest; before = set(sys.modules); import npquant.testing.plugin; "
        "print(sorted(m for m in set(sys.modules) - before if not m.startswith('_')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = [name for name in eval(done.stdout) if not name.startswith(("npquant", "importlib"))]
    assert not loaded
    assert "npquant.kernels" not in done.stdout and "npquant.testing.trial" not in done.stdout


def test_installed_plugin_is_found_and_can_be_left_out(tmp_path: Path) -> None:
    """As an entry point of the name npquant it has its options; -p no:npquant takes them away."""
    facts = tmp_path / "npquant_entry-1.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: npquant-entry\nVersion: 1\n")
    declared = (ROOT / "setup.cfg").read_text().split("pytest11 =\n")[1].split("\n")[0].strip()
    (facts / "entry_points.txt").write_text(f"[pytest11]\n{declared}\n")
    (tmp_path / "test_plain.py").write_text("def test_plain():\n    pass\n")
    assert declared == "npquant = npquant.testing.plugin"
    done = session(tmp_path, "--help", named=False)
    assert "--npquant-backend" in done.stdout
    assert session(tmp_path, "-q", "test_plain.py", named=False).returncode == 0
    without = session(tmp_path, "--help", "-p", "no:npquant", named=False)
    assert "--npquant-backend" not in without.stdout
