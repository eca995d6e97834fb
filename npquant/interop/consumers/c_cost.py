"""What a C program costs: bytes of flash and RAM, time and instructions of an inference.

Legend: path the NAME.c, its NAME.h beside it; x (B, K) input codes; cc the compiler's command, flags its options; size
the command that lists an object's sections.
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
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from npquant.interop.consumers.cc import compiled, filled, signature, version_cc

_TIMER: Final = """\
#define _POSIX_C_SOURCE 199309L
#include <stdio.h>
#include <time.h>
#include "FILE.h"
static XTYPE x[ROWS][INPUTS];
static YTYPE y[OUTPUTS];
int main(void)
{
    double best = 1e30;
    long sink = 0;
    int round, i;
    if (fread(x, sizeof x, 1, stdin) != 1) {
        return 1;
    }
    for (round = 0; round < ROUNDS; round++) {
        struct timespec start, end;
        double ns;
        clock_gettime(CLOCK_MONOTONIC, &start);
        for (i = 0; i < CALLS; i++) {
            NAME_run(x[i % ROWS], y);
            sink += (long)y[0];
        }
        clock_gettime(CLOCK_MONOTONIC, &end);
        ns = ((double)(end.tv_sec - start.tv_sec) * 1e9 + (double)(end.tv_nsec - start.tv_nsec)) / CALLS;
        best = ns < best ? ns : best;
    }
    printf("%.17g %ld\\n", best, sink);
    return 0;
}
"""


@dataclass(frozen=True, slots=True)
class CCost:
    """Hold what a program costs: its object file alone, without the C library."""

    compiler: str
    flags: tuple[str, ...]
    text: int  # bytes of code and constants: flash
    data: int  # bytes of variables with a value: flash and RAM; 0
    bss: int  # bytes of other variables: RAM; 0
    ns: float  # of an inference, the best of the rounds
    instructions: int | None  # of an inference, by valgrind; None where it is not installed


def measure_c(
    path: str | os.PathLike[str],
    x: NDArray[np.integer[Any]],
    *,
    cc: str = "gcc",
    flags: Sequence[str] = ("-std=c99", "-O2"),
) -> CCost:
    """Compile a program and measure it on rows of input codes; errors as `run_cc`.

    Instructions are counted, and the same in every run; nanoseconds are this machine's.
    """
    sections = object_size(path, cc=cc, flags=flags)
    calls = 2000
    ns = _timed(path, x, cc, flags, rounds=20, calls=calls)
    return CCost(version_cc(cc) or cc, tuple(flags), *sections, ns, _instructions(path, x, cc, flags))


def object_size(
    path: str | os.PathLike[str], *, cc: str = "gcc", flags: Sequence[str] = ("-std=c99", "-O2"), size: str = "size"
) -> tuple[int, int, int]:
    """Compile a program alone, and return the bytes of its text, data and bss. Errors as `run_cc`."""
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


def _timed(
    path: str | os.PathLike[str],
    x: NDArray[np.integer[Any]],
    cc: str,
    flags: Sequence[str],
    *,
    rounds: int,
    calls: int,
) -> float:
    with tempfile.TemporaryDirectory() as folder:
        program = compiled(path, _driver(path, len(x), rounds, calls), cc, flags, Path(folder))
        ran = subprocess.run([program], input=np.ascontiguousarray(x).tobytes(), capture_output=True, check=True)
    return float(ran.stdout.split()[0])


def _instructions(
    path: str | os.PathLike[str], x: NDArray[np.integer[Any]], cc: str, flags: Sequence[str]
) -> int | None:
    if shutil.which("valgrind") is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        program = compiled(path, _driver(path, len(x), 1, len(x)), cc, flags, Path(folder))
        return round(count_instructions([program], path, np.ascontiguousarray(x).tobytes()) / len(x))


def count_instructions(
    command: Sequence[str | os.PathLike[str]], path: str | os.PathLike[str], given: bytes = b"", timeout: float = 120.0
) -> int:
    """Count the instructions inside NAME_run alone while a command runs, so that every run of a build counts the same.

    `given` is what the command reads, timeout the seconds that it may take. ImportError if valgrind is not installed;
    RuntimeError if it counts nothing, or takes longer.
    """
    if shutil.which("valgrind") is None:
        raise ImportError("'valgrind' is not installed; install the package valgrind")
    with tempfile.TemporaryDirectory() as folder:
        words = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/out"]
        words += [f"--toggle-collect={signature(path).name}_run", *(os.fspath(word) for word in command)]
        try:
            ran = subprocess.run(words, input=given, capture_output=True, check=False, timeout=timeout)
        except subprocess.TimeoutExpired as error:
            raise RuntimeError(f"valgrind took more than {timeout:g} s") from error
    found = re.search(rb"Collected : (\d+)", ran.stderr)
    if ran.returncode or found is None:
        raise RuntimeError(f"{path}: valgrind counted nothing:\n{ran.stderr.decode(errors='replace')}")
    return int(found.group(1))


def _driver(path: str | os.PathLike[str], rows: int, rounds: int, calls: int) -> str:
    found = signature(path)
    text = _TIMER.replace("ROWS", str(rows)).replace("ROUNDS", str(rounds)).replace("CALLS", str(calls))
    return filled(text, found, f"{found.x}_t", f"{found.y}_t", found.inputs, found.outputs)
