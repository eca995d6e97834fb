"""Keras files: sound ones compute what Keras says they do, and what is not read is refused by its name."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from npquant.files.format_error import FormatError
from npquant.interop.keras_in import decode_keras, from_keras
from tests.interop.keras_in.keras_files import dense, functional, h5, layer, sequential, zip_of, zipped
from tests.interop.mutations import judge, mutated

h5py = pytest.importorskip("h5py", reason="h5py is not installed; it is in the extra 'keras'")

RNG = np.random.default_rng(12)
X = RNG.normal(size=(8, 3))
W, B, V = RNG.normal(size=(3, 4)), RNG.normal(size=4), RNG.normal(size=(4, 2))
GAMMA, BETA, MEAN, VARIANCE = RNG.normal(size=4), RNG.normal(size=4), RNG.normal(size=4), RNG.random(4)
C = np.zeros(2)
U = 2.0**-53


def outputs(data: bytes, x: Any = X) -> Any:
    """Return what a file's network answers."""
    return decode_keras(data, "net").run(x)


def close(got: Any, want: Any) -> bool:
    """Say whether two orders of sums of fewer than 64 terms, with magnitudes below 100, agree."""
    return bool(np.shape(got) == np.shape(want) and np.abs(got - want).max() <= 64 * 100 * U)


PLAIN = sequential(dense("a", 4, "relu"), dense("b", 2))
STORES = {"layers/dense": [W, B], "layers/dense_1": [V, C]}
NAMED = {"a": {"a/kernel:0": W, "a/bias:0": B}, "b": {"b_1/bias:0": C, "b_1/kernel:0": V}}
WANT = np.maximum(X @ W + B, 0) @ V


@pytest.mark.parametrize("kind", ["keras", "deflated", "h5", "h5 without model_weights"])
def test_plain_model(kind: str, tmp_path: Path) -> None:
    """Both formats give the file's own numbers, bit for bit; `weight_names` and not the layer's name says where."""
    data = {
        "keras": zipped(PLAIN, STORES), "deflated": zipped(PLAIN, STORES, compression=zipfile.ZIP_DEFLATED),
        "h5": h5(PLAIN, NAMED), "h5 without model_weights": h5(PLAIN, NAMED, root=""),
    }[kind]  # fmt: skip
    (tmp_path / "net").write_bytes(data)
    found = from_keras(tmp_path / "net")
    assert found.format == ("hdf5" if "h5" in kind else "keras") and found.model.activation_names == (
        "relu",
        "identity",
    )
    assert [one.w.tobytes() for one in found.model.layers] == [W.tobytes(), V.tobytes()]
    assert close(found.run(X), WANT)


GROUPS = {
    "Keras 2.13": {"_layer_checkpoint_dependencies/dense": [W, B], "_layer_checkpoint_dependencies/dense_2": [V, C]},
    "Windows": {"layers\\dense": [W, B], "layers\\dense_1": [V, C]},
    "with an optimizer": {**STORES, "optimizer": [np.zeros(3)], "layers/dropout/seed_generator": [np.zeros(2)]},
}


@pytest.mark.parametrize("kind", GROUPS)
def test_names_of_groups(kind: str) -> None:
    """Groups of a class are matched in the order of their numbers, and the notes say where they are not Keras 3's."""
    found = decode_keras(zipped(PLAIN, GROUPS[kind], version="2.13.1"), "net")
    assert close(found.run(X), WANT)
    assert any("by order" in note and "'dense_2'" in note for note in found.notes) == (kind == "Keras 2.13")


def test_ten_layers_are_in_the_order_of_numbers() -> None:
    """dense_10 stands behind dense_9, and the groups of another class do not count."""
    scales = [np.full((1, 1), i + 1.0) for i in range(11)]
    layers = [dense(f"z{i}", 1, use_bias=False) for i in range(11)]
    stores = {f"layers/dense{f'_{i}' if i else ''}": [w] for i, w in enumerate(scales)}
    net = decode_keras(zipped(sequential(*layers), stores), "net").model
    assert [one.w.item() for one in net.layers] == [w.item() for w in scales]


