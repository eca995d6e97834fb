"""``npquant inspect``: every figure is that of the file."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from npquant.cli import main
from npquant.cli.description import describe
from npquant.cli.quantize import ENCODINGS
from npquant.files import layouts, reading, storage
from npquant.integer.accumulator import accumulator_interval
from npquant.integer.dynamic_layer import DynamicLayer
from npquant.integer.dynamic_mlp import DynamicMLP
from npquant.integer.layer import IntegerLayer
from npquant.integer.mlp import IntegerMLP
from npquant.interop import reading as any_file
from npquant.interop.reading import load
from npquant.kernels.qparams import QuantParams
from npquant.profiles import get

Shown = pytest.CaptureFixture[str]


def inspected(path: Path, shown: Shown) -> tuple[dict[str, Any], str]:
    """Return the record that --json prints, and the text."""
    shown.readouterr()
    assert main(["inspect", str(path), "--json"]) == 0
    record: dict[str, Any] = json.loads(shown.readouterr().out)
    assert main(["inspect", str(path)]) == 0
    return record, shown.readouterr().out


def test_inspect_float_network(float_file: Path, capsys: Shown) -> None:
    """Shapes, activations, types, zeros and intervals are the network's."""
    record, text = inspected(float_file, capsys)
    net = load(float_file)
    assert (record["kind"], record["bytes"]) == ("FloatMLP", float_file.stat().st_size)
    for layer, own in zip(record["layers"], net.layers, strict=True):
        assert layer["shape"] == list(own.w.shape)  # type: ignore[attr-defined]
        assert (layer["activation"], layer["dtype"], layer["bits"]) == (own.activation, "float32", 32)  # type: ignore[attr-defined]
        assert layer["nonzero_weights"] == np.count_nonzero(own.w)  # type: ignore[attr-defined]
        assert layer["sparsity"] == pytest.approx(np.mean(own.w == 0), rel=1e-8)  # type: ignore[attr-defined]
        assert layer["weights"] == pytest.approx([own.w.min(), own.w.max()], rel=1e-8)  # type: ignore[attr-defined]
    assert record["nonzero_weights"] == sum(layer["nonzero_weights"] for layer in record["layers"])
    assert "64-64-32-10, 6,464 multiply-accumulates a row, 6,464 executed" in text


def test_inspect_integer_network(integer_file: Path, capsys: Shown) -> None:
    """Grids, scales, accumulator bounds and headroom are the network's; 2-bit codes on mirrored grids count 2 bits."""
    record, text = inspected(integer_file, capsys)
    net = load(integer_file)
    assert isinstance(net, IntegerMLP)
    assert (record["kind"], record["profile"], record["macs"]) == ("IntegerMLP", "npquant", 6464)
    assert record["executed_macs"] == net.executed_macs
    assert [layer["bits"] for layer in record["layers"]] == [8, 4, 2]
    for i, (layer, own) in enumerate(zip(record["layers"], net.layers, strict=True)):
        low, high = accumulator_interval(own)
        bits = net.accumulator_bits[i]
        assert layer["accumulator"] == {
            "low": low.min(), "high": high.max(), "bits": bits, "headroom_bits": 32 - bits
        }  # fmt: skip
        assert layer["nonzero_weights"] == np.count_nonzero(own.w_q)
        assert layer["kernel"] == net.kernels[i]
        scales = layer["weight_params"]
        assert scales["grid"] == [own.w.qmin, own.w.qmax]
        assert scales["scale"] == pytest.approx([np.min(own.w.scale), np.max(own.w.scale)], rel=1e-8)
        assert layer["output_params"]["zero_point"] == [own.y.zero_point] * 2
        assert f"{low.min():,}..{high.max():,}" in text
    assert max(map(len, text.splitlines()[1:])) <= 100


