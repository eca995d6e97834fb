"""`import npquant` loads NumPy at most, and each name loads only what it computes with."""

import json
import subprocess
import sys

import pytest

PROBE = """
import json, sys
before = set(sys.modules)
{statement}
print(json.dumps(sorted(set(sys.modules) - before)))
"""
# The roots that no name may load before it is called; every one of them costs 50 ms to seconds.
HEAVY = {"scipy", "hypothesis", "torch", "onnx", "onnxruntime", "sklearn", "matplotlib", "flatbuffers"}
# Standard-library modules that numpy-free `import npquant` may bring in; counted, since a time would flicker.
MOST_MODULES = 40


def loaded_by(statement: str) -> list[str]:
    """Return the modules that a statement loads in a fresh interpreter."""
    command = [sys.executable, "-W", "error", "-c", PROBE.format(statement=statement)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    names: list[str] = json.loads(done.stdout)
    return names


def strangers(statement: str, allowed: set[str]) -> set[str]:
    """Return the roots outside the standard library that a statement loads, but for the allowed ones."""
    roots = {name.split(".")[0] for name in loaded_by(statement)}
    # An underscore root is an accelerator of the interpreter or of an allowed package.
    return {
        root
        for root in roots - set(sys.stdlib_module_names) - allowed
        if not root.startswith("_") and not root.startswith("numpy")
    }


def test_import_npquant_loads_numpy_alone() -> None:
    """The package's own map, and at most NumPy, stand in sys.modules."""
    assert strangers("import npquant", {"npquant"}) == set()


def test_import_npquant_loads_few_modules() -> None:
    """The count of modules that are not NumPy's stays small."""
    names = [name for name in loaded_by("import npquant") if not name.startswith("numpy")]
    assert len(names) <= MOST_MODULES, names


def test_import_law_kills_an_eager_import() -> None:
    """The law sees SciPy and Hypothesis when they are loaded."""
    assert "scipy" in strangers("import npquant, scipy", {"npquant"})
    assert "hypothesis" in strangers("import npquant, hypothesis", {"npquant"})


@pytest.mark.parametrize(
    "statement",
    [
        "from npquant import QuantParams, FixedMultiplier, matmul_int8",
        "from npquant import FloatMLP, train",
        "from npquant import linear, quantize",
        "from npquant import IntegerMLP, quantize_uniform, quantize_rectified, prune_neurons",
        "from npquant import load, save",
        "from npquant import run_workflow",
        "import npquant.cli",
    ],
)
def test_public_names_load_nothing_heavy(statement: str) -> None:
    """No public name loads SciPy, Hypothesis or an engine before it is called."""
    assert strangers(statement, {"npquant"}) & HEAVY == set()
