"""npquant in a process of its own, as a shell starts it."""

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import npquant

# The package under test, installed or not.
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(npquant.__file__).parents[1])}


def run_command(arguments: Sequence[str], folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run ``python -m npquant`` in a folder."""
    return subprocess.run(
        [sys.executable, "-m", "npquant", *arguments],
        cwd=folder, env={**ENVIRONMENT, **environment}, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip


def but_progress(said: str) -> str:
    """What a run says on stderr but for the step that it is at, which it tells every ten seconds on a slow machine."""
    return re.sub(r"(?m)^[1-8] [a-z].*\n", "", said)
