"""What a sweep varies: a grid, checked once, and its cells in order.

Legend: grid names of AXES, each with a value or a list of values, and of SETTINGS, each with one; source where it
comes from, for messages. What a grid leaves out has the default of ``npquant prune`` and ``npquant quantize``.
"""

from __future__ import annotations

import itertools
import json
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from types import MappingProxyType
from typing import Any, Final

from npquant.compression.chain.weight_codes import GRANULARITIES
from npquant.compression.pruning.neurons.allocation import MAX_RATE
from npquant.compression.pruning.neurons.ranking import CRITERIA
from npquant.compression.rounding.method_names import AUTO, METHOD_NAMES
from npquant.version import __version__, numerics_version
from npquant.workflow.config import ACTIVATIONS

NO_CRITERION: Final = "none"  # of a cell that prunes nothing
_PERCENTILE: Final = "percentile:"
Value = Any
Grid = Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class NetworkKey:
    """What a float network is trained by; None is the default of ``npquant run``."""

    seed: int
    hidden: tuple[int, ...] | None
    activation: str | None
    epochs: int | None


@dataclass(frozen=True, slots=True)
class Cell:
    """One row of a grid: all that a result depends on but for the data."""

    bits: int | str
    method: str
    granularity: str
    calibration: str
    prune: float
    criterion: str
    activation_bits: int
    seed: int
    hidden: tuple[int, ...] | None
    activation: str | None
    epochs: int | None

    @property
    def network(self) -> NetworkKey:
        """The float network that the cell starts from."""
        return NetworkKey(self.seed, self.hidden, self.activation, self.epochs)


def read_grid(path: str) -> list[Grid]:
    """Read the grids of a TOML file at `path`: its keys, or those of each table ``[[grid]]``.

    OSError if it cannot be read; ValueError, which names the file, if it is no TOML.
    """
    try:
        with open(path, "rb") as stream:
            found = tomllib.load(stream)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: is no TOML: {error}; a grid has lines such as bits = [8, 4]") from error
    tables = found.get("grid")
    if tables is None:
        return [found]
    if len(found) > 1 or not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise ValueError(f"{path}: give either keys such as bits = [8, 4] alone, or tables [[grid]] alone")
    return tables


def cells_of(grids: Sequence[Grid], source: str = "the grid") -> tuple[Cell, ...]:
    """List the cells of `grids` in order, the seed varying fastest, each once: ValueError names a wrong key or value.

    Where nothing is pruned, no criterion is asked: such cells are one.

    >>> cells = cells_of([{"bits": [8, 4], "prune": [0, 0.5], "criterion": ["obs", "random"], "seed": [0, 1]}])
    >>> len(cells), [(cell.bits, cell.prune, cell.criterion, cell.seed) for cell in cells[:3]]
    (12, [(8, 0.0, 'none', 0), (8, 0.0, 'none', 1), (8, 0.5, 'obs', 0)])
    >>> cells_of([{"bit": 4}])
    Traceback (most recent call last):
    ValueError: the grid: 'bit' is unknown; known are bits, method, granularity, calibration, prune, criterion, \
activation_bits, seed, hidden, activation, epochs
    """
    cells = [cell for grid in grids for cell in _cells_of_one(grid, source)]
    if not cells:
        raise ValueError(f"{source}: holds no cell; give values, as in bits = [8, 4]")
    return tuple(dict.fromkeys(cells))


def digest(asked: Cell | NetworkKey, data_sha256: str) -> str:
    """Name the result of a cell or of a training, `asked`, on data of the content data_sha256: 32 hex digits.

    >>> digest(NetworkKey(0, None, None, None), "") == digest(NetworkKey(1, None, None, None), "")
    False
    """
    depends = [type(asked).__name__, asdict(asked), data_sha256, __version__, numerics_version]
    return sha256(json.dumps(depends, sort_keys=True).encode("ascii")).hexdigest()[:32]


def percent_of(calibration: str) -> float | None:
    """Return P of the calibration "percentile:P", None of another one.

    >>> percent_of("percentile:99.9"), percent_of("mse")
    (99.9, None)
    """
    return float(calibration.removeprefix(_PERCENTILE)) if calibration.startswith(_PERCENTILE) else None


