"""Time reading text tables against numpy.loadtxt, after checking that the numbers are equal, and measure their memory.

Run with one BLAS thread: OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 python benchmarks/tables.py
Prints one JSON line a table: its bytes, the time of read_csv over that of numpy.loadtxt, and how far the memory of a
process of its own rises above the interpreter, over the bytes, for both.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np

from npquant.data.readers.csv_table import read_csv

REPEATS = 3
LIMIT = 1 << 30
PEAK = """
import re, sys
def peak():
    return int(re.search(r"VmHWM:\\s*(\\d+)", open("/proc/self/status").read())[1]) * 1024
import numpy, npquant.data.readers.csv_table as own, csv
before = peak()
if sys.argv[2] == "own":
    own.read_csv(sys.argv[1], max_bytes=1 << 30)
else:
    numpy.loadtxt(sys.argv[1], delimiter=",", skiprows=1)
print(peak() - before)
"""


def write_table(path: Path, kind: str, rng: np.random.Generator) -> None:
    """Write pixels (784 columns, mostly 0) or decimals (100 columns), with a label in front."""
    rows, width = (2000, 784) if kind == "pixels" else (10_000, 100)
    if kind == "pixels":
        x = np.where(rng.random((rows, width)) < 0.8, 0, rng.integers(0, 256, (rows, width))).astype(str)
    else:
        x = np.char.mod("%.3f", rng.normal(size=(rows, width)))
    lines = [",".join((str(row % 10), *cells)) for row, cells in enumerate(x.tolist())]
    path.write_text("\n".join(["label," + ",".join(f"f{k}" for k in range(width)), *lines]))


def measure(path: Path, kind: str) -> dict[str, object]:
    """Compare, then time in turn, then measure memory."""
    table, peer = read_csv(path, max_bytes=LIMIT), np.loadtxt(path, delimiter=",", skiprows=1)
    if not np.array_equal(np.stack([column.values for column in table.columns], axis=1), peer):
        raise AssertionError(f"{kind}: other numbers than loadtxt's")
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(REPEATS):
        for place, read in enumerate((read_csv, np.loadtxt)):
            start = time.perf_counter()
            if read is read_csv:
                read_csv(path, max_bytes=LIMIT)
            else:
                np.loadtxt(path, delimiter=",", skiprows=1)
            times[place].append(time.perf_counter() - start)
    peaks = [
        int(subprocess.run([sys.executable, "-c", PEAK, str(path), who], capture_output=True, check=True).stdout)
        for who in ("own", "loadtxt")
    ]
    size = path.stat().st_size
    return {
        "table": kind,
        "bytes": size,
        "time_over_loadtxt": round(median(times[0]) / median(times[1]), 2),
        "peak_over_bytes": round(peaks[0] / size, 2),
        "loadtxt_peak_over_bytes": round(peaks[1] / size, 2),
    }


def main() -> None:
    """Measure both tables."""
    with tempfile.TemporaryDirectory() as folder:
        for kind in ("pixels", "decimals"):
            path = Path(folder) / f"{kind}.csv"
            write_table(path, kind, np.random.default_rng(0))
            print(json.dumps(measure(path, kind)), flush=True)


if __name__ == "__main__":
    main()
