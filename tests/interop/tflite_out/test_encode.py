"""Networks written as TFLite: read again, they are equal; what TFLite cannot hold exactly is refused by name."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from npquant.files.format_error import FormatError
from npquant.integer.layer import IntegerLayer
from npquant.integer.mlp import IntegerMLP
from npquant.interop import from_tflite, read, to_tflite
from npquant.interop.tflite_out import encode_tflite, integers
from npquant.kernels.qparams import QuantParams
from npquant.nn.model import DenseLayer, FloatMLP
from npquant.profiles import get
from tests.interop.tflite_out.networks import inputs, network

P = QuantParams(0.05, 3, -128, 127)
W = QuantParams(0.02, 0, -128, 127)


def one(**fields: object) -> IntegerMLP:
    """A network of one layer, some of its fields changed."""
    layer = IntegerLayer(np.array([[9], [-9]], np.int8), np.array([5], np.int32), P, W, P, "identity")
    changed = dataclasses.replace(layer, **fields)
    return IntegerMLP((changed,), changed.x)


@pytest.mark.parametrize("bits", [2, 3, 4, 5, 8])
@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("dtype", ["int8", "int16"])
def test_networks_come_back_equal(bits: int, per_channel: bool, dtype: str) -> None:
    """Codes, biases, scales, zero points, intervals of weights, activations: all as they were."""
    rng = np.random.default_rng(bits)
    for _ in range(5):
        model = network(
            rng, [7, 5, 4, 3], ["relu", "identity", "relu"], dtype=dtype, bits=bits, per_channel=per_channel
        )
        assert from_tflite(encode_tflite(model)).model == model


def test_uint8_networks_and_tables_come_back_equal() -> None:
    """uint8 weights with zero points; LOGISTIC and TANH, where LiteRT's table is npquant's own."""
    rng = np.random.default_rng(0)
    model = network(rng, [7, 5, 3], ["relu6", "identity"], dtype="uint8")
    assert from_tflite(encode_tflite(model)).model == model
    model = network(rng, [7, 5, 4, 3], ["sigmoid", "tanh", "identity"])
    found = from_tflite(encode_tflite(model)).model
    assert isinstance(found, IntegerMLP)
    assert [layer.pre for layer in found.layers] == [layer.pre for layer in model.layers]
    again = from_tflite(encode_tflite(found)).model
    assert again == found


def test_files_read_again_are_written_the_same(tmp_path: Path) -> None:
    """Equal networks give equal bytes, and reading, writing, reading changes nothing."""
    model = network(np.random.default_rng(1), [6, 5, 3], ["relu", "identity"], per_channel=True)
    data = encode_tflite(model, head="softmax")
    assert encode_tflite(model, head="softmax") == data
    to_tflite(model, tmp_path / "model.tflite", head="softmax")
    assert (tmp_path / "model.tflite").read_bytes() == data
    found = read(tmp_path / "model.tflite")
    assert (found.format, found.head) == ("tflite", "softmax")
    assert isinstance(found.model, IntegerMLP)
    assert encode_tflite(found.model, head="softmax") == data


def test_offsets_and_scales_of_features_come_back() -> None:
    """What the codes of inputs mean where layer 0 hides it stands beside the network, and the codes are the file's."""
    model = network(np.random.default_rng(2), [3, 4, 2], ["relu", "identity"])
    x = model.layers[0].x
    scales = QuantParams(np.array([0.5, 0.25, 3e-7], np.float32), x.zero_point, -128, 127)
    for params, offset in ((scales, None), (x, np.array([1.0, 0.1, -3.7])), (scales, np.array([1 / 3, 0.1, -3.7]))):
        hidden = IntegerMLP(model.layers, params, offset, model.profile)
        found = from_tflite(encode_tflite(hidden))
        assert found.model == hidden
        x_q = inputs(np.random.default_rng(3), model, 20)
        np.testing.assert_array_equal(found.run(x_q), model.run(x_q))


