"""A graph's bytes are those that onnx's own library makes of the same model."""

import numpy as np
import pytest

from npquant.interop.onnx_out.graph import CONTRIB, TYPES, Graph, encode_model, pack_int4


def test_pack_int4_is_undone_by_the_definition() -> None:
    """Every odd and even length: the low half first, sign-extended."""
    for size in range(9):
        codes = np.random.default_rng(size).integers(-8, 8, size).astype(np.int8)
        data = np.frombuffer(pack_int4(codes), np.uint8)
        halves = np.stack([data & 15, data >> 4], axis=1).ravel()[:size].astype(np.int8)
        assert np.array_equal(np.where(halves > 7, halves - 16, halves), codes)


@pytest.mark.peer
def test_types_are_numbered_as_onnx_numbers_them() -> None:
    """TensorProto.DataType."""
    onnx = pytest.importorskip("onnx")
    for name, number in TYPES.items():
        assert getattr(onnx.TensorProto, {"float32": "FLOAT", "float64": "DOUBLE"}.get(name, name.upper())) == number


@pytest.mark.peer
def test_encode_model_is_read_by_onnx_as_it_was_meant() -> None:
    """Nodes, initializers, attributes, open batch, domains and metadata."""
    onnx = pytest.importorskip("onnx")
    graph = Graph()
    w = graph.constant("w", np.arange(6, dtype=np.float32).reshape(2, 3))
    codes = graph.constant("c", np.array([[-8, 7, 3]], np.int8), "int4")
    y = graph.node("MatMul", ("x", w), "y")
    graph.node("Act", (y,), "z", {"alpha": 0.5, "axis": -1}, CONTRIB, ("more",))
    made = onnx.load_from_string(encode_model(graph, ("x", "float32", 2), ("z", "float32", 3), {"key": "value"}))
    assert onnx.numpy_helper.to_array(made.graph.initializer[0]).tolist() == [[0, 1, 2], [3, 4, 5]]
    assert onnx.numpy_helper.to_array(made.graph.initializer[1]).astype(int).tolist() == [[-8, 7, 3]] and codes == "c"
    assert [n.op_type for n in made.graph.node] == ["MatMul", "Act"]
    assert list(made.graph.node[1].output) == ["z", "more"]
    assert {a.name: onnx.helper.get_attribute_value(a) for a in made.graph.node[1].attribute} == {
        "alpha": 0.5,
        "axis": -1,
    }
    assert {o.domain: o.version for o in made.opset_import} == {"": 19, CONTRIB: 1}
    assert made.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"
    assert made.graph.output[0].type.tensor_type.shape.dim[1].dim_value == 3
    assert {p.key for p in made.metadata_props} == {"npquant.numerics", "key"}
