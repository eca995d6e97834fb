"""Relatives: names that `get` knows, whose 8-bit layers are another record's."""

import dataclasses
from typing import Any

import numpy as np
import pytest

from npquant import QuantParams
from npquant.cli import main
from npquant.profiles import get, names
from npquant.profiles.operators import requantize
from npquant.profiles.relatives import RELATIVES, Relative
from npquant.testing.samples import codes_under, extremes, near_ties, realistic, unless_refused


def shares_layers(relative: Relative) -> bool:
    """Whether a relative rescales every sample of 8 bits as the record that it names, if only per channel."""
    if not relative.record.has_layers:
        return relative.record is get(relative.of)
    rng = np.random.default_rng(3)
    samples = [*near_ties(rng, 24, 256), *realistic(rng, 8, 256), *extremes()]
    ask = codes_of_a_channel if relative.per_channel else codes_under
    return all(np.array_equal(ask(relative.record, sample), ask(get(relative.of), sample)) for sample in samples)


def codes_of_a_channel(profile: Any, sample: Any) -> Any:
    """Requantize a sample as the only channel of per-channel weights; None where the engine refuses."""
    x, w = QuantParams(sample.sx, 0, -128, 127), QuantParams([sample.sw], 0, -128, 127)
    y = QuantParams(sample.sy, sample.zy, -128, 127)
    return unless_refused(lambda: requantize(sample.acc[:, None], x=x, w=w, y=y, profile=profile))


@pytest.mark.parametrize("relative", RELATIVES, ids=[relative.name for relative in RELATIVES])
def test_relative_shares_the_layers_of_its_record(relative: Any) -> None:
    """It is found by its name, is none of `names`, says why, and rescales as the record it names."""
    assert get(relative.name) is relative.record and relative.name not in names(layers=False)
    assert relative.known.outputs and shares_layers(relative)


def test_relative_law_kills_another_record() -> None:
    """A relative of the wrong record is found out."""
    for relative in RELATIVES:
        other = "fbgemm" if relative.of == "tosa_single" else "npquant"  # whose requantization is TOSA's
        assert not shares_layers(dataclasses.replace(relative, of=other)), relative.name


def test_relative_that_shares_layers_per_channel_has_another_multiplier_per_tensor() -> None:
    """LiteRT's CONV_2D takes M_B where its FULLY_CONNECTED takes M_A."""
    for relative in RELATIVES:
        if relative.per_channel:
            assert not shares_layers(dataclasses.replace(relative, per_channel=False)), relative.name


def test_relatives_are_listed_and_have_cards(capsys: pytest.CaptureFixture[str]) -> None:
    """`npquant profiles` names each with its record, `npquant profiles NAME` prints its card, a near name finds it."""
    assert main(["profiles"]) == 0
    listed = capsys.readouterr().out
    for relative in RELATIVES:
        assert f"{relative.of}'s" in next(line for line in listed.splitlines() if relative.name in line)
    assert main(["profiles", "cmsis_nn"]) == 0
    assert "tflm (0.00%): differs on layers of int16 codes alone" in capsys.readouterr().out
    with pytest.raises(ValueError, match="near it: cmsis_nn"):
        get("cmsis_n")
