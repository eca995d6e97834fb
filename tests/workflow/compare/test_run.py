"""A comparison: the same figures wherever and in whatever order it runs, on test rows that nothing else saw."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import npquant
from npquant.compression.chain.integer_chain import LayerProblem
from npquant.compression.chain.layer_codes import LayerCodes
from npquant.compression.chain.weight_codes import Bits
from npquant.compression.rounding.method_names import METHOD_NAMES
from npquant.compression.rounding.nearest import nearest_layer
from npquant.data.sets import SealedRows, split_sets
from npquant.workflow.compare import run as run_module
from npquant.workflow.compare.run import METHODS, MethodComparison, checked, compare, compare_seeds
from npquant.workflow.compare.trial import Row

X = np.random.default_rng(0).normal(0, 1, (120, 4))
Y = (X[:, 0] + 0.3 * X[:, 1] > 0).astype(np.int64)
# Small networks, so that a seed takes milliseconds.
SMALL: dict[str, Any] = {"hidden": [6], "epochs": 2}


def figures(found: MethodComparison) -> tuple[Row, ...]:
    """All but the seconds."""
    return tuple(replace(row, seconds=0.0) for row in found.rows)


@pytest.fixture(scope="module")
def whole() -> MethodComparison:
    """A comparison in this process."""
    return compare(X, Y, ["nearest", "uniform"], [4, 2], 3, **SMALL)


def test_rows_stand_in_order(whole: MethodComparison) -> None:
    """A row a width, method and seed, in this order; a pair a width and method but the first."""
    wanted = [(bits, name, seed) for bits in (4, 2) for name in ("nearest", "uniform") for seed in (0, 1, 2)]
    assert [(row.bits, row.method, row.seed) for row in whole.rows] == wanted
    assert [(pair.bits, pair.method) for pair in whole.pairs] == [(4, "uniform"), (2, "uniform")]
    assert (whole.kind, whole.neurons, whole.activation) == ("classes", (4, 6, 2), "clipped_relu")


@pytest.mark.parametrize("kind", ["threads", "processes:2"])
def test_every_executor_gives_the_same_figures(kind: str, whole: MethodComparison) -> None:
    """Threads and processes find what a plain loop finds, but for the seconds."""
    with ThreadPoolExecutor(3) as pool:
        executor = pool if kind == "threads" else kind
        found = compare(X, Y, ["nearest", "uniform"], [4, 2], 3, executor, **SMALL)
    assert figures(found) == figures(whole)


def test_order_and_company_change_no_row(whole: MethodComparison) -> None:
    """A row does not depend on which methods, widths and seeds stand beside it, or before it."""
    found = compare(X, Y, ["uniform", "gptq", "nearest"], (2, 3, 4), [2, 0], **SMALL)
    known = {(row.method, row.bits, row.seed): row for row in figures(whole)}
    assert all(row == known.get((row.method, row.bits, row.seed), row) for row in figures(found))
    assert len(found.rows) == 18


def test_a_method_of_ones_own_is_the_tables_method(whole: MethodComparison) -> None:
    """The table's function, given as one's own, has the table's row; beside it the ratio is 1 and nothing is shown."""
    found = compare(X, Y, {"nearest": "nearest", "mine": nearest_layer}, [4, 2], 3, **SMALL)
    assert [replace(row, method="nearest") for row in figures(found) if row.method == "mine"] == [
        row for row in figures(whole) if row.method == "nearest"
    ]
    assert [(pair.divergence.value, pair.verdict) for pair in found.pairs] == [(1.0, "open")] * 2


def test_test_rows_open_once_when_all_networks_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """No method runs after the test rows of its seed are open, and none sees one of them."""
    said: list[str] = []
    opened: Callable[[SealedRows], Any] = SealedRows.open

    def noting(rows: SealedRows) -> Any:
        said.append("open")
        return opened(rows)

    seen: list[np.ndarray[Any, Any]] = []

    def mine(problem: LayerProblem, bits: Bits) -> LayerCodes:
        said.append("round")
        if problem.index == 0:
            seen.append(problem.x)
        return nearest_layer(problem, bits)

    monkeypatch.setattr(SealedRows, "open", noting)
    compare(X, Y, ["uniform", mine], [4, 2], 1, **SMALL)
    assert said == ["round"] * 4 + ["open"]
    dataset = run_module._dataset_of_arrays(X, Y)
    assert all(len(x) == len(split_sets(dataset, 0).split.train) for x in seen)


