"""The rules of the suite are themselves tested, each on a small suite in an empty folder."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

CONFTEST = Path(__file__).with_name("conftest.py")
HEAD = "import numpy as np\nimport pytest\n"


def outcome(folder: Path, body: str, *options: str, ci: str = "", at: str = "test_it.py") -> str:
    """Return what pytest prints for a test file of this body under npquant's conftest."""
    shutil.copy(CONFTEST, folder)
    (folder / "pytest.ini").write_text("[pytest]\nmarkers =\n    slow\n    peer\n")
    (folder / at).parent.mkdir(exist_ok=True)
    (folder / at).write_text(HEAD + body)
    environment = {**os.environ, "CI": ci, "PYTEST_ADDOPTS": ""}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    return done.stdout


PEER = '@pytest.mark.peer\ndef test_a():\n    pytest.importorskip("no_such_engine")\n'


def test_peer_skip_is_allowed_at_home(tmp_path: Path) -> None:
    """Without CI=true, a peer that is not installed skips."""
    assert "1 skipped" in outcome(tmp_path, PEER)


def test_peer_skip_fails_on_ci(tmp_path: Path) -> None:
    """With CI=true, the same skip is a failure that keeps its reason."""
    text = outcome(tmp_path, PEER, ci="true")
    assert "1 failed" in text and "no_such_engine" in text


def test_peer_module_skip_fails_on_ci(tmp_path: Path) -> None:
    """With CI=true, a whole module of peers that skips itself is a failure too."""
    body = 'pytest.importorskip("no_such_engine")\ndef test_a():\n    pass\n'
    assert "1 skipped" in outcome(tmp_path, body, at="peers/test_it.py")
    assert "1 error" in outcome(tmp_path, body, ci="true", at="peers/test_it.py")


def test_other_skips_stay_skips_on_ci(tmp_path: Path) -> None:
    """A skip without the peer marker is left alone."""
    body = 'def test_a():\n    pytest.skip("no reason")\n'
    assert "1 skipped" in outcome(tmp_path, body, ci="true")


def test_slow_runs_only_when_asked(tmp_path: Path) -> None:
    """A slow test is deselected, and runs under --run-slow or -m slow."""
    body = "def test_a():\n    pass\n\n@pytest.mark.slow\ndef test_b():\n    pass\n"
    assert "1 passed, 1 deselected" in outcome(tmp_path, body)
    assert "2 passed" in outcome(tmp_path, body, "--run-slow")
    assert "1 passed, 1 deselected" in outcome(tmp_path, body, "-m", "slow")


def test_numpy_faults_raise(tmp_path: Path) -> None:
    """Overflow, invalid and divide fail the test in which they happen, also under Hypothesis."""
    body = """
from hypothesis import given, strategies as st
@given(st.just(0.0))
def test_divide(x):
    np.float64(1) / np.float64(x)
def test_invalid():
    np.zeros(1) / np.zeros(1)
def test_over():
    np.float32(3e38) * np.float32(10)
"""
    assert "3 failed" in outcome(tmp_path, body)