def _cells_of_one(grid: Grid, source: str) -> list[Cell]:
    known = (*AXES, *SETTINGS)
    for name in grid:
        if name not in known:
            raise ValueError(f"{source}: {name!r} is unknown; known are {', '.join(known)}")
    axes = [_values(name, grid.get(name, rule.default), rule, source) for name, rule in AXES.items()]
    settings = {
        name: None if name not in grid else _checked(name, grid[name], rule, source) for name, rule in SETTINGS.items()
    }
    return [_cell(values, settings, source) for values in itertools.product(*axes)]


def _cell(values: Sequence[Value], settings: Mapping[str, Value], source: str) -> Cell:
    cell = dict(zip(AXES, values, strict=True))
    if cell["granularity"] == "per_tensor" and cell["method"] != "uniform":
        raise ValueError(
            f"{source}: granularity 'per_tensor' goes with method 'uniform', not with {cell['method']!r}; give it a "
            "table [[grid]] of its own"
        )
    if cell["prune"] == 0:
        cell["criterion"] = NO_CRITERION
    return Cell(**cell, **settings)


def _values(name: str, asked: Value, rule: Rule, source: str) -> list[Value]:
    values = asked if isinstance(asked, list | tuple | range) else [asked]
    if not values:
        raise ValueError(f"{source}: {name} has no values; give {rule.wanted}, or leave it out for {rule.default!r}")
    return [_checked(name, value, rule, source) for value in values]


def _checked(name: str, value: Value, rule: Rule, source: str) -> Value:
    # A bool is an int to Python, and no number to a reader.
    if isinstance(value, bool) or not rule.suits(value):
        raise ValueError(f"{source}: {name} is {value!r}; give {rule.wanted}")
    return rule.normal(value)


@dataclass(frozen=True, slots=True)
class Rule:
    """Which values a name may have, in words too, how each is kept, and which one it has if nothing is said."""

    suits: Callable[[Value], bool]
    wanted: str
    default: Value = None
    normal: Callable[[Value], Value] = lambda value: value


def _whole(value: Value, least: int) -> bool:
    return isinstance(value, int) and value >= least


def _share(value: Value) -> bool:
    return isinstance(value, int | float) and 0 <= value <= MAX_RATE


def _calibrates(value: Value) -> bool:
    if not isinstance(value, str) or not value.startswith(_PERCENTILE):
        return value in ("min_max", "mse")
    try:
        return 0 < float(value.removeprefix(_PERCENTILE)) <= 100
    except ValueError:
        return False


def _widths(value: Value) -> bool:
    return isinstance(value, list | tuple) and all(_whole(width, 1) and width is not True for width in value)


def _one_of(names: Sequence[str], default: str | None = None) -> Rule:
    return Rule(lambda value: value in names, f"one of {', '.join(names)}", default)


AXES: Final = MappingProxyType(
    {
        "bits": Rule(
            lambda value: value == "ternary" or (_whole(value, 2) and value <= 8),
            'whole numbers in [2, 8], or "ternary"',
            4,
        ),
        "method": _one_of((*METHOD_NAMES, AUTO), "rectified"),
        "granularity": _one_of(GRANULARITIES, "per_channel"),
        "calibration": Rule(_calibrates, "min_max, mse, or percentile:P with P in (0, 100]", "min_max"),
        "prune": Rule(_share, f"shares of the hidden neurons in [0, {MAX_RATE}]", 0.0, float),
        "criterion": _one_of(CRITERIA, "obs"),
        "activation_bits": Rule(
            lambda value: value == 16 or (_whole(value, 2) and value <= 8), "whole numbers in [2, 8], or 16", 8
        ),
        "seed": Rule(lambda value: _whole(value, 0), "whole numbers of at least 0", 0),
    }
)
SETTINGS: Final = MappingProxyType(
    {
        "hidden": Rule(_widths, "widths of at least 1, as in [64, 32]", normal=tuple),
        "activation": _one_of(ACTIVATIONS),
        "epochs": Rule(lambda value: _whole(value, 1), "a whole number of at least 1"),
    }
)
