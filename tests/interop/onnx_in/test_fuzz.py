"""Files that lie: every damaged model loads, or raises the one error that names its file, within bounds of memory."""

import tracemalloc
from typing import Any

import numpy as np
import pytest

from npquant.files.format_error import FormatError
from npquant.interop.onnx_in import decode_onnx
from npquant.interop.onnx_in.wire import Reader
from tests.interop.mutations import judge, mutated
from tests.interop.onnx_in.float_cases import CASES
from tests.interop.onnx_in.integer_cases import DYNAMIC, QDQ, QOPERATOR, built
from tests.interop.onnx_in.models import field, model, node, tensor, varint

MODELS = [
    *(case.data for case in CASES.values()),
    *(built(nodes, "uint8") for nodes in (QDQ | QOPERATOR | DYNAMIC).values()),
]


def _judged(count: int, seed: int) -> Any:
    """How many of `count` mutants of every model load."""
    rng = np.random.default_rng(seed)
    return sum(
        judge(lambda data: decode_onnx(data, "net.onnx", folder=None), mutant, "net.onnx")
        for data in MODELS
        for mutant in mutated(data, rng, count)
    )


def test_a_few_thousand_mutants_load_or_are_refused() -> None:
    """30 mutants of each of the models, float, quantized and dynamic; some load, most do not."""
    assert 0 < _judged(30, 1) < 30 * len(MODELS)


@pytest.mark.slow
def test_a_hundred_thousand_mutants_load_or_are_refused() -> None:
    """1,700 mutants of each of the models, more than 10^5."""
    assert 1700 * len(MODELS) >= 10**5
    _judged(1700, 2)


def _structured(rng: np.random.Generator) -> Any:
    """A graph of random nodes over random names: well-formed bytes, arbitrary sense."""
    operators = (
        "Gemm MatMul Add Sub Mul Div Relu Clip Softmax Reshape Flatten Transpose Squeeze Unsqueeze Concat Gather Slice "
        "Shape Cast Identity Dropout QuantizeLinear DequantizeLinear QLinearMatMul MatMulInteger DynamicQuantizeLinear "
        "BatchNormalization Constant ConstantOfShape Tile Expand ReduceProd Where Equal Max Min Neg Sqrt Reciprocal "
        "QGemm FusedGemm ZipMap Scaler HardSigmoid Sum"
    ).split()
    arrays = [
        np.ones((4, 3), np.float32), np.ones(3, np.float32), np.float32(0.5), np.array([0, -1]), np.array([2**40, 7]),
        np.ones((4, 3), np.int8), np.int8(3), np.array(-1), np.float32(np.nan), np.zeros((0, 3), np.float32),
        np.array([1, 0]), np.float64(1), np.ones((2, 2, 2), np.float32), np.ones(4, np.int32), np.array([True]),
    ]  # fmt: skip
    names = ["x", "-", *(f"c{i}" for i in range(len(arrays)))]
    nodes = []
    for i in range(int(rng.integers(1, 8))):
        read = [names[k] for k in rng.integers(0, len(names), int(rng.integers(1, 6)))]
        if rng.random() < 0.7:
            read[0] = names[-1] if i else "x"
        attributes = {
            key: value
            for key, value in (
                ("axis", int(rng.integers(-3, 4))), ("to", int(rng.integers(0, 30))), ("transB", 1),
                ("perm", [int(v) for v in rng.permutation(int(rng.integers(1, 4)))]), ("alpha", 0.5),
                ("value", arrays[int(rng.integers(0, len(arrays)))]), ("axes", [int(rng.integers(-3, 4))]),
            )
            if rng.random() < 0.3
        }  # fmt: skip
        domain = ["", "", "", "com.microsoft", "ai.onnx.ml"][int(rng.integers(0, 5))]
        name = "y" if rng.random() < 0.2 and "y" not in names else f"n{i}"
        nodes.append(
            node(operators[int(rng.integers(0, len(operators)))], " ".join(read), name, domain=domain, **attributes)
        )
        names.append(name)
    nodes.append(node("MatMul", f"{names[-1]} c0", "y"))
    opset = int(rng.choice([1, 7, 9, 11, 13, 18, 21]))
    return model(nodes, [tensor(f"c{i}", a) for i, a in enumerate(arrays)], opset=opset)


def test_graphs_of_random_nodes_load_or_are_refused() -> None:
    """800 well-formed graphs without sense."""
    rng = np.random.default_rng(3)
    for _ in range(800):
        judge(lambda data: decode_onnx(data, "net.onnx", folder=None), _structured(rng), "net.onnx")


def _rewired(nodes: Any, rng: np.random.Generator) -> Any:
    """A good graph's nodes, with some left out, doubled, moved, or reading another name."""
    names = [bytes(v) for n in nodes for number, _, v in Reader("net").read(memoryview(n), "") if number in (1, 2)]
    nodes = list(nodes)
    for _ in range(int(rng.integers(1, 3))):
        at, to = (int(i) for i in rng.integers(0, len(nodes), 2))
        match rng.integers(0, 6):
            case 0 if len(nodes) > 1:
                del nodes[at]
            case 1:
                nodes.insert(to, nodes[at])
            case 2:
                nodes.insert(to, nodes.pop(at))
            case _:
                parts = [(n, v) for n, _, v in Reader("net").read(memoryview(nodes[at]), "")]
                reads = [i for i, (number, _) in enumerate(parts) if number == 1]
                if reads:
                    parts[reads[int(rng.integers(0, len(reads)))]] = (1, names[int(rng.integers(0, len(names)))])  # type: ignore[assignment]
                nodes[at] = b"".join(field(number, v) for number, v in parts)
    return nodes


def test_rewired_graphs_load_or_are_refused() -> None:
    """800 quantized and dynamic graphs whose nodes read what they should not."""
    rng = np.random.default_rng(4)
    graphs = list((QDQ | QOPERATOR | DYNAMIC).values())
    loaded = sum(
        judge(
            lambda data: decode_onnx(data, "net.onnx", folder=None),
            built(_rewired(graphs[i % len(graphs)], rng), "uint8"),
            "net.onnx",
        )
        for i in range(800)
    )
    assert 40 < loaded < 760


def test_many_small_messages_cost_no_more_than_their_bound() -> None:
    """Sixty thousand nodes of two bytes, dims of a byte each, or packed integers do not fill the memory."""
    for graph in (
        field(1, b"") * 60_000,
        field(5, field(1, 1) * 60_000),
        field(5, field(1, varint(1) * 60_000)),
        field(1, field(1, "ab") * 60_000),
        field(1, field(5, field(7, b"\0" * 4_000_000))),
        field(11, field(2, field(1, field(2, field(1, b"") * 60_000)))),
    ):
        data = field(1, 8) + field(7, graph) + field(8, field(2, 13))
        assert not judge(lambda read: decode_onnx(read, "net.onnx", folder=None), data, "net.onnx")


def test_a_constant_that_grows_is_refused() -> None:
    """A sum of a column and a row of 3,000 would be nine million numbers from six thousand."""
    column, row = np.ones((3000, 1), np.float32), np.ones((1, 3000), np.float32)
    data = model([node("Add", "c r", "W"), node("MatMul", "x W", "y")], [tensor("c", column), tensor("r", row)])
    tracemalloc.start()
    with pytest.raises(FormatError, match="9000000 numbers"):
        decode_onnx(data, "net.onnx", folder=None)
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()
