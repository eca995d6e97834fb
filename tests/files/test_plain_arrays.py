"""Laws of networks as plain arrays (L5, L6): every kind comes back equal, NumPy reads it, nothing hostile gets in."""

import dataclasses
import io
import json
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import npquant
from npquant.files.archive import decode_zip, encode_npy, encode_zip, slice_zip
from npquant.files.container.encode import encode_container, unfit
from npquant.files.format_error import FormatError
from npquant.files.plain_arrays import encode_plain_arrays
from npquant.files.reading import decode_network
from npquant.files.storage import encode_model, itemize, save
from npquant.integer.dynamic_layer import DynamicLayer
from npquant.integer.dynamic_mlp import DynamicMLP
from npquant.integer.layer import IntegerLayer
from npquant.integer.mlp import IntegerMLP
from npquant.interop import to_npz
from npquant.interop.reading import load
from npquant.kernels.qparams import QuantParams
from npquant.nn.model import DenseLayer, FloatMLP
from npquant.profiles import get, names
from npquant.profiles.npquant import NPQUANT
from tests.integer import kinds
from tests.interop.mutations import judge, mutated

SEEDS = st.integers(0, 2**32 - 1)
P8 = QuantParams(0.5, 0, -128, 127)


def dynamic(seed: int, profile: str = "npquant") -> Any:
    """A dynamic network of one or two layers; an engine's weights may be uint8 with zero points."""
    rng = np.random.default_rng(seed)
    widths, layers = rng.integers(1, 6, int(rng.integers(2, 4))), []
    for k, n in pairwise(widths):
        kind = "int8" if rng.random() < 0.5 else "uint8"
        low, high = kinds.INTERVALS[kind]
        shape = int(n) if rng.random() < 0.5 else None
        zero = rng.integers(low, high + 1, shape)
        w = QuantParams(rng.uniform(0.01, 0.1, shape), zero if shape else int(zero), low, high)
        w_q = rng.integers(low, high + 1, (k, n)).astype(kind)
        bits = 8 if profile != "npquant" else int(rng.integers(2, 9))
        layers.append(DynamicLayer(w_q, w, rng.normal(0, 1, n), str(rng.choice(["identity", "relu"])), bits))
    granularity = "batch" if profile != "npquant" or rng.random() < 0.5 else "row"
    return DynamicMLP(tuple(layers), granularity, get(profile))


def network(seed: int) -> Any:
    """A network of any kind."""
    rng = np.random.default_rng(seed)
    kind = seed % 4
    if kind == 0:
        w = rng.normal(0, 1, (2, 3)).astype(rng.choice([np.float32, np.float64]))
        return FloatMLP((DenseLayer(w, w[0] - 1, "identity"),))
    if kind == 1:
        return dynamic(seed, str(rng.choice(["npquant", "ort", "onnx_ref"])))
    net = kinds.network(seed, str(rng.choice(list(kinds.RUNS))))
    if rng.random() < 0.5:
        return dataclasses.replace(net, input_offset=rng.normal(0, 1, net.n_inputs))
    scales = rng.uniform(0.1, 1, net.n_inputs).astype(np.float32)
    p = net.input_params
    return dataclasses.replace(net, input_params=QuantParams(scales, p.zero_point, p.qmin, p.qmax))


@given(seed=SEEDS)
def test_every_network_comes_back_equal_with_equal_bytes(seed: int) -> None:
    """Z3: what was encoded is decoded to an equal network, whose bytes are the same; the parts are all of them."""
    net = network(seed)
    data = encode_plain_arrays(net)
    found = decode_network(data, "net.npz")
    assert type(found.model) is type(net) and encode_plain_arrays(found.model) == data
    assert isinstance(net, FloatMLP) or found.model == net
    assert sum(part.n_bytes for part in found.parts) == len(data)


