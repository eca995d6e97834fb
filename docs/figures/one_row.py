"""Compute what chapters 1 to 4 of the book follow: one neuron on one row, and the small network that both are of.

Legend: sets the rows of the bundled digits; network the bundled one with 39 of its 106 neurons left, each weight then
rounded to 4 bits; ROW counts validation rows.
"""

from __future__ import annotations

from typing import Final

from npquant import IntegerMLP, prune_neurons, quantize_uniform
from npquant.data.sets import Sets, load_sets
from npquant.nn.model import FloatMLP
from npquant.workflow.float_model import bundled_network

ROW: Final = 147  # a 5
NEURON: Final = 5  # of the last layer: the sum for class 5
RIVAL: Final = 9  # the class that comes next on this row


def digits() -> Sets:
    """Load the rows."""
    return load_sets(None, seed=0)


def small_network(sets: Sets) -> FloatMLP:
    """Prune the bundled network."""
    return prune_neurons(bundled_network(), sets.train[0], 0.7)


def integer_network(small: FloatMLP, sets: Sets) -> IntegerMLP:
    """Round each weight to the nearest of 15 codes, the largest of a neuron to the last of them."""
    return quantize_uniform(small, sets.train[0], 4, weight_scale="absmax")
