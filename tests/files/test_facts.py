"""Laws of what a file knows of its data: every form gives it back, no form needs it, nothing in it is believed."""

import io
import json
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import npquant
from npquant.codec.byte_fields import ByteReader
from npquant.compression.rounding.dynamic import quantize_dynamic
from npquant.compression.rounding.uniform import quantize_uniform
from npquant.files.container.encode import encode_container
from npquant.files.facts import Facts, check_facts, decode_facts, encode_facts
from npquant.files.format_error import FormatError
from npquant.files.plain_arrays import encode_plain_arrays
from npquant.files.reading import decode_network
from npquant.files.storage import encode_model, itemize
from npquant.interop.reading import load, read_facts
from npquant.nn.model import DenseLayer, FloatMLP

RNG = np.random.default_rng(7)
FLOATING = FloatMLP((
    DenseLayer(RNG.normal(size=(3, 4)), RNG.normal(size=4), "relu"),
    DenseLayer(RNG.normal(size=(4, 2)), RNG.normal(size=2), "identity"),
))  # fmt: skip
X = RNG.normal(size=(50, 3))
NETWORKS = {
    "float": FLOATING,
    "integer": quantize_uniform(FLOATING, X, 8),
    "dynamic": quantize_dynamic(FLOATING, X, 8),
}
# A dynamic network has the zip alone.
FORMS = [(kind, name) for kind in NETWORKS for name in ("net.npz", "net.npq") if (kind, name) != ("dynamic", "net.npq")]
KNOWN = Facts(
    ("age", "größe", 'a "quoted", */ name\n'),
    ("no", "yes"),
    "heart",
    "0f" * 32,
    {"age": {"fill": 1.5}, "list": [1, None]},
)
GENERIC = Facts(("x0", "x1", "x2"), ("0", "1"), None, "a0" * 32)
MANY = [Facts(), GENERIC, KNOWN, Facts(label=""), Facts(class_names=("b", "a")), Facts(encoding={})]

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
names = (
    st.none() | st.lists(texts, max_size=5).map(tuple) | st.integers(1, 300).map(lambda n: tuple(map(str, range(n))))
)
encodings = st.none() | st.dictionaries(texts, st.lists(st.integers() | texts | st.none(), max_size=3), max_size=3)
records = st.builds(
    Facts, names, names, st.none() | texts, st.none() | st.binary(min_size=32, max_size=32).map(bytes.hex), encodings
)


@given(records)
def test_facts_come_back_from_bytes_and_from_json(facts: Facts) -> None:
    """N7. Whatever is known is known again, and the bytes are consumed to the last."""
    reader = ByteReader(encode_facts(facts))
    assert decode_facts(reader) == facts and reader.left == 0
    assert Facts.from_json(json.loads(json.dumps(facts.to_json()))) == facts


@pytest.mark.parametrize("facts", MANY, ids=range(len(MANY)))
@pytest.mark.parametrize(("kind", "name"), FORMS)
def test_every_form_keeps_facts_and_the_network(facts: Facts, kind: str, name: str, tmp_path: Path) -> None:
    """The zip, the container and plain arrays: facts come back, and the network is that of a file without them."""
    model = NETWORKS[kind]
    npquant.save(model, tmp_path / name, facts=facts)
    assert read_facts(tmp_path / name) == facts
    npquant.save(load(tmp_path / name), tmp_path / f"bare_{name}")
    npquant.save(model, tmp_path / f"again_{name}")
    assert (tmp_path / f"bare_{name}").read_bytes() == (tmp_path / f"again_{name}").read_bytes()
    assert read_facts(tmp_path / f"again_{name}") is None
    assert sum(part.n_bytes for part in itemize(tmp_path / name)) == (tmp_path / name).stat().st_size


@pytest.mark.parametrize("kind", NETWORKS)
def test_plain_arrays_keep_facts(kind: str, tmp_path: Path) -> None:
    """What `to_npz` writes is told apart from what `save` writes, and knows as much."""
    (tmp_path / "plain.npz").write_bytes(encode_plain_arrays(NETWORKS[kind], KNOWN))
    assert read_facts(tmp_path / "plain.npz") == KNOWN


