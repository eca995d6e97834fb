"""What a folder says of itself: truncated, edited, newer or unfinished sets are refused, each with its own words."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator, ValidationError

from npquant.profiles import get
from npquant.testing.vectors import FORMATS, verify, verify_manifest, write
from npquant.testing.vectors.manifest import known_errata, withdrawn
from npquant.testing.vectors.wycheproof import load_schema
from npquant.version import __version__, numerics_version


@pytest.fixture
def folder(own: Any, tmp_path: Path) -> Any:
    """A whole set."""
    write(tmp_path / "set", "npz", own)
    return tmp_path / "set"


def changed(path: Any, change: Any) -> None:
    """Rewrite a file by a function of its bytes."""
    path.write_bytes(change(path.read_bytes()))


HARMS = {
    "cut_short": ("vectors.npz", lambda data: data[:-7], "vectors.npz: cut short, .* bytes of"),
    "one_bit": ("vectors.npz", lambda data: data[:900] + bytes([data[900] ^ 1]) + data[901:], "npz: edited since"),
    "longer": ("cases.json", lambda data: data + b" ", "cases.json: edited since"),
    "errata": ("errata.json", lambda data: data.replace(b"[]", b"[1]"), "errata.json: edited since"),
    "manifest_cut": ("manifest.json", lambda data: data[: len(data) // 2], "manifest.json: no whole JSON document"),
    "manifest_list": ("manifest.json", lambda data: b"[]", "manifest.json: holds no object"),
    "answer": (
        "manifest.json",
        lambda data: data.replace(b'"answer": [', b'"answer": [7, ', 1),
        "manifest.json: edited",
    ),
    "seed": ("manifest.json", lambda data: data.replace(b'"seed": 0', b'"seed": 1'), "manifest.json: edited"),
    "newer": (
        "manifest.json",
        lambda data: data.replace(b"npquant.vectors/1", b"npquant.vectors/2"),
        "a newer npquant",
    ),
    "other": ("manifest.json", lambda data: data.replace(b"npquant.vectors/1", b"vectors"), "its schema is 'vectors'"),
}


@pytest.mark.parametrize("harm", HARMS)
def test_verify_manifest_refuses_what_is_not_as_it_was_written(harm: Any, folder: Any) -> None:
    """Every harm is a ValueError that names the file and what is wrong, and no output is judged then."""
    name, change, says = HARMS[harm]
    verify_manifest(folder)
    changed(folder / name, change)
    with pytest.raises(ValueError, match=says):
        verify_manifest(folder)
    with pytest.raises(ValueError, match=says):
        verify(folder, {})


def test_verify_manifest_misses_files(folder: Any) -> None:
    """A file that is gone, and a folder without a manifest."""
    (folder / "cases.json").unlink()
    with pytest.raises(ValueError, match=r"cases.json: missing"):
        verify_manifest(folder)
    (folder / "manifest.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"has no manifest\.json"):
        verify_manifest(folder)


@pytest.mark.parametrize("form", [form for form in FORMATS if form != "onnx"])
def test_manifest_obeys_its_schema(form: Any, own: Any, tmp_path: Path) -> None:
    """Versions, profile, seed, tier, format, files and answers, as the schema says, which refuses strangers."""
    manifest = write(tmp_path / "set", form, own)
    judge = Draft202012Validator(load_schema("manifest.schema.json"))
    judge.check_schema(judge.schema)
    judge.validate(manifest)
    assert (manifest["npquant"], manifest["numerics"], manifest["seed"]) == (__version__, numerics_version, 0)
    assert manifest["profile"] == "npquant" and manifest["equation"] == get("npquant").equation
    assert set(manifest["files"]) == {
        str(path.relative_to(tmp_path / "set"))
        for path in (tmp_path / "set").rglob("*")
        if path.is_file() and path.name != "manifest.json"
    }
    for bad in ({**manifest, "stranger": 1}, {**manifest, "seed": -1}, {**manifest, "format": "pdf"}):
        with pytest.raises(ValidationError):
            judge.validate(bad)


def test_left_out_is_counted(own: Any, tmp_path: Path) -> None:
    """A format that has no refusals and no QUANTIZE says how many vectors it leaves out, and why."""
    manifest = write(tmp_path / "set", "readmemh", own)
    assert manifest["left_out"] == {
        "a refusal: the format states one shape": 2,
        "QUANTIZE: the format asks one function, the layer": 1,
    }
    assert len(manifest["vectors"]) + 3 == len(own.flat)
    assert write(tmp_path / "set", "npz", own)["left_out"] == {}


def test_errata_obey_their_schema_and_withdraw_vectors(folder: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The errata are empty today; one that is added takes its vectors back, of its versions and profiles alone."""
    judge = Draft202012Validator(load_schema("errata.schema.json"))
    judge.check_schema(judge.schema)
    judge.validate(json.loads(known_errata()))
    one = {
        "numerics": [numerics_version], "profiles": ["npquant"], "tier": "smoke", "vectors": [2], "what": "a sum",
        "found": "2027-01-01", "fixed": None,
    }  # fmt: skip
    errata = {"schema": "npquant.vectors.errata/1", "errata": [one]}
    judge.validate(errata)
    with pytest.raises(ValidationError):
        judge.validate({**errata, "errata": [{**one, "vectors": []}]})
    manifest = verify_manifest(folder)
    assert withdrawn(manifest, json.dumps(errata).encode()) == {2: "a sum"}
    for other in ({"numerics": ["0"]}, {"profiles": ["ort"]}, {"tier": "standard"}):
        assert withdrawn(manifest, json.dumps({"errata": [{**one, **other}]}).encode()) == {}
    monkeypatch.setattr("npquant.testing.vectors.verification.known_errata", lambda: json.dumps(errata).encode())
    wrong = {"2": np.zeros((5, 6), np.int8)}
    verdict = verify(folder, wrong)
    assert verdict.withdrawn == ("2",) and not verdict.failures and verdict.exit_code == 4
