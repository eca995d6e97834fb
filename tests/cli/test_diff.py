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


def test_diff_of_several_profiles_compares_every_two(integer_file: Path, capsys: Shown) -> None:
    """Three profiles, three pairs: the record of each is that of --a and --b, and a table stands above the text."""
    several = ["diff", str(integer_file), "--profiles", "npquant,tflite_ref,ort"]
    assert main([*several, "--json"]) == 1
    record = json.loads(capsys.readouterr().out)
    assert [(pair["a"], pair["b"]) for pair in record["pairs"]] == [
        ("npquant", "tflite_ref"), ("npquant", "ort"), ("tflite_ref", "ort")
    ]  # fmt: skip
    assert main(["diff", str(integer_file), "--a", "npquant", "--b", "tflite_ref", "--json"]) == 1
    assert json.loads(capsys.readouterr().out) == record["pairs"][0]
    assert main(several) == 1
    text = capsys.readouterr().out
    assert "1,797 bundled digits" in text and text.count("end to end") == 3
    assert f"{record['pairs'][0]['end_to_end']:,}" in text


def test_diff_draws_rows_for_other_peoples_files(integer_file: Path, tmp_path: Path, capsys: Shown) -> None:
    """A TFLite file without --data: codes drawn over the whole interval, the same for the same seed."""
    from npquant.interop.reading import load
    from npquant.workflow.exports import encode_export

    path = tmp_path / "net.tflite"
    path.write_bytes(encode_export(load(integer_file), "tflite")[""])
    records = []
    for seed in ("0", "0", "1"):
        arguments = ["--profiles", "litert_ref_2025,xnnpack_fp32", "--seed", seed, "--json"]
        assert main(["diff", str(path), *arguments]) in (0, 1)
        records.append(json.loads(capsys.readouterr().out))
    assert records[0] == records[1] != records[2]
    assert "1,000 rows of codes drawn evenly (seed 0)" in records[0]["rows"]


def test_diff_names_what_is_wrong_with_the_profiles(integer_file: Path, capsys: Shown) -> None:
    """None, one, the same twice, and both ways at once are usage errors; so are rows of another width."""
    for arguments, words in (
        ([], "name two profiles"),
        (["--a", "ort"], "name two profiles"),
        (["--profiles", "ort"], "two or more"),
        (["--profiles", "ort,ort"], "two or more"),
        (["--profiles", "ort,npquant", "--a", "ort"], "drop --a and --b"),
        (["--profiles", "ort,npquant", "--seed", "-1"], "--seed"),
    ):
        assert main(["diff", str(integer_file), *arguments]) == 2
        assert words in capsys.readouterr().err


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
