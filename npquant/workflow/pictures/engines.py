"""The deployed network under the arithmetic of every engine: who computes the same integers, who does not, who refuses.

Legend: model the deployed network; x_q input codes of rows.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from npquant.integer.mlp import IntegerMLP
from npquant.profiles import get, names

_PRODUCTS: Final = 4_000_000  # of all rows under one arithmetic
_FEWEST: Final = 16


def engine_pictures(model: IntegerMLP, x_q: NDArray[Any]) -> dict[str, Any]:
    """Count, for each profile, the output codes and predictions that are others than npquant's, or say why it refuses.

    As many rows are asked as four million products allow, 16 at least.

    >>> from npquant.integer.layer import IntegerLayer
    >>> from npquant.kernels.qparams import QuantParams
    >>> p = QuantParams(0.5, 0, -128, 127)
    >>> layer = IntegerLayer(np.array([[10], [20]], np.int8), np.array([7], np.int32), p, p, p, "identity")
    >>> found = engine_pictures(IntegerMLP((layer,), p), np.array([[3, -4]], np.int8))
    >>> found["rows"], found["profiles"][0]
    (1, {'name': 'npquant', 'differing': 0, 'predictions': 0, 'largest': 0, 'refused': None})
    """
    rows = x_q[: max(_FEWEST, _PRODUCTS // max(model.macs, 1))]
    own = model.run(rows).astype(np.int64)
    told = [_asked(replace(model, profile=get(name)), rows, own, name) for name in names()]
    return {"rows": len(rows), "codes": int(own.size), "profiles": told}


def _asked(model: IntegerMLP, rows: NDArray[Any], own: NDArray[np.int64], name: str) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": name, "differing": None, "predictions": None, "largest": None, "refused": None}
    try:
        found = model.run(rows).astype(np.int64)
    except (ValueError, TypeError, OverflowError) as error:
        return {**entry, "refused": " ".join(str(error).split())}
    apart = np.abs(found - own)
    others = int(np.count_nonzero(found.argmax(axis=1) != own.argmax(axis=1)))
    return {**entry, "differing": int(np.count_nonzero(apart)), "predictions": others, "largest": int(apart.max())}
