"""``npquant prune``: the network it writes, what it says was removed, its exit codes."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from npquant.cli import main
from npquant.compression.pruning.neurons.pruning import COMPENSATIONS, prune_neurons
from npquant.compression.pruning.neurons.ranking import CRITERIA
from npquant.compression.pruning.weights import one_shot as weight_pruning
from npquant.compression.pruning.weights.one_shot import prune_weights
from npquant.data.sets import load_sets
from npquant.interop.reading import load
from npquant.nn.model import FloatMLP

Shown = pytest.CaptureFixture[str]


def pruned(float_file: Path, out: Path, *options: str, code: int = 0) -> FloatMLP:
    """Run the command and load what it wrote."""
    assert main(["prune", str(float_file), *options, "--out", str(out)]) == code
    net = load(out)
    assert isinstance(net, FloatMLP)
    return net


def assert_same(one: FloatMLP, two: FloatMLP) -> None:
    """Compare two float networks bit for bit."""
    assert one.activation_names == two.activation_names
    for a, b in zip(one.parameters, two.parameters, strict=True):
        assert all(np.array_equal(left, right) and left.dtype == right.dtype for left, right in zip(a, b, strict=True))


def test_prune_does_what_the_library_does(float_file: Path, tmp_path: Path) -> None:
    """The file holds what `prune_neurons` returns for the same rows and seed, in the network's own dtype."""
    model = load(float_file)
    assert isinstance(model, FloatMLP)
    x = load_sets(None, 0).x_calibration[:300]
    options = ["--rate", "0.25,0.5", "--rows", "300", "--criterion"]
    net = pruned(float_file, tmp_path / "p.npz", *options, "in_l2", "--compensation", "fold")
    assert net.neurons == (48, 16, 10)
    assert_same(net, prune_neurons(model, x, (0.25, 0.5), "in_l2", "fold"))
    net = pruned(float_file, tmp_path / "p.npz", *options, "random")
    assert_same(net, prune_neurons(model, x, (0.25, 0.5), "random", rng=0))
    net = pruned(float_file, tmp_path / "p.npz", "--rate", "0.4", "--allocation", "global", "--rows", "300")
    assert_same(net, prune_neurons(model, x, 0.4, allocation="global"))


def test_prune_record_accounts_for_every_neuron(float_file: Path, tmp_path: Path, capsys: Shown) -> None:
    """Removed by cause and kept are disjoint and cover each hidden layer; the table has their counts."""
    out = tmp_path / "p.npz"
    net = pruned(float_file, out, "--rate", "0.5", "--json")
    record: dict[str, Any] = json.loads(capsys.readouterr().out)
    pruned(float_file, out, "--rate", "0.5", "--explain")
    text = capsys.readouterr().out
    for layer, neurons, left in zip(record["layers"], (64, 32), net.neurons, strict=False):
        removed = [neuron for cause in layer["removed"].values() for neuron in cause]
        assert sorted(removed + layer["kept"]) == list(range(neurons))
        assert sorted(map(int, layer["reasons"])) == sorted(removed)
        for cause, numbers in layer["removed"].items():
            assert all(layer["reasons"][str(neuron)].startswith(cause) for neuron in numbers)
        assert all(
            f"neuron {neuron}: {reason}" in " ".join(text.split()) for neuron, reason in layer["reasons"].items()
        )
        assert len(layer["kept"]) == left
        counts = [neurons, *(len(cause) for cause in layer["removed"].values()), left]
        assert counts in [[int(cell) for cell in line.split()[2:] if cell.isdigit()] for line in text.splitlines()]
    assert record["after"]["bytes"] == out.stat().st_size < record["before"]["bytes"]
    assert record["after"]["macs"] == net.macs
    assert max(map(len, text.splitlines())) <= max(96, len(f"  file      {out}"))


