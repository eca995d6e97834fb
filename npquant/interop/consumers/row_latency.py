"""How long one row takes in an engine: a batch of 1, one thread, input copied in and output copied out.

Legend: engine "onnxruntime", "litert" or "tflm"; path the file that it runs; seconds to spend.
"""

from __future__ import annotations

import os
from types import MappingProxyType
from typing import Final

import numpy as np

from npquant.interop.consumers.apart import run_apart

_ONNXRUNTIME: Final = """
import onnxruntime
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = options.inter_op_num_threads = 1
options.log_severity_level = 3
session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
entry = session.get_inputs()[0]
kinds = {"tensor(int8)": np.int8, "tensor(uint8)": np.uint8, "tensor(int16)": np.int16, "tensor(double)": np.float64}
feed = {entry.name: np.zeros((1, entry.shape[-1]), kinds.get(entry.type, np.float32))}
def call():
    return session.run(None, feed)
"""
_LITERT: Final = """
from ai_edge_litert.interpreter import Interpreter
engine = Interpreter(model_path=path, num_threads=1)
engine.allocate_tensors()
entry, out = engine.get_input_details()[0], engine.get_output_details()[0]
row = np.zeros(entry["shape"], entry["dtype"])
def call():
    engine.set_tensor(entry["index"], row)
    engine.invoke()
    return engine.get_tensor(out["index"])
"""
_TFLM: Final = """
from tflite_micro.python.tflite_micro import runtime
with open(path, "rb") as file:
    content = file.read()
engine = runtime.Interpreter.from_bytes(content, arena_size=200_000 + 4 * len(content))
entry = engine.get_input_details(0)
row = np.zeros(entry["shape"], entry["dtype"])
def call():
    engine.set_input(row, 0)
    engine.invoke()
    return engine.get_output(0)
"""
# One call before the clock starts warms caches.
_CLOCK: Final = """
from statistics import median
from time import perf_counter
call()
taken, end = [], perf_counter() + float(x)
while len(taken) < 20 or perf_counter() < end:
    start = perf_counter()
    call()
    taken.append(perf_counter() - start)
y = np.array(median(taken))
"""
_LOADS: Final = MappingProxyType({"onnxruntime": _ONNXRUNTIME, "litert": _LITERT, "tflm": _TFLM})


def time_row(engine: str, path: str | os.PathLike[str], seconds: float) -> float:
    """Take the median seconds of a row, in a process of its own: an engine that dies takes nothing with it.

    ValueError if the engine is unknown; RuntimeError with its last words if it is not installed, or does not run the
    file.
    """
    if engine not in _LOADS:
        raise ValueError(f"unknown engine {engine!r}; known: {', '.join(_LOADS)}")
    return float(run_apart(_LOADS[engine] + _CLOCK, path, np.array(seconds), engine=engine))
