"""Icarus Verilog as the consumer of a memory image.

Legend: path the folder with map.json, or that file; x (B, K) input codes; name that of the modules; arguments what
follows vvp's own; rows number and file of input rows in place of the golden ones.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from npquant.files.format_error import FormatError


def version_verilog() -> str | None:
    """Return the first line of iverilog -V; None if it is not installed."""
    if shutil.which("iverilog") is None:
        return None
    return subprocess.run(["iverilog", "-V"], capture_output=True, text=True, check=False).stdout.splitlines()[0]


def run_verilog(path: str | os.PathLike[str], x: NDArray[np.integer[Any]]) -> NDArray[np.integer[Any]]:
    """Simulate a memory image's modules: codes (B, K) to codes, or accumulators, (B, C).

    ImportError if Icarus Verilog is not installed; FormatError if there is no map; RuntimeError, with what the
    simulator said, if it fails; TypeError or ValueError if x does not fit.
    """
    folder, described = read_map(path)
    first, last = described["layers"][0], described["layers"][-1]
    if x.dtype.name != first["input_type"]:
        raise TypeError(f"x has dtype {x.dtype}; the memory image takes {first['input_type']}")
    if x.ndim != 2 or x.shape[1] != first["inputs"]:
        raise ValueError(f"x has shape {x.shape}; the memory image takes (B, {first['inputs']})")
    out = np.dtype(last["output_type"])
    if not len(x):
        return np.empty((0, last["outputs"]), out)
    raw = np.ascontiguousarray(x).view(f"u{x.dtype.itemsize}")
    with tempfile.TemporaryDirectory() as temporary:
        rows = Path(temporary) / "rows.hex"
        rows.write_text("".join(f"{int(word):x}\n" for word in raw.ravel()), encoding="ascii")
        said = simulate(folder, described["name"], ("+print",), rows=(len(x), rows))
    words = [int(line, 16) for line in said.split()]
    y: NDArray[np.integer[Any]] = np.array(words, f"u{out.itemsize}").view(out)
    return y.reshape(len(x), last["outputs"])


def selftest_verilog(path: str | os.PathLike[str]) -> str:
    """Simulate the golden vectors beside the image: what the testbench says, "PASS: ..." or "FAIL: ..."."""
    folder, described = read_map(path)
    return simulate(folder, described["name"]).strip()


def read_map(path: str | os.PathLike[str]) -> tuple[Path, dict[str, Any]]:
    """Return the folder and its map.json; FormatError if it is not one of npquant's."""
    folder = Path(path) if Path(path).is_dir() else Path(path).parent
    file = folder / "map.json"
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        known = found["format"] == "npquant readmemh 1" and bool(found["layers"]) and isinstance(found["name"], str)
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise FormatError(file, "", f"is no map of a memory image: {error}") from error
    if not known:
        raise FormatError(file, "format", "is no map of a memory image; `to_readmemh` writes one")
    return folder, found


def simulate(folder: Path, name: str, arguments: tuple[str, ...] = (), rows: tuple[int, Path] | None = None) -> str:
    """Compile NAME.v of a folder and run its testbench."""
    for tool in ("iverilog", "vvp"):
        if shutil.which(tool) is None:
            raise ImportError(f"{tool} is not installed; install Icarus Verilog")
    with tempfile.TemporaryDirectory() as temporary:
        program = str(Path(temporary) / "program.vvp")
        given = [] if rows is None else [f"-P{name}_testbench.ROWS={rows[0]}", f'-P{name}_testbench.X_FILE="{rows[1]}"']
        command = ["iverilog", "-g2005", "-Wall", "-s", f"{name}_testbench", *given, "-o", program, f"{name}.v"]
        made = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if made.returncode:
            raise RuntimeError(f"{folder}: iverilog refuses it:\n{made.stderr}")
        ran = subprocess.run(
            ["vvp", "-n", program, *arguments], cwd=folder, capture_output=True, text=True, check=False
        )
    if ran.returncode:
        raise RuntimeError(f"{folder}: the simulation failed:\n{ran.stdout}{ran.stderr}")
    return ran.stdout
