"""The memory images, read as a bench would: from the words alone, by the documented order, in integers alone."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from npquant.testing import verify
from npquant.testing.vectors import write
from npquant.testing.vectors.readmemh import FIELDS

INT8 = 1


def readmemh(path: Any, bits: Any) -> Any:
    """Read an image as $readmemh does: words of so many bits in hexadecimal, @ an address, // a comment."""
    memory, at = {}, 0
    for token in re.sub(r"//[^\n]*", "", path.read_text(encoding="ascii")).split():
        if token.startswith("@"):
            at = int(token[1:], 16)
            continue
        assert len(token) == bits // 4
        memory[at] = int(token, 16)
        at += 1
    assert sorted(memory) == list(range(len(memory)))
    return [memory[i] for i in range(len(memory))]


def signed(word: Any, bits: Any) -> Any:
    """Read a word as two's complement."""
    return word - (1 << bits) if word >> (bits - 1) else word


def simulated(folder: Any, half: Any = 1, zero: Any = 1) -> Any:
    """Run every vector as a bench in integers would; return its signature lines, accumulators, values before the clamp.

    half 0 leaves out the rounding constant, zero 0 the weights' zero points."""
    codes, words = readmemh(folder / "codes.mem", 8), readmemh(folder / "words.mem", 32)
    assert words[:2] == [0x4E505156, 1] and words[3] == len(FIELDS)
    lines, sums, before = [], [], []
    for i in range(words[2]):
        f = dict(zip(FIELDS, words[4 + i * words[3] :], strict=False))
        number = {name: signed(word, 32) for name, word in f.items()}
        rows, depth, outputs = f["rows"], f["depth"], f["outputs"]

        def code(at: Any, kind: Any) -> Any:
            return signed(codes[at], 8) if kind == INT8 else codes[at]

        def word(name: Any, n: Any, fields: Any = f) -> Any:
            return signed(words[fields[name] + n], 32)

        for b in range(rows):
            for n in range(outputs):
                acc = word("bias_address", n)
                for k in range(depth):
                    x = code(f["x_address"] + b * depth + k, f["x_type"]) - number["x_zero"]
                    w = code(f["w_address"] + k * outputs + n, f["w_type"]) - zero * word("w_zero_address", n)
                    acc += x * w
                right = 31 - word("shift_address", n)
                y = ((acc * word("multiplier_address", n) + half * (1 << (right - 1))) >> right) + number["y_zero"]
                sums.append(acc)
                before.append(y)
                lines.append(f"{min(max(y, number['low']), number['high']) & 0xFFFFFFFF:08x}")
    return lines, sums, before


@pytest.fixture(scope="module")
def folder(own: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The images of npquant's own arithmetic."""
    place = tmp_path_factory.mktemp("vectors") / "set"
    write(place, "readmemh", own)
    return place


def test_bench_in_integers_reproduces_the_signature(folder: Any, tmp_path: Path) -> None:
    """From codes.mem and words.mem alone: signature, accumulators and values before the clamp, bit for bit."""
    lines, sums, before = simulated(folder)
    assert "\n".join(lines) + "\n" == (folder / "signature.txt").read_text(encoding="ascii")
    assert sums == [signed(word, 32) for word in readmemh(folder / "accumulators.mem", 32)]
    assert before == [signed(word, 32) for word in readmemh(folder / "before_clamp.mem", 32)]
    (tmp_path / "bench.sig").write_text("\n".join(lines))
    assert verify(folder, tmp_path / "bench.sig").passed


@pytest.mark.parametrize("wrong", [{"half": 0}, {"zero": 0}])
def test_broken_bench_is_found(wrong: Any, folder: Any, tmp_path: Path) -> None:
    """No rounding constant, or no zero point of the weights: the signature differs, and the vectors that say so."""
    (tmp_path / "bench.sig").write_text("\n".join(simulated(folder, **wrong)[0]))
    verdict = verify(folder, tmp_path / "bench.sig")
    assert verdict.failures and verdict.exit_code == 1


def test_expected_bytes_are_the_signature_and_the_map_says_the_addresses(folder: Any) -> None:
    """expected.mem holds the low byte of each line; address_map.json repeats every field of words.mem."""
    lines = (folder / "signature.txt").read_text().split()
    assert [int(line, 16) & 0xFF for line in lines] == readmemh(folder / "expected.mem", 8)
    words = readmemh(folder / "words.mem", 32)
    addresses = json.loads((folder / "address_map.json").read_text())
    assert addresses["fields"] == list(FIELDS)
    for i, fields in enumerate(addresses["vectors"].values()):
        assert [value & 0xFFFFFFFF for value in fields.values()] == words[
            4 + i * len(FIELDS) : 4 + (i + 1) * len(FIELDS)
        ]


def test_float_profile_says_that_its_multiplier_is_not_fixed(ort: Any, tmp_path: Path) -> None:
    """Where the arithmetic is float32, own_multiplier is 0 and the scales stand there as float32 bits."""
    write(tmp_path / "set", "readmemh", ort)
    words = readmemh(tmp_path / "set" / "words.mem", 32)
    f = dict(zip(FIELDS, words[4:], strict=False))
    assert f["own_multiplier"] == 0
    scale = np.array([words[f["w_scale_address"]]], np.uint32).view(np.float32)[0]
    assert scale == ort.flat[0].case.model.layers[0].w.scale
