"""Laws of plain arrays out: any network, NumPy's names, the same network back, whole or not at all."""

from pathlib import Path

import numpy as np
import pytest

import npquant
from npquant.files.plain_arrays import encode_plain_arrays
from npquant.interop import read, to_npz
from npquant.nn.model import DenseLayer, FloatMLP
from tests.files.test_plain_arrays import network


@pytest.mark.parametrize("seed", range(12))
def test_to_npz_comes_back_equal_through_read(seed: int, tmp_path: Path) -> None:
    """`read` and `load` give the same network; the bytes are those of `encode_plain_arrays`, every time."""
    net = network(seed)
    to_npz(net, tmp_path / "net.npz")
    assert (tmp_path / "net.npz").read_bytes() == encode_plain_arrays(net)
    found = read(tmp_path / "net.npz")
    assert (found.format, found.head) == ("npquant", "none") and type(found.model) is type(net)
    assert encode_plain_arrays(npquant.load(tmp_path / "net.npz")) == encode_plain_arrays(net)
    with np.load(tmp_path / "net.npz") as arrays:
        for i, layer in enumerate(net.layers):
            codes = layer.w if isinstance(net, FloatMLP) else layer.w_q  # type: ignore[attr-defined]
            assert arrays[f"w{i}"].dtype == codes.dtype and np.array_equal(arrays[f"w{i}"], codes)


def test_to_npz_leaves_the_old_file_where_it_fails(tmp_path: Path) -> None:
    """What is no network, or has no place, changes nothing on the disk."""
    net = FloatMLP((DenseLayer(np.eye(2), np.zeros(2), "identity"),))
    to_npz(net, tmp_path / "net.npz")
    before = (tmp_path / "net.npz").read_bytes()
    with pytest.raises(TypeError, match="can be saved"):
        to_npz([1, 2], tmp_path / "net.npz")
    with pytest.raises(OSError, match="nowhere"):
        to_npz(net, tmp_path / "nowhere" / "net.npz")
    assert (tmp_path / "net.npz").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["net.npz"]
