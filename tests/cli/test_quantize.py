"""``npquant quantize``: the file it writes, the figures it prints, its exit codes."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from npquant.cli import main
from npquant.cli.methods import METHODS
from npquant.compression.rounding import adaround, gpfq, gptq, nearest
from npquant.compression.rounding.keeping_zeros import quantize_keeping_zeros
from npquant.compression.rounding.method_names import AUTO_METHODS
from npquant.compression.rounding.quantize_model import quantize_model
from npquant.compression.rounding.rectified.network import quantize_rectified
from npquant.compression.rounding.uniform import quantize_uniform
from npquant.data.sets import load_sets
from npquant.files.storage import save
from npquant.integer.mlp import IntegerMLP
from npquant.interop.reading import load
from npquant.measure.evaluate import in_float64
from npquant.nn.model import DenseLayer, FloatMLP

Shown = pytest.CaptureFixture[str]


def quantized(float_file: Path, out: Path, *options: str, code: int = 0) -> IntegerMLP:
    """Run the command and load what it wrote."""
    assert main(["quantize", str(float_file), *options, "--out", str(out)]) == code
    net = load(out)
    assert isinstance(net, IntegerMLP)
    return net


def record_of(float_file: Path, out: Path, shown: Shown, *options: str) -> dict[str, Any]:
    """Run the command with --json and return what it printed."""
    shown.readouterr()
    quantized(float_file, out, *options, "--json")
    record: dict[str, Any] = json.loads(shown.readouterr().out)
    return record


def test_quantize_does_what_the_library_does(float_file: Path, tmp_path: Path) -> None:
    """Same split, rows and float64 weights as `run`: the file holds what the two functions return."""
    model = load(float_file)
    assert isinstance(model, FloatMLP)
    x = load_sets(None, 0).x_calibration
    expected = quantize_rectified(in_float64(model), x, (8, 4, 2), (8, 4))
    options = ["--bits", "8,4,2", "--activation-bits", "8,4"]
    assert quantized(float_file, tmp_path / "net.npz", *options) == expected
    expected = quantize_uniform(in_float64(model), x[:100], "ternary")
    options = ["--method", "uniform", "--bits", "ternary", "--rows", "100"]
    net = quantized(float_file, tmp_path / "net.npz", *options)
    assert net == expected
    assert net != quantize_uniform(in_float64(model), x[:20], "ternary"), "the law sees that rows are missing"


def test_quantize_to_16_bits_of_activations(float_file: Path, tmp_path: Path, capsys: Shown) -> None:
    """Inputs, hidden outputs and logits: what the library gives, stored, printed and described as 16 bits."""
    model = load(float_file)
    assert isinstance(model, FloatMLP)
    expected = quantize_rectified(in_float64(model), load_sets(None, 0).x_calibration, 4, 16)
    assert quantized(float_file, tmp_path / "net.npz", "--activation-bits", "16") == expected
    assert "activation bits 16" in capsys.readouterr().out
    assert main(["inspect", str(tmp_path / "net.npz")]) == 0
    assert "codes -32768..32767" in capsys.readouterr().out
    assert main(["quantize", str(float_file), "--activation-bits", "12", "--out", str(tmp_path / "no.npz")]) == 2
    assert "1..8, or 16" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("method", "function"),
    [
        ("nearest", nearest.quantize_nearest),
        ("gptq", gptq.quantize_gptq),
        ("gptq-resolved", gptq.quantize_gptq_resolved),
        ("gpfq", gpfq.quantize_gpfq),
        ("adaround", adaround.quantize_adaround),
    ],
)
def test_quantize_by_each_peer(
    method: str, function: Callable[..., IntegerMLP], float_file: Path, tmp_path: Path
) -> None:
    """Each name means the library's function of that name."""
    model = load(float_file)
    assert isinstance(model, FloatMLP)
    expected = function(in_float64(model), load_sets(None, 0).x_calibration[:100], 3, 8, 0)
    options = ["--method", method, "--bits", "3", "--rows", "100"]
    assert quantized(float_file, tmp_path / "net.npz", *options) == expected


