"""Every operator of every profile says how it is known, and what it says agrees with what its record answers."""

import ast
from pathlib import Path
from typing import Any

import pytest

from npquant.profiles import get, names
from npquant.profiles.absences import FIELDS, has
from npquant.profiles.knowledge import Known

ROOT = Path(__file__).parents[2]
SERVED = {("npquant", "quantize"), ("npquant", "dequantize")}  # R1 and R2 themselves: the doors call them


def cells() -> Any:
    """Every cell of every profile, as (profile, operator, cell)."""
    return [(name, *cell) for name in names(layers=False) for cell in get(name).knowledge.cells()]


@pytest.mark.parametrize("name", names(layers=False))
def test_absent_is_what_the_record_does_not_answer(name: Any) -> None:
    """A cell says absent if, and only if, the record computes nothing there."""
    record = get(name)
    answered = {cell: getattr(record, field) is not None for cell, field in FIELDS.items()}
    answered |= {"linear": record.has_layers, "wide": bool(record.wide_stages)}
    for cell, does in answered.items():
        known = getattr(record.knowledge, cell)
        assert known.absent != (does or (name, cell) in SERVED), (cell, known)


@pytest.mark.parametrize("name", names(layers=False))
def test_refusal_says_which_kind_of_absence(name: Any) -> None:
    """Absent in the engine and absent here are two sentences, with engine and reason."""
    record = get(name)
    for cell, field in FIELDS.items():
        if getattr(record, field) is not None:
            assert has(record, cell, "it") is getattr(record, field)
            continue
        known = getattr(record.knowledge, cell)
        here = " here" if known.how == "absent here" else ""
        with pytest.raises(ValueError) as refused:
            has(record, cell, "it")
        said = str(refused.value)
        assert said.startswith(f"{name} has no it{here}: {record.engine} computes ")
        assert ("npquant does not" in said) == bool(here) and f"({known.what})" in said


def test_int16_layers_are_refused_with_their_kind_of_absence() -> None:
    """The wide cell speaks where int16 codes meet an engine without such a layer."""
    from npquant import QuantParams, linear

    wide, w = QuantParams(0.5, 0, -32768, 32767), QuantParams(0.5, 0, -128, 127)
    for name, words in (("ort", "computes none"), ("tosa_single", "npquant does not")):
        with pytest.raises(ValueError, match=rf"^{name} takes input codes of type .*int16 codes.*{words}"):
            linear([[1]], [[1]], None, x=wide, w=w, y=wide, profile=name)


def test_named_tests_exist() -> None:
    """Each test, page or program that asks again is in the tree, and so is the function that it names."""
    for name, operator, known in cells():
        path, _, function = known.test.partition("::")
        if not path:
            continue
        assert (ROOT / path).is_file(), (name, operator, path)
        tree = ast.parse((ROOT / path).read_text(encoding="utf-8")) if path.endswith(".py") else ast.Module([], [])
        found = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
        assert not function or function in found, (name, operator, known.test)


def test_read_names_a_file() -> None:
    """What was read is a path in a source, not a claim."""
    for name, operator, known in cells():
        assert known.how != "read" or "/" in known.what or "specification" in known.what, (name, operator)


@pytest.mark.parametrize(
    "wrong",
    [
        ("run", "torch"),
        ("run", "torch", 5),
        ("compiled", "CMSIS-NN", 0, "tests/peers/test_torch.py"),
        ("read", "onnx/onnx", 7),
        ("absent here", "softmax", 7, "tests/peers/test_torch.py"),
    ],
)
def test_cell_without_evidence_is_refused(wrong: Any) -> None:
    """What was run has outputs and a test; what was not has no outputs."""
    with pytest.raises(ValueError, match="outputs and a test"):
        Known(*wrong)