def test_models_inside_models() -> None:
    """Inner models stand in their place; their groups count anew, their .h5 group lists all their weights."""
    model = sequential(sequential(dense("d", 4, "relu"), name="inner"), dense("e", 2), name="outer")
    stores = {"layers/sequential/layers/dense": [W, B], "layers/dense": [V, C]}
    named = {"inner": {"inner/d/kernel": W, "inner/d/bias": B}, "e": {"outer/e/kernel": V, "outer/e/bias": C}}
    for data in (zipped(model, stores), h5(model, named, version="3.1.0")):
        assert close(outputs(data), WANT)


@pytest.mark.parametrize("keras", [2, 3])
def test_functional_chain(keras: int) -> None:
    """A Functional model is walked from its input to its output, in whatever order its layers are listed."""
    layers = [layer("InputLayer", "x", batch_shape=[None, 3]), dense("b", 2), dense("a", 4, "relu")]
    ends = (["x", 0, 0], ["b", 0, 0]) if keras == 3 else ([["x", 0, 0]], [["b", 0, 0]])
    model = functional(layers, [[], ["a"], ["x"]], ends, keras=keras)
    # In the order of the list, which is that of the groups.
    assert close(outputs(zipped(model, {"layers/dense": [V, C], "layers/dense_1": [W, B]})), WANT)
    assert close(outputs(h5(model, NAMED)), WANT)


LINEAR = X @ W + B
ACTIVATIONS = {
    "relu": np.maximum(LINEAR, 0), "relu6": np.clip(LINEAR, 0, 6), "hard_tanh": np.clip(LINEAR, -1, 1),
    "tanh": np.tanh(LINEAR), "sigmoid": 1 / (1 + np.exp(-LINEAR)), "linear": LINEAR, None: LINEAR,
}  # fmt: skip


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("place", ["Dense", "Activation"])
def test_activations(name: str | None, place: str) -> None:
    """An activation is the same in a Dense layer and in a layer of its own."""
    parts = [dense("a", 4, name)] if place == "Dense" else [dense("a", 4), layer("Activation", "act", activation=name)]
    data = zipped(sequential(*parts, layer("Dropout", "drop", rate=0.5), dense("b", 2)), STORES)
    assert close(outputs(data), ACTIVATIONS[name] @ V)


def test_hard_sigmoid_has_two_slopes() -> None:
    """Keras 3 divides by 6, Keras 2 by 5; the file says which Keras wrote it."""
    model = sequential(dense("a", 4, "hard_sigmoid"), dense("b", 2))
    assert close(outputs(zipped(model, STORES, version="3.0.5")), np.clip(LINEAR / 6 + 0.5, 0, 1) @ V)
    for old in (zipped(model, STORES, version="2.15.0"), h5(model, NAMED, version="2.2.4-tf")):
        assert close(outputs(old), np.clip(LINEAR * 0.2 + 0.5, 0, 1) @ V)


@pytest.mark.parametrize("form", ["layer", "in Dense"])
def test_relu_of_every_limit(form: str) -> None:
    """ReLU(max_value) is a clip, as a layer and in the place of a name."""
    relu = layer("ReLU", "act", max_value=2.0, negative_slope=0.0, threshold=0.0)
    parts = [dense("a", 4), relu] if form == "layer" else [dense("a", 4, relu)]
    assert close(outputs(zipped(sequential(*parts, dense("b", 2)), STORES)), np.clip(LINEAR, 0, 2) @ V)


