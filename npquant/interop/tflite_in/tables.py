"""What an elementwise operator on codes does, as the table of all its codes, under a profile.

Legend: name the operator, as the schema calls it; p and q quantization of its inputs and outputs; profile the
arithmetic; n values a row.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

import numpy as np

from npquant.arrays import Codes
from npquant.kernels.lookup import activation_table
from npquant.kernels.qparams import QuantParams
from npquant.profiles.codes_to_codes import activation, requantize_codes
from npquant.profiles.record import Profile

_NAMES: Final = MappingProxyType(
    {"LOGISTIC": "sigmoid", "TANH": "tanh", "RELU": "relu", "RELU6": "relu6", "RELU_N1_TO_1": "relu_n1_to_1"}
)
# Every vector kernel of QUANTIZE works on whole vectors of at most so many codes, and on its tail by another rule.
_VECTOR: Final = 16


def code_table(name: str, p: QuantParams, q: QuantParams, profile: Profile, n: int) -> Codes:
    """The code of q of each code of p, from p.qmin on.

    ValueError where the profile has no such operator, or where its answer depends on a code's place in the row.

    >>> from npquant.profiles import get
    >>> one, two = QuantParams(0.5, 0, -128, 127), QuantParams(1.0, 0, -128, 127)
    >>> code_table("QUANTIZE", one, two, get("litert_ref_2025"), 10)[128:134]
    array([0, 1, 1, 2, 2, 3], dtype=int8)
    """
    codes = np.arange(p.qmin, p.qmax + 1).astype(p.dtype)
    if name != "QUANTIZE":
        if profile.activation_codes is None and _NAMES[name] in ("sigmoid", "tanh") and p.dtype == q.dtype == np.int8:
            return activation_table(_NAMES[name], p, q)
        return activation(_NAMES[name], codes, x=p, y=q, profile=profile)
    whole = requantize_codes(codes, x=p, y=q, profile=profile)  # a multiple of 16 codes: whole vectors
    if n % _VECTOR:
        alone = [requantize_codes(codes[i : i + 1], x=p, y=q, profile=profile)[0] for i in range(codes.size)]
        if not np.array_equal(whole, np.array(alone)):
            raise ValueError(
                f"{profile.name} requantizes the codes of a row of {n} by two rules, by their place in the vector; "
                "read the file under another profile"
            )
    return whole
