"""Quantized models answer byte for byte as onnxruntime, and say by name what is not read."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from npquant.files.format_error import FormatError
from npquant.integer.dynamic_mlp import DynamicMLP
from npquant.integer.mlp import IntegerMLP
from npquant.interop.onnx_in import decode_onnx, from_onnx
from tests.interop.onnx_in.integer_cases import (
    B1,
    BIAS1,
    DYNAMIC,
    FIRST,
    GEMM1,
    LAST,
    QDQ,
    QOPERATOR,
    SECOND,
    SH,
    SW1,
    SX,
    W1,
    K,
    built,
    dq,
    q,
    scales,
)  # fmt: skip
from tests.interop.onnx_in.models import model, node, run, tensor, value

X = np.random.default_rng(31).normal(0, 1, (4000, K)).astype(np.float32)
STATIC = {**QDQ, **QOPERATOR}
KINDS = ("uint8", "int8")
CORPUS = Path(__file__).parents[3] / "../shared/models/corpus"


# Behind an integer Clip of int8 codes onnxruntime 1.32 keeps a float32 Gemm, whose sums round at near ties.
FLOAT_GEMM = {("codes clipped into a narrower interval", "int8")}


@pytest.mark.parametrize(("name", "kind"), sorted({(name, kind) for name in STATIC for kind in KINDS} - FLOAT_GEMM))
@pytest.mark.peer
def test_run_is_onnxruntimes_byte_for_byte(name: Any, kind: Any) -> None:
    """20,000 outputs a case, none of them different; a float softmax behind the codes within its own rounding."""
    pytest.importorskip("onnxruntime", reason="onnxruntime is in the extra 'peers'")
    data = built(STATIC[name], kind)
    found = decode_onnx(data, name, folder=None)
    got, want = found.run(X), run(data, X)[0]
    assert isinstance(found.model, IntegerMLP) and got.dtype == want.dtype
    if found.head == "softmax":
        # exp and a division of float32 each lie within a few units of the last place; shares are at most 1.
        assert np.abs(got - want).max() <= 2.0**-21
    else:
        assert (got != want).sum() == 0 and len(np.unique(want)) > 40


@pytest.mark.parametrize("name", DYNAMIC)
@pytest.mark.peer
def test_dynamic_run_is_onnxruntimes_byte_for_byte(name: Any) -> None:
    """The scales come from the whole batch, as DynamicQuantizeLinear takes them."""
    pytest.importorskip("onnxruntime", reason="onnxruntime is in the extra 'peers'")
    data = built(DYNAMIC[name], "uint8")
    found = decode_onnx(data, name, folder=None)
    assert isinstance(found.model, DynamicMLP)
    np.testing.assert_array_equal(found.run(X), run(data, X)[0])


@pytest.mark.parametrize("profile", ["fbgemm", "xnnpack_fp32", "tflite_ref"])
def test_dynamic_file_is_refused_under_an_engine_without_its_operators(profile: Any) -> None:
    """DynamicQuantizeLinear belongs to the engines that run ONNX."""
    with pytest.raises(FormatError, match=f"{profile} has no DynamicQuantizeLinear; ort, ort_pair16 and onnx_ref"):
        decode_onnx(built(next(iter(DYNAMIC.values())), "uint8"), "net", folder=None, profile=profile)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.peer
def test_codes_in_and_out_are_the_files_own(kind: Any) -> None:
    """A file without quantizers at its ends takes codes and gives codes, and so does what was read of it."""
    pytest.importorskip("onnxruntime", reason="onnxruntime is in the extra 'peers'")
    nodes = [*QDQ["gemm and relu"][:-2], q("o", "y", "sy", "zy")]
    data = built(nodes, kind, codes=True)
    found = decode_onnx(data, "net", folder=None)
    info = np.iinfo(kind)
    codes = np.random.default_rng(1).integers(info.min, info.max + 1, (1000, K)).astype(kind)
    got, want = found.run(codes), run(data, codes)[0]
    assert got.dtype == want.dtype == kind
    np.testing.assert_array_equal(got, want)


@pytest.mark.peer
def test_codes_of_another_kind_at_the_door_are_moved() -> None:
    """uint8 codes in and out around an int8 network with a softmax: as TFLite files are converted."""
    pytest.importorskip("onnxruntime", reason="onnxruntime is in the extra 'peers'")
    nodes = [
        dq("x", "xr", "sx", "u121"), q("xr", "xq", "sx", "i-7"), dq("xq", "xd", "sx", "i-7"), FIRST[2], *BIAS1,
        node("Gemm", "xd w1 b1", "g"), q("g", "hq"), dq("hq", "hd"), *SECOND, node("Gemm", "hd w2 b2", "o"),
        q("o", "oq", "sy", "zy"), dq("oq", "l", "sy", "zy"), node("Softmax", "l", "p"), q("p", "pq", "sp", "zp"),
        dq("pq", "pr", "sp", "zp"), q("pr", "y", "sp", "u0"),
    ]  # fmt: skip
    more = [tensor("u121", np.uint8(121)), tensor("i-7", np.int8(-7)), tensor("u0", np.uint8(0))]
    ends = {"inputs": [value("x", 2, ("n", K))], "outputs": [value("y", 2, None)]}
    data = model(nodes, [*scales("int8"), *more], **ends)
    found = decode_onnx(data, "net", folder=None)
    codes = np.random.default_rng(1).integers(0, 256, (1000, K)).astype(np.uint8)
    got, want = found.run(codes), run(data, codes)[0]
    assert found.inputs.dtype == got.dtype == np.uint8 and found.model.input_params.dtype == np.int8
    # The engine's float softmax lies within a few units of the last place, its table within one code.
    assert np.abs(got.astype(int) - want).max() <= 1


def test_layers_hold_the_files_own_integers() -> None:
    """Weights, bias, scales and zero points are those of the file; the name of the clamp is where it says one."""
    net = decode_onnx(built(QDQ["gemm and relu"], "uint8"), "net", folder=None).model
    layer = net.layers[0]
    np.testing.assert_array_equal(layer.w_q, W1)
    np.testing.assert_array_equal(layer.bias, B1)
    assert (layer.x.scale, layer.w.scale, layer.y.scale) == (SX, SW1, SH)
    assert (layer.x.zero_point, layer.y.qmin, layer.y.qmax, layer.activation) == (121, 0, 255, "relu")
    assert net.profile.name == "ort"


def test_relu_behind_dequantize_is_the_same_clamp_or_a_table() -> None:
    """max(q, z) where no quantizer follows; a code for each code where one does."""
    half = [*GEMM1, q("g", "pq", "sh", "zm"), dq("pq", "pd", "sh", "zm"), node("Relu", "pd", "hd")]
    second = [dq("W2", "w2", "sw2", "zw2", axis=1), node("Gemm", "hd w2", "o"), *LAST[1:]]
    clamp = decode_onnx(built([*half, *second], "int8"), "net", folder=None).model.layers[0]
    table = decode_onnx(built(QDQ["two requantizations around a relu"], "int8"), "net", folder=None).model.layers[0]
    assert (clamp.activation, clamp.code_range) == ("relu", (0, 127))
    np.testing.assert_array_equal(table.table, np.maximum(np.arange(-128, 128), 0))


def test_a_clip_of_codes_narrows_the_interval() -> None:
    """An integer Clip between quantizer and dequantizer carries the true width."""
    layer = decode_onnx(built(QDQ["codes clipped into a narrower interval"], "uint8"), "net", folder=None).model.layers[
        0
    ]
    assert (layer.y.qmin, layer.y.qmax) == (8, 247)


def test_float_bias_is_quantized_as_the_engine_does() -> None:
    """half_even(b / (sx sw)): the file's own integers, where they were where the floats came from."""
    nodes = [*FIRST, node("Gemm", "xd w1 fb1", "g"), q("g", "y")]
    layer = decode_onnx(built(nodes, "uint8"), "net", folder=None).model.layers[0]
    np.testing.assert_array_equal(layer.bias, B1)


