"""``npquant who``: what it prints, its exit codes, and the rows that it writes for the next round."""

import json
from pathlib import Path

import numpy as np
import pytest

import npquant
from npquant import QuantParams
from npquant.cli import main
from npquant.integer.layer import IntegerLayer
from npquant.integer.mlp import IntegerMLP
from npquant.workflow.exports import encode_export

Shown = pytest.CaptureFixture[str]
X, W, Y = QuantParams(0.05, 3, -128, 127), QuantParams(0.01, 0, -128, 127), QuantParams(0.11, -20, -128, 127)
RNG = np.random.default_rng(0)
W_Q, BIAS = RNG.integers(-127, 128, (12, 4)).astype(np.int8), RNG.integers(-500, 500, 4).astype(np.int32)


def kernel(x_q: np.ndarray, profile: str = "ruy_x86") -> np.ndarray:
    """What the hidden kernel gives."""
    return npquant.linear(x_q, W_Q, BIAS, x=X, w=W, y=Y, profile=profile)


@pytest.fixture
def layer_file(tmp_path: Path) -> Path:
    """Ten rows and the hidden kernel's answers."""
    x_q = RNG.integers(-128, 128, (10, 12)).astype(np.int8)
    path = tmp_path / "layer.npz"
    keys = {"sx": 0.05, "sw": 0.01, "sy": 0.11, "zx": 3, "zy": -20}
    np.savez(path, x_q=x_q, w_q=W_Q, bias=BIAS, y_q=kernel(x_q), **keys)
    return path


def test_who_finds_the_kernel_in_two_calls(layer_file: Path, tmp_path: Path, capsys: Shown) -> None:
    """The first call writes rows, the second takes their answers; the hidden profile is possible in both."""
    out, more = tmp_path / "next.npz", tmp_path / "more.npz"
    assert main(["who", str(layer_file), "--out", str(out), "--json"]) == 0
    first = json.loads(capsys.readouterr().out)
    with np.load(out) as table:
        x_q = table["x_q"]
    assert 0 < len(x_q) <= 16 and x_q.tolist() == first["next_inputs"] and not first["settled"]
    np.savez(more, x_q=x_q, y_q=kernel(x_q))
    assert main(["who", str(layer_file), "--more", str(more), "--json"]) == 0
    second = json.loads(capsys.readouterr().out)
    assert second["settled"] and "ruy_x86" in second["profiles"] and len(second["profiles"]) < len(first["profiles"])
    assert main(["who", str(layer_file), "--more", str(more)]) == 0
    assert "still possible: " in capsys.readouterr().out


def test_who_exit_code_is_1_where_no_profile_fits(layer_file: Path, tmp_path: Path, capsys: Shown) -> None:
    """A kernel whose bias is one off is no profile, and the rule is named."""
    with np.load(layer_file) as table:
        keys = dict(table)
    keys["y_q"] = npquant.linear(keys["x_q"], W_Q, BIAS + 40, x=X, w=W, y=Y, profile="ort")
    np.savez(tmp_path / "wrong.npz", **keys)
    assert main(["who", str(tmp_path / "wrong.npz")]) == 1
    shown = capsys.readouterr().out
    assert "nobody gives all of these codes" in shown and "codes differ" in shown


def test_who_bad_input_is_one_line(layer_file: Path, tmp_path: Path, capsys: Shown) -> None:
    """A missing key, a missing file, an output that is the input: named, and nothing is written."""
    (tmp_path / "few.json").write_text('{"x_q": [[-1]]}')
    np.savez(tmp_path / "half.npz", x_q=np.zeros((1, 12), int))
    for arguments, words in (
        ([str(tmp_path / "few.json")], "no key 'w_q'"),
        (["nowhere.npz"], "nowhere.npz"),
        ([str(layer_file), "--out", str(layer_file)], "would be lost"),
        ([str(layer_file), "--more", str(tmp_path / "half.npz")], "no key 'y_q'"),
    ):
        assert main(["who", *arguments]) == 2
        shown = capsys.readouterr()
        assert (shown.out, shown.err.count("\n")) == ("", 1)
        assert words in shown.err


def test_who_takes_the_layer_from_a_network(tmp_path: Path, capsys: Shown) -> None:
    """A TFLite file and the codes of one of its layers: the same candidates as from a record of that layer."""
    layer = IntegerLayer(W_Q, BIAS, X, QuantParams(0.01, 0, -127, 127), Y, "identity")
    net, rows = tmp_path / "net.tflite", tmp_path / "rows.npz"
    net.write_bytes(encode_export(IntegerMLP((layer,), X), "tflite")[""])
    x_q = np.random.default_rng(1).integers(-128, 128, (10, 12)).astype(np.int8)
    y_q = kernel(x_q)
    np.savez(rows, x_q=x_q, y_q=y_q)
    keys = {"sx": 0.05, "sw": 0.01, "sy": 0.11, "zx": 3, "zy": -20}
    np.savez(tmp_path / "whole.npz", x_q=x_q, w_q=W_Q, bias=BIAS, y_q=y_q, **keys)
    found = []
    for arguments in ([str(rows), "--model", str(net)], [str(tmp_path / "whole.npz")]):
        assert main(["who", *arguments, "--json"]) == 0
        found.append(json.loads(capsys.readouterr().out)["profiles"])
    assert "ruy_x86" in found[0] and found[0] == found[1]


def test_who_names_what_a_network_does_not_say(
    layer_file: Path, integer_file: Path, float_file: Path, tmp_path: Path, capsys: Shown
) -> None:
    """Several layers and none named, a layer that is not there, a float network, other keys: one line each."""
    rows = tmp_path / "rows.npz"
    np.savez(rows, x_q=np.zeros((1, 64), np.int8), y_q=np.zeros((1, 64), np.int8))
    for arguments, words in (
        ([str(rows), "--model", str(integer_file)], "3 layers"),
        ([str(rows), "--model", str(integer_file), "--layer", "3"], "from 0 to 2"),
        ([str(rows), "--model", str(float_file)], "no integer network"),
        ([str(layer_file), "--model", str(integer_file), "--layer", "0"], "x_q and y_q"),
        ([str(layer_file), "--layer", "0"], "--model"),
    ):
        assert main(["who", *arguments]) == 2
        shown = capsys.readouterr()
        assert (shown.out, shown.err.count("\n")) == ("", 1)
        assert words in shown.err
