"""C kernels of tests/testing/kernels, compiled whole or with one line changed."""

import shutil
import subprocess
from pathlib import Path

import pytest

from npquant.testing.adapters.shared import c_header

KERNELS = Path(__file__).parents[1] / "kernels"


def compiled(folder: Path, kernel: str, *change: str, shared: bool = False) -> Path:
    """Compile a kernel, `change` being a piece of its text and what stands there instead; skip without gcc."""
    compiler = shutil.which("gcc")
    if compiler is None:
        pytest.skip("gcc is not installed")
    text = (KERNELS / kernel).read_text(encoding="utf-8")
    if change:
        old, new = change
        assert text.count(old) == 1, "the change must meet exactly one place"
        text = text.replace(old, new)
    source, made = folder / kernel, folder / "kernel.out"
    source.write_text(text, encoding="utf-8")
    how = ["-shared", "-fPIC", f"-I{c_header().parent}"] if shared else []
    flags = ["-std=c99", "-Wall", "-Wextra", "-pedantic", "-O2", *([] if change else ["-Werror"])]
    command = [compiler, *flags, *how, "-o", str(made), str(source)]
    subprocess.run(command, check=True, capture_output=True)
    return made
