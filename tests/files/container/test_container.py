"""Laws of the container (N1 to N6): every network back, few bytes beside the numbers, nothing believed."""

import tracemalloc
import zlib
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import npquant
from npquant import profiles
from npquant.codec.byte_fields import ByteReader, text, varint
from npquant.codec.integer_stream import encode_integers
from npquant.codec.weight_stream import ENCODINGS, FORMS
from npquant.files.container import layout
from npquant.files.container.decode import decode_container
from npquant.files.container.encode import encode_container
from npquant.files.container.layout import ACTIVATIONS, allowed_steps, decoding_steps
from npquant.files.container.params import decode_params, encode_params
from npquant.files.format_error import FormatError
from npquant.integer.layer import IntegerLayer
from npquant.integer.mlp import IntegerMLP
from npquant.kernels.activation_bounds import CLAMPS
from npquant.kernels.lookup import FUNCTIONS
from npquant.kernels.qparams import QuantParams
from npquant.profiles.npquant import NPQUANT

P = QuantParams(0.5, 0, -128, 127)


@st.composite
def params(draw: st.DrawFn, channels: Any = 1) -> Any:
    """Any parameters inside int8: arrays of scales or zero points, odd intervals."""
    qmin, qmax = sorted(draw(st.lists(st.integers(-128, 127), min_size=2, max_size=2, unique=True)))
    bits = draw(st.integers(2, 8))
    grid = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1)
    qmin, qmax = draw(st.sampled_from([(qmin, qmax), grid, (grid[0] + 1, grid[1])]))
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    many_scales, many_points = (draw(st.booleans()) and channels > 1 for _ in range(2))
    scale = rng.uniform(1e-3, 9, channels) if many_scales else rng.uniform(1e-3, 9)
    point = rng.integers(qmin, qmax + 1, channels) if many_points else int(rng.integers(qmin, qmax + 1))
    if not many_points and qmin <= 0 <= qmax:
        point = draw(st.sampled_from([0, qmin, point]))
    return QuantParams(scale, point, qmin, qmax)


def same_params(a: Any, b: Any) -> Any:
    shapes = [(np.shape(p.scale), np.shape(p.zero_point)) for p in (a, b)]
    return a == b and shapes[0] == shapes[1]


@given(params(channels=5), st.binary(max_size=5))
def test_params_read_back(drawn: Any, rest: Any) -> None:
    """N5: scales, zero points, shapes and any interval; nothing behind them is read."""
    reader = ByteReader(encode_params(drawn) + rest)
    assert same_params(decode_params(reader, 5, str), drawn) and reader.left == len(rest)


def test_arrays_of_scales_share_their_exponents() -> None:
    """N5: equal scales take next to nothing, scales within a factor of 4 about 25 bits of their 32."""
    rng = np.random.default_rng(0)
    one = len(encode_params(QuantParams(0.1, 0, -8, 7)))
    assert len(encode_params(QuantParams(np.full(200, 0.1), 0, -8, 7))) < one + 12
    assert len(encode_params(QuantParams(rng.uniform(0.01, 0.04, 200), 0, -8, 7))) < one + 200 * 26 / 8
    reader = ByteReader(encode_params(QuantParams(np.array([1.0, 2.0]), 0, -8, 7))[:1] + b"\xff" * 4 + bytes([1, 0]))
    with pytest.raises(ValueError, match="no positive float32"):
        decode_params(reader, 1, str)


