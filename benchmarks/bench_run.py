"""Time ``npquant run`` on the bundled data, start-up included: first that two runs agree, then how long they take.

Usage: python benchmarks/bench_run.py [RUNS]
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from npquant.workflow.report import timeless

ROOT = Path(__file__).parents[1]
LIMIT_SECONDS = 5.0


def run_once(folder: Path) -> tuple[float, dict[str, Any]]:
    """Run the command in a folder; return seconds and report."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    start = perf_counter()
    subprocess.run(
        [sys.executable, "-m", "npquant", "run"], cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL
    )
    seconds = perf_counter() - start
    return seconds, json.loads((folder / "npquant-out" / "report.json").read_bytes())


def main() -> int:
    """Compare two runs, then print the median time and where it goes."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    found = []
    for _ in range(max(runs, 2)):
        with tempfile.TemporaryDirectory() as folder:
            found.append(run_once(Path(folder)))
    if any(timeless(report) != timeless(found[0][1]) for _, report in found[1:]):
        print("two runs differ: times mean nothing")
        return 1
    seconds = median(taken for taken, _ in found)
    steps = {step["name"]: step["seconds"] for step in found[-1][1]["steps"]}
    print(f"npquant run, bundled data: median of {len(found)} {seconds:.2f} s, limit {LIMIT_SECONDS:.0f} s")
    print(f"  start-up and files {seconds - sum(steps.values()):.2f} s")
    for name, taken in steps.items():
        print(f"  {name:<20} {taken:.2f} s")
    for model in found[-1][1]["models"]:
        print(f"  {model['name']:<10} {model['bytes']:>7,} bytes, test {100 * model['test']['accuracy']:.2f} %")
    return 0 if seconds <= LIMIT_SECONDS else 1


if __name__ == "__main__":
    raise SystemExit(main())