def test_inspect_text_has_no_scale_that_the_record_lacks(integer_file: Path, capsys: Shown) -> None:
    """The interval of each layer's weight scales stands in the table to three digits."""
    record, text = inspected(integer_file, capsys)
    for layer in record["layers"]:
        low, high = layer["weight_params"]["scale"]
        assert f"{low:.3g}..{high:.3g}" in text


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("name", ["net.npz", "net.npq"])
def test_inspect_accounts_for_every_byte(
    encoding: str, name: str, float_file: Path, tmp_path: Path, capsys: Shown
) -> None:
    """The parts sum to the file's length, in both containers and every encoding, and the table's sums do too."""
    out = tmp_path / name
    options = ["--method", "nearest", "--bits", "3", "--rows", "50", "--encoding", encoding]
    assert main(["quantize", str(float_file), *options, "--out", str(out)]) == 0
    record, text = inspected(out, capsys)
    assert sum(part["bytes"] for part in record["parts"]) == record["bytes"] == out.stat().st_size
    rows = text[text.index("Bytes") :].splitlines()[3:]
    sums = [int(row.split()[-1].replace(",", "")) for row in rows]
    assert sums[-1] == sum(sums[:-1]) == record["bytes"]
    used = {part["encoding"] for part in record["parts"] if part["name"] == "weights"}
    assert all(encoding == "auto" or kind.startswith(encoding) for kind in used)


def test_inspect_float_bytes(float_file: Path, capsys: Shown) -> None:
    """Four bytes a weight and a bias, and what the zip needs."""
    record, _ = inspected(float_file, capsys)
    assert sum(part["bytes"] for part in record["parts"]) == record["bytes"]
    sizes = {(part["name"], part["layer"]): part["bytes"] for part in record["parts"]}
    assert [sizes["weights", i] for i in range(3)] == [4 * 64 * 64, 4 * 64 * 32, 4 * 32 * 10]


def test_inspect_shows_an_n_of_four_pattern(float_file: Path, tmp_path: Path, capsys: Shown) -> None:
    """What --pattern 2:4 pruned is told as 2:4, in the float file and, zeros kept, in the integer one."""
    sparse, net = tmp_path / "sparse.npz", tmp_path / "net.npq"
    assert main(["prune", str(float_file), "--weights", "--pattern", "2:4", "--rows", "300", "--out", str(sparse)]) == 0
    assert main(["quantize", str(sparse), "--keep-zeros", "--rows", "100", "--out", str(net)]) == 0
    for path in (sparse, net):
        record, text = inspected(path, capsys)
        assert [layer["most_of_four"] for layer in record["layers"]] == [2, 2, 2]
        assert text.count(" 2:4") == 3
    record, text = inspected(float_file, capsys)
    assert record["layers"][1]["most_of_four"] == 4
    assert ":4" not in text


