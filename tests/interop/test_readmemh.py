"""Memory images: a word a line in the width stated, and a simulation that gives the network's codes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from npquant.files.format_error import FormatError
from npquant.interop import encode_readmemh, to_readmemh
from npquant.interop.consumers.verilog import read_map, run_verilog, selftest_verilog, version_verilog
from tests.interop.c99.networks import INTEGER_PROFILES, Kind, foreign_networks, input_codes, network

VERILOG = pytest.mark.skipif(version_verilog() is None, reason="Icarus Verilog is not installed")

KINDS = [
    *(Kind(sizes=(6, 5, 12), profile=profile) for profile in INTEGER_PROFILES if profile != "xnnpack_rndnu"),
    *(Kind(sizes=(6, 5, 12), profile=p, per_channel=True) for p in ("npquant", "tflm", "ruy_x86", "ruy_arm64")),
    Kind(sizes=(7, 5, 12), bits=4),
    Kind(sizes=(7, 5, 12), grid="ternary", activation="tanh"),
    Kind(sizes=(7, 5, 12), weight_zero=9, activation="sigmoid"),
    Kind(sizes=(1, 1)),
]


@VERILOG
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_simulation_equals_network(kind: Kind, tmp_path: Path) -> None:
    """Icarus Verilog computes the network's codes from its memories, with an accumulator of the bits that C7 proves."""
    model = network(kind, 3)
    to_readmemh(model, tmp_path, name="net")
    assert selftest_verilog(tmp_path) == "PASS: 8 rows, 0 differences"
    x_q = input_codes(model, 450, 4)
    assert np.array_equal(run_verilog(tmp_path, x_q), model.run(x_q))


@VERILOG
@pytest.mark.parametrize("name", ["16x8 npquant int64", "8 to 16 to 8", "16x8 tflm int64"])
def test_simulation_of_16_bit_codes_equals_network(name: str, tmp_path: Path) -> None:
    """R170 and R91 in Verilog's 64 bits, memories of int16 words, layers that change the width."""
    model = foreign_networks()[name]
    to_readmemh(model, tmp_path, name="net")
    assert selftest_verilog(tmp_path) == "PASS: 8 rows, 0 differences"
    x_q = input_codes(model, 200, 4)
    assert np.array_equal(run_verilog(tmp_path, x_q), model.run(x_q))


def test_kinds_compare_enough() -> None:
    """The simulations above compare 10^5 outputs."""
    assert sum(450 * kind.sizes[-1] for kind in KINDS) >= 10**5


@VERILOG
def test_testbench_notices_flipped_weight(tmp_path: Path) -> None:
    """One word of the weights changed: the testbench counts what differs."""
    to_readmemh(network(Kind(sizes=(6, 4)), 3), tmp_path, name="net")
    words = (tmp_path / "w0.hex").read_text().split()
    words[0] = f"{int(words[0], 16) ^ 0x40:02x}"
    (tmp_path / "w0.hex").write_text("\n".join(words) + "\n")
    assert selftest_verilog(tmp_path).startswith("FAIL")


@pytest.mark.parametrize(
    "kind", [Kind(bits=3), Kind(weight_zero=-100), Kind(per_channel=True), Kind(activation="tanh")]
)
def test_words_give_the_numbers_back(kind: Kind) -> None:
    """Every word, read in two's complement of the width and order that the map states, is the network's number."""
    model = network(kind, 3)
    texts = encode_readmemh(model, golden=3)
    described = json.loads(texts["map.json"])

    def numbers(name: str) -> np.ndarray:
        memory = next(m for m in described["memories"] if m["file"] == f"{name}.hex")
        words = [int(word, 16) for word in texts[f"{name}.hex"].split()]
        assert len(words) == memory["depth"] and max(words) < 2 ** memory["width"]
        return np.array([w - 2 ** memory["width"] if w >= 2 ** (memory["width"] - 1) else w for w in words])

    for i, layer in enumerate(model.layers):
        k, n = layer.shape
        assert np.array_equal(numbers(f"w{i}").reshape(n, k).T, layer.centred_weights)
        assert np.array_equal(numbers(f"b{i}"), layer.bias)
        assert described["layers"][i]["accumulator_bits"] == model.accumulator_bits[i]
    rows = numbers("x").reshape(3, -1).astype(np.int8)
    assert np.array_equal(model.run(rows), numbers("y").reshape(3, -1))


def test_float_profiles_are_refused() -> None:
    """A profile that rescales in floating point has no memory image; others are named."""
    with pytest.raises(ValueError, match=r"litert_ref_2025 rescales in floating point.*npquant"):
        encode_readmemh(network(Kind(profile="litert_ref_2025"), 1))


def test_missing_or_foreign_map_is_a_format_error(tmp_path: Path) -> None:
    """A map that is none is named; a folder without one is an OSError."""
    with pytest.raises(OSError):
        read_map(tmp_path)
    for text in ("{", "[]", "{}", '{"format": "other", "layers": [1], "name": "x"}', "\xff"):
        (tmp_path / "map.json").write_bytes(text.encode("latin1"))
        with pytest.raises(FormatError, match=r"map\.json"):
            read_map(tmp_path)
