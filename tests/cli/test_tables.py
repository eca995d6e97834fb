"""Laws of tables on the command line: the label is said or asked for, gaps are counted, and files remember."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from npquant.cli import main
from npquant.interop.reading import read

R = 120
SHORT = ("--hidden", "4", "--epochs", "2", "--bits", "8", "--prune", "0", "--targets", "none", "--max-drop", "100")
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command in an empty folder: its exit code, what it printed, what it complained about."""
    monkeypatch.chdir(tmp_path)

    def command(*arguments: str) -> tuple[int, str, str]:
        code = main(list(arguments))
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return command


def csv(path: str, header: str, *columns: Any) -> str:
    """Write a table."""
    rows = "\n".join(",".join(map(str, row)) for row in zip(*columns, strict=True))
    Path(path).write_text((header + "\n" if header else "") + rows + "\n", encoding="utf-8")
    return path


def report() -> dict[str, Any]:
    """The run's report."""
    found: dict[str, Any] = json.loads(Path("out/report.json").read_text(encoding="utf-8"))
    return found


COUNT = np.arange(R)
A, B = COUNT % 7, COUNT % 5
SAYS = (A > B).astype(int)


@pytest.mark.parametrize(("label", "column"), [("label", 2), ("2", 2), ("-1", 2), ("x", 0)])
def test_run_label_says_which_column(run: Run, label: str, column: int) -> None:
    """A name, an index, or one from the end: the report and the page say which column it was."""
    data = csv("t.csv", "x,y,label", SAYS if label == "x" else A, B, SAYS)
    assert run("run", "--data", data, "--out", "out", *SHORT)[0] == 2  # y beside label
    code, page, _ = run("run", "--data", data, "--label", label, "--out", "out", *SHORT)
    assert code == 0
    found = report()["data"]
    assert found["label"] == {"name": ("x", "y", "label")[column], "column": column, "how": "as asked"}
    assert (
        found["class_names"] == ["0", "1"] and "The label is column" in page and report()["config"]["target"] == label
    )


def test_run_says_the_last_column_of_a_table_without_names(run: Run) -> None:
    """All-binary and headerless: which column it is cannot be told, so the last is taken, and said."""
    data = csv("t.csv", "", *((COUNT >> bit) % 2 for bit in range(4)), SAYS)
    code, page, _ = run("run", "--data", data, "--out", "out", *SHORT)
    assert code == 0 and "the last column, since the columns have no names" in " ".join(page.split())


@pytest.mark.parametrize(
    ("header", "columns", "words"),
    [
        ("class,age,target", (A, B, SAYS), ["'class' or 'target'", "--label"]),
        ("", (np.array(list("TIDN"))[COUNT % 4], A, B), ["label", "--label 0", "--label -1"]),
        ("", (1 + COUNT % 3, COUNT * 0.25, COUNT * 1.5), ["label", "--label 0"]),
        ("time,v,label", (1_700_000_000_000 + 7 * COUNT, A, SAYS), ["'time'", "float32"]),
        ("a,b,label", (["?", *A[1:]], B, SAYS), ["'a' 1", "--missing"]),
        ("a,b,label", (A, B, ["", *SAYS[1:]]), ["the label 'label' is missing in 1 row", "--missing drop"]),
        ("a,code,label", (A, [f"c{i}" for i in COUNT], SAYS), ["'code'", "32", "drop the column"]),
    ],
)
def test_run_asks_rather_than_guesses(run: Run, header: str, columns: tuple[Any, ...], words: list[str]) -> None:
    """What a table leaves open is one line on stderr that names the columns and the option, and exit code 2."""
    code, page, error = run("run", "--data", csv("t.csv", header, *columns), "--out", "out", *SHORT)
    assert code == 2 and page == "" and error.count("\n") == 1 and "t.csv" in error
    for word in words:
        assert word in error


def test_run_files_remember_the_encoding(run: Run) -> None:
    """Words and gaps are encoded by training rows; the next command encodes another order of columns the same way."""
    day = np.array(["Mon", "Tue", "Wed"])[COUNT % 3]
    rain = [("" if row == 5 else row % 7) for row in COUNT]
    data = csv("t.csv", "day,rain,label", day, rain, SAYS)
    assert run("run", "--data", data, "--missing", "mean", "--out", "out", *SHORT)[0] == 0
    facts = read("out/float.npz").facts
    assert facts is not None and facts.label == "label" and facts.encoding is not None
    assert facts.feature_names == ("day=Mon", "day=Tue", "day=Wed", "rain")
    other = csv("u.csv", "rain,day,label", [row % 7 for row in COUNT], ["Wed", *day[1:]], SAYS)
    command = ("quantize", "out/float.npz", "--data", other, "--bits", "8", "--out", "q.npz", "--json")
    code, page, error = run(*command)
    assert (code, error) == (0, "") and json.loads(page)["data"]["features"] == 4
    assert run("run", "--missing", "mean")[0] == 2  # no table


def test_files_know_their_label_and_how_gaps_are_filled(run: Run) -> None:
    """The next command needs neither --label nor --missing for the table that the network was made from."""
    rain = [("" if row == 5 else row % 7) for row in COUNT]
    data = csv("t.csv", "wet,rain,wind", SAYS, rain, A)
    assert run("run", "--data", data, "--label", "wet", "--missing", "mean", "--out", "out", *SHORT)[0] == 0
    command = ("quantize", "out/float.npz", "--data", data, "--bits", "8", "--out", "q.npz", "--json")
    code, page, error = run(*command)
    record = json.loads(page)
    assert (code, error, record["data"]["label"]["name"]) == (0, "", "wet")
    assert record["data"]["label"]["how"] == "as the network's file knows it"
    judged = ("diff", "q.npz", "--a", "npquant", "--b", "tflite_ref", "--data", data)
    assert run(*judged)[0] in (0, 1)
    other = csv("u.csv", "rain,wet,label", rain, A, SAYS)
    assert run("quantize", "out/float.npz", "--data", other, "--bits", "8", "--out", "q.npz")[0] == 2
