"""Time the C program of a network against onnxruntime, LiteRT and TFLite-Micro, after checking that the codes agree.

Run with one BLAS thread: OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 python benchmarks/c_program.py
Every engine is given its own export of the same network and one row at a time, on one thread. A peer is called from
Python: what an empty call costs (of the same kind, an identity of the same sizes) is stated beside it. Engines that
are not installed are named, and so is what cannot be measured here.

Prints one JSON line each: seconds from float weights to a program that was compiled, self-tested and compared; bytes of
a Cortex-M0 firmware; and for two networks nanoseconds and instructions of a row at -O2 and -O3, bytes of flash and RAM,
and each peer's nanoseconds.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import time
import warnings
from collections.abc import Callable
from importlib import resources
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

import npquant
from npquant.compression.rounding.uniform import quantize_uniform
from npquant.data.datasets import load_optdigits
from npquant.integer.mlp import IntegerMLP
from npquant.interop import read, to_c, to_onnx, to_tflite
from npquant.interop.consumers.c_cost import object_size, row_cost
from npquant.interop.consumers.cc import run_cc, selftest_cc, version_cc
from npquant.nn.model import DenseLayer, FloatMLP

ROWS = 64
Call = Callable[[NDArray[Any]], NDArray[Any]]


def lenet() -> tuple[FloatMLP, NDArray[np.float32]]:
    """Make a float network of LeNet-300-100's shape, and rows of pixels."""
    rng = np.random.default_rng(0)
    layers = []
    for i, (k, n) in enumerate(pairwise((784, 300, 100, 10))):
        size = 1 / np.sqrt(k) / (128 if i == 0 else 1)
        w, b = rng.normal(0, size, (k, n)), rng.normal(0, 0.1, n)
        layers.append(DenseLayer(w.astype(np.float32), b.astype(np.float32), "identity" if n == 10 else "relu"))
    return FloatMLP(tuple(layers)), rng.integers(0, 256, (512, 784)).astype(np.float32)


def digits() -> tuple[FloatMLP, NDArray[Any]]:
    """Load the bundled digits network and its rows."""
    with resources.as_file(resources.files("npquant.data") / "bundled" / "digits_float.npz") as path:
        model = npquant.load(path)
    assert isinstance(model, FloatMLP)
    return model, load_optdigits().x


def peers(folder: Path, net: IntegerMLP) -> dict[str, tuple[Call, str, type] | str]:
    """Return each engine's call on one row of real inputs, its name, and the type of its rows; or why there is none."""
    to_onnx(net, folder / "net.onnx")
    to_tflite(net, folder / "net.tflite")
    return {
        "onnxruntime": _onnxruntime(folder / "net.onnx"),
        "litert": _litert(folder / "net.tflite"),
        "tflm": _tflm(folder / "net.tflite"),
    }


def _onnxruntime(path: Path) -> tuple[Call, str, type] | str:
    try:
        import onnxruntime
    except ImportError:
        return "not installed"
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(os.fspath(path), options, providers=["CPUExecutionProvider"])
    name, out = session.get_inputs()[0].name, [session.get_outputs()[0].name]
    return lambda row: session.run(out, {name: row})[0], f"onnxruntime {onnxruntime.__version__}", np.float32


def _litert(path: Path) -> tuple[Call, str, type] | str:
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError:
        return "not installed"
    engine = Interpreter(model_path=os.fspath(path), num_threads=1)
    engine.allocate_tensors()
    taken, given = engine.get_input_details()[0], engine.get_output_details()[0]["index"]
    place = taken["index"]

    def call(row: NDArray[Any]) -> NDArray[Any]:
        engine.set_tensor(place, row)
        engine.invoke()
        return np.asarray(engine.get_tensor(given))

    return call, "LiteRT, XNNPACK", taken["dtype"]


def _tflm(path: Path) -> tuple[Call, str, type] | str:
    try:
        from tflite_micro import runtime
    except ImportError:
        return "not installed"
    engine = runtime.Interpreter.from_bytes(path.read_bytes(), arena_size=1 << 20)
    dtype = engine.get_input_details(0)["dtype"]

    def call(row: NDArray[Any]) -> NDArray[Any]:
        engine.set_input(row, 0)
        engine.invoke()
        return np.asarray(engine.get_output(0))

    return call, "TFLite-Micro's wheel", dtype


