"""A verification counts what differs, decides once, and names whose arithmetic the answers are."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from npquant.files.format_error import FormatError
from npquant.integer.dynamic_layer import DynamicLayer
from npquant.integer.dynamic_mlp import DynamicMLP
from npquant.interop.consumers.onnxruntime import version_onnxruntime
from npquant.interop.imported import Imported
from npquant.interop.onnx_out.to_onnx import to_onnx
from npquant.kernels.qparams import QuantParams
from npquant.nn.model import DenseLayer, FloatMLP
from npquant.profiles import get
from npquant.workflow import verification
from npquant.workflow.verification import render_verification, verification_as_json, verify
from npquant.workflow.verification_answers import as_uint8
from tests.interop.onnx_out.networks import KINDS, network

NET = network(KINDS["per_channel"], np.random.default_rng(2))
needs_onnxruntime = pytest.mark.skipif(version_onnxruntime() is None, reason="onnxruntime is not installed")


def an_engine(answer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put `answer`, inputs to outputs, in the place of every engine."""
    monkeypatch.setattr(verification, "run_engine", lambda engine, path, x, profile: (answer(x), "0"))


def under(profile: str) -> Any:
    """Return the network's answers under a profile."""
    return Imported(dataclasses.replace(NET, profile=get(profile)), "none", (), "onnx").run


def test_verify_is_equal_where_every_answer_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing differs, nothing is explained."""
    to_onnx(NET, tmp_path / "net.onnx")
    an_engine(under("ort"), monkeypatch)
    found = verify(tmp_path / "net.onnx", model=NET, rows=50)
    assert found.equal and found.differing == 0 and found.first is None and not found.explained_by
    assert found.outputs == found.rows * 10 and found.rows > 50
    assert (found.format, found.engine, found.profile, found.bound) == ("onnx", "onnxruntime", "ort", "byte for byte")


def test_verify_names_the_profile_that_explains_every_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers of another profile are counted, and both are shown at the first accumulator where they part."""
    to_onnx(NET, tmp_path / "net.onnx")
    an_engine(under("litert_ref_2025"), monkeypatch)
    found = verify(tmp_path / "net.onnx", model=NET, rows=2000)
    assert not found.equal and 0 < found.differing < found.outputs // 4 and found.largest > 0
    assert "litert_ref_2025" in found.explained_by and "ort" not in found.explained_by
    assert found.divergence is not None and found.input_codes > 0
    assert (found.divergence.a, found.divergence.b) == ("ort", found.explained_by[0])
    text, said = render_verification(found), verification_as_json(found)
    assert f"{found.input_codes:,} real inputs become other codes" in text and f"{found.differing:,} differ" in text
    assert said["equal"] is False and json.loads(json.dumps(said))["explained_by"] == list(found.explained_by)


def test_verify_names_wrong_rules_where_no_profile_fits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Biases that the last layer drops are found by name."""
    last = NET.layers[-1]
    forgetful = dataclasses.replace(last, bias=np.zeros_like(last.bias))
    broken = Imported(dataclasses.replace(NET, layers=(*NET.layers[:-1], forgetful)), "none", (), "onnx")
    to_onnx(NET, tmp_path / "net.onnx")
    an_engine(broken.run, monkeypatch)
    found = verify(tmp_path / "net.onnx", model=NET, rows=200)
    assert not found.equal and not found.explained_by
    assert any("bias" in rule for rule in found.suspected)
    assert "every answer of the last layer" in render_verification(found)


def test_verify_counts_nan_as_different(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that is no number is never near enough, of a float network either."""
    floating = FloatMLP([DenseLayer(np.eye(2), np.zeros(2), "identity")])
    to_onnx(floating, tmp_path / "net.onnx")
    for answer, differing in ((lambda x: x, 0), (lambda x: x * np.float32(np.nan), None), (lambda x: x * 1.001, None)):
        an_engine(answer, monkeypatch)
        found = verify(tmp_path / "net.onnx", model=floating, rows=10)
        assert found.equal is (differing == 0) and found.profile == ""


