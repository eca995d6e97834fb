"""Where the cells of a sweep run, and how each gets done though a worker dies.

A task whose worker dies is given out again, alone, so that what kills its worker takes no other task with it, and is
given up after LOSSES such deaths.

Legend: task what a function takes, one of tasks; place where they run; executor any of `concurrent.futures`; asked
None for this process, an executor, or a text: "processes", "processes:N" or "dask:ADDRESS".
"""

from __future__ import annotations

import os
import signal
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context, parent_process
from threading import Thread
from typing import Any, Final, TypeVar

from npquant.workflow.blas_threads import children_with_one_blas_thread

LOSSES: Final = 3
# Tasks given out at a time to an executor whose size is not known.
WINDOW: Final = 64
Task = TypeVar("Task")
Answer = TypeVar("Answer")


class InThisProcess(Executor):
    """Run each task when it is submitted, here."""

    def submit(self, fn: Callable[..., Any], /, *args: Any) -> Future[Any]:  # type: ignore[override]
        """Return the future of the call fn(*args), done already."""
        future: Future[Any] = Future()
        future.set_result(fn(*args))
        return future


@dataclass(frozen=True, slots=True)
class Place:
    """Where tasks run: what starts an executor, anew if it breaks, what ends one, and how many tasks it is given."""

    start: Callable[[], Executor]
    end: Callable[[Executor], None]
    window: int


@contextmanager
def opened(asked: Executor | str | None) -> Iterator[Place]:
    """Give the place that is asked for. ValueError names an unknown one; ImportError what to install for it.

    >>> with opened("threads"):
    ...     pass
    Traceback (most recent call last):
    ValueError: the executor is 'threads'; give processes, processes:N or dask:ADDRESS
    """
    if not isinstance(asked, str):
        own = InThisProcess() if asked is None else asked
        yield Place(lambda: own, _leave, 1 if asked is None else WINDOW)
        return
    kind, _, rest = asked.partition(":")
    if kind == "processes" and (asked == kind or (rest.isdecimal() and int(rest) > 0)):
        count = int(rest or os.cpu_count() or 1)
        pool = partial(ProcessPoolExecutor, count, get_context("spawn"), _end_with_parent)
        with children_with_one_blas_thread():
            # One waiting for each at work, so that no worker is idle while an answer is written.
            yield Place(pool, _shut_down, 2 * count)
    elif kind == "dask" and rest:
        with _dask_client(rest) as client:
            yield Place(client.get_executor, _leave, WINDOW)
    else:
        raise ValueError(f"the executor is {asked!r}; give processes, processes:N or dask:ADDRESS")


def answers(
    place: Place, function: Callable[[Task], Answer], tasks: Sequence[Task]
) -> Iterator[tuple[int, Answer | Exception]]:
    """Yield the index of each of the tasks with what the function answers, as they are done, or why it is given up.

    RuntimeError if the executor breaks and is not this place's to start anew, or its workers die before any answer.

    >>> with opened(None) as place:
    ...     list(answers(place, abs, [-1, 2]))
    [(0, 1), (1, 2)]
    """
    turns, executor = _Turns(len(tasks)), place.start()
    try:
        while turns.left:
            if turns.broken and not turns.running:
                executor = _restarted(place, executor, turns)
            for at in turns.next_ones(place.window):
                try:
                    turns.running[executor.submit(function, tasks[at])] = at
                except BrokenExecutor as error:
                    turns.lose(at, error)
            for future in wait(turns.running, return_when=FIRST_COMPLETED).done:
                at = turns.running.pop(future)
                try:
                    answer = future.result()
                except Exception as error:  # the function raises none of its own: the worker is gone, or out of memory
                    turns.lose(at, error)
                else:
                    turns.answered += 1
                    yield at, answer
            yield from turns.take_given_up()
    finally:
        place.end(executor)


class _Turns:
    """Which tasks wait, run, or were lost with a worker, by index."""

    def __init__(self, count: int) -> None:
        self.waiting = deque(range(count))
        self.suspects: deque[int] = deque()  # lost before: each runs alone
        self.running: dict[Future[Any], int] = {}
        self.answered = 0
        self.deaths = 0
        self.broken = False
        self._lost: Counter[int] = Counter()
        self._given_up: list[tuple[int, Exception]] = []

    @property
    def left(self) -> bool:
        return bool(self.waiting or self.suspects or self.running)

    def next_ones(self, window: int) -> list[int]:
        """Take those that may be given out now."""
        if self.broken:
            return []
        if self.suspects:
            return [] if self.running else [self.suspects.popleft()]
        return [self.waiting.popleft() for _ in range(min(window - len(self.running), len(self.waiting)))]

    def lose(self, at: int, error: Exception) -> None:
        """Note that a task was lost with its worker."""
        self.broken = self.broken or isinstance(error, BrokenExecutor)
        self._lost[at] += 1
        if self._lost[at] == LOSSES:
            self._given_up.append((at, error))
        else:
            self.suspects.append(at)

    def take_given_up(self) -> list[tuple[int, Exception]]:
        """Hand over the tasks that were lost too often, each with the last error."""
        found, self._given_up = self._given_up, []
        return found


def _restarted(place: Place, broken: Executor, turns: _Turns) -> Executor:
    place.end(broken)
    executor = place.start()
    turns.broken = False
    turns.deaths += 1
    if executor is broken:
        raise RuntimeError("the executor broke with a worker; make another and sweep again: what is done stays")
    if turns.deaths == LOSSES and not turns.answered:
        raise RuntimeError(
            "the workers die before they answer: if a script of yours starts the sweep, let it do so under "
            "if __name__ == '__main__', or give processes more memory"
        )
    return executor


@contextmanager
def _dask_client(address: str) -> Iterator[Any]:
    try:
        from distributed import Client
    except ImportError as error:
        raise ImportError("dask:ADDRESS needs distributed: pip install npquant[dist]") from error
    with Client(address, set_as_default=False) as client:
        yield client


def _end_with_parent() -> None:
    """See to it that a worker ends with its sweep, killed or interrupted: it would wait for work for ever."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C reaches all of them: without a traceback each
    Thread(target=_wait_for_its_end, daemon=True).start()


def _wait_for_its_end() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _leave(executor: Executor) -> None:
    """Somebody else's executor, or the client's own: not to be ended here."""


def _shut_down(executor: Executor) -> None:
    executor.shutdown(wait=True, cancel_futures=True)
