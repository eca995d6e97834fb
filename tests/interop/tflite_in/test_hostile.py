"""TFLite files that lie: each loads, or raises the one documented error, within the memory of two files and 64 MB."""

import struct
from pathlib import Path

import numpy as np
import pytest

from npquant.files.format_error import FormatError
from npquant.integer.layer import IntegerLayer
from npquant.integer.mlp import IntegerMLP
from npquant.interop.flatbuffer import Numbers, Scalar, write_flatbuffer
from npquant.interop.tflite_in import decode_tflite
from npquant.interop.tflite_out import encode_tflite
from npquant.interop.tflite_out.parts import Parts
from npquant.kernels.qparams import QuantParams
from npquant.nn.model import DenseLayer, FloatMLP
from tests.interop.mutations import judge, mutated
from tests.interop.tflite_in.files import dense, dynamic_flatten, floats, unary

NAME = "hostile.tflite"
RNG = np.random.default_rng(5)
W = RNG.normal(size=(4, 3)).astype(np.float32)


def good_files() -> list[bytes]:
    """An int8 network with a table, a head and metadata; a float one; a chain of shapes before a layer."""
    p, t = QuantParams(0.05, 3, -128, 127), QuantParams(1 / 256, -128, -128, 127)
    w, v = QuantParams(0.02, 0, -8, 7), QuantParams(np.array([0.02, 0.03], np.float32), 0, -127, 127)
    w_q, v_q = RNG.integers(-8, 8, (5, 4)).astype(np.int8), RNG.integers(-99, 99, (4, 2)).astype(np.int8)
    layers = (
        IntegerLayer(w_q, np.arange(4, dtype=np.int32), p, w, t, "sigmoid", p),
        IntegerLayer(v_q, np.arange(2, dtype=np.int32), t, v, p, "identity"),
    )
    integers = IntegerMLP(layers, p, np.arange(5.0))
    real = FloatMLP(
        (DenseLayer(W, np.zeros(3, np.float32), "tanh"), DenseLayer(W.T, np.ones(4, np.float32), "identity"))
    )
    parts = Parts()
    x = floats(parts, (1, 2, 2, 1))
    out = unary(parts, "RELU6", dense(parts, dynamic_flatten(parts, x, 4), W, None), 3)
    chain = parts.file(dense(parts, out, W.T, None), b"")
    return [encode_tflite(integers, head="softmax"), encode_tflite(real, head="logistic"), chain]


def read(data: bytes) -> object:
    return decode_tflite(data, NAME)


def loads(data: bytes, number: int) -> bool:
    """As `judge`, which also weighs the memory: of every twentieth file, since weighing takes ten times the reading."""
    if number % 20 == 0:
        return judge(read, data, NAME)
    try:
        read(data)
    except FormatError as error:
        assert NAME in str(error)
        return False
    return True


def test_good_files_are_read() -> None:
    """The files that are damaged below are whole before."""
    assert all(judge(read, data, NAME) for data in good_files())


@pytest.mark.parametrize("index", range(3))
def test_mutants_load_or_raise_the_one_error(index: int) -> None:
    """1,500 damaged copies a file; the test is not vacuous: some of them load, most do not."""
    data = good_files()[index]
    loaded = sum(loads(one, i) for i, one in enumerate(mutated(data, np.random.default_rng(index), 1500)))
    assert 0 < loaded < 1000


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_many_mutants_load_or_raise_the_one_error(seed: int) -> None:
    """10^5 damaged copies, of the three files."""
    data = good_files()[seed]
    for number, one in enumerate(mutated(data, np.random.default_rng(100 + seed), 33_400)):
        loads(one, number)


@pytest.mark.parametrize("index", range(3))
def test_every_truncation_raises(index: int) -> None:
    """A file cut off anywhere is refused, or what is cut off were zeros at its end."""
    data = good_files()[index]
    for end in range(0, len(data), 7):
        loads(data[:end], end)
    assert not judge(read, data[:-40], NAME)


@pytest.mark.parametrize("index", range(3))
def test_every_offset_that_points_back_is_judged(index: int) -> None:
    """Each word set to point at the file's start, at itself, at the end and far beyond: no walk runs in a circle."""
    data = good_files()[index]
    for number, at in enumerate(range(4 * index, len(data) - 3, 12)):
        for value in (0, -at, -4, len(data) - at, 2**31):
            loads(data[:at] + struct.pack("<I", value % 2**32) + data[at + 4 :], number)


def model(**fields: object) -> bytes:
    """A file of whatever fields, by slot s0 to s9."""
    return write_flatbuffer({int(key[1:]): value for key, value in fields.items()}, b"TFL3")  # type: ignore[misc]


