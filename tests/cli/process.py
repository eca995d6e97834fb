"""npquant in a process of its own, as a shell starts it."""

import os
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
