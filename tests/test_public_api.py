"""The names, the signatures and the package metadata that other programs rely on."""

import ast
import configparser
import fnmatch
import importlib
import inspect
import re
import tomllib
from pathlib import Path

import pytest

import npquant

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "npquant"

# The contract; a name may be added here, and leaves only with a major version.
PROMISED = """
    QuantParams FixedMultiplier Profile FloatMLP IntegerMLP train quantize_uniform quantize_rectified prune_neurons
    matmul_int8 matmul_int8_blas quantize dequantize requantize linear load save run_workflow profiles __version__
    quantize_nearest quantize_gptq quantize_gptq_resolved quantize_gpfq quantize_adaround quantize_dynamic
    prune_neurons_with_report prune_weights finetune search_budget Budget SearchResult quantize_model FormatError
    load_dataset Dataset
    DenseLayer
""".split()

# The parameters of each function, in order; a star parts positional from keyword-only.
SIGNATURES = {
    "train": ["x", "y", "hidden", "activation", "epochs"],
    "quantize_uniform": ["model", "x_calibration", "bits", "activation_bits", "rng"],
    "quantize_model": ["model", "x_calibration", "bits", "activation_bits", "rng", "*", "method"],
    "quantize_rectified": ["model", "x_calibration", "bits", "activation_bits", "rng"],
    "quantize_nearest": ["model", "x_calibration", "bits", "activation_bits", "rng"],
    "quantize_gptq": ["model", "x_calibration", "bits", "activation_bits", "rng"],
    "quantize_gptq_resolved": ["model", "x_calibration", "bits", "activation_bits", "rng"],
    "quantize_gpfq": ["model", "x_calibration", "bits", "activation_bits", "rng"],
    "quantize_adaround": ["model", "x_calibration", "bits", "activation_bits", "rng"],
    "prune_neurons": ["model", "x_calibration", "rate", "criterion", "compensation"],
    "prune_weights": ["model", "x_calibration"],
    "finetune": ["model", "x", "y"],
    "search_budget": ["model", "data", "budget"],
    "save": ["model", "path", "encoding"],
    "load": ["path"],
    "load_dataset": ["source", "*", "target", "missing", "max_bytes", "encoding"],
    "matmul_int8": ["x_q", "w_q"],
    "matmul_int8_blas": ["x_q", "w_q"],
    "linear": ["x_q", "w_q", "bias", "*", "x", "w", "y", "profile", "activation"],
    "quantize": ["x", "params"],
    "requantize": ["acc"],
}
DEFAULTS = {
    ("train", "hidden"): (64, 32),
    ("train", "activation"): "clipped_relu",
    ("train", "rng"): None,
    ("quantize_uniform", "bits"): 8,
    ("quantize_model", "bits"): 4,
    ("quantize_model", "activation_bits"): 8,
    ("quantize_model", "method"): "rectified",
    ("quantize_rectified", "bits"): 4,
    ("quantize_rectified", "activation_bits"): 8,
    ("quantize_gptq", "bits"): 4,
    ("prune_neurons", "criterion"): "obs",
    ("prune_neurons", "compensation"): "refit",
    ("finetune", "teacher"): None,
    ("finetune", "quantizer"): None,
    ("save", "encoding"): "auto",
    ("linear", "activation"): "none",
}


def setup_cfg() -> configparser.ConfigParser:
    """Return the parsed setup.cfg."""
    parser = configparser.ConfigParser()
    parser.read_string((ROOT / "setup.cfg").read_text(encoding="utf-8"))
    return parser


def listed(text: str) -> list[str]:
    """Return the lines of a setup.cfg value."""
    return [line.strip() for line in text.splitlines() if line.strip()]


@pytest.mark.parametrize("name", PROMISED)
def test_name_is_importable(name: str) -> None:
    """Every promised name loads from `npquant`, and stays the same object."""
    assert getattr(npquant, name) is getattr(npquant, name)
    assert name in dir(npquant)


def test_map_lists_agree() -> None:
    """__all__, the lazy map and the names that mypy sees are one set, and each stands in the module named."""
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {alias.name: node.module for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert seen.pop("profiles") == "npquant"
    assert seen == dict(npquant._HOME)
    assert set(npquant.__all__) == {*seen, "profiles", "__version__", "numerics_version"} >= set(PROMISED)


def test_unknown_name_is_an_attribute_error() -> None:
    """A name that is not there raises AttributeError, which names it."""
    with pytest.raises(AttributeError, match="no_such_name"):
        npquant.no_such_name  # noqa: B018


@pytest.mark.parametrize("name", SIGNATURES)
def test_signature_begins_as_promised(name: str) -> None:
    """The parameters have the promised names and order; a star means that what follows is keyword-only."""
    parameters = inspect.signature(getattr(npquant, name)).parameters
    promised = SIGNATURES[name]
    positional = promised[: promised.index("*")] if "*" in promised else promised
    assert list(parameters)[: len(positional)] == positional
    for keyword in promised[len(positional) + 1 :]:
        assert parameters[keyword].kind is inspect.Parameter.KEYWORD_ONLY


@pytest.mark.parametrize(("function", "parameter"), DEFAULTS)
def test_default_is_as_promised(function: str, parameter: str) -> None:
    """The promised defaults hold."""
    found = inspect.signature(getattr(npquant, function)).parameters[parameter].default
    assert found == DEFAULTS[function, parameter]


def test_hard_dependencies_are_three() -> None:
    """numpy, scipy, hypothesis, and nothing else."""
    names = [re.split(r"[<>=!~]", line)[0] for line in listed(setup_cfg()["options"]["install_requires"])]
    assert sorted(names) == ["hypothesis", "numpy", "scipy"]


def test_pyproject_holds_no_metadata() -> None:
    """pyproject.toml has [build-system] and [tool.*] only."""
    tables = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert set(tables) == {"build-system", "tool"}


def test_console_script_exists() -> None:
    """The console script points at a function that is there."""
    script = listed(setup_cfg()["options.entry_points"]["console_scripts"])
    assert script == ["npquant = npquant.cli:main"]
    assert callable(importlib.import_module("npquant.cli").main)


def test_every_data_file_is_packaged() -> None:
    """Each file of the package that is not code matches a package_data pattern, so that the wheel carries it."""
    patterns = setup_cfg()["options.package_data"]
    missed = []
    for path in PACKAGE.rglob("*"):
        if path.is_dir() or path.suffix in {".py", ".pyc"}:
            continue
        homes = [(PACKAGE, "npquant")] + [
            (PACKAGE / key.removeprefix("npquant.").replace(".", "/"), key) for key in patterns if key != "*"
        ]
        anywhere = any(fnmatch.fnmatch(path.name, glob) for glob in listed(patterns["*"]))
        here = any(
            path.is_relative_to(folder)
            and any(fnmatch.fnmatch(str(path.relative_to(folder)), glob) for glob in listed(patterns[key]))
            for folder, key in homes
            if key in patterns
        )
        if not (anywhere or here):
            missed.append(str(path.relative_to(ROOT)))
    assert missed == []


def test_changelog_has_this_version() -> None:
    """The newest entry of the changelog is the version of the package."""
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = re.search(r"^## (\S+)", text, re.MULTILINE)
    assert newest is not None and newest[1] == npquant.__version__
