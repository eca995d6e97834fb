"""The eight steps. The split is drawn first, because training needs it; the test rows are opened last, once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import count
from time import perf_counter
from typing import Any, Final

from npquant.compression.budget import SearchResult, Thresholds, confirm, search_thresholds
from npquant.compression.requirements import Measurement
from npquant.compression.uniform import quantize_uniform
from npquant.nn.model import FloatMLP
from npquant.storage import encode_model, write_atomically
from npquant.workflow.candidates import KL_FOR_TWO_BITS, CandidateBuilder
from npquant.workflow.config import RunConfig
from npquant.workflow.deployment import measure_latency, prepare_folder, reload_and_prove, write_files
from npquant.workflow.evaluate import in_float64
from npquant.workflow.float_model import obtain_float
from npquant.workflow.judge import Judge
from npquant.workflow.report import SCHEMA, encode_report, environment, rounded
from npquant.workflow.report_entries import budget_entry, notes_of
from npquant.workflow.sets import SEARCH_ROWS, Sets, load_sets

STEPS: Final = (
    "float model", "split", "thresholds", "quantize", "validate quantized", "prune", "validate pruned", "deploy",
)  # fmt: skip
Progress = Callable[[str], None]


def run_workflow(
    *,
    data: str | None = None,
    model: str | None = None,
    train: bool = False,
    out: str = "npquant-out",
    max_drop: float = 1.0,
    max_bytes: int | None = None,
    max_macs: int | None = None,
    prune: float | None = None,
    bits: int | None = None,
    hidden: tuple[int, ...] | None = None,
    epochs: int | None = None,
    activation: str | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Take a float network through the eight steps, from an accuracy requirement to deployed files.

    Parameters
    ----------
    data, model, train, out, max_drop, max_bytes, max_macs, prune, bits, hidden, epochs, activation, seed
        As `npquant.workflow.config.RunConfig` has them, and ``npquant run --help``.
    progress : callable, optional
        Told in a few words what goes on.

    Returns
    -------
    dict
        The content of report.json; see docs/report.md.

    Raises
    ------
    ValueError, TypeError
        If an option, the data or the network cannot be used; names it and the fix.
    OSError
        If a file cannot be read or written.

    Notes
    -----
    Everything is chosen on training and validation rows; the test rows are opened once, after the last choice.
    Writes float.npz, deployed.npz and report.json to `out`, each whole or not at all.

    Examples
    --------
    The bundled digits and network at 4 bits, with a tenth of the hidden neurons removed:

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     report = run_workflow(out=folder, bits=4, prune=0.1)
    >>> deployed = report["models"][-1]
    >>> deployed["name"], deployed["bits"], deployed["neurons"], report["budget"]["met"]
    ('deployed', [4, 4, 4], [58, 29, 10], True)
    """
    config = RunConfig(
        data, model, train, out, max_drop, max_bytes, max_macs, prune, bits, hidden, epochs, activation, seed
    )
    return _run(config, _Clock(progress or _silent))


@dataclass(frozen=True, slots=True, eq=False)
class _Chosen:
    """What step 3 found, who built it, and the KL at 4 bits with what follows from it for 2 bits."""

    builder: CandidateBuilder
    search: SearchResult
    four_bits: tuple[float | None, bool]


