"""The numbers that the page draws are the run's own, and their lists have ends."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npquant import load, run_workflow
from npquant.data.sets import load_sets
from npquant.integer.mlp import IntegerMLP
from npquant.profiles import names
from npquant.workflow.pictures.layers import BARS, histogram
from npquant.workflow.pictures.pixels import in_levels, picture_shape, pooled, signed_levels

Run = tuple[IntegerMLP, dict[str, Any]]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The deployed network and the report of a run."""
    out = tmp_path_factory.mktemp("run")
    report = run_workflow(out=str(out), bits=4, prune=0.3, activation_bits=8, targets=("none",))
    model = load(Path(out) / "deployed.npz")
    assert isinstance(model, IntegerMLP)
    return model, report


def test_answers_count_every_test_row(run: Run) -> None:
    """The counts are b and c of the paired test, and the disputed rows are those that a network gets wrong."""
    model, report = run
    test, answers = report["budget"]["test"], report["pictures"]["answers"]
    counts = answers["counts"]
    assert sum(rows for *_, rows in counts) == test["rows"]
    assert sum(n for label, one, two, n in counts if one == label != two) == test["b"]
    assert sum(n for label, one, two, n in counts if two == label != one) == test["c"]
    wrong = sum(n for label, one, two, n in counts if not one == two == label)
    assert len(answers["disputed"]) + answers["left_out"] == wrong
    x, y = load_sets(None, 0).test.open()
    for row in answers["disputed"]:
        assert y[row["row"]] == row["label"] and model.predict(x[row["row"]][np.newaxis])[0] == row["answers"][1]
        assert row["pixels"] == in_levels(x[row["row"]], 16.0)
        assert all(0.1 <= share <= 1 for share in row["shares"])


def test_layers_hold_what_the_file_holds(run: Run) -> None:
    """Histograms count every weight; accumulators seen lie within the proven ends."""
    model, report = run
    for layer, told in zip(model.layers, report["pictures"]["layers"], strict=True):
        c = layer.centred_weights
        assert told["shape"] == list(c.shape) and told["zeros"] == pytest.approx(np.mean(c == 0), rel=1e-8)
        codes = told["codes"]
        assert codes["counts"] == [int((c == codes["low"] + i).sum()) for i in range(len(codes["counts"]))]
        assert sum(told["floats"]["counts"]) == c.size
        ends = told["accumulator"]
        assert ends["low"] <= ends["seen_low"] <= ends["seen_high"] <= ends["high"]
        assert sum(told["outputs"]["codes"]["counts"]) == report["pictures"]["rows_seen"] * c.shape[1]


def test_neurons_and_engines_are_complete(run: Run) -> None:
    """Every neuron stays or goes, as the counts say; every profile answers or refuses."""
    _, report = run
    before = report["models"][0]["neurons"]
    for n, told, counts in zip(before, report["pictures"]["neurons"], report["pruning"]["removed"], strict=False):
        gone = [one["neuron"] for one in told["gone"]]
        assert sorted([*told["kept"], *gone]) == [*range(n)] and len(gone) == sum(counts.values())
    engines = report["pictures"]["engines"]
    assert [one["name"] for one in engines["profiles"]] == list(names())
    assert all((one["differing"] is None) == (one["refused"] is not None) for one in engines["profiles"])
    assert engines["profiles"][0]["differing"] == 0 and engines["codes"] == 10 * engines["rows"]


def test_data_counts_classes_and_rows(run: Run) -> None:
    """By set, the rows of each class; the digits are pictures of 8 x 8."""
    pictures = run[1]["pictures"]
    assert {name: sum(rows) for name, rows in pictures["data"]["class_rows"].items()} == {
        "train": 1258, "validation": 270, "test": 269,
    }  # fmt: skip
    assert pictures["image"] == {"height": 8, "width": 8}
    assert pictures["data"]["range"] == [0, 16] and pictures["data"]["duplicate_rows"] == 0
    assert {len(mean) for mean in pictures["data"]["class_means"]} == {64}


@given(st.integers(-40_000, 0), st.integers(1, 40_000), st.randoms())
def test_histogram_has_an_end_and_loses_nothing(low: int, high: int, random: Any) -> None:
    """At most 64 bars whatever the codes, each value in one of them."""
    values = np.array([random.randint(low, high) for _ in range(30)])
    found = histogram(values, low, high)
    assert len(found["counts"]) <= BARS and sum(found["counts"]) == values.size
    at = (values - low) // found["step"]
    assert all(found["counts"][place] == (at == place).sum() for place in set(at.tolist()))


def test_picture_shape_needs_neighbours() -> None:
    """Digits are pictures; the same pixels in another order, real numbers, or a table are none."""
    rng = np.random.default_rng(0)
    x = load_sets(None, 0).train[0]
    assert picture_shape(x) == (8, 8)
    assert picture_shape(x[:, rng.permutation(64)]) is None
    assert picture_shape(x + 0.5) is None and picture_shape(x[:, :60]) is None
    assert picture_shape(rng.integers(0, 17, (300, 16))) is None


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20))
def test_levels_are_nine(values: list[float]) -> None:
    """Order is kept, ends are 0 and 8, and 0 has the middle level."""
    largest = max(map(abs, values)) or 1.0
    levels = [int(sign) for sign in signed_levels(np.array(values), largest)]
    assert all(0 <= level <= 8 for level in levels)
    assert [level for _, level in sorted(zip(values, levels, strict=True))] == sorted(levels)
    assert signed_levels(np.zeros(2), 1.0) == "44"


def test_pooled_keeps_means() -> None:
    """Pictures within the size stay; larger ones become means of squares."""
    values = np.random.default_rng(0).normal(size=(64, 3))
    same, shape = pooled(values, (8, 8), 8)
    assert shape == (8, 8) and np.array_equal(same, values)
    small, shape = pooled(values, (8, 8), 4)
    assert shape == (4, 4)
    np.testing.assert_allclose(small.mean(axis=0), values.mean(axis=0), rtol=1e-12)
