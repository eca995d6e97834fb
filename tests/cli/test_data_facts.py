"""A file and the data that it meets next: by name along the whole chain, and never silently otherwise."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from npquant.cli import main
from npquant.cli.network_tables import printable
from npquant.data.content_hash import content_sha256
from npquant.data.datasets import load_dataset
from npquant.files.facts import Facts
from npquant.files.storage import save
from npquant.interop.reading import load, read, read_facts

RNG = np.random.default_rng(24)
COLUMNS = {"weight": RNG.normal(50, 15, 200).round(1), "height": RNG.normal(170, 10, 200).round(1)}
HEAVY = COLUMNS["weight"] / COLUMNS["height"] ** 2 * 1e4 > 17.5
TRAIN = "--train --epochs 6 --hidden 6 --bits 8 --prune 0 --activation-bits 8 --targets none"


def write(
    name: str, columns: Iterable[str], classes: tuple[str, str] = ("light", "heavy"), label: str = "label"
) -> None:
    """A table with these columns, in this order."""
    cells = [COLUMNS.get(column, COLUMNS["height"]).astype(str) for column in columns]
    rows = zip(*cells, np.where(HEAVY, classes[1], classes[0]), strict=True)
    Path(name).write_text("\n".join(",".join(row) for row in ([*columns, label], *rows)) + "\n", encoding="utf-8")


@pytest.fixture
def run_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run on weight and height, and the same rows in other files."""
    monkeypatch.chdir(tmp_path)
    write("wh.csv", ["weight", "height"])
    write("hw.csv", ["height", "weight"])
    write("renamed.csv", ["weight", "height"], ("light", "too heavy"))
    write("wrong.csv", ["weight", "length"])
    write("more.csv", ["weight", "height", "age"])
    write("less.csv", ["weight"])
    x = np.column_stack([COLUMNS["weight"], COLUMNS["height"]])
    np.savez("turned.npz", x=x, y=HEAVY.astype(int), class_names=["light", "heavy"], feature_names=["weight", "height"])
    np.savez("bare.npz", x=x, y=np.where(HEAVY, "heavy", "light"))
    assert main(f"run --data wh.csv {TRAIN} --out m".split()) in (0, 1)
    return tmp_path


def record(line: str, capsys: pytest.CaptureFixture[str]) -> Any:
    """What a command prints as JSON."""
    capsys.readouterr()
    assert main([*line.split(), "--json"]) in (0, 1)
    return json.loads(capsys.readouterr().out)


