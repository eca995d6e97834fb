"""What pruning removed, and why: frozen records of neurons by their index before pruning.

Legend: n neurons of a hidden layer before pruning.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]


class NothingPrunedWarning(UserWarning):
    """A positive pruning rate removed no neuron."""


@dataclass(frozen=True, slots=True, eq=False)
class LayerPruning:
    """Say what became of one hidden layer's neurons, by their index before pruning.

    Parameters
    ----------
    zero : array of int, shape (any,)
        Removed exactly: no outgoing weight, or output 0 on every calibration row.
    constant : array of int
        Removed exactly: the same output on every calibration row, now part of the next bias.
    redundant : array of int
        Removed by merging: a positive multiple, on every calibration row, of a neuron that stays.
    unimportant : array of int
        Removed by rank, in the order of removal.
    kept : array of int
        Left, ascending: column k of the pruned layer was column kept[k].

    Notes
    -----
    The arrays are copied to int64 and set read-only.

    Examples
    --------
    >>> layer = LayerPruning([], [], [], [2], [0, 1])
    >>> layer.removed, layer.counts["unimportant"]
    (1, 1)
    """

    zero: Indices
    constant: Indices
    redundant: Indices
    unimportant: Indices
    kept: Indices

    def __post_init__(self) -> None:
        for field in fields(self):
            indices = np.array(getattr(self, field.name), np.int64)
            indices.flags.writeable = False
            object.__setattr__(self, field.name, indices)

    @property
    def counts(self) -> Mapping[str, int]:
        """Number of neurons by kind, "kept" included; they sum to n."""
        return {field.name: len(getattr(self, field.name)) for field in fields(self)}

    @property
    def removed(self) -> int:
        """Number of neurons removed."""
        return sum(self.counts.values()) - len(self.kept)


@dataclass(frozen=True, slots=True, eq=False)
class PruningReport:
    """Say what pruning removed from each hidden layer.

    Parameters
    ----------
    rates : tuple of float
        The share that was asked for, by hidden layer.
    layers : tuple of LayerPruning
        What became of the neurons, by hidden layer.

    Examples
    --------
    >>> report = PruningReport((0.1,), (LayerPruning([], [], [], [], [0, 1, 2]),))
    >>> report.nothing_pruned
    True
    >>> print(report.reason)
    layer 0: 0.1 of 3 neurons rounds to 0; raise the rate to 0.167
    """

    rates: tuple[float, ...]
    layers: tuple[LayerPruning, ...]

    @property
    def kept(self) -> tuple[Indices, ...]:
        """Neurons left, by hidden layer."""
        return tuple(layer.kept for layer in self.layers)

    @property
    def nothing_pruned(self) -> bool:
        """True where no neuron was removed."""
        return not any(layer.removed for layer in self.layers)

    @property
    def reason(self) -> str:
        """Why layers with a positive rate lost no neuron, and what would help; empty if there are none."""
        reasons = []
        for i, (rate, layer) in enumerate(zip(self.rates, self.layers, strict=True)):
            n = len(layer.kept)
            if rate == 0 or layer.removed:
                continue
            if n == 1:
                reasons.append(f"layer {i}: its only neuron stays")
            else:
                # Rounded up, so that following the advice removes a neuron.
                enough = np.ceil(500 / n) / 1000
                reasons.append(f"layer {i}: {rate:g} of {n} neurons rounds to 0; raise the rate to {enough:g}")
        return "; ".join(reasons)
