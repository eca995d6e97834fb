"""What a search may choose, one point of it, and what was found there.

Legend: an axis is one layer's weight width, one hidden layer's pruning rate, or one hidden layer's activation bits; its
levels go from loose to tight; a state is a level >= 0 for each axis, in that order. Weight widths are 2..8 or
"ternary", rates shares of neurons removed in [0, 0.9], activation bits 2..8.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from npquant.budget.requirements import Measured
from npquant.compression.chain.weight_codes import Bits

State = tuple[int, ...]
LOW_WIDTHS: Final = (2, "ternary")
AXES: Final = ("weight_bits", "pruning_rate", "activation_bits")


@dataclass(frozen=True, slots=True)
class Thresholds:
    """One candidate: a weight width for each layer, a pruning rate and activation bits for each hidden layer."""

    bits: tuple[Bits, ...]
    rates: tuple[float, ...]
    activation_bits: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Trial:
    """A candidate that was built and measured."""

    thresholds: Thresholds
    found: Measured
    failing: tuple[str, ...]  # names of the requirements that it misses
    sound: bool  # accuracy and SQNR hold, and KL lets expect that they do on new rows (G3)
    phase: str  # the part of the search that tried it: docs/report.md lists them

    @property
    def holds(self) -> bool:
        """Whether accuracy or RMSE, and SQNR, hold on the validation rows, whatever bytes and MACs are."""
        return not {"max_drop", "max_rmse_rise", "min_sqnr"} & set(self.failing)


@dataclass(frozen=True, slots=True)
class Space:
    """The axes and their levels, each from loose to tight: widths by layer, rates and activation bits by hidden layer.

    ValueError if there is no layer, an axis has no level, or the axes are not one, and two less one, a layer.

    >>> space = Space(bits=((8, 4), (8, 4)), rates=((0.0, 0.5),), activation_bits=((8,),))
    >>> space.levels, space.at((1, 0, 1, 0))
    ((2, 2, 2, 1), Thresholds(bits=(4, 8), rates=(0.5,), activation_bits=(8,)))
    >>> space.uniform(1, 1), space.ceilings(low=True)
    ((1, 1, 1, 0), (1, 1, 1, 0))
    """

    bits: tuple[tuple[Bits, ...], ...]
    rates: tuple[tuple[float, ...], ...]
    activation_bits: tuple[tuple[int, ...], ...]

    def __post_init__(self) -> None:
        """Check that there is something to choose from."""
        hidden = len(self.bits) - 1
        if hidden < 0 or (len(self.rates), len(self.activation_bits)) != (hidden, hidden):
            raise ValueError(f"{len(self.bits)} layers need {hidden} axes of rates and of activation bits")
        if not all(self.levels):
            raise ValueError("an axis has no level; give one at least")

    @property
    def levels(self) -> State:
        """Number of levels of each axis."""
        return tuple(len(axis) for axis in (*self.bits, *self.rates, *self.activation_bits))

    @property
    def loosest(self) -> State:
        """The first level of every axis."""
        return (0,) * len(self.levels)

    @property
    def of_activations(self) -> range:
        """Which axes are activation bits."""
        return range(len(self.bits) + len(self.rates), len(self.levels))

    def at(self, state: State) -> Thresholds:
        """Return the thresholds at one level for each axis."""
        axes = (*self.bits, *self.rates, *self.activation_bits)
        values = tuple(axis[level] for axis, level in zip(axes, state, strict=True))
        n, m = len(self.bits), len(self.bits) + len(self.rates)
        return Thresholds(values[:n], values[n:m], values[m:])  # type: ignore[arg-type]

    def name(self, axis: int) -> tuple[str, int]:
        """Return the kind of an axis, and its layer."""
        layers = (len(self.bits), len(self.rates), len(self.activation_bits))
        names = [(kind, layer) for kind, count in zip(AXES, layers, strict=True) for layer in range(count)]
        return names[axis]

    def uniform(self, width: int, rate: int) -> State:
        """Return one level of width and one of rate for all layers; an axis with fewer levels has its last."""
        wanted = (width,) * len(self.bits) + (rate,) * len(self.rates) + (0,) * len(self.activation_bits)
        return tuple(min(level, count - 1) for level, count in zip(wanted, self.levels, strict=True))

    def uniforms(self) -> Iterator[tuple[State, ...]]:
        """Yield, for each rate from the largest down, its uniform states from the tightest width to the loosest."""
        widths, rates = (max(map(len, axes), default=1) for axes in (self.bits, self.rates))
        for rate in reversed(range(rates)):
            yield tuple(self.uniform(width, rate) for width in reversed(range(widths)))

    def at_width(self, width: Bits) -> State | None:
        """Return the loosest state with one width in every layer; None where a layer does not offer it."""
        if not all(width in axis for axis in self.bits):
            return None
        hidden = len(self.rates) + len(self.activation_bits)
        return (*(axis.index(width) for axis in self.bits), *(0,) * hidden)

    def ceilings(self, *, low: bool) -> State:
        """Return the tightest level of each axis; `low`: with 2 bits and ternary, where there are others too."""
        tightest = [count - 1 for count in self.levels]
        for layer, axis in enumerate(self.bits):
            others = [level for level, width in enumerate(axis) if width not in LOW_WIDTHS]
            if others and not low:
                tightest[layer] = others[-1]
        return tuple(tightest)


def with_level(state: State, axis: int, level: int) -> State:
    """Move one axis of a state to another level.

    >>> with_level((0, 0), 1, 3)
    (0, 3)
    """
    return (*state[:axis], level, *state[axis + 1 :])
