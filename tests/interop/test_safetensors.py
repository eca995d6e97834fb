"""safetensors: sound files give their own numbers, and a file that lies is one error that names it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from npquant.files.format_error import FormatError
from npquant.interop.safetensors import decode_safetensors, from_safetensors
from tests.interop.mutations import judge, mutated

RNG = np.random.default_rng(12)
NAMES = {"F64": np.float64, "F32": np.float32, "F16": np.float16}


def encoded(tensors: dict[str, Any], metadata: dict[str, str] | None = None, header: Any = None) -> bytes:
    """Return a safetensors file of arrays; uint16 stands for BF16. `header` changes entries, or replaces it all."""
    dtypes = {np.dtype(v): k for k, v in NAMES.items()} | {np.dtype(np.uint16): "BF16", np.dtype(np.int64): "I64"}
    entries: dict[str, Any] = {"__metadata__": metadata} if metadata else {}
    at = 0
    for name, array in tensors.items():
        span = [at, at + array.nbytes]
        entries[name] = {"dtype": dtypes[array.dtype], "shape": list(array.shape), "data_offsets": span}
        at = span[1]
    if isinstance(header, dict):
        for name, change in header.items():
            entries[name] = {**entries.get(name, {}), **change}
    text = header if isinstance(header, bytes) else json.dumps(entries).encode()
    return len(text).to_bytes(8, "little") + text + b"".join(array.tobytes() for array in tensors.values())


def network(dtype: Any = np.float32) -> dict[str, Any]:
    """Return tensors of 3-4-2 under a torch module's names."""
    shapes = {"net.0.bias": (4,), "net.0.weight": (4, 3), "net.10.bias": (2,), "net.10.weight": (2, 4)}
    return {name: RNG.normal(size=shape).astype(dtype) for name, shape in shapes.items()}


@pytest.mark.parametrize("name", NAMES)
def test_numbers_are_the_files_own(name: str) -> None:
    """F32 and F64 come back bit for bit, F16 widened exactly; weights are transposed."""
    tensors = network(NAMES[name])
    found = decode_safetensors(encoded(tensors), "net", activations="relu")
    assert found.model.dtype == (np.float64 if name == "F64" else np.float32)
    for layer, prefix in zip(found.model.layers, ("net.0", "net.10"), strict=True):
        assert np.array_equal(layer.w, tensors[f"{prefix}.weight"].T)  # type: ignore[attr-defined]
        assert np.array_equal(layer.b, tensors[f"{prefix}.bias"])  # type: ignore[attr-defined]
    assert found.format == "safetensors" and "'net.0', 'net.10'" in found.notes[0] and "(out, in)" in found.notes[1]


def test_bfloat16_is_the_upper_half() -> None:
    """BF16 is the upper half of a float32, for every code of a finite number."""
    codes = np.arange(1 << 16, dtype=np.uint16)
    codes = codes[(codes & 0x7F80) != 0x7F80].reshape(1, -1)
    found = decode_safetensors(encoded({"weight": codes}), "net", activations="relu")
    assert np.array_equal(found.model.layers[0].w.T.view(np.uint32) >> 16, codes)
    assert not (found.model.layers[0].w.view(np.uint32) & 0xFFFF).any()


def test_order_is_of_numbers_not_of_names() -> None:
    """net.2 stands before net.10, square weights or not."""
    tensors = {f"net.{i}.weight": np.diag([i + 1.0, 1.0]) for i in (0, 10, 2)}
    notes = decode_safetensors(encoded(tensors), "net", activations="identity").notes
    assert notes[0].endswith("'net.0', 'net.2', 'net.10'")


def test_order_of_names_without_numbers_must_be_the_only_one() -> None:
    """Names that number nothing are taken in the one order in which they fit, and refused if there are two."""
    fits = {"head.weight": np.ones((2, 5)), "body.weight": np.ones((5, 4)), "fc1.weight": np.ones((4, 4)),
            "fc2.weight": np.ones((4, 4))}  # fmt: skip
    notes = decode_safetensors(encoded(fits), "net", activations="relu").notes
    assert notes[0].endswith("'fc1', 'fc2', 'body', 'head'")
    for shapes, says in (
        ({"a": (3, 3), "b": (3, 3)}, "several orders"),
        ({"a": (3, 2), "b": (4, 5)}, "fit in no order"),
    ):
        tensors = {f"{name}.weight": np.ones(shape) for name, shape in shapes.items()}
        with pytest.raises(FormatError, match=says):
            decode_safetensors(encoded(tensors), "net", activations="relu")
    many = {f"{chr(97 + i) * 3}.weight": np.ones((3, 3)) for i in range(26)}
    with pytest.raises(FormatError, match="several orders"):
        decode_safetensors(encoded(many), "net", activations="relu")


def test_header_may_be_padded_and_tensors_in_any_order(tmp_path: Path) -> None:
    """Blanks behind the header, and tensors that lie in another order than they are named, are sound."""
    text = json.dumps({"1.weight": {"dtype": "F64", "shape": [1, 1], "data_offsets": [8, 16]},
                       "0.weight": {"dtype": "F64", "shape": [1, 1], "data_offsets": [0, 8]}})  # fmt: skip
    data = (len(text) + 5).to_bytes(8, "little") + text.encode() + b"     " + np.array([2.0, 3.0]).tobytes()
    (tmp_path / "net").write_bytes(data)
    net = from_safetensors(tmp_path / "net", activations="relu").model
    assert [layer.w.item() for layer in net.layers] == [2.0, 3.0]


