"""What a long command says it is at."""

import io
import sys
import threading

import pytest

from npquant.budget.progress import Told
from npquant.cli.progress import EVERY, ProgressLine


class Terminal(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


class Turned:
    """A clock that a test turns by hand."""

    now = 0.0

    def __call__(self) -> float:
        """Return its seconds."""
        return self.now


def work(clock: Turned, seconds: float, steps: int) -> None:
    """Do so many equal steps in all the seconds."""
    before = threading.active_count()
    with ProgressLine("start", clock=clock) as line:
        line.show(Told("step 0", 0.0))
        for step in range(1, steps + 1):
            clock.now += seconds / steps
            line.show(Told(f"step {step}", step / steps))
    assert threading.active_count() == before


def test_a_file_gets_a_line_every_ten_seconds_with_the_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """40 steps of 1 s: a plain line at 10, 20, 30 and 40 s, each with what is left."""
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    work(Turned(), 40 * EVERY / 10, 40)
    assert stream.getvalue().splitlines() == [f"step {done}, about {40 - done} s left" for done in (10, 20, 30, 40)]


def test_a_file_gets_nothing_of_work_that_ends_sooner(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even an empty line."""
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    work(Turned(), EVERY - 1, 3)
    assert stream.getvalue() == ""


def test_a_terminal_gets_one_line_that_is_empty_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """No newline; each text overwrites the one before."""
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    work(Turned(), 4, 4)
    *_, last, end = stream.getvalue().split("\r\x1b[K")
    assert "\n" not in stream.getvalue() and "step 3, about 1 s left" in stream.getvalue()
    assert last == "step 4, about 0 s left" and end == ""


def test_other_work_starts_its_own_estimate(monkeypatch: pytest.MonkeyPatch) -> None:
    """A share below the one before, or none, begins anew: the time of the first work says nothing of the second."""
    stream, clock = Terminal(), Turned()
    monkeypatch.setattr(sys, "stderr", stream)
    line = ProgressLine(clock=clock)
    line.show(Told("long", 0.0))
    clock.now = 1000.0
    line.show(Told("long", 0.5))
    line.show(Told("short", 0.0))
    clock.now += 1.0
    line.show(Told("short", 0.5))
    assert stream.getvalue().endswith("short, about 1 s left")


@pytest.mark.parametrize("closed", [False, True])
def test_an_absent_stderr_is_no_error(closed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """None, or closed: nobody hears it, and the work goes on."""
    stream = io.StringIO()
    stream.close()
    monkeypatch.setattr(sys, "stderr", stream if closed else None)
    work(Turned(), 100, 10)
