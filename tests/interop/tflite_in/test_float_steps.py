"""Float TFLite files, built operator by operator: each reads as the network that its equations say, or is refused."""

from collections.abc import Callable

import numpy as np
import pytest

from npquant.files.format_error import FormatError
from npquant.interop.flatbuffer import Scalar
from npquant.interop.imported import Imported
from npquant.interop.tflite_in import from_tflite
from npquant.interop.tflite_out.parts import Parts, fused
from tests.interop.tflite_in.files import const, dense, dynamic_flatten, floats, new_shape, unary

RNG = np.random.default_rng(7)
W, V = RNG.normal(size=(4, 3)).astype(np.float32), RNG.normal(size=(3, 2)).astype(np.float32)
B, C = RNG.normal(size=3).astype(np.float32), RNG.normal(size=2).astype(np.float32)
X = RNG.normal(size=(5, 4)).astype(np.float32)


def read(build: Callable[[Parts], int]) -> Imported:
    """The network of a file of the operators that `build` adds."""
    parts = Parts()
    return from_tflite(parts.file(build(parts), b""))


def near(given: np.ndarray, wanted: np.ndarray) -> None:
    """A float32 sum of K + 1 terms is within (K + 1) 2^-24 of the sum of magnitudes; two layers and a fold: 2^-18."""
    np.testing.assert_allclose(given, wanted, rtol=0, atol=2.0**-18 * max(1.0, float(np.abs(wanted).max())))


@pytest.mark.parametrize(
    ("activation", "function"),
    [
        ("NONE", lambda z: z),
        ("RELU", lambda z: np.maximum(z, 0)),
        ("RELU6", lambda z: np.clip(z, 0, 6)),
        ("RELU_N1_TO_1", lambda z: np.clip(z, -1, 1)),
        ("TANH", np.tanh),
    ],
)
def test_fused_activations_are_the_layers(activation: str, function: Callable[[np.ndarray], np.ndarray]) -> None:
    """act(x W + b) V + c, for each activation that FULLY_CONNECTED fuses."""
    found = read(lambda p: dense(p, dense(p, floats(p, (1, 4)), W, B, activation), V, C))
    near(found.run(X), function(X @ W + B) @ V + C)
    assert found.head == "none"


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("RELU", lambda z: np.maximum(z, 0)),
        ("RELU6", lambda z: np.clip(z, 0, 6)),
        ("RELU_N1_TO_1", lambda z: np.clip(z, -1, 1)),
        ("RELU_0_TO_1", lambda z: np.clip(z, 0, 1)),
        ("LOGISTIC", lambda z: 1 / (1 + np.exp(-z))),
        ("TANH", np.tanh),
    ],
)
def test_activations_of_their_own_are_the_layers(name: str, function: Callable[[np.ndarray], np.ndarray]) -> None:
    """As fused ones: an operator of its own behind a layer."""
    found = read(lambda p: dense(p, unary(p, name, dense(p, floats(p, (1, 4)), W, B), 3), V, None))
    near(found.run(X), function(X @ W + B) @ V)


@pytest.mark.parametrize("name", ["MINIMUM", "MAXIMUM"])
def test_minimum_and_maximum_of_one_bound_are_clips(name: str) -> None:
    """min(z, 0.5) and max(z, 0.5) between two layers."""

    def build(p: Parts) -> int:
        z = dense(p, floats(p, (1, 4)), W, B)
        return dense(p, unary(p, name, z, 3, None, const(p, 0.5, "float32")), V, C)

    near(read(build).run(X), getattr(np, name.lower())(X @ W + B, np.float32(0.5)) @ V + C)


@pytest.mark.parametrize("name", ["ADD", "SUB", "MUL", "DIV"])
@pytest.mark.parametrize("values", [2.5, [0.5, 2.0, -1.5, 3.0], [[0.5, 2.0, -1.5, 3.0]]])
def test_constants_before_a_layer_are_folded(name: str, values: object) -> None:
    """x op c before the first layer, for one number and for one a feature, and said so."""
    operate = {"ADD": np.add, "SUB": np.subtract, "MUL": np.multiply, "DIV": np.divide}[name]

    def build(p: Parts) -> int:
        return dense(p, unary(p, name, floats(p, (1, 4)), 4, None, const(p, values, "float32")), W, B)

    found = read(build)
    near(found.run(X), operate(X, np.asarray(values, np.float32).reshape(-1)) @ W + B)
    assert any(name in note for note in found.notes)


