"""The eight steps. The split is drawn first, because training needs it; the test rows are opened last, once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, Final

from numpy.typing import NDArray

from npquant.budget.decision import decide
from npquant.budget.search import SearchResult, search_budget
from npquant.compression.chain.input_choice import inputs_notes
from npquant.compression.chain.weight_codes import Bits
from npquant.compression.rounding.dynamic import quantize_dynamic
from npquant.compression.rounding.rectified.network import quantize_rectified
from npquant.compression.rounding.uniform import quantize_uniform
from npquant.data.matching import facts_of
from npquant.data.sets import Sets, load_sets
from npquant.files.facts import Facts
from npquant.files.storage import encode_model, itemize, write_atomically
from npquant.integer.dynamic_mlp import DynamicMLP
from npquant.integer.mlp import IntegerMLP
from npquant.interop.imported import Imported
from npquant.measure.cost import filled_zeros
from npquant.measure.evaluate import in_float64
from npquant.measure.standing import judge_standing
from npquant.nn.model import FloatMLP
from npquant.report.budget_entries import budget_entry
from npquant.report.document import SCHEMA, encode_report, environment, rounded
from npquant.report.entries import notes_of
from npquant.report.page import render_page
from npquant.workflow.config import RunConfig
from npquant.workflow.deployment import measure_latency, prepare_folder, reload_and_prove, write_files
from npquant.workflow.float_model import load_matched_sets, obtain_float, read_given
from npquant.workflow.judge import Judge
from npquant.workflow.pictures.entry import pictures_entry
from npquant.workflow.staging import PAGE, REPORT, staged_files
from npquant.workflow.target_names import check_targets
from npquant.workflow.targets import deploy_targets, differing_targets

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
    max_drop: float | None = None,
    max_bytes: int | None = None,
    max_macs: int | None = None,
    min_sqnr: float | None = None,
    prune: float | None = None,
    bits: Bits | None = None,
    activation_bits: int | None = None,
    hidden: tuple[int, ...] | None = None,
    epochs: int | None = None,
    activation: str | None = None,
    seed: int = 0,
    activations: str | tuple[str, ...] | None = None,
    targets: tuple[str, ...] | None = None,
    max_rmse_rise: float | str | None = None,
    time_limit: float | None = None,
    target: str | int | None = None,
    missing: str | None = None,
    inputs: str = "auto",
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Take a float network through the eight steps, from a requirement on accuracy or RMSE to deployed files.

    Parameters
    ----------
    data, model, train, out, max_drop, max_bytes, max_macs, min_sqnr, prune, bits, activation_bits, hidden, epochs,
    activation, seed, activations, targets, max_rmse_rise, time_limit, target, missing, inputs
        As `npquant.workflow.config.RunConfig` has them, and ``npquant run --help``.
    progress : callable, optional
        Told in a few words what goes on: a str; those of training and of the search have a `share` done, in [0, 1].

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
    Writes float.npz, deployed.npz, the exports of `targets` and report.json to `out`, all of them or none: after a
    failure `out` holds the run before it, whole. Each export is run in the runtimes that are installed, and compared
    byte for byte.

    Examples
    --------
    The bundled digits and network at 4 bits, with a tenth of the hidden neurons removed:

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     report = run_workflow(out=folder, bits=4, prune=0.1, targets=("npz",))
    >>> deployed = report["models"][-1]
    >>> deployed["name"], deployed["bits"], deployed["neurons"], report["budget"]["met"]
    ('deployed', [4, 4, 4], [58, 29, 10], True)
    """
    config = RunConfig(
        data, model, train, out, max_drop, max_bytes, max_macs, min_sqnr, prune, bits, activation_bits,
        hidden, epochs, activation, seed, activations, targets, max_rmse_rise, time_limit, target, missing, inputs,
    )  # fmt: skip
    with staged_files(prepare_folder(config.out)) as folder:
        return _run(config, _Clock(progress or _silent), folder)


