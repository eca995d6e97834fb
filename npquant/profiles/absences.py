"""What an engine has not, and whether it or npquant lacks it.

Legend: profile the engine's record, cell an operator as `Knowledge` names it, what its name in a message.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Any, Final

from npquant.profiles.knowledge import Known
from npquant.profiles.record import Profile

# By operator, the field of the record that computes it.
FIELDS: Final = MappingProxyType(
    {
        "quantize": "quantize_codes",
        "dequantize": "dequantize_codes",
        "codes_to_codes": "requantize_codes",
        "activations": "activation_codes",
        "softmax": "softmax_codes",
        "dynamic": "dynamic",
    }
)


def has(profile: Profile, cell: str, what: str) -> Any:
    """Return an engine's operator.

    ValueError where the engine has none, or where it has one and npquant does not: the two are not the same news.

    >>> from npquant.profiles import get
    >>> has(get("nvdla"), "softmax", "softmax on codes")
    Traceback (most recent call last):
    ValueError: nvdla has no softmax on codes: NVDLA, SDP output converter computes none (no exponential of its own)
    """
    operator = getattr(profile, FIELDS[cell])
    if operator is None:
        raise ValueError(f"{profile.name} has no {what}{absence(profile, cell)}")
    return operator


def absence(profile: Profile, cell: str) -> str:
    """Say why a profile has no such operator: absent in its engine, or in npquant alone.

    >>> from npquant.profiles import get
    >>> absence(get("ort"), "wide")
    ': ONNX Runtime, CPU provider (MLAS) computes none (QLinearMatMul and QGemm take 8 bits)'
    >>> absence(get("ort"), "softmax")
    ' here: ONNX Runtime, CPU provider (MLAS) computes it, npquant does not (QLinearSoftmax)'
    """
    known: Known = getattr(profile.knowledge, cell)
    if known.how == "absent here":
        return f" here: {profile.engine} computes it, npquant does not ({known.what})"
    return f": {profile.engine} computes none ({known.what})"
