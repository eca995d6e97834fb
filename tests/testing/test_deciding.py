"""Laws of what decided an output: pairs of records whose deciding field is known, and the replay that proves it."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npquant.integer.layer import IntegerLayer, run_layer_plain
from npquant.kernels.qparams import QuantParams
from npquant.profiles import get, names
from npquant.testing.deciding import FIELDS, deciding_fields, differing_fields

SX, SW, SY = (float(np.float32(s)) for s in (0.0179768074, 0.00127389934, 0.426176131))


def layer_of(acc: int, sx: float, sw: float, sy: float, zy: int = 0) -> IntegerLayer:
    """Make a layer whose accumulator is the bias, whatever the input."""
    x, w, y = QuantParams(sx, 0, -128, 127), QuantParams(sw, 0, -128, 127), QuantParams(sy, zy, -128, 127)
    return IntegerLayer(np.zeros((1, 1), np.int8), np.array([acc], np.int32), x, w, y, "identity")


CODES = np.array([[1]], np.int8)


@pytest.mark.parametrize(
    ("a", "b", "layer", "field"),
    [
        ("tflite_single", "tflite_ref", layer_of(-1958, 0.3, 0.2, 1.0), "output_stage"),  # one rounding or two
        ("tflm", "tflite_ref", layer_of(-214012, SX, SW, SY), "make_multiplier"),  # the product in float32 or float64
        ("npquant", "litert_ref_2025", layer_of(-5, 0.5, 1.0, 1.0), "output_stage"),  # ties up or away from zero
        ("npquant", "ort", layer_of(-3, 0.5, 1.0, 1.0), "output_stage"),  # ties up or to even
        ("ort", "onnx_ref", layer_of(5, 0.5, 1.0, 1.0, 1), "output_stage"),  # an odd zero point
        ("tflite_ref", "litert_ref_2025", layer_of(-(2**31), 4.0, 1.0, 1.0, -1), "output_stage"),  # the wrong rail
        ("npquant", "ort", layer_of(5 * 2**24 + 1, 2.0**-25, 1.0, 1.0), "output_stage"),  # float32 has 24 bits
    ],
    ids=["rare", "very rare", "negatives", "ties", "odd zero point", "rail", "large"],
)
def test_deciding_fields_of_known_pairs(a: str, b: str, layer: IntegerLayer, field: str) -> None:
    """The symptoms of docs/off-by-one.md have one cause each, and it is named, whichever record is asked."""
    for one, two in ((a, b), (b, a)):
        assert deciding_fields(layer, CODES, 0, get(one), get(two)) == ((field,),)


def test_deciding_fields_accumulators_that_saturate_in_pairs() -> None:
    """ort and ort_pair16 differ in the accumulator alone."""
    x, w = QuantParams(1.0, 0, 0, 255), QuantParams(1.0, 0, -128, 127)
    layer = IntegerLayer(
        np.array([[127], [127]], np.int8), np.array([0], np.int32), x, w, QuantParams(512.0, 0, 0, 255), "identity"
    )
    codes = np.array([[255, 255]], np.uint8)
    assert deciding_fields(layer, codes, 0, get("ort"), get("ort_pair16")) == (("accumulator",),)
    fbgemm = deciding_fields(layer, codes, 0, get("fbgemm"), get("ort_pair16"))
    assert fbgemm == (("accumulator",),), "rounding, multiplier and bias differ too, and decided nothing here"


def test_deciding_fields_names_several_where_one_is_not_enough() -> None:
    """Two changes made together, of which neither alone gives the answer, are named together."""

    def up(acc: object, m: object, zy: object, qmin: int, qmax: int) -> object:
        return np.asarray(get("npquant").output_stage(acc, m, zy, qmin, qmax)) + (np.asarray(m.multiplier) == 2**30)  # type: ignore[attr-defined]

    a = get("npquant")
    b = dataclasses.replace(
        a,
        make_multiplier=lambda *scales: dataclasses.replace(a.make_multiplier(*scales), multiplier=2**30),
        output_stage=up,
        max_multiplier=2.0**29,
    )
    layer = layer_of(100, 0.75, 1.0, 1.0)
    assert run_layer_plain(layer, CODES, a).item() != run_layer_plain(layer, CODES, b).item()
    assert differing_fields(a, b) == ("make_multiplier", "output_stage", "max_multiplier")
    assert deciding_fields(layer, CODES, 0, a, b) == (("make_multiplier", "output_stage"),)


@given(
    a=st.sampled_from([name for name in names() if get(name).zero_points]),
    b=st.sampled_from([name for name in names() if get(name).zero_points]),
    seed=st.integers(0, 999),
)
def test_deciding_fields_replay(a: str, b: str, seed: int) -> None:
    """Where two records part, some fields of b make b's code in a's record; where they agree, nothing decided."""
    rng = np.random.default_rng(seed)
    scales = rng.uniform(0.01, 1.0, 3)
    layer = layer_of(  # type: ignore[call-arg]
        int(rng.integers(-(2**9), 2**9)), *(float(np.float32(s)) for s in scales), int(rng.integers(-9, 9))
    )
    one, two = get(a), get(b)
    answers = [run_layer_plain(layer, CODES, profile).item() for profile in (one, two)]
    found = deciding_fields(layer, CODES, 0, one, two)
    assert bool(found) == (answers[0] != answers[1])
    assert all(set(fields) <= set(FIELDS) and len(fields) == len(found[0]) for fields in found)