def test_quantize_methods_differ(float_file: Path, tmp_path: Path) -> None:
    """No two names mean the same method."""
    # on_grid needs a network that was trained through the quantizer; auto is one of the others.
    methods = [method for method in METHODS if method not in ("on_grid", "auto")]
    for method in methods:
        quantized(float_file, tmp_path / method, "--method", method, "--bits", "3", "--rows", "100")
    assert len({(tmp_path / method).read_bytes() for method in methods}) == len(methods)


def test_quantize_auto_says_what_it_took(float_file: Path, tmp_path: Path, capsys: Shown) -> None:
    """The file holds the library's choice; the record and the text say which it was and why, and else nothing."""
    model = load(float_file)
    assert isinstance(model, FloatMLP)
    x = load_sets(None, 0).x_calibration[:100]
    out, options = tmp_path / "net.npz", ["--method", "auto", "--bits", "2", "--rows", "100"]
    record = record_of(float_file, out, capsys, *options)
    made = quantize_model(in_float64(model), x, 2, method="auto")
    assert load(out) == made.network
    assert made.choice is not None
    assert record["choice"]["taken"] == made.choice.taken
    assert tuple(record["choice"]["errors"]) == AUTO_METHODS
    quantized(float_file, out, *options)
    said = " ".join(capsys.readouterr().out.split())
    assert f"npquant quantize: auto took {made.choice.taken}, weight bits 2" in said
    assert f"the method by {made.choice.reason}" in said
    assert record_of(float_file, out, capsys, "--rows", "100")["choice"] is None


def test_quantize_polish_and_reorder(float_file: Path, tmp_path: Path, capsys: Shown) -> None:
    """--polish fits anew; --reorder leaves every output code, and gives another, no longer file here."""
    options = ["--bits", "2", "--rows", "512"]
    plain = quantized(float_file, tmp_path / "plain.npq", *options)
    polished = quantized(float_file, tmp_path / "polished.npq", *options, "--polish", "20")
    model = load(float_file)
    assert isinstance(model, FloatMLP)
    x = load_sets(None, 0).x_calibration[:512]
    assert polished == quantize_rectified(in_float64(model), x, 2, rng=0, polish_steps=20)
    assert polished != plain
    ordered = quantized(float_file, tmp_path / "ordered.npq", *options, "--reorder")
    rows = plain.encode(load_sets(None, 0).validation[0])
    assert np.array_equal(ordered.run(rows), plain.run(rows))
    assert ordered != plain
    assert (tmp_path / "ordered.npq").stat().st_size <= (tmp_path / "plain.npq").stat().st_size


