"""Skip a peer test, with its reason, where its engine is not installed."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError

import pytest


@pytest.fixture(autouse=True)
def _engine_installed(request: pytest.FixtureRequest) -> None:
    """Ask the engine that the module names as ENGINE for its version."""
    engine = getattr(request.module, "ENGINE", None)
    if engine is None:
        return
    try:
        engine.installed_version()
    except PackageNotFoundError:
        pytest.skip(f"{engine.PACKAGE} is not installed; it is in the extra {engine.EXTRA!r}")
