"""Networks that end in an activation, or have linear or softplus layers, go through everything that npquant does."""

import json
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from npquant.budget.requirements import Budget
from npquant.budget.search import search_budget
from npquant.cli import main
from npquant.compression.pruning.weights.gradual import prune_gradually
from npquant.compression.pruning.weights.one_shot import prune_weights_with_report
from npquant.compression.rounding.on_grid import quantize_on_grid
from npquant.compression.rounding.straight_through import StraightThrough
from npquant.compression.rounding.uniform import quantize_uniform
from npquant.files.storage import save
from npquant.interop.reading import load
from npquant.measure.evaluate import compare, evaluate, layer_sqnr
from npquant.measure.statistics import sqnr_db
from npquant.nn.finetuning import finetune
from npquant.nn.model import DenseLayer, FloatMLP
from npquant.nn.training import train

NETWORKS = [
    ("clipped_relu", "clipped_relu", "relu"),
    ("relu", "relu", "tanh"),
    ("relu", "identity", "softplus"),
    ("softplus", "softplus", "identity"),
    ("identity", "relu", "identity"),
]
IDS = ["-".join(names) for names in NETWORKS]
Rows = tuple[NDArray[np.float64], NDArray[np.int64]]


def blobs(rows: int = 400) -> Rows:
    """Draw four classes in six features."""
    rng = np.random.default_rng(1)
    y = rng.integers(0, 4, rows)
    return rng.normal(size=(rows, 6)) + 2.5 * np.eye(4, 6)[y], y


def trained(names: tuple[str, ...], hidden: tuple[int, int] = (16, 12)) -> FloatMLP:
    """Train a classifier, and give its layers other activations, which it is then trained with."""
    x, y = blobs()
    start = train(x, y, hidden, "relu", 4, rng=0, dtype=np.float64).layers
    net = FloatMLP(tuple(DenseLayer(layer.w, layer.b, name) for layer, name in zip(start, names, strict=True)))
    return finetune(net, x, y, 8, learning_rate=5e-3, rng=0)


@pytest.mark.parametrize("names", NETWORKS, ids=IDS)
def test_training_pruning_and_quantizing_keep_what_a_network_is(names: tuple[str, ...]) -> None:
    """Activations and zeros stay through prune_weights, prune_gradually and the grid; what is measured is measured."""
    x, y = blobs()
    net = trained(names)
    sparse, report = prune_weights_with_report(net, x, 0.4)
    assert sparse.activation_names == names and all(layer.error <= layer.error_bare + 1e-12 for layer in report)
    thin = prune_gradually(net, x, y, 0.3, 6, renew_every=5, learning_rate=5e-3, rng=0)
    assert thin.activation_names == names
    assert sum(np.count_nonzero(layer.w) for layer in thin.layers) <= 0.3 * net.macs
    grid = StraightThrough(4, activation_bits=6)
    rounded = quantize_on_grid(finetune(sparse, x, y, 3, quantizer=grid, rng=0), x, grid)
    integers = quantize_uniform(net, x)
    for one, two in ((rounded, sparse), (integers, net)):
        before, after = evaluate(two, x, y), evaluate(one, x, y)
        assert compare(before, after).agreement >= 0.9 * len(y)
        assert len(layer_sqnr(two, one, x)) == 3
    assert min(layer_sqnr(net, integers, x)) > 20


@pytest.mark.parametrize("names", [NETWORKS[0], NETWORKS[2]], ids=[IDS[0], IDS[2]])
def test_a_budget_search_takes_it(names: tuple[str, ...]) -> None:
    """What the search says of accuracy, KL and SQNR is what the outputs behind the last activation give."""
    found = search_budget(trained(names, (6, 5)), blobs(200), Budget(max_drop=5.0), rng=0)
    assert found.met and found.model.layers[-1].activation == names[-1]
    rows = found.reference
    again = compare(rows.answers, rows.evaluate(found.model))
    assert (again.paired.b, again.paired.c, again.kl) == (found.found.b, found.found.c, found.found.kl)
    assert sqnr_db(rows.answers.logits, found.model.logits(rows.x)) == found.found.sqnr


@pytest.mark.parametrize("last", ["relu", "softplus"])
def test_the_commands_take_it(last: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """inspect, prune and quantize of a file whose network ends in an activation; the files come back as they were."""
    with resources.as_file(resources.files("npquant.data") / "bundled" / "digits_float.npz") as path:
        layers = load(path).layers
    net = FloatMLP((*layers[:-1], DenseLayer(layers[-1].w, layers[-1].b, last)))
    given, small, out = (str(tmp_path / name) for name in ("net.npz", "small.npz", "out.npq"))
    save(net, given)
    assert load(given).activation_names == net.activation_names
    assert main(["inspect", given, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["layers"][-1]["activation"] == last
    assert main(["prune", given, "--rate", "0.2", "--rows", "300", "--out", small]) == 0
    assert main(["quantize", small, "--bits", "8", "--rows", "200", "--out", out]) == 0
    assert load(out).layers[-1].activation == last
