"""Laws of the eight steps: what may look at the test rows, and when."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from npquant.budget import search
from npquant.budget.candidates import CandidateBuilder
from npquant.budget.space import Thresholds
from npquant.compression.pruning.weights.one_shot import prune_weights
from npquant.data import sets as sets_module
from npquant.data.sets import SealedRows, Sets, load_sets
from npquant.files.facts import Facts
from npquant.files.storage import save
from npquant.integer.mlp import IntegerMLP
from npquant.interop.reading import load
from npquant.measure.cost import filled_zeros
from npquant.measure.evaluate import Reference, in_float64
from npquant.nn.model import FloatMLP
from npquant.nn.training import train
from npquant.report.document import rounded, timeless
from npquant.workflow import steps
from npquant.workflow.config import RunConfig
from npquant.workflow.float_model import bundled_record, obtain_float

Run = Callable[[Path], dict[str, Any]]
DATA = Path(sets_module.__file__).parent / "bundled"


def run_fixed(out: Path) -> dict[str, Any]:
    """Run with a short search."""
    return steps.run_workflow(out=str(out), prune=0.3, max_drop=2.0, targets=("none",))


@pytest.fixture
def poisoned(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give the test rows other classes, as if they had been drawn from other data."""

    def load_poisoned(path: str | None, seed: int, *, target: str | int | None, missing: str | None) -> Sets:
        clean = load_sets(path, seed, target=target, missing=missing)
        x, y = clean.test.open()
        return Sets(clean.dataset, clean.split, clean.calibration, SealedRows(x[::-1], y))

    monkeypatch.setattr(steps, "load_sets", load_poisoned)
    yield


def law_test_rows_choose_nothing(clean: dict[str, Any], other: dict[str, Any]) -> None:
    """Other test rows change no threshold, no file, no candidate: only what is said of the test rows."""
    assert clean["budget"]["frontier"] == other["budget"]["frontier"]
    assert clean["budget"]["thresholds"] == other["budget"]["thresholds"]
    assert clean["deployment"]["sha256"] == other["deployment"]["sha256"]
    assert clean["models"][0]["test"] != other["models"][0]["test"], "the case is vacuous"


