"""Strategies for cases at the door of an engine: real values on their way to codes, and what must be refused.

Legend: profile an engine's name or record.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np
from hypothesis import strategies as st

from npquant.profiles.record import Profile
from npquant.testing.case import Case
from npquant.testing.classes import float_edge, illegal
from npquant.testing.classes.parts import params
from npquant.testing.strategies.operands import SEEDS, scales
from npquant.testing.strategies.recipes import record_of


def float_cases(profile: str | Profile) -> st.SearchStrategy[Case]:
    """Draw real values on their way to codes: ties, their float neighbours, special values, any bits but NaN's.

    Parameters
    ----------
    profile : str or Profile
        An arithmetic with a QUANTIZE.

    Returns
    -------
    SearchStrategy of Case
        Of op "quantize", x_q float32 values; they shrink to few values under the scale 1.

    Raises
    ------
    ValueError
        If the profile has no QUANTIZE.

    Examples
    --------
    >>> from hypothesis import find
    >>> find(float_cases("ort"), lambda case: True).x_q
    array([0.], dtype=float32)
    """
    record, can = record_of(profile)
    if "quantize" not in can.ops:
        raise ValueError(f"{record.name} has no QUANTIZE")
    kinds = [kind for kind in can.code_types if kind in ("int8", "uint8")]
    zeros = st.integers(-128, 127) if can.input_zero_point else st.just(0)

    def made(drawn: tuple[Any, ...]) -> Case | None:
        kind, scale, zero, seed, ties, special, bits = drawn
        p = params(kind, scale, zero)
        rng = np.random.default_rng(seed)
        any_bits = rng.integers(0, 2**32, bits, dtype=np.uint32).view(np.float32)
        values = [rng.permutation(float_edge.on_ties(p))[:ties], np.array(float_edge.SPECIAL[:special], np.float32)]
        every = np.concatenate([*values, any_bits[~np.isnan(any_bits)]])
        return next(iter(float_edge.quantized(record, every, p)), None)

    drawn = st.tuples(
        st.sampled_from(kinds),
        scales(-30, 20),
        zeros,
        SEEDS,
        st.integers(0, 64),
        st.integers(1, len(float_edge.SPECIAL)),
        st.integers(0, 32),
    )
    return drawn.map(made).filter(lambda case: case is not None).map(_certain)


def _certain(case: Case | None) -> Case:
    assert case is not None
    return case


def illegal_cases(profile: str | Profile) -> st.SearchStrategy[Case]:
    """Draw cases that must be refused: depths that differ, a bias of another length, parameters out of range.

    Parameters
    ----------
    profile : str or Profile
        The arithmetic that refuses.

    Returns
    -------
    SearchStrategy of Case
        Of status "must_reject"; the second tag is what is wrong: "shape", "zero_point" or "scale".

    Examples
    --------
    >>> from hypothesis import find
    >>> find(illegal_cases("ort"), lambda case: True).tags
    ('illegal', 'shape')
    """
    record, can = record_of(profile)
    fixed = tuple(illegal.lattice(record, can))

    def drawn_with(seed: int) -> Iterator[Case]:
        return illegal.draw(record, can, np.random.default_rng(seed))

    return st.one_of(st.sampled_from(fixed), SEEDS.map(lambda seed: next(islice(drawn_with(seed), 1))))