def nanoseconds(call: Call, rows: list[NDArray[Any]], rounds: int = 15) -> tuple[float, float]:
    """Time one row at a time: the median and the best of the rounds."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter_ns()
        for row in rows:
            call(row)
        times.append((time.perf_counter_ns() - start) / len(rows))
    return median(times), min(times)


def measured(name: str, model: FloatMLP, x: NDArray[Any]) -> dict[str, Any]:
    """Return the figures of one network: the program's, and each peer's."""
    net = quantize_uniform(model, x[:256])
    x_q = net.encode(x[:ROWS])
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        _, source = to_c(net, folder, name="net")
        if not np.array_equal(run_cc(source, x_q), net.run(x_q)):
            raise AssertionError("the C program gives other codes")
        figures: dict[str, Any] = {"network": name}
        for flags in (("-std=c99", "-O2"), ("-std=c99", "-O3", "-march=native")):
            text, data, bss = object_size(source, flags=flags)
            costs = [row_cost(source, x_q, 0.1, flags=flags) for _ in range(5)]
            least = min(cost.seconds for cost in costs)
            figures[" ".join(flags[1:])] = {
                "ns": round(1e9 * least), "instructions": costs[0].instructions, "flash": text, "ram": data + bss
            }  # fmt: skip
        figures["gcc"] = version_cc()
        figures["cortex_m0_flash"] = _cortex_m0(source)
        floats = [row[None].astype(np.float32) for row in x[:ROWS]]
        codes = [row[None] for row in x_q]
        for peer, found in peers(folder, net).items():
            if isinstance(found, str):
                figures[peer] = found
                continue
            call, version, dtype = found
            rows = codes if np.dtype(dtype).kind in "iu" else floats
            _check(folder, peer, call, rows, x)
            middle, best = nanoseconds(call, rows)
            ours = figures["-O2"]["ns"]
            figures[peer] = {
                "version": version,
                "ns": round(middle),
                "best_ns": round(best),
                "over_c": round(best / ours, 1),
            }
    return figures


def _check(folder: Path, peer: str, call: Call, rows: list[NDArray[Any]], x: NDArray[Any]) -> None:
    """Compare an engine's answers with what npquant predicts of its file."""
    profile = {"onnxruntime": "ort", "litert": "xnnpack_fp32_avx512", "tflm": "tflm"}[peer]
    imported = read(folder / ("net.onnx" if peer == "onnxruntime" else "net.tflite"), profile=profile)
    given = np.concatenate(rows)
    answers = np.concatenate([np.array(call(row)) for row in rows])
    if not np.array_equal(np.asarray(imported.run(given)), answers):
        raise AssertionError(f"{peer} gives other codes than npquant predicts")


def _cortex_m0(source: Path) -> int | str:
    flags = ("-std=c99", "-Os", "-mcpu=cortex-m0", "-mthumb")
    try:
        return object_size(source, cc="arm-none-eabi-gcc", flags=flags, size="arm-none-eabi-size")[0]
    except ImportError:
        return "not installed"


def seconds_to_program() -> dict[str, float]:
    """Time float.npz -> a C program whose self-test passed, and whose codes were compared."""
    start = time.perf_counter()
    model, x = digits()
    net = quantize_uniform(model, x[:500])
    with tempfile.TemporaryDirectory() as folder:
        _, source = to_c(net, folder, name="digits")
        written = time.perf_counter()
        x_q = net.encode(x)
        if selftest_cc(source) or not np.array_equal(run_cc(source, x_q), net.run(x_q)):
            raise AssertionError("the C program gives other codes")
    return {"to_source_s": round(written - start, 3), "to_verified_program_s": round(time.perf_counter() - start, 3)}


_FIRMWARE = """\
#include <stdint.h>
#include "{header}"
volatile {ctype} in[64];
int main(void)
{{
    {ctype} x[64];
    int i;
    for (i = 0; i < 64; i++) {{
        x[i] = in[i];
    }}
    return {call};
}}
"""


# The wheel holds one library, of this machine's processor and with Python's bindings in it; no sources, no ARM.
_NO_TFLM = "not measured: its wheel is built for this machine alone, without an ARM library or sources to compile"


def firmware_bytes() -> dict[str, Any]:
    """Link a Cortex-M0 firmware around the digits network: npquant's integers, emlearn's floats of the same shape."""
    if shutil.which("arm-none-eabi-gcc") is None:
        return {"firmware_bytes": "arm-none-eabi-gcc is not installed"}
    model, x = digits()
    figures: dict[str, Any] = {"tflite_micro_runtime": _NO_TFLM}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for bits in (8, 4):
            _, source = to_c(quantize_uniform(model, x[:256], bits=bits), folder, name=f"net{bits}")
            main = _FIRMWARE.format(header=f"net{bits}.h", ctype="int8_t", call=f"net{bits}_predict(x)")
            figures[f"npquant_{bits}_bits"] = _linked(folder, main, str(source))
        try:
            import emlearn
            from sklearn.neural_network import MLPClassifier
        except ImportError:
            return {"firmware_bytes": {**figures, "emlearn_float": "not installed"}}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fitted = MLPClassifier((64, 32), max_iter=5, random_state=0).fit(x, load_optdigits().y)
            emlearn.convert(fitted, method="inline").save(file=str(folder / "theirs.h"), name="theirs")
        main = _FIRMWARE.format(header="theirs.h", ctype="float", call="theirs_predict(x, 64)")
        figures["emlearn_float"] = _linked(folder, main, "-I", emlearn.includedir, "-lm")
    return {"firmware_bytes": figures}


def _linked(folder: Path, main: str, *words: str) -> int:
    (folder / "main.c").write_text(main)
    command = ["arm-none-eabi-gcc", "-std=c99", "-mcpu=cortex-m0", "-mthumb", "-Os", "--specs=nosys.specs"]
    command += ["-ffunction-sections", "-fdata-sections", "-Wl,--gc-sections", "-I", str(folder)]
    subprocess.run(
        [*command, str(folder / "main.c"), *words, "-o", str(folder / "a.elf")], check=True, capture_output=True
    )
    listed = subprocess.run(["arm-none-eabi-size", str(folder / "a.elf")], check=True, capture_output=True, text=True)
    text, data = listed.stdout.splitlines()[1].split()[:2]
    return int(text) + int(data)


def main() -> None:
    """Print one JSON line a figure."""
    print(json.dumps(seconds_to_program()), flush=True)
    print(json.dumps(firmware_bytes()), flush=True)
    for name, (model, x) in (("digits 64-64-32-10", digits()), ("784-300-100-10", lenet())):
        print(json.dumps(measured(name, model, x)), flush=True)


if __name__ == "__main__":
    main()
