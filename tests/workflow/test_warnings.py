"""A run says where its float network knows nothing, on the verdict's own line and in the notes."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from npquant.files.storage import save
from npquant.nn.model import DenseLayer, FloatMLP
from npquant.report.terminal import render_report
from npquant.workflow.steps import run_workflow


def run(folder: Path, y: np.ndarray[Any, Any], x: np.ndarray[Any, Any], model: FloatMLP) -> dict[str, Any]:
    """Run the eight steps on rows and a network, at 8 bits and without pruning."""
    np.savez(folder / "rows.npz", x=x, y=y)
    save(model, folder / "net.npz")
    return run_workflow(
        data=str(folder / "rows.npz"), model=str(folder / "net.npz"), out=str(folder / "out"), bits=8, prune=0.0,
        targets=("none",),
    )  # fmt: skip


def signs(rows: int = 400) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], FloatMLP]:
    """Draw rows whose class is the sign of their first feature, and a network that knows it."""
    x = np.random.default_rng(1).normal(size=(rows, 3))
    w = np.zeros((3, 4))
    w[0] = [1, -1, 1, -1]
    last = np.array([[-1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [1.0, -1.0]])
    model = FloatMLP((DenseLayer(w, np.zeros(4), "relu"), DenseLayer(last, np.zeros(2), "identity")))
    return x, (x[:, 0] > 0).astype(np.int64), model


@pytest.mark.parametrize("order", ["alike", "otherwise"])
def test_run_workflow_finds_classes_in_another_order(tmp_path: Path, order: str) -> None:
    """A budget that a network meets which is right on no row is not met without a word; a good one is."""
    x, y, model = signs()
    report = run(tmp_path, y if order == "alike" else 1 - y, x, model)
    text, warning = render_report(report), report["model"]["warning"]
    assert report["budget"]["met"]
    if order == "alike":
        assert warning is None and "Budget met. Points lost" in text
        assert not any("another order" in note for note in report["notes"])
        return
    assert "fewer than the commonest class" in warning
    assert "Budget met, BUT the float network is right on" in text and "Budget met. " not in text
    assert "another order" in " ".join(report["notes"][:2])


def test_run_workflow_says_that_a_network_has_one_answer(tmp_path: Path) -> None:
    """A network that gives one class to all rows meets any budget; the verdict says so."""
    x, y, model = signs()
    dead = FloatMLP((model.layers[0], DenseLayer(model.layers[1].w * 1e-3, np.array([5.0, 0.0]), "identity")))
    report = run(tmp_path, y, x, dead)
    assert report["model"]["warning"].startswith("the float network answers '0' to all")
    assert "Budget met, BUT the float network answers '0' to all 60 rows" in render_report(report)