def _run(config: RunConfig, clock: _Clock) -> dict[str, Any]:
    folder = prepare_folder(config.out)
    with clock.step(2):
        sets = load_sets(config.data, config.seed)
    with clock.step(1):
        start = obtain_float(config, sets, clock.progress)
        floating = in_float64(start.model)
    with clock.step(3):
        chosen = _find_thresholds(config, floating, sets, clock.progress)
        builder, found = chosen.builder, chosen.search.chosen.thresholds
    judge = Judge(floating, *sets.validation)
    with clock.step(4):
        dense = Thresholds(found.bits, (0.0,) * len(found.rates))
        judge.evaluate_network("uniform", quantize_uniform(floating, sets.x_calibration, found.bits), found.bits)
        judge.evaluate_network("rectified", builder.build(dense), found.bits)
    with clock.step(5):
        judge.compare(5, "float", "uniform")
        judge.compare(5, "float", "rectified")
        judge.compare(5, "uniform", "rectified")
    with clock.step(6):
        net = builder.prune(found.rates)
        judge.evaluate_network("pruned", builder.build(found), found.bits, net.kept)
    with clock.step(7):
        judge.compare(7, "rectified", "pruned")
        judge.compare(7, "float", "pruned")
    with clock.step(8):
        pruned = judge.integer("pruned")
        contents = {"float.npz": encode_model(start.model), "deployed.npz": encode_model(pruned)}
        files = write_files(folder, contents)
        proof_rows = pruned.encode(sets.dataset.x[sets.split.train])
        deployed = reload_and_prove(folder / "deployed.npz", pruned, proof_rows)
        judge.evaluate_network("deployed", deployed, found.bits, net.kept)
        proof = {"rows": len(proof_rows), "equal_codes": True}
        times = measure_latency(start.model, deployed, sets.x_calibration)
        judge.open_test(*sets.test.open())
    outcome = judge.test_outcome(config.max_drop)
    report: dict[str, Any] = rounded(
        {
            "schema": SCHEMA,
            "environment": environment(),
            "config": config.to_json(),
            "data": sets.to_json(),
            "model": {"source": start.source, "activations": [layer.activation for layer in floating.layers]},
            "steps": clock.entries,
            "models": judge.model_entries(start.model),
            "comparisons": judge.comparisons,
            "budget": budget_entry(chosen.search, config.requirements, chosen.four_bits, outcome),
            "pruning": net.to_json(),
            "deployment": {**files, "proof": proof, "latency": [asdict(entry) for entry in times]},
            "bounds": judge.bounds("deployed"),
        }
    )
    report["notes"] = [*start.notes, *notes_of(report)]
    write_atomically(folder / "report.json", encode_report(report))
    return report


def _find_thresholds(config: RunConfig, floating: FloatMLP, sets: Sets, progress: Progress) -> _Chosen:
    """Search on few calibration rows, then build what was found on all of them, and keep that unless it is worse."""
    quick = CandidateBuilder(floating, sets.x_calibration[:SEARCH_ROWS], *sets.validation)
    kl = None if config.bits is not None else quick.kl_at_4_bits()
    two_bits = config.bits == 2 or (kl is not None and kl <= KL_FOR_TWO_BITS)
    tried = count(1)

    def measure(thresholds: Thresholds) -> Measurement:
        progress(f"3 thresholds: candidate {next(tried)}, bits {thresholds.bits}, rates {thresholds.rates}")
        return quick.measure(thresholds)

    search = search_thresholds(config.space(len(floating.layers), two_bits=two_bits), config.requirements, measure)
    full = CandidateBuilder(floating, sets.x_calibration, *sets.validation)
    confirmed = confirm(search, config.requirements, full.measure)
    return _Chosen(full if confirmed.chosen.phase == "confirmed" else quick, confirmed, (kl, two_bits))


class _Clock:
    """The seconds that each step takes."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self._seconds = [0.0] * len(STEPS)

    @contextmanager
    def step(self, number: int) -> Iterator[None]:
        """Take the time of a step, and tell that it runs."""
        self.progress(f"{number} {STEPS[number - 1]}")
        start = perf_counter()
        yield
        self._seconds[number - 1] = perf_counter() - start

    @property
    def entries(self) -> list[dict[str, Any]]:
        """The eight steps as the report has them, to the microsecond."""
        named = enumerate(zip(STEPS, self._seconds, strict=True), 1)
        return [{"number": number, "name": name, "seconds": round(seconds, 6)} for number, (name, seconds) in named]


def _silent(text: str) -> None:
    """Say nothing."""