@pytest.mark.parametrize("scale", [True, False])
@pytest.mark.parametrize("center", [True, False])
def test_batch_normalization_is_folded(scale: bool, center: bool) -> None:
    """With and without gamma and beta, in front of the activation and behind it, in both formats."""
    norm = layer("BatchNormalization", "bn", axis=[1], epsilon=0.01, scale=scale, center=center)
    arrays = {"gamma": GAMMA, "beta": BETA, "moving_mean": MEAN, "moving_variance": VARIANCE}
    arrays = {k: v for k, v in arrays.items() if (k != "gamma" or scale) and (k != "beta" or center)}

    def normal(z: Any) -> Any:
        return (z - MEAN) / np.sqrt(VARIANCE + 0.01) * (GAMMA if scale else 1) + (BETA if center else 0)

    stores = {**STORES, "layers/batch_normalization": list(arrays.values())}
    named = {**NAMED, "bn": {f"bn/{k}:0": v for k, v in arrays.items()}}
    before = sequential(dense("a", 4), norm, layer("ReLU", "r"), dense("b", 2))
    behind = sequential(dense("a", 4, "relu"), norm, dense("b", 2))
    for data in (zipped(before, stores), h5(before, named)):
        assert close(outputs(data), np.maximum(normal(LINEAR), 0) @ V)
        assert decode_keras(data, "net").model.dtype == np.float64
    assert close(outputs(zipped(behind, stores)), normal(np.maximum(LINEAR, 0)) @ V)


def test_normalization_divides_by_no_less_than_1e_7() -> None:
    """(x - mean) / max(sqrt(variance), 1e-7): numbers of the file, or of the config; a constant column is told."""
    mean, variance = np.array([1.0, 2.0, 3.0]), np.array([4.0, 0.0, 1.0])
    x = mean + np.array([[1.0, 1e-7, 2.0]])
    want = (x - mean) / np.maximum(np.sqrt(variance), 1e-7) @ W
    model = sequential(layer("Normalization", "n", axis=-1), dense("a", 4, use_bias=False))
    own = zipped(model, {"layers/normalization": [mean, variance, np.int64(3)], "layers/dense": [W]})
    model["config"]["layers"][0]["config"] |= {"mean": mean.tolist(), "variance": variance.tolist()}
    for data in (own, zipped(model, {"layers/dense": [W]})):
        # 2 / 1e-7 is the magnitude that cancels.
        assert np.abs(outputs(data, x) - want).max() <= 64 * U * 2e7 * np.abs(W).max()


def test_images_are_normalized_by_channel_and_by_pixel() -> None:
    """Numbers that run along some axes of an image are spread over its rows before the flatten."""
    image = RNG.normal(size=(5, 2, 3, 2))
    w = RNG.normal(size=(12, 4))
    scale, mean = RNG.normal(size=2), RNG.normal(size=(3, 2))
    model = sequential(
        layer("InputLayer", "x", batch_shape=[None, 2, 3, 2]),
        layer("Rescaling", "r", scale=scale.tolist(), offset=0.25),
        layer("Normalization", "n", axis=[2, 3], mean=mean.tolist(), variance=np.ones((3, 2)).tolist()),
        layer("Flatten", "f", data_format="channels_last"),
        dense("a", 4, use_bias=False),
    )
    want = (image * scale + 0.25 - mean).reshape(5, -1) @ w
    assert close(outputs(zipped(model, {"layers/dense": [w]}), image.reshape(5, -1)), want)


@pytest.mark.parametrize("last", ["softmax", "log_softmax", "sigmoid"])
def test_heads_are_split_off(last: str) -> None:
    """A last softmax or sigmoid is the head; a Softmax layer is one too."""
    head = {"softmax": "softmax", "log_softmax": "logsoftmax", "sigmoid": "logistic"}[last]
    found = decode_keras(zipped(sequential(dense("a", 4, last)), {"layers/dense": [W, B]}), "net")
    assert found.head == head and close(found.model.logits(X), LINEAR)
    if last == "softmax":
        model = sequential(dense("a", 4), layer("Softmax", "s", axis=-1))
        assert decode_keras(zipped(model, {"layers/dense": [W, B]}), "net").head == "softmax"


def test_half_precision_is_said() -> None:
    """A policy of half precision is noted: the weights are the file's, and Keras computes otherwise."""
    policy = {"class_name": "DTypePolicy", "config": {"name": "mixed_float16"}}
    found = decode_keras(zipped(sequential(dense("a", 4, dtype=policy)), {"layers/dense": [W, B]}), "net")
    assert "computes in mixed_float16" in found.notes[0]


def one(**config: Any) -> bytes:
    """Return a .keras file of one Dense layer."""
    return zipped(sequential(dense("a", 4, **config)), {"layers/dense": [W, B]})