def test_generic_names_and_a_hash_cost_few_bytes() -> None:
    """The hash takes its 32 bytes; names that say nothing, however many, at most one each for their number."""
    grown = {name: len(encode_model(NETWORKS["integer"], "auto", name, GENERIC)) for name in ("npz", "npq")}
    bare = {name: len(encode_model(NETWORKS["integer"], "auto", name)) for name in ("npz", "npq")}
    assert {name: grown[name] - bare[name] for name in bare} == {"npz": 35, "npq": 35}


def test_a_container_without_facts_is_that_of_old(tmp_path: Path) -> None:
    """N1. No facts: version 1 to the last byte, as files that exist already."""
    assert encode_container(NETWORKS["integer"])[3] == 1
    assert encode_container(NETWORKS["integer"], facts=Facts())[3] == 2


@pytest.mark.parametrize(("facts", "said"), [
    (Facts(("a", "b")), "name 2 features, the network takes 3"),
    (Facts(class_names=("a", "b", "c")), "name 3 classes, the network tells 2 apart"),
])  # fmt: skip
@pytest.mark.parametrize("kind", NETWORKS)
def test_facts_of_another_network_are_not_saved(facts: Facts, said: str, kind: str, tmp_path: Path) -> None:
    """ValueError, with both numbers, and no file."""
    with pytest.raises(ValueError, match=said):
        npquant.save(NETWORKS[kind], tmp_path / "net.npz", facts=facts)
    assert not list(tmp_path.iterdir())


def test_one_logit_has_two_classes() -> None:
    """A network of one output tells two classes apart, or gives one real value."""
    check_facts(Facts(class_names=("a", "b")), 1, 1)
    check_facts(Facts(label="price"), 1, 1)
    with pytest.raises(ValueError, match="1 classes"):
        check_facts(Facts(class_names=("a",)), 1, 1)


@pytest.mark.parametrize("wrong", [
    {"feature_names": (1, 2)}, {"class_names": (b"a",)}, {"label": 3}, {"encoding": []}, {"encoding": {"a": {1}}},
    {"encoding": {"a": float("nan")}}, {"data_sha256": "0f"}, {"data_sha256": "0F" * 32}, {"data_sha256": 7},
    {"label": "\ud800"}, {"feature_names": ("\udfff",)},
])  # fmt: skip
def test_what_is_no_fact_is_refused(wrong: dict[str, object]) -> None:
    """TypeError or ValueError at the door, not when the file is written."""
    with pytest.raises((TypeError, ValueError)):
        Facts(**wrong)


@pytest.mark.parametrize("said", [
    [], "x", {"features": -1}, {"features": True}, {"features": 1 << 40}, {"features": 3.0}, {"features": "abc"},
    {"classes": [1, 2]}, {"features": ["a", "b", "\ud800"]}, {"more": 1}, {"label": []}, {"data_sha256": "x" * 64},
    {"encoding": [1]}, {"features": ["one"]},
])  # fmt: skip
def test_a_manifest_that_says_nonsense_is_a_format_error(said: object, tmp_path: Path) -> None:
    """The error names the file and its manifest; other numbers than the network's are nonsense too."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(encode_model(FLOATING, facts=KNOWN))) as old, zipfile.ZipFile(buffer, "w") as new:
        for entry in old.infolist():
            content = old.read(entry)
            if entry.filename == "manifest.json":
                content = json.dumps({**json.loads(content), "data": said}).encode()
            new.writestr(entry.filename, content)
    (tmp_path / "net.npz").write_bytes(buffer.getvalue())
    with pytest.raises(FormatError, match=r"net\.npz"):
        load(tmp_path / "net.npz")


@given(st.binary(max_size=60))
def test_any_bytes_for_facts_are_facts_or_a_format_error(tail: bytes) -> None:
    """A container whose facts are replaced, sealed again: no other exception, and no more memory than its length."""
    whole = encode_container(NETWORKS["integer"], facts=GENERIC)
    content = whole[: -4 - len(encode_facts(GENERIC))] + tail
    try:
        decode = decode_network(content + zlib.crc32(content).to_bytes(4, "little"), "net.npq")
    except FormatError as error:
        assert "net.npq" in str(error)
    else:
        assert decode.facts is not None and decode.model == NETWORKS["integer"]


def test_encoding_is_copied() -> None:
    """What is done to a caller's dict later does not reach the record."""
    mine = {"a": [1]}
    facts = Facts(encoding=mine)
    mine["a"].append(2)
    assert facts.encoding == {"a": [1]}
