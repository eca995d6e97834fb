"""Time each importer on a network of a million parameters, beyond reading the file's bytes, after checking its weights.

    OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 python benchmarks/bench_importers.py

The peer of every format is reading the file's bytes in the same run, and of npquant's own .npz (float, integer and
dynamic networks) also `numpy.load` of the same arrays. Times are those of the processor, calls taken in turn, the least
of the repeats: what a call costs where nothing else runs beside it. The limit is 0.5 s beyond reading, and 1.5 times
`numpy.load`. Packages (h5py) are imported before the clock starts.
"""

from __future__ import annotations

import io
import json
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

import npquant
from npquant.interop import from_sklearn, from_torch, read, to_npz, to_onnx, to_tflite
from npquant.nn.model import DenseLayer, FloatMLP

SIZES = (784, 900, 300, 10)  # 979,510 parameters
REPEATS = 25
LIMIT_S, LIMIT_RATIO = 0.5, 1.5


def network() -> FloatMLP:
    """Return a network of float32 with relu between its layers."""
    rng = np.random.default_rng(0)
    pairs = pairwise(SIZES)
    layers = [(rng.normal(size=pair).astype(np.float32), rng.normal(size=pair[1]).astype(np.float32)) for pair in pairs]
    names = ["relu"] * (len(layers) - 1) + ["identity"]
    return FloatMLP([DenseLayer(w, b, name) for (w, b), name in zip(layers, names, strict=True)])


def write_safetensors(net: FloatMLP, path: Path) -> None:
    """Write a state_dict as the package does."""
    header, body = {}, b""
    for i, layer in enumerate(net.layers):
        for name, array in ((f"{2 * i}.weight", layer.w.T), (f"{2 * i}.bias", layer.b)):
            data = np.ascontiguousarray(array).tobytes()
            span = [len(body), len(body) + len(data)]
            header[name] = {"dtype": "F32", "shape": list(array.shape), "data_offsets": span}
            body += data
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + body)


def write_keras(net: FloatMLP, path: Path) -> None:
    """Write a Sequential model, of either format, as Keras does."""
    import h5py

    layers: list[Any] = [
        {"class_name": "Dense", "config": {"name": f"d{i}", "units": layer.b.size, "activation": layer.activation}}
        for i, layer in enumerate(net.layers)
    ]
    for one in layers:
        one["config"]["activation"] = one["config"]["activation"].replace("identity", "linear")
    model = json.dumps({"class_name": "Sequential", "config": {"layers": layers}})
    buffer = io.BytesIO()
    zipped = path.suffix == ".keras"
    with h5py.File(buffer, "w") as file:
        for i, layer in enumerate(net.layers):
            group = file.create_group(f"layers/dense{f'_{i}' if i else ''}/vars" if zipped else f"model_weights/d{i}")
            names = ("0", "1") if zipped else ("kernel:0", "bias:0")
            group[names[0]], group[names[1]] = layer.w, layer.b
            if not zipped:
                group.attrs["weight_names"] = names
        if not zipped:
            file.attrs["model_config"] = model
    if not zipped:
        path.write_bytes(buffer.getvalue())
        return
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", model)
        archive.writestr("metadata.json", '{"keras_version": "3.15.1"}')
        archive.writestr("model.weights.h5", buffer.getvalue())


def least(calls: list[Callable[[], object]]) -> list[float]:
    """Time calls in turn; the least of each, processor seconds."""
    times: list[list[float]] = [[] for _ in calls]
    for _ in range(REPEATS):
        for call, seconds in zip(calls, times, strict=True):
            start = time.process_time()
            call()
            seconds.append(time.process_time() - start)
    return [min(seconds) for seconds in times]


def require_same(net: FloatMLP, found: Any) -> None:
    """Raise AssertionError unless every weight is the network's own, bit for bit."""
    for one, two in zip(net.layers, found.layers, strict=True):
        assert one.w.tobytes() == two.w.tobytes() and one.b.tobytes() == two.b.tobytes()


def files_of(net: FloatMLP, folder: Path) -> dict[str, Path]:
    """Write the network in every format, and return where."""
    names = ("npz", "int8.npz", "dynamic.npz", "onnx", "safetensors", "keras", "h5", "tflite")
    paths = {name: folder / f"net.{name}" for name in names}
    to_npz(net, paths["npz"])
    to_onnx(net, paths["onnx"])
    write_safetensors(net, paths["safetensors"])
    write_keras(net, paths["keras"])
    write_keras(net, paths["h5"])
    x = np.random.default_rng(1).normal(size=(64, SIZES[0])).astype(np.float32)
    integers = npquant.quantize_uniform(net, x, 8, 8)
    to_tflite(integers, paths["tflite"])
    to_npz(integers, paths["int8.npz"])
    to_npz(npquant.quantize_dynamic(net), paths["dynamic.npz"])
    return paths


def main() -> int:
    """Print the table; return 1 if an importer, or loading against numpy.load, is over its limit."""
    net, over = network(), False
    with tempfile.TemporaryDirectory() as folder:
        for name, path in files_of(net, Path(folder)).items():
            activations = "relu" if name == "safetensors" else None

            def importing(path: Path = path, activations: str | None = activations) -> Any:
                return read(path, activations=activations).model

            def arrays(path: Path = path) -> None:
                with np.load(path) as stored:
                    for key in stored.files:
                        stored[key]

            if name not in ("tflite", "int8.npz", "dynamic.npz"):  # which hold codes
                require_same(net, importing())
            calls: list[Callable[[], object]] = [path.read_bytes, importing]
            reading, taken, *loading = least([*calls, arrays] if name.endswith("npz") else calls)
            beyond = taken - reading
            ratio = f"{taken / loading[0]:6.2f} x numpy.load" if loading else ""
            print(f"{name:12} {beyond * 1e3:8.1f} ms beyond reading, which takes {reading * 1e3:6.1f} ms  {ratio}")
            over |= beyond > LIMIT_S or bool(loading and taken > LIMIT_RATIO * loading[0])
    state = {f"{i}.{k}": v for i, y in enumerate(net.layers) for k, v in (("weight", y.w.T), ("bias", y.b))}
    estimator = SimpleNamespace(
        coefs_=[y.w for y in net.layers], intercepts_=[y.b for y in net.layers], activation="relu",
        out_activation_="identity",
    )  # fmt: skip
    for name, call in {
        "state_dict": lambda: from_torch(state, activations="relu").model,
        "scikit-learn": lambda: from_sklearn(estimator).model,
    }.items():
        require_same(net, call())
        (taken,) = least([call])
        print(f"{name:12} {taken * 1e3:8.1f} ms")
        over |= taken > LIMIT_S
    return int(over)


if __name__ == "__main__":
    sys.exit(main())
