"""The names of the eight steps, and the seconds that each takes.

Legend: progress is told in a few words what goes on; number of a step, 1 to 8.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Any, Final

STEPS: Final = (
    "float model", "split", "thresholds", "quantize", "validate quantized", "prune", "validate pruned", "deploy",
)  # fmt: skip
Progress = Callable[[str], None]


class StepClock:
    """The seconds that each step takes."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self._seconds = [0.0] * len(STEPS)

    @contextmanager
    def step(self, number: int) -> Iterator[None]:
        """Take the time of a step, and tell that it runs."""
        self.progress(f"{number} {STEPS[number - 1]}")
        start = perf_counter()
        yield
        self._seconds[number - 1] = perf_counter() - start

    @property
    def entries(self) -> list[dict[str, Any]]:
        """The eight steps as the report has them, to the microsecond."""
        named = enumerate(zip(STEPS, self._seconds, strict=True), 1)
        return [{"number": number, "name": name, "seconds": round(seconds, 6)} for number, (name, seconds) in named]
