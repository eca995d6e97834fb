"""The line that says what a long command is at."""

from __future__ import annotations

from types import TracebackType

from npquant.cli.streams import on_terminal, say


class ProgressLine:
    """One line on stderr that is overwritten, and only where stderr is a terminal; empty again when its block ends."""

    def __init__(self, text: str = "") -> None:
        self._shown = on_terminal()
        self.show(text)

    def __enter__(self) -> ProgressLine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.show("")

    def show(self, text: str) -> None:
        """Replace the line."""
        if self._shown:
            say(f"\r\x1b[K{text[:79]}")
