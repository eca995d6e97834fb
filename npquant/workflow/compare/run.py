"""A comparison from rows to figures: one float network a seed, every method at every width, paired by seed.

Legend: dataset_of the rows that a seed splits; asked what is compared and how networks are trained; executor where
seeds run, as the sweep's; task one seed's work; methods, bits, seeds, hidden, activation, epochs, activation_bits as on
the card of `compare`.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike

from npquant.budget.progress import Told
from npquant.compression.chain.weight_codes import Bits, weight_grid
from npquant.data.dataset import Dataset
from npquant.data.labelled import encoded_dataset, labelled
from npquant.data.raw_table import labelled_table
from npquant.data.sets import split_sets
from npquant.measure.evaluate import Reference
from npquant.workflow.compare.methods import Method, loaded, method_names, quantizer_of
from npquant.workflow.compare.pairs import Pair, pairs_of
from npquant.workflow.compare.trial import Row, judge_each, quantize_each
from npquant.workflow.config import ACTIVATIONS, RunConfig
from npquant.workflow.float_model import output_of, train_float
from npquant.workflow.sweep.cell import Outcome, attempt
from npquant.workflow.sweep.executors import answers, opened

METHODS: Final = ("rectified", "gptq_resolved", "gptq", "nearest", "uniform")
WIDTHS: Final[tuple[Bits, ...]] = (4, 2)
SEEDS: Final = 5
ACTIVATION: Final = "clipped_relu"  # that of `npquant.train`


@dataclass(frozen=True, slots=True)
class Asked:
    """What is compared, checked: methods by name, widths, seeds; how the float networks are trained; None: by size."""

    methods: tuple[tuple[str, Method], ...]
    widths: tuple[Bits, ...]
    seeds: tuple[int, ...]
    hidden: tuple[int, ...] | None
    activation: str
    epochs: int | None
    activation_bits: int

    def config(self, seed: int) -> RunConfig:
        """Return the options of the training; ValueError names a wrong one."""
        return RunConfig(
            train=True, seed=seed, hidden=self.hidden, activation=self.activation, epochs=self.epochs,
            activation_bits=self.activation_bits,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class SeedTask:
    """What a worker needs for one seed."""

    dataset: Dataset
    seed: int
    asked: Asked


@dataclass(frozen=True, slots=True)
class MethodComparison:
    """What a comparison found.

    Attributes
    ----------
    data : str
        What the data set is called.
    kind : {"classes", "real"}
        What is predicted: scores are accuracy in per cent, or RMSE (of several targets over their spread) and R2.
    neurons : tuple of int
        Of the float networks' layers, the inputs before them.
    activation : str
        Of their hidden layers.
    methods, bits, seeds : tuple
        As asked for; differences are to the first method.
    rows : tuple of Row
        One a width, method and seed, in this order.
    """

    data: str
    kind: str
    neurons: tuple[int, ...]
    activation: str
    methods: tuple[str, ...]
    bits: tuple[Bits, ...]
    seeds: tuple[int, ...]
    rows: tuple[Row, ...]

    @property
    def pairs(self) -> tuple[Pair, ...]:
        """Every method but the first, beside it, one a width and method."""
        return pairs_of(self.rows)


def compare(
    x: ArrayLike,
    y: ArrayLike,
    methods: Sequence[Method] | Mapping[str, Method] = METHODS,
    bits: Bits | Sequence[Bits] = WIDTHS,
    seeds: int | Sequence[int] = SEEDS,
    executor: Executor | str | None = None,
    *,
    hidden: Sequence[int] | None = None,
    activation: str = ACTIVATION,
    epochs: int | None = None,
    activation_bits: int = 8,
    progress: Callable[[str], None] | None = None,
) -> MethodComparison:
    """Hold ways to round, one's own among them, beside the first of them, on the same networks, seed by seed.

    Parameters
    ----------
    x : array of real numbers, shape (R, K)
        Raw inputs.
    y : array, shape (R,) or (R, C)
        Classes, whole numbers or text; or real targets, told apart as `load_dataset` does.
    methods : sequence or dict by name
        Names as `quantize_model` takes them; "module:function" or "file.py:function"; functions (LayerProblem, bits) ->
        LayerCodes. Differences are to the first.
    bits : int, "ternary" or sequence of these
        Widths of the weights, one at a time.
    seeds : int or sequence of int
        How many, from 0, or which: each chooses a split, a float network, and what methods draw.
    executor : Executor, str or None
        Where seeds run, as `sweep` takes it.
    hidden : sequence of int, optional
        Widths of the hidden layers; None: by the number of inputs, as ``npquant run``.
    activation : str
        Of the hidden layers.
    epochs : int, optional
        Of the training; None: by the number of rows.
    activation_bits : int
        Width of the hidden layers' outputs: 2..8, or 16.
    progress : callable, optional
        Told a str, with the share of the work done, as it proceeds.

    Returns
    -------
    MethodComparison
        `rows`, a figure a seed, and `pairs`, what the seeds say together.

    Raises
    ------
    ValueError
        If an argument is not valid, or a method fails: names it, the width and the layer.
    TypeError
        If a method is no function.

    Notes
    -----
    Each seed splits 70/15/15 and trains one float network, in float64, as ``npquant run --train`` does. All methods
    round it on the same training rows, 2,048 at most, and all networks are made before the test rows are opened, once.
    KL is to the float network; ratios are geometric means over seeds, and intervals those of a mean (T4), of the
    logarithms for ratios: one seed has none. All but the seconds are the same on every run.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(0, 1, (200, 3))
    >>> found = compare(x, x[:, 0] > x[:, 1], ["nearest", "uniform"], 2, seeds=2, hidden=[8], epochs=5)
    >>> len(found.rows), found.neurons, [(pair.method, pair.divergence.value > 1) for pair in found.pairs]
    (4, (3, 8, 2), [('uniform', True)])
    """
    asked = checked(
        methods, bits, seeds, hidden=hidden, activation=activation, epochs=epochs, activation_bits=activation_bits
    )
    dataset = _dataset_of_arrays(x, y)
    return compare_seeds(lambda _: dataset, asked, executor, progress)


def checked(
    methods: Sequence[Method] | Mapping[str, Method], bits: Bits | Sequence[Bits], seeds: int | Sequence[int], *,
    hidden: Sequence[int] | None, activation: str, epochs: int | None, activation_bits: int,
) -> Asked:  # fmt: skip
    """Check what is asked for, before any row is read; it raises what `compare` raises."""
    if isinstance(methods, str):
        raise ValueError(f"the methods are {methods!r}; give a sequence of at least two")
    named = methods.items() if isinstance(methods, Mapping) else zip(method_names(methods), methods, strict=True)
    pairs = tuple(named)
    _refuse_repeated("method", names := [name for name, _ in pairs])
    if len(names) < 2:
        raise ValueError("a comparison needs two methods at least: the first is what the others are held to")
    widths = (bits,) if isinstance(bits, int | str) else tuple(bits)
    _refuse_repeated("width", widths)
    for width in widths:
        weight_grid(width)
    chosen = tuple(range(seeds)) if isinstance(seeds, int) else tuple(seeds)
    _refuse_repeated("seed", chosen)
    if activation not in ACTIVATIONS:
        raise ValueError(f"the activation is {activation!r}; give one of {', '.join(ACTIVATIONS)}")
    asked = Asked(pairs, widths, chosen, None if hidden is None else tuple(hidden), activation, epochs, activation_bits)
    for seed in chosen:
        asked.config(seed)
    for _, method in pairs:
        loaded(method)
    return asked


def compare_seeds(
    dataset_of: Callable[[int], Dataset],
    asked: Asked,
    executor: Executor | str | None = None,
    progress: Callable[[str], None] | None = None,
) -> MethodComparison:
    """Compare as `compare`, on rows that may depend on the seed: gaps are filled in from its training rows.

    `progress` as in `compare`.
    """
    with opened(executor) as place:
        if isinstance(executor, str):
            _refuse_unsendable(asked.methods)
        else:
            methods = tuple((name, loaded(method)) for name, method in asked.methods)
            asked = replace(asked, methods=methods)
        tasks = [SeedTask(dataset_of(seed), seed, asked) for seed in asked.seeds]
        by_seed: dict[int, tuple[list[Row], tuple[int, ...]]] = {}
        tell = progress or (lambda _: None)
        tell(Told(f"compare: seed 0 of {len(tasks)}", 0.0))
        for done, (at, outcome) in enumerate(answers(place, run_seed, tasks), start=1):
            by_seed[asked.seeds[at]] = _value(outcome, asked.seeds[at])
            tell(Told(f"compare: seed {done} of {len(tasks)}", done / len(tasks)))
    names = tuple(name for name, _ in asked.methods)
    order = {name: at for at, name in enumerate(names)}
    rows = [row for seed in asked.seeds for row in by_seed[seed][0]]
    rows.sort(key=lambda row: (asked.widths.index(row.bits), order[row.method]))  # stable: seeds stay in order
    data, neurons = tasks[0].dataset, by_seed[asked.seeds[0]][1]
    return MethodComparison(
        data.name, data.kind, neurons, asked.activation, names, asked.widths, asked.seeds, tuple(rows)
    )


def run_seed(task: SeedTask) -> Outcome:
    """Train, quantize by every method at every width, and measure; the value is the rows, and the neurons."""
    return attempt(partial(_measured, task))


def _measured(task: SeedTask) -> tuple[list[Row], tuple[int, ...]]:
    asked, sets = task.asked, split_sets(task.dataset, task.seed)
    model = train_float(asked.config(task.seed), sets, lambda _: None, dtype=np.float64).model
    output, rows = output_of(sets), sets.x_calibration
    table = {name: quantizer_of(name, method, asked.activation_bits, output) for name, method in asked.methods}
    made = [one for bits in asked.widths for one in quantize_each(model, rows, table, bits, task.seed)]
    # All networks are made: the test rows open now, once.
    return judge_each(made, Reference.of(model, *sets.test.open()), task.seed), (model.n_inputs, *model.neurons)


def _value(outcome: Any, seed: int) -> tuple[list[Row], tuple[int, ...]]:
    error = str(outcome) if isinstance(outcome, Exception) else outcome.error
    if error is not None:
        raise ValueError(f"seed {seed}: {error.removeprefix('ValueError: ')}")
    value: tuple[list[Row], tuple[int, ...]] = outcome.value
    return value


def _dataset_of_arrays(x: ArrayLike, y: ArrayLike) -> Dataset:
    """Read arrays as a table with a label: what `load_dataset` refuses of a file is refused here."""
    rows, labels = np.asarray(x), np.asarray(y)
    if rows.ndim != 2 or len(labels) != len(rows):
        raise ValueError(f"x must be (R, K) and y (R,) or (R, C), got {rows.shape} and {labels.shape}")
    if labels.dtype.kind in "bOS":
        labels = labels.astype("U")
    table = labelled_table("the arrays", rows, labels, [f"x{k}" for k in range(rows.shape[1])])
    return encoded_dataset(labelled(table, "arrays", None, None), None, None, None)[0]


def _refuse_repeated(what: str, values: Sequence[Any]) -> None:
    repeated = [value for value in values if list(values).count(value) > 1]
    if not values:
        raise ValueError(f"give at least one {what}")
    if repeated:
        raise ValueError(f"the {what} {repeated[0]!r} stands twice; give each once")


def _refuse_unsendable(methods: Sequence[tuple[str, Method]]) -> None:
    """See that other processes can be told the methods: before they are, since a worker would only seem to die."""
    for name, method in methods:
        try:
            pickle.dumps(method)
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise ValueError(
                f"the method {name} cannot be sent to a process ({error}); write module:function"
            ) from error
