"""The eight steps. The split is drawn first, because training needs it; the test rows are opened last, once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from npquant.budget.search import SearchResult, search_budget
from npquant.compression.chain.weight_codes import Bits
from npquant.compression.rounding.rectified.network import quantize_rectified
from npquant.compression.rounding.uniform import quantize_uniform
from npquant.data.matching import facts_of
from npquant.data.sets import Sets, load_sets
from npquant.files.storage import write_atomically
from npquant.interop.imported import Imported
from npquant.measure.evaluate import in_float64
from npquant.nn.model import FloatMLP
from npquant.report.document import encode_report
from npquant.report.page import render_page
from npquant.workflow.config import RunConfig
from npquant.workflow.deployed import deploy
from npquant.workflow.deployment import prepare_folder
from npquant.workflow.float_model import load_matched_sets, obtain_float, read_given
from npquant.workflow.judge import Judge
from npquant.workflow.run_report import Made, run_report
from npquant.workflow.staging import PAGE, REPORT, staged_files
from npquant.workflow.step_clock import Progress, StepClock
from npquant.workflow.target_names import check_targets
from npquant.workflow.targets import deploy_targets


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
    Writes float.npz, deployed.npz, the exports of `targets`, report.json and report.html to `out`, all or none: after a
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
        return _run(config, StepClock(progress or _silent), folder)


def _run(config: RunConfig, clock: StepClock, folder: Path) -> dict[str, Any]:
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
        deployed = deploy(folder, start.model, search, x_calibration, sets.dataset.x[sets.split.train], facts)
        exported = deploy_targets(
            folder, deployed.model, sets.validation[0], check_targets(config.targets), clock.progress,
            kind=sets.dataset.kind, facts=facts,
        )  # fmt: skip
        judge.evaluate_network("deployed", deployed.model, search.thresholds.bits, search.pruned.kept)
        judge.open_test(*sets.test.open())
    made = Made(config, sets, x_calibration, match_notes, facts, start, search, judge, deployed, exported)
    report = run_report(made, clock.entries)
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


def _validate(
    judge: Judge, search: SearchResult, floating: FloatMLP, x_calibration: NDArray[Any], inputs: str, clock: StepClock
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


def _silent(text: str) -> None:
    """Say nothing."""
