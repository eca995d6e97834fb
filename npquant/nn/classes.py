"""The network, beside model: the class that outputs stand for, of a float or an integer network alike.

Legend: outputs (B, C), real values or codes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from npquant.arrays import Int64


def largest_output(outputs: NDArray[Any]) -> Int64:
    """Return the index of the largest of each row's outputs, the lowest on a tie: int64, (B,).

    ValueError if there is one output: it is the value of a regression or the logit of a binary network, and a network
    does not know which.

    >>> largest_output(np.array([[1.0, 3.0], [2.0, 2.0]]))
    array([1, 0])
    """
    if outputs.shape[1] == 1:
        raise ValueError(
            "the network has one output, which is no choice among classes: logits(x) are the values of a regression, "
            "and (logits(x)[:, 0] > 0) the classes of a binary network"
        )
    return np.asarray(np.argmax(outputs, axis=1), np.int64)
