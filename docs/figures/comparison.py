"""The picture of docs/compare.md: what `npquant compare --plot` draws of the bundled digits, all else by default."""

from __future__ import annotations

from plate import Plate

from npquant.data.datasets import load_optdigits
from npquant.workflow.compare.picture import comparison_plate
from npquant.workflow.compare.run import ACTIVATION, METHODS, SEEDS, WIDTHS, checked, compare_seeds


def plates() -> list[Plate]:
    """Compare anew, and draw."""
    asked = checked(METHODS, WIDTHS, SEEDS, hidden=None, activation=ACTIVATION, epochs=None, activation_bits=8)
    return [comparison_plate(compare_seeds(lambda _: load_optdigits(), asked))]
