"""What a command knows of the network that it starts from."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from npquant import FloatMLP, save
from npquant.cli.starting_network import load_start, same_network
from npquant.workflow.float_model import bundled_network


def test_load_start_knows_the_bundled_network_by_its_numbers(tmp_path: Path) -> None:
    """The bundled network under another name, written anew, needs no note; one weight that moved does."""
    model = bundled_network()
    save(model, tmp_path / "again.npz")
    first = model.layers[0]
    other = FloatMLP((replace(first, w=np.nextafter(first.w, np.float32(2))), *model.layers[1:]))
    save(other, tmp_path / "other.npz")
    assert load_start(str(tmp_path / "again.npz"), data=None, rows=50, seed=0).notes == ()
    assert load_start(str(tmp_path / "again.npz"), data=None, rows=50, seed=1).notes
    assert load_start(str(tmp_path / "other.npz"), data=None, rows=50, seed=0).notes


def test_same_network_kills_other_numbers_types_and_depths() -> None:
    """Numbers, types, activations and the number of layers decide."""
    model = bundled_network()
    assert same_network(model, model)
    assert not same_network(model, FloatMLP((*model.layers[:1], *model.layers[2:])[1:]))
    assert not same_network(model, FloatMLP((replace(model.layers[0], activation="relu"), *model.layers[1:])))
    wide = [replace(x, w=x.w.astype(np.float64), b=x.b.astype(np.float64)) for x in model.layers]
    assert not same_network(model, FloatMLP(tuple(wide)))
