"""Float models are what the definitions of their operators make of them."""

from typing import Any

import numpy as np
import pytest

from npquant.files.format_error import FormatError
from npquant.interop.onnx_in import decode_onnx
from tests.interop.onnx_in.float_cases import CASES, GEMM, TAIL, TENSORS
from tests.interop.onnx_in.models import model, node, run, tensor, value


def rows(case: Any) -> Any:
    """Two rows, for files that bake their batch in."""
    return np.random.default_rng(3).uniform(-1, 1, (2, *case.shape)).astype(np.float32)


@pytest.mark.parametrize("name", CASES)
def test_run_is_the_definition(name: Any) -> None:
    """Each model answers as ONNX defines its operators, inference in every opset, within the bound of its sums."""
    case = CASES[name]
    x = rows(case)
    got = decode_onnx(case.data, name, folder=None).run(x.reshape(2, -1))
    want = case.want(x.astype(float))
    assert got.shape == want.shape
    assert np.abs(got - want).max() <= case.bound


@pytest.mark.parametrize("name", CASES)
@pytest.mark.peer
def test_run_is_onnxruntimes(name: Any) -> None:
    """Each model answers as onnxruntime does, within the bound of the sums of both."""
    pytest.importorskip("onnxruntime", reason="onnxruntime is in the extra 'peers'")
    case = CASES[name]
    x = rows(case)
    got = decode_onnx(case.data, name, folder=None).run(x.reshape(2, -1))
    want = run(case.data, x)[0]
    assert got.shape == want.shape
    assert np.abs(got - want.astype(float)).max() <= 2 * case.bound


def test_the_bound_is_not_vacuous() -> None:
    """Leaving out alpha, or the transpose of square weights, moves an output by more than the bound allows."""
    assert max(case.bound for case in CASES.values() if case.shape == (4,)) < 1e-4
    assert max(case.bound for case in CASES.values()) < 2e-3


REFUSED = {
    "an elu": ([GEMM, node("Elu", "g", "h"), *TAIL], "Elu.*has no twin"),
    "a leaky relu": ([GEMM, node("LeakyRelu", "g", "h"), *TAIL], "LeakyRelu"),
    "a softplus between layers": ([GEMM, node("Softplus", "g", "h"), *TAIL], "Softplus"),
    "a normalizer": ([node("Normalizer", "x", "h", domain="ai.onnx.ml"), *TAIL], "ai.onnx.ml::Normalizer"),
    "a clip before the first layer": ([node("Clip", "x zero six", "h"), *TAIL], "Clip"),
    "a softmax of axis 0": ([GEMM, node("Softmax", "g", "y", axis=0)], "axis 0"),
    "training": ([GEMM, node("BatchNormalization", "g S B B VAR", "y", training_mode=1)], "training_mode"),
    "division of a constant": ([GEMM, node("Div", "one g", "y")], "Div"),
    "a cast to integers": ([GEMM, node("Cast", "g", "y", to=7)], "INT64"),
    "another number a row": ([node("Add", "x W", "h"), *TAIL], "Add"),
    "an activation twice": ([GEMM, node("Tanh", "g", "t"), node("Tanh", "t", "h"), *TAIL], "Tanh"),
    "a fused elu": ([node("FusedGemm", "x W B", "y", domain="com.microsoft", activation="Elu")], "Elu"),
    "a gather": ([node("Gather", "x i64", "h"), *TAIL], "Gather"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_decode_onnx_refuses_by_name(name: Any) -> None:
    """What no FloatMLP computes is refused, and the message names the node."""
    nodes, problem = REFUSED[name]
    with pytest.raises(FormatError, match=rf"net\.onnx: node .*{problem}"):
        decode_onnx(model(nodes, TENSORS), "net.onnx", folder=None)


MOVED = {
    "a transpose of planes": [node("Transpose", "x", "t", perm=[0, 2, 3, 1]), node("Flatten", "t", "f")],
    "rows split": [node("Flatten", "x", "t"), node("Reshape", "t to16", "f")],
    "tiles": [node("Flatten", "x", "t"), node("Tile", "t twos", "f")],
}


@pytest.mark.parametrize("name", MOVED)
def test_decode_onnx_refuses_what_moves_numbers(name: Any) -> None:
    """A reshape that mixes rows, a transpose of several planes, a repetition: no flatten."""
    more = [tensor("to16", np.array([-1, 16])), tensor("twos", np.array([1, 2]))]
    nodes = [*MOVED[name], node("Gemm", "f V64", "y")]
    data = model(nodes, [*TENSORS, *more], inputs=[value("x", 1, ("n", 4, 4, 4))])
    with pytest.raises(FormatError, match=r"net\.onnx: node"):
        decode_onnx(data, "net.onnx", folder=None)


def test_a_flatten_for_one_row_alone_is_noted() -> None:
    """Flatten of axis 0 makes one row of all: right for a batch of one, which is all that the file can run."""
    data = model([node("Flatten", "x", "f", axis=0), node("Gemm", "f W B", "y")], TENSORS)
    found = decode_onnx(data, "net.onnx", folder=None)
    assert any("1 row(s) a run" in note for note in found.notes)
