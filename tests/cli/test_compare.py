"""``npquant compare``: what it prints and writes, its exit codes, and what it refuses."""

import json
from pathlib import Path

import numpy as np
import pytest

from npquant.cli import compare as command
from npquant.cli import main
from npquant.workflow.compare import run as library

QUICK = ["--seeds", "2", "--hidden", "6", "--epochs", "1"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with a small table and a method of one's own."""
    draw = np.random.default_rng(0)
    x = draw.normal(0, 1, (90, 3))
    lines = [",".join([*(f"{v:.3f}" for v in row), "ab"[int(row[0] > 0)]]) for row in x]
    (tmp_path / "small.csv").write_text("p,q,r,label\n" + "\n".join(lines) + "\n")
    (tmp_path / "rounding_mine.py").write_text(
        "from npquant.compression.rounding.nearest import nearest_layer\n\n\n"
        "def mine(problem, bits):\n    return nearest_layer(problem, bits)\n\n\n"
        "def broken(problem, bits):\n    return 1 / 0\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def test_compare_prints_the_answer_first(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A method of one's own stands in the table beside npquant's, after a line that says who is ahead."""
    line = ["compare", "--data", "small.csv", "--methods", "gptq-resolved,rounding_mine:mine", "--bits", "3,t", *QUICK]
    assert main(line) == 0
    page = capsys.readouterr().out
    assert page.startswith("Against gptq_resolved, in KL to the float network, over 2 seeds")
    assert "\nsmall: 3-6-2, clipped_relu; seeds 0, 1; float accuracy" in page
    for head in ("\n  3 bits ", "\n  ternary "):
        table = page[page.index(head, page.index("small:")) :]
        assert table.index("\n  gptq_resolved ") < table.index("\n  mine ")


def test_compare_writes_what_it_prints(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """CSV, JSON and the picture are written; --json alone prints the same figures, but for the seconds."""
    line = ["compare", "--data", "small.csv", "--methods", "nearest,rounding_mine.py:mine", "--bits", "2", *QUICK]
    assert main([*line, "--csv", "a.csv", "--json", "a.json", "--plot", "a.svg"]) == 0
    assert capsys.readouterr().out.startswith("Against nearest")
    assert main([*line, "--json"]) == 0
    printed, written = json.loads(capsys.readouterr().out), json.loads((folder / "a.json").read_text())
    for record in (printed, written):
        for row in (*record["rows"], *record["pairs"]):
            row.pop("seconds")
    assert printed == written and len(printed["rows"]) == 4
    assert [pair["verdict"] for pair in printed["pairs"]] == ["open"]  # the same function twice
    assert (folder / "a.csv").read_text().count("\n") == 5
    assert (folder / "a.svg").read_text().startswith("<svg ")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--methods", "gptq"], "a comparison needs two methods at least"),
        (["--methods", "gptq,gtpq"], "the method 'gtpq' is unknown; give module:function"),
        (["--methods", "gptq,no_such_module:f"], "no_such_module cannot be imported"),
        (["--methods", "gptq,rounding_mine:broken"], "broken at 2 bits: layer 0, 3 x 6: ZeroDivisionError"),
        (["--bits", "9"], "bits is 9"),
        (["--seeds", "0"], "give at least one seed"),
        (["--activation", "relux"], "the activation is 'relux'"),
        (["--executor", "threads"], "the executor is 'threads'"),
        (["--csv", "nowhere/a.csv"], "choose a writable place with --csv"),
        (["--json", ""], "--json is empty"),
        (["--csv", "small.csv"], "--csv is small.csv, which would be lost"),
        (["--csv", "a.csv", "--plot", "a.csv"], "which would be lost"),
        (["--plot", "a.png"], "--plot is a.png; name an SVG"),
        (["--data", "missing.csv"], "missing.csv"),
    ],
)
def test_compare_refuses_in_one_line(
    more: list[str], said: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Bad input is exit code 2 and one line that names it; no file is written."""
    before = sorted(path.name for path in folder.iterdir())
    line = ["compare", "--data", "small.csv", "--methods", "gptq,nearest", "--bits", "2", *QUICK]
    assert main([*line, *more]) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1
    assert [name for name in sorted(path.name for path in folder.iterdir()) if name != "__pycache__"] == before


def test_compare_usage_error_names_the_value(capsys: pytest.CaptureFixture[str]) -> None:
    """A width that is none is a usage error."""
    with pytest.raises(SystemExit, match="2"):
        main(["compare", "--bits", "4,x"])
    assert "'4,x' is not a list of widths such as 4,2,ternary" in capsys.readouterr().err


def test_defaults_are_the_librarys() -> None:
    """The command's defaults, which stand there so that help loads no NumPy, are those of `npquant.compare`."""
    stated = (command._METHODS, command._WIDTHS, command._SEEDS, command._ACTIVATION)
    assert stated == (library.METHODS, library.WIDTHS, library.SEEDS, library.ACTIVATION)
