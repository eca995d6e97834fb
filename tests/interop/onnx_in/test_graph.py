"""The graph as a whole: one way from one input to one output, in whatever order the file lists it."""

import itertools
from typing import Any

import numpy as np
import pytest

from npquant.files.format_error import FormatError
from npquant.interop.onnx_in import decode_onnx
from tests.interop.onnx_in.models import attribute, field, model, node, tensor, value

W = np.arange(12, dtype=np.float32).reshape(4, 3)
WEIGHTS = [tensor("W", W), tensor("B", np.ones(3, np.float32))]
PRODUCT = node("Gemm", "x W B", "g", name="first")


def read(data: Any) -> Any:
    """Read a model that has no files beside it."""
    return decode_onnx(data, "net.onnx", folder=None)


def test_decode_onnx_takes_nodes_in_any_order() -> None:
    """Nodes listed backwards, a constant behind its user, nodes nobody needs: the same network."""
    nodes = [
        node("Gemm", "h V -", "y"),
        node("Elu", "g", "unused"),
        node("Relu", "g", "h"),
        PRODUCT,
        node("Constant", "", "V", value=np.eye(3, dtype=np.float32)),
    ]
    net = read(model(nodes, WEIGHTS)).model
    assert net.activation_names == ("relu", "identity")
    np.testing.assert_array_equal(net.layers[0].w, W)


def test_decode_onnx_takes_initializers_that_are_inputs_too() -> None:
    """IR 3 lists every initializer among the graph's inputs."""
    found = read(model([node("Gemm", "x W B", "y")], WEIGHTS, inputs=[value("W"), value("x"), value("B")], ir=3))
    np.testing.assert_array_equal(found.model.layers[0].w, W)


HOSTILE = {
    "a cycle": (model([node("Add", "x y", "z"), node("Relu", "z", "y")]), "cycle"),
    "itself": (model([node("Add", "x y", "y")]), "cycle"),
    "nothing writes": (model([node("MatMul", "x Q", "y")]), "'Q', which nothing in the file writes"),
    "no such output": (model([PRODUCT], WEIGHTS), "'y', which nothing"),
    "written twice": (model([node("Relu", "x", "y"), node("Tanh", "x", "y")]), "'y', which the file has already"),
    "writes the input": (model([node("Relu", "y", "x"), node("Tanh", "x", "y")]), "'x', which the file has already"),
    "twice": (model([node("MatMul", "x W", "y")], [*WEIGHTS, WEIGHTS[0]]), "initializer 'W': stands in the file twice"),
    "two inputs": (model([node("MatMul", "x z", "y")], inputs=[value("x"), value("z")]), "has 2 inputs"),
    "one name": (model([node("Relu", "x", "y")], inputs=[value("x"), value("x")]), "two inputs of one name"),
    "two outputs": (
        model([PRODUCT, node("Relu", "g", "y")], WEIGHTS, outputs=[value("y"), value("g")]),
        "has 2 outputs",
    ),
    "no outputs": (model([PRODUCT], WEIGHTS, outputs=[]), "has 0 outputs"),
    "a branch": (model([PRODUCT, node("Sigmoid", "g", "s"), node("Mul", "g s", "y")], WEIGHTS), "Mul.*branches"),
    "a foreign domain": (model([node("Quant", "x", "y", domain="qonnx.custom_op.general")]), "Quant.*qonnx"),
    "a graph in a node": (model([node("If", "x", "y")]), "If.*graph of its own"),
    "a graph attribute": (model([node("Relu", "x", "y") + field(5, field(1, "body") + field(6, b""))]), "of its own"),
    "functions": (model([node("Relu", "x", "y")]) + field(25, b""), "1 functions"),
    "a reference": (model([node("Softmax", "x", "y") + field(5, field(1, "axis") + field(21, "a"))]), "functions are"),
    "an attribute twice": (model([node("Relu", "x", "y") + field(5, attribute("a", 1)) * 2]), "'a' twice"),
    "opset 99": (model([node("Relu", "x", "y")], opset=99), "opset 99"),
    "opset -1": (model([node("Relu", "x", "y")], opset=-1), "opset -1"),
    "two graphs": (model([PRODUCT], WEIGHTS) * 2, "two graphs"),
    "no graph": (field(1, 8), "no graph"),
    "constant": (model([node("Identity", "W", "y")], WEIGHTS), "is not computed from the input"),
    "a mask": (model([node("Dropout", "x", "d m"), node("Relu", "m", "y")]), "'m': is an output that npquant does not"),
    "statistics": (model([node("TopK", "x W", "v i"), node("Relu", "v", "y")], WEIGHTS), "TopK"),
    "no layer": (model([node("Relu", "x", "y")]), "stands before the first"),
    "nothing at all": (model([node("Identity", "x", "y")]), "no fully-connected layer"),
    "a text input": (model([node("Relu", "x", "y")], inputs=[value("x", 8)]), "input 'x': is type 8"),
    "rank 0": (model([node("Relu", "x", "y")], inputs=[value("x", 1, ())]), "rank 0"),
    "rank 20": (model([node("Relu", "x", "y")], inputs=[value("x", 1, (1,) * 20)]), "rank 20"),
    "huge": (model([node("Relu", "x", "y")], inputs=[value("x", 1, (1, 2**60))]), "has the shape"),
    "doubles": (model([node("MatMul", "x D", "y")], [tensor("D", W.astype(float))]), "DOUBLE and its input FLOAT"),
    "left": (model([node("MatMul", "W x", "y")], WEIGHTS), "constant on the left"),
    "a vector": (model([node("MatMul", "x B", "y")], WEIGHTS), r"shape \(3,\)"),
    "rank 3": (model([node("MatMul", "x W", "y")], WEIGHTS, inputs=[value("x", 1, (2, 3, 4))]), "input of rank 3"),
    "not finite": (model([node("MatMul", "x W", "y")], [tensor("W", W * np.float32(np.nan))]), "MatMul"),
    "other inputs": (model([PRODUCT, node("MatMul", "g W", "y")], WEIGHTS), "takes 4 inputs"),
    "a bias too long": (model([node("Gemm", "x W W", "y")], WEIGHTS), "its bias has shape"),
    "transA": (model([node("Gemm", "x W B", "y", transA=1)], WEIGHTS), "transA"),
    "behind a head": (model([PRODUCT, node("Softmax", "g", "s"), node("Relu", "s", "y")], WEIGHTS), "behind the soft"),
    "division by zero": (model([PRODUCT, node("Div", "g Z", "y")], [*WEIGHTS, tensor("Z", np.float32(0))]), "Div"),
    "sparse": (model([node("Relu", "x", "y")], more=field(15, b"")), "1 sparse initializers"),
}  # fmt: skip


