"""Arm's TOSA reference model on graphs built in memory: NumPy arrays in, NumPy arrays out.

Legend: B batch, K contracted depth, N outputs; shift TOSA's own, to the right: 31 - e, or 15 - e for 16-bit
multipliers; izp, ozp zero points; mode "SINGLE_ROUND", "DOUBLE_ROUND" or "INEXACT_ROUND"; folder one to write into, for
the model's command: its Python door has no int48.
"""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

PACKAGE = "tosa-tools"
STUDIED_VERSION = "2026.8.0"
EXTRA = "engines"

# What a code type is to the serializer, and in what NumPy type it is handed over: unsigned is an attribute there.
TYPES = {
    "int8": ("INT8", "int8"),
    "uint8": ("INT8", "int8"),
    "int16": ("INT16", "int16"),
    "uint16": ("INT16", "int16"),
    "int32": ("INT32", "int32"),
    "int48": ("INT48", "int64"),
}


def installed_version() -> str:
    """Return the version of the installed engine."""
    return version(PACKAGE)


class Graph:
    """Build one graph, operator by operator, and run it."""

    def __init__(self) -> None:
        import tosa_serializer

        self.tosa = tosa_serializer
        self.serializer = tosa_serializer.TosaSerializer()
        self.fed: dict[str, NDArray[Any]] = {}

    def dtype(self, name: str) -> Any:
        """Return the serializer's name of a code type."""
        return getattr(self.tosa.DType, TYPES[name][0])

    def input(self, values: NDArray[Any], dtype: str) -> str:
        """Add an input and return its name."""
        name = str(self.serializer.addPlaceholder(values.shape, self.dtype(dtype), None).name)
        self.fed[name] = np.ascontiguousarray(values).view(TYPES[dtype][1])
        return name

    def const(self, values: ArrayLike, dtype: str) -> str:
        """Add a constant and return its name."""
        held = np.ascontiguousarray(np.asarray(values).astype(np.int64 if dtype == "int48" else dtype))
        return str(self.serializer.addConst(held.shape, self.dtype(dtype), held.view(TYPES[dtype][1])).name)

    def node(self, operator: str, inputs: list[str], out: str, attributes: tuple[str, tuple[Any, ...]]) -> None:
        """Add an operator that writes the tensor `out`."""
        attribute = self.tosa.TosaSerializerAttribute()
        getattr(attribute, attributes[0])(*attributes[1])
        self.serializer.addOperator(getattr(self.tosa.Op, operator), inputs, [out], attribute)

    def rescale(self, source: str, types: tuple[str, str], out: str, given: dict[str, Any]) -> None:
        """Add RESCALE: given has m, shift, izp, ozp, mode and wide (a 32-bit multiplier)."""
        m, shift = np.atleast_1d(given["m"]), np.atleast_1d(given["shift"])
        inputs = [
            source,
            self.const(m, "int32" if given["wide"] else "int16"),
            self.const(shift, "int8"),
            self.const([given["izp"]], types[0]),
            self.const([given["ozp"]], types[1]),
        ]
        mode = getattr(self.tosa.RoundingMode, given["mode"])
        unsigned = tuple(name.startswith("u") for name in types)
        self.node("RESCALE", inputs, out, ("RescaleAttribute", (given["wide"], mode, len(m) > 1, *unsigned)))

    def output(self, shape: tuple[int, ...], dtype: str) -> str:
        """Add an output and return its name."""
        return str(self.serializer.addOutput(shape, self.dtype(dtype)).name)

    def run(self, dtype: str) -> NDArray[Any]:
        """Run the graph, which must be predictable, and return its one output."""
        import tosa_reference_model

        outputs, status = tosa_reference_model.run(self.serializer.serialize(), list(self.fed.values()))
        assert status == tosa_reference_model.GraphStatus.TOSA_VALID, status
        return np.asarray(outputs[0].view(dtype))

    def run_command(self, out: str, folder: Path, inexact: str = "") -> tuple[NDArray[Any], ...]:
        """Run the graph by the model's command; for inexact codes of a type, their lowest and highest."""
        (folder / "graph.tosa").write_bytes(self.serializer.serialize())
        for name, values in self.fed.items():
            np.save(folder / f"{name}.npy", values)
        test: dict[str, Any] = {
            "tosa_file": "graph.tosa", "ifm_name": list(self.fed), "ifm_file": [f"{name}.npy" for name in self.fed],
            "ofm_name": [out], "ofm_file": ["y.npy"], "expected_failure": False,
        }  # fmt: skip
        if inexact:
            signed = {"unsigned_data": False}
            info = {"mode": "RESCALE_INEXACT", "data_type": inexact.upper(), "rescale_inexact_info": signed}
            test["test_requirements"] = {"bounds_file_required": True, "compliance": True}
            test["meta"] = {"compliance": {"version": "1", "tensors": {out: info}}}
        (folder / "desc.json").write_text(json.dumps(test))
        model = str(Path(sys.executable).with_name("tosa_reference_model"))
        command = [model, "--test_desc", str(folder / "desc.json")]
        subprocess.run([*command, "--precise_mode", str(int(bool(inexact)))], check=True, capture_output=True)
        return tuple(np.load(folder / name) for name in ("y.npy", *(["bounds_y.npy"] if inexact else [])))