def test_narrow_weights_take_half_a_byte() -> None:
    """Weights of 4 bits and fewer, one scale a layer: two codes a byte, and the file says INT4."""
    rng = np.random.default_rng(4)
    sizes = [len(encode_tflite(network(rng, [64, 64], ["identity"], bits=bits))) for bits in (4, 5)]
    assert sizes[1] - sizes[0] == 64 * 64 // 2
    odd = network(rng, [3, 3], ["identity"], bits=3)
    assert from_tflite(encode_tflite(odd)).model == odd


def test_an_odd_number_of_int4_weights_is_refused_under_xnnpack(monkeypatch: pytest.MonkeyPatch) -> None:
    """XNNPACK leaves such a layer to ruy: no one profile answers as LiteRT would, so none is claimed to."""
    monkeypatch.setattr(integers, "_is_nibbles", lambda _: True)
    data = encode_tflite(network(np.random.default_rng(4), [3, 3], ["identity"], bits=3))
    assert isinstance(from_tflite(data, profile="ruy_x86").model, IntegerMLP)
    with pytest.raises(FormatError, match="odd number of INT4"):
        from_tflite(data, profile="xnnpack_fp32_avx512")


def test_per_channel_repeats_or_refuses() -> None:
    """True: one scale a channel, all equal; False: a network that has one a channel is refused."""
    plain = network(np.random.default_rng(5), [6, 5], ["identity"])
    found = from_tflite(encode_tflite(plain, per_channel=True)).model
    assert isinstance(found, IntegerMLP)
    np.testing.assert_array_equal(found.layers[0].w.scale, np.full(5, plain.layers[0].w.scale))
    np.testing.assert_array_equal(found.layers[0].w_q, plain.layers[0].w_q)
    many = network(np.random.default_rng(5), [6, 5], ["identity"], per_channel=True)
    with pytest.raises(ValueError, match=r"layer 0.*scale a channel"):
        encode_tflite(many, per_channel=False)


def test_a_clipped_relu_is_fused_where_the_type_cuts_it() -> None:
    """1 is the last code: RELU leaves open the same codes. Elsewhere it would not, and the layer is refused."""
    last = one(y=QuantParams(1 / 255, -128, -128, 127), activation="clipped_relu")
    found = from_tflite(encode_tflite(last), profile="npquant").model
    assert isinstance(found, IntegerMLP)
    assert found.layers[0].code_range == last.layers[0].code_range
    with pytest.raises(ValueError, match=r"layer 0: clipped_relu leaves the codes"):
        encode_tflite(one(y=QuantParams(1 / 100, -128, -128, 127), activation="clipped_relu"))


def test_a_table_is_written_as_the_operator_that_computes_it() -> None:
    """A RELU on codes, max(q, z): found by its table."""
    table = np.maximum(np.arange(-128, 128), 3).astype(np.int8)
    found = from_tflite(encode_tflite(one(activation="table", pre=P, table=table))).model
    assert isinstance(found, IntegerMLP)
    np.testing.assert_array_equal(found.layers[0].code_table, table)
    with pytest.raises(ValueError, match=r"layer 0: TFLite has no operator for its table"):
        encode_tflite(one(activation="table", pre=P, table=table[::-1].copy()))


@pytest.mark.parametrize(
    ("model", "word"),
    [
        (one(y=None), "accumulators"),
        (one(y=QuantParams(0.05, 0, -8, 7)), r"\[-8, 7\]"),
        (one(x=QuantParams(0.05, 0, -127, 127)), "input"),
        (one(y=QuantParams(0.05, 0, 0, 255)), "keeps the type"),
        (one(w=QuantParams(0.02, 1, -128, 127)), "zero points"),
        (one(activation="sigmoid", pre=P, y=QuantParams(1 / 200, -128, -128, 127)), "LOGISTIC at scale"),
        (one(x=QuantParams(1e-30, 0, -128, 127), w=QuantParams(1e-30, 0, -128, 127)), "below float32"),
    ],
)
def test_what_tflite_cannot_hold_is_refused_by_layer(model: IntegerMLP, word: str) -> None:
    """Every refusal names layer or input, and what would be held."""
    with pytest.raises(ValueError, match=word) as caught:
        encode_tflite(model)
    assert "layer 0" in str(caught.value) or "the input" in str(caught.value)


