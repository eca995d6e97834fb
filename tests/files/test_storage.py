"""Laws of the native file: the same network back, the same bytes again, nothing hostile in, nothing half-written."""

import errno
import io
import json
import os
import re
import zipfile
from dataclasses import replace
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import npquant
from npquant import profiles
from npquant.files import layouts
from npquant.files.archive import decode_npy, decode_zip, encode_npy, encode_zip
from npquant.files.format_error import FormatError
from npquant.files.reading import read_network
from npquant.files.storage import encode_model, itemize, save, write_atomically
from npquant.integer.layer import IntegerLayer
from npquant.integer.mlp import IntegerMLP
from npquant.kernels.lookup import FUNCTIONS
from npquant.kernels.qparams import QuantParams
from npquant.nn.model import DenseLayer, FloatMLP
from npquant.profiles.npquant import NPQUANT

CLAMPED = ["identity", "relu", "clipped_relu", "relu6", "relu_n1_to_1"]
FLOAT = ["relu", "clipped_relu", "hard_sigmoid", "sigmoid", "tanh", "softplus"]


def load(path: Any) -> Any:
    """Read the native formats, and no others."""
    return read_network(path).model


@st.composite
def float_networks(draw: st.DrawFn) -> Any:
    """Any float network of up to three layers: float32 or float64, signed zeros and the smallest numbers too."""
    widths = draw(st.lists(st.integers(1, 4), min_size=2, max_size=4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    dtype = draw(st.sampled_from([np.float32, np.float64]))
    layers: list[Any] = []
    for k, n in pairwise(widths):
        w = rng.normal(0, 1, (k, n)).astype(dtype)
        w[rng.random((k, n)) < 0.2] = draw(st.sampled_from([-0.0, np.finfo(dtype).smallest_subnormal]))  # type: ignore[type-var]
        name = draw(st.sampled_from(FLOAT)) if len(layers) < len(widths) - 2 else "identity"
        layers.append(DenseLayer(w, rng.normal(0, 1, n).astype(dtype), name))
    return FloatMLP(tuple(layers))


def int8_params(rng: np.random.Generator, scale: Any = 1.0) -> Any:
    """Per-tensor parameters inside int8, not always all of it."""
    qmin, qmax = sorted(rng.choice(np.arange(-128, 128), 2, replace=False))
    return QuantParams(scale * rng.uniform(0.5, 2), int(rng.integers(qmin, qmax + 1)), int(qmin), int(qmax))


def random_layer(rng: np.random.Generator, x: Any, shape: Any, bits: Any, activation: str) -> Any:
    """A layer of weights of so many bits (1: ternary), per-tensor or per-channel; a table where it needs one."""
    half = 1 << max(bits - 1, 1)
    w_q = rng.integers(-1, 2, shape) if bits == 1 else rng.integers(-half, half, shape)
    flip = rng.random(shape[1]) < 0.3
    w_q = np.clip(np.where(flip, -w_q, w_q), -128, 127).astype(np.int8)
    w_scale = rng.uniform(0.001, 0.1, shape[1]) if rng.random() < 0.5 else rng.uniform(0.001, 0.1)
    low, high = max(-128, -half - 1), min(127, half)
    zero_point = 0 if rng.random() < 0.5 else int(rng.integers(low, high + 1))
    if np.ndim(w_scale) and rng.random() < 0.3:
        zero_point = rng.integers(low, high + 1, shape[1])
    w = QuantParams(w_scale, zero_point, low, high)
    bias = rng.integers(-(2**20), 2**20, shape[1]).astype(np.int32)
    pre = QuantParams(0.05, int(rng.integers(-128, 128)), -128, 127) if activation in FUNCTIONS else None
    return IntegerLayer(w_q, bias, x, w, int8_params(rng), activation, pre)


@st.composite
def integer_networks(draw: st.DrawFn) -> Any:
    """Any integer network of up to three layers and every option that the record has."""
    widths = draw(st.lists(st.integers(1, 12), min_size=2, max_size=4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    x = first = int8_params(rng)
    layers = []
    for k, n in pairwise(widths):
        activation = draw(st.sampled_from([*CLAMPED, *FUNCTIONS]))
        layers.append(random_layer(rng, x, (k, n), draw(st.integers(1, 8)), activation))
        x = layers[-1].y
    if draw(st.booleans()):
        scales = rng.uniform(0.01, 9, widths[0]).astype(np.float32)
        first = QuantParams(scales, first.zero_point, first.qmin, first.qmax)
    offset = rng.normal(0, 5, widths[0]) if draw(st.booleans()) else None
    return IntegerMLP(tuple(layers), first, offset, draw(st.sampled_from(PROFILES)))


PROFILES = [NPQUANT, profiles.get("tflite_ref"), profiles.get("ort")]


def assert_same_float(a: Any, b: Any) -> None:
    assert type(a) is type(b) is FloatMLP and len(a.layers) == len(b.layers)
    for one, other in zip(a.layers, b.layers, strict=True):
        assert one.activation == other.activation
        for left, right in ((one.w, other.w), (one.b, other.b)):
            assert left.dtype == right.dtype and left.shape == right.shape and left.tobytes() == right.tobytes()


def assert_same_params(a: Any, b: Any) -> None:
    assert (a is None) == (b is None)
    if a is not None:
        for left, right in ((a.scale, b.scale), (a.zero_point, b.zero_point)):
            assert np.shape(left) == np.shape(right) and np.array_equal(left, right)
        assert (a.qmin, a.qmax) == (b.qmin, b.qmax)


def assert_same_integer(a: Any, b: Any) -> None:
    assert type(a) is type(b) is IntegerMLP and a.profile is b.profile and len(a.layers) == len(b.layers)
    assert_same_params(a.input_params, b.input_params)
    assert (a.input_offset is None) == (b.input_offset is None)
    if a.input_offset is not None:
        assert a.input_offset.tobytes() == b.input_offset.tobytes()
    for one, other in zip(a.layers, b.layers, strict=True):
        assert one.activation == other.activation
        assert one.w_q.tobytes() == other.w_q.tobytes() and one.w_q.shape == other.w_q.shape
        assert one.bias.tobytes() == other.bias.tobytes()
        for name in ("x", "w", "y", "pre"):
            assert_same_params(getattr(one, name), getattr(other, name))


def law_same_back(save: Any, load: Any, model: Any, folder: Any) -> None:
    """Z1, Z3: what is loaded is what was saved, under either suffix, saved to the same bytes; the parts sum to them."""
    same = assert_same_float if isinstance(model, FloatMLP) else assert_same_integer
    for suffix in ("npz", "npq"):
        path = folder / f"model.{suffix}"
        save(model, path)
        loaded = load(path)
        same(model, loaded)
        first = path.read_bytes()
        assert first[:2] == (b"PK" if suffix == "npz" or isinstance(model, FloatMLP) else b"NP")
        save(loaded, folder / f"again.{suffix}")
        assert (folder / f"again.{suffix}").read_bytes() == first
        assert sum(part.n_bytes for part in itemize(path)) == len(first)
    assert (folder / "model.npz").read_bytes() == encode_model(model)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """One folder for all drawn networks."""
    return tmp_path_factory.mktemp("networks")


@given(model=float_networks())
def test_float_network_is_loaded_bit_for_bit(model: Any, folder: Any) -> None:
    """load(save(model)) is the model, bit for bit, and saves to the same bytes."""
    law_same_back(save, load, model, folder)


@given(model=integer_networks())
def test_integer_network_is_loaded_bit_for_bit(model: Any, folder: Any) -> None:
    """load(save(model)) is the network: every width, ternary, scales, offset, tables and profile."""
    law_same_back(save, load, model, folder)


@pytest.mark.parametrize("bits", range(1, 9))
@pytest.mark.parametrize("profile", profiles.names())
def test_integer_network_of_every_width_and_profile(bits: Any, profile: Any, tmp_path: Path) -> None:
    """Each weight width (1: ternary) under each engine's arithmetic computes the same codes when read back."""
    rng = np.random.default_rng(bits)
    x = QuantParams(0.5, 3, -128, 127)
    layer = random_layer(rng, x, (7, 9), bits, "relu")
    net = IntegerMLP((layer,), x, None, profiles.get(profile))
    law_same_back(save, load, net, tmp_path)
    assert load(tmp_path / "model.npz") == net


def test_laws_kill_wrong_files(tmp_path: Path, small_float: Any, small_integer: Any) -> None:
    """The law fails on a file without activations, one that passes float32 on, one that forgets offset or profile."""

    def saves(change: Any) -> Any:
        return lambda model, path: save(change(model), path)

    def relabelled(model: Any) -> Any:
        return FloatMLP((replace(model.layers[0], activation="relu"), *model.layers[1:]))

    def narrowed(model: Any) -> Any:
        return FloatMLP(tuple(DenseLayer(y.w.astype("f4"), y.b.astype("f4"), y.activation) for y in model.layers))

    def without_offset(net: Any) -> Any:
        return IntegerMLP(net.layers, net.input_params, None, net.profile)

    def without_profile(net: Any) -> Any:
        return IntegerMLP(net.layers, net.input_params, net.input_offset)

    for change in (relabelled, narrowed):
        with pytest.raises(AssertionError):
            law_same_back(saves(change), load, small_float, tmp_path)
    for change in (without_offset, without_profile):  # type: ignore[assignment]
        with pytest.raises(AssertionError):
            law_same_back(saves(change), load, small_integer, tmp_path)


@pytest.fixture
def small_float() -> Any:
    """Two layers of float64."""
    first = DenseLayer(np.array([[1 / 3, -0.0]]), np.array([0.1, 0.2]), "tanh")
    return FloatMLP((first, DenseLayer(np.array([[1.0], [2.0]]), np.array([-1.0]), "identity")))


@pytest.fixture
def small_integer() -> Any:
    """One layer with scales a feature, an offset, a table, and an engine's arithmetic."""
    p = QuantParams(0.5, 0, -128, 127)
    first = QuantParams(np.array([0.25, 0.5], np.float32), 0, -128, 127)
    layer = IntegerLayer(np.array([[1], [-3]], np.int8), np.array([7], np.int32), p, p, p, "sigmoid", p)
    return IntegerMLP((layer,), first, np.array([1.5, -2.0]), profiles.get("tflite_ref"))


def refused_or_same(load: Any, data: Any, original: Any, path: Any) -> Any:
    """Whether damage is named; anything that loads must be the identical network."""
    path.write_bytes(data)
    try:
        model = load(path)
    except ValueError as error:
        assert str(error).startswith(f"{path}: ")
        return True
    assert encode_model(model) == original
    return False


def law_no_flip_passes(load: Any, model: Any, path: Any) -> None:
    original = encode_model(model)
    refused = 0
    for at in range(len(original)):
        # The eight bits of a byte meet the same checks: the next one at each byte, all of them in turn.
        damaged = bytearray(original)
        damaged[at] ^= 1 << (at % 8)
        refused += refused_or_same(load, bytes(damaged), original, path)
    # What may pass is the zip's own dates, attributes and versions: some 30 bytes a member and a few behind.
    assert refused >= len(original) - 40 * (len(decode_zip(original, "a", max_bytes=1 << 20)) + 1)


@pytest.mark.parametrize("kind", ["small_float", "small_integer"])
def test_no_flipped_bit_passes(kind: Any, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """A file with a bit flipped, at any byte, is refused by name, or is the identical network."""
    law_no_flip_passes(load, request.getfixturevalue(kind), tmp_path / "model.npz")


@given(data=st.data())
def test_no_flips_pass(data: st.DataObject, folder: Any) -> None:
    """Up to three bits flipped anywhere, or a byte put in or taken out: refused, or identical."""
    original = data.draw(st.sampled_from(FILES))
    damaged = bytearray(original)
    for at in data.draw(st.lists(st.integers(0, 8 * len(original) - 1), min_size=1, max_size=3, unique=True)):
        damaged[at // 8] ^= 1 << (at % 8)
    if data.draw(st.booleans()):
        del damaged[data.draw(st.integers(0, len(damaged) - 1))]
    refused_or_same(load, bytes(damaged), original, folder / "model.npz")


FILES = [
    encode_model(FloatMLP((DenseLayer(np.array([[0.5, -1.5]], np.float32), np.zeros(2, np.float32), "identity"),))),
    encode_model(
        IntegerMLP(
            (
                IntegerLayer(
                    np.array([[1], [-3]], np.int8),
                    np.array([7], np.int32),
                    QuantParams(0.5, 0, -128, 127),
                    QuantParams(0.5, 0, -8, 7),
                    QuantParams(0.5, 0, -128, 127),
                    "relu",
                ),
            ),
            QuantParams(0.5, 0, -128, 127),
        )
    ),
]


@pytest.mark.slow
@pytest.mark.parametrize("original", FILES, ids=["float", "integer"])
def test_no_single_flip_passes(original: Any, tmp_path: Path) -> None:
    """Every bit of the file, one after the other."""
    for at in range(8 * len(original)):
        damaged = bytearray(original)
        damaged[at // 8] ^= 1 << (at % 8)
        refused_or_same(load, bytes(damaged), original, tmp_path / "model.npz")


@pytest.mark.parametrize("original", FILES, ids=["float", "integer"])
def test_no_truncation_passes(original: Any, tmp_path: Path) -> None:
    """Every third proper beginning of a file, and the last ones, are refused by name."""
    for length in [*range(0, len(original), 3), *range(len(original) - 30, len(original))]:
        assert refused_or_same(load, original[:length], original, tmp_path / "model.npz")


def test_flip_law_kills_a_reader_without_checks(tmp_path: Path, small_float: Any) -> None:
    """The law fails on a reader that compares neither checksums nor hashes."""

    def unchecked(path: Any) -> Any:
        data = path.read_bytes()
        w0 = np.frombuffer(data, np.float64, 2, encode_model(small_float).index(small_float.layers[0].w.tobytes()))
        w0 = np.nan_to_num(w0).reshape(1, 2)
        return FloatMLP((replace(small_float.layers[0], w=w0), *small_float.layers[1:]))

    with pytest.raises(AssertionError):
        law_no_flip_passes(unchecked, small_float, tmp_path / "model.npz")


def rewritten(model: Any, **changes: Any) -> Any:
    """A file whose manifest says otherwise, with hashes and checksums that are right."""
    members = decode_zip(encode_model(model), "a", max_bytes=1 << 20)
    manifest = json.loads(members["manifest.json"])
    tensors = {name.removesuffix(".npy"): content for name, content in members.items() if name != "manifest.json"}
    for name, value in changes.items():
        if name in tensors:
            tensors[name] = encode_npy(value)
        else:
            manifest[name] = value
    if "tensors" not in changes:
        manifest["tensors"] = {name: sha256(content).hexdigest() for name, content in tensors.items()}
    text = json.dumps(manifest).encode()
    return encode_zip({"manifest.json": text, **{f"{name}.npy": content for name, content in tensors.items()}})


@pytest.mark.parametrize(
    "changes",
    [
        {"schema": "npquant.model/2"}, {"kind": "Pipeline"}, {"kind": "FloatMLP"}, {"kind": []},
        {"tensors": {}}, {"tensors": []}, {"network": np.zeros(2, np.uint8)}, {"network": np.zeros((1, 9), np.uint8)},
        {"network": np.frombuffer(b"NPQ" + bytes(9), np.int8)}, {"network": np.zeros(0, np.uint8)},
    ],
)  # fmt: skip
def test_a_zip_that_holds_no_network_is_refused(changes: Any, tmp_path: Path, small_integer: Any) -> None:
    """Manifests and tensors that fit their hashes and hold no integer network are refused by name, at once."""
    path = tmp_path / "model.npz"
    path.write_bytes(rewritten(small_integer))
    assert load(path) == small_integer
    path.write_bytes(rewritten(small_integer, **changes))
    with pytest.raises(FormatError, match="^" + re.escape(f"{path}: ")):
        load(path)


@pytest.mark.parametrize(
    "changes",
    [
        {"activations": ["relu"]}, {"activations": "ti"}, {"activations": [1, 2]},
        {"activations": ["swish", "identity"]},
        {"activations": []}, {"w0": np.array([[np.nan, 0.0]])}, {"w0": np.zeros((1, 3))}, {"b1": np.zeros(1, np.int64)},
        {"w1": np.zeros((3, 1))}, {"kind": "IntegerMLP"}, {"b0": np.array(["a", "b"])},
    ],
)  # fmt: skip
def test_a_file_that_describes_no_float_network_is_refused(changes: Any, tmp_path: Path, small_float: Any) -> None:
    """The same for float networks."""
    path = tmp_path / "model.npz"
    path.write_bytes(rewritten(small_float, **changes))
    with pytest.raises(FormatError, match="^" + re.escape(f"{path}: ")):
        load(path)


class Touch:
    """Unpickling this makes a file."""

    def __init__(self, path: Any) -> None:
        self.path = str(path)

    def __reduce__(self) -> Any:
        return (open, (self.path, "w"))


def test_pickles_bombs_and_strangers_are_refused(tmp_path: Path, small_float: Any) -> None:
    """Object arrays, bombs, deep JSON, strange members and other npz files are refused; nothing is unpickled."""
    path, touched = tmp_path / "model.npz", tmp_path / "touched"
    stream = io.BytesIO()
    np.save(stream, np.array([Touch(touched)], object), allow_pickle=True)
    pickled = stream.getvalue()
    members = decode_zip(encode_model(small_float), "a", max_bytes=1 << 20)
    manifest = json.loads(members["manifest.json"])
    manifest["tensors"]["w0"] = sha256(pickled).hexdigest()
    text = json.dumps(manifest).encode()
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("manifest.json", b" " * (1 << 22))
    plain = io.BytesIO()
    np.savez(plain, x=np.zeros(3))
    for data in (
        encode_zip({**members, "manifest.json": text, "w0.npy": pickled}),
        pickled, plain.getvalue(), bomb.getvalue(), b"", b"hello",
        encode_zip({"manifest.json": b"[" * 100_000}), encode_zip({"manifest.json": b" " * (2 << 20)}),
        encode_zip({"manifest.json": b"\xff\xfe"}), encode_zip({"manifest.json": b"[]"}),
        encode_zip({**members, "more.npy": members["w0.npy"]}), encode_zip({**members, "../x": b""}),
    ):  # fmt: skip
        path.write_bytes(data)
        with pytest.raises(FormatError, match="^" + re.escape(f"{path}: ")):
            load(path)
    assert not touched.exists()
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "nothing.npz")
    with pytest.raises(FormatError, match="regular file"):
        load(tmp_path)


def test_file_is_an_npz_that_states_its_versions(tmp_path: Path, small_float: Any) -> None:
    """Z1, Z2: numpy.load reads the arrays; L1: the manifest stands first; L2: versions, hashes; L3: names; no clock."""
    path = tmp_path / "model.npz"
    save(small_float, path)
    with np.load(path, allow_pickle=False) as arrays:
        assert arrays["w0"].tobytes() == small_float.layers[0].w.tobytes()
    members = decode_zip(path.read_bytes(), "a", max_bytes=1 << 20)
    manifest = json.loads(members["manifest.json"])
    assert list(members) == ["manifest.json", "w0.npy", "b0.npy", "w1.npy", "b1.npy"]
    assert manifest["schema"] == layouts.SCHEMA and manifest["npquant"] == npquant.__version__
    assert manifest["numerics"] == npquant.numerics_version
    assert manifest["tensors"]["w0"] == sha256(members["w0.npy"]).hexdigest()
    assert decode_npy(members["b1.npy"], "b1").tolist() == [-1.0]


def test_load_recognizes_a_file_by_its_first_bytes(tmp_path: Path, small_float: Any, small_integer: Any) -> None:
    """The name decides how a network is written, and nothing about how it is read."""
    for model, name in (
        (small_integer, "a.npz"),
        (small_integer, "b.NPZ"),
        (small_integer, "c.npq"),
        (small_float, "d"),
    ):
        save(model, tmp_path / name)
        os.rename(tmp_path / name, tmp_path / "renamed.bin")
        (assert_same_float if model is small_float else assert_same_integer)(load(tmp_path / "renamed.bin"), model)
        starts = (tmp_path / "renamed.bin").read_bytes()[:3]
        assert starts == (b"NPQ" if name == "c.npq" else b"PK\3")


def test_zip_holds_the_bare_container(tmp_path: Path, small_integer: Any) -> None:
    """Z2: the npz's one array is the npq file, so that there is one layout for both; NumPy opens it."""
    save(small_integer, tmp_path / "a.npz")
    save(small_integer, tmp_path / "a.npq")
    with np.load(tmp_path / "a.npz", allow_pickle=False) as arrays:
        assert arrays["network"].tobytes() == (tmp_path / "a.npq").read_bytes()
    zipped, bare = (itemize(tmp_path / name) for name in ("a.npz", "a.npq"))
    assert zipped[2:] == bare and [part.name for part in zipped[:2]] == ["zip", "manifest"]
    assert itemize(encode_model(small_integer, "auto", "npq")) == bare


@pytest.mark.parametrize("encoding", ["dense", "bitmask", "relative", "arithmetic"])
def test_save_takes_the_encoding_by_name(encoding: Any, tmp_path: Path, small_integer: Any) -> None:
    """The layers are encoded as asked for, in either container, and no way is shorter than "auto"."""
    for suffix in ("npz", "npq"):
        save(small_integer, tmp_path / f"a.{suffix}", encoding)
        assert_same_integer(load(tmp_path / f"a.{suffix}"), small_integer)
        forms = [part.encoding for part in itemize(tmp_path / f"a.{suffix}") if part.name == "weights"]
        assert all(form.startswith(encoding) for form in forms)
        size = (tmp_path / f"a.{suffix}").stat().st_size
        assert size == len(encode_model(small_integer, encoding, suffix))
        assert size >= len(encode_model(small_integer, "auto", suffix))


def test_encodings_are_for_integer_networks(small_float: Any, small_integer: Any) -> None:
    """An encoding or the bare container for a float network, and unknown ones, are refused with a way out."""
    for arguments in (("dense", "npz"), ("auto", "npq")):
        with pytest.raises(ValueError, match="quantize the float network first"):
            encode_model(small_float, *arguments)
    with pytest.raises(ValueError, match="unknown container 'zip'"):
        encode_model(small_integer, "auto", "zip")
    with pytest.raises(ValueError, match="unknown encoding 'huffman'"):
        encode_model(small_integer, "huffman")


def test_save_refuses_other_things_and_unknown_arithmetic(tmp_path: Path, small_integer: Any) -> None:
    """Only networks are saved, and only under a profile that can be found again; nothing is left behind."""
    with pytest.raises(TypeError, match="a FloatMLP, an IntegerMLP or a DynamicMLP"):
        save({"w": 1}, tmp_path / "a.npz")
    p = small_integer.layers[0].x
    own = IntegerMLP(small_integer.layers, p, None, replace(NPQUANT, version="mine"))
    with pytest.raises(ValueError, match="cannot be stored by name"):
        save(own, tmp_path / "a.npz")
    assert os.listdir(tmp_path) == []


def fail_with(error: Any) -> Any:
    def fail(*args: Any) -> None:
        raise error

    return fail


NO_SPACE = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "somewhere else")


def law_atomic(write: Any, folder: Any, monkeypatch: pytest.MonkeyPatch, call: Any, error: Any) -> None:
    """The old content stays, no other file does, and an OSError names the file that was asked for."""
    path = folder / "model.npz"
    path.write_bytes(b"old")
    with monkeypatch.context() as patched:
        patched.setattr(os, call, fail_with(error))
        with pytest.raises(type(error)) as caught:
            write(path, b"new content")
    assert path.read_bytes() == b"old"
    assert os.listdir(folder) == ["model.npz"]
    if isinstance(error, OSError):
        assert caught.value.errno == error.errno and caught.value.filename == str(path)
    write(path, b"new content")
    assert path.read_bytes() == b"new content" and os.listdir(folder) == ["model.npz"]


@pytest.mark.parametrize("call", ["fsync", "replace"])
@pytest.mark.parametrize("error", [NO_SPACE, KeyboardInterrupt(), MemoryError()], ids=["full", "ctrl-c", "memory"])
def test_write_atomically_is_whole_or_not_at_all(
    call: Any, error: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Z4: a full disk and Ctrl-C, before and at the renaming, leave the old file and nothing beside it."""
    law_atomic(write_atomically, tmp_path, monkeypatch, call, error)


def test_atomic_law_kills_wrong_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The law fails on writing in place, and on a temporary file that is cleared away after OSErrors only."""

    def in_place(path: Any, data: Any) -> None:
        with open(path, "wb") as stream:
            stream.write(data)
            os.fsync(stream.fileno())

    def careless(path: Any, data: Any) -> None:
        temporary = path.with_suffix(".tmp")
        try:
            temporary.write_bytes(data)
            os.replace(temporary, path)
        except OSError as error:
            temporary.unlink()
            raise OSError(error.errno, error.strerror, str(path)) from error

    for wrong, call, error in ((in_place, "fsync", NO_SPACE), (careless, "replace", KeyboardInterrupt())):
        with pytest.raises(AssertionError):
            law_atomic(wrong, tmp_path, monkeypatch, call, error)


def test_write_atomically_flushes_before_it_renames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Z4: the content is on the disk before its name points at it."""
    calls = []
    for name in ("fsync", "replace"):
        real = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *args, real=real, name=name: (calls.append(name), real(*args))[1])  # type: ignore[func-returns-value]
    write_atomically(tmp_path / "a", b"1")
    assert calls == ["fsync", "replace"]


def test_write_atomically_follows_links_and_names_what_it_cannot_write(tmp_path: Path) -> None:
    """A link stays one; a missing folder and a folder in the file's place are named as they were given."""
    (tmp_path / "real").write_bytes(b"old")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    write_atomically(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "real").read_bytes() == b"new"
    with pytest.raises(FileNotFoundError) as caught:
        write_atomically(tmp_path / "missing" / "a.npz", b"1")
    assert caught.value.filename == str(tmp_path / "missing" / "a.npz")
    (tmp_path / "folder").mkdir()
    with pytest.raises(ValueError, match=re.escape(f"{tmp_path / 'folder'}: exists and is no regular file")):
        write_atomically(tmp_path / "folder", b"1")
    assert sorted(os.listdir(tmp_path)) == ["folder", "link", "real"]
