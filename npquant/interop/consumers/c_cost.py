"""What a C program costs: bytes of flash and RAM, time and instructions of a row.

Legend: path the NAME.c, its NAME.h beside it; x (B, K) input codes; program an executable of it; cc the compiler's
command, flags its options; size the command that lists an object's sections; seconds to spend on a time; limit the
seconds that valgrind may take.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from npquant.interop.consumers.cc import compiled, filled, signature

_TIMER: Final = """\
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "FILE.h"
static XTYPE x[ROWS][INPUTS];
static YTYPE y[OUTPUTS];
static volatile long sink;
int main(int count, char **arguments)
{
    const long calls = count > 1 ? atol(arguments[1]) : ROWS;
    clock_t start;
    long i;
    if (fread(x, sizeof x, 1, stdin) != 1) {
        return 1;
    }
    start = clock();
    for (i = 0; i < calls; i++) {
        NAME_run(x[i % ROWS], y);
        sink += (long)y[0];
    }
    printf("%.9g\\n", (double)(clock() - start) / CLOCKS_PER_SEC);
    return 0;
}
"""
_PATIENCE: Final = 120.0
# valgrind is some 50 to 100 times slower than the machine, and a report should not wait for seconds.
_COUNTED: Final = 0.01
_COUNTING: Final = 10.0


@dataclass(frozen=True, slots=True)
class RowCost:
    """Hold what a row takes of a processor: instructions are the same in every run, seconds are this machine's."""

    seconds: float
    instructions: int | None  # the mean over the rows that were given
    uncounted: str | None  # why there are none


def row_cost(
    path: str | os.PathLike[str],
    x: NDArray[np.integer],
    seconds: float,
    *,
    cc: str = "gcc",
    flags: Sequence[str] = ("-std=c99", "-O2"),
) -> RowCost:
    """Compile a program, and take time and instructions of a row of x. Errors as `run_cc`."""
    found, given = signature(path), np.ascontiguousarray(x).tobytes()
    driver = _TIMER.replace("ROWS", str(len(x)))
    driver = filled(driver, found, f"{found.x}_t", f"{found.y}_t", found.inputs, found.outputs)
    with tempfile.TemporaryDirectory() as folder:
        program = compiled(path, driver, cc, flags, Path(folder))
        taken = _timed(program, given, seconds)
        if taken > _COUNTED:
            words = f"a row takes {1e3 * taken:.2g} ms; valgrind would take seconds for more than {1e3 * _COUNTED:g} ms"
            return RowCost(taken, None, words)
        try:
            counted = count_instructions([program], path, given, limit=_COUNTING)
        except (ImportError, RuntimeError) as error:
            return RowCost(taken, None, " ".join(str(error).split()))
    return RowCost(taken, round(counted / len(x)), None)


def _timed(program: str, given: bytes, seconds: float) -> float:
    """Return the processor's seconds of a row, over calls that fill a quarter of the time or more."""
    calls, taken = 100, 0.0
    # The clock ticks in microseconds: so many calls are exact to a thousandth.
    while taken < seconds / 4 and calls < 10**9:
        calls *= 4
        try:
            ran = subprocess.run([program, str(calls)], input=given, capture_output=True, check=True, timeout=_PATIENCE)
        except subprocess.SubprocessError as error:
            raise RuntimeError(f"{program}: {error}") from error
        taken = float(ran.stdout)
    return taken / calls


def object_size(
    path: str | os.PathLike[str], *, cc: str = "gcc", flags: Sequence[str] = ("-std=c99", "-O2"), size: str = "size"
) -> tuple[int, int, int]:
    """Compile a program alone, and return the bytes of its text, data and bss, without the C library. As `run_cc` errs.

    text and data stand in flash, data and bss in RAM.
    """
    for tool in (cc, size):
        if shutil.which(tool) is None:
            raise ImportError(f"{tool!r} is not installed; install gcc and binutils, or name others")
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "program.o"
        command = [cc, *flags, "-c", str(path), "-o", str(made)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{path}: {cc} refuses it:\n{done.stderr}")
        listed = subprocess.run([size, str(made)], capture_output=True, text=True, check=True).stdout
    text, data, bss = (int(word) for word in listed.splitlines()[1].split()[:3])
    return text, data, bss


def count_instructions(
    command: Sequence[str | os.PathLike[str]], path: str | os.PathLike[str], given: bytes = b"", limit: float = 120.0
) -> int:
    """Count the instructions inside NAME_run alone while a command runs, so that every run of a build counts the same.

    `given` is what the command reads. ImportError if valgrind is not installed; RuntimeError if it counts nothing, or
    takes longer.
    """
    if shutil.which("valgrind") is None:
        raise ImportError("'valgrind' is not installed; install the package valgrind")
    with tempfile.TemporaryDirectory() as folder:
        words = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/out"]
        words += [f"--toggle-collect={signature(path).name}_run", *(os.fspath(word) for word in command)]
        try:
            ran = subprocess.run(words, input=given, capture_output=True, check=False, timeout=limit)
        except subprocess.TimeoutExpired as error:
            raise RuntimeError(f"valgrind took more than {limit:g} s") from error
    found = re.search(rb"Collected : (\d+)", ran.stderr)
    if ran.returncode or found is None:
        raise RuntimeError(f"{path}: valgrind counted nothing:\n{ran.stderr.decode(errors='replace')}")
    return int(found.group(1))
