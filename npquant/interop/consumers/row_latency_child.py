"""The process that `npquant.interop.consumers.row_latency` starts: one engine, one file, one row after another.

Called as ``python -m npquant.interop.consumers.row_latency_child ENGINE FILE SECONDS``; prints the median in seconds.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from statistics import median
from time import perf_counter
from types import MappingProxyType
from typing import Final

import numpy as np

_FEWEST: Final = 20


def main(engine: str, path: str, seconds: float) -> float:
    """Time rows of zeros in engine, which runs the file path, for some seconds, input copied in and output copied out.

    ImportError if the engine is not installed.
    """
    call = _ENGINES[engine](path)
    call()  # warms caches
    taken: list[float] = []
    end = perf_counter() + seconds
    while len(taken) < _FEWEST or perf_counter() < end:
        start = perf_counter()
        call()
        taken.append(perf_counter() - start)
    return median(taken)


def _onnxruntime(path: str) -> Callable[[], object]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    (entry,) = session.get_inputs()
    dtype = {"tensor(int8)": np.int8, "tensor(uint8)": np.uint8, "tensor(double)": np.float64}
    x = np.zeros((1, entry.shape[-1]), dtype.get(entry.type, np.float32))
    return lambda: session.run(None, {entry.name: x})[0]


def _litert(path: str) -> Callable[[], object]:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=path, num_threads=1)
    interpreter.allocate_tensors()
    entry, out = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    x = np.zeros(entry["shape"], entry["dtype"])

    def call() -> object:
        interpreter.set_tensor(entry["index"], x)
        interpreter.invoke()
        return interpreter.get_tensor(out["index"])

    return call


def _tflm(path: str) -> Callable[[], object]:
    from tflite_micro.python.tflite_micro import runtime

    with open(path, "rb") as file:
        model = file.read()
    interpreter = runtime.Interpreter.from_bytes(model, arena_size=200_000 + 4 * len(model))
    entry = interpreter.get_input_details(0)
    x = np.zeros(entry["shape"], entry["dtype"])

    def call() -> object:
        interpreter.set_input(x, 0)
        interpreter.invoke()
        return interpreter.get_output(0)

    return call


_ENGINES: Final = MappingProxyType({"onnxruntime": _onnxruntime, "litert": _litert, "tflm": _tflm})


if __name__ == "__main__":
    sys.stdout.write(f"{main(sys.argv[1], sys.argv[2], float(sys.argv[3])):.9g}\n")