def test_the_files_of_a_run_know_its_data(run_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Both networks; the sizes that the report states are those of the files; inspect shows it, in both forms."""
    data = load_dataset("wh.csv")
    for name in ("float", "deployed"):
        known = read_facts(f"m/{name}.npz")
        assert known is not None
        assert (known.feature_names, known.class_names) == (("weight", "height"), ("heavy", "light"))
        assert known.data_sha256 == content_sha256(data)
        said = record(f"inspect m/{name}.npz", capsys)["data"]
        assert Facts.from_json(said) == known
        assert main(["inspect", f"m/{name}.npz"]) == 0
        shown = capsys.readouterr().out
        assert "  features 2: weight, height\n  classes  2: heavy, light\n" in shown and str(known.data_sha256) in shown
    report = json.loads(Path("m/report.json").read_bytes())
    sizes = {name: Path(f"m/{name}").stat().st_size for name in ("float.npz", "deployed.npz")}
    assert report["deployment"]["files"] == sizes
    assert {entry["name"]: entry["bytes"] for entry in report["models"]}["deployed"] == sizes["deployed.npz"]
    assert sizes["deployed.npz"] in {trial["bytes"] for trial in report["budget"]["frontier"]}


def test_columns_and_classes_in_another_order_change_nothing(
    run_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Swapped columns, turned classes: the same network to the last byte, and a note that says what was moved."""
    due = record("quantize m/float.npz --data wh.csv --method uniform --bits 8 --out a.npz", capsys)
    for data, what in (("hw.csv", "The columns of hw.csv"), ("turned.npz", "The classes of turned.npz")):
        found = record(f"quantize m/float.npz --data {data} --method uniform --bits 8 --out b.npz", capsys)
        assert Path("b.npz").read_bytes() == Path("a.npz").read_bytes()
        assert found["after"]["validation"] == due["after"]["validation"]
        assert any(note.startswith(what) and "another order" in note for note in found["notes"])


@pytest.mark.parametrize(("data", "named"), [
    ("renamed.csv", "'too heavy'"), ("wrong.csv", "'length'"), ("more.csv", "'age'"), ("less.csv", "'height'"),
])  # fmt: skip
def test_other_columns_and_classes_are_refused_by_every_command(
    data: str, named: str, run_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 2, one line with the name, and no file."""
    for line in (
        "quantize m/float.npz --bits 8 --out b.npz", "prune m/float.npz --rate 0.3 --out b.npz",
        "finetune m/float.npz --epochs 1 --out b.npz",
        "run --model m/float.npz --bits 8 --prune 0 --activation-bits 8 --targets none --out n",
    ):  # fmt: skip
        capsys.readouterr()
        assert main([*line.split(), "--data", data]) == 2, line
        error = capsys.readouterr().err
        assert named in error and "m/float.npz" in error and error.count("\n") == 1
        assert not Path("b.npz").exists() and not Path("n/report.json").exists()


def test_every_step_hands_facts_on(run_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Prune, fine-tune, quantize, import, export and back: one record from the training rows to the last file."""
    due = read_facts("m/float.npz")
    for line, out in (
        ("prune m/float.npz --data hw.csv --rate 0.3 --out p.npz", "p.npz"),
        ("finetune p.npz --data wh.csv --epochs 1 --out f.npz", "f.npz"),
        ("quantize f.npz --data hw.csv --bits 8 --out q.npq", "q.npq"),
        ("import q.npq --out i.npz", "i.npz"),
        ("export i.npz --to npz --out plain.npz", "plain.npz"),
        ("export plain.npz --to onnx --out net.onnx", "net.onnx"),
        ("import net.onnx --out back.npz", "back.npz"),
        ("export i.npz --to readmemh --out image", None),
        ("run --model m/float.npz --data hw.csv --bits 8 --prune 0 --targets none --out again", "again/deployed.npz"),
    ):
        assert main(line.split()) in (0, 1), line
        assert out is None or read_facts(out) == due, line
    assert Facts.from_json(json.loads(Path("image/map.json").read_bytes())["data"]) == due
    found = read("net.onnx")
    assert found.model.neurons[-1] == 2 and not any("npquant.data" in note for note in found.notes)


def test_a_file_without_facts_is_used_as_ever_with_a_note(run_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An old file: what could not be checked is said, and what is written next knows the rows that it met."""
    save(load("m/float.npz"), "old.npz")
    assert read_facts("old.npz") is None
    found = record("quantize old.npz --data wh.csv --bits 8 --out new.npz", capsys)
    assert sum("is not checked" in note for note in found["notes"]) == 2
    assert read_facts("new.npz") == read_facts("m/float.npz")


def test_rows_without_names_are_taken_in_order_with_a_note(
    run_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An npz that names its classes alone."""
    found = record("quantize m/float.npz --data bare.npz --bits 8 --out b.npz", capsys)
    assert any("bare.npz does not name its columns" in note for note in found["notes"])


def test_diff_takes_rows_in_the_order_of_the_file(run_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same comparison from either table, whatever its classes are called; other columns are refused."""
    shown = []
    for data in ("wh.csv", "hw.csv", "renamed.csv"):
        capsys.readouterr()
        assert main(f"diff m/deployed.npz --profiles ort,xnnpack_fp32 --data {data} --json".split()) in (0, 1)
        shown.append(json.loads(capsys.readouterr().out)["pairs"])
    assert shown[0] == shown[1] == shown[2]
    assert main("diff m/deployed.npz --a ort --b xnnpack_fp32 --data wrong.csv".split()) == 2
    assert "'length'" in capsys.readouterr().err


def test_a_terminal_is_not_moved_by_a_name() -> None:
    """Control characters are escaped, words of any script are not."""
    assert printable("größe 中\x1b[2J\n") == "größe 中\\x1b[2J\\n"
