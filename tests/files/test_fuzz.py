"""Files of npquant's own formats that lie: each is the same network, or the one error that names file and place."""

import io
import json
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from hashlib import sha256

import numpy as np
import pytest

from npquant import profiles
from npquant.files.archive import decode_zip, encode_zip
from npquant.files.facts import Facts
from npquant.files.format_error import FormatError
from npquant.files.reading import StoredNetwork, decode_network
from npquant.files.storage import encode_model
from npquant.integer.layer import IntegerLayer
from npquant.integer.mlp import IntegerMLP
from npquant.kernels.qparams import QuantParams
from npquant.nn.model import DenseLayer, FloatMLP
from tests.interop.mutations import judge, mutated

NAME = "liar.npz"
P = QuantParams(0.5, 0, -128, 127)
ENCODINGS = ("dense", "bitmask", "relative", "arithmetic")


def float_network() -> FloatMLP:
    """Draw a float network of three layers."""
    rng = np.random.default_rng(0)
    widths, names = (5, 7, 4, 3), ("softplus", "identity", "relu")
    layers = [
        DenseLayer(rng.normal(size=(k, n)).astype(np.float32), rng.normal(size=n).astype(np.float32), name)
        for k, n, name in zip(widths, widths[1:], names, strict=False)
    ]
    return FloatMLP(tuple(layers))


def integer_network(seed: int) -> IntegerMLP:
    """Draw a small integer network: scales a neuron, a table, by seed an offset, a scale a feature, another profile."""
    rng = np.random.default_rng(seed)
    x = QuantParams(1 / 255, -128, -128, 127)
    first = QuantParams(rng.uniform(0.1, 1, 3).astype(np.float32), -128, -128, 127) if seed == 1 else x
    layers = []
    for k, n, name in ((3, 4, "relu"), (4, 2, "softplus")):
        w_q = (rng.integers(-7, 8, (k, n)) * (rng.random((k, n)) < 0.6)).astype(np.int8)
        w = QuantParams(rng.uniform(0.01, 0.1, n).astype(np.float32), 0, -8, 7)
        bias = rng.integers(-900, 900, n).astype(np.int32)
        layers.append(IntegerLayer(w_q, bias, x, w, P, name, None if name == "relu" else P))
        x = P
    offset = rng.normal(size=3) if seed == 2 else None
    return IntegerMLP(tuple(layers), first, offset, profiles.get("ort" if seed == 3 else "npquant"))


def network_of_real_outputs() -> IntegerMLP:
    """Give the outputs of an integer network offsets and factors, which is kind 2 of the container."""
    return replace(integer_network(2), output_offset=np.array([-1.5, 1e6]), output_factor=np.array([0.75, 3.0]))


KNOWN = Facts(("age", "größe", "x2"), None, "price", "0f" * 32, {"age": {"fill": 1.5}})
FILES = {
    "float npz": encode_model(float_network()),
    "integer npz": encode_model(integer_network(0)),
    **{f"npq {encoding}": encode_model(integer_network(i), encoding, "npq") for i, encoding in enumerate(ENCODINGS)},
    "npz with ends and facts": encode_model(network_of_real_outputs(), "auto", "npz", KNOWN),
    "npq with ends and facts": encode_model(network_of_real_outputs(), "dense", "npq", KNOWN),
}


def numbers(model: object) -> list[bytes]:
    """Return all that a float network computes with; an integer network compares by itself."""
    assert isinstance(model, FloatMLP)
    return [part.tobytes() for layer in model.layers for part in (layer.w, layer.b)]


def same(one: object, two: object) -> bool:
    """Say whether two networks are one, and as much is known of their data."""
    if isinstance(one, StoredNetwork) and isinstance(two, StoredNetwork):
        return same(one.model, two.model) and one.facts == two.facts
    if isinstance(one, FloatMLP) and isinstance(two, FloatMLP):
        return one.activation_names == two.activation_names and numbers(one) == numbers(two)
    return one == two


def law_same_or_the_one_error(data: Iterator[bytes], original: bytes, read: Callable[[bytes, str], object]) -> int:
    """Where nothing vouches anew for damaged bytes, what loads is the network that was written; counts refusals."""
    wanted, refused = read(original, NAME), 0
    for i, copy in enumerate(data):
        loaded: list[object] = []
        if judge(lambda content, loaded=loaded: loaded.append(read(content, NAME)), copy, NAME, traced=i % 10 == 0):  # type: ignore[misc]
            assert same(loaded[0], wanted)
        else:
            refused += 1
    return refused


