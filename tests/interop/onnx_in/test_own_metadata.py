"""Laws of what an ONNX file says of its data: npquant's own comes back, anybody else's hinders nothing."""

import json
from dataclasses import replace

import numpy as np
import pytest

from npquant.compression.rounding.dynamic import quantize_dynamic
from npquant.compression.rounding.uniform import quantize_uniform
from npquant.files.facts import Facts
from npquant.interop.onnx_in import decode_onnx
from npquant.interop.onnx_out.to_onnx import encode_onnx
from npquant.interop.protobuf_writer import content, repeated
from npquant.nn.model import DenseLayer, FloatMLP
from npquant.profiles import get

NET = FloatMLP((DenseLayer(np.eye(2, 3), np.zeros(3), "relu"), DenseLayer(np.ones((3, 2)), np.zeros(2), "identity")))
DYNAMIC = replace(quantize_dynamic(NET), profile=get("ort"), granularity="batch")
X = np.random.default_rng(0).normal(size=(40, 2))
KNOWN = Facts(("größe", "*/"), ("no", "yes"), "label", "ab" * 32, {"größe": [1.5, None]})


@pytest.mark.parametrize("form", ["float", "qdq", "integer", "dynamic"])
def test_facts_come_back(form: str) -> None:
    """A float network, each standard integer form and a dynamic one: facts, and the same network."""
    model = {"float": NET, "dynamic": DYNAMIC}.get(form, quantize_uniform(NET, X, 8))
    how = form if form in ("qdq", "integer") else "qdq"
    found = decode_onnx(encode_onnx(model, form=how, facts=KNOWN), "net.onnx", folder=None)
    bare = decode_onnx(encode_onnx(model, form=how), "net.onnx", folder=None)
    assert found.facts == KNOWN and bare.facts is None
    assert np.array_equal(found.run(X.astype(np.float32)), bare.run(X.astype(np.float32)))


@pytest.mark.parametrize("said", [
    b"", b"{", b"[]", b"[" * 100_000, b'{"features": ["one"]}', b'{"classes": 7}', b'{"label": 1}', b"\xff",
    json.dumps({"features": ["a", "\ud800"]}).encode(),
])  # fmt: skip
def test_what_is_no_record_is_left_out_and_said(said: bytes) -> None:
    """The network reads all the same; a key or value that is no text is somebody else's."""
    plain = encode_onnx(NET)
    bare = decode_onnx(plain, "net.onnx", folder=None)
    found = decode_onnx(plain + repeated(14, [content(1, "npquant.data") + content(2, said)]), "net.onnx", folder=None)
    assert found.facts is None and found.notes[: len(bare.notes)] == bare.notes
    assert len(found.notes) - len(bare.notes) == (said != b"\xff")
    assert np.array_equal(found.run(X), bare.run(X))


def test_the_metadata_of_others_is_not_looked_at() -> None:
    """Any key, any bytes."""
    more = repeated(
        14, [content(1, "author") + content(2, b"\xff\xfe"), b"\x0a\xff", content(1, "x") + content(2, "y")]
    )
    assert decode_onnx(encode_onnx(NET) + more, "net.onnx", folder=None).facts is None