@pytest.mark.parametrize("kind", [22, 21, 26, 25])
def test_weights_of_four_and_two_bits_are_read(kind: Any) -> None:
    """INT4, UINT4, INT2 and UINT2 weights become layers of that width."""
    bits = 4 if kind in (21, 22) else 2
    codes = np.random.default_rng(4).integers(0, 2**bits, 12)
    raw = np.array(
        [sum(int(c) << (bits * j) for j, c in enumerate(codes[i : i + 8 // bits])) for i in range(0, 12, 8 // bits)],
        np.uint8,
    )
    weights = tensor("W", np.zeros(12, np.int8), kind=kind, dims=[4, 3], raw=raw.tobytes())
    nodes = [
        q("x", "xq", "sx", "zx"), dq("xq", "xd", "sx", "zx"), dq("W", "w", "sw1", "-"), node("MatMul", "xd w", "g"),
        q("g", "y"),
    ]  # fmt: skip
    data = model(nodes, [*scales("uint8"), weights], opset=21)
    layer = decode_onnx(data, "net", folder=None).model.layers[0]
    signed = np.where(codes >= 2 ** (bits - 1), codes - 2**bits, codes) if kind in (22, 26) else codes
    np.testing.assert_array_equal(layer.w_q, signed.reshape(4, 3))
    assert layer.w.qmax - layer.w.qmin == 2**bits - 1


SIXTEEN = [tensor("z16", np.uint16(0)), tensor("zi16", np.int16(0)), tensor("two", np.float32([1, 2]))]
REFUSED = {
    "a product of floats in a quantized file": (
        [*GEMM1, q("g", "hq"), dq("hq", "hd"), node("Gemm", "hd F2", "y")],
        "mixed",
    ),
    "a layer that reads real values": (
        [*GEMM1, *SECOND, node("Gemm", "g w2", "y")],
        "Gemm.*not quantized",
    ),
    "a bias added behind a requantization": (
        [*FIRST, node("MatMul", "xd w1", "m"), q("m", "mq"), dq("mq", "md"), node("Add", "md fb1", "g"), q("g", "y")],
        r"\(Add\)",
    ),
    "sixteen bits": ([q("x", "xq", "sx", "z16"), dq("xq", "y", "sx", "z16")], "UINT16"),
    "sixteen bits, signed": ([node("QuantizeLinear", "x sx zi16", "y", domain="com.microsoft")], "INT16"),
    "a scale a feature": ([node("QuantizeLinear", "x two -", "y")], "per tensor"),
    "other parameters": ([FIRST[0], dq("xq", "xd", "sh", "zx"), FIRST[2], node("Gemm", "xd w1", "y")], "another scale"),
    "a scale an input": (
        [*FIRST[:2], dq("W1", "w1", "sk", "-", axis=0), node("Gemm", "xd w1", "y")],
        "one scale an input",
    ),
    "a bias of another scale": (
        [*FIRST, dq("B1", "b1", "sh", "-"), node("Gemm", "xd w1 b1", "g"), q("g", "y")],
        "its bias",
    ),
    "an affine map before the quantizer": ([node("Mul", "x sx", "m"), q("m", "mq"), dq("mq", "y")], "Mul"),
    "a scale of zero": ([q("x", "xq", "s0", "zx"), dq("xq", "y", "s0", "zx")], "scale"),
    "a scale of NaN": ([q("x", "xq", "nan", "zx"), dq("xq", "y", "nan", "zx")], "scale"),
    "weights of a NaN scale": ([*FIRST[:2], dq("W1", "w1", "nan", "-"), node("Gemm", "xd w1", "y")], "scale"),
    "a product on codes": ([FIRST[0], node("Gemm", "xq F1", "y")], "UINT8"),
    "blocks": ([*FIRST[:2], dq("W1", "w1", "sw1", "-", block_size=4), node("MatMul", "xd w1", "y")], "block_size"),
    "QLinearAdd": ([node("QLinearAdd", "x sx zx B1 sx zx sx zx", "y", domain="com.microsoft")], "QLinearAdd"),
    "MatMulNBits": ([node("MatMulNBits", "x W1", "y", domain="com.microsoft", N=3)], "MatMulNBits"),
    "codes clipped to nothing": ([FIRST[0], node("Clip", "xq hi lo", "c"), dq("c", "y", "sx", "zx")], "Clip"),
    "no layer": (FIRST[:2], "first product|nothing"),
    "a dynamic scale used otherwise": (
        [node("DynamicQuantizeLinear", "x", "xq xs xz"), node("Relu", "xs", "y")],
        "Relu.*dynamically",
    ),
    "another input's scale": (
        [
            node("DynamicQuantizeLinear", "x", "xq xs xz"), node("DynamicQuantizeLinear", "x", "q2 s2 z2"),
            node("MatMulInteger", "xq W1 xz zw1", "a"), node("Cast", "a", "f", to=6), node("Mul", "s2 sw1", "s"),
            node("Mul", "f s", "y"),
        ],
        "Cast.*dynamically",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_decode_onnx_refuses_by_name(name: Any) -> None:
    """What no integer layer computes is refused, and the message names the node."""
    nodes, problem = REFUSED[name]
    more = {
        "F2": np.zeros((16, 3), np.float32),
        "sk": np.ones(K, np.float32),
        "s0": np.float32(0),
        "nan": np.float32(np.nan),
    }
    tensors = [*scales("uint8"), *SIXTEEN, *(tensor(key, np.asarray(a)) for key, a in more.items())]
    with pytest.raises(FormatError, match=rf"net\.onnx: .*({problem})"):
        decode_onnx(model(nodes, tensors, inputs=[value("x", 1, ("n", K))]), "net.onnx", folder=None)


def _corpus_integers() -> Any:
    if not CORPUS.exists():
        return []
    entries = json.loads((CORPUS / "MANIFEST.json").read_text())["entries"]
    return [e for e in entries if e["format"] == "onnx" and e["expect"]["kind"] == "integer"]


@pytest.mark.skipif(not CORPUS.exists(), reason="the corpus of model files does not stand beside the project")
def test_integer_files_of_the_corpus_answer_byte_for_byte() -> None:
    """Every quantized ONNX file of the corpus gives its reference outputs, without one differing bit."""
    entries = _corpus_integers()
    assert len(entries) >= 14
    for entry in entries:
        arrays = np.load(CORPUS / entry["reference"]["file"])
        got = from_onnx(CORPUS / entry["file"]).run(arrays["x0"].reshape(len(arrays["x0"]), -1))
        assert got.dtype == arrays["y0"].dtype, entry["id"]
        np.testing.assert_array_equal(got, arrays["y0"], entry["id"])
