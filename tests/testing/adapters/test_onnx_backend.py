"""What runs ONNX models: ONNX Runtime and the reference evaluator pass under their profiles, and fail under others."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npquant.kernels.qparams import QuantParams
from npquant.profiles import get
from npquant.testing import backend as kinds
from npquant.testing import from_onnx_backend, run
from npquant.testing.adapters.onnx_backend import bias_as_products
from npquant.testing.ask import ask
from npquant.testing.case import one_layer
from tests.peers import machine

# uint8 x int8 saturates pairs of products on an x86 without VNNI.
ORT = "ort" if machine.sums_pairs_exactly() else "ort_pair16"
CLASSES = ["plain", "tie", "zero_point", "channel", "degenerate", "sequence", "network", "tail"]


def ort_session(model: Any) -> Any:
    """Make an ONNX Runtime session of a model."""
    runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    session = runtime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return lambda feeds: session.run(None, feeds)


class ReferenceBackend:
    """onnx.reference behind ONNX's backend API."""

    @classmethod
    def prepare(cls, model: Any, device: str = "CPU") -> Any:
        """Load a ModelProto."""
        reference = pytest.importorskip("onnx.reference", reason="onnx is not installed")
        return ReferenceRep(reference.ReferenceEvaluator(model))


class ReferenceRep:
    """A loaded model."""

    def __init__(self, evaluator: Any) -> None:
        self.evaluator = evaluator

    def run(self, inputs: Any) -> Any:
        """Run on a list of inputs."""
        return self.evaluator.run(None, dict(zip(self.evaluator.input_names, inputs, strict=True)))


@pytest.mark.peer
@pytest.mark.parametrize("operator", ["QLinearMatMul", "QGemm"])
def test_onnxruntime_passes_under_its_profile(operator: Any) -> None:
    """ONNX Runtime is conformant under its profile by either operator, and not under `tflite_ref`."""
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    backend = from_onnx_backend(ort_session, profile=ORT, operator=operator)
    assert run(backend, classes=CLASSES, tier="smoke").passed
    declared = from_onnx_backend(ort_session, operator=operator)
    verdict = run(declared, profile="tflite_ref", classes=CLASSES, tier="smoke")
    assert {failure.kind for failure in verdict.failures} == {kinds.WRONG_VALUE}


@pytest.mark.peer
def test_reference_evaluator_passes_under_its_profile() -> None:
    """onnx.reference, behind ONNX's own API, is conformant under `onnx_ref`; `ort` adds the zero point elsewhere."""
    pytest.importorskip("onnx", reason="onnx is not installed")
    backend = from_onnx_backend(ReferenceBackend, profile="onnx_ref")
    assert backend.name == "ReferenceBackend"
    assert run(backend, classes=CLASSES, tier="smoke").passed
    assert not run(backend, profile="ort", classes=["tie", "zero_point"]).passed


@given(
    bias=st.lists(st.integers(-(2**24), 2**24), min_size=1, max_size=5),
    zx=st.integers(-128, 127),
    zw=st.integers(-128, 127),
)
def test_bias_as_products_sums_to_the_bias(bias: Any, zx: Any, zw: Any) -> None:
    """The products sum to the bias exactly, or the question is declined; with plain zero points it never is."""
    x, w = QuantParams(0.5, zx, -128, 127), QuantParams(0.5, zw, -128, 127)
    try:
        inputs, weights = bias_as_products(np.array(bias), x, w)
    except NotImplementedError:
        assert abs(zx) > 100 or abs(zw) > 100 or max(map(abs, bias)) > 2**20
        return
    assert inputs.dtype == weights.dtype == np.int8
    assert ((inputs.astype(np.int64) - zx) @ (weights.astype(np.int64) - zw)).tolist() == bias


def test_bias_is_declined_where_pairs_saturate() -> None:
    """Further products would change a sum of saturating pairs, so no bias is put to such an engine."""
    p = QuantParams(0.5, 0, 0, 255)
    w = QuantParams(0.5, 0, -128, 127)
    case = one_layer(
        np.array([[1]], np.uint8), np.array([[2]], np.int8), np.array([5], np.int32), p, w, p, "ort_pair16"
    )
    backend = from_onnx_backend(lambda model: lambda feeds: [], profile="ort_pair16")
    outcome = ask(backend, case)
    assert outcome.kind == kinds.DECLINED and "saturate" in outcome.detail


def test_wrong_sessions_are_named() -> None:
    """A session that answers nothing, the wrong dtype or raises is a finding; one without the kernel declines."""
    pytest.importorskip("onnx", reason="onnx is not installed")
    p = QuantParams(0.5, 0, -128, 127)
    case = one_layer(np.array([[1]], np.int8), np.array([[2]], np.int8), None, p, p, p, "ort")

    class NotImplemented(Exception):
        """As onnxruntime's."""

    def raises(error: Any) -> Any:
        def session(model: Any) -> None:
            raise error

        return session

    for session, kind in (
        (lambda model: lambda feeds: [None], kinds.NOT_AN_ARRAY),
        (lambda model: lambda feeds: [np.zeros((1, 1), np.int32)], kinds.WRONG_TYPE),
        (lambda model: lambda feeds: [np.zeros((1, 2), np.int8)], kinds.WRONG_SHAPE),
        (raises(RuntimeError("no")), kinds.RAISED),
        (raises(NotImplemented("no kernel")), kinds.DECLINED),
    ):
        assert ask(from_onnx_backend(session), case).kind == kind


def test_capabilities_are_what_the_operator_can_say() -> None:
    """No fused activation, no empty batch, no layout but C order; an unknown operator is refused."""
    can = from_onnx_backend(ort_session).capabilities()
    assert can.activations == ("none",) and can.min_batch == can.min_depth == 1 and can.layouts == ("c",)
    stated = replace(can, max_depth=7)
    assert from_onnx_backend(ort_session, capabilities=stated).capabilities() is stated
    assert get(from_onnx_backend(ort_session).profile).name == "ort"
    with pytest.raises(ValueError, match="no operator"):
        from_onnx_backend(ort_session, operator="Gemm")
