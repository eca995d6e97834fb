"""Laws of what a command prints: no stream that it may find makes it fail, or say anything else than it found."""

import io
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from npquant.cli import main, streams
from npquant.files.storage import save
from npquant.interop.reading import load, read_facts
from tests.cli.process import ENVIRONMENT, but_progress, run_command

NAMES = ("größe", "naïve 中😀")
FIXED = ("run", "--bits", "8", "--prune", "0", "--activation-bits", "8", "--targets", "none")
posix = pytest.mark.skipif(os.name != "posix", reason="redirections of a POSIX shell")


def in_shell(redirection: str, arguments: Sequence[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run npquant under a shell's redirection."""
    line = " ".join((f"'{sys.executable}' -m npquant", *(f"'{word}'" for word in arguments), redirection))
    return subprocess.run(
        ["bash", "-c", line], cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, timeout=300, check=False
    )


@pytest.mark.parametrize("encoding", ["ascii:strict", "cp437", "cp1252", "utf-8", "utf-16"])
def test_a_name_that_a_console_cannot_hold_is_escaped(encoding: str, float_file: Path, tmp_path: Path) -> None:
    """Under every encoding the command ends as it does under UTF-8, and what can be encoded is."""
    for name in NAMES:
        path = tmp_path / f"{name}.npz"
        path.write_bytes(float_file.read_bytes())
        done = subprocess.run(
            [sys.executable, "-m", "npquant", "inspect", path.name], cwd=tmp_path, capture_output=True, timeout=300,
            env={**ENVIRONMENT, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, b"")
        codec = encoding.split(":")[0]
        first = done.stdout.decode(codec).splitlines()[0]
        whole = f"{path.name}   FloatMLP, 28,280 bytes"
        assert first in (whole, whole.encode(codec, "backslashreplace").decode(codec))


def test_a_run_under_the_plainest_locale_writes_and_ends_well(tmp_path: Path) -> None:
    """LC_ALL=C without coercion: the folder is written, the verdict is the exit code."""
    bare = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    done = run_command([*FIXED, "--out", "größe中"], tmp_path, **bare)
    assert (done.returncode, but_progress(done.stderr)) == (0, "")
    assert (tmp_path / "größe中" / "report.json").exists()
    assert "Budget met." in done.stdout


def test_errors_that_name_such_a_file_are_one_line(tmp_path: Path) -> None:
    """Exit 2 and one line, whatever stderr can hold."""
    done = run_command(["inspect", "größe中.npz"], tmp_path, PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1 and "npz: No such file" in done.stderr


@posix
@pytest.mark.parametrize("redirection", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-", "2>/dev/full"])
def test_absent_streams_change_no_exit_code(redirection: str, float_file: Path, tmp_path: Path) -> None:
    """No stdout, no stderr, neither, none of the three: each command ends as ever, and files hold what they hold."""
    source = str(float_file)
    for arguments, code in (
        (["inspect", source], 0),
        (["--help"], 0),
        (["walk"], 2),
        (["inspect", "nowhere.npz"], 2),
        (
            ["quantize", source, "--bits", "2", "--rows", "64", "--method", "uniform", "--max-drop", "0", "--out", "q"],
            1,
        ),
        (["quantize", source, "--method", "uniform", "--out", "q.npz"], 0),
    ):
        done = in_shell(redirection, arguments, tmp_path)
        assert done.returncode == code, arguments
        assert "Traceback" not in done.stderr
    save(load(tmp_path / "q.npz"), tmp_path / "again.npz", facts=read_facts(tmp_path / "q.npz"))
    assert (tmp_path / "again.npz").read_bytes() == (tmp_path / "q.npz").read_bytes()


@posix
def test_a_run_without_stdout_writes_its_folder(tmp_path: Path) -> None:
    """The eight steps need no stdout."""
    done = in_shell(">&-", [*FIXED, "--out", "quiet"], tmp_path)
    assert (done.returncode, but_progress(done.stderr)) == (0, "")
    assert sorted(os.listdir(tmp_path / "quiet")) == ["deployed.npz", "float.npz", "report.html", "report.json"]


@posix
@pytest.mark.parametrize("arguments", [["profiles"], ["--help"], ["run", "--help"], ["profiles", "npquant", "--json"]])
def test_a_reader_that_goes_away_is_no_error(arguments: list[str], tmp_path: Path) -> None:
    """141, as a shell reports of any program in such a pipe; nothing on stderr."""
    command = [sys.executable, "-m", "npquant", *arguments]
    process = subprocess.Popen(
        command, cwd=tmp_path, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    said = process.stderr.read()
    process.stderr.close()
    assert (process.wait(timeout=60), said) == (streams.READER_GONE, "")


@posix
def test_a_reader_that_takes_a_part_is_no_error(float_file: Path, tmp_path: Path) -> None:
    """`| head -1` has its line, and no traceback beside it, at any length of what is printed."""
    for arguments in (["profiles"], ["inspect", str(float_file), "--json"]):
        done = in_shell("| head -1; exit ${PIPESTATUS[0]}", arguments, tmp_path)
        assert done.returncode in (0, streams.READER_GONE)
        assert done.stdout.count("\n") == 1
        assert done.stderr == ""


@posix
@pytest.mark.parametrize("redirection", [">/dev/full", "1</dev/null"])
def test_a_stdout_that_takes_nothing_is_said_before_any_work(
    redirection: str, float_file: Path, tmp_path: Path
) -> None:
    """A full or read-only stdout: exit 2, one line, and no file is written."""
    line = ["quantize", str(float_file), "--method", "uniform", "--out", "q.npz"]
    done = in_shell(redirection, line, tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("npquant: error: stdout: ") and done.stderr.count("\n") == 1
    assert os.listdir(tmp_path) == []


class Failing(io.StringIO):
    """A stream that fails at its n-th call."""

    def __init__(self, error: OSError, calls: int) -> None:
        super().__init__()
        self.error, self.calls = error, calls

    def write(self, text: str) -> int:
        self._count()
        return super().write(text)

    def flush(self) -> None:
        self._count()

    def _count(self) -> None:
        self.calls -= 1
        if self.calls < 0:
            raise self.error


@pytest.mark.parametrize("calls", [0, 1])
def test_stdout_may_fail_at_any_write(
    calls: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A pipe that breaks is 141 without a word, a disk that fills up is 2 with one line: at the write or the flush."""
    monkeypatch.setattr(sys, "stdout", Failing(BrokenPipeError(32, "Broken pipe"), calls))
    assert main(["profiles"]) == 141
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys, "stdout", Failing(OSError(28, "No space left on device"), calls))
    assert main(["profiles"]) == 2
    assert capsys.readouterr().err == (
        "npquant: error: stdout: No space left on device; what was found is not printed\n"
    )


@pytest.mark.parametrize("calls", [0, 1])
def test_stderr_may_fail_at_any_write(calls: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The exit code does not depend on whether the error could be told."""
    monkeypatch.setattr(sys, "stderr", Failing(OSError(28, "No space left on device"), calls))
    assert main(["inspect", "nowhere.npz"]) == 2


def test_closed_and_missing_stream_objects_are_left_as_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    """sys.stdout or sys.stderr of None (pythonw, a service), or closed: the same answer, and the same after."""
    closed = io.StringIO()
    closed.close()
    for stream in (None, closed):
        for name in ("stdout", "stderr"):
            with monkeypatch.context() as patch:
                patch.setattr(sys, name, stream)
                codes = main(["profiles"]), main(["inspect", "nowhere.npz"])
                after = getattr(sys, name)
            assert codes == (0, 2)
            assert after is stream


def test_a_stream_that_was_told_how_to_replace_is_obeyed(monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be encoded is escaped only where the stream itself would fail."""
    for errors, due in (("strict", b"gr\\xf6\\xdfe"), ("replace", b"gr??e"), ("xmlcharrefreplace", b"gr&#246;&#223;e")):
        raw = io.BytesIO()
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, "ascii", errors))
        assert streams.deliver("größe") == 0
        assert raw.getvalue() == due


@pytest.mark.parametrize("out", ["", " ", "\t"])
def test_an_empty_out_is_refused_by_every_command(
    out: str, float_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 2, one line that names --out, nothing written anywhere."""
    monkeypatch.chdir(tmp_path)
    source = str(float_file)
    for arguments in (
        list(FIXED), ["quantize", source], ["prune", source, "--rate", "0.2"], ["finetune", source],
        ["import", source], ["export", source, "--to", "onnx"], ["export", source, "--to", "c"],
    ):  # fmt: skip
        assert main([*arguments, "--out", out]) == 2
        assert "--out is empty" in capsys.readouterr().err
    assert os.listdir(tmp_path) == []


@posix
def test_a_device_is_no_output_file(float_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--out /dev/null is refused before the work, not after it."""
    assert main(["quantize", str(float_file), "--out", os.devnull]) == 2
    assert "no regular file" in capsys.readouterr().err