def many(count: int) -> bytes:
    """A chain of `count` operators RELU behind a layer."""
    parts = Parts()
    at = dense(parts, floats(parts, (1, 4)), W, None)
    for _ in range(count):
        at = unary(parts, "RELU", at, 3)
    return parts.file(at, b"")


def shared_weights(layers: int) -> bytes:
    """A chain of layers that all read one large buffer."""
    parts = Parts()
    x = floats(parts, (1, 600))
    weights = parts.tensor("w", "FLOAT32", (600, 600), data=np.eye(600, dtype=np.float32))
    for _ in range(layers):
        x = dense(parts, x, np.zeros((600, 600)), None, weights=weights)
    return parts.file(x, b"")


def with_buffer(**fields: object) -> bytes:
    """A layer whose weights' buffer holds other fields than its data."""
    parts = Parts()
    out = dense(parts, floats(parts, (1, 4)), W, None)
    parts.buffers[1] = {int(key[1:]): value for key, value in fields.items()}  # type: ignore[misc]
    return parts.file(out, b"")


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"", "TFL3"),
        (b"\x08\0\0\0TFL3", "byte"),
        (model(s0=Scalar("I", 2)), "version 2"),
        (model(s0=Scalar("I", 3)), "0 subgraphs"),
        (model(s0=Scalar("I", 3), s2=[{}, {}]), "2 subgraphs"),
        (model(s0=Scalar("I", 3), s2=[{}]), "no operator"),
        (many(5000), "operators"),
        (shared_weights(9), "again"),
        (with_buffer(s1=Scalar("Q", 2**63), s2=Scalar("Q", 2**63)), "beyond the end"),
        (with_buffer(s1=Scalar("Q", 8), s2=Scalar("Q", 47)), "47 bytes"),
        (with_buffer(s0=Numbers(np.zeros(47, np.uint8))), "47 bytes"),
        (with_buffer(), "constant"),
    ],
)
def test_structured_lies_are_refused_by_name(data: bytes, word: str) -> None:
    """Versions, counts, buffers elsewhere, and one buffer read by many: refused in words."""
    with pytest.raises(FormatError, match=word):
        decode_tflite(data, NAME)
    assert not judge(read, data, NAME)


@pytest.mark.parametrize(
    "text",
    [
        b"{",
        b"[]",
        b"\xff\xfe",
        b'{"weights":3}',
        b'{"weights":[[1]]}',
        b'{"weights":[[-1,1],[-1,1]]}',
        b'{"weights":[[-1000,1000],[-127,127]]}',
        b'{"weights":[["a","b"],[0,1]]}',
        b'{"input_scale":[1,2]}',
        b'{"input_scale":[0,0,0,0,0]}',
        b'{"input_scale":"abc"}',
        b'{"input_offset":[NaN,0,0,0,0]}',
        b'{"input_offset":[1e999,0,0,0,0]}',
        b'{"input_offset":{"a":1}}',
        b"[" * 100_000,
        b'{"input_offset":' + b"[" * 100_000,
        b'{"weights":' + b"1" * 5000 + b"}",
    ],
)
def test_metadata_that_lies_is_refused(text: bytes) -> None:
    """What npquant's own metadata may say is checked like the rest; other metadata is not looked at."""
    p = QuantParams(0.05, 3, -128, 127)
    w = QuantParams(0.02, 0, -128, 127)
    layer = IntegerLayer(np.full((5, 2), 9, np.int8), np.zeros(2, np.int32), p, w, p, "identity")
    parts = Parts()
    from npquant.interop.tflite_out.integers import add_integers

    out = add_integers(parts, IntegerMLP((layer,), p), "none", None)
    assert not judge(read, parts.file(out, text), NAME)


def test_names_that_are_not_utf8_are_escaped() -> None:
    """Bytes of a name that are no text stand escaped in the error."""
    parts = Parts()
    data = parts.file(unary(parts, "ELU", dense(parts, floats(parts, (1, 4), "name0"), W, None), 3), b"")
    broken = data.replace(b"name0", b"\xff\xfe\0\n\xc3")
    with pytest.raises(FormatError, match="ELU"):
        decode_tflite(broken, NAME)


def test_reading_writes_nothing(tmp_path: Path) -> None:
    """A reader leaves the folder as it was."""
    for data in good_files():
        (tmp_path / NAME).write_bytes(data)
        decode_tflite(data, str(tmp_path / NAME))
    assert [path.name for path in tmp_path.iterdir()] == [NAME]