def read_quietly(data: bytes, name: str) -> object:
    """Decode a network; a mutant may have another numerics version, which is a warning and no error."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "the network was written under numerics")
        return decode_network(data, name)


@pytest.mark.parametrize("original", FILES.values(), ids=list(FILES))
def test_damaged_files_are_the_same_network_or_refused(original: bytes) -> None:
    """Bytes changed, cut, doubled, zeroed and blown up: CRC-32 and SHA-256 let nothing pass that is another network."""
    copies = mutated(original, np.random.default_rng(0), 500)
    assert law_same_or_the_one_error(copies, original, read_quietly) > 400


@pytest.mark.slow
@pytest.mark.parametrize("original", FILES.values(), ids=list(FILES))
def test_many_damaged_files_are_the_same_network_or_refused(original: bytes) -> None:
    """The same, 10^5 files a format."""
    copies = mutated(original, np.random.default_rng(1), 100_000 if original[:2] == b"PK" else 25_000)
    assert law_same_or_the_one_error(copies, original, read_quietly)


def test_damage_law_kills_a_reader_that_compares_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the CRC-32 of the container some damage passes as another network."""
    monkeypatch.setattr("npquant.files.container.decode.zlib.crc32", lambda content: 0)
    original = FILES["npq dense"][:-4] + bytes(4)
    endings = (copy[:-4] + bytes(4) for copy in mutated(original, np.random.default_rng(0), 300))
    with pytest.raises(AssertionError):
        law_same_or_the_one_error(endings, original, read_quietly)


# ------------------------------------------------------------------------- damage that somebody vouches for


def sealed(content: bytes) -> bytes:
    """A container whose CRC-32 is right."""
    return content + zlib.crc32(content).to_bytes(4, "little")


def vouched(members: dict[str, bytes]) -> bytes:
    """A zip whose manifest has the right hashes of whatever its members hold."""
    text = members["manifest.json"]
    arrays = {name: content for name, content in members.items() if name != "manifest.json"}
    try:
        manifest = json.loads(text)
        manifest["tensors"] = {n.removesuffix(".npy"): sha256(content).hexdigest() for n, content in arrays.items()}
        text = json.dumps(manifest).encode("utf-8", "surrogatepass")
    except (ValueError, TypeError, KeyError):
        pass  # not a manifest any more: it stays as the mutation left it
    return encode_zip({"manifest.json": text, **arrays})


def forged(original: bytes, rng: np.random.Generator, count: int) -> Iterator[bytes]:
    """Mutate what stands behind the checksums, and make them right again."""
    if original[:2] != b"PK":
        yield from (sealed(copy) for copy in mutated(original[:-4], rng, count))
        return
    members = decode_zip(original, NAME, max_bytes=len(original))
    names = list(members)
    for _ in range(count):
        name = names[int(rng.integers(0, len(names)))]
        yield vouched({**members, name: next(mutated(members[name], rng, 1))})


def forgeries_read(original: bytes, seed: int, count: int) -> int:
    """Judge so many forgeries; count those that are a network."""
    copies = enumerate(forged(original, np.random.default_rng(seed), count))
    return sum(judge(lambda data: read_quietly(data, NAME), copy, NAME, traced=i % 10 == 0) for i, copy in copies)


@pytest.mark.parametrize("original", FILES.values(), ids=list(FILES))
def test_forged_files_are_a_network_or_refused(original: bytes) -> None:
    """Under right checksums damage is some network, or the one error; never another exception, never much memory."""
    found = forgeries_read(original, 2, 400)
    assert 0 < found < 400


@pytest.mark.slow
@pytest.mark.parametrize("original", FILES.values(), ids=list(FILES))
def test_many_forged_files_are_a_network_or_refused(original: bytes) -> None:
    """The same, 10^5 files a format."""
    assert forgeries_read(original, 3, 100_000 if original[:2] == b"PK" else 25_000)


def test_the_error_names_the_place_in_a_container() -> None:
    """Layer and field stand in the error of a forged container, and as attributes."""
    places = set()
    for encoding, original in list(FILES.items())[2:]:
        for copy in forged(original, np.random.default_rng(4), 200):
            try:
                read_quietly(copy, NAME)
            except FormatError as error:
                assert error.file == NAME, encoding
                places.add(error.place)
    fields = [f"layer {i}, {field}" for i in range(2) for field in ("parameters", "biases", "weights")]
    assert {"header", "layer 0", *fields, "output ends", "facts"} <= places


