"""``npquant import``, and every command that takes a model on other people's files."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from npquant.cli import main
from npquant.data.sets import load_sets
from npquant.files.storage import save
from npquant.integer.mlp import IntegerMLP
from npquant.interop.reading import load, read
from npquant.nn.model import DenseLayer, FloatMLP
from npquant.workflow.exports import ExportForm, encode_export

Shown = pytest.CaptureFixture[str]


def safetensors(tensors: dict[str, np.ndarray]) -> bytes:
    """Lay tensors out by hand."""
    header, data = {}, b""
    for name, tensor in tensors.items():
        content = np.ascontiguousarray(tensor, "<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": tensor.shape, "data_offsets": [len(data), len(data) + len(content)]}
        data += content
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


@pytest.fixture(scope="module")
def foreign(float_file: Path, integer_file: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The bundled network, float and integer, in other people's formats."""
    folder = tmp_path_factory.mktemp("foreign")
    net, integers = load(float_file), load(integer_file)
    assert isinstance(net, FloatMLP)
    contents = {
        "float.onnx": encode_export(net, "onnx", ExportForm(head="softmax"))[""],
        "float.tflite": encode_export(net, "tflite")[""],
        "codes.onnx": encode_export(integers, "onnx")[""],
        "codes.tflite": encode_export(integers, "tflite", ExportForm(per_channel=True))[""],
        "float.safetensors": safetensors(
            {
                f"{2 * i}.{n}": v
                for i, layer in enumerate(net.layers)
                for n, v in (("weight", layer.w.T), ("bias", layer.b))
            }
        ),
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return {name: folder / name for name in contents}


def imported(arguments: list[str], shown: Shown) -> tuple[dict[str, Any], str]:
    """Return the record that --json prints, and the text."""
    shown.readouterr()
    assert main(["import", *arguments, "--json"]) == 0
    record: dict[str, Any] = json.loads(shown.readouterr().out)
    assert main(["import", *arguments]) == 0
    return record, shown.readouterr().out


def test_import_says_what_was_split_off_and_keeps_the_network(
    foreign: dict[str, Path], float_file: Path, tmp_path: Path, capsys: Shown
) -> None:
    """Head and notes stand in the text and in the record; the file written holds the same numbers."""
    out = tmp_path / "m.npz"
    record, text = imported([str(foreign["float.onnx"]), "--out", str(out)], capsys)
    assert (record["command"], record["format"], record["kind"]) == ("import", "onnx", "FloatMLP")
    assert record["head"] == "softmax"
    assert record["notes"] and all(note in " ".join(text.split()) for note in record["notes"])
    assert record["out"] == {"file": str(out), "bytes": out.stat().st_size, "left_out": ["the head softmax"]}
    assert record["bytes"] == foreign["float.onnx"].stat().st_size
    for one, two in zip(load(out).layers, load(float_file).layers, strict=True):
        np.testing.assert_array_equal(one.w, two.w)  # type: ignore[attr-defined]


@pytest.mark.parametrize(("name", "profile"), [("codes.onnx", "ort"), ("codes.tflite", "litert_ref_2025")])
def test_import_integer_file_tells_scales_zero_points_and_multipliers(
    name: str, profile: str, foreign: dict[str, Path], capsys: Shown
) -> None:
    """The record has the file's grids and, as the profile makes them, the multipliers; inspect says the same."""
    record, text = imported([str(foreign[name])], capsys)
    net = load(foreign[name])
    assert isinstance(net, IntegerMLP)
    assert (record["kind"], record["profile"]) == ("IntegerMLP", profile)
    for layer, own in zip(record["layers"], net.layers, strict=True):
        made = own.x.scale * np.float64(own.w.scale) / own.y.scale
        assert layer["multiplier"]["real"] == pytest.approx(np.atleast_1d(made).tolist(), rel=1e-6)
        assert layer["output_params"]["zero_point"] == [own.y.zero_point] * 2
        assert f"{np.min(made):.4g}"[:5] in text
    assert "Multipliers" in text
    assert main(["inspect", str(foreign[name]), "--json"]) == 0
    seen = json.loads(capsys.readouterr().out)
    assert seen["layers"] == record["layers"]


def test_import_multiplier_is_m_2_to_the_e_minus_31(foreign: dict[str, Path], capsys: Shown) -> None:
    """Where the engine rescales in integers, m and e stand beside the real value that they make."""
    record, _ = imported([str(foreign["codes.tflite"]), "--profile", "tflite_ref"], capsys)
    assert record["profile"] == "tflite_ref"
    for layer in record["layers"]:
        made = layer["multiplier"]
        for real, m, e in zip(made["real"], made["multiplier"], made["shift"], strict=True):
            assert real == pytest.approx(m * 2.0 ** (e - 31), rel=1e-8)
            assert 2**30 <= m < 2**31


def test_import_safetensors_asks_for_activations(foreign: dict[str, Path], float_file: Path, capsys: Shown) -> None:
    """Without them one line says what to give; with them, one name or one a layer, the network is the file's."""
    path = str(foreign["float.safetensors"])
    assert main(["import", path]) == 2
    assert "activations" in capsys.readouterr().err
    for names in ("clipped_relu", "clipped_relu,clipped_relu"):
        record, _ = imported([path, "--activations", names], capsys)
        assert [layer["activation"] for layer in record["layers"]] == ["clipped_relu", "clipped_relu", "identity"]
    assert read(path, activations="clipped_relu").model.neurons == load(float_file).neurons


@pytest.mark.parametrize("name", ["float.onnx", "float.tflite", "float.safetensors"])
def test_every_command_takes_the_file(name: str, foreign: dict[str, Path], tmp_path: Path, capsys: Shown) -> None:
    """prune, finetune, quantize and run start from it, and tell the notes of the import."""
    path = str(foreign[name])
    named = ["--activations", "clipped_relu"] if name.endswith("safetensors") else []
    for command, options in (
        ("prune", ["--rate", "0.2", "--rows", "100", "--out", str(tmp_path / "p.npz")]),
        ("finetune", ["--epochs", "1", "--teacher", path, "--out", str(tmp_path / "t.npz")]),
        ("quantize", ["--method", "nearest", "--bits", "8", "--rows", "100", "--out", str(tmp_path / "q.npz")]),
        ("run", ["--bits", "8", "--prune", "0", "--activation-bits", "8", "--targets", "none", "--out", str(tmp_path)]),
    ):
        if command == "run" and name == "float.tflite":
            continue  # a run takes seconds, and reads as the others do
        model = ["--model", path] if command == "run" else [path]
        assert main([command, *model, *named, *options, "--json"]) == 0
        record = json.loads(capsys.readouterr().out)
        assert all(any(note in said for said in record["notes"]) for note in read(path, activations="relu").notes)
        if command == "run":
            assert (record["model"]["format"], record["model"]["head"]) == (
                name.split(".")[1],
                "softmax" if name == "float.onnx" else "none",
            )


@pytest.mark.parametrize("name", ["codes.onnx", "codes.tflite"])
def test_integer_file_where_a_float_one_is_needed_is_refused_with_the_fix(
    name: str, foreign: dict[str, Path], tmp_path: Path, capsys: Shown
) -> None:
    """One line, exit 2, nothing written; diff takes it."""
    path = str(foreign[name])
    for command in (["quantize", path], ["prune", path, "--rate", "0.5"], ["finetune", path]):
        assert main([*command, "--out", str(tmp_path / "out.npz")]) == 2
        shown = capsys.readouterr().err
        assert shown.count("\n") == 1 and "quantized already" in shown and "start from a float one" in shown
    assert list(tmp_path.iterdir()) == []
    assert main(["diff", path, "--profiles", "ort,npquant,xnnpack_fp32"]) in (0, 1)


def test_one_logit_for_two_classes_becomes_two(tmp_path: Path, capsys: Shown) -> None:
    """A network with one logit keeps its classes on data with two, and the note says how."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 3))
    net = FloatMLP((DenseLayer(np.array([[1.0], [-2.0], [0.5]]), np.array([0.25]), "identity"),))
    classes = (net.logits(x)[:, 0] > 0).astype(int)
    rows = "\n".join(f"{a},{b},{c},{label}" for (a, b, c), label in zip(x, classes, strict=True))
    (tmp_path / "rows.csv").write_text(f"a,b,c,label\n{rows}\n")
    save(net, tmp_path / "one.npz")
    options = ["--data", str(tmp_path / "rows.csv"), "--bits", "8", "--out", str(tmp_path / "two.npz"), "--json"]
    assert main(["quantize", str(tmp_path / "one.npz"), *options]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["before"]["neurons"] == [2] and record["before"]["validation"]["accuracy"] == 1
    assert any("(0, z)" in note for note in record["notes"])


def test_import_bad_input_is_one_line(foreign: dict[str, Path], tmp_path: Path, capsys: Shown) -> None:
    """A damaged file, a pickle, an unknown profile and a place that cannot be written are named; nothing is written."""
    content = foreign["codes.tflite"].read_bytes()
    (tmp_path / "cut.tflite").write_bytes(content[: len(content) // 2])
    (tmp_path / "model.pkl").write_bytes(b"\x80\x04}q\x00.")
    before = sorted(tmp_path.iterdir())
    for arguments, words in (
        ([str(tmp_path / "cut.tflite")], "cut.tflite"),
        ([str(tmp_path / "model.pkl")], "pickle"),
        (["nowhere.onnx"], "nowhere.onnx"),
        ([str(foreign["codes.tflite"]), "--profile", "abacus"], "abacus"),
        ([str(foreign["codes.tflite"]), "--out", str(foreign["codes.tflite"])], "would be lost"),
        ([str(foreign["codes.tflite"]), "--out", str(tmp_path)], "a folder"),
    ):
        assert main(["import", *arguments]) == 2
        shown = capsys.readouterr()
        assert (shown.out, shown.err.count("\n")) == ("", 1)
        assert words in shown.err
    assert sorted(tmp_path.iterdir()) == before


def test_import_keeps_what_the_bundled_rows_say(foreign: dict[str, Path]) -> None:
    """The float files answer as the network that they were written from."""
    x, y = load_sets(None, 0).validation
    for name in ("float.onnx", "float.tflite"):
        assert np.sum(load(foreign[name]).predict(x) == y) == 265
