"""A program that answers a line with a line: started when it is asked, killed when it is silent, started anew.

Legend: a line is bytes without its end; due says whether an empty line can be an answer.
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from typing import Any, Final

from npquant.testing import backend as kinds
from npquant.testing.backend import BackendFault

# Bytes of an output that nobody reads: what is more stays in the pipe, and its writer waits.
MOST_WAITING: Final = 1 << 24
STDERR_KEPT: Final = 4000
STDERR_LINES: Final = 5
# Seconds that a program has to end by itself, once nobody asks any more; and to greet, where it must greet first.
GRACE: Final = 0.5
START: Final = 60.0


class Running:
    """One started program, and three threads: to write, to read, and to read what it complains of.

    Both directions move at once, so that neither a long question nor a long answer can block the other."""

    def __init__(self, command: Sequence[str]) -> None:
        try:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                # A group of its own, so that what it starts ends with it.
                start_new_session=True,
            )
        except OSError as error:
            raise BackendFault(kinds.CRASHED, f"it could not be started: {error}") from error
        self.changed = threading.Condition()
        self.output, self.complaints = bytearray(), bytearray()
        self.ended = self.closing = False
        self.answered, self.allowed = 0, MOST_WAITING
        self.questions: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self.threads = [
            threading.Thread(target=work, daemon=True) for work in (self._write, self._read, self._read_complaints)
        ]
        for thread in self.threads:
            thread.start()

    def _write(self) -> None:
        """Write each question whole; who does not read is seen by the reader's side."""
        stream: Any = self.process.stdin
        with contextlib.suppress(OSError, ValueError):
            while (line := self.questions.get()) is not None:
                rest = memoryview(line)
                while rest:
                    rest = rest[stream.write(rest) :]
        with contextlib.suppress(OSError):
            stream.close()

    def _read(self) -> None:
        stream: Any = self.process.stdout
        while chunk := os.read(stream.fileno(), 1 << 16):
            with self.changed:
                self.output += chunk
                self.changed.notify_all()
                while len(self.output) > self.allowed and not self.closing:
                    self.changed.wait()
        with self.changed:
            self.ended = True
            self.changed.notify_all()
        stream.close()

    def _read_complaints(self) -> None:
        stream: Any = self.process.stderr
        while chunk := os.read(stream.fileno(), 1 << 16):
            self.complaints += chunk
            del self.complaints[:-STDERR_KEPT]
        stream.close()

    def waiting(self) -> bytes:
        """Return what it has written that nobody asked for."""
        with self.changed:
            return bytes(self.output)

    def next_line(self, deadline: float, most: int) -> bytes | None:
        """Return its next line; None if its output ends first, TimeoutError if the deadline does.

        BufferError if more than `most` bytes hold no end of line."""
        with self.changed:
            looked, self.allowed = 0, max(MOST_WAITING, 2 * most)
            self.changed.notify_all()
            while (end := self.output.find(b"\n", looked)) < 0:
                looked = len(self.output)
                if looked > most:
                    raise BufferError
                if self.ended:
                    line = bytes(self.output)
                    self.output.clear()
                    # The last line may lack its end.
                    return line if line.strip() else None
                if not self.changed.wait(max(0.0, deadline - time.monotonic())) and time.monotonic() >= deadline:
                    raise TimeoutError
            line = bytes(self.output[:end])
            del self.output[: end + 1]
            self.changed.notify_all()
            return line

    def stop(self, grace: float = 0.0) -> int | None:
        """End the program, by force once the grace is over; return its exit status, None if it outlived its end."""
        with self.changed:
            self.closing = True
            self.changed.notify_all()
        self.questions.put(None)
        code = None
        if grace:
            with contextlib.suppress(subprocess.TimeoutExpired):
                code = self.process.wait(grace)
        if code is None:
            # Not yet waited for, so its number still is its own, and that of its group.
            with contextlib.suppress(OSError):
                if sys.platform == "win32":
                    self.process.kill()
                else:
                    os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        for thread in self.threads:
            thread.join(1.0)
        return code

    def last_words(self) -> str:
        """Return the end of what it wrote to its standard error, for a detail; "" if nothing."""
        lines = bytes(self.complaints).decode("utf-8", "replace").splitlines()[-STDERR_LINES:]
        return "; its standard error ends with: " + " | ".join(lines) if lines else ""


