"""An artefact is told by what it holds, and goes to an engine that runs it."""

from pathlib import Path

import pytest

from npquant.files.format_error import FormatError
from npquant.workflow.verification_engines import ENGINES, artefact_at, engine_for


def test_artefact_at_tells_formats_by_what_they_hold(tmp_path: Path) -> None:
    """A folder with one C source, one with a map, their main files, and files by content."""
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "net.c").write_text("", "ascii")
    (tmp_path / "v").mkdir()
    (tmp_path / "v" / "map.json").write_text("{}", "ascii")
    (tmp_path / "net").write_bytes(b"\x1c\x00\x00\x00TFL3")
    assert artefact_at(tmp_path / "c") == artefact_at(tmp_path / "c" / "net.h") == ("c", tmp_path / "c" / "net.c")
    assert artefact_at(tmp_path / "v") == ("readmemh", tmp_path / "v" / "map.json")
    assert artefact_at(tmp_path / "net") == ("tflite", tmp_path / "net")


def test_artefact_at_names_what_no_engine_runs(tmp_path: Path) -> None:
    """Two sources, none, and a pickle."""
    with pytest.raises(FormatError, match="a folder with 0 C sources"):
        artefact_at(tmp_path)
    (tmp_path / "pickle").write_bytes(b"\x80\x04model")
    with pytest.raises(FormatError, match="pickle"):
        artefact_at(tmp_path / "pickle")
    with pytest.raises(OSError, match="absent"):
        artefact_at(tmp_path / "absent")


def test_engine_for_refuses_what_does_not_run_a_format() -> None:
    """Every format has an engine; an engine runs its own alone."""
    assert [engine_for(kind, None) for kind in ("onnx", "tflite", "c", "readmemh")] == [
        "onnxruntime",
        "litert",
        "cc",
        "verilog",
    ]
    for engine, kind in ENGINES.items():
        assert engine_for(kind, engine) == engine
    with pytest.raises(ValueError, match="tflm runs tflite; this is onnx"):
        engine_for("onnx", "tflm")
    with pytest.raises(ValueError, match="unknown engine 'tensorrt'"):
        engine_for("onnx", "tensorrt")
