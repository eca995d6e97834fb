"""A compiler as a consumer: what it does not take is named, and what a program costs is counted."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from npquant.files.format_error import FormatError
from npquant.interop import to_c
from npquant.interop.consumers.c_cost import object_size, row_cost
from npquant.interop.consumers.cc import quantize_cc, run_cc, selftest_cc, signature, version_cc
from tests.interop.c99.networks import Kind, input_codes, network

GCC = pytest.mark.skipif(version_cc() is None, reason="gcc is not installed")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Write a small program."""
    return to_c(network(Kind(), 1), tmp_path, name="net")[1]


def test_signature_is_the_headers(source: Path) -> None:
    """Name, types and sizes come from the header alone."""
    found = signature(source)
    assert (found.name, found.inputs, found.outputs) == ("net", 20, 10)
    assert (found.x, found.y) == (np.int8, np.int8)  # type: ignore[comparison-overlap]


def test_foreign_headers_are_format_errors(source: Path) -> None:
    """A header without NAME_run, or with codes of another type, is named; a missing one is an OSError."""
    header = source.with_suffix(".h")
    text = header.read_text()
    for wrong, place in (
        (text.replace("net_run", "net_go"), "net_run|NAME_run"),
        (text.replace("int8_t x", "float x"), "float"),
    ):
        header.write_text(wrong)
        with pytest.raises(FormatError, match=rf"net\.h.*({place})"):
            signature(source)
    header.unlink()
    with pytest.raises(OSError):
        signature(source)


def test_missing_compiler_is_an_import_error(source: Path) -> None:
    """A compiler that is not there is named, with what to install."""
    x_q = np.zeros((1, 20), np.int8)
    for call in (
        lambda: run_cc(source, x_q, cc="no-such-cc"),
        lambda: selftest_cc(source, cc="no-such-cc"),
        lambda: quantize_cc(source, x_q * 1.0, cc="no-such-cc"),
        lambda: object_size(source, cc="no-such-cc"),
    ):
        with pytest.raises(ImportError, match=r"no-such-cc.*install"):
            call()
    assert version_cc("no-such-cc") is None


@pytest.mark.peer
@GCC
def test_wrong_inputs_and_wrong_programs_are_named(source: Path) -> None:
    """Other types and shapes, and a source that does not compile or that dies."""
    with pytest.raises(TypeError, match="int8"):
        run_cc(source, np.zeros((1, 20)))
    with pytest.raises(ValueError, match=r"\(B, 20\)"):
        run_cc(source, np.zeros((1, 19), np.int8))
    assert run_cc(source, np.zeros((0, 20), np.int8)).shape == (0, 10)
    text = source.read_text()
    source.write_text(text + "\nint broken(")
    with pytest.raises(RuntimeError, match=r"net\.c: gcc refuses it"):
        run_cc(source, np.zeros((1, 20), np.int8))
    source.write_text(text.replace("net_layer0(x, h0);", "net_layer0(x, h0); x = 0; net_layer0(x, h0);"))
    with pytest.raises(RuntimeError, match=r"net\.c"):
        run_cc(source, np.zeros((1, 20), np.int8), flags=("-O0",))


@pytest.mark.peer
@GCC
def test_cost_is_counted(source: Path) -> None:
    """No variables, constants and a little code, a time, and instructions that are the same each time."""
    x_q = input_codes(network(Kind(), 1), 8, 2)
    cost, (text, data, bss) = row_cost(source, x_q, 0.001), object_size(source)
    assert data == bss == 0 and 20 * 13 + 13 * 10 < text < 4000
    assert cost.seconds > 0 and "gcc" in (version_cc() or "")
    if shutil.which("valgrind"):
        again = row_cost(source, x_q, 0.001)
        assert cost.instructions == again.instructions and cost.instructions is not None
        assert cost.instructions > 20 * 13 + 13 * 10