@pytest.mark.parametrize("case", HOSTILE)
def test_decode_onnx_refuses_by_name(case: Any) -> None:
    """What is no straight way from one input to one output is refused, and the message names file and place."""
    data, problem = HOSTILE[case]
    with pytest.raises(FormatError, match=rf"net\.onnx: .*{problem}"):
        read(data)


def test_decode_onnx_follows_a_long_chain_without_recursion() -> None:
    """5,000 nodes in a row are walked, not recursed into."""
    names = ["x", *(f"n{i}" for i in range(5000)), "y"]
    nodes = [node("Identity", a, b) for a, b in itertools.pairwise(names)]
    nodes[-1] = node("MatMul", "n4999 W", "y")
    assert read(model(nodes, WEIGHTS)).model.neurons == (3,)


def test_long_names_are_shortened_in_messages() -> None:
    """A name of 500 characters does not hide what is wrong with it."""
    data = model([node("Elu", "x", "y", name="n" * 500)])
    with pytest.raises(FormatError) as error:
        read(data)
    assert len(str(error.value)) < 400 and "nnn...nnn" in str(error.value)


def test_labels_beside_the_probabilities_are_left_out() -> None:
    """Label outputs of a classifier are no second network; a note says which were left."""
    nodes = [
        PRODUCT,
        node("Softmax", "g", "p"),
        node("ArgMax", "p", "index"),
        node("Cast", "index", "label", to=7),
        node("ZipMap", "p", "y", domain="ai.onnx.ml", classlabels_int64s=[0, 1, 2]),
    ]
    outputs = [value("label", 7, None), field(1, "y") + field(2, field(4, b""))]
    found = read(model(nodes, WEIGHTS, outputs=outputs))
    assert found.head == "softmax" and any("'label'" in note for note in found.notes)


def test_a_pair_of_probabilities_is_one_logistic_unit() -> None:
    """[1 - p, p] is p's logit with the head logistic, and `run` gives both columns."""
    nodes = [
        node("MatMul", "x V", "g"),
        node("Sigmoid", "g", "p"),
        node("Sub", "one p", "q"),
        node("Concat", "q p", "y", axis=1),
    ]
    found = read(model(nodes, [tensor("V", W[:, :1]), tensor("one", np.float32([1]))]))
    y = found.run([[0, 0, 0, 0], [1, 0, 0, 0]])
    assert (found.head, found.pair, found.model.neurons, y.shape) == ("logistic", True, (1,), (2, 2))
    np.testing.assert_allclose(y.sum(axis=1), 1, rtol=1e-6)
