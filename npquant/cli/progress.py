"""What a long command says it is at: a line that is overwritten, or a line every ten seconds where stderr is a file.

No thread: what is told by the work itself moves the line, and work that is silent is not interrupted. The estimate is
the time left of the work that is told of with shares, a share s of it done in t seconds: t (1 - s) / s.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from types import TracebackType
from typing import Final

from npquant.cli.streams import on_terminal, say

EVERY: Final = 10.0  # seconds between the lines of a file: work that ends sooner leaves none


class ProgressLine:
    """One line on a terminal, overwritten, empty again when its block ends; elsewhere a plain line every ten seconds.

    text: what is shown at first; clock: seconds, which a test may turn by hand.
    """

    def __init__(self, text: str = "", clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._overwritten = on_terminal()
        self._said = self._began = clock()
        self._first = self._share = 1.0
        self.show(text)

    def __enter__(self) -> ProgressLine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._overwritten:
            say("\r\x1b[K")

    def show(self, text: str) -> None:
        """Replace the line, or say it if ten seconds have passed; text: a str, or a `Told` with the share done."""
        now = self._clock()
        share: float | None = getattr(text, "share", None)
        line = text + self._left(now, share)
        if self._overwritten:
            say(f"\r\x1b[K{line[:79]}")
        elif text and now - self._said >= EVERY:
            self._said = now
            say(f"{line}\n")

    def _left(self, now: float, share: float | None) -> str:
        """Say the time left; a share that is lower than the one before begins other work."""
        if share is None:
            self._share = 1.0
            return ""
        if share < self._share:
            self._began, self._share, self._first = now, share, share
            return ""
        self._share = share
        done = share - self._first
        return f", about {duration((now - self._began) * (1 - share) / done)} left" if done > 0 else ""


def duration(seconds: float) -> str:
    """Round seconds as a person would say them.

    >>> duration(4.2), duration(75), duration(5400)
    ('4 s', '1 min 15 s', '1 h 30 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
