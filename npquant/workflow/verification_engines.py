"""Which runtime an artefact is for, and how it is handed over.

Legend: path the artefact, a file or a folder, kind its format; engine by name; profile the arithmetic that is
asked for; x (B, K) inputs; model what a C program or a memory image computes.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from npquant.files.format_error import FormatError
from npquant.interop.recognition import format_of

# The formats that an engine runs, the one whose artefacts it is asked to run by default first.
ENGINES: Final[Mapping[str, str]] = MappingProxyType(
    {"onnxruntime": "onnx", "litert": "tflite", "tflm": "tflite", "cc": "c", "verilog": "readmemh"}
)


def artefact_at(path: str | os.PathLike[str]) -> tuple[str, Path]:
    """The format of an artefact, and its main file: FormatError where none of the engines runs it."""
    place = Path(path)
    if place.is_dir():
        if (place / "map.json").exists():
            return "readmemh", place / "map.json"
        sources = sorted(place.glob("*.c"))
        if len(sources) != 1:
            raise FormatError(place, "", f"a folder with {len(sources)} C sources and no map.json; name the NAME.c")
        return "c", sources[0]
    if place.name == "map.json":
        return "readmemh", place
    if place.suffix.lower() in (".c", ".h"):
        return "c", place.with_suffix(".c")
    with place.open("rb") as file:
        found = format_of(file.read(1 << 20))
    if found not in ENGINES.values():
        raise FormatError(place, "", f"is {found}; verify runs {', '.join(dict.fromkeys(ENGINES.values()))}")
    return found, place


def engine_for(kind: str, engine: str | None) -> str:
    """The engine that is asked for, or the first for a format kind; ValueError where it does not run the format.

    >>> engine_for("tflite", None)
    'litert'
    """
    if engine is None:
        return next(name for name, format_run in ENGINES.items() if format_run == kind)
    if engine not in ENGINES:
        raise ValueError(f"unknown engine {engine!r}; known: {', '.join(ENGINES)}")
    if ENGINES[engine] != kind:
        raise ValueError(f"{engine} runs {ENGINES[engine]}; this is {kind}")
    return engine


def profile_for(engine: str) -> str | None:
    """The profile that an engine's answers are compared with where none is asked for; None: that of the file."""
    return "tflm" if engine == "tflm" else None


def run_engine(engine: str, path: Path, x: NDArray[Any], profile: str) -> tuple[NDArray[Any], str]:
    """What the engine answers, and its version. ImportError where it is not installed, RuntimeError where it fails."""
    if engine == "onnxruntime":
        from npquant.interop.consumers.onnxruntime import run_onnxruntime, version_onnxruntime

        return run_onnxruntime(path, x), version_onnxruntime() or ""
    if engine == "litert":
        from npquant.interop.consumers.litert import run_litert, version_litert

        resolver = _resolver(profile)
        return run_litert(path, x, resolver=resolver), f"{version_litert()} ({resolver})"
    if engine == "tflm":
        from npquant.interop.consumers.tflm import run_tflm, version_tflm

        return run_tflm(path, x), version_tflm() or ""
    if engine == "cc":
        from npquant.interop.consumers.cc import run_cc, version_cc

        return run_cc(path, x), version_cc() or ""
    from npquant.interop.consumers.verilog import run_verilog, version_verilog

    return run_verilog(path, x), version_verilog() or ""


def _resolver(profile: str) -> str:
    """LiteRT's kernels that compute as a profile does; its reference kernels for the profile of another engine."""
    if profile.startswith("xnnpack"):
        return "xnnpack"
    return "ruy" if profile.startswith("ruy") else "ref"


def golden_of(kind: str, path: Path) -> tuple[NDArray[Any], NDArray[Any]]:
    """The inputs and answers that a C program or a memory image carries; FormatError where it carries none."""
    if kind == "c":
        from npquant.interop.consumers.cc import signature

        found = signature(path)
        text = path.read_text(encoding="utf-8", errors="replace")
        return _c_array(path, text, f"{found.name}_golden_x", found.x), _c_array(
            path, text, f"{found.name}_golden_y", found.y
        )
    from npquant.interop.consumers.verilog import read_map

    folder, said = read_map(path)
    first, last = said["layers"][0], said["layers"][-1]
    return (
        _words(folder / "x.hex", np.dtype(first["input_type"]), int(first["inputs"])),
        _words(folder / "y.hex", np.dtype(last["output_type"]), int(last["outputs"])),
    )


def _c_array(path: Path, text: str, name: str, dtype: np.dtype[Any]) -> NDArray[Any]:
    found = re.search(rf"\b{name}\[(\d+)\]\[(\d+)\] = \{{(.*?)\}};", text, re.DOTALL)
    if found is None:
        raise FormatError(path, name, "no golden vectors stand in the program; give the network with model=")
    rows, columns = int(found[1]), int(found[2])
    # The least int32 is written as -2147483647 - 1.
    entries = re.sub(r"[{}\s]", "", found[3]).split(",")
    words = [sum(int(part) for part in re.findall(r"-?\d+", entry)) for entry in entries]
    if len(words) != rows * columns:
        raise FormatError(path, name, f"has {len(words)} numbers; [{rows}][{columns}] needs {rows * columns}")
    return np.array(words, np.int64).astype(dtype).reshape(rows, columns)


def _words(path: Path, dtype: np.dtype[Any], columns: int) -> NDArray[Any]:
    try:
        words = np.array([int(line, 16) for line in path.read_text(encoding="ascii").split()], np.uint64)
    except (OSError, ValueError, OverflowError) as error:
        raise FormatError(path, "", f"is no memory image of golden vectors: {error}") from error
    if words.size % columns:
        raise FormatError(path, "", f"has {words.size} words; rows have {columns}")
    return words.astype(f"u{dtype.itemsize}").view(dtype).reshape(-1, columns)