class LineProcess:
    """A program behind a pipe, asked one line at a time; whatever it does wrong is a `BackendFault`.

    After a fault it is ended, and started anew for the next question. It ends with this object at the latest."""

    def __init__(
        self, command: Sequence[str], timeout: float, is_greeting: Callable[[str], bool], greets: bool = False
    ) -> None:
        self.command, self.timeout, self.is_greeting, self.greets = tuple(command), timeout, is_greeting, greets
        self.greeting = ""
        self._running: list[Running] = []
        self._finalizer = weakref.finalize(self, _stop_all, self._running)

    def ask(self, line: str, *, most: int, due: bool) -> str:
        """Return the line that answers a line of at most `most` bytes. A program that answers one question and ends in
        peace is asked the next one afresh."""
        data = line.encode() + b"\n"
        answer = self._exchange(data, most, due)
        if answer is None:
            answer = self._exchange(data, most, due, again=True)
        assert answer is not None
        return answer

    def expect_silence(self) -> None:
        """Find fault with what is there after an answer, as far as it has come; the rest is met before the next one."""
        stray = self._running[0].waiting() if self._running else b""
        if stray.strip():
            self._fault(kinds.JUNK, f"it wrote {_quoted(stray)} after its answer: an answer is one line")

    def close(self) -> None:
        """End the program."""
        _stop_all(self._running)

    def _exchange(self, data: bytes, most: int, due: bool, again: bool = False) -> str | None:
        if not self._running:
            self._running.append(Running(self.command))
            if self.greets:
                self._await_greeting(self._running[0])
        running = self._running[0]
        stray = running.waiting()
        # Before its first question a program may have said hello, and no more.
        hello = running.answered == 0 and self.is_greeting(stray.decode("utf-8", "replace"))
        if stray.strip() and not hello:
            self._fault(kinds.JUNK, f"it had written {_quoted(stray)} before the question: an answer is one line")
        running.questions.put(data)
        deadline = time.monotonic() + self.timeout
        try:
            answer = self._answer(running, deadline, most, due)
        except TimeoutError:
            hint = "is its output flushed after each answer? timeout= allows more"
            self._fault(kinds.HUNG, f"no answer within {self.timeout:g} s, so it was killed; {hint}")
        except BufferError:
            self._fault(kinds.JUNK, f"more than {most} bytes without an end of line, so it was killed")
        except KeyboardInterrupt:
            # Its answer is still under way, and would be taken for the next one.
            self.give_up()
            raise
        if answer is None:
            self._ended(running, again)
            return None
        running.answered += 1
        return answer

    def _await_greeting(self, running: Running) -> None:
        """Wait until a program says that it is ready: its time to start is not its time to answer."""
        try:
            ready = running.next_line(time.monotonic() + START, 1 << 16)
        except (TimeoutError, BufferError):
            self._fault(kinds.HUNG, f"it was not ready within {START:g} s")
        if ready is None:
            self._ended(running, again=True)

    def _answer(self, running: Running, deadline: float, most: int, due: bool) -> str | None:
        """Return the first line that can be an answer: a greeting is none, and neither is an empty line where codes are
        due."""
        while (line := running.next_line(deadline, most)) is not None:
            text = line.decode("utf-8", "replace").rstrip("\r")
            if not running.answered and self.is_greeting(text):
                self.greeting = text
            elif text.strip() or not due:
                return text
        return None

    def _ended(self, running: Running, again: bool) -> None:
        """Raise for a program whose output ended before its answer; return if it had done its work and ended in
        peace."""
        code = running.stop(GRACE)
        self._running.clear()
        if code == 0 and running.answered and not again:
            return
        if code is None:
            what = "it closed its standard output and ran on"
        elif code < 0:
            what = f"it died of {_signal_name(-code)} without an answer"
        else:
            what = f"it ended with exit status {code} without an answer"
        raise BackendFault(kinds.CRASHED, what + running.last_words())

    def _fault(self, kind: str, detail: str) -> None:
        running = self._running.pop()
        running.stop()
        raise BackendFault(kind, detail + running.last_words()) from None

    def give_up(self) -> None:
        """End a program whose answers may no longer belong to their questions."""
        while self._running:
            self._running.pop().stop()


def _stop_all(running: list[Running]) -> None:
    while running:
        running.pop().stop(GRACE)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _quoted(data: bytes) -> str:
    return repr(data.strip()[:60].decode("utf-8", "replace"))
