"""Laws of the report's values: rounding, JSON, and the schema itself."""

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from npquant.report.document import encode_report, load_schema, rounded, timeless

values: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(values)
def test_rounded_is_json_and_idempotent(value: Any) -> None:
    """What comes out is JSON, reads back as itself, and rounds to itself."""
    once = rounded(value)
    assert rounded(once) == once
    assert json.loads(json.dumps(once, allow_nan=False)) == once


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_rounded_keeps_nine_digits(value: float) -> None:
    """A float moves by at most half a unit of its ninth digit (and by one rounding to float64)."""
    moved = abs(rounded(value) - value)
    assert moved <= abs(value) * (0.5e-8 + np.finfo(np.float64).eps) + 5e-324


def test_rounded_hides_the_last_bits_of_a_sum() -> None:
    """Sums in another order are the same figure."""
    terms = [0.1] * 10
    assert math.fsum(terms) != sum(terms)
    assert rounded(math.fsum(terms)) == rounded(sum(terms))


def test_rounded_refuses_objects() -> None:
    """An array or a class is no figure."""
    with pytest.raises(TypeError, match="ndarray"):
        rounded({"x": np.zeros(2)})


def test_load_schema_is_a_valid_schema_that_refuses_strangers() -> None:
    """The schema obeys its own draft, and closes every object."""
    schema = load_schema()
    Draft202012Validator.check_schema(schema)
    open_objects = [path for path, node in _nodes(schema) if node.get("type") == "object" and node.get(
        "additionalProperties", True)]  # fmt: skip
    assert open_objects == []


def _nodes(node: Any, path: str = "") -> list[tuple[str, dict[str, Any]]]:
    if isinstance(node, list):
        return [found for number, item in enumerate(node) for found in _nodes(item, f"{path}/{number}")]
    if not isinstance(node, dict):
        return []
    return [(path, node)] + [found for key, item in node.items() for found in _nodes(item, f"{path}/{key}")]


def test_encode_report_is_ascii_with_a_final_newline() -> None:
    """Any terminal and any editor reads it."""
    text = encode_report({"schema": "x", "name": "Zürich"})
    assert text.endswith(b"}\n")
    assert text.isascii()


def test_timeless_drops_only_what_varies() -> None:
    """The clock's keys go, the rest stays."""
    report = {
        "environment": {"python": "3"},
        "steps": [{"number": 1, "seconds": 2.0}],
        "deployment": {"files": {}, "latency": [1]},
        "budget": {"met": True},
    }
    assert timeless(report) == {"steps": [{"number": 1}], "deployment": {"files": {}}, "budget": {"met": True}}
