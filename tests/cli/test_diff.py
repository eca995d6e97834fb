"""``npquant diff`` and ``npquant profiles``: what they print, their exit codes."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from npquant.cli import main
from npquant.data.datasets import load_optdigits
from npquant.integer.mlp import IntegerMLP
from npquant.interop.reading import load
from npquant.profiles import get, names
from npquant.profiles.relatives import RELATIVES
from npquant.testing.divergence import compare_profiles

Shown = pytest.CaptureFixture[str]
LISTED = [*names(layers=False), *(relative.name for relative in RELATIVES)]


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


def write_rows(folder: Path, integer_file: Path) -> tuple[IntegerMLP, NDArray[np.int8]]:
    """Write codes of the digits in every way that they may be given; return the network and the codes."""
    model = load(integer_file)
    assert isinstance(model, IntegerMLP)
    codes = model.encode(load_optdigits().x[:50])
    np.savez(folder / "named.npz", x_q=codes)
    np.savez(folder / "wider.npz", x_q=codes.astype(np.int64))
    np.savez(folder / "plain.npz", x=codes)
    np.savez(folder / "labelled.npz", x=codes, y=np.arange(50) % 2)
    np.savez(folder / "real.npz", x=load_optdigits().x[:50])
    return model, codes


@pytest.mark.parametrize(
    "arguments",
    [["named.npz"], ["wider.npz"], ["named.npz", "--codes"], ["plain.npz", "--codes"], ["labelled.npz", "--codes"]],
    ids=" ".join,
)
def test_diff_takes_codes(arguments: list[str], integer_file: Path, tmp_path: Path, capsys: Shown) -> None:
    """Codes are run as they are, under x_q or with --codes, with labels or without."""
    model, codes = write_rows(tmp_path, integer_file)
    options = ["--data", str(tmp_path / arguments[0]), *arguments[1:], "--a", "npquant", "--b", "tflite_ref", "--json"]
    assert main(["diff", str(integer_file), *options]) == 1
    record = json.loads(capsys.readouterr().out)
    one, two = (dataclasses.replace(model, profile=get(name)).run(codes) for name in ("npquant", "tflite_ref"))
    assert record["rows"] == 50
    assert record["end_to_end"] == int((one != two).sum())
    assert record["differing"] == list(compare_profiles(model, codes, "npquant", "tflite_ref", codes=True).differing)


def test_diff_takes_real_rows_without_labels(integer_file: Path, tmp_path: Path, capsys: Shown) -> None:
    """Features alone: they are encoded, as labelled ones are."""
    model, codes = write_rows(tmp_path, integer_file)
    options = ["--data", str(tmp_path / "real.npz"), "--a", "npquant", "--b", "tflite_ref", "--json"]
    assert main(["diff", str(integer_file), *options]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["differing"] == list(compare_profiles(model, codes, "npquant", "tflite_ref", codes=True).differing)


@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize("as_codes", [True, False])
def test_diff_takes_a_table_of_features_alone(
    header: bool, as_codes: bool, integer_file: Path, tmp_path: Path, capsys: Shown
) -> None:
    """A CSV file with as many columns as the network has inputs holds no label: real values, or codes with --codes."""
    model, codes = write_rows(tmp_path, integer_file)
    rows = codes if as_codes else load_optdigits().x[:50]
    names = ",".join(f"p{column}" for column in range(64)) if header else ""
    np.savetxt(tmp_path / "rows.csv", rows, "%d", ",", header=names, comments="")
    options = ["--data", str(tmp_path / "rows.csv"), *(["--codes"] if as_codes else [])]
    assert main(["diff", str(integer_file), *options, "--a", "npquant", "--b", "tflite_ref", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["differing"] == list(compare_profiles(model, codes, "npquant", "tflite_ref", codes=True).differing)


@pytest.mark.parametrize(
    ("arrays", "options", "words"),
    [
        ({"x_q": np.full((2, 64), 300)}, [], "300"),
        ({"x_q": np.zeros((2, 63), np.int8)}, [], "63 features"),
        ({"x_q": np.zeros(64, np.int8)}, [], "features"),
        ({"x": np.full((2, 64), 0.5)}, ["--codes"], "whole numbers; leave out --codes"),
        ({"x": np.full((2, 64), 1e300)}, ["--codes"], "whole numbers"),
    ],
    ids=["beyond", "narrow", "flat", "real", "huge"],
)
def test_diff_refuses_what_are_no_codes(
    arrays: dict[str, NDArray[Any]], options: list[str], words: str, integer_file: Path, tmp_path: Path, capsys: Shown
) -> None:
    """Codes out of the input's interval, of another width, or that are no codes, are one line with the file's name."""
    np.savez(tmp_path / "rows.npz", **arrays)
    both = ["--a", "npquant", "--b", "ort", "--data", str(tmp_path / "rows.npz")]
    assert main(["diff", str(integer_file), *both, *options]) == 2
    shown = capsys.readouterr()
    assert (shown.out, shown.err.count("\n")) == ("", 1)
    assert words in shown.err and "rows.npz" in shown.err


def test_diff_codes_without_data_says_what_is_missing(integer_file: Path, capsys: Shown) -> None:
    """--codes describes rows: there must be some."""
    assert main(["diff", str(integer_file), "--a", "npquant", "--b", "ort", "--codes"]) == 2
    assert "--data" in capsys.readouterr().err


def test_diff_names_the_field_that_decided(integer_file: Path, capsys: Shown) -> None:
    """Under two records that differ in the rounding alone, the output stage decided: in words and as JSON."""
    pair = ["--a", "tflite_single", "--b", "tflite_ref"]
    assert main(["diff", str(integer_file), *pair, "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["first"]["deciding"] == [["output_stage"]]
    assert main(["diff", str(integer_file), *pair]) == 1
    text = capsys.readouterr().out
    assert "decided by             output_stage\n" in text
    assert "in tflite_single's record alone it makes tflite_ref's code" in text


def test_profiles_lists_every_name(capsys: Shown) -> None:
    """One line a profile, the same names as JSON, and a card for a name; an unknown one is an error."""
    assert main(["profiles"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == LISTED
    assert main(["profiles", "--json"]) == 0
    assert [record["name"] for record in json.loads(capsys.readouterr().out)] == list(names(layers=False))
    assert main(["profiles", "ort"]) == 0
    assert "worked by hand" in capsys.readouterr().out
    assert main(["profiles", "abacus"]) == 2
    assert "abacus" in capsys.readouterr().err
