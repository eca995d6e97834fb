"""``npquant verify``: exit codes, the record, and what explains a difference."""

import json
import shutil
import sys
from pathlib import Path

import pytest

from npquant.cli import main
from npquant.files.storage import save
from npquant.interop.reading import load
from npquant.workflow.exports import encode_export, write_export
from npquant.workflow.verification import verify

Shown = pytest.CaptureFixture[str]
needs_gcc = pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")


@pytest.fixture(scope="module")
def plain_file(float_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundled network at 8 bits."""
    from npquant.cli.starting_network import load_start
    from npquant.compression.rounding.uniform import quantize_uniform

    start = load_start(str(float_file), data=None, rows=200, seed=0)
    path = tmp_path_factory.mktemp("verify") / "plain.npz"
    save(quantize_uniform(start.floating, start.x_calibration, 8), path)
    return path


@pytest.fixture(scope="module")
def firmware(plain_file: Path) -> Path:
    """It as a C program."""
    out = plain_file.parent / "firmware"
    write_export(out, encode_export(load(plain_file), "c"))
    return out


@needs_gcc
def test_verify_c_program_is_equal(firmware: Path, plain_file: Path, capsys: Shown) -> None:
    """Exit 0; the folder and the source are the same artefact; the record is that of the library."""
    arguments = ["--model", str(plain_file), "--rows", "50", "--json"]
    records = []
    for path in (firmware, firmware / "model.c"):
        assert main(["verify", str(path), *arguments]) == 0
        records.append(json.loads(capsys.readouterr().out))
    due = verify(firmware, model=load(plain_file), rows=50)
    assert {record["outputs"] for record in records} == {due.outputs}
    assert all(record["equal"] and record["command"] == "verify" and record["engine"] == "cc" for record in records)
    assert main(["verify", str(firmware), *arguments[:-1]]) == 0
    assert "0 differ" in capsys.readouterr().out


@needs_gcc
def test_verify_another_network_exits_1_and_shows_where(firmware: Path, integer_file: Path, capsys: Shown) -> None:
    """A program that computes something else: the first output that differs stands in the text and in the record."""
    assert main(["verify", str(firmware), "--model", str(integer_file), "--rows", "20"]) == 1
    text = capsys.readouterr().out
    assert "first: row" in text and "npquant expects" in text
    assert main(["verify", str(firmware), "--model", str(integer_file), "--rows", "20", "--json"]) == 1
    record = json.loads(capsys.readouterr().out)
    assert not record["equal"] and record["differing"] > 0
    assert record["first"]["expected"] != record["first"]["answered"]


@pytest.mark.peer
def test_verify_reads_the_file_back(plain_file: Path, tmp_path: Path, capsys: Shown) -> None:
    """ONNX and TFLite need no --model."""
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    pytest.importorskip("ai_edge_litert", reason="LiteRT is not installed")
    for target, name in (("onnx", "a.onnx"), ("tflite", "a.tflite")):
        (tmp_path / name).write_bytes(encode_export(load(plain_file), target)[""])
        assert main(["verify", str(tmp_path / name), "--rows", "100", "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["equal"]


def test_verify_missing_engine_is_one_line(
    plain_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Shown
) -> None:
    """Exit 2, and what to install."""
    (tmp_path / "a.onnx").write_bytes(encode_export(load(plain_file), "onnx")[""])
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert main(["verify", str(tmp_path / "a.onnx")]) == 2
    shown = capsys.readouterr()
    assert shown.out == "" and shown.err.count("\n") == 1 and "pip install" in shown.err


def test_verify_bad_input_is_one_line(plain_file: Path, tmp_path: Path, capsys: Shown) -> None:
    """A path that is nothing, npquant's own file, an engine for another format, and counts out of range are named."""
    (tmp_path / "a.onnx").write_bytes(encode_export(load(plain_file), "onnx")[""])
    (tmp_path / "empty").mkdir()
    for arguments, words in (
        (["nowhere.onnx"], "nowhere.onnx"),
        ([str(plain_file)], "plain.npz"),
        ([str(tmp_path / "empty")], "empty"),
        ([str(tmp_path / "a.onnx"), "--engine", "litert"], "litert"),
        ([str(tmp_path / "a.onnx"), "--rows", "0"], "--rows is 0"),
        ([str(tmp_path / "a.onnx"), "--seed", "-1"], "--seed"),
        ([str(tmp_path / "a.onnx"), "--profile", "abacus"], "abacus"),
        ([str(tmp_path / "a.onnx"), "--model", "nowhere.npz"], "nowhere.npz"),
    ):
        assert main(["verify", *arguments]) == 2
        shown = capsys.readouterr()
        assert (shown.out, shown.err.count("\n")) == ("", 1)
        assert words in shown.err
    with pytest.raises(SystemExit) as stopped:
        main(["verify", str(tmp_path / "a.onnx"), "--engine", "abacus"])
    assert stopped.value.code == 2