def rescale(
    values: NDArray[Any],
    *,
    types: tuple[str, str],
    m: ArrayLike,
    shift: ArrayLike,
    izp: int = 0,
    ozp: int = 0,
    mode: str = "SINGLE_ROUND",
    folder: Path | None = None,
) -> NDArray[Any]:
    """Run RESCALE on (B, N), per tensor or with one multiplier a column: of 32 bits, but of 16 for int48 values."""
    graph = Graph()
    source, out = graph.input(values, types[0]), graph.output(values.shape, types[1])
    wide = types[0] != "int48"
    graph.rescale(source, types, out, {"m": m, "shift": shift, "izp": izp, "ozp": ozp, "mode": mode, "wide": wide})
    return graph.run(types[1]) if folder is None else graph.run_command(out, folder)[0]


def matmul(
    x_q: NDArray[Any], w_q: NDArray[Any], *, zx: int = 0, zw: int = 0, folder: Path | None = None
) -> NDArray[Any]:
    """Run MATMUL on (B, K) by (K, N) of one type: int8 to int32 sums, int16 to int48 ones."""
    graph, dtype = Graph(), x_q.dtype.name
    sums = "int32" if dtype == "int8" else "int48"
    inputs = [graph.input(x_q[np.newaxis], dtype), graph.input(w_q[np.newaxis], dtype)]
    out = graph.output((1, len(x_q), w_q.shape[1]), sums)
    graph.node("MATMUL", [*inputs, graph.const([zx], dtype), graph.const([zw], dtype)], out, ("MatMulAttribute", ()))
    return graph.run(sums)[0] if folder is None else graph.run_command(out, folder)[0][0]


def layer(
    x_q: NDArray[Any],
    w_q: NDArray[Any],
    bias: NDArray[Any],
    *,
    zero_points: tuple[int, int, int],
    m: ArrayLike,
    shift: ArrayLike,
    mode: str = "SINGLE_ROUND",
) -> NDArray[Any]:
    """Run a fully connected layer as TOSA has it: CONV2D of one pixel, bias included, then RESCALE to x_q's type."""
    graph, dtype = Graph(), x_q.dtype.name
    sums, (zx, zw, zy) = ("int32" if dtype == "int8" else "int48"), zero_points
    (rows, depth), n = x_q.shape, w_q.shape[1]
    inputs = [
        graph.input(x_q.reshape(rows, 1, 1, depth), dtype),
        graph.const(np.ascontiguousarray(w_q.T).reshape(n, 1, 1, depth), "int8"),
        graph.const(bias, sums),
        graph.const([zx], dtype),
        graph.const([zw], "int8"),
    ]
    acc = str(graph.serializer.addIntermediate((rows, 1, 1, n), graph.dtype(sums)).name)
    attributes = ([0, 0, 0, 0], [1, 1], [1, 1], False, graph.dtype(sums))
    graph.node("CONV2D", inputs, acc, ("Conv2dAttribute", attributes))
    out, wide = graph.output((rows, 1, 1, n), dtype), dtype == "int8"
    given = {"m": m, "shift": shift, "izp": 0, "ozp": zy, "mode": mode, "wide": wide}
    graph.rescale(acc, (sums, dtype), out, given)
    return graph.run(dtype).reshape(rows, n)


def bounds_of_inexact(
    values: NDArray[np.int32], folder: Path, *, out: str, m: int, shift: int, ozp: int
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Ask the model's command, as TOSA's conformance tests do, for the lowest and highest output that it accepts."""
    graph = Graph()
    source, result = graph.input(values, "int32"), graph.output(values.shape, out)
    given = {"m": m, "shift": shift, "izp": 0, "ozp": ozp, "mode": "INEXACT_ROUND", "wide": True}
    graph.rescale(source, ("int32", out), result, given)
    low, high = graph.run_command(result, folder, inexact=out)
    return low, high
