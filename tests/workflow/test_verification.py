"""A verification counts what differs, decides once, and names whose arithmetic the answers are."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from npquant.interop.consumers.onnxruntime import version_onnxruntime
from npquant.interop.imported import Imported
from npquant.interop.onnx_out.to_onnx import to_onnx
from npquant.nn.model import DenseLayer, FloatMLP
from npquant.profiles import get
from npquant.workflow import verification
from npquant.workflow.verification import render_verification, verification_as_json, verify
from tests.interop.onnx_out.networks import KINDS, network

NET = network(KINDS["per_channel"], np.random.default_rng(2))
needs_onnxruntime = pytest.mark.skipif(version_onnxruntime() is None, reason="onnxruntime is not installed")


def an_engine(answer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put `answer`, inputs to outputs, in the place of every engine."""
    monkeypatch.setattr(verification, "run_engine", lambda engine, path, x, profile: (answer(x), "0"))


def under(profile: str):
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
    for form in ("qdq", "qoperator"):
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
@pytest.mark.parametrize("form", ["integer", "qdq"])
def test_verify_of_what_cannot_be_read_back_takes_the_network(form: str, tmp_path: Path) -> None:
    """A form that npquant does not read is held to the network that it was written from; so is one that it reads."""
    to_onnx(NET, tmp_path / "net.onnx", form=form)
    found = verify(tmp_path / "net.onnx", model=dataclasses.replace(NET, profile=get("npquant")), profile="ort")
    assert found.equal and found.profile == "ort"
    with pytest.raises(ValueError, match="litert runs tflite"):
        verify(tmp_path / "net.onnx", engine="litert")
