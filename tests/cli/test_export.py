"""``npquant export``: what is written is what the library writes, whole, and nothing where it cannot be."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from npquant.cli import main
from npquant.integer.mlp import IntegerMLP
from npquant.interop.consumers.cc import selftest_cc
from npquant.interop.reading import load, read
from npquant.workflow.exports import ExportForm, encode_export
from npquant.workflow.target_names import FOLDERS, TARGETS

Shown = pytest.CaptureFixture[str]


def exported(arguments: list[str], shown: Shown) -> dict[str, Any]:
    """Run the command with --json; return its record."""
    shown.readouterr()
    assert main(["export", *arguments, "--json"]) == 0
    record: dict[str, Any] = json.loads(shown.readouterr().out)
    return record


@pytest.fixture(scope="module")
def plain_file(float_file: Path) -> Path:
    """The bundled network at 8 bits, which every target can hold."""
    from npquant.cli.starting_network import load_start
    from npquant.compression.rounding.uniform import quantize_uniform
    from npquant.files.storage import save

    start = load_start(str(float_file), data=None, rows=200, seed=0)
    path = float_file.parent / "plain.npz"
    save(quantize_uniform(start.floating, start.x_calibration, 8), path)
    return path


@pytest.mark.parametrize("target", TARGETS)
def test_export_writes_what_the_library_encodes(target: str, plain_file: Path, tmp_path: Path, capsys: Shown) -> None:
    """Each file byte for byte, and no other; the record has their lengths."""
    out = tmp_path / "out"
    record = exported([str(plain_file), "--to", target, "--out", str(out)], capsys)
    due = encode_export(load(plain_file), target)
    written = {str(path.relative_to(out)) if out.is_dir() else "": path.read_bytes() for path in files_of(out)}
    assert written == due
    assert out.is_dir() == (target in FOLDERS)
    assert sum(file["bytes"] for file in record["files"]) == sum(map(len, due.values()))
    assert (record["to"], record["kind"], record["profile"]) == (target, "IntegerMLP", "npquant")


def files_of(path: Path) -> list[Path]:
    """Return a file, or those in a folder."""
    return sorted(path.rglob("*")) if path.is_dir() else [path]


@pytest.mark.parametrize(("target", "name"), [("onnx", "net.onnx"), ("tflite", "net.tflite"), ("npz", "arrays.npz")])
def test_export_then_import_gives_the_same_integers(
    target: str, name: str, plain_file: Path, tmp_path: Path, capsys: Shown
) -> None:
    """Weights less their zero point, biases, scales: what a format holds comes back."""
    exported([str(plain_file), "--to", target, "--out", str(tmp_path / name)], capsys)
    back, net = load(tmp_path / name), load(plain_file)
    assert isinstance(back, IntegerMLP) and isinstance(net, IntegerMLP)
    for one, two in zip(back.layers, net.layers, strict=True):
        np.testing.assert_array_equal(one.centred_weights, two.centred_weights)
        np.testing.assert_array_equal(one.bias, two.bias)
        assert one.y.scale == two.y.scale


def test_export_options_reach_the_format(plain_file: Path, tmp_path: Path, capsys: Shown) -> None:
    """--head, --scales, --style and --name are those of the library."""
    path, net = str(plain_file), load(plain_file)
    exported([path, "--to", "onnx", "--head", "softmax", "--out", str(tmp_path / "a.onnx")], capsys)
    assert read(tmp_path / "a.onnx").head == "softmax"
    record = exported([path, "--to", "c", "--name", "digits", "--out", str(tmp_path / "fw")], capsys)
    assert [Path(file["file"]).name for file in record["files"]] == ["digits.h", "digits.c"]
    exported([path, "--to", "c", "--style", "cmsis-nn", "--out", str(tmp_path / "fw")], capsys)
    due = encode_export(net, "c", ExportForm(style="cmsis-nn"))
    assert (tmp_path / "fw" / "model.c").read_bytes() == due["model.c"]
    exported([path, "--to", "tflite", "--scales", "per-channel", "--out", str(tmp_path / "b.tflite")], capsys)
    assert (tmp_path / "b.tflite").read_bytes() == encode_export(net, "tflite", ExportForm(per_channel=True))[""]


def test_export_takes_other_peoples_files_and_says_what_is_left_out(
    plain_file: Path, tmp_path: Path, capsys: Shown
) -> None:
    """A TFLite file under a profile becomes C of that profile; a head that is not written is a note."""
    tflite = tmp_path / "a.tflite"
    exported([str(plain_file), "--to", "tflite", "--head", "softmax", "--out", str(tflite)], capsys)
    arguments = [str(tflite), "--profile", "tflite_ref", "--to", "c", "--out", str(tmp_path / "fw")]
    record = exported(arguments, capsys)
    assert (record["format"], record["profile"]) == ("tflite", "tflite_ref")
    assert any("head softmax is not in the export" in note for note in record["notes"])
    assert main(["export", *arguments]) == 0
    assert "head softmax is not in the export" in " ".join(capsys.readouterr().out.split())


@pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")
def test_exported_c_passes_its_own_test(plain_file: Path, tmp_path: Path, capsys: Shown) -> None:
    """The program, compiled strictly, says that its golden vectors are npquant's."""
    exported([str(plain_file), "--to", "c", "--out", str(tmp_path / "fw")], capsys)
    assert selftest_cc(tmp_path / "fw" / "model.c") == 0


def test_export_bad_input_is_one_line(plain_file: Path, float_file: Path, tmp_path: Path, capsys: Shown) -> None:
    """A target that cannot hold the network, options that it would ignore, bad places: nothing is written."""
    path, out = str(plain_file), str(tmp_path / "out")
    (tmp_path / "taken").write_text("")
    for arguments, words in (
        ([str(float_file), "--to", "c", "--out", out], "quantize it first"),
        ([str(float_file), "--to", "readmemh", "--out", out], "quantize it first"),
        ([path, "--to", "c", "--head", "softmax", "--out", out], "--head is for onnx"),
        ([path, "--to", "onnx", "--style", "plain", "--out", out], "--style is for c"),
        ([path, "--to", "c", "--name", "int", "--out", out], "int"),
        ([path, "--to", "c", "--out", str(tmp_path / "taken")], "name a folder"),
        ([path, "--to", "onnx", "--out", path], "would be lost"),
        ([path, "--to", "onnx", "--out", str(tmp_path)], "a folder"),
        ([path, "--to", "onnx", "--out", str(tmp_path / "none" / "a.onnx")], "none"),
        (["nowhere.npz", "--to", "onnx", "--out", out], "nowhere.npz"),
    ):
        assert main(["export", *arguments]) == 2
        shown = capsys.readouterr()
        assert (shown.out, shown.err.count("\n")) == ("", 1)
        assert words in shown.err
    assert [file.name for file in tmp_path.iterdir()] == ["taken"]
