"""``npquant diff`` and ``npquant profiles``: what they print, their exit codes."""

import json
from pathlib import Path

import pytest

from npquant.cli import main
from npquant.profiles import names

Shown = pytest.CaptureFixture[str]


def test_diff_exit_code_says_whether_outputs_differ(integer_file: Path, capsys: Shown) -> None:
    """A profile agrees with itself: exit 0; two engines part on some output: exit 1, and the record counts them."""
    assert main(["diff", str(integer_file), "--a", "npquant", "--b", "npquant"]) == 0
    assert "agree on every output" in capsys.readouterr().out
    assert main(["diff", str(integer_file), "--a", "npquant", "--b", "tflite_ref", "--json"]) == 1
    record = json.loads(capsys.readouterr().out)
    assert record["rows"] == 1797
    assert sum(record["differing"]) > 0
    assert record["first"]["a"] != record["first"]["b"]
    assert main(["diff", str(integer_file), "--a", "npquant", "--b", "tflite_ref"]) == 1
    assert f"layer {record['first']['layer']}, neuron {record['first']['neuron']}" in capsys.readouterr().out


def test_diff_bad_input_is_one_line(integer_file: Path, float_file: Path, capsys: Shown) -> None:
    """A float network, an unknown profile and a missing file are named."""
    for arguments, words in (
        ([str(float_file), "--a", "npquant", "--b", "ort"], "float network"),
        ([str(integer_file), "--a", "npquant", "--b", "abacus"], "abacus"),
        (["nowhere.npq", "--a", "npquant", "--b", "ort"], "nowhere.npq"),
        ([str(integer_file), "--a", "npquant", "--b", "ort", "--data", "nowhere.csv"], "nowhere.csv"),
    ):
        assert main(["diff", *arguments]) == 2
        shown = capsys.readouterr()
        assert (shown.out, shown.err.count("\n")) == ("", 1)
        assert words in shown.err


def test_profiles_lists_every_name(capsys: Shown) -> None:
    """One line a profile, the same names as JSON, and a card for a name; an unknown one is an error."""
    assert main(["profiles"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(names())
    assert main(["profiles", "--json"]) == 0
    assert [record["name"] for record in json.loads(capsys.readouterr().out)] == list(names())
    assert main(["profiles", "ort"]) == 0
    assert "worked by hand" in capsys.readouterr().out
    assert main(["profiles", "abacus"]) == 2
    assert "abacus" in capsys.readouterr().err
