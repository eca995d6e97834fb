"""The rules that every test runs under: strict floats, named Hypothesis profiles, peers that may not hide on CI.

NPQUANT_HYPOTHESIS=quick|ci|deep chooses the Hypothesis profile; with CI=true the default is ci.
"""

import os
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings

ON_CI = os.environ.get("CI", "").lower() == "true"

settings.register_profile("quick", max_examples=50, deadline=None)
# Derandomized: the same commit draws the same values, so that a red run can be made again.
settings.register_profile("ci", max_examples=100, deadline=None, derandomize=True)
settings.register_profile("deep", max_examples=2_000, deadline=None)
settings.load_profile(os.environ.get("NPQUANT_HYPOTHESIS", "ci" if ON_CI else "quick"))


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --run-slow."""
    parser.addoption("--run-slow", action="store_true", help="run the exhaustive sweeps too")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what needs much time, the heavy engines or an emulator, unless it is asked for (--run-slow, -m)."""
    asked = str(config.getoption("markexpr")) + (" slow" if config.getoption("--run-slow") else "")
    unasked = [name for name in ("slow", "extra", "emulated") if name not in asked]
    left = [item for item in items if any(item.get_closest_marker(name) for name in unasked)]
    items[:] = [item for item in items if item not in left]
    if left:
        config.hook.pytest_deselected(items=left)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Run the test with NumPy's overflow, invalid and divide raising."""
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        return (yield)


def _skip_becomes_failure(report: Any, name: str) -> None:
    """Turn the report of a skipped peer into a failure, keeping the reason."""
    reason = report.longrepr[-1] if isinstance(report.longrepr, tuple) else report.longrepr
    report.outcome = "failed"
    report.longrepr = f"{name}: a peer test may not be skipped on CI. {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail a skipped peer test on CI, where the engines are installed."""
    report = yield
    is_peer = item.get_closest_marker("peer") is not None or item.get_closest_marker("extra") is not None
    if ON_CI and is_peer and report.skipped and not hasattr(report, "wasxfail"):
        _skip_becomes_failure(report, item.nodeid)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Fail a module of peer tests that is skipped whole, as importorskip at its top would do."""
    report = yield
    if ON_CI and report.skipped and "peers" in Path(collector.path).parts:
        _skip_becomes_failure(report, collector.nodeid)
    return report
