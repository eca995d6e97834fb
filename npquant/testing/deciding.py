"""The fields of one record that, put into another, make it give the other's answer: what decided an output.

A replay, not a comparison of texts: two records may part on many rules of which an output met one. Sets of fields are
tried from single ones on, and the smallest that reproduce the answer are returned, all of one size. Multiplier and
output stage come in pairs: where the forms of two engines differ (an integer and a shift, a float), a stage is given
the other's multiplier in the form that it takes, to the nearest. A record that is no engine at all answers nothing.

Legend: a and b two profiles; layer what both ran, codes (1, K) its input row, neuron the output that differs.
"""

from __future__ import annotations

import dataclasses
from itertools import combinations
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from npquant.arrays import Codes
from npquant.integer.layer import IntegerLayer, run_layer_plain
from npquant.kernels.multiplier import FixedMultiplier, decompose_multiplier
from npquant.profiles.record import Profile
from npquant.testing.cards import RULES

Fields = tuple[str, ...]
# What can decide an output: the rules of a card, and what comes on top of them.
FIELDS: Final = MappingProxyType(
    {
        **RULES,
        "pairs_apart": "which products are a pair that saturates",
        "wide_stages": "how layers of int16 inputs are rescaled",
    }
)


def differing_fields(a: Profile, b: Profile) -> Fields:
    """Name the fields in which two records compute otherwise, in the order of `FIELDS`.

    >>> from npquant.profiles import get
    >>> differing_fields(get("ort"), get("onnx_ref"))
    ('output_stage',)
    """
    return tuple(name for name in FIELDS if getattr(a, name) != getattr(b, name))


def deciding_fields(layer: IntegerLayer, codes: Codes, neuron: int, a: Profile, b: Profile) -> tuple[Fields, ...]:
    """Return the smallest sets of fields of b that alone take a to b's code; empty where a and b agree on it.

    >>> from npquant.kernels.qparams import QuantParams
    >>> from npquant.profiles import get
    >>> p = QuantParams(0.5, 0, -128, 127)
    >>> layer = IntegerLayer(np.array([[-5]], np.int8), np.array([0], np.int32), p, p, p, "identity")
    >>> deciding_fields(layer, np.array([[1]], np.int8), 0, get("tflite_single"), get("litert_ref_2025"))
    (('output_stage',),)
    """
    wanted = _answer(layer, codes, neuron, b)
    if wanted is None or wanted == _answer(layer, codes, neuron, a):
        return ()
    fields = differing_fields(a, b)
    for size in range(1, len(fields) + 1):
        found = tuple(
            names for names in combinations(fields, size) if _answer(layer, codes, neuron, _with(a, b, names)) == wanted
        )
        if found:
            return found
    return ()


def _with(a: Profile, b: Profile, names: Fields) -> Profile:
    """Return record a with some fields of b, its multiplier in the form that its stage takes."""
    values, stage = b if "make_multiplier" in names else a, b if "output_stage" in names else a

    def made(*scales: Any) -> Any:
        return _in_form(values.make_multiplier(*scales), stage.make_multiplier(*scales))

    changed = {name: getattr(b, name) for name in names}
    return dataclasses.replace(a, **{**changed, "make_multiplier": made})


def _in_form(multiplier: Any, form: Any) -> Any:
    """Return a multiplier as one of another form: m 2^(e-31), or a float of some type."""
    if type(multiplier) is type(form) and getattr(multiplier, "dtype", None) == getattr(form, "dtype", None):
        return multiplier
    if isinstance(multiplier, tuple) or isinstance(form, tuple):
        raise TypeError("constants of several numbers have no other form")
    real = multiplier.real if isinstance(multiplier, FixedMultiplier) else np.asarray(multiplier, np.float64)
    return decompose_multiplier(real) if isinstance(form, FixedMultiplier) else np.asarray(real, form.dtype)


def _answer(layer: IntegerLayer, codes: Codes, neuron: int, profile: Profile) -> int | None:
    """Return the code of one output; None where a record answers nothing."""
    try:
        with np.errstate(all="ignore"):
            row = run_layer_plain(layer, codes, profile)
    except (ValueError, TypeError, AttributeError, IndexError, OverflowError, StopIteration):
        return None
    return int(row[0, neuron]) if row.shape == (1, layer.shape[1]) else None