def test_labels_are_read_as_a_table_reads_them() -> None:
    """Text, truth values and numbers of the same classes give the same rows; other numbers are real targets."""
    text = np.where(Y == 1, "yes", "no")
    by_kind = [compare(X, y, ["nearest", "uniform"], 2, 1, **SMALL) for y in (Y, Y == 1, text, text.astype(object))]
    assert all(figures(found) == figures(by_kind[0]) for found in by_kind)
    real = compare(X, X @ np.ones((4, 2)), ["nearest", "uniform"], 4, 2, **SMALL)
    assert real.kind == "real" and real.neurons == (4, 6, 2) and real.rows[0].score.r2 is not None


def test_seed_decides_what_is_drawn() -> None:
    """The method that draws, AdaRound, gives the same codes for the same seed."""
    one, two = (compare(X, Y, ["adaround", "uniform"], 2, [5], **SMALL) for _ in range(2))
    assert figures(one) == figures(two)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"methods": ["nearest"]}, "a comparison needs two methods at least"),
        ({"methods": "nearest"}, "the methods are 'nearest'; give a sequence"),
        ({"methods": ["nearest", "nearest"]}, "the method 'nearest' stands twice"),
        ({"methods": []}, "give at least one method"),
        ({"methods": ["nearest", "gtpq"]}, "the method 'gtpq' is unknown"),
        ({"bits": [4, 4]}, "the width 4 stands twice"),
        ({"bits": [4, 9]}, "bits is 9; it must be an integer in 2..8"),
        ({"seeds": 0}, "give at least one seed"),
        ({"seeds": [-1]}, "the seed is -1"),
        ({"activation": "auto"}, "the activation is 'auto'; give one of clipped_relu"),
        ({"epochs": 0}, "epoch"),
        ({"hidden": [0]}, "the hidden widths are"),
        ({"activation_bits": 9}, "the activation bits are 9"),
        ({"executor": "threads"}, "the executor is 'threads'"),
        ({"x": X[0]}, "x must be"),
        ({"y": Y[:5]}, "x must be"),
    ],
)
def test_bad_arguments_are_named(changed: dict[str, Any], said: str) -> None:
    """What is wrong is an error that names it, before a network is trained."""
    asked: dict[str, Any] = {"x": X, "y": Y, "methods": ["nearest", "uniform"], "bits": 2, "seeds": 1, **SMALL}
    with pytest.raises(ValueError, match=said):
        compare(**{**asked, **changed})


def test_failing_method_stops_the_comparison_by_name() -> None:
    """A method that fails is no row: the error says on which seed, at which width and in which layer."""

    def fails(problem: LayerProblem, bits: Bits) -> LayerCodes:
        raise RuntimeError("no idea")

    with pytest.raises(ValueError, match=r"seed 0: fails at 2 bits: layer 0, 4 x 6: RuntimeError: no idea"):
        compare(X, Y, ["uniform", fails], 2, 1, **SMALL)
    with pytest.raises(ValueError, match="the method fails cannot be sent to a process"):
        compare(X, Y, ["uniform", fails], 2, 1, "processes:1", **SMALL)


def test_rows_may_depend_on_the_seed() -> None:
    """What a seed is told to split is what it splits; progress is told by seed."""
    asked = checked(
        ["nearest", "uniform"], 2, 2, hidden=[4], activation="relu", epochs=1, activation_bits=8
    )  # fmt: skip
    data = {seed: run_module._dataset_of_arrays(X + seed, Y) for seed in (0, 1)}
    said: list[str] = []
    found = compare_seeds(lambda seed: data[seed], asked, progress=said.append)
    assert [str(one) for one in said] == [f"compare: seed {done} of 2" for done in range(3)]
    alone = compare(X + 1, Y, ["nearest", "uniform"], 2, [1], hidden=[4], activation="relu", epochs=1)
    assert figures(alone) == tuple(row for row in figures(found) if row.seed == 1)


def test_public_name_is_this_function() -> None:
    """`npquant.compare` is the function, and its methods are names of the table."""
    assert npquant.compare is compare
    assert set(METHODS) <= set(METHOD_NAMES)