def _run(config: RunConfig, clock: _Clock, folder: Path) -> dict[str, Any]:
    given = read_given(config)
    with clock.step(2):
        sets, match_notes = _rows(config, given)
        config.budget.of_kind(sets.dataset.kind)  # refused before a network is trained for it
        x_calibration = sets.x_calibration
        facts = facts_of(sets.dataset, None if given is None else given.facts)
    with clock.step(1):
        start = obtain_float(config, sets, clock.progress, given)
        floating = in_float64(start.model)
    with clock.step(3):
        search = search_budget(
            start.model, sets, config.budget,
            bits=config.bits, prune=config.prune, activation_bits=config.activation_bits, inputs=config.inputs,
            time_limit=config.time_limit, facts=facts, progress=clock.progress,
        )  # fmt: skip
    judge = Judge(floating, search.reference)
    _validate(judge, search, floating, x_calibration, config.inputs, clock)
    with clock.step(8):
        deployed = _deploy(folder, start.model, search, x_calibration, sets.dataset.x[sets.split.train], facts)
        exported = deploy_targets(
            folder, deployed.model, sets.validation[0], check_targets(config.targets), clock.progress,
            kind=sets.dataset.kind, facts=facts,
        )  # fmt: skip
        judge.evaluate_network("deployed", deployed.model, search.thresholds.bits, search.pruned.kept)
        judge.open_test(*sets.test.open())
    standing = judge_standing(search.reference, sets.dataset.class_names)
    decision = decide(config.budget, search.found, judge.on_test("deployed"))
    report: dict[str, Any] = rounded(
        {
            "schema": SCHEMA,
            "environment": environment(),
            "config": config.to_json(),
            "data": sets.to_json(),
            "model": {
                "source": start.source,
                "format": start.format,
                "head": start.head,
                "activations": [layer.activation for layer in floating.layers],
                "tried": [asdict(trial) for trial in start.tried],
                "warning": standing.warning,
            },
            "steps": clock.entries,
            "models": judge.model_entries(start.model, deployed.n_bytes, facts),
            "comparisons": judge.comparisons,
            "budget": budget_entry(search, decision),
            "pruning": search.pruned.to_json(),
            "dynamic": judge.dynamic_entry(deployed.dynamic, search.thresholds.bits),
            "deployment": {
                **deployed.files,
                "inputs": deployed.model.inputs_kind,
                "kernels": judge.kernel_entries("deployed"),
                "latency": deployed.latency,
                "targets": exported,
                "differing_targets": differing_targets(exported),
            },
            "bounds": judge.bounds("deployed", search.layers),
            "pictures": pictures_entry(sets, search, floating, deployed.model, *judge.opened_on("deployed")),
        }
    )
    back = filled_zeros(search.pruned.model, deployed.model)
    report["notes"] = [
        *standing.notes,
        *start.notes,
        *match_notes,
        *notes_of(report),
        *_zero_notes(back),
        *inputs_notes(x_calibration, deployed.model.inputs_kind),
    ]
    write_atomically(folder / PAGE, render_page(report).encode("utf-8"))
    write_atomically(folder / REPORT, encode_report(report))
    return report


def _rows(config: RunConfig, given: Imported | None) -> tuple[Sets, tuple[str, ...]]:
    """Load the rows; where a network is given, in the order that its file knows."""
    if config.model is None or given is None:
        return load_sets(config.data, config.seed, target=config.target, missing=config.missing), ()
    return load_matched_sets(
        config.data, config.seed, given.facts, config.model, target=config.target, missing=config.missing
    )


def _zero_notes(back: int) -> list[str]:
    """Say what rounding undid: the rectified method has no zeros to keep, unless it is told to."""
    advice = "npquant prune, then npquant quantize --keep-zeros, keep a sparse network's zeros."
    return [f"{back:,} weights that were 0 in the float network are 0 no longer: {advice}"] if back else []


def _validate(
    judge: Judge, search: SearchResult, floating: FloatMLP, x_calibration: NDArray[Any], inputs: str, clock: _Clock
) -> None:
    """Steps 4 to 7: quantize with the thresholds found, prune, and compare on the validation rows."""
    made = search.thresholds
    with clock.step(4):
        output, given = search.reference.output, (floating, x_calibration, made.bits, made.activation_bits)
        judge.evaluate_network("uniform", quantize_uniform(*given, output=output, inputs=inputs), made.bits)
        judge.evaluate_network("rectified", quantize_rectified(*given, output=output, inputs=inputs), made.bits)
    with clock.step(5):
        judge.compare(5, "float", "uniform")
        judge.compare(5, "float", "rectified")
        judge.compare(5, "uniform", "rectified")
    with clock.step(6):
        judge.evaluate_network("pruned", search.model, made.bits, search.pruned.kept)
    with clock.step(7):
        judge.compare(7, "rectified", "pruned")
        judge.compare(7, "float", "pruned")


@dataclass(frozen=True, slots=True, eq=False)
class _Deployed:
    """What step 8 made: the network as it was read back, its dynamic twin, and what the report says of both."""

    model: IntegerMLP
    dynamic: DynamicMLP
    n_bytes: dict[str, int]  # by the names of the networks that stand in a file
    files: dict[str, Any]
    latency: list[dict[str, Any]]


def _deploy(
    folder: Path,
    stored: FloatMLP,
    search: SearchResult,
    x_calibration: NDArray[Any],
    x_proof: NDArray[Any],
    facts: Facts,
) -> _Deployed:
    """Write the files, read the integer network back, prove that it computes the same codes, and take the times."""
    contents = {
        "float.npz": encode_model(stored, facts=facts),
        "deployed.npz": encode_model(search.model, facts=facts),
    }
    files = write_files(folder, contents)
    codes = search.model.encode(x_proof)
    model = reload_and_prove(folder / "deployed.npz", search.model, codes)
    made, pruned = search.thresholds, search.pruned.model
    # A dynamic layer has 8 bits at most; the page says so where the integer network has 16.
    levels = tuple(min(bits, 8) for bits in made.activation_bits)
    dynamic = quantize_dynamic(
        pruned, x_calibration, made.bits, levels, method="rectified", output=search.reference.output
    )
    times = measure_latency(stored, model, dynamic, x_calibration)
    length = len(contents["deployed.npz"])
    return _Deployed(
        model,
        dynamic,
        {"float": len(contents["float.npz"]), "pruned": length, "deployed": length},
        {
            **files,
            "parts": [asdict(part) for part in itemize(contents["deployed.npz"])],
            "proof": {"rows": len(codes), "equal_codes": True},
        },
        [asdict(entry) for entry in times],
    )


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
