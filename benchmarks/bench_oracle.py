"""Rates of the oracle kit: cases a second in bulk and through Hypothesis, seconds of each tier, for npquant itself.

    python benchmarks/bench_oracle.py [--exhaustive]

A right kernel must pass first. In bulk, one call holds many rows; through Hypothesis, each example is one case.
The peer is what Hypothesis takes to draw a single integer in the same run.
"""

import argparse
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import npquant
from npquant.testing import run, strategies
from npquant.testing.adapters.callable import from_callable
from npquant.testing.case import one_layer
from npquant.testing.judge import judge

PROFILE = "ort"
KERNEL = partial(npquant.linear, profile=PROFILE)


def seconds(action: Callable[[], Any], rounds: int = 3) -> float:
    """Return the processor's seconds of an action, the least of several."""
    best = float("inf")
    for _ in range(rounds):
        start = time.process_time()
        action()
        best = min(best, time.process_time() - start)
    return best


def drawing(strategy: st.SearchStrategy[Any], count: int = 1000) -> Callable[[], None]:
    """Return an action that draws so many examples."""
    fast = settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )

    def drawn(value: Any) -> None:
        del value

    return fast(given(strategy)(drawn))


def bulk(rows: int = 4096) -> float:
    """Return cases a second, rows of one layer judged in one call."""
    rng = np.random.default_rng(0)
    p = npquant.QuantParams(0.5, 0, -128, 127)
    y = npquant.QuantParams(40.0, 3, -128, 127)
    x_q, w_q = rng.integers(-128, 128, (rows, 16), np.int8), rng.integers(-128, 128, (16, 8), np.int8)
    case = one_layer(x_q, w_q, rng.integers(-999, 999, 8).astype(np.int32), p, p, y, PROFILE)
    backend = from_callable(KERNEL, profile=PROFILE)
    return rows / seconds(lambda: judge(backend, case))


def main() -> int:
    """Print the table; return 1 if a tier accuses a right kernel."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--exhaustive", action="store_true", help="the exhaustive tier too, about a minute")
    options = parser.parse_args()
    accused = 0
    for tier, limit in (("smoke", 1), ("standard", 30), ("exhaustive", 600))[: 3 if options.exhaustive else 2]:
        verdict = run(KERNEL, profile=PROFILE, tier=tier)
        accused += not verdict.passed
        print(f"{tier:12} {verdict.seconds:8.1f} s       target {limit:>6} s   {verdict.cases:,} cases")
    print(f"{'in bulk':12} {bulk():10,.0f} a second  target 20,000")
    peer = seconds(drawing(st.integers(0, 2**31)))
    for name in ("linear_cases", "mlp_cases", "pruned_cases", "float_cases", "call_sequences"):
        took = seconds(drawing(getattr(strategies, name)(PROFILE)))
        target = "target  1,000" if name == "linear_cases" else ""
        print(f"{name:16} {1000 / took:6,.0f} a second  {target:14} {took / peer:4.1f} x drawing one integer")
    return int(accused > 0)


if __name__ == "__main__":
    raise SystemExit(main())