@pytest.mark.parametrize(("activation", "operator"), [("sigmoid", "LOGISTIC"), ("tanh", "TANH")])
def test_tables_of_int16_codes_are_said_to_be_absent_here(activation: str, operator: str) -> None:
    """LiteRT has both operators on int16 codes: what lacks them is this writer, and the message says so."""
    wide, rng = QuantParams(2.0**-12, 0, -32768, 32767), np.random.default_rng(6)
    layer = network(rng, [3, 2], ["identity"], dtype="int16").layers[0]
    table = dataclasses.replace(layer, activation=activation, pre=wide, y=QuantParams(2.0**-15, 0, -32768, 32767))
    with pytest.raises(ValueError, match=f"layer 0: a {operator} of int16 codes is not written here, though LiteRT"):
        encode_tflite(IntegerMLP((table,), layer.x))


def test_heads_and_kinds_that_are_not_written_are_refused() -> None:
    """A log-softmax on codes, a softmax on 16-bit ones, an unknown head, another kind of network."""
    with pytest.raises(ValueError, match="logsoftmax"):
        encode_tflite(one(), head="logsoftmax")
    with pytest.raises(ValueError, match="int16"):
        encode_tflite(network(np.random.default_rng(6), [3, 2], ["identity"], dtype="int16"), head="softmax")
    with pytest.raises(ValueError, match="unknown head"):
        encode_tflite(one(), head="sparsemax")
    with pytest.raises(TypeError, match="str"):
        encode_tflite("model")


@pytest.mark.parametrize("head", ["none", "softmax", "logsoftmax", "logistic"])
def test_float_networks_come_back_equal(head: str) -> None:
    """float32 parameters are the same, bit for bit; float64 ones are rounded to them."""
    rng = np.random.default_rng(7)
    names = ["relu", "tanh", "sigmoid", "clipped_relu", "identity"]
    layers = tuple(
        DenseLayer(rng.normal(size=(4, 4)).astype(np.float32), rng.normal(size=4).astype(np.float32), name)
        for name in names
    )
    found = from_tflite(encode_tflite(FloatMLP(layers), head=head))
    assert found.head == head
    assert isinstance(found.model, FloatMLP)
    assert found.model.activation_names == tuple(names)
    for one_layer, two in zip(layers, found.model.layers, strict=True):
        np.testing.assert_array_equal(one_layer.w, two.w)
        np.testing.assert_array_equal(one_layer.b, two.b)
    wide = FloatMLP((DenseLayer(rng.normal(size=(4, 3)), rng.normal(size=3), "identity"),))
    again = from_tflite(encode_tflite(wide)).model
    np.testing.assert_array_equal(again.layers[0].w, wide.layers[0].w.astype(np.float32))


def test_float_networks_that_tflite_has_not_are_refused() -> None:
    """An activation without an operator, and a weight beyond float32."""
    eye, zeros = np.eye(2), np.zeros(2)
    last = DenseLayer(eye, zeros, "identity")
    with pytest.raises(ValueError, match="hard_sigmoid"):
        encode_tflite(FloatMLP((DenseLayer(eye, zeros, "hard_sigmoid"), last)))
    with pytest.raises(ValueError, match="beyond float32"):
        encode_tflite(FloatMLP((DenseLayer(eye * 1e300, zeros, "relu"), last)))


def test_the_network_of_a_profile_keeps_its_integers() -> None:
    """A file read under one profile and under another holds the same integers; only the answers may differ."""
    data = encode_tflite(network(np.random.default_rng(8), [20, 16, 8], ["relu", "identity"]))
    found = [from_tflite(data, profile=name).model for name in ("litert_ref_2025", "ruy_x86", "tflm", "npquant")]
    assert all(model.layers == found[0].layers for model in found)
    assert found[1].profile is get("ruy_x86")
