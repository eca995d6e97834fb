"""Records of a kernel's answers: npz and JSON hold the same, and what is missing or wrong is named."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from npquant import QuantParams
from npquant.testing.who.records import KEYS, make_record, read_record, record_of

ONE = {"x_q": [[-1, 2]], "w_q": [[5], [-7]], "y_q": [[-3]], "sx": 0.5, "sw": [0.25], "sy": 0.125, "zy": 4, "bias": [9]}


def test_npz_and_json_give_one_record(tmp_path: Path) -> None:
    """The same keys in either form, read back."""
    plain, packed = tmp_path / "one.json", tmp_path / "one.npz"
    plain.write_text(json.dumps(ONE))
    arrays = {name: np.asarray(value) for name, value in ONE.items()}
    np.savez(packed, **(arrays | {"x_q": np.array(ONE["x_q"], np.int8)}))
    one, two = read_record(plain), read_record(packed)
    for record in (one, two):
        assert record.layer.x == QuantParams(0.5, 0, -128, 127) and record.layer.y == QuantParams(0.125, 4, -128, 127)
        assert record.layer.bias.tolist() == [9] and record.y_q.tolist() == [[-3]] and record.x_q.dtype == np.int8
    assert np.array_equal(one.x_q, two.x_q)


def test_fixed_form_holds_the_multiplier_exactly() -> None:
    """M = m 2^(e-31) stands in float64 without rounding, and the scales need not be given."""
    given = {name: value for name, value in ONE.items() if name not in ("sx", "sw", "sy")}
    record = record_of(given | {"multiplier": 2**30 + 1, "shift": -3})
    assert float(record.layer.w.scale) * 2**34 == 2**30 + 1 and record.fixed.shift == -3


@pytest.mark.parametrize("missing", ["x_q", "w_q", "y_q", "sx", "sw", "sy"])
def test_missing_key_is_named(missing: Any) -> None:
    """And said what it holds."""
    with pytest.raises(ValueError, match=f"has no key '{missing}'"):
        record_of({name: value for name, value in ONE.items() if name != missing})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"scale_x": 1.0}, "a key 'scale_x' that no record has"),
        ({"multiplier": 2**30}, "has no key 'shift'"),
        ({"sx": 0.0}, "keys sx and zx: the scale is 0"),
        ({"zy": 300, "y_type": "int8"}, "zero point 300 is outside"),
        ({"x_type": "int4"}, "key 'x_type'"),
        ({"x_q": [[1, 2]], "zx": 0}, "needs the key 'x_type'"),
        ({"y_q": [[-3, 1]]}, "y_q has shape"),
        ({"w_q": [5, -7]}, "w_q has shape"),
        ({"bias": [1, 2]}, "bias has 2 codes"),
        ({"sw": [0.5, 0.25]}, "2 scales for 1 outputs"),
    ],
)
def test_wrong_key_is_named(change: Any, words: str) -> None:
    """Each message says which key and what is due."""
    with pytest.raises(ValueError, match=words):
        record_of(ONE | change)


def test_files_that_are_no_record_are_named(tmp_path: Path) -> None:
    """Neither npz nor JSON, a list, a damaged archive, objects."""
    for name, content, words in (
        ("a", b"hello", "neither an npz file nor JSON"),
        ("b", b"[1, 2]", "holds a JSON list"),
        ("c", b"PK\x03\x04broken", "not an intact zip"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=words):
            read_record(tmp_path / name)
    np.savez(tmp_path / "d.npz", x_q=np.array([{}], object))
    with pytest.raises(ValueError, match="never objects"):
        read_record(tmp_path / "d.npz")


def test_keys_are_all_taken() -> None:
    """Every documented key may be given."""
    types = dict.fromkeys(("x_type", "w_type", "y_type"), "int8")
    full = ONE | types | {"zx": 1, "zw": 0, "qmin": -127, "qmax": 126, "activation": "relu"}
    record = record_of(full)
    assert (record.layer.y.qmin, record.layer.y.qmax, record.layer.activation) == (-127, 126, "relu")
    assert set(KEYS) == set(full) | {"multiplier", "shift"}


def test_make_record_refuses_a_wide_bias() -> None:
    """int32 is the type of a bias."""
    p = QuantParams(1.0, 0, -128, 127)
    with pytest.raises(ValueError, match="outside int32"):
        make_record([[1]], [[1]], [2**31], [[1]], p, p, p)
