"""An interpreter of another kind for the tests of a module, which names its command's variable as COMMAND."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.emulated.elsewhere import elsewhere
from tests.peers import engines_litert


@pytest.fixture(scope="module", autouse=True)
def _far(request: pytest.FixtureRequest) -> Iterator[None]:
    """Send every model that engines_litert runs to the other process."""
    with elsewhere(request.module.COMMAND) as far:
        here = engines_litert.run
        engines_litert.run = far.run
        yield
        engines_litert.run = here
