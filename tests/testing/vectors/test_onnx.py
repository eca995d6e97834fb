"""The ONNX form, run by its consumers: onnxruntime and the reference evaluator, each right under its own profile."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from npquant.testing import verify
from npquant.testing.vectors import collect, write
from tests.peers import machine

pytestmark = pytest.mark.peer


def onnxruntime_runs(model: Any, x: Any) -> Any:
    """Run a model in onnxruntime, on one thread."""
    engine = pytest.importorskip("onnxruntime")
    options = engine.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = engine.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: x})[0]


def reference_runs(model: Any, x: Any) -> Any:
    """Run a model in ONNX's reference evaluator, whose casts warn where they leave a type."""
    onnx = pytest.importorskip("onnx")
    from onnx.reference import ReferenceEvaluator

    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ReferenceEvaluator(onnx.load_from_string(model)).run(None, {"x": x})[0]


def outputs_of(folder: Any, manifest: Any, engine: Any) -> Any:
    """Run every model of a folder as ONNX's node tests do; type and shape must be those of output_0.pb."""
    onnx = pytest.importorskip("onnx")
    from onnx import numpy_helper

    found = {}
    for entry in manifest["vectors"]:
        place = folder / entry["id"]
        x, y = (
            numpy_helper.to_array(onnx.load_tensor(str(place / "test_data_set_0" / f"{end}_0.pb")))
            for end in ("input", "output")
        )
        onnx.checker.check_model(onnx.load(str(place / "model.onnx")), full_check=True)
        answer = engine((place / "model.onnx").read_bytes(), x)
        assert (answer.dtype, answer.shape) == (y.dtype, y.shape)
        assert y.ravel().tolist() == entry["answer"]
        found[entry["id"]] = answer
    return found


@pytest.fixture(scope="module")
def folder(ort: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The models of ONNX Runtime's arithmetic, and their manifest."""
    pytest.importorskip("onnx")
    place = tmp_path_factory.mktemp("vectors") / "set"
    return place, write(place, "onnx", ort)


def test_onnxruntime_passes_its_profile_bit_for_bit(folder: Any, tmp_path: Path) -> None:
    """Every code of QLinearMatMul and QuantizeLinear, every accumulator of MatMulInteger; pairs as they sum here."""
    place, manifest = folder
    if not machine.sums_pairs_exactly():
        place = tmp_path / "set"
        manifest = write(place, "onnx", collect("ort_pair16"))
    verdict = verify(place, outputs_of(place, manifest, onnxruntime_runs))
    assert verdict.passed, verdict.text()
    operators = {entry["id"].partition("_")[0] for entry in manifest["vectors"]}
    assert operators == {"qlinearmatmul", "matmulinteger", "quantizelinear"}
    assert manifest["kills"] >= 150 and verdict.cases >= 30


def test_reference_evaluator_departs_where_its_profile_says(folder: Any) -> None:
    """ONNX's reference adds the zero point before it rounds, and wraps huge values: ties and QUANTIZE alone differ."""
    place, manifest = folder
    verdict = verify(place, outputs_of(place, manifest, reference_runs))
    assert [failure.group for failure in verdict.failures] == ["tie", "float_edge"]


def test_reference_evaluator_passes_its_own_profile(few_bugs: Any, tmp_path: Path) -> None:
    """Under onnx_ref the reference passes bit for bit, and onnxruntime does not."""
    pytest.importorskip("onnx")
    manifest = write(tmp_path / "set", "onnx", collect("onnx_ref"))
    assert verify(tmp_path / "set", outputs_of(tmp_path / "set", manifest, reference_runs)).passed
    assert not verify(tmp_path / "set", outputs_of(tmp_path / "set", manifest, onnxruntime_runs)).passed


def test_bias_as_products_is_written_only_with_the_same_answer(folder: Any) -> None:
    """Wide biases and refusals are counted as left out; a clamp stands behind the layer as a Clip."""
    onnx = pytest.importorskip("onnx")
    place, manifest = folder
    assert manifest["left_out"]["a refusal: the format states one shape"] == 2
    assert manifest["left_out"]["QLinearMatMul has no bias, and none can be made"] >= 1
    nodes = [[node.op_type for node in onnx.load(str(path)).graph.node] for path in sorted(place.glob("*/model.onnx"))]
    assert ["QLinearMatMul", "Clip"] in nodes and ["MatMulInteger", "Add"] in nodes
