"""One cell: a pure function of a grid's row, the data and the float network of its seed.

What a worker is sent names the rows, which it loads itself and keeps, and holds the network. Sums have the order that
one BLAS thread gives them, and floats nine digits, so that a record is the same bytes wherever it was made.

Legend: task what a worker is sent; model the float network as it is stored, sets the split rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import lru_cache, partial
from time import perf_counter
from typing import Any

from npquant.compression.chain.calibration import RangeRule, min_max_range, mse_range, percentile_range
from npquant.compression.chain.integer_chain import Rounding
from npquant.compression.pruning.neurons.pruning import prune_neurons_with_report
from npquant.compression.rounding.quantize_model import quantize_model
from npquant.compression.rounding.uniform import uniform_layer
from npquant.data.matching import facts_of
from npquant.data.sets import Sets, load_sets
from npquant.files.reading import decode_network
from npquant.files.storage import encode_model
from npquant.integer.mlp import IntegerMLP
from npquant.measure.cost import Network, executed_macs, stored_bytes
from npquant.measure.evaluate import Comparison, Evaluation, Reference, compare, in_float64
from npquant.nn.model import FloatMLP
from npquant.report.document import rounded
from npquant.workflow.config import RunConfig
from npquant.workflow.float_model import obtain_float, output_of
from npquant.workflow.sweep.grid import Cell, NetworkKey, percent_of

Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Rows:
    """Name the rows of one seed: the data set's path (None: the bundled digits), its reading, and its content."""

    data: str | None
    target: str | int | None
    missing: str | None
    seed: int
    sha256: str


@dataclass(frozen=True, slots=True)
class CellTask:
    """What a worker needs for a cell; network is the float one, in the bytes of its file."""

    cell: Cell
    rows: Rows
    network: bytes


@dataclass(frozen=True, slots=True)
class NetworkTask:
    """What a worker needs to train a float network."""

    key: NetworkKey
    rows: Rows


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a worker sends back: a value or the error instead, and how long that took."""

    value: Any
    error: str | None
    seconds: float


def attempt(work: Callable[[], Any]) -> Outcome:
    """Make of an exception an outcome, but for those that speak of the machine: such work may go well elsewhere."""
    began = perf_counter()
    try:
        value, error = work(), None
    except (MemoryError, OSError):
        raise
    except Exception as raised:
        value, error = None, f"{type(raised).__name__}: {raised}"
    return Outcome(value, error, perf_counter() - began)


def run_cell(task: CellTask) -> Outcome:
    """Quantize, prune and measure; the outcome's value is a record."""
    return attempt(partial(_measured, task))


def train_network(task: NetworkTask) -> Outcome:
    """Obtain a float network as ``npquant run`` does; the outcome's value is the bytes of its file."""
    return attempt(partial(_trained, task))


def compress(cell: Cell, model: FloatMLP, sets: Sets) -> IntegerMLP:
    """Prune and quantize by the settings of a `cell`, as ``npquant prune``, then ``npquant quantize``.

    >>> from npquant.workflow.float_model import bundled_network
    >>> from npquant.workflow.sweep.grid import cells_of
    >>> (cell,) = cells_of([{"method": "uniform", "bits": 8, "prune": 0.5, "criterion": "in_l2"}])
    >>> compress(cell, bundled_network(), load_sets(None, 0)).neurons
    (32, 16, 10)
    """
    x, output = sets.x_calibration, output_of(sets)
    if cell.prune > 0:
        model, _ = prune_neurons_with_report(model, x, cell.prune, cell.criterion, output=output, rng=cell.seed)
    return quantize_model(
        in_float64(model), x, cell.bits, cell.activation_bits, cell.seed,
        method=_rounding(cell), calibrate=_range_rule(cell), output=output,
    ).network  # fmt: skip


@lru_cache(maxsize=4)
def _load(rows: Rows) -> Sets:
    """Load rows once a process; ValueError if they are no longer those that the sweep began with."""
    sets = load_sets(rows.data, rows.seed, target=rows.target, missing=rows.missing)
    if facts_of(sets.dataset).data_sha256 != rows.sha256:
        raise ValueError(f"{sets.dataset.source}: holds other rows than when the sweep began; run it again")
    return sets


@lru_cache(maxsize=4)
def _decode(network: bytes) -> FloatMLP:
    model = decode_network(network, "float.npz").model
    assert isinstance(model, FloatMLP)
    return model


def _trained(task: NetworkTask) -> bytes:
    sets, key = _load(task.rows), task.key
    config = RunConfig(
        data=task.rows.data, target=task.rows.target, missing=task.rows.missing, seed=key.seed,
        hidden=key.hidden, activation=key.activation, epochs=key.epochs,
    )  # fmt: skip
    return encode_model(obtain_float(config, sets, lambda _: None).model, facts=facts_of(sets.dataset))


def _measured(task: CellTask) -> Record:
    sets, model = _load(task.rows), _decode(task.network)
    net = compress(task.cell, model, sets)
    floating = in_float64(model)
    before, after = (
        _cost(model, len(task.network)),
        _cost(net, stored_bytes(net, facts=facts_of(sets.dataset))),
    )
    kl = {}
    for name, rows in (("validation", sets.split.validation), ("test", sets.split.test)):
        reference = Reference.of(floating, sets.dataset.x[rows], sets.dataset.y[rows])
        answers = reference.evaluate(net)
        found = compare(reference.answers, answers)
        assert isinstance(answers, Evaluation) and isinstance(reference.answers, Evaluation)
        assert isinstance(found, Comparison)
        before[name] = {"rows": reference.answers.rows, "correct": reference.answers.n_correct}
        after[name] = {"rows": answers.rows, "correct": answers.n_correct}
        kl[name] = found.kl
    record = {"cell": asdict(task.cell), "data_sha256": task.rows.sha256, "before": before, "after": after, "kl": kl}
    entry: Record = rounded({**record, "error": None})
    return entry


def _cost(model: Network, n_bytes: int) -> Record:
    return {"bytes": n_bytes, "neurons": model.neurons, "macs": model.macs, "executed_macs": executed_macs(model)}


def _rounding(cell: Cell) -> str | Rounding:
    if cell.granularity == "per_channel":
        return cell.method
    return partial(uniform_layer, granularity=cell.granularity)


def _range_rule(cell: Cell) -> RangeRule:
    percent = percent_of(cell.calibration)
    if percent is not None:
        return partial(percentile_range, percent=percent)
    return partial(mse_range, bits=cell.activation_bits) if cell.calibration == "mse" else min_max_range
