"""Laws of the report: every neuron has one cause, its evidence in words, and the sums agree."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npquant.compression.pruning.neurons.pruning import prune_neurons_with_report
from npquant.compression.pruning.neurons.report import CAUSES, LayerPruning, PruningReport
from npquant.nn.model import DenseLayer, FloatMLP


def one_of_each() -> tuple[FloatMLP, Any]:
    """Return a network with every way to be removable, and rows on which no other neuron is."""
    #              good  twin  unfed  unfed  dead  unheard  good
    w = np.array([[1.0, 2.0, 0.0, 0.0, -1.0, 1.0, 0.0], [0.5, 1.0, 0.0, 0.0, -1.0, 2.0, 1.0]])
    b = np.array([0.1, 0.2, 3.0, -1.0, -9.0, 0.0, 0.0])
    v = np.ones((7, 2)) * [1.0, -2.0]
    v[5] = 0.0
    rows = np.random.default_rng(0).random((30, 2))
    return FloatMLP((DenseLayer(w, b, "relu"), DenseLayer(v, np.zeros(2), "identity"))), rows


def test_why_names_the_evidence_of_every_cause() -> None:
    """What the weights prove and what only the rows show read differently."""
    net, rows = one_of_each()
    report = prune_neurons_with_report(net, rows, 5 / 7)[1]
    layer = report.layers[0]
    assert [layer.why(j) for j in range(7)] == [
        "kept",
        "redundant: 2 times neuron 0 on every row",
        "constant: no incoming weight",
        "zero: no incoming weight",
        "zero: output 0 on every row",
        "zero: no outgoing weight",
        "kept",
    ]
    assert layer.unheard.tolist() == [5] and layer.unfed.tolist() == [2, 3]
    with pytest.raises(IndexError, match="no neuron 7; the layer had 7"):
        layer.why(7)


def test_scores_of_unimportant_neurons_are_reported() -> None:
    """The score stands beside the neuron it removed, in the order of removal."""
    net, rows = one_of_each()
    layer = prune_neurons_with_report(net, rows, 6 / 7, "in_l2")[1].layers[0]
    assert layer.unimportant.tolist() == [6] and layer.scores.tolist() == [1.0]
    assert layer.why(6) == "unimportant: number 1 to go, score 1"


LAYERS = st.lists(st.sampled_from([*CAUSES, "kept"]), min_size=1, max_size=9)


@given(kinds=st.lists(LAYERS, min_size=1, max_size=3))
def test_counts_sum_over_causes_and_layers(kinds: list[list[str]]) -> None:
    """counts by layer, their sums, removed, and the printed table are one set of numbers."""
    layers = tuple(
        LayerPruning(*([j for j, k in enumerate(layer) if k == name] for name in (*CAUSES, "kept"))) for layer in kinds
    )
    report = PruningReport((0.5,) * len(layers), layers)
    flat = [k for layer in kinds for k in layer]
    assert dict(report.counts) == {name: flat.count(name) for name in (*CAUSES, "kept")}
    assert sum(layer.removed for layer in layers) == len(flat) - flat.count("kept")
    last = str(report).splitlines()[-1].split()
    assert last == ["all", *(str(flat.count(name)) for name in (*CAUSES, "kept"))]


def test_reason_names_a_rate_that_helps() -> None:
    """For a share of each layer, for a global budget, and where nothing can help."""
    whole, single = LayerPruning([], [], [], [], [0, 1, 2]), LayerPruning([], [], [], [], [0])
    assert PruningReport((0.1, 0.1), (whole, single)).reason == (
        "layer 0: 0.1 of 3 neurons rounds to 0; raise the rate to 0.167; layer 1: its only neuron stays"
    )
    assert PruningReport((0.05, 0.05), (whole, whole), "global").reason == (
        "the network: 0.05 of 6 neurons rounds to 0; raise the rate to 0.084"
    )
    assert PruningReport((0.9, 0.9), (single, single), "global").reason == "the network: each layer's only neuron stays"
    assert PruningReport((0.0, 0.0), (whole, whole), "global").reason == ""


def test_arrays_of_the_report_are_read_only() -> None:
    """A report cannot be changed after the fact."""
    layer = prune_neurons_with_report(*one_of_each(), 0.5)[1].layers[0]
    for name in (*CAUSES, "kept", "unheard", "unfed", "twins", "factors", "scores"):
        assert not getattr(layer, name).flags.writeable
