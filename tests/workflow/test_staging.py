"""Laws of a folder of several files: the old run whole or the new run whole, whatever fails, and wherever."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from npquant.cli import main
from npquant.files import staging as staging_module
from npquant.files.storage import write_atomically
from npquant.workflow.exports import write_export
from npquant.workflow.staging import check_places, staged_files
from tests.cli.process import ENVIRONMENT

Tree = dict[str, bytes]
FAILURES = (OSError(28, "No space left on device"), KeyboardInterrupt(), MemoryError())
FIXED = ("run", "--prune", "0", "--activation-bits", "8")


def tree(folder: Path) -> Tree:
    """All files under a folder, hidden ones too."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if not path.is_dir()}


def run_of(text: str, *names: str) -> Tree:
    """The files of a run that wrote `names` besides its networks."""
    files = {name: f"{text} {name}".encode() for name in ("float.npz", "deployed.npz", *names)}
    listed = [{"files": [{"name": name} for name in names]}]
    record = {"run": text, "deployment": {"files": {"float.npz": 1, "deployed.npz": 1}, "targets": listed}}
    return {**files, "report.json": json.dumps(record).encode()}


def write(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files together."""
    with staged_files(folder) as staged:
        for name, content in files.items():
            (staged / name).parent.mkdir(exist_ok=True)
            write_atomically(staged / name, content)


OLD = run_of("old", "deployed_c/deployed.c", "deployed_c/deployed.h", "deployed.onnx")
NEW = run_of("new", "deployed_c/deployed.c", "deployed_readmemh/w0.mem", "deployed_arrays.npz")
OWN = {"notes.txt": b"mine", "deployed_c/Makefile": b"all:"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with an old run and files of the user's own."""
    write(tmp_path, OLD)
    for name, content in OWN.items():
        (tmp_path / name).write_bytes(content)
    assert tree(tmp_path) == {**OLD, **OWN}
    return tmp_path


def failing(at: int, error: BaseException, call: Callable[..., Any]) -> tuple[Callable[..., Any], list[int]]:
    """Wrap a function so that its call number `at` fails; count the calls."""
    count = [0]

    def wrapped(*arguments: Any, **options: Any) -> Any:
        count[0] += 1
        if count[0] == at + 1:
            raise error
        return call(*arguments, **options)

    return wrapped, count


def test_the_new_run_replaces_the_old_one_and_nothing_else(folder: Path) -> None:
    """What the old report lists goes, also what the new run does not write; the user's own files stay."""
    write(folder, NEW)
    assert tree(folder) == {**NEW, **OWN}


def test_folders_that_held_nothing_else_go_with_their_files(folder: Path) -> None:
    """A run without exports leaves no empty folder of the run before it."""
    (folder / "deployed_c" / "Makefile").unlink()
    write(folder, run_of("bare"))
    assert sorted(os.listdir(folder)) == ["deployed.npz", "float.npz", "notes.txt", "report.json"]


@pytest.mark.parametrize("error", FAILURES, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("call", ["replace", "rename", "fsync", "mkdir"])
def test_a_failure_at_any_call_leaves_the_old_run_whole(
    call: str, error: BaseException, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every write, every renaming, every folder made: one after the other fails, and nothing has changed."""
    at, reached = 0, True
    before = sorted(path.relative_to(folder) for path in folder.rglob("*"))
    while reached:
        wrapped, count = failing(at, error, getattr(os, call))
        with monkeypatch.context() as patch:
            patch.setattr(os, call, wrapped)
            try:
                write(folder, NEW)
                due = {**NEW, **OWN}  # a folder that was there already need not be made
            except type(error):
                due = {**OLD, **OWN}
        reached = count[0] > at
        assert tree(folder) == due, (call, at)
        if due["report.json"] == OLD["report.json"]:
            assert sorted(path.relative_to(folder) for path in folder.rglob("*")) == before
        write(folder, OLD)
        at += 1
    write(folder, NEW)
    assert tree(folder) == {**NEW, **OWN}
    assert at > 4, "the law is vacuous"


STOPPED = """
import os, sys
from pathlib import Path
from tests.workflow.test_staging import NEW, write
name, at = sys.argv[1], int(sys.argv[2])
call, left = getattr(os, name), [at]
def stopping(*arguments):
    if not left[0]:
        os._exit(9)
    left[0] -= 1
    return call(*arguments)
setattr(os, name, stopping)
write(Path(sys.argv[3]), NEW)
"""


@pytest.mark.parametrize(("call", "at"), [("fsync", 0), ("fsync", 3), *(("rename", at) for at in (0, 1, 4, 8, 11))])
def test_a_process_that_is_stopped_leaves_no_report_beside_other_files(call: str, at: int, folder: Path) -> None:
    """Where nothing can be undone: a report stands only where all the files stand that it speaks of."""
    command = [sys.executable, "-c", STOPPED, call, str(at), str(folder)]
    done = subprocess.run(command, env=ENVIRONMENT, cwd=Path(__file__).parents[2], check=False, timeout=60)
    assert done.returncode == 9
    left = {name: content for name, content in tree(folder).items() if not name.startswith(".")}
    assert left in ({**OLD, **OWN}, {**NEW, **OWN}) or "report.json" not in left
    write(folder, NEW)
    assert {name: content for name, content in tree(folder).items() if not name.startswith(".")}.items() >= NEW.items()


@pytest.mark.parametrize("said", [
    b"", b"[]", b"{}", b"\xff", b'{"deployment": 1}', b"[" * 100_000,
    *(json.dumps({"deployment": {"files": {name: 1}, "targets": []}}).encode()
      for name in ("../victim", "/victim", "notes.txt", "deployed_c/../notes.txt", "", ".", "deployed_c\0")),
])  # fmt: skip
def test_a_report_of_another_kind_takes_nothing_with_it(said: bytes, tmp_path: Path) -> None:
    """What stands in an old report.json moves no file but a run's own."""
    out = tmp_path / "out"
    out.mkdir()
    (tmp_path / "victim").write_bytes(b"kept")
    (out / "notes.txt").write_bytes(b"mine")
    (out / "report.json").write_bytes(said)
    write(out, NEW)
    assert tree(tmp_path) == {"victim": b"kept", "out/notes.txt": b"mine", **{f"out/{n}": b for n, b in NEW.items()}}


def test_two_runs_that_write_at_once_do_not_mix(tmp_path: Path) -> None:
    """Both write while the other does; the last to end is the one that stands, whole."""
    with staged_files(tmp_path) as one:
        with staged_files(tmp_path) as two:
            for staged, files in ((one, OLD), (two, NEW)):
                for name, content in files.items():
                    (staged / name).parent.mkdir(exist_ok=True)
                    (staged / name).write_bytes(content)
        assert tree(tmp_path).items() >= NEW.items()
    assert tree(tmp_path) == OLD


def test_errors_name_the_place_and_not_the_hidden_folder(folder: Path) -> None:
    """Whoever asked for `folder/deployed.npz` reads of that."""
    with pytest.raises(OSError) as caught, staged_files(folder) as staged:
        raise OSError(28, "No space left on device", str(staged / "deployed.npz"))
    assert caught.value.filename == str(folder / "deployed.npz")


@pytest.mark.parametrize("name", ["report.json", "deployed.npz", "deployed.onnx", "deployed_c"])
def test_what_is_in_the_way_is_said_before_any_work(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder where a file belongs, and the other way round: exit 2, one line that names it."""
    if name == "deployed_c":
        (tmp_path / name).write_text("")
    else:
        (tmp_path / name).mkdir()
    with pytest.raises(ValueError, match=name):
        check_places(tmp_path)
    assert main([*FIXED, "--bits", "8", "--out", str(tmp_path)]) == 2
    assert name in capsys.readouterr().err
    assert os.listdir(tmp_path) == [name]


def test_exports_of_several_files_are_all_or_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of C files holds one export whole, whichever write fails."""
    old, new = ({name: f"{text} {name}".encode() for name in ("a.c", "a.h", "test.c")} for text in ("old", "new"))
    out = tmp_path / "c"
    write_export(out, old)
    for at in range(len(new)):
        wrapped, _ = failing(at, OSError(28, "No space left on device"), write_atomically)
        with monkeypatch.context() as patch:
            patch.setattr(staging_module, "write_atomically", wrapped)
            with pytest.raises(OSError, match="No space"):
                write_export(out, new)
        assert tree(out) == old
    assert write_export(out, new) == {out / name: len(content) for name, content in new.items()}
    assert tree(out) == new


def test_a_run_whose_disk_fills_up_leaves_the_run_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The eight steps, where each of their writes fails in turn: exit 2, and the folder is as it was."""
    line = [*FIXED, "--targets", "c,npz", "--out", str(tmp_path)]
    assert main([*line, "--bits", "8"]) == 0
    before = tree(tmp_path)
    assert len(before) > 5
    for at in (0, 1, 2, len(before) - 1):
        wrapped, count = failing(at, OSError(28, "No space left on device"), os.fsync)
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", wrapped)
            assert main([*line, "--bits", "4"]) == 2
        assert count[0] == at + 1
        assert tree(tmp_path) == before
        shown = capsys.readouterr().err
        assert "No space left" in shown and ".npquant" not in shown
    assert main([*line[:-4], "--targets", "none", "--out", str(tmp_path), "--bits", "4"]) in (0, 1)
    assert sorted(tree(tmp_path)) == ["deployed.npz", "float.npz", "report.html", "report.json"]