GOOD = network()
ONE = {"0.weight": np.ones((2, 2), np.float32)}
ENTRY = {"0.weight": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]}}
REFUSED: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "header: promises 0 bytes"),
    "cut header": ((1000).to_bytes(8, "little") + b"{}", "header: promises 1000 bytes, the file has 10"),
    "length of 2^64 - 1": (b"\xff" * 8 + b"{}", "header: promises 18446744073709551615 bytes"),
    "header of 2 MB": ((2 << 20).to_bytes(8, "little") + b" " * (2 << 20), "limit for a perceptron"),
    "no JSON": (encoded(ONE, header=b"{"), "header: is no JSON object"),
    "a list": (encoded(ONE, header=b"[]"), "header: is no JSON object"),
    "not UTF-8": (encoded(ONE, header=b'{"\xff": 1}'), "header: is no JSON object in UTF-8"),
    "deep": (encoded(ONE, header=b'{"a":' * 100_000), "header: is no JSON object"),
    "NaN": (encoded(ONE, header=b'{"a": NaN}'), "header: is no JSON object.*NaN"),
    "a name twice": (encoded(ONE, header=b'{"a": 1, "a": 2}'), "a name stands twice"),
    "no entry": (encoded(ONE, header=b'{"0.weight": 1}'), "tensor '0.weight': must have dtype"),
    "more fields": (encoded(ONE, header={"0.weight": {"file": "x"}}), "tensor '0.weight': must have dtype"),
    "overlap": (encoded(ONE, header={"1.weight": ENTRY["0.weight"]}), "holes and overlaps are refused"),
    "hole": (encoded(ONE, header={"0.weight": {"shape": [2, 1], "data_offsets": [8, 16]}}), "holes and overlaps"),
    "beyond the end": (encoded(ONE, header={"0.weight": {"shape": [4, 2], "data_offsets": [0, 32]}}), "holes and"),
    "left over": (encoded(ONE) + b"!", "1 bytes behind its last tensor"),
    "shape": (encoded(ONE, header={"0.weight": {"shape": [2, 3]}}), r"does not take the bytes \[0, 16\]"),
    "shape of 2^80": (encoded(ONE, header={"0.weight": {"shape": [1 << 40, 1 << 40]}}), "does not take the bytes"),
    "shape of 2^64": (encoded(ONE, header={"0.weight": {"shape": [1 << 64]}}), "counts are expected"),
    "negative": (encoded(ONE, header={"0.weight": {"shape": [-2, -2]}}), "counts are expected"),
    "true": (encoded(ONE, header={"0.weight": {"shape": [True, 4]}}), "counts are expected"),
    "one offset": (encoded(ONE, header={"0.weight": {"data_offsets": [0]}}), "does not take the bytes"),
    "F8": (encoded(ONE, header={"0.weight": {"dtype": "F8_E4M3"}}), "tensor '0.weight': holds F8_E4M3"),
    "a dtype that is a list": (encoded(ONE, header={"0.weight": {"dtype": ["F32"]}}), "tensor '0.weight': holds"),
    "data set": (encoded({"codes": np.zeros((1, 2), np.int64)}), "tensor 'codes': holds I64, not a network's weights"),
    "other names": (encoded({"hello": np.zeros((2, 2))}), "tensor 'hello': is no layer's.*bias"),
    "batch norm": (encoded({"1.running_mean": np.zeros(2)}), "running_mean.*eps"),
    "count of batches": (encoded({"1.num_batches_tracked": np.zeros((), np.int64)}), "running_mean's eps"),
    "shared": (encoded(ONE, {"enc.weight": "0.weight"}), "tensor '0.weight': is shared with 'enc.weight'"),
    "metadata": (encoded(ONE, header={"__metadata__": {"a": 1}}), "must map text to text"),
    "NaN in a weight": (encoded({"0.weight": np.full((1, 1), np.nan)}), "layer '0': the weights are nan"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_refused_by_name(case: str) -> None:
    """A file that lies is a FormatError that names the file and what is wrong."""
    data, says = REFUSED[case]
    with pytest.raises(FormatError, match="^net.safetensors: .*" + says):
        decode_safetensors(data, "net.safetensors", activations="relu")


def test_activations_are_asked_for() -> None:
    """A sound file without activations is refused, and told how to give them."""
    with pytest.raises(FormatError, match=r"net: activations: holds no activation functions.*activations='relu'"):
        decode_safetensors(encoded(GOOD), "net")


def _read(data: bytes) -> object:
    return decode_safetensors(data, "net.safetensors", activations="relu")


def test_mutated_files_load_or_are_refused() -> None:
    """4,000 damaged files: each loads, or is the one error, within bounds of memory."""
    rng = np.random.default_rng(7)
    loaded = sum(judge(_read, data, "net.safetensors") for data in mutated(encoded(GOOD), rng, 4_000))
    assert 0 < loaded < 2_000


@pytest.mark.slow
def test_a_hundred_thousand_mutated_files() -> None:
    """10^5 damaged files of three widths."""
    rng = np.random.default_rng(8)
    for dtype in NAMES.values():
        for data in mutated(encoded(network(dtype), {"format": "pt"}), rng, 33_334):
            judge(_read, data, "net.safetensors")


@pytest.mark.peer
def test_files_of_the_safetensors_package() -> None:
    """What the package itself writes is read bit for bit."""
    package = pytest.importorskip("safetensors.numpy")
    for dtype in NAMES.values():
        tensors = network(dtype)
        data = package.save(tensors, {"format": "pt"})
        net = decode_safetensors(data, "net", activations="relu").model
        assert np.array_equal(net.layers[1].w, tensors["net.10.weight"].T)
