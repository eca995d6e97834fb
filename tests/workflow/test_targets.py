"""Laws of the exports of step 8: run where they belong, every answer compared, nothing silently absent."""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator
from numpy.typing import NDArray

from npquant.cli import main
from npquant.compression.rounding.uniform import quantize_uniform
from npquant.integer.mlp import IntegerMLP
from npquant.interop.consumers import c_cost
from npquant.nn.model import DenseLayer, FloatMLP
from npquant.report.document import load_schema, timeless
from npquant.report.terminal import render_report
from npquant.workflow import targets as targets_module
from npquant.workflow.steps import run_workflow
from npquant.workflow.target_names import ENGINES_OF, TARGETS, check_targets
from npquant.workflow.targets import deploy_targets, differing_targets

needs_gcc = pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")


def small_net() -> tuple[IntegerMLP, NDArray[Any]]:
    """Two layers on inputs of 8 whole bits."""
    rng = np.random.default_rng(0)
    layers = (
        DenseLayer(rng.normal(size=(6, 5)), rng.normal(size=5), "relu"),
        DenseLayer(rng.normal(size=(5, 3)), rng.normal(size=3), "identity"),
    )
    x = rng.integers(0, 256, (60, 6)).astype(np.float64)
    return quantize_uniform(FloatMLP(layers), x, 8), x


def deploy(folder: Path, *names: str) -> list[dict[str, Any]]:
    """Deploy the small network to some targets, and hold the entries to the schema."""
    folder.mkdir(exist_ok=True)
    net, x = small_net()
    entries = deploy_targets(folder, net, x, names, lambda text: None, seconds=0.001)
    schema = load_schema()["properties"]["deployment"]["properties"]["targets"]
    Draft202012Validator(schema).validate(entries)
    return entries


def law_equal(entry: dict[str, Any]) -> None:
    """There were answers, and all were due."""
    assert entry["reason"] is None, entry["reason"]
    assert entry["equal"] is True and entry["differing"] == 0 and entry["outputs"] >= 100
    assert entry["agreement"] == 1


@needs_gcc
def test_deploy_targets_c_answers_every_byte_and_is_measured(tmp_path: Path) -> None:
    """The program is compiled, compared, sized and timed; the files on the disk are those of the entry."""
    (entry,) = deploy(tmp_path, "c")
    law_equal(entry)
    assert entry["measured"]["code_bytes"] > 45 and entry["measured"]["seconds"] > 0
    assert "gcc" in entry["measured"]["version"]
    assert {file["name"]: file["bytes"] for file in entry["files"]} == {
        str(path.relative_to(tmp_path)): path.stat().st_size for path in (tmp_path / "deployed_c").iterdir()
    }


@needs_gcc
@pytest.mark.skipif(shutil.which("valgrind") is None, reason="valgrind is not installed")
def test_deploy_targets_c_counts_the_same_instructions_twice(tmp_path: Path) -> None:
    """A count is of the build and not of the run: whole, repeatable, and more than one for each product."""
    (one,), (two,) = (deploy(tmp_path / name, "c") for name in ("one", "two"))
    assert one["measured"]["uncounted"] is None
    assert one["measured"]["instructions"] == two["measured"]["instructions"] > 6 * 5 + 5 * 3


@needs_gcc
def test_deploy_targets_c_says_why_nothing_was_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without valgrind, or where a row takes long, size and time stand, and the count is null with the reason."""
    real = shutil.which
    monkeypatch.setattr(shutil, "which", lambda name: None if name == "valgrind" else real(name))
    (entry,) = deploy(tmp_path / "none", "c")
    assert entry["measured"]["instructions"] is None and "valgrind" in entry["measured"]["uncounted"]
    assert entry["measured"]["code_bytes"] > 45 and entry["measured"]["seconds"] > 0
    monkeypatch.setattr(c_cost, "_COUNTED", 0.0)
    (entry,) = deploy(tmp_path / "slow", "c")
    assert entry["measured"]["instructions"] is None and "more than 0 ms" in entry["measured"]["uncounted"]


def test_deploy_targets_npz_reads_back(tmp_path: Path) -> None:
    """Plain arrays need no runtime but NumPy."""
    (entry,) = deploy(tmp_path, "npz")
    law_equal(entry)


@pytest.mark.peer
@pytest.mark.parametrize(
    ("target", "package"),
    [("onnx", "onnxruntime"), ("onnx-qoperator", "onnxruntime"), ("onnx-integer", "onnxruntime"),
     ("tflite", "ai_edge_litert")],
)  # fmt: skip
def test_deploy_targets_runtimes_answer_every_byte(target: str, package: str, tmp_path: Path) -> None:
    """The engines that are installed give the bytes that their profile predicts, and a time."""
    pytest.importorskip(package, reason=f"{package} is not installed")
    entries = deploy(tmp_path, target)
    assert [entry["engine"] for entry in entries] == [engine for name, engine in ENGINES_OF if name == target]
    for entry in entries:
        if entry["engine"] != "tflm" or entry["reason"] is None:
            law_equal(entry)
            assert entry["measured"]["seconds"] > 0


@pytest.mark.peer
def test_deploy_targets_verilog_answers_every_byte(tmp_path: Path) -> None:
    """The memory image, simulated."""
    if shutil.which("iverilog") is None:
        pytest.skip("iverilog is not installed")
    (entry,) = deploy(tmp_path, "readmemh")
    law_equal(entry)


def test_deploy_targets_names_a_runtime_that_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the package, the artefact is written all the same, and the entry says what to install."""
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    (entry,) = deploy(tmp_path, "onnx")
    assert entry["equal"] is None and "pip install" in entry["reason"]
    assert (tmp_path / "deployed.onnx").stat().st_size == entry["bytes"]


