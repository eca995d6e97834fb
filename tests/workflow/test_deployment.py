"""Laws of step 8: files whole or not at all, proven by reading back."""

import os
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from npquant.compression.rounding.dynamic import quantize_dynamic
from npquant.compression.rounding.uniform import quantize_uniform
from npquant.files.storage import save
from npquant.integer.mlp import IntegerMLP
from npquant.nn.model import DenseLayer, FloatMLP
from npquant.workflow.deployment import measure_latency, prepare_folder, reload_and_prove, write_files


def small_nets() -> tuple[FloatMLP, IntegerMLP]:
    rng = np.random.default_rng(0)
    net = FloatMLP((DenseLayer(rng.normal(size=(4, 3)), rng.normal(size=3), "identity"),))
    return net, quantize_uniform(net, rng.uniform(0, 1, (20, 4)), 8)


def test_write_files_describes_what_stands_on_the_disk(tmp_path: Path) -> None:
    """Lengths and hashes are those of the files."""
    described = write_files(tmp_path, {"a": b"one", "b": b""})
    assert described["files"] == {name: (tmp_path / name).stat().st_size for name in "ab"}
    assert described["sha256"]["a"] == sha256((tmp_path / "a").read_bytes()).hexdigest()
    assert sorted(os.listdir(tmp_path)) == ["a", "b"]


def test_reload_and_prove_gives_the_same_network(tmp_path: Path) -> None:
    """What was saved comes back equal."""
    _, net = small_nets()
    save(net, tmp_path / "net.npz")
    assert reload_and_prove(tmp_path / "net.npz", net, np.zeros((2, 4), np.int8)) == net


def test_reload_and_prove_kills_another_network(tmp_path: Path) -> None:
    """A file of another network, or of a float one, is caught by name."""
    floating, net = small_nets()
    other = quantize_uniform(floating, np.ones((1, 4)), 2)
    for wrong in (other, floating):
        save(wrong, tmp_path / "net.npz")
        with pytest.raises(ValueError, match=r"net\.npz: does not hold"):
            reload_and_prove(tmp_path / "net.npz", net, np.zeros((2, 4), np.int8))


def test_prepare_folder_refuses_a_file_in_its_place(tmp_path: Path) -> None:
    """A file where the folder should be is an error that names it and --out."""
    (tmp_path / "taken").write_text("")
    for path in (tmp_path / "taken", tmp_path / "taken" / "below"):
        with pytest.raises(OSError, match="--out"):
            prepare_folder(path)


def test_prepare_folder_leaves_nothing_behind(tmp_path: Path) -> None:
    """Trying whether a file can be written leaves no file."""
    assert list(prepare_folder(tmp_path / "a" / "b").iterdir()) == []


def test_measure_latency_covers_every_batch() -> None:
    """One positive figure a network and batch, larger batches than rows included."""
    floating, net = small_nets()
    found = measure_latency(floating, net, quantize_dynamic(floating), np.ones((3, 4)), batches=(1, 7), seconds=0.001)
    assert [entry.batch for entry in found] == [1, 7]
    assert all(entry.float_seconds > 0 and entry.integer_seconds > 0 for entry in found)
    assert all(0 < entry.integer_low <= entry.integer_seconds <= entry.integer_high for entry in found)
