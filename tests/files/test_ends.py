"""What a file keeps of a network's output ends, and what it is without them."""

from __future__ import annotations

import dataclasses
import io
from typing import Any

import numpy as np
import pytest

from npquant.files.format_error import FormatError
from npquant.files.plain_arrays import encode_plain_arrays
from npquant.files.reading import decode_network
from npquant.files.storage import encode_model
from npquant.integer.layer import IntegerLayer
from npquant.integer.mlp import IntegerMLP
from npquant.kernels.qparams import QuantParams

P = QuantParams(0.5, 0, -128, 127)
PLAIN = IntegerMLP(
    (IntegerLayer(np.array([[10, 3], [20, -4]], np.int8), np.array([7, 1], np.int32), P, P, P, "relu"),), P
)
ENDS = [
    (np.array([1000.0, 0.5]), None),
    (None, np.array([0.1, 2.0])),
    (np.array([0.1, -7.0]), np.array([1 / 3, 1e-9])),
]


@pytest.mark.parametrize(("offset", "factor"), ENDS)
def test_ends_are_kept_bit_for_bit_in_every_form(offset: Any, factor: Any) -> None:
    """The container, the zip around it, and plain arrays; the parts sum to the length."""
    net = dataclasses.replace(PLAIN, output_offset=offset, output_factor=factor)
    for data in (encode_model(net, container="npq"), encode_model(net), encode_plain_arrays(net)):
        found = decode_network(data, "bytes")
        assert found.model == net != PLAIN
        assert sum(part.n_bytes for part in found.parts) == len(data)
    with np.load(io.BytesIO(encode_plain_arrays(net))) as arrays:
        assert ("output_offset" in arrays, "output_factor" in arrays) == (offset is not None, factor is not None)


def test_a_network_without_ends_is_written_as_before() -> None:
    """Kind 1, which every reader takes; one with ends has a kind that no old reader takes for less than it is."""
    with_ends = dataclasses.replace(PLAIN, output_offset=[1.0, 2.0])
    assert [encode_model(net, container="npq")[4] for net in (PLAIN, with_ends)] == [1, 2]


@pytest.mark.parametrize("cut", [1, 9, 20])
def test_ends_that_are_cut_off_are_refused(cut: Any) -> None:
    """By the place, and no network is made of the rest."""
    data = encode_model(dataclasses.replace(PLAIN, output_offset=ENDS[2][0], output_factor=ENDS[2][1]), container="npq")
    with pytest.raises(FormatError):
        decode_network(data[:-cut], "short.npq")


def test_factors_that_are_none_are_refused() -> None:
    """A factor is above 0 and finite, and there is one an output."""
    for factor in ([0.0, 1.0], [-1.0, 1.0], [np.inf, 1.0], [1.0]):
        with pytest.raises(ValueError, match=r"output_factor has shape .* must be \(2,\) and finite and above 0"):
            dataclasses.replace(PLAIN, output_factor=factor)
    for offset in ([np.nan, 1.0], [1.0, 2.0, 3.0]):
        with pytest.raises(ValueError, match=r"output_offset has shape"):
            dataclasses.replace(PLAIN, output_offset=offset)