def law_reads_once(describe: Callable[[str], Any], path: Path, patch: pytest.MonkeyPatch) -> None:
    """One open, one stat, one decoding, and one SHA-256 a tensor."""
    opened: list[object] = []
    counts = {"stat": 0, "decode_network": 0, "sha256": 0}
    real_open, real_stat, real_decode = Path.open, os.stat, reading.decode_network

    def counting(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            counts[name] += 1
            return real(*args, **kwargs)

        return call

    def opening(self: Path, *args: Any, **kwargs: Any) -> Any:
        opened.append(self)
        return real_open(self, *args, **kwargs)

    with patch.context() as patched:
        patched.setattr(Path, "open", opening)
        patched.setattr(os, "stat", counting("stat", real_stat))
        patched.setattr(reading, "decode_network", counting("decode_network", real_decode))
        patched.setattr(storage, "decode_network", reading.decode_network)
        patched.setattr(any_file, "decode_network", reading.decode_network)
        patched.setattr(layouts, "sha256", counting("sha256", layouts.sha256))  # type: ignore[attr-defined]
        record = describe(str(path))
    tensors = 1 if record["kind"] == "IntegerMLP" else 2 * len(record["layers"])
    assert opened == [path]
    assert counts == {"stat": 1, "decode_network": 1, "sha256": tensors}


def test_inspect_reads_hashes_and_decodes_a_file_once(
    float_file: Path, integer_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The record comes from one read; one that loads and then itemizes the file is seen."""
    for path in (float_file, integer_file):
        law_reads_once(describe, path, monkeypatch)

    def twice(path: str) -> dict[str, Any]:
        storage.itemize(path)
        return describe(path)

    with pytest.raises(AssertionError):
        law_reads_once(twice, float_file, monkeypatch)


def wide_network() -> IntegerMLP:
    """A network of a table, int16 and uint8 codes, int64 accumulators, and accumulators as outputs."""
    wide, low = QuantParams(0.5, 0, -32768, 32767), QuantParams(0.25, 7, 0, 255)
    w = QuantParams([0.5, 0.25], 0, -128, 127)
    table = np.arange(65536, dtype=np.uint16).astype(np.uint8)
    first = IntegerLayer(np.array([[1, -2]], np.int8), np.array([3, 4]), wide, w, low, "table", wide, table)
    last = IntegerLayer(np.array([[5], [0]], np.int8), np.array([6], np.int32), low, low_bits(), None, "relu")
    return IntegerMLP((first, last), wide, profile=get("litert_ref_2025"))


def low_bits() -> QuantParams:
    """Four-bit weights."""
    return QuantParams(0.5, 0, -8, 7)


def test_inspect_networks_of_other_peoples_files(tmp_path: Path, capsys: Shown) -> None:
    """int16 and uint8 codes, a given table, int64 accumulators and a last layer without an output quantization."""
    net = wide_network()
    storage.save(net, tmp_path / "net.npz")
    record, text = inspected(tmp_path / "net.npz", capsys)
    one, two = record["layers"]
    assert (record["profile"], record["input"]["grid"]) == ("litert_ref_2025", [-32768, 32767])
    assert one["pre_activation_params"]["grid"] == [-32768, 32767] and one["output_params"]["grid"] == [0, 255]
    assert one["accumulator"]["bits"] + one["accumulator"]["headroom_bits"] == 64
    assert two["output_params"] is None and two["bits"] == 4 and two["accumulator"]["headroom_bits"] < 32
    assert "the bits of int32 or int64 that they never use" in text and "accumulators" in text
    assert sum(part["bytes"] for part in record["parts"]) == (tmp_path / "net.npz").stat().st_size
    assert {"weights", "biases", "tables"} <= {part["name"] for part in record["parts"] if part["layer"] == 0}


def test_inspect_dynamic_network(tmp_path: Path, capsys: Shown) -> None:
    """Widths of codes and inputs, bounds and granularity are the network's."""
    w = QuantParams(0.5, 3, 0, 255)
    layer = DynamicLayer(np.array([[1, 3], [200, 3]], np.uint8), w, [0.5, -0.5], "relu")
    storage.save(DynamicMLP((layer,), "batch", get("ort")), tmp_path / "net.npz")
    record, text = inspected(tmp_path / "net.npz", capsys)
    (one,) = record["layers"]
    assert (record["kind"], record["profile"], record["granularity"]) == ("DynamicMLP", "ort", "batch")
    assert (one["nonzero_weights"], one["bits"], one["input_bits"], one["bias"]) == (2, 8, 8, [-0.5, 0.5])
    assert one["accumulator"]["bits"] == layer.accumulator_bits
    assert "quantized at run time, by the range of each batch" in text


def test_diff_of_networks_of_other_peoples_files(tmp_path: Path, capsys: Shown) -> None:
    """Profiles are compared on int16 codes, tables and accumulators; a dynamic network is refused as a float one is."""
    wide = wide_network()
    storage.save(wide, tmp_path / "net.npz")
    np.savez(tmp_path / "rows.npz", x=np.arange(-50, 50).reshape(100, 1) * 300.0, y=np.arange(100) % 2)
    arguments = [str(tmp_path / "net.npz"), "--data", str(tmp_path / "rows.npz"), "--a", "litert_ref_2025", "--b"]
    assert main(["diff", *arguments, "ruy_x86"]) == 0
    assert main(["diff", *arguments, "tflm"]) == 2  # TFLite-Micro takes no uint8 codes
    dynamic = DynamicMLP((DynamicLayer(np.ones((1, 2), np.int8), QuantParams(0.5, 0, -1, 1), [0, 0], "identity"),))
    storage.save(dynamic, tmp_path / "net.npz")
    capsys.readouterr()
    assert main(["diff", *arguments, "tflm"]) == 2
    assert "holds a dynamic network" in capsys.readouterr().err