def test_a_constant_on_the_left_of_sub_turns_the_sign() -> None:
    """c - x is folded as -x + c; c / x is refused."""

    def build(p: Parts, name: str) -> int:
        x = floats(p, (1, 4))
        return dense(p, p.operator(name, 1, (const(p, 2.0, "float32"), x), floats(p, (1, 4)), {}), W, B)

    near(read(lambda p: build(p, "SUB")).run(X), (2 - X) @ W + B)
    with pytest.raises(FormatError, match="DIV"):
        read(lambda p: build(p, "DIV"))


@pytest.mark.parametrize("name", ["SOFTMAX", "LOG_SOFTMAX", "LOGISTIC"])
def test_heads_are_split_off(name: str) -> None:
    """What follows the logits is the head; the logits are the layer's."""
    options = {0: Scalar("f", 1.0)} if name == "SOFTMAX" else {}
    found = read(lambda p: unary(p, name, dense(p, floats(p, (1, 4)), W, B), 3, options))
    assert found.head == {"SOFTMAX": "softmax", "LOG_SOFTMAX": "logsoftmax", "LOGISTIC": "logistic"}[name]
    near(found.model.logits(X), X @ W + B)


def test_a_factor_beta_is_folded_and_none_is_refused() -> None:
    """softmax(beta z): the logits are beta z; without options, as the runtime reads it, beta is 0: refused."""

    def build(p: Parts, beta: float | None) -> int:
        options = {} if beta is None else {0: Scalar("f", beta)}
        return unary(p, "SOFTMAX", dense(p, floats(p, (1, 4)), W, B), 3, options)

    near(read(lambda p: build(p, 0.5)).model.logits(X), 0.5 * (X @ W + B))
    for beta in (None, -1.0, float("nan"), float("inf")):
        with pytest.raises(FormatError, match="beta"):
            read(lambda p, beta=beta: build(p, beta))  # type: ignore[misc]


def test_constants_through_dequantize_are_read() -> None:
    """Halves are widened, codes of 8 and 4 bits scaled along axis 0, zero points taken off."""
    q8, s = RNG.integers(-128, 128, (3, 4)).astype(np.int8), np.array([0.5, 0.25, 2.0], np.float32)
    q4 = RNG.integers(-8, 8, (3, 4)).astype(np.int8)
    packed = (q4.reshape(-1)[0::2] & 15 | (q4.reshape(-1)[1::2] & 15) << 4).astype(np.uint8)
    cases = [
        (lambda p: const(p, W.T, "float16"), W.astype(np.float16).astype(np.float32)),
        (lambda p: const(p, q8, "int8", scale=s), (q8 * s[:, None]).T),
        (lambda p: const(p, q8, "int8", scale=[0.5], zero_point=[3]), (q8.astype(np.int32) - 3).T * 0.5),
        (lambda p: p.tensor("nibbles", "INT4", (3, 4), s, 0, packed), (q4 * s[:, None]).T),
    ]
    for add, wanted in cases:

        def build(p: Parts, add: Callable[[Parts], int] = add) -> int:
            x = floats(p, (1, 4))
            weights = p.operator("DEQUANTIZE", 1, (add(p),), floats(p, (3, 4)), {})
            return dense(p, x, W, B, weights=weights)

        np.testing.assert_array_equal(read(build).model.layers[0].w, wanted)


def test_hybrid_layers_are_refused_by_name() -> None:
    """Float activations times codes without DEQUANTIZE: LiteRT has two rules, so neither is guessed."""

    def build(p: Parts) -> int:
        x, weights = floats(p, (1, 4)), const(p, np.ones((3, 4)), "int8", scale=[0.5])
        return dense(p, x, W, B, weights=weights)

    with pytest.raises(FormatError, match=r"hybrid.*INT8"):
        read(build)


@pytest.mark.parametrize("shape", [(1, 2, 2, 1), (7, 2, 2, 1), (1, 2, 2), (3, 1, 1, 4)])
def test_flattens_in_disguise_are_read(shape: tuple[int, ...]) -> None:
    """A dynamic flatten, a baked one by tensor or by options, with and without -1, and none at all: all x W + b."""
    b = shape[0]
    builds = [
        lambda p: dense(p, dynamic_flatten(p, floats(p, shape), 4), W, B),
        lambda p: dense(p, unary(p, "RESHAPE", floats(p, shape), 4, {}, const(p, [-1, 4], "int32")), W, B),
        lambda p: dense(p, unary(p, "RESHAPE", floats(p, shape), 4, {}, const(p, [b, 4], "int32")), W, B),
        lambda p: dense(p, unary(p, "RESHAPE", floats(p, shape), 4, {}, const(p, [b, -1], "int32")), W, B),
        lambda p: dense(p, unary(p, "RESHAPE", floats(p, shape), 4, new_shape([b, 4])), W, B),
        lambda p: dense(p, floats(p, shape), W, B),
    ]
    for build in builds:
        near(read(build).run(X), X @ W + B)


