"""Collections that several tests read: the golden set of two profiles, made once, and one with a short catalogue."""

from typing import Any

import pytest

from npquant.testing.bugs.catalogue import CATALOGUE
from npquant.testing.vectors import collect
from npquant.testing.vectors import collection as module


@pytest.fixture(scope="session")
def ort() -> Any:
    """The golden set of ONNX Runtime's arithmetic, with the bugs that each vector kills."""
    return collect("ort")


@pytest.fixture(scope="session")
def own() -> Any:
    """The golden set of npquant's own arithmetic."""
    return collect("npquant")


@pytest.fixture
def few_bugs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `collect` replay a few bugs only, so that a set takes a moment."""
    monkeypatch.setattr(module, "CATALOGUE", CATALOGUE[::40])
