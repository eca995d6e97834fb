"""The names of the ways to round a layer's weights: one name each, wherever one is asked for.

Nothing is imported, so that the command line can list them at once; `methods.METHODS` holds what they stand for.
Legend: R and E labels as in methods.
"""

from typing import Final

METHOD_NAMES: Final = (
    "rectified",  # E1 to E14: each weight down or up, against the weighted error carried so far
    "uniform",  # R1: the nearest code
    "nearest",  # R1, then scale and bias fitted (E15), as all that follow
    "gptq",  # E16: each error pushed into the weights that are still real
    "gptq_resolved",  # E18 first: weights moved towards the float network's targets
    "gpfq",  # E17: each code cancels the error carried so far
    "adaround",  # E19, E20: down or up, learned; draws its batches
)
# Rows held out of calibration choose (E31) among the methods of AUTO_METHODS: the first unless another proves better.
AUTO: Final = "auto"
AUTO_METHODS: Final = ("rectified", "rectified_even", "gptq_resolved", "gptq", "nearest")
# They take a generator; the others give the same codes again.
DRAWING_METHODS: Final = ("adaround",)