@st.composite
def networks(draw: st.DrawFn) -> Any:
    """Any network of up to three layers: every option of the record, every density."""
    widths = draw(st.lists(st.integers(1, 12), min_size=2, max_size=4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    x = first = draw(params())
    layers = []
    for k, n in pairwise(widths):
        name = draw(st.sampled_from(ACTIVATIONS))
        w = draw(params(channels=n))
        dense = rng.random((k, n)) < draw(st.sampled_from([0.0, 0.1, 1.0]))
        w_q = np.where(dense, rng.integers(w.qmin, w.qmax + 1, (k, n)), w.zero_point).astype(np.int8)
        bias = (rng.integers(-(2**20), 2**20, n) << int(rng.integers(0, 5))).astype(np.int32)
        pre = replace_interval(draw(params())) if name in FUNCTIONS else None
        layers.append(IntegerLayer(w_q, bias, x, w, draw(params()), name, pre))
        x = layers[-1].y
    if draw(st.booleans()):
        first = QuantParams(rng.uniform(0.01, 9, widths[0]), first.zero_point, first.qmin, first.qmax)
    offset = draw(st.sampled_from([None, rng.normal(0, 5, widths[0]), rng.normal(0, 5, widths[0]).astype(np.float32)]))
    return IntegerMLP(tuple(layers), first, offset, draw(st.sampled_from(PROFILES)))


def replace_interval(drawn: Any) -> Any:
    """A table reads 8-bit codes."""
    return QuantParams(drawn.scale, drawn.zero_point, -128, 127)


PROFILES = [NPQUANT, profiles.get("tflite_ref"), profiles.get("ort")]


def law_reads_back(encode: Any, decode: Any, model: Any, encoding: Any) -> None:
    data = encode(model, encoding)
    back, parts = decode(data)[:2]
    assert back == model and back.profile is model.profile
    assert same_params(back.input_params, model.input_params)
    assert all(same_params(a.w, b.w) for a, b in zip(back.layers, model.layers, strict=True))
    if model.input_offset is not None:
        assert back.input_offset.tobytes() == model.input_offset.tobytes()
    assert sum(part.n_bytes for part in parts) == len(data)
    assert [p.layer for p in parts if p.name == "weights"] == list(range(len(model.layers)))
    if encoding in ENCODINGS[1:]:
        assert all(p.encoding.startswith(encoding) for p in parts if p.name == "weights")
    assert encode(back, encoding) == data


@given(networks(), st.sampled_from(["auto", *ENCODINGS]))
def test_container_reads_back(model: Any, encoding: Any) -> None:
    """decode(encode(model)) is the model in every encoding; the parts sum to the file; the bytes come again."""
    law_reads_back(encode_container, decode_container, model, encoding)


def small(activation: str = "identity", profile: Any = NPQUANT, first: Any = P, offset: Any = None) -> Any:
    pre = P if activation in FUNCTIONS else None
    layer = IntegerLayer(np.array([[1], [-3]], np.int8), np.array([7], np.int32), P, P, P, activation, pre)
    return IntegerMLP((layer,), first, offset, profile)


@pytest.mark.parametrize("profile", profiles.names())
def test_container_of_every_profile(profile: Any) -> None:
    """Every engine's arithmetic is found again."""
    law_reads_back(encode_container, decode_container, small(profile=profiles.get(profile)), "auto")


@pytest.mark.parametrize("activation", [*CLAMPS, *FUNCTIONS])
def test_container_of_every_activation(activation: str) -> None:
    """Every activation of an integer layer has its number."""
    law_reads_back(encode_container, decode_container, small(activation), "auto")


def test_law_kills_wrong_ones() -> None:
    """The law fails on a container that forgets the offset, narrows it, or forgets the profile or a part."""
    model = small(profile=profiles.get("ort"), offset=np.array([0.1, -2.0]))

    def changed(**changes: Any) -> Any:
        return lambda m, e: encode_container(
            IntegerMLP(m.layers, m.input_params, **{"profile": m.profile, **changes}), e
        )

    for wrong in (changed(), changed(input_offset=np.float32([0.1, -2.0])), changed(profile=NPQUANT)):
        with pytest.raises((AssertionError, TypeError, AttributeError)):
            law_reads_back(wrong, decode_container, model, "auto")
    with pytest.raises(AssertionError):
        law_reads_back(encode_container, lambda d: (decode_container(d)[0], decode_container(d)[1][:-1]), model, "auto")


def lenet(seed: int = 0, density: Any = 0.02, widths: Any = (784, 300, 100, 10)) -> Any:
    """LeNet-300-100, or another, with one scale a layer, and so many weights left."""
    rng, layers, x = np.random.default_rng(seed), [], QuantParams(1 / 255, -128, -128, 127)
    first = x
    for k, n in pairwise(widths):
        keep = rng.random((k, n)) < density
        w_q = np.where(keep, rng.integers(1, 8, (k, n)) * rng.choice([-1, 1], (k, n)), 0).astype(np.int8)
        y = QuantParams(0.03, -128, -128, 127)
        bias = rng.integers(-1000, 1000, n).astype(np.int32)
        layers.append(IntegerLayer(w_q, bias, x, QuantParams(0.1, 0, -8, 7), y, "relu"))
        x = y
    return IntegerMLP(tuple(layers), first)


def law_wastes_nothing(encode: Any, model: Any) -> None:
    """Beside weights and biases, header, parameters, scales and checksum take less than 100 bytes."""
    data = encode(model)
    parts = decode_container(data)[1]
    rest = [part for part in parts if part.name not in ("weights", "biases")]
    assert sum(part.n_bytes for part in rest) < 100
    assert {part.name for part in rest} == {"header", "offset", "parameters", "scales", "checksum"}


def test_container_takes_few_bytes_beside_the_numbers() -> None:
    """A LeNet-300-100: under 100 bytes; the law fails with a scale a neuron, three bytes each."""
    model = lenet(density=0.002)
    law_wastes_nothing(encode_container, model)
    many = replace(model.layers[0], w=QuantParams(np.geomspace(0.1, 0.2, 300), 0, -8, 7))
    with pytest.raises(AssertionError):
        law_wastes_nothing(lambda m: encode_container(IntegerMLP((many, *m.layers[1:]), m.input_params)), model)


def test_container_states_its_versions() -> None:
    """N1: magic, container version, kind and numerics version stand in front; CRC-32 at the end."""
    data = encode_container(small(profile=profiles.get("ort")))
    head = b"NPQ\1\1" + text(npquant.numerics_version) + text("ort") + varint(2) + varint(1)
    assert data.startswith(head)
    assert data[-4:] == zlib.crc32(data[:-4]).to_bytes(4, "little")


def sealed(content: Any) -> Any:
    """Content under a CRC-32 that is right."""
    return bytes(content) + zlib.crc32(bytes(content)).to_bytes(4, "little")


def test_container_of_another_version_is_refused_or_warned_of() -> None:
    """Another container version or kind is refused by number; another numerics version warns of other outputs."""
    content = bytearray(encode_container(small())[:-4])
    for at, value in ((3, 3), (4, 5)):
        other = bytearray(content)
        other[at] = value
        with pytest.raises(ValueError, match="this npquant reads versions 1 and 2, kinds 1 to 4"):
            decode_container(sealed(other))
    assert content[5:7] == text(npquant.numerics_version)
    content[6] = ord("x")
    with pytest.warns(UserWarning, match="numerics 'x'"):
        assert decode_container(sealed(content))[0] == small()
    content[6] = ord("1")  # under which npquant's own profile answered as it does now, and others did not
    assert decode_container(sealed(content))[0] == small()
    engines = bytearray(encode_container(small(profile=profiles.get("tflite_ref")))[:-4])
    engines[6] = ord("1")
    with pytest.warns(UserWarning, match="numerics '1', this npquant has '2'"):
        decode_container(sealed(engines))
    for other in (b"", b"NPQ", b"PK\3\4" + bytes(20)):  # type: ignore[assignment]
        with pytest.raises(ValueError, match="not an npquant container"):
            decode_container(other)


FILES = [
    encode_container(small("sigmoid", offset=np.array([0.1, 2.0]))),
    encode_container(small(first=QuantParams(np.array([0.25, 0.5]), 0, -128, 127), profile=profiles.get("ort"))),
    *(encode_container(lenet(0, 0.1, (40, 30, 10)), encoding) for encoding in ENCODINGS),
]


@pytest.mark.filterwarnings("ignore:the network was written under numerics")
@given(st.sampled_from(FILES), st.data())
def test_any_damage_under_a_right_checksum_is_a_network_or_refused(data: st.DataObject, drawn: Any) -> None:
    """Flipped bits, bytes put in, taken out, and cut off, under a right CRC-32: a network, or the one error."""
    content = bytearray(data[:-4])  # type: ignore[index]
    for _ in range(drawn.draw(st.integers(1, 3))):
        # Half of the damage goes to the beginning, where lengths and shapes stand.
        at = drawn.draw(st.one_of(st.integers(0, min(60, len(content) - 1)), st.integers(0, len(content) - 1)))
        kind = drawn.draw(st.integers(0, 3))
        if kind == 0:
            content[at] ^= 1 << drawn.draw(st.integers(0, 7))
        elif kind == 1:
            content[at] = drawn.draw(st.integers(0, 255))
        elif kind == 2:
            content.insert(at, drawn.draw(st.integers(0, 255)))
        elif len(content) > 9:
            del content[at : at + drawn.draw(st.integers(1, 3))]
    try:
        model, parts, _ = decode_container(sealed(content))
    except FormatError as error:
        assert str(error).startswith("bytes: ")
    else:
        assert isinstance(model, IntegerMLP) and sum(p.n_bytes for p in parts) == len(content) + 4


@pytest.mark.parametrize("data", FILES[:2], ids=["table", "by feature"])
def test_every_flip_and_every_cut_is_refused(data: Any) -> None:
    """Without a right checksum no single flipped bit and no proper beginning passes."""
    for at in range(8 * len(data)):
        damaged = bytearray(data)
        damaged[at // 8] ^= 1 << (at % 8)
        with pytest.raises(FormatError):
            decode_container(bytes(damaged))
    for length in range(len(data)):
        with pytest.raises(FormatError):
            decode_container(data[:length])


@given(st.binary(max_size=200))
def test_garbage_is_refused(data: Any) -> None:
    """Random bytes, with and without the magic and a right checksum, are refused."""
    for content in (data, b"NPQ\1\1" + data):
        for whole in (content, sealed(content)):
            with pytest.raises(FormatError):
                decode_container(whole)


def claim(k: Any, n: Any, form: Any, stream: Any = b"\1\0") -> Any:
    """A file of a few bytes that claims one large layer."""
    head = b"NPQ\1\1" + text(npquant.numerics_version) + text("") + varint(k) + varint(1) + b"\0" + encode_params(P)
    biases = encode_integers(np.zeros(min(n, 1 << 12), np.int32))
    layer = varint(n) + b"\0" + 2 * encode_params(P) + varint(len(biases)) + biases
    return sealed(head + layer + bytes([FORMS.index(form)]) + varint(len(stream)) + stream)


def law_is_bounded(decode: Any) -> None:
    for k, n in ((1 << 34, 1 << 34), (1 << 34, 1), (1, 1 << 34), (1 << 20, 1 << 10), (100_000, 1)):
        for form in ("arithmetic", "relative2", "bitmask1", "ternary", "dense8", "oriented2"):
            tracemalloc.start()
            try:
                with pytest.raises(FormatError):
                    decode(claim(k, n, form))
                assert tracemalloc.get_traced_memory()[1] < 1 << 20
            finally:
                tracemalloc.stop()


def law_is_refused_in_little_memory(decode: Any, data: Any) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(FormatError):
            decode(data)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


FORMS_OF_LITTLE = ("arithmetic", "relative2", "bitmask1", "ternary", "dense8", "oriented2")


@pytest.mark.parametrize("form", FORMS_OF_LITTLE)
@pytest.mark.parametrize(
    ("k", "n"), [(1 << 34, 1 << 34), (1 << 30, 1), (1 << 34, 1), (1, 1 << 34), (1 << 20, 1 << 10), (100_000, 1)]
)
def test_a_small_file_claims_no_large_layer(form: Any, k: Any, n: Any) -> None:
    """N6: files of 40 bytes that claim up to 2^68 weights are refused before memory is taken."""
    law_is_refused_in_little_memory(decode_container, claim(k, n, form))


def test_bound_kills_a_reader_that_believes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The law fails on a reader without N6."""
    monkeypatch.setattr("npquant.files.container.decode.decoding_steps", lambda k, n: 0)
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        law_is_refused_in_little_memory(decode_container, claim(1 << 11, 1 << 12, "relative2", b"\1\0"))


def test_large_layers_of_zeros_are_packed_densely(monkeypatch: pytest.MonkeyPatch) -> None:
    """N6: "auto" falls back to dense where so few bytes may not stand for so many steps; by name it is an error."""
    zeros = IntegerLayer(np.zeros((90, 60), np.int8), np.zeros(60, np.int32), P, P, P, "relu")
    model = IntegerMLP((zeros,), P)
    assert len(encode_container(model)) < 60
    monkeypatch.setattr(layout, "_FREE_STEPS", 0)
    monkeypatch.setattr(layout, "_STEPS_PER_BYTE", 100)
    data = encode_container(model)
    assert decode_container(data)[1][-2].encoding == "ternary"
    assert decoding_steps(90, 60) <= allowed_steps(len(data))
    for encoding in ("relative", "arithmetic"):
        with pytest.raises(ValueError, match="use encoding='dense'"):
            encode_container(model, encoding)


def test_wide_layers_work() -> None:
    """Layers of more than 65,535 inputs or outputs are read back."""
    rng = np.random.default_rng(0)
    for k, n in ((70_000, 1), (1, 70_000)):
        w_q = rng.integers(-8, 8, (k, n)).astype(np.int8)
        layer = IntegerLayer(w_q, np.zeros(n, np.int32), P, QuantParams(0.5, 0, -8, 7), P, "relu")
        model = IntegerMLP((layer,), P)
        for encoding in ("dense", "relative"):
            law_reads_back(encode_container, decode_container, model, encoding)


def test_container_refuses_unknown_encodings_and_arithmetic() -> None:
    """An unknown encoding is named, and so is a profile that could not be found again."""
    with pytest.raises(ValueError, match="unknown encoding 'zip'"):
        encode_container(small(), "zip")
    with pytest.raises(ValueError, match="cannot be stored by name"):
        encode_container(small(profile=replace(NPQUANT, version="mine")))
    content = encode_container(small(profile=profiles.get("ort")))[:-4].replace(b"ort", b"orx")
    with pytest.raises(ValueError, match="orx"):
        decode_container(sealed(content))
