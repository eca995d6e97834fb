"""A set on disk: the same bytes each time, whole or not at all, and only where it may stand."""

import hashlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from npquant.testing import generate
from npquant.testing.trial import Tier
from npquant.testing.vectors import FORMATS, collect, collection, generation, write

PROGRAM = """
import sys
from npquant.testing.bugs.catalogue import CATALOGUE
from npquant.testing.vectors import collection, generate
collection.CATALOGUE = CATALOGUE[::40]
for form in sys.argv[2:]:
    generate(sys.argv[1] + "/" + form, form, "ort")
"""


def digests(folder: Any) -> Any:
    """Return the digest of every file of a folder, by its path."""
    files = sorted(path for path in Path(folder).rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def reproducible(make: Any) -> Any:
    """Say whether two folders of the same making hold the same bytes."""
    first, second = digests(make("first")), digests(make("second"))
    return bool(first) and first == second


def test_generate_is_byte_reproducible_in_every_format(few_bugs: Any, tmp_path: Path) -> None:
    """The same version, profile, tier and seed give the same bytes: here, and in another process with another hash."""
    forms = [form for form in FORMATS if form != "onnx"] + (["onnx"] if has_onnx() else [])

    def make(name: Any) -> Any:
        (tmp_path / name).mkdir()
        if name == "first":
            for form in forms:
                generate(tmp_path / name / form, form, "ort")
        else:
            environment = {**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": os.pathsep.join(sys.path)}
            command = [sys.executable, "-c", PROGRAM, str(tmp_path / name), *forms]
            subprocess.run(command, check=True, env=environment)
        return tmp_path / name

    assert reproducible(make)


def has_onnx() -> Any:
    """Say whether the package onnx is installed."""
    try:
        import onnx  # noqa: F401
    except ImportError:
        return False
    return True


def test_reproducible_kills_a_clock(tmp_path: Path) -> None:
    """A file with the time in it is not reproducible."""

    def make(name: Any) -> Any:
        (tmp_path / name).mkdir()
        (tmp_path / name / "vectors.txt").write_text(str(time.perf_counter_ns()))
        return tmp_path / name

    assert not reproducible(make)


def test_seed_draws_the_standard_tier_and_nothing_of_smoke(
    few_bugs: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Another seed changes what is drawn; the golden set stands first in either, and is all of smoke."""
    monkeypatch.setattr(collection, "TIERS", {"smoke": Tier(0, 0), "standard": Tier(1, 1)})
    made = [collect("ort", "standard", seed) for seed in (0, 0, 1)]
    names = [f"{i}/vectors.npz" for i in range(3)]
    for i, one in enumerate(made):
        write(tmp_path / str(i), "npz", one)
    first, again, other = (digests(tmp_path)[name] for name in names)
    assert first == again != other
    golden = collect("ort", "smoke", 1)
    assert [v.kills for v in golden.canonical] == [v.kills for v in made[2].canonical[: len(golden.canonical)]]
    assert len(made[0].canonical) > len(golden.canonical) + 20


def test_large_cases_are_left_out_and_counted(few_bugs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is too large for a file is counted by its reason."""
    monkeypatch.setattr(collection, "MOST_ELEMENTS", 500)
    made = collect("ort")
    assert made.left_out == {"more than 500 operand elements": 1} and len(made.canonical) == 15


def test_what_an_engine_does_not_take_is_left_out(few_bugs: Any) -> None:
    """No weight zero point where the engine refuses one, no refusal that only some kernels promise."""
    made = collect("nvdla", "standard")
    assert made.left_out["promises no refusal"] > 1
    assert all(not np.any(layer.w.zero_point) for vector in made.flat for layer in vector.case.model.layers)


def test_generate_within_20_seconds(tmp_path: Path) -> None:
    """The golden set of a profile, all bugs replayed, takes less than 20 seconds."""
    start = time.process_time()
    manifest = generate(tmp_path / "set", "npz", "tflite_ref")
    assert time.process_time() - start < 20
    assert manifest["kills"] >= 235 and manifest["left_out"] == {}


def test_write_replaces_a_set_whole_or_leaves_it(own: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failure on the way leaves the old set as it was, and nothing beside it."""
    write(tmp_path / "set", "wycheproof", own)
    before = digests(tmp_path)
    monkeypatch.setattr(generation, "encode_manifest", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write(tmp_path / "set", "c", own)
    assert digests(tmp_path) == before
    monkeypatch.undo()
    write(tmp_path / "set", "c", own)
    assert json.loads((tmp_path / "set" / "manifest.json").read_text())["format"] == "c"
    assert not (tmp_path / "set" / "vectors.json").exists()
    assert os.listdir(tmp_path) == ["set"]


def test_write_puts_the_old_set_back(own: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the new folder cannot be renamed, the old one stands where it stood."""
    write(tmp_path / "set", "c", own)
    before, replace = digests(tmp_path), os.replace

    def failing(source: Any, target: Any) -> None:
        if str(source).endswith(".tmp"):
            raise OSError("no")
        replace(source, target)

    monkeypatch.setattr(generation.os, "replace", failing)  # type: ignore[attr-defined]
    with pytest.raises(OSError, match="no"):
        write(tmp_path / "set", "readmemh", own)
    monkeypatch.undo()
    assert digests(tmp_path) == before


def test_generate_refuses_a_strangers_folder(tmp_path: Path) -> None:
    """A folder with other files in it, a file, an unknown format, tier or profile: refused before any work."""
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(ValueError, match="holds no golden vectors"):
        generate(tmp_path, "npz")
    with pytest.raises(ValueError, match="is no folder"):
        generate(tmp_path / "mine.txt", "npz")
    with pytest.raises(ValueError, match="no format 'tfl'"):
        generate(tmp_path / "set", "tfl")
    with pytest.raises(ValueError, match="no vectors of a tier 'forever'; known: smoke, standard"):
        generate(tmp_path / "set", "npz", tier="forever")
    with pytest.raises(ValueError, match="there is no profile"):
        generate(tmp_path / "set", "npz", "tflight")
    assert digests(tmp_path).keys() == {"mine.txt"}
