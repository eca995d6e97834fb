"""--activation auto: the validation rows choose, the report says what was tried, and the test rows stay sealed."""

from pathlib import Path

import numpy as np
import pytest

from npquant.data.sets import Sets, load_sets
from npquant.nn.model import DenseLayer, FloatMLP
from npquant.workflow.activation_choice import choose_activation
from npquant.workflow.config import ACTIVATIONS, RunConfig
from npquant.workflow.float_model import obtain_float


def sets_of(folder: Path, rows: int = 240) -> Sets:
    """Write and load a table of two real features whose classes lie in rings."""
    rng = np.random.default_rng(3)
    y = rng.integers(0, 2, rows)
    x = rng.normal(size=(rows, 2))
    x *= (1 + y[:, None] + rng.normal(0, 0.1, (rows, 1))) / np.linalg.norm(x, axis=1, keepdims=True)
    np.savez(folder / "rings.npz", x=x, y=y)
    return load_sets(str(folder / "rings.npz"), 0)


def line(slope: float) -> FloatMLP:
    """Make the network y = slope x, or for two classes the one that tells the sign of slope x."""
    return FloatMLP((DenseLayer(np.array([[slope]]), np.zeros(1), "identity"),))


def test_choose_activation_takes_the_first_of_the_best() -> None:
    """Most right rows win; of equals the first, so that the default stays where nothing is gained."""
    x, y = np.array([[-1.0], [1.0], [2.0]]), np.array([0, 1, 1])
    right = FloatMLP((DenseLayer(np.array([[0.0, 1.0]]), np.zeros(2), "identity"),))
    wrong = FloatMLP((DenseLayer(np.array([[1.0, 0.0]]), np.zeros(2), "identity"),))
    made = {"a": wrong, "b": right, "c": right}
    model, tried = choose_activation(tuple(made), made.__getitem__, x, y)
    assert model is right
    assert [(t.activation, t.accuracy, t.rmse, t.chosen) for t in tried] == [
        ("a", 0.0, None, False), ("b", 1.0, None, True), ("c", 1.0, None, False),
    ]  # fmt: skip


def test_choose_activation_takes_the_least_error_of_real_targets() -> None:
    """Real targets are judged by squared error, each output over its own spread; an RMSE is told by output."""
    x, y = np.array([[1.0], [2.0]]), np.array([2.0, 4.0])
    made = {"a": line(1.0), "b": line(2.5), "c": line(-2.0)}
    model, tried = choose_activation(tuple(made), made.__getitem__, x, y)
    assert model is made["b"] and [t.chosen for t in tried] == [False, True, False]
    # Errors of -1, -2 and of 0.5, 1.0: the root of the mean square, one correctly rounded operation at a time.
    assert [t.rmse for t in tried[:2]] == [(np.sqrt(2.5),), (np.sqrt(0.625),)]


def test_obtain_float_auto_tries_all_and_opens_no_test_row(tmp_path: Path) -> None:
    """Every activation is tried on the validation rows, the best is the network; the same seed gives the same bytes."""
    sets = sets_of(tmp_path)
    config = RunConfig(data="rings.npz", activation="auto", hidden=(6,), epochs=12)
    told: list[str] = []
    one, two = (obtain_float(config, sets, told.append) for _ in range(2))
    assert [trial.activation for trial in one.tried] == list(ACTIVATIONS) and one.tried == two.tried
    (chosen,) = (trial for trial in one.tried if trial.chosen)
    assert one.model.activation_names[0] == chosen.activation
    assert chosen.accuracy == max(trial.accuracy or 0 for trial in one.tried)
    assert f"The hidden activation {chosen.activation} did best of 5" in one.notes[0]
    assert all(np.array_equal(a.w, b.w) for a, b in zip(one.model.layers, two.model.layers, strict=True))
    assert any(text.startswith("1 float model, tanh: epoch") for text in told)
    sets.test.open()  # raises if it was opened before


@pytest.mark.parametrize("name", ["auto", "tanh"])
def test_obtain_float_trains_the_same_network_of_one_activation(tmp_path: Path, name: str) -> None:
    """What auto chooses is bit for bit what that activation alone would have given."""
    sets = sets_of(tmp_path)
    options = {"data": "rings.npz", "hidden": (6,), "epochs": 3}
    found = obtain_float(RunConfig(activation=name, **options), sets, print)
    chosen = found.model.activation_names[0]
    alone = obtain_float(RunConfig(activation=chosen, **options), sets, print)
    assert all(np.array_equal(a.w, b.w) for a, b in zip(found.model.layers, alone.model.layers, strict=True))
    assert (alone.tried == ()) and bool(found.tried) is (name == "auto")


def test_obtain_float_names_the_column_that_cannot_be_scaled(tmp_path: Path) -> None:
    """A column that float32 cannot tell is named as the table names it."""
    at = 1.6e7 + np.arange(60) % 3
    rows = "\n".join(f"{k % 7}.5,{t:.0f},{k % 2}" for k, t in enumerate(at))
    (tmp_path / "t.csv").write_text(f"size,when,label\n{rows}\n")
    with pytest.raises(ValueError, match=r"t.csv: column 'when' has the mean"):
        obtain_float(RunConfig(data="t.csv", epochs=1), load_sets(str(tmp_path / "t.csv"), 0), print)