@given(seed=SEEDS)
def test_saved_networks_answer_the_same(seed: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    """`save` takes every kind; what `load` gives answers bit for bit."""
    net = network(seed)
    path = tmp_path_factory.getbasetemp() / "saved.npz"
    save(net, path)
    back = load(path)
    assert not isinstance(net, IntegerMLP) or back == net
    x = np.random.default_rng(seed).normal(0, 3, (4, net.n_inputs))
    assert np.array_equal(net.logits(x), back.logits(x))


def test_numpy_reads_every_array_by_name(tmp_path: Path) -> None:
    """`to_npz`: names, dtypes and shapes of L5, from the reader that everybody has."""
    y, pre = QuantParams(2, 3, 0, 255), QuantParams(0.25, 7, -10, 10)
    w = QuantParams([0.5, 0.25], 0, -128, 127)
    first = IntegerLayer(np.array([[1, 2]], np.int8), np.array([3, 4], np.int32), P8, w, y, "table", pre,
                         np.arange(21, dtype=np.uint8))  # fmt: skip
    last = IntegerLayer(np.array([[5], [6]], np.int8), np.array([8], np.int32), y, P8, None, "relu")
    net = IntegerMLP((first, last), P8, np.array([0.5]), get("ort"))
    to_npz(net, tmp_path / "net.npz")
    with np.load(tmp_path / "net.npz") as arrays:
        found = {name: arrays[name] for name in arrays.files if name != "manifest.json"}
        manifest = json.loads(arrays["manifest.json"])
    assert (manifest["kind"], manifest["profile"], manifest["activations"]) == (
        "IntegerMLP/arrays", "ort", ["table", "relu"])  # fmt: skip
    assert list(found) == [
        "input_scale", "input_zero_point", "input_range", "input_offset",
        "w0", "b0", "x_scale0", "x_zero_point0", "x_range0", "w_scale0", "w_zero_point0", "w_range0",
        "y_scale0", "y_zero_point0", "y_range0", "pre_scale0", "pre_zero_point0", "pre_range0", "table0",
        "w1", "b1", "w_scale1", "w_zero_point1", "w_range1",
    ]  # fmt: skip
    assert found["w_scale0"].tolist() == [0.5, 0.25] and found["table0"].dtype == np.uint8
    assert found["y_range0"].tolist() == [0, 255] and int(found["pre_zero_point0"]) == 7
    assert npquant.load(tmp_path / "net.npz") == net
    names = {(part.name, part.layer) for part in itemize(tmp_path / "net.npz")}
    assert {("weights", 0), ("weights", 1), ("biases", 1), ("tables", 0), ("scales", 0), ("offset", None)} <= names


def test_the_container_refuses_what_it_cannot_hold_and_says_how_to_save_it(tmp_path: Path) -> None:
    """Each kind of network that N1 to N6 have no bytes for is named; its npz is plain arrays, others stay small."""
    one, zero, w = np.array([[1]], np.int8), np.array([0], np.int32), QuantParams(0.5, 0, -128, 127)
    u8, p16 = QuantParams(0.5, 9, 0, 255), QuantParams(0.5, 0, -32768, 32767)
    good = IntegerLayer(one, zero, P8, w, P8, "relu")
    cases = {
        "uint8 codes (layer 0, x)": dataclasses.replace(good, x=u8),
        "uint8 codes (layer 0, y)": dataclasses.replace(good, y=u8),
        "uint8 codes (layer 0, w)": dataclasses.replace(good, w=u8, w_q=one.astype(np.uint8)),
        "int32 biases beside int16 inputs (layer 0)": dataclasses.replace(good, x=p16),
        "layer without an output quantization (layer 0)": dataclasses.replace(good, y=None),
        "'table' as an activation (layer 0)": IntegerLayer(one, zero, P8, w, P8, "table", P8, np.zeros(256, np.int8)),
    }
    for fault, layer in cases.items():
        net = IntegerMLP((layer,), layer.x)
        assert unfit(net) == fault
        for name in ("net.npq", "net"):
            with pytest.raises(ValueError, match=r"save the network as NAME\.npz") as error:
                save(net, tmp_path / name)
            assert fault in str(error.value)
        save(net, tmp_path / "net.npz")
        assert load(tmp_path / "net.npz") == net
        with pytest.raises(ValueError, match="encodings"):
            encode_model(net, "dense")
    wide = dataclasses.replace(good, x=p16, y=p16, bias=zero.astype(np.int64))
    assert unfit(IntegerMLP((wide,), p16)) == ""
    with pytest.raises(ValueError, match=r"as NAME\.npz"):
        save(dynamic(3), tmp_path / "net.npq")
    own = IntegerMLP((good,), P8)
    assert unfit(own) == "" and encode_container(own) in encode_model(own)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["net.npz"]


def test_unknown_profiles_are_not_stored_by_name() -> None:
    """A record that is not npquant's own of that name could not be found again."""
    mine = dataclasses.replace(NPQUANT, version="mine")
    layer = IntegerLayer(np.array([[1]], np.int8), np.array([0], np.int32), P8, P8, P8, "relu")
    with pytest.raises(ValueError, match="cannot be stored by name"):
        encode_plain_arrays(IntegerMLP((layer,), P8, None, mine))
    with pytest.raises(TypeError, match="only a FloatMLP, an IntegerMLP or a DynamicMLP"):
        encode_plain_arrays({"w0": 1})


def rewritten(data: Any, **changes: Any) -> Any:
    """A file that says otherwise, with hashes and checksums that are right; None takes something away."""
    members = decode_zip(data, "a", max_bytes=1 << 20)
    manifest = json.loads(members.pop("manifest.json"))
    tensors = {name.removesuffix(".npy"): content for name, content in members.items()}
    for name, value in changes.items():
        if name in manifest:
            manifest[name] = value
        elif value is None:
            del tensors[name]
        else:
            tensors[name] = encode_npy(value)
    manifest["tensors"] = {name: sha256(content).hexdigest() for name, content in tensors.items()}
    text = json.dumps(manifest).encode()
    return encode_zip({"manifest.json": text, **{f"{name}.npy": content for name, content in tensors.items()}})


INTEGER = encode_plain_arrays(
    IntegerMLP((IntegerLayer(np.array([[1], [-3]], np.int8), np.array([7], np.int32), P8, P8, None, "relu"),), P8)
)
DYNAMIC = encode_plain_arrays(dynamic(1, "ort"))
SWITCHED = encode_plain_arrays(
    DynamicMLP((DynamicLayer(np.array([[2]], np.int8), P8, [0.0], "relu"),), "batch", get("fbgemm"), "reduce_range")
)
TABLED = encode_plain_arrays(
    IntegerMLP(
        (IntegerLayer(np.array([[2]], np.int8), np.array([0], np.int32), P8, P8, P8, "table", P8,
                      np.arange(-128, 128).astype(np.int8)),), P8)
)  # fmt: skip
FILES = {"integer": INTEGER, "dynamic": DYNAMIC, "table": TABLED}


@pytest.mark.parametrize(
    ("data", "changes", "word"),
    [
        (INTEGER, {"profile": "nobody"}, "no profile"), (INTEGER, {"profile": 3}, "profile must be a name"),
        (INTEGER, {"activations": "relu"}, "list of names"), (INTEGER, {"activations": ["relu", "relu"]}, "'w1'"),
        (INTEGER, {"activations": []}, "at least one layer"), (INTEGER, {"w0": None}, "'w0' is missing"),
        (INTEGER, {"b0": np.zeros(1, np.int16)}, "bias has dtype int16"),
        (INTEGER, {"more": np.zeros(1)}, "no layer has"),
        (INTEGER, {"w_scale0": np.zeros((), np.float32)}, "C1"), (INTEGER, {"w_scale0": np.ones(())}, "float32 scale"),
        (INTEGER, {"w_scale0": np.full(1, np.nan, np.float32)}, "C1"),
        (INTEGER, {"x_zero_point0": np.array(200, np.int32)}, "C2"),
        (INTEGER, {"x_range0": np.zeros(3, np.int32)}, "range"),
        (INTEGER, {"x_range0": np.array([5, -5], np.int32)}, "C3"),
        (INTEGER, {"b0": np.array([2**31 - 1], np.int32)}, "C7"),
        (INTEGER, {"w0": np.full((2, 1), 1, np.int64)}, "w_q has dtype int64"),
        (INTEGER, {"kind": "IntegerMLP"}, "uint8"),
        (INTEGER, {"kind": {}}, "unknown kind"), (INTEGER, {"kind": "DynamicMLP"}, "'x_bits' is missing"),
        (DYNAMIC, {"x_bits": [8.0, 8.0]}, "list of integers"), (DYNAMIC, {"x_bits": [9, 9]}, "bits"),
        (DYNAMIC, {"granularity": "row"}, "granularity"), (DYNAMIC, {"granularity": []}, "must be a name"),
        (DYNAMIC, {"profile": "tflite_ref"}, "no dynamic quantization"),
        (SWITCHED, {"variant": "asymmetric_inputs"}, "fbgemm has no variant"),
        (SWITCHED, {"variant": 3}, "must be a name"),
        (TABLED, {"table0": np.zeros(255, np.int8)}, "255 entries"), (TABLED, {"table0": None}, "`table`"),
        (TABLED, {"schema": "npquant.model/2"}, "schema"),
    ],
)  # fmt: skip
def test_files_that_fit_their_hashes_and_hold_no_network_are_refused(data: Any, changes: Any, word: Any) -> None:
    """One error, which names the file and what is wrong in it."""
    with pytest.raises(FormatError, match=word) as error:
        decode_network(rewritten(data, **changes), "liar.npz")
    assert str(error.value).startswith("liar.npz: ")


@pytest.mark.parametrize("name", [name for name in names() if get(name).dynamic is not None])
def test_dynamic_network_of_every_engine_comes_back(name: Any) -> None:
    """The profile, its granularity, and the engine's switch where it is set; else the file has no entry for it."""
    w, rule = QuantParams(0.5, 0, -128, 127), get(name).dynamic
    layer = DynamicLayer(np.array([[3], [-4]], np.int8), w, [1.0], "relu")
    for variant in (None, *dict(rule.variants)):
        model = DynamicMLP((layer,), rule.granularity, get(name), variant)
        data = encode_plain_arrays(model)
        back = decode_network(data, "net.npz").model
        assert back == model and back.variant == variant and (b'"variant"' in data) == (variant is not None)
        assert (back == DynamicMLP((layer,), rule.granularity, get(name))) == (variant is None)


def reader(data: Any) -> Any:
    """Decode a file, silent about its numerics version."""
    return decode_network(data, "liar.npz")


def fuzz(count: int) -> Any:
    """Mutate each file; whatever loads must be the same network."""
    loaded = 0
    for at, original in enumerate(FILES.values()):
        for data in mutated(original, np.random.default_rng(at), count):
            if judge(reader, data, "liar.npz"):
                loaded += 1
                assert encode_plain_arrays(reader(data).model) == original
    return loaded


def test_damaged_files_are_refused_or_the_same_network() -> None:
    """Thousands of damaged copies: the documented error, or an equal network; and no memory beyond the file's."""
    assert fuzz(1000) < 600


@pytest.mark.slow
def test_many_damaged_files_are_refused_or_the_same_network() -> None:
    """10^5 of them."""
    fuzz(34_000)


def test_fuzz_kills_a_reader_without_hashes() -> None:
    """A reader that looks at no hash lets a changed weight through."""
    at = INTEGER.index(np.array([[1], [-3]], np.int8).tobytes() + b"PK")
    damaged = bytearray(INTEGER)
    damaged[at] ^= 2
    with pytest.raises(FormatError, match="SHA-256"):
        reader(bytes(damaged))
    with np.load(io.BytesIO(bytes(INTEGER))) as arrays:
        assert arrays["w0"].tolist() == [[1], [-3]]


def test_slice_zip_gives_what_decode_zip_gives_and_refuses_what_is_not_stored() -> None:
    """L1: views of a stored archive are its members; compressed, misnamed and overlong ones are refused."""
    for data in FILES.values():
        views = slice_zip(data, "a")
        assert {name: bytes(view) for name, view in views.items()} == decode_zip(data, "a", max_bytes=1 << 20)
    stream = io.BytesIO()
    np.savez_compressed(stream, w0=np.random.default_rng(0).bytes(50))
    with pytest.raises(ValueError, match="not stored"):
        slice_zip(stream.getvalue(), "a")
    plain = encode_zip({"a": b"12", "b": b"3"})
    for change in (
        plain.replace(b"a12", b"c12"),
        plain.replace(b"12PK", b"13PK"),
        plain[:30] + plain[31:],
    ):
        with pytest.raises(ValueError, match=r"^a: "):
            slice_zip(change, "a")
