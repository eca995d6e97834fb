"""Real targets from a file to deployed integers, by every command that takes data."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from npquant.cli import main
from npquant.files.storage import save
from npquant.nn.model import DenseLayer, FloatMLP
from npquant.report.document import load_schema

SHORT = ("--bits", "8", "--prune", "0", "--activation-bits", "8", "--hidden", "16", "--epochs", "40")


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Rows whose target is in millionths."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 4))
    y = 1e-6 * (np.tanh(x @ [1.0, -0.5, 0.3, 0.0]) + 0.2 * rng.normal(size=400))
    np.savez(tmp_path / "plant.npz", x=x, y=y)
    return tmp_path / "plant.npz"


def report_of(folder: Path) -> dict[str, Any]:
    """Read the report, and hold it to its schema."""
    report: dict[str, Any] = json.loads((folder / "report.json").read_bytes())
    Draft202012Validator(load_schema()).validate(report)
    return report


def test_run_takes_real_targets(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Trained by squared error, judged by RMSE and R2 in the unit of the target, exported and run."""
    out = table.parent / "out"
    assert main(["run", "--data", str(table), "--out", str(out), "--targets", "npz,c,onnx", *SHORT]) == 0
    printed, report = capsys.readouterr().out, report_of(out)
    assert report["data"]["kind"] == "real" and report["data"]["classes"] == 0
    deployed = report["models"][-1]
    assert 0 < deployed["test"]["rmse"][0] < 1e-6 and deployed["test"]["r2"][0] > 0.5
    assert report["budget"]["met"] and report["budget"]["max_drop"] is None
    assert {entry["target"] for entry in report["deployment"]["targets"]} >= {"npz", "c"}
    for entry in report["deployment"]["targets"]:
        if entry["reason"] is None:
            assert entry["equal"] and entry["agreement"] is None
            assert entry["largest_difference"] <= 1e-7
    assert "1 real target" in printed and "RMSE" in printed and "accuracy" not in printed
    assert max(map(len, printed.splitlines())) <= 96


