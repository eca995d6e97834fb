"""What pruning removed, and why: frozen records of neurons by their index before pruning.

Legend: n neurons of a hidden layer before pruning.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from npquant.arrays import Float64, Indices
from npquant.compression.pruning.neurons.allocation import share_of_layer

CAUSES: Final = ("zero", "constant", "redundant", "unimportant")
_FLOATS: Final = ("factors", "scores")


class NothingPrunedWarning(UserWarning):
    """A positive pruning rate removed no neuron."""


@dataclass(frozen=True, slots=True, eq=False)
class LayerPruning:
    """Say what became of one hidden layer's neurons; the arrays are copied, to int64 or float64, and read-only.

    >>> layer = LayerPruning([], [], [], [2], [0, 1])
    >>> layer.removed, layer.counts["unimportant"]
    (1, 1)
    """

    # Removed exactly: no outgoing weight, or output 0 on every calibration row.
    zero: Indices
    # Removed exactly: the same output on every calibration row, now part of the next bias.
    constant: Indices
    # Removed by merging: a positive multiple, on every calibration row, of a neuron that stays.
    redundant: Indices
    # Removed by rank, in the order of removal.
    unimportant: Indices
    # Left, ascending: column k of the pruned layer was column kept[k].
    kept: Indices
    # Of those removed: no outgoing weight; no incoming weight. Each is proof for every input.
    unheard: Indices = ()  # type: ignore[assignment]
    unfed: Indices = ()  # type: ignore[assignment]
    # Neuron redundant[m] gave factors[m] times what twins[m] gives.
    twins: Indices = ()  # type: ignore[assignment]
    factors: Float64 = ()  # type: ignore[assignment]
    # Of each unimportant neuron when it was removed, in the unit of the criterion.
    scores: Float64 = ()  # type: ignore[assignment]
    # Weights of the next layer that were 0 and are not, as a twin took over what a redundant neuron said.
    refilled: int = 0

    def __post_init__(self) -> None:
        for name in (*CAUSES, "kept", "unheard", "unfed", "twins", *_FLOATS):
            values = np.array(getattr(self, name), np.float64 if name in _FLOATS else np.int64)
            values.flags.writeable = False
            object.__setattr__(self, name, values)

    @property
    def counts(self) -> Mapping[str, int]:
        """Number of neurons by cause, and "kept"; they sum to n."""
        return {name: len(getattr(self, name)) for name in (*CAUSES, "kept")}

    @property
    def removed(self) -> int:
        """Number of neurons removed."""
        return sum(len(getattr(self, cause)) for cause in CAUSES)

    def why(self, neuron: int) -> str:
        """Say in one line what became of a neuron: "kept", or the cause and its evidence. IndexError if there is none.

        >>> LayerPruning([], [], [3], [2], [0, 1], twins=[1], factors=[2.0]).why(3)
        'redundant: 2 times neuron 1 on every row'
        """
        at = {name: np.flatnonzero(getattr(self, name) == neuron) for name in (*CAUSES, "kept")}
        cause = next((name for name, places in at.items() if len(places)), None)
        if cause is None:
            raise IndexError(f"there is no neuron {neuron}; the layer had {sum(self.counts.values())}")
        place = int(at[cause][0]) if len(at[cause]) else 0
        if cause == "redundant" and len(self.twins):
            return f"redundant: {self.factors[place]:g} times neuron {self.twins[place]} on every row"
        if cause == "unimportant" and len(self.scores):
            return f"unimportant: number {place + 1} to go, score {self.scores[place]:.3g}"
        if cause not in ("zero", "constant"):
            return cause
        proofs = [
            text
            for text, known in (("no outgoing weight", self.unheard), ("no incoming weight", self.unfed))
            if neuron in known
        ]
        shown = "output 0 on every row" if cause == "zero" else "the same output on every row"
        return f"{cause}: {', '.join(proofs) or shown}"


@dataclass(frozen=True, slots=True, eq=False)
class PruningReport:
    """Say what pruning removed from each hidden layer.

    >>> report = PruningReport((0.1,), (LayerPruning([], [], [], [], [0, 1, 2]),))
    >>> report.nothing_pruned
    True
    >>> print(report.reason)
    layer 0: 0.1 of 3 neurons rounds to 0; raise the rate to 0.167
    """

    rates: tuple[float, ...]  # the share that was asked for, by hidden layer
    layers: tuple[LayerPruning, ...]  # by hidden layer
    allocation: str = "uniform"  # or "global": each layer lost its own share, or all layers together

    @property
    def kept(self) -> tuple[Indices, ...]:
        """Neurons left, by hidden layer."""
        return tuple(layer.kept for layer in self.layers)

    @property
    def counts(self) -> Mapping[str, int]:
        """Number of neurons by cause over all hidden layers, and "kept"."""
        return {name: sum(layer.counts[name] for layer in self.layers) for name in (*CAUSES, "kept")}

    @property
    def nothing_pruned(self) -> bool:
        """True where no neuron was removed."""
        return not any(layer.removed for layer in self.layers)

    @property
    def refilled(self) -> int:
        """Number of weights that were 0 and are 0 no longer: those that took over a redundant neuron's."""
        return sum(layer.refilled for layer in self.layers)

    @property
    def reason(self) -> str:
        """Why layers with a positive rate lost no neuron, and what would help; empty if there are none."""
        if self.allocation == "global":
            n = self.counts["kept"]
            return self._too_low("the network", self.rates[0], n) if self.nothing_pruned and self.rates[0] else ""
        reasons = []
        for i, (rate, layer) in enumerate(zip(self.rates, self.layers, strict=True)):
            n = len(layer.kept)
            if rate == 0 or layer.removed:
                continue
            reasons.append(f"layer {i}: its only neuron stays" if n == 1 else self._too_low(f"layer {i}", rate, n))
        return "; ".join(reasons)

    def _too_low(self, where: str, rate: float, n: int) -> str:
        if share_of_layer(n, rate):
            return f"{where}: each layer's only neuron stays"
        # Rounded up, so that following the advice removes a neuron.
        return f"{where}: {rate:g} of {n} neurons rounds to 0; raise the rate to {np.ceil(500 / n) / 1000:g}"

    def __str__(self) -> str:
        """Return a table: causes by layer, and their sums."""
        names = (*CAUSES, "kept")
        rows = [[str(i), *(str(layer.counts[name]) for name in names)] for i, layer in enumerate(self.layers)]
        table = [["layer", *names], *rows, ["all", *(str(self.counts[name]) for name in names)]]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in table)
