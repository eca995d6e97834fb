"""Output ends in the formats of others: real outputs where a file has them, and what codes mean where it has not."""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from npquant.compression.rounding.uniform import quantize_uniform
from npquant.integer.mlp import IntegerMLP
from npquant.interop.c99.export import encode_c
from npquant.interop.onnx_out.to_onnx import to_onnx
from npquant.interop.reading import read
from npquant.interop.readmemh import encode_readmemh
from npquant.interop.tflite_out.encode import encode_tflite
from npquant.nn.model import DenseLayer, FloatMLP
from npquant.profiles import get

FORMS = ("qdq", "qoperator", "integer")


def regression(profile: str = "npquant") -> tuple[IntegerMLP, np.ndarray]:
    """Two outputs of different size and place, and rows."""
    rng = np.random.default_rng(0)
    hidden = DenseLayer(rng.normal(0, 1, (3, 8)), rng.normal(0, 1, 8), "relu")
    last = DenseLayer(rng.normal(0, 1, (8, 2)) * [1.0, 1e-3], np.array([1e3, 0.2]), "identity")
    x = rng.normal(0, 1, (64, 3)).astype(np.float32)
    net = quantize_uniform(FloatMLP((hidden, last)), x, 8, output="identity")
    assert net.output_factor is not None
    return dataclasses.replace(net, profile=get(profile)), x


@pytest.mark.parametrize("form", FORMS)
def test_onnxruntime_gives_real_outputs_behind_their_ends(form: Any, tmp_path: Path) -> None:
    """Times the factors plus the offset, in float64 as `decode`: byte for byte."""
    ort = pytest.importorskip("onnxruntime")
    net, x = regression("ort")
    to_onnx(net, tmp_path / "net.onnx", form=form)
    session = ort.InferenceSession(tmp_path / "net.onnx", providers=["CPUExecutionProvider"])
    (answered,) = session.run(None, {"x": x})
    np.testing.assert_array_equal(answered, net.logits(x))


@pytest.mark.parametrize("ends", [("output_offset",), ("output_factor",), ("output_offset", "output_factor")])
@pytest.mark.parametrize("form", FORMS)
def test_an_onnx_file_is_read_back_with_its_ends(form: Any, ends: Any, tmp_path: Path) -> None:
    """The same network, with the same real outputs."""
    net, x = regression("ort")
    net = dataclasses.replace(net, **{e: None for e in ("output_offset", "output_factor") if e not in ends})
    to_onnx(net, tmp_path / "net.onnx", form=form)
    found = read(tmp_path / "net.onnx", profile="ort")
    np.testing.assert_array_equal(found.run(x), net.logits(x))
    np.testing.assert_array_equal(found.model.output_offset, net.output_offset)
    np.testing.assert_array_equal(found.model.output_factor, net.output_factor)


def test_a_tflite_file_keeps_the_ends_beside_its_codes(tmp_path: Path) -> None:
    """Codes in and out; npquant's metadata say what they mean. A head on real outputs cannot be written on codes."""
    net, x = regression("litert_ref_2025")
    (tmp_path / "net.tflite").write_bytes(encode_tflite(net))
    found = read(tmp_path / "net.tflite", profile="litert_ref_2025").model
    np.testing.assert_array_equal(found.logits(x), net.logits(x))
    np.testing.assert_array_equal(found.output_offset, net.output_offset)
    np.testing.assert_array_equal(found.output_factor, net.output_factor)
    with pytest.raises(ValueError, match="the head 'softmax' stands on real outputs"):
        encode_tflite(net, head="softmax")


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
def test_a_c_program_dequantizes_as_decode(tmp_path: Path) -> None:
    """NAME_dequantize is `decode`, bit for bit; codes of real values have no largest, so there is no NAME_predict."""
    net, x = regression()
    for name, text in encode_c(net, name="net").items():
        (tmp_path / name).write_text(text)
        assert "net_predict" not in text
    main = """
    #define NET_WITH_FLOAT
    #include "net.c"
    #include <stdio.h>
    int main(void) { float x[3], y[2]; int8_t a[3], b[2];
    while (scanf("%f %f %f", x, x + 1, x + 2) == 3) {
    net_quantize(x, a); net_run(a, b); net_dequantize(b, y); printf("%a %a\\n", y[0], y[1]); } return 0; }
    """
    (tmp_path / "main.c").write_text(main)
    subprocess.run(["cc", "-std=c99", "-Wall", "-Werror", "-o", "net", "main.c"], cwd=tmp_path, check=True)
    rows = "\n".join(" ".join(float(v).hex() for v in row) for row in x)
    done = subprocess.run([tmp_path / "net"], input=rows, capture_output=True, text=True, check=True)
    answered = np.array([[float.fromhex(v) for v in line.split()] for line in done.stdout.splitlines()], np.float32)
    np.testing.assert_array_equal(answered, net.logits(x))


def test_a_memory_map_says_what_the_codes_of_outputs_mean() -> None:
    """Only where a scale does not say it: other maps are as they were."""
    net, x = regression()
    outputs = json.loads(encode_readmemh(net)["map.json"])["outputs"]
    codes = net.run(net.encode(x)).astype(np.float64)
    real = (codes - outputs["zero_point"]) * outputs["scale"] * outputs["factor"] + outputs["offset"]
    # Two roundings to float32, of the dequantized code and of the output.
    np.testing.assert_allclose(real, net.logits(x), rtol=2 * np.finfo(np.float32).eps)  # type: ignore[call-overload]
    plain = dataclasses.replace(net, output_offset=None, output_factor=None)
    assert "outputs" not in json.loads(encode_readmemh(plain)["map.json"])
