"""What rounding a layer cost, neuron by neuron: the report that a layer's quantizer may give with its codes.

Legend: N neurons; E labels as in rectified/layer_objective.py and rectified/rounding_path.py.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from npquant.arrays import Float64
from npquant.compression.chain.weight_codes import Bits


@dataclass(frozen=True, slots=True, eq=False)
class LayerReport:
    """Say what one layer's rounding cost; the arrays are copied and set read-only.

    >>> report = LayerReport(4, *(np.array([v, v]) for v in (1.0, 3.0, 4.0, 0.5, 0.75)))
    >>> report.phi, report.share_of_bound, report.neurons_nearest
    (2.0, 0.25, 0)
    """

    bits: Bits
    phi_by_neuron: Float64  # (N,): E6 of the codes
    phi_nearest_by_neuron: Float64  # (N,): E6 of the same weights to nearest, on the same inputs: phi <= phi_nearest
    bound_by_neuron: Float64  # (N,): right side of E13, known before a weight is rounded: phi <= bound
    real_by_neuron: Float64  # (N,): E6 of the best real weights (E9), which no codes can undercut: real <= phi
    carried_by_neuron: Float64  # (N,): weighted squared error of the pre-activations, sum u^2 / d2 <= phi

    def __post_init__(self) -> None:
        for name in self.__slots__[1:]:
            array = np.array(getattr(self, name), np.float64)
            array.flags.writeable = False
            object.__setattr__(self, name, array)

    @property
    def phi(self) -> float:
        """E6, summed over neurons."""
        return float(self.phi_by_neuron.sum())

    @property
    def phi_uniform(self) -> float:
        """E6 of nearest rounding, summed over neurons."""
        return float(self.phi_nearest_by_neuron.sum())

    @property
    def bound(self) -> float:
        """Right side of E13, summed over neurons."""
        return float(self.bound_by_neuron.sum())

    @property
    def real(self) -> float:
        """E6 of the best real weights, summed over neurons."""
        return float(self.real_by_neuron.sum())

    @property
    def carried(self) -> float:
        """Carried error, summed over neurons."""
        return float(self.carried_by_neuron.sum())

    @property
    def share_of_bound(self) -> float:
        """phi / bound; 0 where both are 0."""
        return self.phi / self.bound if self.bound > 0 else 0.0

    @property
    def neurons_nearest(self) -> int:
        """Neurons for which nearest rounding of w was as good as the path, so that phi equals that of nearest."""
        return int((self.phi_by_neuron >= self.phi_nearest_by_neuron).sum())
