"""The table of methods: each name, and the function (LayerProblem, bits) -> LayerCodes that it stands for.

Legend: `method` a name of METHOD_NAMES. R1 stands in uniform, E labels in rectified/, rounding_grid, gptq, gpfq and
soft_rounding.
"""

from __future__ import annotations

from functools import partial
from types import MappingProxyType
from typing import Final

import numpy as np

from npquant.compression.chain.integer_chain import Rounding
from npquant.compression.rounding.adaround import adaround_layer
from npquant.compression.rounding.gpfq import gpfq_layer
from npquant.compression.rounding.gptq import gptq_layer
from npquant.compression.rounding.method_names import DRAWING_METHODS
from npquant.compression.rounding.nearest import nearest_layer
from npquant.compression.rounding.rectified.network import rectified_codes
from npquant.compression.rounding.uniform import uniform_layer

METHODS: Final = MappingProxyType[str, Rounding](
    {
        "rectified": rectified_codes,
        "uniform": uniform_layer,
        "nearest": nearest_layer,
        "gptq": gptq_layer,
        "gptq_resolved": partial(gptq_layer, resolve=True),
        "gpfq": gpfq_layer,
        "adaround": adaround_layer,
    }
)


def rounding_of(method: str, rng: int | np.random.Generator | None) -> Rounding:
    """Return the function of a name; one that draws does so from `rng`. ValueError if the name is unknown.

    >>> rounding_of("gpfq", None) is gpfq_layer
    True
    """
    if method not in METHODS:
        raise ValueError(f"the method is {method!r}; known are {', '.join(METHODS)}")
    if method == "adaround":
        return partial(adaround_layer, rng=np.random.default_rng(rng))
    return METHODS[method]


def deterministic_rounding(method: str) -> Rounding:
    """Return the function of a name that draws nothing, for neurons or layers alone. ValueError for any other name.

    >>> deterministic_rounding("adaround")
    Traceback (most recent call last):
    ValueError: the method is 'adaround'; here it is one of rectified, uniform, nearest, gptq, gptq_resolved, gpfq
    """
    if method not in METHODS or method in DRAWING_METHODS:
        known = ", ".join(name for name in METHODS if name not in DRAWING_METHODS)
        raise ValueError(f"the method is {method!r}; here it is one of {known}")
    return METHODS[method]