def test_constants_before_a_flatten_follow_the_rows() -> None:
    """One value a channel of rows (2, 2) before the flatten is one a feature behind it, in C order."""
    values = np.array([[2.0, -1.0]], np.float32)

    def build(p: Parts) -> int:
        scaled = p.operator("MUL", 1, (floats(p, (1, 2, 2)), const(p, values, "float32")), floats(p, (1, 2, 2)), {})
        return dense(p, dynamic_flatten(p, scaled, 4), W, B)

    near(read(build).run(X), (X * np.tile(values, 2)) @ W + B)


@pytest.mark.parametrize(
    ("build", "word"),
    [
        (lambda p: dense(p, floats(p, (1, 5, 4)), W, B), "rank"),
        (lambda p: dense(p, floats(p, (4,)), W, B), "rank"),
        (lambda p: dense(p, unary(p, "RESHAPE", floats(p, (5, 4)), 4, {}, const(p, [4, 5], "int32")), W, B), "rank"),
        (lambda p: dense(p, dynamic_flatten(p, floats(p, (1, 2, 4)), 4), W, B), "rank"),
        (lambda p: unary(p, "ELU", dense(p, floats(p, (1, 4)), W, B), 3), "ELU"),
        (lambda p: dense(p, dense(p, floats(p, (1, 4)), W, B, "SIGN_BIT"), V, C), "fused"),
        (lambda p: dense(p, dense(p, floats(p, (1, 4)), W, B), W, B), "inputs"),
        (lambda p: floats(p, (1, 4)), "no operator"),
        (lambda p: unary(p, "RELU", floats(p, (1, 4)), 4), "FULLY_CONNECTED"),
        (lambda p: dense(p, floats(p, (1, 4)), W * np.float32(np.nan), B), "NaN|finite"),
        (lambda p: unary(p, "QUANTIZE", dense(p, floats(p, (1, 4)), W, B), 3), "QUANTIZE"),
    ],
)
def test_other_networks_are_refused_by_name(build: Callable[[Parts], int], word: str) -> None:
    """An error names the file and what is wrong: rank, operator, fused activation, widths, values."""
    with pytest.raises(FormatError, match=word) as caught:
        read(build)
    assert "TFLite bytes" in str(caught.value)


def test_branches_are_refused() -> None:
    """x + x W, a layer that reads the input again, and an operator behind the output: no chain."""

    def residual(p: Parts) -> int:
        x = floats(p, (1, 4))
        return p.operator("ADD", 1, (dense(p, x, W @ V @ V.T @ W.T, None), x), floats(p, (1, 4)), {})

    def again(p: Parts) -> int:
        x = floats(p, (1, 4))
        dense(p, x, W, B)
        return dense(p, x, W, B)

    def behind(p: Parts) -> int:
        y = dense(p, floats(p, (1, 4)), W, B)
        unary(p, "RELU", y, 3)
        return y

    for build, word in ((residual, "ADD"), (again, "chain"), (behind, "output")):
        with pytest.raises(FormatError, match=word):
            read(build)


def test_shuffled_weights_are_refused() -> None:
    """Weights of format 1 stand in another order: refused, since square ones would fit."""

    def build(p: Parts) -> int:
        x, w = floats(p, (1, 4)), const(p, np.eye(4), "float32")
        return p.operator("FULLY_CONNECTED", 2, (x, w, -1), floats(p, (1, 4)), {0: fused("NONE"), 1: Scalar("b", 1)})

    with pytest.raises(FormatError, match="shuffled"):
        read(build)


def test_an_operator_has_the_larger_of_its_two_codes() -> None:
    """Files of new writers leave the old code 0, which is ADD; the runtime, and npquant, take the larger."""
    parts = Parts()
    out = dense(parts, floats(parts, (1, 4)), W, B)
    data = parts.file(out, b"")
    old = data.replace(bytes([9, 0, 0, 0, 9]), bytes([0, 0, 0, 0, 9]))
    where = [i for i in range(len(data) - 12) if data[i] == 9 and data[i + 8 : i + 12] == b"\x09\0\0\0"]
    assert where or old != data
    for at in where:
        old = old[:at] + b"\0" + old[at + 1 :]
    near(from_tflite(old).run(X), X @ W + B)
