"""The near end of an integer network: whole numbers as they are, or one scale a feature.

Whole numbers that span at most 255 can be their own codes, with steps of 1 for all: no input is rounded, and a program
needs no real number at its door. But then the first layer's weights are those of the features as they come. Where these
have many sizes, as behind a folded standardization, a neuron's largest weight sets a step that rounds its others away.

Rounding w_kn u_k to steps in proportion to the largest of neuron n moves its sum by a standard deviation in proportion
to c_n(u) = max_k |w_kn| u_k sqrt(sum_k var(x_k) / u_k^2), k where w_kn is not 0. With "auto" whole numbers go by
feature where mean_n c_n(1)^2 / v_n > 2 mean_n c_n(s)^2 / v_n, v_n the variance of the sum: where exact inputs would
cost more than half a bit of the weights, at every width. A change of a feature's unit changes c_n(1) alone.

Legend: R rows, K inputs, N neurons; rows (R, K) checked calibration rows, x_k their columns; w (K, N) real weights of
the first layer; u (K,) the units of input codes: 1 for exact ones, the scales s by feature; `inputs` "exact",
"by_feature" or "auto"; `bits` of the codes, 8 or 16.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from npquant.arrays import Float64
from npquant.compression.chain.calibration import InputCode, by_feature_code, choose_input_code, input_code_of

INPUTS: Final = ("auto", "exact", "by_feature")
# Half a bit: a step sqrt 2 as wide, an error of twice the power.
COSTLY: Final = 2.0
# Three bits: pruning leaves large weights on pixels that are rarely on, and pixels stay exact.
COSTLY_WHERE_PRUNED: Final = 64.0


def check_inputs(inputs: str) -> None:
    """Refuse a name that is none of INPUTS with ValueError."""
    if inputs not in INPUTS:
        raise ValueError(f"inputs is {inputs!r}; it must be one of {', '.join(INPUTS)}")


def choose_inputs(rows: Float64, w: Float64, inputs: str, sample: Float64 | None = None, bits: int = 8) -> InputCode:
    """Choose the quantization of the inputs: the one asked for; with "auto" by cost, and by feature for real numbers.

    The cost is measured on `sample`, by default all rows, which then need to hold the ends of each column alone.
    ValueError if `inputs` is no name, or exact ones are asked for and there are none.

    >>> rows = np.array([[0.0, 90.0], [1.0, 180.0]])
    >>> [choose_inputs(rows, np.array(w), "auto").by_feature for w in ([[1.0], [1.0]], [[90.0], [1.0]])]
    [False, True]
    """
    check_inputs(inputs)
    if inputs == "by_feature":
        return by_feature_code(rows, bits)
    code = input_code_of(rows, bits)
    if inputs == "exact":
        if code.by_feature:
            most = "lie within 32,767 of 0" if bits == 16 else "span at most 255 with 0"
            raise ValueError(f"exact inputs need whole numbers that {most}; {_fault(rows)}")
        return code
    if code.by_feature:
        return code
    scaled, seen = by_feature_code(rows, bits), rows if sample is None else sample
    limit = COSTLY if np.all(w) else COSTLY_WHERE_PRUNED
    return scaled if cost_of_exact(seen, w, np.asarray(scaled.params.scale, np.float64)) > limit else code


def cost_of_exact(rows: Float64, w: Float64, scales: Float64) -> float:
    """Compare the power of the weights' rounding errors for exact inputs with that for inputs of these scales (K,).

    >>> rows, w = np.array([[0.0, 0.0], [1.0, 100.0]]), np.array([[1.0], [0.01]])
    >>> round(cost_of_exact(rows, w, np.array([0.01, 1.0])))
    5000
    """
    w = np.asarray(w, np.float64)
    v = np.square((rows - rows.mean(axis=0)) @ w).mean(axis=0)
    # A neuron that no row moves has no signal to be noisy.
    moved = v > 0
    if not moved.any():
        return 1.0
    variance = rows.var(axis=0)
    powers = []
    for u in (np.ones(len(scales)), scales):
        noise = np.square(np.max(np.abs(w) * u[:, np.newaxis], axis=0)) * ((variance / np.square(u)) @ (w != 0))
        powers.append(float(np.mean(noise[moved] / v[moved])))
    return powers[0] / powers[1]


def inputs_notes(rows: ArrayLike, kind: str) -> list[str]:
    """Say that whole numbers were quantized by feature, where a network's inputs are of that `kind`; else nothing.

    >>> inputs_notes([[0, 16]], "exact"), len(inputs_notes([[0, 16]], "by_feature"))
    ([], 1)
    """
    if kind != "by_feature" or choose_input_code(rows).by_feature:
        return []
    return [
        "Inputs are whole numbers, but have a step for each feature (by_feature): one step of 1 for all of them would "
        "cost the first layer's weights more than half a bit."
    ]


def _fault(rows: Float64) -> str:
    """Say what of rows is not exact."""
    real = (rows != np.rint(rows)).any(axis=0)
    way_out = "give inputs='by_feature'"
    if real.any():
        k = int(np.argmax(real))
        value = rows[rows[:, k] != np.rint(rows[:, k]), k][0]
        return f"column {k} holds {value:g}: {way_out}"
    return f"the columns span {min(rows.min(), 0.0):g} to {max(rows.max(), 0.0):g}: {way_out}"
