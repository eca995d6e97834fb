"""What npquant writes as TFLite is run by LiteRT and TFLite-Micro, and answers as npquant said before it ran."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from npquant.compression.rounding.uniform import quantize_uniform
from npquant.interop import from_tflite, to_tflite
from npquant.interop.consumers import litert, tflm
from npquant.interop.consumers.litert import RESOLVERS, run_litert, version_litert
from npquant.interop.consumers.tflm import run_tflm, version_tflm
from npquant.interop.tflite_out import integers
from npquant.nn.model import DenseLayer, FloatMLP
from tests.interop.tflite_out.networks import inputs, network

pytestmark = pytest.mark.peer

# Ten outputs a row: 1.2 x 10^5 a resolver, and 1.08 x 10^5 of TFLite-Micro.
ROWS = 1200
SIZES = (14, 24, 16, 10)
NETWORKS: dict[str, dict[str, Any]] = {
    "per tensor": {"activations": ["relu", "relu6", "identity"]},
    "per channel": {"activations": ["relu", "relu_n1_to_1", "relu"], "per_channel": True},
    "tables": {"activations": ["sigmoid", "tanh", "identity"]},
    "4 bits": {"activations": ["relu", "identity", "identity"], "bits": 4},
    "2 bits per channel": {"activations": ["relu", "relu", "identity"], "bits": 2, "per_channel": True},
    "softmax": {"activations": ["relu", "relu", "identity"], "head": "softmax"},
    "logistic": {"activations": ["relu", "relu", "identity"], "head": "logistic"},
    "16x8": {"activations": ["relu", "relu", "identity"], "dtype": "int16"},
    "16x8 per channel": {"activations": ["relu6", "relu", "identity"], "dtype": "int16", "per_channel": True},
    "uint8": {"activations": ["relu", "relu", "identity"], "dtype": "uint8"},
}


@pytest.fixture
def need_litert() -> None:
    if version_litert() is None:
        pytest.skip(f"{litert.PACKAGE} is not installed; it is in the extra 'peers'")


@pytest.fixture
def need_tflm() -> None:
    if version_tflm() is None:
        pytest.skip(f"{tflm.PACKAGE} is not installed; it is in the extra 'peers'")


def written(name: str, folder: Path) -> tuple[Path, np.ndarray]:
    """The file of a network of NETWORKS, and inputs for it."""
    options = dict(NETWORKS[name])
    head = options.pop("head", "none")
    rng = np.random.default_rng(sorted(NETWORKS).index(name))
    model = network(rng, SIZES, **options)
    path = folder / "model.tflite"
    to_tflite(model, path, head=head)
    return path, inputs(rng, model, ROWS)


@pytest.mark.parametrize("resolver", RESOLVERS)
@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.usefixtures("need_litert")
def test_litert_answers_as_predicted(name: str, resolver: str, tmp_path: Path) -> None:
    """0 of 12,000 codes differ from those of the resolver's profile."""
    path, x = written(name, tmp_path)
    predicted = from_tflite(path, profile=RESOLVERS[resolver][1]).run(x)
    answered = run_litert(path, x, resolver=resolver)
    assert answered.dtype == predicted.dtype
    assert len(np.unique(answered)) > 3  # not vacuous
    np.testing.assert_array_equal(answered, predicted)


@pytest.mark.parametrize("name", [name for name in NETWORKS if name != "uint8"])  # its kernels take no uint8
@pytest.mark.usefixtures("need_tflm")
def test_tflm_answers_as_predicted(name: str, tmp_path: Path) -> None:
    """0 of 12,000 codes differ from those of the profile "tflm"."""
    path, x = written(name, tmp_path)
    predicted = from_tflite(path, profile="tflm").run(x)
    np.testing.assert_array_equal(run_tflm(path, x), predicted)