def test_deploy_targets_names_a_format_that_cannot_hold_the_network(tmp_path: Path) -> None:
    """TFLite clamps to whole types: codes of 5 bits are told, for each of its runtimes, and nothing is written."""
    rng = np.random.default_rng(0)
    layers = [DenseLayer(rng.normal(size=(4, 4)), np.zeros(4), name) for name in ("clipped_relu", "identity")]
    x = rng.uniform(0, 1, (30, 4))
    net = quantize_uniform(FloatMLP(layers), x, 8, 5)
    entries = deploy_targets(tmp_path, net, x, ("tflite",), lambda text: None)
    assert [entry["engine"] for entry in entries] == ["litert", "tflm"]
    assert all(entry["reason"].startswith("not written: layer 0") and not entry["files"] for entry in entries)
    assert list(tmp_path.iterdir()) == []


@needs_gcc
def test_run_differing_target_is_said_and_exits_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A program that answers otherwise stands in the report, the notes, the page and the exit code."""
    real: Callable[..., dict[str, bytes]] = targets_module.encode_export  # type: ignore[attr-defined]

    def broken(model: Any, target: str, form: Any) -> dict[str, bytes]:
        # The first weight that is not 0 becomes another one.
        files = real(model, target, form)
        name = next(name for name in files if name.endswith(".c"))
        head, tail = files[name].split(b"= {\n", 1)
        return {**files, name: head + b"= {\n" + tail.replace(b"1", b"2", 1)}

    monkeypatch.setattr(targets_module, "encode_export", broken)
    options = ["--bits", "8", "--prune", "0", "--activation-bits", "8", "--targets", "c", "--out", str(tmp_path)]
    assert main(["run", *options]) == 1
    text = " ".join(capsys.readouterr().out.split())
    assert "c in cc answers otherwise than npquant says it must" in text


def test_report_without_targets_has_no_section(tmp_path: Path) -> None:
    """--targets none: an empty list, no page of exports, and no file."""
    report = run_workflow(out=str(tmp_path), bits=8, prune=0.0, targets=("none",))
    assert report["deployment"]["targets"] == [] == report["deployment"]["differing_targets"]
    assert "Exports" not in render_report(report)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "deployed.npz",
        "float.npz",
        "report.html",
        "report.json",
    ]


def test_timeless_keeps_the_targets_but_what_was_measured(tmp_path: Path) -> None:
    """Two runs agree on what was written and compared."""
    one, two = (deploy(tmp_path, "npz") for _ in range(2))
    reports = [{"steps": [], "deployment": {"targets": entries}} for entries in (one, two)]
    assert timeless(reports[0]) == timeless(reports[1])
    (entry,) = timeless(reports[0])["deployment"]["targets"]
    assert "measured" not in entry and entry["equal"] is True


def test_check_targets_knows_every_name() -> None:
    """None is all of them, none nothing, an unknown one an error; each has a runtime."""
    assert check_targets(None) == TARGETS
    assert check_targets(("none",)) == ()
    assert check_targets(("tflite", "c")) == ("c", "tflite")
    assert {target for target, _ in ENGINES_OF} == set(TARGETS)
    with pytest.raises(ValueError, match="rust"):
        check_targets(("rust",))


def test_differing_targets_names_only_those_that_differ() -> None:
    """What was not run does not differ."""
    entries = [{"target": "c", "engine": "cc", "equal": equal} for equal in (True, None, False)]
    assert differing_targets(entries) == ["c in cc"]
