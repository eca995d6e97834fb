"""What an exported C program takes: bytes of code and constants, bytes of RAM, time and instructions of a row.

Legend: source NAME.c with NAME.h beside it, model the network that it computes, seconds to spend on the time.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Final

from npquant.integer.mlp import IntegerMLP
from npquant.interop.consumers.c_cost import count_instructions, object_size

_COMPILERS: Final = ("gcc", "clang", "cc")
_MAIN: Final = """\
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "{name}.h"
static {x_type} x[{inputs}];
static {y_type} y[{outputs}];
volatile long sink;
int main(int count, char **arguments)
{{
    const long rows = count > 1 ? atol(arguments[1]) : 1;
    const clock_t start = clock();
    long row;
    for (row = 0; row < rows; row++) {{
        x[0] = ({x_type})(row & 1);
        {name}_run(x, y);
        sink += y[0];
    }}
    printf("%.9g\\n", (double)(clock() - start) / CLOCKS_PER_SEC);
    return 0;
}}
"""
_PATIENCE: Final = 120.0
# valgrind is some 50 to 100 times slower than the machine, and a report should not wait for seconds.
_COUNTED: Final = 0.01
_COUNTING: Final = 10.0


def find_compiler() -> str:
    """Find a C compiler; RuntimeError if there is none."""
    for name in _COMPILERS:
        if shutil.which(name):
            return name
    raise RuntimeError(f"no C compiler: none of {', '.join(_COMPILERS)} is installed")


def measure_c(source: Path, model: IntegerMLP, seconds: float) -> dict[str, Any]:
    """Compile for this machine, take the sizes at -Os, and the time and instructions of a row at -O2.

    "code_bytes" are code and constants, which stand in flash; "ram_bytes" are what is written; "seconds" of one row;
    "instructions" of one row of zeros, or None and the reason in "uncounted". RuntimeError with the compiler's words if
    there is none, or it refuses.
    """
    compiler = find_compiler()
    with tempfile.TemporaryDirectory() as scratch:
        folder, name = Path(scratch), source.stem
        main = _MAIN.format(
            name=name,
            inputs=model.n_inputs,
            outputs=model.neurons[-1],
            x_type=f"{model.input_params.dtype.name}_t",
            y_type="int32_t" if model.output_params is None else f"{model.output_params.dtype.name}_t",
        )
        (folder / "time_rows.c").write_text(main, encoding="ascii")
        program = [str(source), str(folder / "time_rows.c"), "-I", str(source.parent), "-o", str(folder / "time_rows")]
        _run([compiler, "-std=c99", "-O2", *program])
        taken = _time(folder / "time_rows", seconds)
        return {**_sizes(source, compiler), "seconds": taken, **_count(folder / "time_rows", source, taken)}


def _time(program: Path, seconds: float) -> float:
    rows, taken = 100, 0.0
    # The clock ticks in microseconds: a run of a quarter of the time or more is exact to a thousandth.
    while taken < seconds / 4 and rows < 10**9:
        rows *= 4
        taken = float(_run([str(program), str(rows)]))
    return taken / rows


def _count(program: Path, source: Path, taken: float) -> dict[str, Any]:
    """Instructions of one row of zeros, a whole number that other runs of the build repeat; or why there is none."""
    if taken > _COUNTED:
        words = f"a row takes {1e3 * taken:.2g} ms; valgrind would take seconds for more than {1e3 * _COUNTED:g} ms"
        return {"instructions": None, "uncounted": words}
    try:
        counted = count_instructions([program, "1"], source, timeout=_COUNTING)
        return {"instructions": counted, "uncounted": None}
    except (ImportError, RuntimeError) as error:
        return {"instructions": None, "uncounted": " ".join(str(error).split())}


def _sizes(source: Path, compiler: str) -> dict[str, int | None]:
    """Sum the sections as `size` prints them: text and data stand in flash, data and bss in RAM."""
    if shutil.which("size") is None:
        return {"code_bytes": None, "ram_bytes": None}
    text, data, bss = object_size(source, cc=compiler, flags=("-std=c99", "-Os"))
    return {"code_bytes": text + data, "ram_bytes": data + bss}


def _run(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE, check=False)
    except subprocess.TimeoutExpired as error:
        raise RuntimeError(f"{command[0]} took more than {_PATIENCE:g} s") from error
    if done.returncode:
        said = done.stderr.strip().splitlines()
        raise RuntimeError(f"{command[0]} stopped with {done.returncode}: {said[0] if said else 'no word'}")
    return done.stdout
