"""Keras itself writes drawn models in both formats, and answers: what is read answers the same."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from npquant.files.format_error import FormatError
from npquant.interop import read

# Run in a process of its own: Keras chooses its backend when it is imported, and keeps a folder of settings.
WRITE = """
import sys
import numpy as np
import keras
from keras import layers as L

folder, rng = sys.argv[1], np.random.default_rng(12)
keras.utils.set_random_seed(12)

def drawn():
    n = int(rng.integers(1, 9))
    rows = [int(rng.integers(1, 4)), n] if rng.random() < 0.3 else [n]
    parts = [keras.Input(tuple(rows))]
    if rng.random() < 0.4:
        norm = L.Normalization(axis=-1)
        norm.adapt(rng.normal(size=(20, *rows)) * 3 + 1)
        parts.append(norm)
    if rng.random() < 0.3:
        parts.append(L.Rescaling(0.5, offset=float(rng.normal())))
    parts.append(L.Flatten())
    names = ["relu", "relu6", "hard_sigmoid", "hard_tanh", "sigmoid", "tanh", "linear"]
    for i in range(int(rng.integers(1, 4))):
        name = str(rng.choice(names))
        if rng.random() < 0.5:
            parts.append(L.Dense(int(rng.integers(1, 9)), name, use_bias=bool(rng.integers(2))))
        else:
            parts += [L.Dense(int(rng.integers(1, 9))), L.BatchNormalization(scale=bool(rng.integers(2))),
                      L.ReLU(3.0) if name == "relu" else L.Activation(name), L.Dropout(0.3)]
    parts.append(L.Dense(3, str(rng.choice(["linear", "softmax", "sigmoid"]))))
    if rng.random() < 0.3:
        cut = int(rng.integers(2, len(parts) - 1))
        inner = keras.Sequential(parts[cut:-1] or [L.Dropout(0.1)])
        return keras.Sequential([*parts[:cut], inner, parts[-1]]), rows
    if rng.random() < 0.4:
        x = out = parts[0]
        for part in parts[1:]:
            out = part(out)
        return keras.Model(x, out), rows
    return keras.Sequential(parts), rows

for i in range(int(sys.argv[2])):
    model, rows = drawn()
    for w in model.weights:
        if w.name in ("gamma", "beta", "bias", "moving_mean"):
            w.assign(rng.normal(size=w.shape))
        elif w.name == "moving_variance":
            w.assign(rng.random(w.shape) + 0.1)
    x = rng.normal(size=(8, *rows)).astype(np.float32)
    y = keras.ops.convert_to_numpy(model(x, training=False))
    for ending in ("keras", "h5"):
        model.save(f"{folder}/{i}.{ending}")
    np.savez(f"{folder}/{i}.npz", x=x.reshape(len(x), -1), y=y)

lora = keras.Sequential([keras.Input((6,)), L.Dense(5, "relu"), L.Dense(3)])
lora.layers[0].enable_lora(2)
lora.save(f"{folder}/lora.keras")
lora.save(f"{folder}/lora.h5")
lora.save_weights(f"{folder}/only.weights.h5")
half = keras.Sequential([keras.Input((6,)), L.Dense(5, "relu", dtype="bfloat16"), L.Dense(3, dtype="bfloat16")])
half.save(f"{folder}/half.keras")
half.save(f"{folder}/half.h5")
plain = keras.Sequential([keras.Input((6,)), L.Dense(5, "relu"), L.Dense(3)])
plain.quantize("int8")
plain.save(f"{folder}/int8.keras")
"""
COUNT = 20


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Let Keras write its files once."""
    for package in ("keras", "torch"):  # not imported here: Keras would want TensorFlow
        if find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    made = tmp_path_factory.mktemp("keras")
    environment = {**os.environ, "KERAS_BACKEND": "torch", "KERAS_HOME": str(made), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", WRITE, str(made), str(COUNT)],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return made


@pytest.mark.peer
@pytest.mark.parametrize("ending", ["keras", "h5"])
def test_drawn_models(folder: Path, ending: str) -> None:
    """Drawn models of both formats answer as Keras does, within the roundings of its float32.

    Each sum of n terms costs gamma_n of its magnitudes; activations and heads are 1-Lipschitz.
    """
    for i in range(COUNT):
        found = read(folder / f"{i}.{ending}")
        with np.load(folder / f"{i}.npz") as stored:
            x, want = stored["x"], stored["y"]
        n, m = 64, float(np.abs(x).max())
        for layer in found.model.layers:
            n += layer.w.shape[0] + 8
            m = 1 + np.abs(m * layer.w.astype(np.float64)).sum(0).max() + np.abs(layer.b).max()
        gamma = n * 2.0**-24 / (1 - n * 2.0**-24)
        got = found.run(x)
        assert got.shape == want.shape
        assert np.abs(got - want).max() <= 2 * gamma * m, (i, found.notes)


@pytest.mark.peer
def test_what_keras_writes_of_other_kinds(folder: Path) -> None:
    """LoRA is merged in .keras and refused in .h5; bfloat16 is read in both; int8 and weights alone are refused."""
    assert read(folder / "lora.keras").model.neurons == (5, 3)
    halves = [read(folder / f"half.{ending}").model for ending in ("keras", "h5")]
    assert halves[0].layers[0].w.tobytes() == halves[1].layers[0].w.tobytes() and halves[0].dtype == np.float32
    for name, says in (("lora.h5", "lora_kernel_a"), ("int8.keras", "Quantized"), ("only.weights.h5", "model_config")):
        with pytest.raises(FormatError, match=says):
            read(folder / name)
