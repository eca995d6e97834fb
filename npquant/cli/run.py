"""``npquant run``: the eight steps, from a float model to deployed integers."""

from __future__ import annotations

import argparse
import sys

from npquant.cli.arguments import activations, add_data, add_inputs, add_rise, duration, names, weight_bits, widths
from npquant.cli.progress import ProgressLine
from npquant.workflow.target_names import TARGETS


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe ``npquant run`` in `commands`, what ``add_subparsers`` returned.

    >>> parser = argparse.ArgumentParser()
    >>> add_command(parser.add_subparsers())
    >>> parser.parse_args(["run", "--bits", "4"]).bits
    4
    """
    run = commands.add_parser(
        "run",
        help="run the eight steps: float model to deployed integers",
        description="Run the eight steps. Without options: the bundled digits and network, a search within one point.",
        epilog="Exit code: 0 budget met, 1 budget missed or a target answers otherwise, 2 usage or bad input.",
    )
    source = run.add_argument_group("what to start from")
    add_data(source, "the bundled digits")
    source.add_argument("--model", metavar="FILE", help="a float network: npquant's, ONNX, TFLite, Keras, safetensors")
    source.add_argument(
        "--activations", metavar="NAMES", type=activations, help="its hidden activations, if the file does not say"
    )
    source.add_argument("--train", action="store_true", help="train a new float network")
    source.add_argument("--hidden", metavar="N,N", type=widths, help="hidden widths to train (default: by input size)")
    source.add_argument("--epochs", metavar="N", type=int, help="most epochs to train")
    source.add_argument(
        "--activation", metavar="NAME", help="hidden activation to train, or auto: the best (default: clipped_relu)"
    )
    source.add_argument("--seed", metavar="N", type=int, default=0, help="chooses the split and all else (default: 0)")
    _add_budget(run)
    out = run.add_argument_group("what to write")
    out.add_argument("--out", metavar="DIR", default="npquant-out", help="folder for the files (default: npquant-out)")
    out.add_argument(
        "--targets", metavar="NAMES", type=names,
        help=f"what to export, run and time, of {', '.join(TARGETS)}; none: nothing (default: all)",
    )  # fmt: skip
    out.add_argument("--json", action="store_true", help="print report.json instead of the page")
    out.add_argument("--verbose", action="store_true", help="print figures by layer, all pairs, times, what was tried")
    run.set_defaults(command=_execute)


def _add_budget(run: argparse.ArgumentParser) -> None:
    """Add what is required of the deployed network, and what is not left to the search."""
    budget = run.add_argument_group("what is required")
    budget.add_argument("--max-drop", metavar="P", type=float, help="points that may be lost, of classes (default: 1)")
    add_rise(budget)
    budget.add_argument("--max-bytes", metavar="N", type=int, help="largest deployed.npz")
    budget.add_argument("--max-macs", metavar="N", type=int, help="most multiply-accumulates a row")
    budget.add_argument("--min-sqnr", metavar="DB", type=float, help="least signal-to-noise ratio of the logits, in dB")
    budget.add_argument(
        "--time-limit", metavar="TIME", type=duration,
        help="end the search with the best found so far after 90, 90s, 5m or 1h (default: when all is tried)",
    )  # fmt: skip
    fixed = run.add_argument_group("what is not searched")
    fixed.add_argument("--prune", metavar="RATE", type=float, help="pruning rate of every hidden layer, 0 to 0.9")
    fixed.add_argument("--bits", metavar="B", type=weight_bits, help="weight bits of every layer, 2 to 8 or ternary")
    fixed.add_argument(
        "--activation-bits",
        metavar="A",
        type=int,
        help="bits of every hidden output, 2 to 8; or 16, of in- and outputs too",
    )
    add_inputs(fixed)


def _execute(options: argparse.Namespace) -> int:
    """Run the eight steps and print what they found."""
    from npquant.report.document import encode_report
    from npquant.report.terminal import render_report
    from npquant.workflow.steps import run_workflow

    with ProgressLine() as progress:
        report = run_workflow(
            data=options.data, model=options.model, train=options.train, out=options.out, max_drop=options.max_drop,
            max_bytes=options.max_bytes, max_macs=options.max_macs, min_sqnr=options.min_sqnr, prune=options.prune,
            bits=options.bits, activation_bits=options.activation_bits, hidden=options.hidden, epochs=options.epochs,
            activation=options.activation, seed=options.seed, activations=options.activations, targets=options.targets,
            time_limit=options.time_limit, max_rmse_rise=options.max_rmse_rise,
            target=options.target, missing=options.missing, inputs=options.inputs, progress=progress.show,
        )  # fmt: skip
    page = render_report(report, width=options.width, verbose=options.verbose)
    sys.stdout.write(encode_report(report).decode("ascii") if options.json else page)
    sys.stdout.flush()
    return 0 if report["budget"]["met"] and not report["deployment"]["differing_targets"] else 1
