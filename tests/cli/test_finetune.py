"""``npquant finetune``: the network it writes, zeros kept, its exit codes."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from npquant.cli import main
from npquant.compression.pruning.weights.gradual import prune_gradually
from npquant.data.sets import load_sets
from npquant.files.storage import save
from npquant.interop.reading import load, read_facts
from npquant.measure.evaluate import in_float64
from npquant.nn.finetuning import finetune
from npquant.nn.losses import kl_divergence
from npquant.nn.model import FloatMLP
from tests.cli.process import ENVIRONMENT

Shown = pytest.CaptureFixture[str]
SHORT = ["--epochs", "2", "--learning-rate", "0.002"]


def tuned(source: Path, out: Path, *options: str) -> FloatMLP:
    """Run the command and load what it wrote."""
    assert main(["finetune", str(source), *options, "--out", str(out)]) == 0
    return float_network(out)


def float_network(path: Path) -> FloatMLP:
    """Load a float network."""
    net = load(path)
    assert isinstance(net, FloatMLP)
    return net


@pytest.fixture(scope="module")
def sparse_file(float_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundled network with three weights of ten."""
    path = tmp_path_factory.mktemp("sparse") / "sparse.npz"
    assert main(["prune", str(float_file), "--weights", "--density", "0.3", "--rows", "300", "--out", str(path)]) == 0
    return path


def test_finetune_does_what_the_library_does(sparse_file: Path, float_file: Path, tmp_path: Path) -> None:
    """The file holds what `finetune` returns for the training rows, the teacher and the seed."""
    expected = finetune(
        float_network(sparse_file), *load_sets(None, 0).train, 2, teacher=float_network(float_file),
        teacher_share=0.5, temperature=1.0, learning_rate=0.002, rng=0,
    )  # fmt: skip
    options = ["--teacher", str(float_file), "--teacher-share", "0.5", "--temperature", "1"]
    tuned(sparse_file, tmp_path / "tuned.npz", *SHORT, *options)
    save(expected, tmp_path / "expected.npz", facts=read_facts(tmp_path / "tuned.npz"))
    assert (tmp_path / "tuned.npz").read_bytes() == (tmp_path / "expected.npz").read_bytes()
    tuned(sparse_file, tmp_path / "other.npz", *SHORT)
    assert (tmp_path / "other.npz").read_bytes() != (tmp_path / "expected.npz").read_bytes()


def test_finetune_keeps_zeros(sparse_file: Path, tmp_path: Path, capsys: Shown) -> None:
    """Every weight that is 0 stays 0, other weights move, and the record counts them."""
    before = float_network(sparse_file)
    capsys.readouterr()
    after = tuned(sparse_file, tmp_path / "tuned.npz", *SHORT, "--json")
    record = json.loads(capsys.readouterr().out)
    for one, two in zip(before.layers, after.layers, strict=True):
        assert not np.any(two.w[one.w == 0])
        assert np.any(one.w != two.w)
    counts = [record[name]["nonzero_weights"] for name in ("before", "after")]
    assert counts[0] == counts[1] == sum(np.count_nonzero(layer.w) for layer in before.layers)
    assert len(record["losses"]) == 2
    assert record["losses"][1] < record["losses"][0]


def test_finetune_again_gives_the_same_bytes(sparse_file: Path, tmp_path: Path) -> None:
    """The seed chooses the order of the rows."""
    for name in ("one", "two"):
        tuned(sparse_file, tmp_path / name, *SHORT, "--seed", "7")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_finetune_tables_say_what_the_record_says(sparse_file: Path, tmp_path: Path, capsys: Shown) -> None:
    """Losses, accuracies and the file stand in the text."""
    out = tmp_path / "tuned.npz"
    capsys.readouterr()
    tuned(sparse_file, out, *SHORT, "--json")
    record = json.loads(capsys.readouterr().out)
    tuned(sparse_file, out, *SHORT)
    text = capsys.readouterr().out
    assert f"{record['losses'][0]:.5g} in the first epoch, {record['losses'][-1]:.5g} in the last" in text
    assert f"{100 * record['after']['validation']['accuracy']:.2f}" in text
    assert f"-> {out.stat().st_size:,} bytes" in text
    assert f"  file      {out}\n" in text


