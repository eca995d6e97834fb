"""What a sweep costs beside its cells, and what two processes gain.

python benchmarks/bench_sweep.py [CELLS]: so many cells of about 0.2 s (default 20) in a plain loop that keeps nothing,
by `sweep` in this process, and by `sweep` in one and in two processes; CPU seconds of this process for the first two,
which another program on the machine does not change, and the clock for the processes, whose start is not counted.
"""

import os
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

# Before NumPy is loaded, as the command does.
os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))

from npquant.compression.rounding.method_names import AUTO_METHODS
from npquant.data.sets import load_sets
from npquant.workflow.float_model import bundled_network
from npquant.workflow.sweep.cell import compress
from npquant.workflow.sweep.grid import cells_of
from npquant.workflow.sweep.run import sweep


def grid_of(count: int) -> dict[str, object]:
    """Cells of one network that take about as long as one another."""
    rates = [round(0.3 + 0.3 * at / count, 6) for at in range(count)]
    return {"method": AUTO_METHODS[2], "prune": rates}


def loop_seconds(count: int) -> float:
    """CPU seconds of the same cells' measurement in a plain loop."""
    from npquant.workflow.sweep.cell import CellTask, Rows, run_cell

    sets, cells = load_sets(None, 0), cells_of([grid_of(count)])
    compress(cells[0], bundled_network(), sets)  # what is loaded at first use is no cell's
    with tempfile.TemporaryDirectory() as folder:
        sweep({"method": "uniform"}, folder)
        network = next((Path(folder) / "networks").iterdir()).read_bytes()
    from npquant.data.matching import facts_of

    rows = Rows(None, None, None, 0, str(facts_of(sets.dataset).data_sha256))
    began = time.process_time()
    for cell in cells:
        assert run_cell(CellTask(cell, rows, network)).error is None
    return time.process_time() - began


def sweep_seconds(count: int) -> float:
    """CPU seconds of the sweep in this process."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.process_time()
        sweep(grid_of(count), folder)
        return time.process_time() - began


def process_seconds(count: int, workers: int) -> float:
    """Seconds on the clock of the sweep in processes that have started and have loaded what they need."""
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool, tempfile.TemporaryDirectory() as folder:
        sweep({"method": "uniform", "prune": [0.1 + at / 100 for at in range(4 * workers)]}, folder, executor=pool)
        began = time.perf_counter()
        sweep(grid_of(count), folder, executor=pool)
        return time.perf_counter() - began


def main() -> None:
    """Print the figures, each beside what it is held to."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    loop, here = loop_seconds(count), sweep_seconds(count)
    print(f"{count} cells of {loop / count:.3f} CPU s: sweep / plain loop {here / loop:.3f} (wanted: 1.05 at most)")
    one, two = process_seconds(count, 1), process_seconds(count, 2)
    print(f"two processes / one, on the clock: {one / two:.2f} times as fast (wanted: 1.8, on two idle cores)")


if __name__ == "__main__":
    main()