def quantized(folder: Path) -> tuple[Path, np.ndarray, np.ndarray]:
    """A float network quantized to activations of 16 bits, input codes at the rails among them, and its own answers."""
    rng = np.random.default_rng(16)
    ends = [(14, 24, "clipped_relu"), (24, 16, "relu"), (16, 10, "identity")]
    layers = [DenseLayer(rng.normal(0, k**-0.5, (k, n)), rng.normal(0, 0.3, n), name) for k, n, name in ends]
    model = quantize_uniform(FloatMLP(tuple(layers)), rng.normal(size=(300, 14)), (8, 4, 8), 16)
    to_tflite(model, folder / "model.tflite")
    x = rng.integers(-32768, 32768, (ROWS, 14)).astype(np.int16)
    x[:2] = [[-32768], [32767]]
    x[2:600] = np.clip(rng.normal(0, 9000, (598, 14)), -32768, 32767)
    return folder / "model.tflite", x, model.run(x)


@pytest.mark.parametrize("resolver", RESOLVERS)
@pytest.mark.usefixtures("need_litert")
def test_litert_answers_networks_quantized_to_16_bits(resolver: str, tmp_path: Path) -> None:
    """What `activation_bits=16` makes is 16x8: 0 of 12,000 codes differ from the resolver's profile; TFLM's differ."""
    path, x, own = quantized(tmp_path)
    answered = run_litert(path, x, resolver=resolver)
    np.testing.assert_array_equal(answered, from_tflite(path, profile=RESOLVERS[resolver][1]).run(x))
    assert np.abs(answered.astype(int) - own).max() <= 1 and len(np.unique(answered)) > 5000
    assert (answered != from_tflite(path, profile="tflm").run(x)).any()


@pytest.mark.usefixtures("need_tflm")
def test_tflm_answers_networks_quantized_to_16_bits(tmp_path: Path) -> None:
    """0 of 12,000 codes differ from those of the profile "tflm", some from npquant's own."""
    path, x, own = quantized(tmp_path)
    answered = run_tflm(path, x)
    np.testing.assert_array_equal(answered, from_tflite(path, profile="tflm").run(x))
    assert (answered != own).any()


@pytest.mark.parametrize(("k", "profile"), [(16, "xnnpack_fp32_avx512"), (15, "ruy_x86")])
@pytest.mark.usefixtures("need_litert")
def test_xnnpack_leaves_int4_of_an_odd_k_to_ruy(
    k: int, profile: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Why those are stored as INT8: two layers of one file would be computed by two rules."""
    monkeypatch.setattr(integers, "_is_nibbles", lambda _: True)
    rng = np.random.default_rng(k)
    model = network(rng, [k, 10], ["identity"], bits=4)
    to_tflite(model, tmp_path / "model.tflite")
    x = inputs(rng, model, ROWS)
    answered = run_litert(tmp_path / "model.tflite", x)
    np.testing.assert_array_equal(answered, from_tflite(tmp_path / "model.tflite", profile=profile).run(x))
    other = from_tflite(tmp_path / "model.tflite", profile="litert_ref_2025" if k % 2 else "ruy_x86").run(x)
    assert (answered != other).any()


@pytest.mark.usefixtures("need_litert")
def test_litert_computes_float_networks(tmp_path: Path) -> None:
    """Float outputs agree within the rounding of float32 sums: 2^-18 of the largest over three layers of 16."""
    rng = np.random.default_rng(0)
    layers = tuple(
        DenseLayer(rng.normal(size=(16, 16)).astype(np.float32), rng.normal(size=16).astype(np.float32), name)
        for name in ("relu", "clipped_relu", "identity")
    )
    to_tflite(FloatMLP(layers), tmp_path / "f.tflite")
    x = rng.normal(size=(100, 16)).astype(np.float32)
    wanted = FloatMLP(layers).logits(x)
    given = run_litert(tmp_path / "f.tflite", x)
    assert np.abs(given - wanted).max() <= 2.0**-18 * np.abs(wanted).max()


@pytest.mark.usefixtures("need_litert")
def test_a_file_that_litert_refuses_is_an_error_and_not_the_end(tmp_path: Path) -> None:
    """The engine runs in a process of its own: it may die there, and says so here."""
    (tmp_path / "bad.tflite").write_bytes(b"\x10\0\0\0TFL3" + bytes(50))
    with pytest.raises(RuntimeError, match="LiteRT ended with"):
        run_litert(tmp_path / "bad.tflite", np.zeros((1, 3), np.int8))
    with pytest.raises(ValueError, match="unknown resolver"):
        run_litert(tmp_path / "bad.tflite", np.zeros((1, 3), np.int8), resolver="fast")