def test_finetune_through_the_quantizer_gives_what_on_grid_reads(
    float_file: Path, tmp_path: Path, capsys: Shown
) -> None:
    """Weights come out on their grid: the integer network has the same zeros and, nearly, the same logits."""
    net = tuned(float_file, tmp_path / "tuned.npz", *SHORT, "--bits", "8,ternary,4", "--activation-bits", "6,8")
    for layer, most in zip(net.layers[1:], (3, 16), strict=True):
        assert all(len(np.unique(column)) <= most for column in layer.w.T)
    assert max(len(np.unique(column)) for column in net.layers[1].w.T) == 3
    options = ["--method", "on-grid", "--bits", "8,ternary,4", "--activation-bits", "6,8"]
    capsys.readouterr()
    assert main(["quantize", str(tmp_path / "tuned.npz"), *options, "--out", str(tmp_path / "net.npq"), "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["after"]["bits"] == [8, "ternary", 4]
    assert record["after"]["nonzero_weights"] == record["before"]["nonzero_weights"]
    assert min(layer["sqnr_db"] for layer in record["layers"]) > 20


def test_finetune_down_to_a_density(float_file: Path, tmp_path: Path) -> None:
    """--density prunes while it trains, as `prune_gradually` does; dead neurons leave the arrays."""
    options = ["--density", "0.1", "--teacher", str(float_file)]
    net = tuned(float_file, tmp_path / "tuned.npz", *SHORT, *options)
    model = float_network(float_file)
    expected = prune_gradually(
        model, *load_sets(None, 0).train, 0.1, 2, teacher=model, temperature=1.0, learning_rate=0.002, rng=0
    )
    save(expected, tmp_path / "expected.npz", facts=read_facts(tmp_path / "tuned.npz"))
    assert (tmp_path / "tuned.npz").read_bytes() == (tmp_path / "expected.npz").read_bytes()
    assert sum(int(np.count_nonzero(layer.w)) for layer in net.layers) <= 646
    assert sum(net.neurons) < sum(model.neurons)


def test_finetune_says_how_near_the_teacher_is(
    float_file: Path, sparse_file: Path, tmp_path: Path, capsys: Shown
) -> None:
    """Before and after: rows on which both answer alike, and KL from the teacher; nearer after three epochs."""
    options = ["--epochs", "3", "--teacher", str(float_file), "--temperature", "1", "--teacher-share", "1"]
    capsys.readouterr()
    net = tuned(sparse_file, tmp_path / "tuned.npz", *options, "--json")
    before, after = json.loads(capsys.readouterr().out)["teacher"]
    x, _ = load_sets(None, 0).validation
    said = float_network(float_file).predict(x)
    assert before["agreeing"] == int(np.sum(float_network(sparse_file).predict(x) == said))
    assert after["agreeing"] == int(np.sum(net.predict(x) == said))
    logits = [in_float64(model).logits(x) for model in (float_network(float_file), net)]
    assert after["kl"] == pytest.approx(kl_divergence(*logits), rel=1e-6)
    assert after["kl"] != pytest.approx(kl_divergence(*logits[::-1]), rel=1e-6), "the law sees the direction"
    assert after["kl"] < before["kl"]
    tuned(sparse_file, tmp_path / "tuned.npz", *options)
    assert f"KL {before['kl']:.5f} before, {after['kl']:.5f} after" in capsys.readouterr().out


def test_finetune_interrupted_leaves_no_file(sparse_file: Path, tmp_path: Path) -> None:
    """Ctrl-C: one line, exit 130, nothing left behind."""
    process = subprocess.Popen(
        [sys.executable, "-m", "npquant", "finetune", str(sparse_file), "--epochs", "100000", "--out", "tuned.npz"],
        cwd=tmp_path, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    time.sleep(2.5)
    process.send_signal(signal.SIGINT)
    try:
        shown, error = process.communicate(timeout=60)
    finally:
        process.kill()
    assert (process.returncode, shown) == (130, "")
    assert error == "npquant: error: interrupted; no file is half written\n"
    assert list(tmp_path.iterdir()) == []
