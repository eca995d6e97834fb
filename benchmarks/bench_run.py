"""Time ``npquant run``, start-up included: first that two runs agree, then how long they take.

Usage: python benchmarks/bench_run.py [RUNS [OPTION ...]]

Without options: the bundled data, without the exports (``--targets none``), held to a limit. With options, such as
``--data mnist --model float.npz``, nothing is held to it. Processor seconds stand beside wall seconds, which on a busy
machine say little.
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

from npquant.report.document import timeless

ROOT = Path(__file__).parents[1]
LIMIT_SECONDS = 5.0


def run_once(folder: Path, options: list[str]) -> tuple[float, float, dict[str, Any]]:
    """Run the command and write to a folder; return wall seconds, processor seconds and report."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "npquant", "run", *options, "--out", str(folder)]
    start, before = perf_counter(), os.times()
    # Exit code 1: the budget is missed, and the report says so.
    done = subprocess.run(command, env=environment, check=False, stdout=subprocess.DEVNULL)
    if done.returncode not in (0, 1):
        raise SystemExit(done.returncode)
    seconds, after = perf_counter() - start, os.times()
    busy = after.children_user - before.children_user + after.children_system - before.children_system
    return seconds, busy, json.loads((folder / "report.json").read_bytes())


def without_folder(report: dict[str, Any]) -> dict[str, Any]:
    """Leave out what differs between runs: the clock's keys, and the folder that was written to."""
    kept = timeless(report)
    return {**kept, "config": {**kept["config"], "out": ""}}


def main() -> int:
    """Compare two runs, then print the median time and where it goes."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    options, found = sys.argv[2:] or ["--targets", "none"], []
    for _ in range(max(runs, 2)):
        with tempfile.TemporaryDirectory() as folder:
            found.append(run_once(Path(folder), options))
    if len({json.dumps(without_folder(report)) for _, _, report in found}) > 1:
        print("two runs differ: times mean nothing")
        return 1
    seconds, busy = (median(each) for each in zip(*(times[:2] for times in found), strict=True))
    report = found[-1][2]
    steps = {step["name"]: step["seconds"] for step in report["steps"]}
    print(f"npquant run {' '.join(options)}: median of {len(found)} {seconds:.2f} s, processor {busy:.2f} s")
    print(f"  candidates {len(report['budget']['frontier'])}, budget met {report['budget']['met']}")
    print(f"  start-up and files {seconds - sum(steps.values()):.2f} s")
    for name, taken in steps.items():
        print(f"  {name:<20} {taken:.2f} s")
    for model in report["models"]:
        print(f"  {model['name']:<10} {model['bytes']:>7,} bytes, test {100 * model['test']['accuracy']:.2f} %")
    return 0 if sys.argv[2:] or seconds <= LIMIT_SECONDS else 1


if __name__ == "__main__":
    raise SystemExit(main())
