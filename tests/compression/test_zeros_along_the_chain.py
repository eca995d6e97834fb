"""A weight that is 0 stays 0, or the step says how many it filled: every step behind pruning, in float and in codes."""

import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from npquant.cli import main
from npquant.cli.methods import METHODS
from npquant.compression.bias_step import coarsen_biases
from npquant.compression.neuron_order import reorder_neurons
from npquant.compression.pruning.weights.gradual import prune_gradually
from npquant.compression.pruning.weights.one_shot import prune_weights
from npquant.compression.rounding.dynamic import quantize_dynamic
from npquant.compression.rounding.keeping_zeros import quantize_keeping_zeros
from npquant.compression.rounding.on_grid import quantize_on_grid
from npquant.compression.rounding.straight_through import StraightThrough
from npquant.files.storage import save
from npquant.interop.reading import load
from npquant.measure.cost import Network, filled_zeros, nonzero_weights
from npquant.nn.finetuning import finetune
from npquant.nn.model import DenseLayer, FloatMLP

RNG = np.random.default_rng(11)
X = RNG.normal(size=(120, 6)).round(2).astype(np.float32)
GRID = StraightThrough(4)
Y = (X[:, 0] * X[:, 1] + X[:, 2] > 0).astype(np.int64)


def sparse() -> FloatMLP:
    """A network of which some three in ten of the weights are 0, no two neurons alike."""
    rng, layers = np.random.default_rng(3), []
    for k, n in pairwise((6, 10, 8, 2)):
        w = rng.normal(0, 0.7, (k, n)) * (rng.random((k, n)) < 0.7)
        layers.append(DenseLayer(w, rng.normal(0, 0.3, n), "identity" if n == 2 else "relu"))
    return FloatMLP(tuple(layers))


STEPS: dict[str, Callable[[FloatMLP], Network]] = {
    "prune_weights": lambda net: prune_weights(net, X, 0.4),
    "prune_weights by pattern": lambda net: prune_weights(net, X, (2, 4)),
    "prune_weights by obs": lambda net: prune_weights(net, X, 0.4, "obs"),
    "prune_gradually": lambda net: prune_gradually(net, X, Y, 0.65, 3, rng=0),
    "finetune": lambda net: finetune(net, X, Y, 2, rng=0),
    "finetune with decay and a teacher": lambda net: finetune(net, X, Y, 2, teacher=net, weight_decay=0.1, rng=0),
    "finetune through a grid": lambda net: finetune(net, X, Y, 2, quantizer=GRID, rng=0),
    "quantize_on_grid": lambda net: quantize_on_grid(finetune(net, X, Y, 2, quantizer=GRID, rng=0), X, GRID),
    "quantize_keeping_zeros": lambda net: quantize_keeping_zeros(net, X, 4),
    "quantize_dynamic": lambda net: quantize_dynamic(net, X, 4),
    "coarsen_biases": lambda net: coarsen_biases(quantize_keeping_zeros(net, X, 4), tolerance=0.5),
}


def law_zeros_stay(step: Callable[[FloatMLP], Network]) -> None:
    """No weight that is 0 before is another number after."""
    net = sparse()
    assert filled_zeros(net, step(net)) == 0


@pytest.mark.parametrize("step", STEPS)
def test_zeros_stay(step: str) -> None:
    """The law above, of every step that keeps shapes."""
    law_zeros_stay(STEPS[step])


def test_zeros_law_kills_a_step_that_fills() -> None:
    """One weight is enough."""
    with pytest.raises(AssertionError):
        law_zeros_stay(
            lambda net: FloatMLP((DenseLayer(net.layers[0].w + 1e-9, net.layers[0].b, "relu"), *net.layers[1:]))
        )


def test_reordering_moves_zeros_and_fills_none() -> None:
    """Neurons change places: each layer has as many zeros, and the codes are the same."""
    net = quantize_keeping_zeros(sparse(), X, 4)
    ordered = reorder_neurons(net)
    assert nonzero_weights(ordered) == nonzero_weights(net)
    assert np.array_equal(ordered.run(net.encode(X)), net.run(net.encode(X)))


@pytest.mark.parametrize("name", ["net.npz", "net.npq"])
def test_files_keep_zeros(name: str, tmp_path: Path) -> None:
    """A float and an integer network, written and read."""
    for net in (sparse(), quantize_keeping_zeros(sparse(), X, 4)):
        save(net, tmp_path / name)
        assert filled_zeros(net, load(tmp_path / name)) == filled_zeros(load(tmp_path / name), net) == 0


@pytest.mark.parametrize("method", [name for name in METHODS if name != "on_grid"])
def test_quantize_says_how_many_zeros_it_filled(
    method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A method that takes any network notes the count, or nothing where none was filled; --keep-zeros fills none."""
    monkeypatch.chdir(tmp_path)
    net = sparse()
    save(net, "net.npz")
    np.savez("d.npz", x=X, y=Y)
    line = f"quantize net.npz --data d.npz --method {method} --bits 4 --out q.npz --json"
    assert main(line.split()) == 0
    notes = json.loads(capsys.readouterr().out)["notes"]
    back = filled_zeros(net, load("q.npz"))
    said = [note for note in notes if "are 0 no longer" in note]
    assert [note.split()[0] for note in said] == ([f"{back:,}"] if back else [])
    if main([*line.split(), "--keep-zeros"]) == 0:  # methods that cannot say so
        assert filled_zeros(net, load("q.npz")) == 0
