"""``npquant run``, as a user runs it: exit codes, files, messages."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from npquant.cli import main
from npquant.files.storage import save
from npquant.integer.mlp import IntegerMLP
from npquant.interop.reading import load
from npquant.report.document import load_schema, timeless
from npquant.workflow.target_names import ENGINES_OF
from tests.cli.process import ENVIRONMENT, but_progress, run_command

# With --bits and --prune, nothing is left to search; other people's runtimes have tests of their own.
FIXED = ("--activation-bits", "8", "--targets", "none")
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@pytest.fixture(scope="module")
def bundled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """Run once without options, with one BLAS thread."""
    folder = tmp_path_factory.mktemp("bundled")
    return folder, run_command(["run"], folder, OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")


def report_of(folder: Path) -> dict[str, Any]:
    """Read report.json and hold it to its schema."""
    report: dict[str, Any] = json.loads((folder / "report.json").read_bytes())
    Draft202012Validator(load_schema()).validate(report)
    return report


def test_run_without_options_meets_its_budget(bundled: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    """Exit 0, four files and the exports, no others, a table on stdout, nothing on stderr."""
    folder, done = bundled
    assert (done.returncode, but_progress(done.stderr)) == (0, "")
    exports = {
        file["name"].split("/")[0]
        for target in report_of(folder / "npquant-out")["deployment"]["targets"]
        for file in target["files"]
    }
    # Its activations have 5 bits: TFLite clamps to whole types, and says so.
    assert exports >= {"deployed.onnx", "deployed_c", "deployed_readmemh", "deployed_arrays.npz"}
    assert set(os.listdir(folder / "npquant-out")) == {
        "deployed.npz",
        "float.npz",
        "report.json",
        "report.html",
        *exports,
    }
    answer = done.stdout.splitlines()[:4]
    assert answer[0] == "Budget met. Points lost: 0.74 on validation, 0.74 on test rows; 1 asked."
    assert answer[1] == "  accuracy  98.51 -> 97.77 % on test rows, 98.15 -> 97.41 % on validation rows"
    float_bytes, deployed_bytes = (report_of(folder / "npquant-out")["models"][index]["bytes"] for index in (0, -1))
    assert answer[2].startswith(f"  size      {float_bytes:,} -> {deployed_bytes:,} bytes (")
    assert answer[2].endswith("6,464 -> 2,132 MACs (3.0x less)")
    assert answer[3].startswith("  files     report.html to look at, deployed.npz, ")
    said = " ".join(done.stdout.split())
    for rows, ends in (("validation", "-0.51 to 1.98"), ("test", "-0.51 to 1.99")):
        assert f" {rows} 0.74 points lost" in said
        assert f"95 % interval {ends}: the limit of 1 lies inside it, so these rows cannot tell." in said
    assert max(map(len, done.stdout.splitlines())) <= 96


def test_run_with_activations_of_16_bits(tmp_path: Path) -> None:
    """Fixed, not searched: the report and the page say 16, C gives npquant's bytes, ONNX says why it has none."""
    asked = ["run", "--activation-bits", "16", "--bits", "4", "--prune", "0.25", "--targets", "c,onnx,npz"]
    done = run_command(asked, tmp_path, OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
    report = report_of(tmp_path / "npquant-out")
    assert done.returncode == 0 and report["budget"]["thresholds"]["activation_bits"] == [16, 16]
    assert "inputs, logits and hidden outputs of 16 bits" in " ".join(done.stdout.split())
    targets = {entry["target"]: entry for entry in report["deployment"]["targets"]}
    assert targets["npz"]["equal"] is True
    assert targets["c"]["equal"] is True or "compiler" in targets["c"]["reason"]
    assert "int16 codes" in targets["onnx"]["reason"]


def test_run_names_every_target_and_every_answer_is_due(
    bundled: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    """Each target stands in the report with its runtime: equal in every answer, or with the reason it was not run."""
    targets = report_of(bundled[0] / "npquant-out")["deployment"]["targets"]
    assert [(entry["target"], entry["engine"]) for entry in targets] == list(ENGINES_OF)
    assert all(entry["equal"] is True or entry["reason"] for entry in targets)
    assert any("NumPy's" in note for note in report_of(bundled[0] / "npquant-out")["notes"])
    for entry in targets:
        assert f"{entry['target']} in {entry['engine']}" in bundled[1].stdout


def test_run_report_obeys_its_schema(bundled: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    """The report is valid, and its figures fit together."""
    report = report_of(bundled[0] / "npquant-out")
    models = {model["name"]: model for model in report["models"]}
    assert list(models) == ["float", "uniform", "rectified", "pruned", "deployed"]
    assert [step["number"] for step in report["steps"]] == [*range(1, 9)]
    assert models["pruned"] == {**models["deployed"], "name": "pruned"}
    for name in ("float", "deployed"):
        assert models[name]["bytes"] == (bundled[0] / "npquant-out" / f"{name}.npz").stat().st_size
    assert models["deployed"]["bits"] == report["budget"]["thresholds"]["bits"]
    for trial in report["budget"]["frontier"]:
        assert trial["drop_points"] == pytest.approx(100 * (trial["b"] - trial["c"]) / 270, rel=1e-8)
    assert report["data"]["rows"] == {"total": 1797, "train": 1258, "validation": 270, "test": 269, "calibration": 1258}
    for evidence, name, split in (
        (report["budget"]["drop"], "validation", 270),
        (report["budget"]["test"], "test", 269),
    ):
        lost = models["float"][name]["correct"] - models["deployed"][name]["correct"]
        assert (evidence["b"] - evidence["c"], evidence["rows"]) == (lost, split)
        assert evidence["low"] < 1 < evidence["high"] and evidence["limit_lies"] == "inside"
    assert any("writers" in note for note in report["notes"])
    assert any("0.37 points" in note for note in report["notes"])


def test_run_files_compute_what_the_report_says(bundled: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    """The deployed file, loaded by a stranger, has the accuracy of the report on the validation rows."""
    from npquant.data.sets import load_sets

    folder = bundled[0] / "npquant-out"
    x, y = load_sets(None, 0).validation
    for model in report_of(folder)["models"]:
        if model["name"] in ("float", "deployed"):
            net = load(folder / f"{model['name']}.npz")
            assert int(np.sum(net.predict(x) == y)) == model["validation"]["correct"]


@pytest.mark.slow
def test_run_again_gives_the_same_report(
    bundled: tuple[Path, subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    """A second search differs in nothing but the clock."""
    run_command(["run"], tmp_path, **dict.fromkeys(THREADS, "1"))
    assert_same_run(bundled[0], tmp_path)


@pytest.mark.slow
def test_run_with_other_threads_gives_the_same_report(
    bundled: tuple[Path, subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    """Two BLAS threads change nothing (slow: on busy cores two threads wait for each other)."""
    run_command(["run"], tmp_path, **dict.fromkeys(THREADS, "2"))
    assert_same_run(bundled[0], tmp_path)


def test_run_with_other_threads_gives_the_same_codes(tmp_path: Path) -> None:
    """The same for fixed thresholds, where a run is short: one thread and two; --json prints the file."""
    for threads in ("1", "2"):
        (tmp_path / threads).mkdir()
        options = ["run", *FIXED, "--bits", "3", "--prune", "0.3", "--max-drop", "5", "--json"]
        done = run_command(options, tmp_path / threads, **dict.fromkeys(THREADS, threads))
        assert done.returncode == 0
        assert done.stdout.encode() == (tmp_path / threads / "npquant-out" / "report.json").read_bytes()
    assert_same_run(tmp_path / "1", tmp_path / "2")


def assert_same_run(one: Path, two: Path) -> None:
    """Compare two folders that a run was started in, but for what the clock and the machine say."""
    assert timeless(report_of(one / "npquant-out")) == timeless(report_of(two / "npquant-out"))
    for name in ("float.npz", "deployed.npz"):
        assert (one / "npquant-out" / name).read_bytes() == (two / "npquant-out" / name).read_bytes()


def test_run_budget_missed_exits_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A limit that cannot be met is reported with the nearest point; the files are written all the same."""
    data = str(write_csv(tmp_path / "own.csv"))
    options = [
        "--data",
        data,
        "--hidden",
        "8",
        "--epochs",
        "40",
        "--max-bytes",
        "100",
        "--max-drop",
        "5",
        "--targets",
        "none",
    ]
    assert main(["run", "--out", str(tmp_path / "out"), *options]) == 1
    shown = capsys.readouterr().out
    assert "Budget MISSED: the size of deployed.npz" in shown
    assert "  nearest   " in shown
    budget = report_of(tmp_path / "out")["budget"]
    assert (budget["met"], budget["failing"][0]) == (False, "max_bytes")
    assert budget["nearest"]["bytes"] == min(trial["bytes"] for trial in budget["frontier"]) > 100
    assert (tmp_path / "out" / "deployed.npz").exists()


def test_run_limits_are_met_with_accuracy_to_spare(tmp_path: Path) -> None:
    """With --max-bytes and --max-macs the deployed file and network obey them."""
    assert (
        main(["run", "--out", str(tmp_path), "--max-bytes", "6000", "--max-macs", "6000", "--bits", "4", *FIXED]) == 0
    )
    deployed = report_of(tmp_path)["models"][-1]
    assert deployed["bytes"] <= 6000
    assert deployed["macs"] <= 6000
    assert (tmp_path / "deployed.npz").stat().st_size <= 6000


def test_run_stopped_by_its_time_limit_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The shortest limit leaves 8 bits, unpruned; report, verdict and notes say that more may be found."""
    out = tmp_path / "out"
    code = main(["run", "--out", str(out), "--targets", "none", "--time-limit", "0.001s"])
    report, text = report_of(out), " ".join(capsys.readouterr().out.split())
    budget = report["budget"]
    assert (code, budget["met"], budget["thresholds"]["bits"]) == (0, True, [8, 8, 8])
    assert (report["config"]["time_limit"], budget["stopped"]["limit"], budget["stopped"]["tried"]) == (0.001, 0.001, 1)
    assert budget["verdict"][-1] == budget["stopped"]["reason"]
    assert report["notes"][0].lower().startswith(budget["stopped"]["reason"])
    assert "with 1 of about 78 candidates tried; more may be found" in text


@pytest.mark.parametrize("limit", ["0", "0s", "-1"])
def test_run_time_limit_that_is_none_is_one_line(
    limit: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A limit of no time is bad input, named with its fix, before anything is written."""
    assert main(["run", "--out", str(tmp_path / "out"), f"--time-limit={limit}"]) == 2
    assert "give seconds above 0" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_run_fixed_thresholds_are_taken(tmp_path: Path) -> None:
    """--bits and --prune are not searched, whatever they cost."""
    assert main(["run", "--out", str(tmp_path), "--bits", "4", "--prune", "0.5", "--max-drop", "100", *FIXED]) == 0
    report = report_of(tmp_path)
    assert report["budget"]["thresholds"] == {
        "bits": [4, 4, 4], "rates": [0.5, 0.5], "activation_bits": [8, 8]
    }  # fmt: skip
    assert report["models"][-1]["neurons"] == [32, 16, 10]
    assert [trial["phase"] for trial in report["budget"]["frontier"]] == ["start", "confirmed"]
    assert sum(report["pruning"]["removed"][0].values()) == 32


def test_run_ternary_weights_and_narrow_activations_are_taken(tmp_path: Path) -> None:
    """--bits ternary and --activation-bits are not searched either; the deployed file has them."""
    options = ["--bits", "ternary", "--activation-bits", "5", "--prune", "0", "--max-drop", "100", "--targets", "none"]
    assert main(["run", "--out", str(tmp_path), *options]) == 0
    assert report_of(tmp_path)["budget"]["thresholds"]["bits"] == ["ternary"] * 3
    net = load(tmp_path / "deployed.npz")
    assert isinstance(net, IntegerMLP)
    assert all(set(np.unique(layer.w_q)) == {-1, 0, 1} for layer in net.layers)
    assert [layer.y.qmax - layer.y.qmin for layer in net.layers] == [31, 31, 255]


@pytest.mark.parametrize(("limit", "code"), [("10", 0), ("60", 1)])
def test_run_fidelity_is_required(limit: str, code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--min-sqnr is met or missed by the logits of the deployed file on the validation rows."""
    options = ["--bits", "4", "--prune", "0", *FIXED, "--max-drop", "100", "--min-sqnr", limit]
    assert main(["run", "--out", str(tmp_path), *options]) == code
    budget = report_of(tmp_path)["budget"]
    assert (budget["met"], budget["failing"]) == (code == 0, [] if code == 0 else ["min_sqnr"])
    assert ("Budget met" in capsys.readouterr().out) == (code == 0)


def test_run_nothing_pruned_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A rate of 0 is reported, in the table and in the report."""
    assert main(["run", "--out", str(tmp_path), "--bits", "8", "--prune", "0", *FIXED]) == 0
    assert "Nothing was pruned" in capsys.readouterr().out
    assert report_of(tmp_path)["pruning"]["nothing_pruned"]


def write_csv(path: Path, *, bad: str = "") -> Path:
    """Write three classes that one feature tells apart."""
    rng = np.random.default_rng(0)
    lines = [f"{label + rng.normal(0, 0.1):.4f},{rng.normal():.4f},c{label}" for label in (0, 1, 2) for _ in range(40)]
    path.write_text("a,b,label\n" + "\n".join(lines) + "\n" + bad)
    return path


def test_run_own_csv_trains_and_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Data without a model trains one; the result can be given back with --model, at the same accuracy."""
    data = str(write_csv(tmp_path / "own.csv"))
    options = ["run", "--data", data, "--max-drop", "10", "--bits", "4", *FIXED, "--out"]
    assert main([*options, str(tmp_path / "one"), "--hidden", "8"]) == 0
    assert main([*options, str(tmp_path / "two"), "--model", str(tmp_path / "one" / "float.npz")]) == 0
    capsys.readouterr()
    one, two = report_of(tmp_path / "one"), report_of(tmp_path / "two")
    assert (one["model"]["source"], two["model"]["source"]) == ("trained", "file")
    assert one["models"] == two["models"]
    assert one["models"][0]["test"]["accuracy"] > 0.9


def test_run_another_seed_does_not_judge_the_checkpoint_on_its_training_rows(tmp_path: Path) -> None:
    """Another split means another network, and a note."""
    options = ["--seed", "1", "--epochs", "3", "--max-drop", "100", "--bits", "8", "--prune", "0", *FIXED]
    assert main(["run", *options, "--out", str(tmp_path / "explicit")]) == 0
    report = report_of(tmp_path / "explicit")
    assert report["model"]["source"] == "trained"


def bad_inputs(folder: Path) -> dict[str, tuple[list[str], str]]:
    """Name mistakes, the arguments that make them, and a part of the message that each must give."""
    (folder / "damaged.npz").write_bytes(b"PK\x03\x04" + bytes(50))
    (folder / "taken").write_text("")
    (folder / "empty.csv").write_text("")
    nan = write_csv(folder / "nan.csv", bad="nan,1.0,c0\n")
    return {
        "missing data": (["--data", "nowhere.csv"], "nowhere.csv"),
        "NaN": (["--data", str(nan)], "nan"),
        "empty": (["--data", str(folder / "empty.csv")], "empty.csv"),
        "rate": (["--prune", "1.5"], "pruning rate is 1.5"),
        "bits": (["--bits", "12"], "bit width is 12"),
        "damaged model": (["--model", str(folder / "damaged.npz")], "damaged.npz"),
        "missing model": (["--model", "nowhere.npz"], "nowhere.npz"),
        "exclusive": (["--model", "a.npz", "--train"], "drop one"),
        "unwritable": (["--out", str(folder / "taken")], "--out"),
        "activation": (["--train", "--activation", "softplus"], "softplus"),
        "seed": (["--seed", "-3"], "seed"),
        "bits by layer": (["--bits", "8,4,4"], "bit width is (8, 4, 4)"),
        "activation bits": (["--activation-bits", "1"], "activation bits are 1"),
        "fidelity": (["--min-sqnr", "0"], "min_sqnr is 0"),
    }


@pytest.mark.parametrize("mistake", [
    "missing data", "NaN", "empty", "rate", "bits", "damaged model", "missing model", "exclusive", "unwritable",
    "activation", "seed", "bits by layer", "activation bits", "fidelity",
])  # fmt: skip
def test_run_bad_input_is_one_line(mistake: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 2, one line that names the thing, no files."""
    arguments, message = bad_inputs(tmp_path)[mistake]
    out = [] if "--out" in arguments else ["--out", str(tmp_path / "out")]
    assert main(["run", *arguments, *out]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("npquant: error: ")
    assert shown.err.count("\n") == 1
    assert message.lower() in shown.err.lower()
    assert not (tmp_path / "out").exists() or list((tmp_path / "out").iterdir()) == []


def test_run_integer_model_is_refused(
    bundled: tuple[Path, subprocess.CompletedProcess[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A deployed file is no float network, and the message says which one is."""
    deployed = str(bundled[0] / "npquant-out" / "deployed.npz")
    assert main(["run", "--model", deployed, "--out", str(tmp_path)]) == 2
    assert "integer network" in capsys.readouterr().err


def test_run_model_of_another_shape_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A network for other features names both numbers."""
    from npquant.nn.model import DenseLayer, FloatMLP

    save(FloatMLP((DenseLayer(np.ones((3, 2)), np.zeros(2), "identity"),)), tmp_path / "small.npz")
    assert main(["run", "--model", str(tmp_path / "small.npz"), "--out", str(tmp_path)]) == 2
    assert "3 inputs" in capsys.readouterr().err


@pytest.mark.parametrize("error", [MemoryError(), OSError(28, "No space left on device", "deployed.npz")])
def test_run_exhausted_machine_is_one_line(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A full disk or memory exits 2 with one line, and leaves no temporary file."""

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("npquant.workflow.deployed.write_files", fail)
    assert main(["run", "--bits", "8", "--prune", "0", *FIXED, "--out", str(tmp_path)]) == 2
    shown = but_progress(capsys.readouterr().err)
    assert shown.count("\n") == 1
    assert "memory" in shown or "deployed.npz: No space left" in shown
    assert list(tmp_path.iterdir()) == []


def test_run_mistakes_of_its_own_keep_their_traceback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception that bad input cannot cause is not dressed up as bad input."""

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("npquant.workflow.deployed.write_files", fail)
    with pytest.raises(ZeroDivisionError):
        main(["run", "--bits", "8", "--prune", "0", *FIXED, "--out", str(tmp_path)])


def test_run_interrupted_exits_130_without_half_written_files(tmp_path: Path) -> None:
    """Ctrl-C: one line, exit 130, nothing left behind."""
    process = subprocess.Popen(
        [sys.executable, "-m", "npquant", "run", "--train", "--epochs", "100000", "--hidden", "400,400"],
        cwd=tmp_path, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    end = time.monotonic() + 60
    while not (tmp_path / "npquant-out").exists() and time.monotonic() < end:
        time.sleep(0.05)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    try:
        _, shown = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130
    assert "interrupted" in shown
    assert "Traceback" not in shown
    assert list((tmp_path / "npquant-out").iterdir()) == []
