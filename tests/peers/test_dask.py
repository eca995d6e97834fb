"""A sweep on a real dask cluster: a scheduler and two workers in processes of their own, one killed in the middle."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

import npquant
from npquant.workflow.sweep.run import sweep

GRID: dict[str, Any] = {
    "bits": [8, 6, 4, 3, 2], "method": "uniform", "prune": [0, 0.5], "seed": [0, 1], "hidden": [8], "epochs": 2,
}  # fmt: skip
# One BLAS thread in a worker, as the sweep's own processes have.
ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": str(Path(npquant.__file__).parents[1]),
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"),
}


@contextmanager
def process(module: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a module of dask in a process, without a nanny that would start it anew, until the block ends."""
    command = [sys.executable, "-m", module, *arguments]
    started = subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield started
    finally:
        started.kill()
        started.wait()


def until(reached: Callable[[], bool]) -> None:
    """Wait for something, a minute at most."""
    for _ in range(600):
        if reached():
            return
        time.sleep(0.1)
    raise AssertionError("waited for a minute")


@contextmanager
def cluster(folder: Path) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """Give the address of a scheduler on loopback, and its two workers."""
    file = folder / "scheduler.json"
    with ExitStack() as stack:
        enter = stack.enter_context
        own = ("--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(file))
        enter(process("distributed.cli.dask_scheduler", *own))
        until(lambda: file.exists() and file.stat().st_size > 0)
        worker = (
            "--scheduler-file",
            str(file),
            "--no-nanny",
            "--nthreads",
            "1",
            "--no-dashboard",
            "--host",
            "127.0.0.1",
        )
        local = ("--local-directory", str(folder))
        workers = [enter(process("distributed.cli.dask_worker", *worker, *local)) for _ in range(2)]
        yield json.loads(file.read_text())["address"], workers


@pytest.mark.peer
@pytest.mark.filterwarnings("default")  # distributed's own
def test_sweep_on_a_cluster_survives_a_killed_worker(tmp_path: Path) -> None:
    """Nothing is lost and nothing counted twice: all files are those of a plain loop, byte for byte."""
    distributed = pytest.importorskip("distributed", reason="distributed is not installed")
    plain, out = tmp_path / "plain", tmp_path / "out"
    sweep(GRID, str(plain))
    with cluster(tmp_path) as (address, workers):
        with distributed.Client(address, set_as_default=False) as client:
            client.wait_for_workers(2, timeout=60)
        killed = []

        def kill_one(told: str) -> None:
            if "cell 3 of" in told:
                workers[0].kill()
                killed.append(told)

        found = sweep(GRID, str(out), executor=f"dask:{address}", progress=kill_one)
    names = [line.split(",")[0] for line in (out / "seconds.csv").read_text().splitlines()]
    assert killed and workers[0].poll() is not None
    assert (found.computed, found.failed, len(names), len(set(names))) == (20, (), 20, 20)
    for path in (path for path in plain.rglob("*") if path.is_file() and path.name != "seconds.csv"):
        assert (out / path.relative_to(plain)).read_bytes() == path.read_bytes()
