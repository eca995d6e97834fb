"""ONNX's own node tests for QLinearMatMul and QuantizeLinear: which rules they can separate."""

import importlib
from typing import Any

import numpy as np
import pytest

from npquant import QuantParams
from npquant.testing.coverage import RULES, QuantizeRecord, coverage_of
from npquant.testing.who.records import make_record

pytestmark = pytest.mark.peer


def exported(module: Any, owner: Any) -> Any:
    """The (inputs, outputs, attributes) of the node tests that a class of the onnx package exports."""
    home = importlib.import_module(f"onnx.backend.test.case.node.{module}")
    found = []

    def keep(node: Any, inputs: Any, outputs: Any, name: Any, **kwargs: Any) -> None:
        attributes = {attribute.name for attribute in node.attribute}
        found.append((name, [np.asarray(v) for v in inputs], [np.asarray(v) for v in outputs], attributes))

    kept, home.expect = home.expect, keep  # type: ignore[attr-defined]
    try:
        for name, function in vars(getattr(home, owner)).items():
            if name.startswith("export"):
                function.__func__()
    finally:
        home.expect = kept  # type: ignore[attr-defined]
    return found


def params_of(scale: Any, zero: Any) -> Any:
    """Quantization from a scale and a zero point of ONNX, float16 scales included."""
    info = np.iinfo(zero.dtype)
    return QuantParams(np.float32(np.ravel(scale)[0]), int(np.ravel(zero)[0]), int(info.min), int(info.max))


def matmul_records() -> Any:
    """Every product of two matrices in the node tests of QLinearMatMul."""
    records = []
    for _, inputs, (answer, *_), _ in exported("qlinearmatmul", "QLinearMatMul"):
        a, sa, za, b, sb, zb, sy, zy = inputs
        x, w, y = params_of(sa, za), params_of(sb, zb), params_of(sy, zy)
        for left, right, out in zip(a.reshape(-1, *a.shape[-2:]), b.reshape(-1, *b.shape[-2:]),
                                    answer.reshape(-1, *answer.shape[-2:]), strict=True):  # fmt: skip
            records.append(make_record(left, right, None, out, x, w, y))
    return records


def quantize_records() -> Any:
    """The node tests of QuantizeLinear with 8-bit codes, one scale, and float32 values."""
    records = []
    for _, inputs, (answer, *_), attributes in exported("quantizelinear", "QuantizeLinear"):
        plain = answer.dtype in (np.int8, np.uint8) and inputs[0].dtype == np.float32 and len(inputs) == 3
        if plain and np.size(inputs[1]) == 1 and "block_size" not in attributes:
            params = params_of(inputs[1], inputs[2])
            records.append(QuantizeRecord(inputs[0], params, answer))
    return records


def test_node_tests_of_qlinearmatmul_separate_no_rounding() -> None:
    """The figures of docs/vectors-with-teeth.md: 72 codes tell 18 of 49 rules, and no two ways to round a tie."""
    rules = [rule for rule in RULES if rule.op == "linear"]
    found = coverage_of(matmul_records(), "ort", rules=rules)
    assert (found.codes, found.foreign, len(found.separated), len(rules)) == ((72, 0), 0, 18, 49)
    rounding = {rule.says for rule in found.separated if rule.group == "rounding"}
    assert rounding == {"truncates toward zero, or rounds", "floors (a plain shift), or rounds"}
    assert {"15 bits, or exact", "pairs wrap in int16", "K mod 4 dropped"} <= {rule.says for rule in found.blind}


def test_node_tests_of_quantizelinear_separate_no_ties() -> None:
    """The figures of docs/vectors-with-teeth.md: 6 codes tell 3 of 7 rules, and no two ways to round a tie."""
    rules = [rule for rule in RULES if rule.op == "quantize"]
    found = coverage_of(quantize_records(), "ort", rules=rules)
    assert (found.codes, found.foreign, len(found.separated), len(rules)) == ((0, 6), 0, 3, 7)
    assert not any("ties" in rule.says for rule in found.separated)


def test_node_tests_kill_a_table_without_ties() -> None:
    """One tie added to the set tells what the whole set does not: the points in the table are not the table's."""
    p = QuantParams(2.0, 128, 0, 255)
    tie = QuantizeRecord(np.array([5.0], np.float32), p, np.array([130], np.uint8))
    found = coverage_of([*quantize_records(), tie], "ort", rules=[rule for rule in RULES if rule.op == "quantize"])
    assert found.foreign == 0 and any("ties" in rule.says for rule in found.separated)
