"""What the tests of commands start from."""

from importlib import resources
from pathlib import Path

import pytest

from npquant.files.storage import save
from npquant.interop.reading import load


@pytest.fixture(scope="session")
def float_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the bundled float network, 64-64-32-10."""
    path = tmp_path_factory.mktemp("bundled") / "float.npz"
    path.write_bytes((resources.files("npquant.data") / "bundled" / "digits_float.npz").read_bytes())
    return path


@pytest.fixture(scope="session")
def integer_file(float_file: Path) -> Path:
    """The same network on integers: 8, 4 and 2 bits."""
    from npquant.cli.starting_network import load_start
    from npquant.compression.rounding.rectified.network import quantize_rectified
    from npquant.nn.model import FloatMLP

    model = load(float_file)
    assert isinstance(model, FloatMLP)
    path = float_file.parent / "integer.npz"
    x = load_start(str(float_file), data=None, rows=200, seed=0).x_calibration
    save(quantize_rectified(model, x, (8, 4, 2)), path)
    return path
