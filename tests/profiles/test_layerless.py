"""Engines that quantize alone: their records answer for that, and refuse a layer by every door; relatives resolve."""

from typing import Any

import numpy as np
import pytest

from npquant import FixedMultiplier, QuantParams
from npquant.cli import main
from npquant.profiles import get, names
from npquant.profiles.codes_to_codes import activation, requantize_codes, softmax
from npquant.profiles.dynamic import dynamic_quantize
from npquant.profiles.layerless import no_multiplier, no_stage
from npquant.profiles.operators import dequantize, linear, quantize, requantize
from npquant.profiles.relatives import RELATIVES

P = QuantParams(0.5, 0, -128, 127)
ONE = np.ones((1, 1), np.int8)
LAYERLESS = [name for name in names(layers=False) if not get(name).has_layers]


@pytest.mark.parametrize("name", LAYERLESS)
def test_layerless_records_refuse_layers_by_every_door(name: Any) -> None:
    """Each refusal names the profile, and what its engine does instead, or which operator is not there."""
    for ask in (
        lambda: linear(ONE, ONE, None, x=P, w=P, y=P, profile=name),
        lambda: requantize([1], x=P, w=P, y=P, profile=name),
        lambda: requantize([1], FixedMultiplier(2**30, 0), y=P, profile=name),
        lambda: softmax(ONE, x=P, y=P, profile=name),
        lambda: activation("relu", ONE, x=P, y=P, profile=name),
        lambda: dynamic_quantize([1.0], profile=name),
    ):
        with pytest.raises(ValueError, match=f"^{name} has no "):
            ask()
    for stub in (lambda: no_multiplier(1, 1, 1), lambda: no_stage([1], None, 0, -128, 127)):
        with pytest.raises(ValueError, match="has no layer"):
            stub()


@pytest.mark.parametrize("name", LAYERLESS)
def test_layerless_records_quantize_and_have_cards(name: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Away from ties and rails every quantizer agrees; the card prints the record without a worked layer."""
    record = get(name)
    whole = QuantParams(0.5, 3 * record.zero_points, *((-128, 127) if "int8" in record.quantize_types else (0, 255)))
    assert quantize([2.0, 8.5], whole, profile=name).tolist() == [4 + whole.zero_point, 17 + whole.zero_point]
    assert dequantize(
        np.array([4, 17], whole.dtype) + whole.dtype.type(whole.zero_point), whole, profile=name
    ).tolist() == [2.0, 8.5]
    assert record.knowledge is not None and record.engine and record.version and record.source and record.equation
    assert main(["profiles", name]) == 0
    assert "worked by hand" not in capsys.readouterr().out
    assert main(["profiles", name, "--json"]) == 0
    assert '"knowledge"' in capsys.readouterr().out


def test_layerless_records_of_codes_between_codes() -> None:
    """What no layerless record has yet: codes of another scale."""
    for name in LAYERLESS:
        if get(name).requantize_codes is None:
            with pytest.raises(ValueError, match="has no requantization on codes"):
                requantize_codes(ONE, x=P, y=P, profile=name)


@pytest.mark.parametrize("relative", RELATIVES, ids=lambda relative: relative.name)
def test_relatives_resolve_to_a_record(relative: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """A relative's name is that record's; its card says so, and with what evidence."""
    assert relative.name not in names(layers=False)
    assert get(relative.name) is get(relative.record)
    assert main(["profiles", relative.name]) == 0
    assert relative.name in capsys.readouterr().out


def test_qonnx_modes_on_one_tie() -> None:
    """2.5 and -2.5 by each mode; HALF_UP goes away from zero, and sends the number below 1/2 to 1."""
    want = {
        "qonnx": [2, -2],
        "qonnx_ceil": [3, -2],
        "qonnx_floor": [2, -3],
        "qonnx_up": [3, -3],
        "qonnx_down": [2, -2],
        "qonnx_half_up": [3, -3],
        "qonnx_half_down": [2, -2],
    }
    one = QuantParams(1.0, 0, -128, 127)
    assert {name: quantize([2.5, -2.5], one, profile=name).tolist() for name in want} == want
    below = [0.49999997, -0.49999997]
    assert [quantize(below, one, profile=n).tolist() for n in ("qonnx_half_up", "qonnx_half_down", "qonnx")] == [
        [1, -1],
        [0, 0],
        [0, 0],
    ]


def test_qonnx_refuses_nan_and_bipolar_codes() -> None:
    """NaN has no code, and no interval holds -1 and +1 alone."""
    with pytest.raises(ValueError, match="has no code"):
        quantize([np.nan], P, profile="qonnx")
    with pytest.raises(ValueError, match=r"-1 and \+1"):
        quantize([1.0], QuantParams(0.5, 0, -1, 0), profile="qonnx_up")
