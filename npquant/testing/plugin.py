"""The pytest plugin: a test for each class of cases, and a backend as a fixture.

`pytest --npquant-backend mykernels:linear --npquant-profile ort` adds the tests npquant::plain, npquant::tie ..., which
a report then shows as a matrix of what the backend can do. Without the option nothing is collected and nothing of
npquant loaded but this module; `-p no:npquant` leaves the plugin out. It is found by its entry point; who names the
module as well (`-p npquant.testing.plugin`) must switch that off, as pytest refuses a plugin that comes twice.

Legend: parser, session, config, items and call are pytest's own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from npquant.testing.backend import Backend
    from npquant.testing.verdict import ClassResult, Verdict

_TIERS = ("smoke", "standard", "exhaustive")
# Exit code of a session in which no class was judged: never green by accident.
_NOTHING_RAN = 4
_BACKEND: pytest.StashKey[Backend | str] = pytest.StashKey()
_JUDGED: pytest.StashKey[list[str]] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("npquant", "judge a quantized kernel")
    group.addoption("--npquant-backend", metavar="TARGET", help="module:attribute, file.py:attribute or a .so")
    group.addoption("--npquant-command", metavar="CMD", help="a program that speaks the pipe, in place of a backend")
    group.addoption("--npquant-profile", metavar="NAME", help="the arithmetic to judge by; default: what it claims")
    group.addoption("--npquant-tier", choices=_TIERS, default="standard", help="how hard (default: standard)")
    group.addoption("--npquant-seed", metavar="N", type=int, default=0, help="of all that is drawn (default: 0)")
    group.addoption("--npquant-xfail", metavar="FILE", help="classes known to fail, a line `class: reason` each")


def pytest_configure(config: pytest.Config) -> None:
    """Refuse options that go nowhere before a single test is collected."""
    config.stash[_JUDGED] = []
    xfail = config.getoption("--npquant-xfail")
    if not _asked(config):
        if xfail is not None:
            raise pytest.UsageError("--npquant-xfail without --npquant-backend: nothing would be judged")
        return
    if xfail is not None:
        from npquant.testing.expected_failures import read_expected_failures

        try:
            read_expected_failures(xfail)
        except (OSError, ValueError) as error:
            raise pytest.UsageError(f"--npquant-xfail: {error}") from error


def _asked(config: pytest.Config) -> bool:
    return bool(config.getoption("--npquant-backend") or config.getoption("--npquant-command"))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(session: pytest.Session, config: pytest.Config, items: list[pytest.Item]) -> None:
    """Add a test for each class, before -k and -m choose."""
    if not _asked(config):
        return
    from npquant.testing.expected_failures import read_expected_failures
    from npquant.testing.trial import CLASSES

    path = config.getoption("--npquant-xfail")
    expected = {} if path is None else read_expected_failures(path)
    group = Classes.from_parent(session, name="npquant", nodeid="npquant")
    for module in CLASSES:
        items.append(ClassItem.from_parent(group, name=module.NAME, reason=expected.get(module.NAME)))


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Turn a green session red in which classes were selected and none was judged; exitstatus is what it was."""
    if exitstatus == 0 and _nothing_judged(session.config, getattr(session, "items", [])):
        session.exitstatus = _NOTHING_RAN


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Say why the session is red; terminalreporter as pytest gives it."""
    session = getattr(terminalreporter, "_session", None)
    if session is not None and session.exitstatus == _NOTHING_RAN and _nothing_judged(config, session.items):
        terminalreporter.write_line("npquant: no class was judged, so nothing is known of the backend", red=True)


def _nothing_judged(config: pytest.Config, items: list[pytest.Item]) -> bool:
    return any(isinstance(item, ClassItem) for item in items) and not config.stash[_JUDGED]


class Classes(pytest.Collector):
    """The parent of the tests: their ids begin with its name."""

    def collect(self) -> Iterator[pytest.Item]:
        """Yield nothing: the tests are made with the session's."""
        return iter(())


class NonConformant(Exception):
    """A class of cases that a backend failed."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict.failures[0].kind)
        self.verdict = verdict


class ClassItem(pytest.Item):
    """One class of cases as a test; reason says why it is known to fail."""

    def __init__(self, *, reason: str | None, name: str, parent: pytest.Collector) -> None:
        super().__init__(name, parent)
        self.reason = reason

    def runtest(self) -> None:
        """Judge; a known failure is told and not shrunk, and one that passes is a failure."""
        from npquant.testing import trial

        config = self.config
        tier, seed = config.getoption("--npquant-tier"), config.getoption("--npquant-seed")
        verdict = trial.run(_backend(config), None, tier, seed, classes=[self.name])
        result: ClassResult = verdict.classes[0]
        if result.cases:
            config.stash[_JUDGED].append(self.name)
        if result.findings and self.reason is not None:
            pytest.xfail(self.reason)
        if result.findings:
            raise NonConformant(verdict)
        if not result.passed:
            pytest.skip(f"not asked: {result.why_not_asked}")
        if self.reason is not None:
            pytest.fail(f"passed, and was expected to fail: {self.reason}", pytrace=False)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Return the counterexample as the text of the failure; excinfo and style as pytest gives them."""
        if isinstance(excinfo.value, NonConformant):
            return excinfo.value.verdict.failures[0].text()
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Any, int | None, str]:
        """Return where the test stands: nowhere but in its id."""
        return "npquant", None, f"npquant::{self.name}"


def _backend(config: pytest.Config) -> Backend:
    """Return the backend of the options, made once a session; a target that is none fails each test that needs it."""
    if _BACKEND not in config.stash:
        from npquant.testing.target import backend_of

        try:
            config.stash[_BACKEND] = backend_of(
                config.getoption("--npquant-backend"),
                command=config.getoption("--npquant-command"),
                profile=config.getoption("--npquant-profile"),
            )
        except ValueError as error:
            config.stash[_BACKEND] = str(error)
    made: Backend | str = config.stash[_BACKEND]
    if isinstance(made, str):
        pytest.fail(made, pytrace=False)
    return made


@pytest.fixture(scope="session")
def quantized_backend(request: pytest.FixtureRequest) -> Backend:
    """Give the backend that --npquant-backend names, under the profile of --npquant-profile; skip without one.

    request is pytest's own."""
    if not _asked(request.config):
        pytest.skip("no --npquant-backend was given")
    return _backend(request.config)
