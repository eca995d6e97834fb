"""An artefact is told by what it holds, and goes to an engine that runs it."""

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest

from npquant.files.format_error import FormatError
from npquant.integer.mlp import IntegerMLP
from npquant.interop.c99.export import to_c
from npquant.interop.readmemh import to_readmemh
from npquant.interop.tflite_out.encode import to_tflite
from npquant.profiles import get
from npquant.workflow.verification import verify
from npquant.workflow.verification_engines import ENGINES, artefact_at, engine_for, golden_of
from tests.interop.onnx_out.networks import KINDS, network


def an_integer_network() -> IntegerMLP:
    """Draw a network of 64 inputs and 10 outputs under npquant's own profile."""
    return dataclasses.replace(network(KINDS["per_channel"], np.random.default_rng(8)), profile=get("npquant"))


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


def test_golden_of_a_c_program_is_what_it_was_given(tmp_path: Path) -> None:
    """Inputs and answers come out of the source as they went in, the least int32 included."""
    net = an_integer_network()
    to_c(net, tmp_path / "net.c", golden=5)
    x, y = golden_of("c", tmp_path / "net.c")
    assert x.shape == (5, net.n_inputs) and x.dtype == np.int8 and np.array_equal(net.run(x), y)
    text = (tmp_path / "net.c").read_text("ascii").replace(" net_golden_y[5]", " net_golden_x2[5]")
    (tmp_path / "net.c").write_text(text, "ascii")
    with pytest.raises(FormatError, match="net_golden_y: no golden vectors"):
        golden_of("c", tmp_path / "net.c")


def test_golden_of_a_c_program_reads_the_least_number(tmp_path: Path) -> None:
    """What C writes as a difference is one number."""
    (tmp_path / "net.h").write_text("void net_run(const int8_t x[1], int32_t y[2]);", "ascii")
    arrays = "net_golden_x[1][1] = {\n {-128}\n};\nnet_golden_y[1][2] = {\n    {-2147483647 - 1, 5}\n};\n"
    (tmp_path / "net.c").write_text(arrays, "ascii")
    x, y = golden_of("c", tmp_path / "net.c")
    assert x.tolist() == [[-128]] and y.tolist() == [[-(2**31), 5]] and y.dtype == np.int32
    (tmp_path / "net.c").write_text(arrays.replace(", 5", ""), "ascii")
    with pytest.raises(FormatError, match=r"has 1 numbers; \[1\]\[2\] needs 2"):
        golden_of("c", tmp_path / "net.c")


def test_golden_of_a_memory_image_is_what_it_was_given(tmp_path: Path) -> None:
    """Two's complement words, a row after another."""
    net = an_integer_network()
    to_readmemh(net, tmp_path, golden=4)
    x, y = golden_of("readmemh", tmp_path / "map.json")
    assert x.shape == (4, net.n_inputs) and np.array_equal(net.run(x), y)
    (tmp_path / "y.hex").write_text("zz\n", "ascii")
    with pytest.raises(FormatError, match=r"y\.hex"):
        golden_of("readmemh", tmp_path / "map.json")


@pytest.mark.peer
@pytest.mark.parametrize("engine", ["litert", "tflm"])
def test_verify_of_a_tflite_file(engine: str, tmp_path: Path) -> None:
    """Every profile of the engine's own gives its bytes; LiteRT's kernels are chosen by the profile."""
    pytest.importorskip({"litert": "ai_edge_litert", "tflm": "tflite_micro"}[engine])
    to_tflite(an_integer_network(), tmp_path / "net.tflite")
    profiles = (None, "litert_ref_2025", "ruy_x86") if engine == "litert" else (None, "tflm")
    for profile in profiles:
        found = verify(tmp_path / "net.tflite", engine=engine, profile=profile, rows=300)
        assert found.equal and found.outputs > 2000 and found.bound == "byte for byte", profile


@pytest.mark.peer
@pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")
def test_verify_of_a_c_program(tmp_path: Path) -> None:
    """Its golden vectors, then drawn rows under its network, then another profile, which is found out."""
    net = an_integer_network()
    to_c(net, tmp_path / "net.c")
    assert verify(tmp_path).equal
    found = verify(tmp_path / "net.h", model=net)
    assert found.equal and found.outputs > 10_000 and found.profile == "npquant" and found.engine == "cc"
    other = verify(tmp_path, model=net, profile="tflite_ref", rows=5000)
    assert not other.equal and "npquant" in other.explained_by
    assert other.divergence is not None and other.divergence.first is not None


@pytest.mark.peer
@pytest.mark.skipif(shutil.which("iverilog") is None, reason="Icarus Verilog is not installed")
def test_verify_of_a_memory_image(tmp_path: Path) -> None:
    """Its golden vectors, and rows under its network."""
    net = an_integer_network()
    to_readmemh(net, tmp_path)
    assert verify(tmp_path).equal
    found = verify(tmp_path, model=net, rows=10)
    assert found.equal and found.engine == "verilog" and found.format == "readmemh"
