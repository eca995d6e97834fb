"""Where cells run: every task is answered once, whatever dies."""

from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from pathlib import Path
from threading import Timer
from typing import Any

import pytest

from npquant.workflow.sweep.executors import LOSSES, InThisProcess, Place, answers, opened

DIES = "__import__('os')._exit(9)"


class Dying(Executor):
    """Break as a pool does: each task named in `deaths` breaks the executor so many times."""

    def __init__(self, deaths: dict[int, int]) -> None:
        self.deaths, self.broken = deaths, False

    def submit(self, fn: Callable[..., Any], /, *args: Any) -> Future[Any]:  # type: ignore[override]
        """Answer, or break."""
        if self.broken:
            raise BrokenExecutor("broken before")
        future: Future[Any] = Future()
        if self.deaths.get(args[0], 0):
            self.deaths[args[0]] -= 1
            self.broken = True
        if self.broken:
            future.set_exception(BrokenExecutor("its worker died"))
        else:
            future.set_result(fn(*args))
        return future


@pytest.mark.parametrize("window", [1, 3, 64])
@pytest.mark.parametrize("deaths", [{}, {0: 1}, {4: 2, 5: 1}, {2: LOSSES, 3: 1}, {9: 99}])
def test_answers_each_task_once(deaths: dict[int, int], window: int) -> None:
    """Each task is answered or given up once, and only those that died LOSSES times are given up."""
    left = dict(deaths)
    place = Place(lambda: Dying(left), lambda _: None, window)
    found = list(answers(place, abs, range(10)))
    assert sorted(at for at, _ in found) == list(range(10))
    given_up = {at for at, answer in found if isinstance(answer, Exception)}
    assert given_up == {at for at, count in deaths.items() if count >= LOSSES}


class Lagging(Executor):
    """Answer each task after a while, lose those in `deaths` so many times, and see whether one lost runs alone."""

    def __init__(self, deaths: dict[int, int]) -> None:
        self.deaths, self.lost = deaths, set[int]()
        self.pending: dict[int, Future[Any]] = {}
        self.crowded = False

    def submit(self, fn: Callable[..., Any], /, *args: Any) -> Future[Any]:  # type: ignore[override]
        """Answer after 5 ms."""
        future: Future[Any] = Future()
        self.crowded |= bool(self.pending) and not self.lost.isdisjoint({args[0], *self.pending})
        self.pending[args[0]] = future
        Timer(0.005, self.settle, (fn, args[0])).start()
        return future

    def settle(self, fn: Callable[..., Any], task: int) -> None:
        """Answer, or lose the task alone, as a cluster does whose other workers live."""
        future = self.pending.pop(task)
        if self.deaths.get(task, 0):
            self.deaths[task] -= 1
            self.lost.add(task)
            future.set_exception(RuntimeError("its worker was killed"))
        else:
            future.set_result(fn(task))


@pytest.mark.parametrize("deaths", [{1: 1}, {0: 2, 1: 1, 5: 1}, {3: 99, 4: 99}])
def test_answers_gives_a_lost_task_out_alone(deaths: dict[int, int]) -> None:
    """What may have killed its worker takes no other task with it."""
    executor = Lagging(dict(deaths))
    found = dict(answers(Place(lambda: executor, lambda _: None, 4), abs, range(9)))
    assert len(found) == 9 and not executor.crowded
    assert {at for at, answer in found.items() if isinstance(answer, Exception)} == {
        at for at, count in deaths.items() if count >= LOSSES
    }


def test_answers_somebody_elses_broken_executor_ends_the_sweep() -> None:
    """An executor that cannot be started anew is an error that says what to do."""
    with opened(Dying({1: 1})) as place, pytest.raises(RuntimeError, match="make another and sweep again"):
        list(answers(place, abs, range(3)))


def test_answers_workers_that_never_answer_end_the_sweep() -> None:
    """Where nothing but deaths is seen, the error names the guard that a script lacks."""
    always = Place(lambda: Dying(dict.fromkeys(range(9), 99)), lambda _: None, 4)
    with pytest.raises(RuntimeError, match="__name__"):
        list(answers(always, abs, range(9)))


def test_answers_survives_killed_processes(tmp_path: Path) -> None:
    """In real processes one task kills its worker once, one always: the first is answered, all others too."""
    once = tmp_path / "once"
    first = f"__import__('os').path.exists({str(once)!r}) or (open({str(once)!r}, 'x'), {DIES})"
    tasks = ["1 + 1", first, DIES, "2 + 2"]
    with opened("processes:2") as place:
        found = dict(answers(place, eval, tasks))
    assert isinstance(found[2], BrokenExecutor)
    assert (found[0], found[1], found[3]) == (2, True, 4)


def test_answers_same_in_threads_and_here() -> None:
    """Any executor of concurrent.futures gives the same answers."""
    with ThreadPoolExecutor(3) as pool:
        found = []
        for executor in (pool, InThisProcess()):
            with opened(executor) as place:
                found.append(dict(answers(place, abs, range(-9, 0))))
    assert found[0] == found[1] == {at: 9 - at for at in range(9)}


@pytest.mark.parametrize("asked", ["processes:0", "processes:", "processes:two", "dask:", "dask", "thread", ""])
def test_opened_refuses_by_name(asked: str) -> None:
    """An unknown executor is an error that lists the known ones."""
    with pytest.raises(ValueError, match="give processes, processes:N or dask:ADDRESS"), opened(asked):
        pass
