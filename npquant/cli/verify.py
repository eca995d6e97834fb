"""``npquant verify``: an artefact in its own runtime, compared with what npquant says it must answer."""

from __future__ import annotations

import argparse
import sys

from npquant.cli.arguments import add_reading


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe ``npquant verify`` in `commands`, what ``add_subparsers`` returned.

    >>> parser = argparse.ArgumentParser()
    >>> add_command(parser.add_subparsers())
    >>> parser.parse_args(["verify", "net.tflite", "--engine", "litert"]).rows
    1000
    """
    verify = commands.add_parser(
        "verify",
        help="run an exported file in its runtime, and compare every answer",
        description="Hand an artefact and drawn inputs to the runtime that it is for, and compare its answers with "
        "npquant's: codes byte for byte, floats by a bound that is said. A difference is explained as by npquant diff.",
        epilog="Exit code: 0 every answer is equal, 1 some differ, 2 usage or bad input, or the engine is missing.",
    )
    verify.add_argument("path", metavar="PATH", help="an ONNX or TFLite file, or the folder of a C or Verilog export")
    verify.add_argument(
        "--engine", metavar="NAME", choices=("onnxruntime", "litert", "tflm", "cc", "verilog"),
        help="onnxruntime, litert, tflm, cc or verilog (default: by what the path holds)",
    )  # fmt: skip
    verify.add_argument(
        "--model", metavar="FILE", help="what it must compute, where it cannot be read back: C, Verilog"
    )
    verify.add_argument("--rows", metavar="N", type=int, default=1000, help="inputs to draw (default: 1000)")
    verify.add_argument("--seed", metavar="N", type=int, default=0, help="of the inputs (default: 0)")
    add_reading(verify, integer=True)
    verify.add_argument("--json", action="store_true", help="print JSON")
    verify.set_defaults(command=_execute)


def _execute(options: argparse.Namespace) -> int:
    """Run the artefact, compare, explain."""
    from npquant.cli.output import write_json
    from npquant.interop.reading import read
    from npquant.workflow.verification import render_verification, verification_as_json, verify

    if options.rows < 1:
        raise ValueError(f"--rows is {options.rows}; give 1 or more")
    if options.seed < 0:
        raise ValueError(f"the seed is {options.seed}; give a whole number of at least 0 with --seed")
    model = None
    if options.model is not None:
        model = read(options.model, profile=options.profile, activations=options.activations).model
    found = verify(
        options.path, engine=options.engine, profile=options.profile, model=model, rows=options.rows, rng=options.seed
    )
    if options.json:
        write_json({"command": "verify", **verification_as_json(found)})
    else:
        sys.stdout.write(render_verification(found))
    return 0 if found.equal else 1