# ------------------------------------------------------------------------------------------------- hostile zips


def zipped(*members: tuple[str, bytes]) -> bytes:
    """Write a zip as zipfile does, a name twice if it is given twice."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the name that is written twice on purpose
        for name, content in members:
            archive.writestr(name, content)
    return stream.getvalue()


def hostile_zips() -> Iterator[tuple[str, bytes]]:
    """Yield zips that are made to hurt, each with what it does."""
    members = decode_zip(FILES["float npz"], NAME, max_bytes=1 << 20)
    text, w0 = members["manifest.json"], members["w0.npy"]
    yield "bomb", zipped(("manifest.json", text), ("w0.npy", bytes(1 << 24)))
    yield "bomb in the manifest", zipped(("manifest.json", b" " * (1 << 24)))
    yield "a member twice", zipped(*members.items(), ("w0.npy", w0))
    yield "the manifest twice", zipped(("manifest.json", text), *members.items())
    yield "a name that is not UTF-8", FILES["float npz"].replace(b"w0.npy", b"w\xff.npy")
    marked = bytearray(FILES["float npz"].replace(b"w0.npy", b"w\xff.npy"))
    for signature, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):  # says that names are UTF-8
        start = marked.find(signature)
        while start >= 0:
            marked[start + at + 1] |= 8
            start = marked.find(signature, start + 4)
    yield "a name that says it is UTF-8", bytes(marked)
    yield (
        "a manifest that is not UTF-8",
        encode_zip({**members, "manifest.json": text.replace(b"relu", b"\xff\xfe\xc0\x80")}),
    )
    yield "a manifest of surrogates", encode_zip({**members, "manifest.json": text.replace(b'"relu"', b'"\\ud800"')})
    yield "a way out of the folder", encode_zip({**members, "../../out.npy": w0})
    yield "brackets without end", encode_zip({"manifest.json": b"[" * 900_000})
    yield "numbers without end", encode_zip({**members, "manifest.json": text.replace(b'"relu"', b"1" * 10_000)})
    yield "a key twice", encode_zip({**members, "manifest.json": text.replace(b'"kind"', b'"kind":"x","kind"', 1)[:-1]})
    yield (
        "a shape whose product overflows",
        vouched({**members, "w0.npy": w0.replace(b"(5, 7)", b"(99999999999, 99999999999)")}),
    )
    yield "an array of records", vouched({**members, "w0.npy": w0.replace(b"'<f4'", b"[('',)]")})
    yield "an array of NaN", vouched({**members, "w0.npy": w0[:-4] + struct.pack("<f", float("nan"))})
    yield "a signalling NaN", vouched({**members, "w0.npy": w0[:-4] + b"\x01\x00\x80\x7f"})


def test_hostile_zips_are_refused_by_name() -> None:
    """Bombs, doubles, names and texts that are none, endless nesting: the one error, in little memory."""
    for what, data in hostile_zips():
        assert not judge(lambda content: read_quietly(content, NAME), data, NAME), what


def test_offsets_that_are_not_finite_are_refused() -> None:
    """NaN of either kind and infinity as float32 offsets: no warning of NumPy's, the one error."""
    offset = np.array([0.5, 0.25, 3.0])
    base = integer_network(0)
    original = encode_model(IntegerMLP(base.layers, base.input_params, offset), "dense", "npq")
    at = original.index(struct.pack("<f", 0.25))
    for bad in (b"\x01\x00\x80\x7f", b"\x00\x00\xc0\x7f", b"\x00\x00\x80\xff"):
        with pytest.raises(FormatError, match=f"^{NAME}: "):
            decode_network(sealed(original[:at] + bad + original[at + 4 : -4]), NAME)


def test_scales_that_are_no_scale_are_refused() -> None:
    """NaN, infinite, negative, zero and subnormal scales under a right CRC-32."""
    original = FILES["npq dense"]
    at = original.index(struct.pack("<f", 1 / 255))
    for bad in (float("nan"), float("inf"), -1.0, 0.0, 1e-40):
        copy = original[:at] + struct.pack("<f", bad) + original[at + 4 : -4]
        with pytest.raises(FormatError, match=f"^{NAME}: input parameters: "):
            decode_network(sealed(copy), NAME)