def test_run_says_what_cannot_be_met(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 1, the requirement, the nearest point, in the unit of the target."""
    out = table.parent / "out"
    asked = ("--max-bytes", "300", "--max-rmse-rise", "1e-8", "--targets", "none")
    assert main(["run", "--data", str(table), "--out", str(out), *asked, *SHORT]) == 1
    printed, report = capsys.readouterr().out, report_of(out)
    assert "max_bytes" in report["budget"]["failing"] and report["budget"]["nearest"]["rmse_rise"]
    assert "Budget MISSED" in printed and "  nearest   " in printed


def test_run_says_where_a_network_knows_nothing(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A network that is worse than the mean of the targets is a note: the budget is on what is lost."""
    w, b = np.ones((4, 1), np.float32), np.full(1, 5, np.float32)
    save(FloatMLP((DenseLayer(w, b, "identity"),)), table.parent / "strange.npz")
    out = table.parent / "o"
    arguments = ("--model", str(table.parent / "strange.npz"), "--bits", "8", "--targets", "none", "--out", str(out))
    main(["run", "--data", str(table), *arguments])
    assert "no better than the mean of the targets (R2 -" in " ".join(capsys.readouterr().out.split())
    assert report_of(out)["models"][0]["validation"]["r2"][0] < 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("run", "--max-drop", "1"), "--max-rmse-rise 5%"),
        (("run", "--max-rmse-rise", "five"), "as in 5%"),
        (("run", "--max-drop", "1", "--max-rmse-rise", "5%"), "drop one"),
    ],
)
def test_run_refuses_a_budget_of_the_other_kind(
    table: Path, arguments: tuple[str, ...], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anything is trained or written."""
    out = table.parent / "out"
    assert main([*arguments, "--data", str(table), "--out", str(out)]) == 2
    assert words in capsys.readouterr().err
    assert not (out / "float.npz").exists()


def test_run_refuses_a_rise_for_classes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The bundled digits have classes."""
    assert main(["run", "--max-rmse-rise", "5%", "--out", str(tmp_path / "o")]) == 2
    assert "--max-drop 1" in capsys.readouterr().err


def test_chain_of_commands_on_real_targets(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Prune, fine-tune with a teacher, quantize: errors before and after, and a limit that is held or missed."""
    folder, data = table.parent, ("--data", str(table))
    run = ["run", *data, "--out", str(folder / "o"), "--targets", "none", *SHORT]
    assert main(run) == 0
    names = {name: str(folder / f"{name}.npz") for name in ("pruned", "sparse", "tuned", "integer", "missed")}
    start = str(folder / "o" / "float.npz")
    capsys.readouterr()
    assert main(["prune", start, "--rate", "0.25", *data, "--out", names["pruned"]]) == 0
    assert main(["prune", start, "--weights", "--density", "0.5", *data, "--out", names["sparse"]]) == 0
    tune = ["finetune", names["pruned"], "--teacher", start, "--epochs", "2", *data, "--out", names["tuned"]]
    assert main(tune) == 0
    printed = capsys.readouterr().out
    assert printed.count("R2") == 3 and "from the teacher" in printed and "accuracy" not in printed
    limit = ("--max-rmse-rise", "50%", "--json")
    assert main(["quantize", names["tuned"], "--bits", "8", *data, *limit, "--out", names["integer"]]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["budget"]["met"] and record["budget"]["evidence"]["within"]
    low = ["quantize", start, "--bits", "ternary", "--method", "nearest", "--max-rmse-rise", "0", *data]
    low += ["--out", names["missed"]]
    assert main(low) == 1
    assert "Budget MISSED" in capsys.readouterr().out
    assert main(["quantize", names["tuned"], *data, "--max-drop", "1", "--out", names["missed"]]) == 2
    assert "--max-rmse-rise" in capsys.readouterr().err


def test_commands_take_binary_networks_with_one_logit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One logit z and two classes: the two (0, z) in every command, and it is said."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 3)).astype(np.float32)
    w = np.array([[1.0, -1.0], [0.5, -0.5], [0.0, 0.0]], np.float32)
    last = DenseLayer(np.array([[1.0], [-1.0]], np.float32), np.zeros(1, np.float32), "identity")
    save(FloatMLP((DenseLayer(w, np.zeros(2, np.float32), "relu"), last)), tmp_path / "z.npz")
    np.savez(tmp_path / "two.npz", x=x, y=(x[:, 0] + 0.5 * x[:, 1] > 0).astype(int))
    data, model, out = ("--data", str(tmp_path / "two.npz")), str(tmp_path / "z.npz"), str(tmp_path / "out.npz")
    commands = (
        ["run", "--model", model, "--bits", "8", "--prune", "0", "--targets", "npz", "--out", str(tmp_path / "o")],
        ["quantize", model, "--bits", "8", "--out", out],
        ["prune", model, "--weights", "--density", "0.5", "--out", out],
        ["finetune", model, "--epochs", "1", "--out", out],
    )
    for command in commands:
        assert main([*command, *data]) in (0, 1), command
        assert "the one logit z became the two (0, z)" in " ".join(capsys.readouterr().out.split())


def test_commands_refuse_a_network_of_other_outputs(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The bundled classifier has ten outputs, the table one target."""
    from importlib import resources

    path = str(resources.files("npquant.data") / "bundled" / "digits_float.npz")
    assert main(["quantize", path, "--data", str(table), "--out", str(table.parent / "q.npz")]) == 2
    assert "gives 10 outputs, but the data has 4 features and 1 real target a row" in capsys.readouterr().err


def test_run_takes_targets_far_from_0_and_of_several_sizes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """1000 +- 1 beside millionths: both outputs keep what the float network knows, with decibels of what varies."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(500, 4))
    heat = 1000 + np.tanh(x @ [1.0, -0.5, 0.3, 0.0]) + 0.2 * rng.normal(size=500)
    drift = 1e-6 * (np.sin(x[:, 3]) + 0.2 * rng.normal(size=500))
    np.savez(tmp_path / "both.npz", x=x, y=np.stack([heat, drift], axis=1))
    out = tmp_path / "o"
    arguments = ["--data", str(tmp_path / "both.npz"), "--out", str(out), "--targets", "npz,c", *SHORT[:-1], "300"]
    assert main(["run", *arguments]) == 0
    assert "2 real targets" in capsys.readouterr().out
    report = report_of(out)
    floating, deployed = report["models"][0]["test"], report["models"][-1]["test"]
    # 5 % of RMSE were asked: R2 = 1 - MSE / variance falls by 1.05 squared of what was left, on rows that chose.
    for before, after in zip(floating["r2"], deployed["r2"], strict=True):
        assert before > 0.5 and 1 - after <= 1.05**2 * (1 - before) + 0.01
    for entry in report["comparisons"]:
        if "sqnr_db" in entry and entry["sqnr_db"][-1] is not None:
            assert entry["sqnr_db"][-1] < 60, "the origin of a target stands in the decibels"
