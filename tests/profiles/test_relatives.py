"""Relatives: names that `get` knows, whose 8-bit layers are another record's."""

import numpy as np
import pytest

from npquant.cli import main
from npquant.profiles import get, names
from npquant.profiles.relatives import RELATIVES, Relative
from npquant.testing.samples import codes_under, extremes, near_ties, realistic


def shares_layers(relative: Relative) -> bool:
    """Whether a relative rescales every sample of 8 bits as the record that it names."""
    rng = np.random.default_rng(3)
    samples = [*near_ties(rng, 24, 256), *realistic(rng, 8, 256), *extremes()]
    return all(
        np.array_equal(codes_under(relative.record, sample), codes_under(get(relative.of), sample))
        for sample in samples
    )


@pytest.mark.parametrize("relative", RELATIVES, ids=[relative.name for relative in RELATIVES])
def test_relative_shares_the_layers_of_its_record(relative):
    """It is found by its name, is none of `names`, says why, and rescales as the record it names."""
    assert get(relative.name) is relative.record and relative.name not in names(layers=False)
    assert relative.evidence and shares_layers(relative)


def test_relative_law_kills_another_record():
    """A relative of the wrong record is found out."""
    for relative in RELATIVES:
        assert not shares_layers(Relative(relative.name, relative.record, "npquant", "")), relative.name


def test_relatives_are_listed_and_have_cards(capsys):
    """`npquant profiles` names each with its record, `npquant profiles NAME` prints its card, a near name finds it."""
    assert main(["profiles"]) == 0
    listed = capsys.readouterr().out
    for relative in RELATIVES:
        assert f"8-bit layers as {relative.of}" in next(line for line in listed.splitlines() if relative.name in line)
    assert main(["profiles", "cmsis_nn"]) == 0
    assert "tflm (0.00%): differs on layers of int16 codes alone" in capsys.readouterr().out
    with pytest.raises(ValueError, match="near it: cmsis_nn"):
        get("cmsis_n")