def test_prune_says_what_became_of_zeros(float_file: Path, tmp_path: Path, capsys: Shown) -> None:
    """Neurons that go from a sparse network leave its zeros, and that is said; a dense one is said nothing of."""
    sparse, out = tmp_path / "sparse.npz", tmp_path / "p.npz"
    before = pruned(float_file, sparse, "--weights", "--density", "0.4", "--rows", "300")
    capsys.readouterr()
    after = pruned(sparse, out, "--rate", "0.25", "--rows", "300", "--json")
    (note,) = (said for said in json.loads(capsys.readouterr().out)["notes"] if "were 0" in said)
    zeros = [sum(int((layer.w == 0).sum()) for layer in net.layers) for net in (before, after)]
    assert zeros[1] > 0.5 * after.macs
    assert f"{zeros[0]:,} of {before.macs:,} weights were 0, {zeros[1]:,} of {after.macs:,} are 0 now" in note
    pruned(float_file, out, "--rate", "0.25", "--rows", "300", "--json")
    assert not any("were 0" in said for said in json.loads(capsys.readouterr().out)["notes"])


def test_prune_again_gives_the_same_bytes(float_file: Path, tmp_path: Path) -> None:
    """Same seed, same file, also where neurons are drawn."""
    for name, seed in (("one", "3"), ("two", "3"), ("other", "4")):
        pruned(float_file, tmp_path / name, "--rate", "0.3", "--criterion", "random", "--seed", seed)
    contents = [(tmp_path / name).read_bytes() for name in ("one", "two", "other")]
    assert contents[0] == contents[1] != contents[2]


@pytest.mark.parametrize("rate", ["0", "0.001"])
def test_prune_nothing_is_an_error(rate: str, float_file: Path, tmp_path: Path, capsys: Shown) -> None:
    """A rate that removes no neuron exits 2, says why, and writes no file."""
    assert main(["prune", str(float_file), "--rate", rate, "--out", str(tmp_path / "p.npz")]) == 2
    assert "nothing was pruned" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_prune_missed_budget_exits_1(float_file: Path, tmp_path: Path, capsys: Shown) -> None:
    """The file is written all the same."""
    pruned(float_file, tmp_path / "p.npz", "--rate", "0.9", "--compensation", "bare", "--max-drop", "1", code=1)
    assert "Budget MISSED" in capsys.readouterr().out


def test_prune_help_names_every_criterion_and_compensation(capsys: Shown) -> None:
    """What the library knows stands in the help, which loads no NumPy to say so."""
    with pytest.raises(SystemExit):
        main(["prune", "--help"])
    text = capsys.readouterr().out
    own = (*weight_pruning.CRITERIA, *weight_pruning.COMPENSATIONS, *weight_pruning.ALLOCATIONS)  # type: ignore[attr-defined]
    assert [name for name in (*CRITERIA, *COMPENSATIONS, *own) if name not in text] == []


def test_prune_weights_does_what_the_library_does(float_file: Path, tmp_path: Path) -> None:
    """The file holds what `prune_weights` returns: a density, one a layer, a pattern."""
    model = load(float_file)
    assert isinstance(model, FloatMLP)
    x = load_sets(None, 0).x_calibration[:300]
    options = ["--weights", "--rows", "300"]
    net = pruned(float_file, tmp_path / "w.npz", *options, "--density", "0.5,0.4,0.9", "--criterion", "wanda")
    assert_same(net, prune_weights(model, x, [0.5, 0.4, 0.9], "wanda"))
    net = pruned(float_file, tmp_path / "w.npz", *options, "--density", "0.3", "--allocation", "global")
    assert_same(net, prune_weights(model, x, 0.3, allocation="global"))
    net = pruned(float_file, tmp_path / "w.npz", *options, "--pattern", "2:4", "--compensation", "bare")
    assert_same(net, prune_weights(model, x, (2, 4), compensation="bare"))
    assert np.count_nonzero(net.layers[1].w.reshape(16, 4, 32), axis=1).max() == 2


def test_prune_weights_record_accounts_for_every_weight(float_file: Path, tmp_path: Path, capsys: Shown) -> None:
    """Counts by layer are those of the two files; the refit leaves no more error than the mask alone."""
    net = pruned(float_file, tmp_path / "w.npz", "--weights", "--density", "0.4", "--rows", "300", "--json")
    record: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert record["options"]["criterion"] == "magnitude"
    before = load(float_file)
    for layer, old, new in zip(record["layers"], before.layers, net.layers, strict=True):
        assert layer["nonzero_before"] == np.count_nonzero(old.w)  # type: ignore[attr-defined]
        assert layer["nonzero"] == np.count_nonzero(new.w) == layer["nonzero_before"] - layer["removed"]
        assert layer["weights"] == new.w.size
        assert 0 < layer["error"] <= layer["error_bare"]
