"""Hypothesis strategies for cases of one's own: they compose, and shrink as a kernel's author would.

What is drawn is a recipe of small numbers; NumPy makes the operands of it in bulk. Shapes shrink to 1 x 1 x 1, operands
to their zero points, scales to powers of two, zero points to the middle of the codes, layouts to C order.
"""

from npquant.testing.strategies.edges import float_cases, illegal_cases
from npquant.testing.strategies.layers import call_sequences, linear_cases, mlp_cases, pruned_cases
from npquant.testing.strategies.operands import (
    layouts,
    multipliers,
    quantized_arrays,
    requant_params,
    scales,
    zero_points,
)

__all__ = [
    "call_sequences",
    "float_cases",
    "illegal_cases",
    "layouts",
    "linear_cases",
    "mlp_cases",
    "multipliers",
    "pruned_cases",
    "quantized_arrays",
    "requant_params",
    "scales",
    "zero_points",
]