def test_verify_refuses_answers_of_another_shape(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that are lost are an error, not a comparison of what is left."""
    to_onnx(NET, tmp_path / "net.onnx")
    an_engine(lambda x: under("ort")(x)[:-1], monkeypatch)
    with pytest.raises(ValueError, match="answers shape"):
        verify(tmp_path / "net.onnx", model=NET, rows=10)


@pytest.mark.peer
@needs_onnxruntime
def test_verify_of_an_export_in_onnxruntime(tmp_path: Path) -> None:
    """What to_onnx writes is read back and run: equal, of every form that is read."""
    for form in ("qdq", "qoperator", "integer"):
        to_onnx(NET, tmp_path / "net.onnx", form=form)
        found = verify(tmp_path / "net.onnx")
        assert found.equal and found.outputs >= 10_000 and found.profile == "ort"
    to_onnx(NET, tmp_path / "net.onnx", head="softmax")
    assert verify(tmp_path / "net.onnx").equal


@pytest.mark.peer
@needs_onnxruntime
def test_verify_explains_pairs_that_saturate(tmp_path: Path) -> None:
    """int8 weights, asked for, are right, or computed by pairs: then the explanation names the profile of pairs."""
    to_onnx(NET, tmp_path / "net.onnx", weights="int8")
    found = verify(tmp_path / "net.onnx")
    assert found.equal or found.explained_by == ("ort_pair16",)


@pytest.mark.peer
@needs_onnxruntime
def test_verify_takes_the_network_where_a_file_is_not_read_back(tmp_path: Path) -> None:
    """npquant's own dynamic arithmetic, spelled out, is held to the network; so is a file that is read."""
    rng = np.random.default_rng(6)
    w = QuantParams(rng.uniform(0.01, 0.1, 5), 0, -128, 127)
    dynamic = DynamicMLP(
        (DynamicLayer(rng.integers(-127, 128, (9, 5)).astype(np.int8), w, rng.normal(size=5), "relu"),)
    )
    to_onnx(dynamic, tmp_path / "net.onnx")
    with pytest.raises(FormatError):
        verify(tmp_path / "net.onnx")
    found = verify(tmp_path / "net.onnx", model=dynamic)
    assert found.equal and found.profile == "npquant" and found.bound == "byte for byte"
    to_onnx(NET, tmp_path / "net.onnx", head="softmax")
    found = verify(tmp_path / "net.onnx", model=dataclasses.replace(NET, profile=get("npquant")), profile="ort")
    assert found.equal and found.profile == "ort" and found.bound != "byte for byte"
    with pytest.raises(ValueError, match="litert runs tflite"):
        verify(tmp_path / "net.onnx", engine="litert")


def test_verify_takes_the_second_of_two_probabilities(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A classifier of two classes answers 1 - p beside p."""
    floating = FloatMLP([DenseLayer(np.ones((2, 1)), np.zeros(1), "identity")])
    to_onnx(floating, tmp_path / "net.onnx", head="logistic")
    p = Imported(floating, "logistic", (), "onnx").run
    an_engine(lambda x: np.hstack([1 - p(x), p(x)]), monkeypatch)
    assert verify(tmp_path / "net.onnx", rows=10).equal


def test_as_uint8_computes_the_same_network() -> None:
    """Codes 128 higher at every place, tables included."""
    for kind in ("per_channel", "tables", "real_outputs", "clamps"):
        net = network(KINDS[kind], np.random.default_rng(5))
        x_q = np.random.default_rng(6).integers(-128, 128, (200, net.n_inputs)).astype(np.int8)
        raised = as_uint8(net)
        y = raised.run((x_q.astype(np.int16) + 128).astype(np.uint8)).astype(np.int64)
        assert np.array_equal(y - (0 if net.output_params is None else 128), net.run(x_q)), kind
