"""What an integer network becomes as ONNX is what onnxruntime computes, byte for byte, and npquant says so before."""

from pathlib import Path

import numpy as np
import pytest

from npquant.integer.layer import IntegerLayer
from npquant.integer.mlp import IntegerMLP
from npquant.interop.consumers.onnxruntime import run_onnxruntime, version_onnxruntime
from npquant.interop.imported import Imported
from npquant.interop.onnx_out.integer_graph import encode_integer
from npquant.kernels.qparams import QuantParams
from npquant.profiles import get
from tests.interop.onnx_out.networks import KINDS, Kind, network, real_inputs

needs_onnxruntime = pytest.mark.skipif(version_onnxruntime() is None, reason="onnxruntime is not installed")


def differences(model: IntegerMLP, data: bytes, rows: int, rng: np.random.Generator, folder: Path) -> tuple[int, int]:
    """Count outputs whose bits onnxruntime and the network disagree on, and all outputs."""
    path = folder / "net.onnx"
    path.write_bytes(data)
    x = real_inputs(model, rows, rng)
    expected = Imported(model, "none", (), "onnx").run(x)
    answered = run_onnxruntime(path, x)
    assert answered.dtype == expected.dtype == np.float32 and answered.shape == expected.shape
    # -0 and 0 are the same code
    return int((answered != expected).sum()), answered.size


@pytest.mark.peer
@needs_onnxruntime
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("form", ["qdq", "qoperator", "integer"])
def test_encode_integer_is_predicted_byte_for_byte(form: str, kind: str, tmp_path: Path) -> None:
    """onnxruntime gives profile "ort"'s codes: every form and kind of layer, ties and rails among the inputs."""
    rng = np.random.default_rng([list(KINDS).index(kind), len(form)])
    differing, compared = 0, 0
    for _ in range(4):
        model = network(KINDS[kind], rng)
        found = differences(model, encode_integer(model, "none", form, "auto"), 1200, rng, tmp_path)
        differing, compared = differing + found[0], compared + found[1]
    assert compared >= 4800 and differing == 0, (differing, compared)


@pytest.mark.peer
@needs_onnxruntime
@pytest.mark.parametrize("weights", ["auto", "uint8"])
def test_encode_integer_is_exact_where_every_pair_of_products_would_saturate(weights: str, tmp_path: Path) -> None:
    """Extreme weights and inputs, whose pairs leave int16, are summed exactly on any processor."""
    p = QuantParams(0.5, -128, -128, 127)
    w_q = np.where(np.arange(64)[:, None] // 2 % 2 == np.arange(8) % 2, 127, -128).astype(np.int8)
    w, y = QuantParams(0.5, 0, -128, 127), QuantParams(900.0, 3, -128, 127)
    model = IntegerMLP((IntegerLayer(w_q, np.zeros(8, np.int32), p, w, y, "identity"),), p, None, get("ort"))
    x = np.random.default_rng(5).choice([0.0, 127.5], (500, 64)).astype(np.float32)
    path = tmp_path / "net.onnx"
    path.write_bytes(encode_integer(model, "none", "qdq", weights))
    assert np.array_equal(run_onnxruntime(path, x), model.logits(x))
    assert len(np.unique(model.run(model.encode(x)))) > 20


@pytest.mark.peer
@needs_onnxruntime
def test_encode_integer_in_four_bits_is_half_the_weights(tmp_path: Path) -> None:
    """INT4 halves the codes of weights that fit, keeps the others, and is run, in float32, to within a code."""
    rng = np.random.default_rng(9)
    model = network(Kind(sizes=(64, 100, 10), weight_bits=4), rng)
    packed, whole = (encode_integer(model, "none", "qdq", weights) for weights in ("int4", "auto"))
    assert abs(len(whole) - len(packed) - (64 * 100 + 100 * 10) // 2) < 16
    path = tmp_path / "net.onnx"
    path.write_bytes(packed)
    x = real_inputs(model, 500, rng)
    steps = (run_onnxruntime(path, x) - model.logits(x)) / model.layers[-1].output.scale
    # A float32 sum may fall to the other side of a tie, in either of two layers.
    assert np.abs(steps).max() <= 4


@pytest.mark.peer
@needs_onnxruntime
@pytest.mark.parametrize("kind", KINDS)
def test_encode_integer_leaves_no_layer_to_float_sums(kind: str, tmp_path: Path) -> None:
    """onnxruntime fuses every layer of the QDQ form into integers: what it runs has no product of floats."""
    onnx, onnxruntime = pytest.importorskip("onnx"), pytest.importorskip("onnxruntime")
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "run.onnx")
    options.log_severity_level = 3
    model = network(KINDS[kind], np.random.default_rng(4))
    onnxruntime.InferenceSession(encode_integer(model, "none", "qdq", "auto"), options)
    operators = [node.op_type for node in onnx.load(tmp_path / "run.onnx").graph.node]
    assert operators.count("QGemm") == len(model.layers)
    assert not {"Gemm", "FusedGemm", "MatMul", "MatMulNBits"} & set(operators)


@pytest.mark.parametrize("form", ["qdq", "qoperator", "integer"])
def test_encode_integer_refuses_wide_codes(form: str) -> None:
    """16-bit codes are refused by layer and name."""
    x = QuantParams(0.5, 0, -32768, 32767)
    p = QuantParams(0.5, 0, -128, 127)
    wide = IntegerLayer(np.array([[1]], np.int8), np.array([0], np.int64), x, p, x, "identity")
    with pytest.raises(ValueError, match="layer 0: x has int16 codes"):
        encode_integer(IntegerMLP((wide,), x), "none", form, "auto")


def test_encode_integer_refuses_a_qgemm_that_changes_types() -> None:
    """QGemm has one type of codes for inputs and outputs."""
    x, y = QuantParams(0.5, 0, 0, 255), QuantParams(0.5, 0, -128, 127)
    w = QuantParams(0.5, 0, -128, 127)
    made = IntegerLayer(np.array([[1]], np.int8), np.array([0], np.int32), x, w, y, "identity")
    with pytest.raises(ValueError, match="QGemm keeps uint8 codes; the outputs are int8"):
        encode_integer(IntegerMLP((made,), x, None, get("ort")), "none", "qoperator", "auto")


@pytest.mark.peer
def test_encode_integer_is_what_the_checker_accepts() -> None:
    """onnx.checker takes every form of every kind, shapes and types inferred."""
    onnx = pytest.importorskip("onnx")
    for kind in KINDS.values():
        model = network(kind, np.random.default_rng(3))
        for form in ("qdq", "integer", "qoperator"):
            data = encode_integer(model, "softmax", form, "auto")
            onnx.checker.check_model(data, full_check=True)
            assert data == encode_integer(model, "softmax", form, "auto")


@pytest.mark.peer
@pytest.mark.parametrize("kind", KINDS)
def test_encode_integer_of_form_integer_is_the_same_in_another_runtime(kind: str) -> None:
    """onnx.reference, which fuses nothing, gives the same bytes of form "integer"."""
    onnx, reference = pytest.importorskip("onnx"), pytest.importorskip("onnx.reference")
    rng = np.random.default_rng(12)
    model = network(KINDS[kind], rng)
    made = onnx.load_from_string(encode_integer(model, "none", "integer", "auto"))
    x = real_inputs(model, 500, rng)
    answered = reference.ReferenceEvaluator(made).run(None, {"x": x})[0]
    assert np.array_equal(answered, Imported(model, "none", (), "onnx").run(x))