@pytest.fixture(scope="module")
def sparse_file(float_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundled network with one weight of five."""
    path = tmp_path_factory.mktemp("sparse") / "sparse.npz"
    assert main(["prune", str(float_file), "--weights", "--density", "0.2", "--rows", "300", "--out", str(path)]) == 0
    return path


@pytest.mark.parametrize(
    ("method", "name"),
    [
        ("rectified", "rectified"), ("nearest", "nearest"), ("gptq", "gptq"), ("gptq-resolved", "gptq_resolved"),
        ("uniform", "uniform"), ("gpfq", "gpfq"),
    ],
)  # fmt: skip
def test_quantize_keep_zeros(method: str, name: str, sparse_file: Path, tmp_path: Path) -> None:
    """No code stands where a weight is 0, whatever the method, and each is the library's."""
    options = ["--method", method, "--rows", "100", "--keep-zeros"]
    net = quantized(sparse_file, tmp_path / "net.npq", *options)
    model = load(sparse_file)
    assert isinstance(model, FloatMLP)
    x = load_sets(None, 0).x_calibration[:100]
    assert net == quantize_keeping_zeros(in_float64(model), x, 4, method=name)
    assert not any(np.any(q.w_q[w.w == 0]) for q, w in zip(net.layers, model.layers, strict=True))


def test_quantize_says_how_many_zeros_came_back(sparse_file: Path, tmp_path: Path, capsys: Shown) -> None:
    """Without --keep-zeros, their number stands in the notes; with it, and for nearest rounding, there is none."""
    model = load(sparse_file)
    out = tmp_path / "net.npq"
    record = record_of(sparse_file, out, capsys, "--rows", "100")
    net = load(out)
    back = sum(int(np.sum(q.w_q[w.w == 0] != 0)) for q, w in zip(net.layers, model.layers, strict=True))  # type: ignore[attr-defined, misc]
    assert back > 0
    assert [note for note in record["notes"] if "--keep-zeros" in note] == [
        f"{back:,} weights that were 0 are 0 no longer; --keep-zeros keeps them."
    ]
    for options in (["--keep-zeros"], ["--method", "nearest"]):
        record = record_of(sparse_file, out, capsys, "--rows", "100", *options)
        assert not any("--keep-zeros" in note for note in record["notes"])


def test_quantize_again_gives_the_same_bytes(float_file: Path, tmp_path: Path) -> None:
    """Same seed, same file; another seed calibrates on other rows."""
    options = ["--bits", "3", "--rows", "50"]
    for name, seed in (("one", "0"), ("two", "0"), ("other", "1")):
        quantized(float_file, tmp_path / name, *options, "--seed", seed)
    contents = [(tmp_path / name).read_bytes() for name in ("one", "two", "other")]
    assert contents[0] == contents[1] != contents[2]


def test_quantize_record_holds_what_the_files_are(float_file: Path, tmp_path: Path, capsys: Shown) -> None:
    """Sizes are those on the disk, accuracies those of the loaded networks on the validation rows."""
    out = tmp_path / "net.npz"
    record = record_of(float_file, out, capsys, "--bits", "2")
    x, y = load_sets(None, 0).validation
    answers = {}
    for name, path in (("before", float_file), ("after", out)):
        entry, net = record[name], load(path)
        answers[name] = net.predict(x)
        assert entry["bytes"] == path.stat().st_size
        assert entry["macs"] == net.macs == 6464
        assert entry["validation"] == {
            "accuracy": pytest.approx(np.mean(answers[name] == y), rel=1e-8),
            "correct": int(np.sum(answers[name] == y)),
            "rows": 270,
        }
    assert record["comparison"]["agreeing"] == int(np.sum(answers["before"] == answers["after"]))
    assert record["after"]["bits"] == [2, 2, 2]
    assert [layer["shape"] for layer in record["layers"]] == [[64, 64], [64, 32], [32, 10]]


@pytest.mark.parametrize("bits", ["ternary", "2", "5"])
def test_quantize_rectified_shows_errors_within_their_bounds(
    bits: str, float_file: Path, tmp_path: Path, capsys: Shown
) -> None:
    """E13: the observed error is at most its bound, and at most that of rounding to nearest."""
    record = record_of(float_file, tmp_path / "net.npz", capsys, "--bits", bits, "--rows", "300")
    for layer in record["layers"]:
        error = layer["rounding_error"]
        assert 0 <= error["real_weights"] <= error["rectified"] <= min(error["bound"], error["nearest"])
        assert error["rectified"] > 0
        assert error["share_of_bound"] == pytest.approx(error["rectified"] / error["bound"], rel=1e-6)


def test_quantize_tables_say_what_the_record_says(float_file: Path, tmp_path: Path, capsys: Shown) -> None:
    """The figures of --json stand in the text, answer first, which keeps to 96 columns."""
    out = tmp_path / "net.npz"
    record = record_of(float_file, out, capsys, "--bits", "3")
    quantized(float_file, out, "--bits", "3")
    text = capsys.readouterr().out
    after, found = record["after"], record["comparison"]
    assert max(map(len, text.splitlines())) <= max(96, len(f"  file      {out}"))
    assert text.startswith("  accuracy  ")
    assert f"-> {after['bytes']:,} bytes" in text
    assert f"  file      {out}\n" in text
    assert f"{100 * after['validation']['accuracy']:.2f}" in text
    assert f"same class for {found['agreeing']} of 270 rows" in text
    assert f"KL {found['kl']:.5f} nats" in text
    for layer in record["layers"]:
        assert f"{layer['rounding_error']['bound']:.4g}" in text
        assert f"{layer['sqnr_db']:.1f}" in text


def test_quantize_missed_budget_exits_1(float_file: Path, tmp_path: Path, capsys: Shown) -> None:
    """The file is written all the same; the verdict counts rows."""
    options = ["--method", "uniform", "--bits", "ternary", "--max-drop"]
    quantized(float_file, tmp_path / "net.npz", *options, "0.5", code=1)
    missed = " ".join(capsys.readouterr().out.split())
    assert "Budget MISSED: " in missed
    assert "and the paired test shows a larger drop; 95 % interval " in missed
    quantized(float_file, tmp_path / "net.npz", *options, "100")
    assert "Budget met" in capsys.readouterr().out


def test_quantize_budget_counts_whole_rows(float_file: Path, tmp_path: Path, capsys: Shown) -> None:
    """As many rows as are lost are within the budget, one row fewer is not."""
    options = ["--method", "uniform", "--bits", "ternary", "--rows", "100"]
    lost = record_of(float_file, tmp_path / "net.npz", capsys, *options)["budget"]["lost_rows"]
    assert lost > 5
    for allowed, code in ((lost, 0), (lost - 1, 1)):
        limit = f"{(allowed + 0.01) * 100 / 270:.4f}"
        quantized(float_file, tmp_path / "net.npz", *options, "--max-drop", limit, "--json", code=code)
        budget = json.loads(capsys.readouterr().out)["budget"]
        assert (budget["allowed_rows"], budget["lost_rows"], budget["met"]) == (allowed, lost, code == 0)
        # A limit of as many points as are lost lies inside the interval of these rows, whatever is decided.
        evidence = budget["evidence"]
        assert (evidence["b"] - evidence["c"], evidence["rows"], evidence["limit_lies"]) == (lost, 270, "inside")
        assert "so these rows cannot tell" in evidence["reason"]


def test_quantize_own_data_with_a_network_of_that_shape(tmp_path: Path, capsys: Shown) -> None:
    """A CSV of one's own goes through run, then quantize on the same split."""
    rng = np.random.default_rng(0)
    lines = [f"{label + rng.normal(0, 0.1):.4f},{rng.normal():.4f},c{label}" for label in (0, 1, 2) for _ in range(40)]
    data = tmp_path / "own.csv"
    data.write_text("a,b,label\n" + "\n".join(lines) + "\n")
    out = str(tmp_path / "run")
    assert main(["run", "--data", str(data), "--hidden", "6", "--epochs", "40", "--bits", "8", "--prune", "0",
                 "--max-drop", "100", "--targets", "none", "--out", out]) == 0  # fmt: skip
    capsys.readouterr()
    float_file = tmp_path / "run" / "float.npz"
    record = record_of(float_file, tmp_path / "net.npz", capsys, "--data", str(data), "--bits", "8")
    report = json.loads((tmp_path / "run" / "report.json").read_bytes())
    assert record["data"]["split_sha256"] == report["data"]["split_sha256"]
    assert record["before"]["validation"] == report["models"][0]["validation"]
    assert any("Split by seed 0" in note for note in record["notes"])


def test_inputs_are_chosen_by_name_and_said(float_file: Path, tmp_path: Path, capsys: Shown) -> None:
    """What --inputs asks for is done; whole numbers that go by feature are said so, pixels say nothing."""
    options = ["--method", "uniform", "--bits", "4", "--rows", "100"]
    kinds = {}
    for inputs in ("auto", "exact", "by_feature"):
        record = record_of(float_file, tmp_path / "net.npz", capsys, *options, "--inputs", inputs)
        kinds[inputs] = record["inputs"], any("a step for each feature" in note for note in record["notes"])
    assert kinds == {"auto": ("exact", False), "exact": ("exact", False), "by_feature": ("by_feature", True)}


def test_inspect_shows_the_ends_of_real_outputs(tmp_path: Path, capsys: Shown) -> None:
    """Offset and factors stand behind the codes, in the record and in the text."""
    x = np.linspace(-1, 1, 40)[:, np.newaxis]
    model = FloatMLP((DenseLayer(np.array([[1.0, 0.01]]), np.array([1000.0, 0.0]), "identity"),))
    save(quantize_uniform(model, x, output="identity"), tmp_path / "real.npq")
    assert main(["inspect", str(tmp_path / "real.npq"), "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    np.testing.assert_allclose([*record["output_offset"], *record["output_factor"]], [1000, 0, 1, 0.01], atol=1e-9)
    assert record["inputs_kind"] == "by_feature"
    assert main(["inspect", str(tmp_path / "real.npq")]) == 0
    assert "output   times 1/0.01, plus 1000/" in capsys.readouterr().out