def test_run_workflow_test_rows_choose_nothing(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """The law above."""
    clean = run_fixed(tmp_path)
    request.getfixturevalue("poisoned")
    law_test_rows_choose_nothing(clean, run_fixed(tmp_path))


def test_run_workflow_law_kills_a_run_that_chooses_on_the_test_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """A builder that measures on test rows breaks the law."""

    class Cheating(CandidateBuilder):
        def __init__(
            self,
            floating: Any,
            x_calibration: NDArray[Any],
            reference: Reference,
            rows: int | None = None,
            compensation: str = "refit",
            encoding: str = "auto",
            facts: Facts | None = None,
            inputs: str = "auto",
        ) -> None:
            test = vars(steps)["load_sets"](None, 0, target=None, missing=None).test.open()
            super().__init__(
                floating, x_calibration, Reference.of(floating, *test), rows, compensation, encoding, facts, inputs
            )

    monkeypatch.setattr(search, "CandidateBuilder", Cheating)
    clean = run_fixed(tmp_path)
    request.getfixturevalue("poisoned")
    with pytest.raises(AssertionError):
        law_test_rows_choose_nothing(clean, run_fixed(tmp_path))


def test_run_workflow_test_drop_that_is_shown_fails_the_budget(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A budget met on validation rows by luck is missed where the test rows show it."""
    monkeypatch.setattr("npquant.budget.decision.shows_larger_drop", lambda b, c, allowed: True)
    budget = run_fixed(tmp_path)["budget"]
    assert (budget["met"], budget["failing"]) == (False, ["test_drop"])


def test_run_workflow_returns_what_it_writes(tmp_path: Path) -> None:
    """The returned report is the file; a second run in the same folder replaces it."""
    import json

    first, second = run_fixed(tmp_path), run_fixed(tmp_path)
    assert json.loads((tmp_path / "report.json").read_bytes()) == second
    assert timeless(first) == timeless(second)
    assert rounded(first) == first


def test_run_workflow_tells_its_progress(tmp_path: Path) -> None:
    """Every step is announced, in the order taken."""
    told: list[str] = []
    steps.run_workflow(out=str(tmp_path), bits=8, prune=0.0, progress=told.append, targets=("none",))
    numbers = [int(line.split()[0]) for line in told]
    assert [n for n, before in zip(numbers, [0, *numbers], strict=False) if n != before] == [2, 1, 3, 4, 5, 6, 7, 8]


def test_obtain_float_checkpoint_is_the_one_on_record() -> None:
    """The bundled network is that of its record, and its split is that of seed 0."""
    from hashlib import sha256

    record = bundled_record()
    assert sha256((DATA / "digits_float.npz").read_bytes()).hexdigest() == record["sha256"]
    assert load_sets(None, 0).split.sha256 == record["split_sha256"]
    start = obtain_float(RunConfig(), load_sets(None, 0), print)
    assert (start.source, start.model.neurons) == ("bundled", (64, 32, 10))


def test_obtain_float_another_split_trains_and_says_why() -> None:
    """Under another seed training rows of the checkpoint would be test rows."""
    start = obtain_float(RunConfig(seed=1), load_sets(None, 1), lambda text: None)
    assert start.source == "trained"
    assert "training rows" in start.notes[0]


def test_obtain_float_training_is_reproducible() -> None:
    """The same options give the same bytes."""
    config, data = RunConfig(train=True, hidden=(5,), epochs=2), load_sets(None, 0)
    one, two = (obtain_float(config, data, lambda text: None).model for _ in range(2))
    for a, b in zip(one.layers, two.layers, strict=True):
        np.testing.assert_array_equal(a.w, b.w)


def test_candidate_builder_prunes_before_it_quantizes(tmp_path: Path) -> None:
    """Bytes and MACs of a candidate are those of the pruned, quantized network; its logits' targets the float one's."""
    data = load_sets(None, 0)
    floating = in_float64(load(DATA / "digits_float.npz"))
    reference = Reference.of(floating, *data.validation)
    builder = CandidateBuilder(floating, data.x_calibration[:256], reference)
    thresholds = Thresholds((4, 4, 4), (0.5, 0.25), (8, 8))
    found, net = builder.measure(thresholds), builder.prune(thresholds.rates)
    assert builder.build(thresholds).neurons == (32, 24, 10)
    assert found.macs == 64 * 32 + 32 * 24 + 24 * 10
    assert builder.prune(thresholds.rates) is net
    z = floating.pre_activations(data.x_calibration[:256])
    np.testing.assert_array_equal(net.targets[-1], z[-1])
    layerwise = CandidateBuilder(floating, data.x_calibration[:256], reference, None, "layerwise")
    net = layerwise.prune(thresholds.rates)
    for target, whole, kept in zip(net.targets, z, net.kept, strict=True):
        np.testing.assert_array_equal(target, whole[:, kept])


def test_load_sets_other_data_keeps_the_law(tmp_path: Path) -> None:
    """A set with more than 2,048 training rows runs too, calibrated on a sample."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 3600)
    x = (y[:, np.newaxis] + rng.normal(0, 0.3, (3600, 4))).astype(np.float32)
    np.savez(tmp_path / "drawn.npz", x=x, y=y)
    report = steps.run_workflow(
        data=str(tmp_path / "drawn.npz"), out=str(tmp_path), hidden=(6,), epochs=10, bits=4, targets=("none",)
    )
    assert report["data"]["rows"]["calibration"] == 2048
    assert report["data"]["rows"]["train"] == 2520


def test_zeros_that_rounding_fills_are_said(tmp_path: Path) -> None:
    """The rectified method fills a few zeros of a sparse network; the report counts them as the two files show them."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(400, 8)).round(3)
    y = (x[:, 0] + x[:, 1] * x[:, 2] > 0).astype(int)
    np.savez(tmp_path / "rows.npz", x=x, y=y)
    net = train(x, y, hidden=(24, 16), epochs=10, rng=0)
    for name, model in (("dense", net), ("sparse", prune_weights(net, x, 0.2))):
        save(model, tmp_path / f"{name}.npz")
        report = steps.run_workflow(
            data=str(tmp_path / "rows.npz"), model=str(tmp_path / f"{name}.npz"), out=str(tmp_path / name), bits=2,
            prune=0.0, targets=("none",),
        )  # fmt: skip
        before, after = load(tmp_path / f"{name}.npz"), load(tmp_path / name / "deployed.npz")
        assert isinstance(before, FloatMLP) and isinstance(after, IntegerMLP)
        back = filled_zeros(before, after)
        notes = [note for note in report["notes"] if "are 0 no longer" in note]
        assert (back > 0) == (name == "sparse") == bool(notes)
        assert all(note.startswith(f"{back} weights") and "quantize --keep-zeros" in note for note in notes)