def with_layer(kind: str, **config: Any) -> bytes:
    """Return a .keras file with a layer between two others."""
    return zipped(sequential(dense("a", 4), layer(kind, "odd", **config), dense("b", 2)), STORES)


TWO = [layer("InputLayer", "x"), dense("a", 3), layer("Add", "sum"), dense("b", 2)]
SUM = functional(TWO, [[], ["x"], ["x", "a"], ["sum"]], (["x", 0, 0], ["b", 0, 0]))
TWICE = functional(TWO[:2], [[], ["x"]], (["x", 0, 0], ["a", 0, 0]))
TWICE["config"]["layers"][1]["inbound_nodes"] *= 2
QUANTIZED = {"class_name": "QuantizedDTypePolicy", "config": {"mode": "int8", "name": "int8_from_float32"}}
GOOD = zipped(PLAIN, STORES)
MEMBERS = {name: zipfile.ZipFile(io.BytesIO(GOOD)).read(name) for name in zipfile.ZipFile(io.BytesIO(GOOD)).namelist()}


def doubled() -> bytes:
    """Return a zip in which a member stands twice."""
    with pytest.warns(UserWarning, match="Duplicate name"):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for name in (*MEMBERS, "config.json"):
                archive.writestr(name, MEMBERS[name])
    return buffer.getvalue()


