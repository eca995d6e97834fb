"""What a sweep costs beside its cells, and what two processes gain.

python benchmarks/bench_sweep.py [CELLS]: so many cells (default 20) by `sweep` in this process, of whose CPU seconds
those inside the cells are a plain loop's; then in one and in two processes that have started, on the clock, which says
little unless two cores are idle.
"""

import os
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

# Before NumPy is loaded, as the command does.
os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))

from npquant.workflow.sweep.executors import InThisProcess
from npquant.workflow.sweep.run import sweep


class Timed(InThisProcess):
    """Count the CPU seconds inside the calls."""

    def __init__(self) -> None:
        self.inside = 0.0

    def submit(self, fn: Callable[..., Any], /, *args: Any) -> Future[Any]:  # type: ignore[override]
        """Call, and count."""
        began = time.process_time()
        future = super().submit(fn, *args)
        self.inside += time.process_time() - began
        return future


def grid_of(count: int, lowest: float = 0.3) -> dict[str, object]:
    """Make cells of one network that take about as long as one another."""
    return {"method": "gptq", "prune": [round(lowest + 0.2 * at / count, 6) for at in range(count)]}


def here(count: int) -> tuple[float, float]:
    """CPU seconds of a sweep in this process, and of its cells."""
    with tempfile.TemporaryDirectory() as folder:
        sweep(grid_of(2, 0.1), folder)  # what is loaded at first use is no cell's
        timed, began = Timed(), time.process_time()
        sweep(grid_of(count), folder, executor=timed)
        return time.process_time() - began, timed.inside


def in_processes(count: int, workers: int) -> float:
    """Seconds on the clock of the sweep in processes that have started and have loaded what they need."""
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool, tempfile.TemporaryDirectory() as folder:
        sweep(grid_of(4 * workers, 0.1), folder, executor=pool)
        began = time.perf_counter()
        sweep(grid_of(count), folder, executor=pool)
        return time.perf_counter() - began


def main() -> None:
    """Print the figures, each beside what it is held to."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    whole, cells = here(count)
    print(f"{count} cells of {cells / count:.3f} CPU s: sweep / plain loop {whole / cells:.4f} (wanted: 1.05 at most)")
    gain = in_processes(count, 1) / in_processes(count, 2)
    print(f"two processes / one, on the clock: {gain:.2f} times as fast (wanted: 1.8, on two idle cores)")


if __name__ == "__main__":
    main()
