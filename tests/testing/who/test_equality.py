"""Whether two profiles can be told apart on a layer: the short proof agrees with looking at every accumulator."""

import dataclasses
import itertools
from typing import Any

import numpy as np
import pytest

from npquant import QuantParams
from npquant.profiles import get, names
from npquant.testing.case import Layer
from npquant.testing.who.equality import _telling_points, compare
from npquant.testing.who.next_inputs import multipliers, with_sums
from npquant.testing.who.suspects import profile_suspect, why_refused


def small_layer(up: Any, sw: Any, zy: Any, bias: Any, activation: str = "none") -> Any:
    """A layer of two inputs whose every accumulator can be looked at."""
    x, y = QuantParams(0.5, up - 3, up - 128, up + 127), QuantParams(0.5, up + zy, up - 128, up + 127)
    w = QuantParams(np.float32(sw), 0, -128, 127)
    return Layer(np.array([[101], [-7]], np.int8), np.array([bias], np.int32), x, w, y, activation)


LAYERS = [small_layer(0, 1 / 128, 5, 40), small_layer(0, 0.0123, 0, -3000), small_layer(128, 1 / 256, 8, 7, "relu6")]


@pytest.mark.parametrize("layer", LAYERS)
def test_compare_agrees_with_every_accumulator(layer: Any) -> None:
    """Equal exactly where no accumulator in the layer's interval is treated differently; a difference is shown."""
    taken = [name for name in names() if not why_refused(layer, get(name))]
    sums = np.arange(-40_000, 40_000)[:, np.newaxis]
    probe, x_q = with_sums(layer, [0], sums)
    codes = {name: profile_suspect(name).of_sums(probe, x_q).ravel() for name in taken}
    low, high = -101 * 131 - 7 * 124 - 300, 101 * 130 + 7 * 131 + 300
    inside = (sums.ravel() >= low) & (sums.ravel() <= high)
    told = 0
    for a, b in itertools.combinations(taken, 2):
        known = compare(layer, a, b, None)
        if known.where is not None:
            at = np.flatnonzero(sums.ravel() == known.where[1])[0]
            assert codes[a][at] != codes[b][at]
            told += 1
        if known.equal:
            assert np.array_equal(codes[a][inside], codes[b][inside])
    assert told > 20


@pytest.mark.parametrize("name", names())
def test_every_profile_grows_with_its_accumulator(name: Any) -> None:
    """For M < 1/2, as the short proof needs: codes never fall, in the middle half of int32 and in each step near the
    codes."""
    for up in (0, 128):
        for sw in (0.0123, 1 / 64, 0.4, 2.0**-20):
            layer = small_layer(up, sw, 0 if not get(name).zero_points else 4, 0)
            if not get(name).zero_points:
                layer = dataclasses.replace(layer, x=QuantParams(0.5, 0, -128, 127), y=QuantParams(0.5, 0, -128, 127))
            if why_refused(layer, get(name)):
                continue
            width = int(min(300 / sw, 2**30))
            wide = np.linspace(-(2**30), 2**30, 20_001).astype(np.int64)
            sums = np.unique(np.concatenate([wide, np.linspace(-width, width, 40_001).astype(np.int64)]))
            probe, x_q = with_sums(layer, [0], sums[:, np.newaxis])
            codes = profile_suspect(name).of_sums(probe, x_q).ravel()
            assert (np.diff(codes) >= 0).all()


def test_compare_kills_a_proof_by_too_few_points() -> None:
    """Both ends of the interval alone, or one sum in each step, would call half up and half even equal."""
    layer = LAYERS[0]
    every = np.arange(-5000, 5001)
    points = _telling_points(layer, 0, -5000, 5000)
    codes = {}
    for name in ("tosa_single", "ort"):
        probe, x_q = with_sums(layer, [0], every[:, np.newaxis])
        codes[name] = profile_suspect(name).of_sums(probe, x_q).ravel()
    differ = every[codes["tosa_single"] != codes["ort"]]
    assert len(differ) and set(differ) <= set(points) and multipliers(layer)[0] == 1 / 128
    assert not set(differ) & {-5000, 5000} and not set(differ) & set(every[40::128])
    assert not compare(layer, "tosa_single", "ort", None).equal


def test_compare_stays_open_where_it_cannot_look() -> None:
    """Pairs that saturate, accumulators beyond int32, and an effort that is used up are not called equal."""
    pairs = small_layer(128, 0.01, 0, 0)
    pairs = dataclasses.replace(pairs, w_q=np.array([[127], [127]], np.int8))
    assert not compare(pairs, "ort", "ort_pair16", None).equal
    beyond = small_layer(0, 0.01, 0, 2**31 - 5)
    assert "int32" in compare(beyond, "ort", "onnx_ref", None).why
    wide = small_layer(0, 0.0123, 0, 0)
    assert "were not looked at" in compare(wide, "npquant", "litert_ref_2025", None, effort=10).why