REFUSED: dict[str, tuple[Any, str]] = {
    "weights only": (h5(None, NAMED), "attribute 'model_config': is missing: these are weights without the"),
    "int8": (one(dtype=QUANTIZED), r"layer 'a' \(Dense\): is quantized by QuantizedDTypePolicy 'int8_from_float32'"),
    "gelu": (one(activation="gelu"), r"layer 'a' \(Dense\): has the activation 'gelu', which is not read; relu, relu6"),
    "a function": (one(activation={"class_name": "function", "config": "relu"}), "'function relu'"),
    "leaky in Dense": (one(activation=layer("LeakyReLU", "l")), "'LeakyReLU'"),
    "an odd activation": (one(activation=[1]), r"has the activation \[1\]"),
    "PReLU": (with_layer("PReLU"), r"layer 'odd' \(PReLU\): PReLU is not read; Dense, Activation"),
    "Conv2D": (with_layer("Conv2D"), "Conv2D is not read"),
    "EinsumDense": (with_layer("EinsumDense"), "EinsumDense is not read"),
    "pruning wrapper": (with_layer("PruneLowMagnitude"), "strip_pruning"),
    "leaky ReLU": (with_layer("ReLU", negative_slope=0.1), "negative_slope 0.1"),
    "softmax inside": (with_layer("Softmax"), "stands behind the softmax"),
    "softmax of rows": (with_layer("Softmax", axis=0), "Softmax along 0"),
    "renorm": (with_layer("BatchNormalization", renorm=True), "renorm"),
    "no weights of a norm": (with_layer("BatchNormalization"), "no weights 'batch_normalization'"),
    "inverse": (with_layer("Normalization", invert=True), "invert=True"),
    "scale of text": (with_layer("Rescaling", scale="big"), "has the scale 'big'"),
    "registered": (
        zipped(sequential({**dense("a", 4), "registered_name": "mine>Dense"}), {"layers/dense": [W, B]}), "mine>Dense",
    ),
    "rank 3 as built": (
        zipped(sequential({**dense("a", 4), "build_config": {"input_shape": [None, 5, 3]}}), {"layers/dense": [W, B]}),
        "input of rank 3",
    ),
    "rank 3 of the model": (
        h5({"class_name": "Sequential",
            "config": {"layers": [dense("a", 4)], "build_input_shape": [None, 5, 3]}}, {"a": NAMED["a"]}),
        "input of rank 3",
    ),
    "rank 3": (one(batch_input_shape=[None, 5, 3]), "input of rank 3"),
    "units": (zipped(sequential(dense("a", 5)), {"layers/dense": [W, B]}), r"kernel of shape \(3, 4\) for 5 units"),
    "no bias": (zipped(sequential(dense("a", 4)), {"layers/dense": [W]}), "holds 1 variables; kernel, bias"),
    "no group": (zipped(PLAIN, {"layers/dense": [W, B]}), "has no weights 'dense_1'; there are layers/dense"),
    "lora in h5": (h5(sequential(dense("a", 4)), {"a": {"a/kernel": W, "a/bias": B, "a/lora_kernel_a": W}}), "lora"),
    "no layer in h5": (h5(PLAIN, {"a": NAMED["a"]}), "is missing: there is no 'b'"),
    "residual": (zipped(SUM, STORES), r"layer 'sum' \(Add\): takes 2 inputs \['a', 'x'\]; Add is not read"),
    "two outputs": (
        zipped(functional(TWO[:2], [[], ["x"]], (["x", 0, 0], [["a", 0, 0], ["x", 0, 0]])), STORES), "has 2 outputs",
    ),
    "called twice": (zipped(TWICE, STORES), "must be called once"),
    "a circle": (zipped(functional(TWO[:2], [[], ["a"]], (["x", 0, 0], ["a", 0, 0])), STORES), "missing or behind it"),
    "own class": (zipped({"class_name": "Net", "config": {}}, STORES), "is a 'Net', whose code is not in the file"),
    "no layers": (zipped({"class_name": "Sequential", "config": {}}, STORES), "has no list of layers"),
    "no name": (zipped(sequential({"config": {}}), STORES), "a layer without class_name"),
    "endless models": (
        zipped(json.loads('{"class_name":"Sequential","config":[' * 99 + "]}" * 99), STORES), "without end",
    ),
    "a thousand layers": (zipped(sequential(*[layer("Dropout", "d")] * 1001), STORES), "1001 layers"),
    "config": (zip_of({**MEMBERS, "config.json": b"{"}), "config.json: is no JSON"),
    "config in latin-1": (zip_of({**MEMBERS, "config.json": b'{"\xe9": 1}'}), "config.json: is no JSON"),
    "config of 2 MB": (zip_of({**MEMBERS, "config.json": b" " * (2 << 20)}), "limit for a perceptron"),
    "a list": (zip_of({**MEMBERS, "config.json": b"[]"}), "is no JSON object"),
    "sharded": (zip_of({"config.json": b"{}", "model.weights.json": b"{}"}), "model.weights.h5: is missing.*sharded"),
    "traversal": (zip_of({**MEMBERS, "../../etc/passwd": b""}), "leads out of the archive"),
    "bomb": (zip_of({**MEMBERS, "zeros": bytes(16 << 20)}, zipfile.ZIP_DEFLATED), "promise more than the limit"),
    "twice": (doubled, "stands twice"),
    "cut": (GOOD[:-30], "not an intact zip"),
    "weights damaged": (zip_of({**MEMBERS, "model.weights.h5": b"\x89HDF\r\n\x1a\n"}), "is damaged"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_refused_by_name(case: str) -> None:
    """What is not read is a FormatError that names file and layer."""
    data, says = REFUSED[case]
    with pytest.raises(FormatError, match=f"^net: .*{says}"):
        decode_keras(data() if callable(data) else data, "net")


def _read(data: bytes) -> object:
    return decode_keras(data, "net")


def test_mutated_files_load_or_are_refused() -> None:
    """Damaged zips, and sound zips of damaged JSON and damaged HDF5: each loads, or is the one error."""
    rng = np.random.default_rng(7)
    for data in mutated(GOOD, rng, 600):
        judge(_read, data, "net")
    for member in ("config.json", "metadata.json", "model.weights.h5"):
        for content in mutated(MEMBERS[member], rng, 400):
            judge(_read, zip_of({**MEMBERS, member: content}), "net")
    for data in mutated(h5(PLAIN, NAMED), rng, 300):
        judge(_read, data, "net")


@pytest.mark.slow
def test_a_hundred_thousand_mutated_files() -> None:
    """10^5 damaged files of both formats."""
    rng = np.random.default_rng(8)
    for data in mutated(h5(PLAIN, NAMED), rng, 40_000):
        judge(_read, data, "net")
    for member in ("config.json", "model.weights.h5"):
        for content in mutated(MEMBERS[member], rng, 30_000):
            judge(_read, zip_of({**MEMBERS, member: content}), "net")
