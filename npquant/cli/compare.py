"""``npquant compare``: ways to round, one's own among them, beside each other on the same networks, seed by seed."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Final

from npquant.cli.arguments import add_data, names, weight_widths, widths
from npquant.cli.progress import ProgressLine
from npquant.compression.rounding.method_names import AUTO, METHOD_NAMES

if TYPE_CHECKING:
    from npquant.workflow.compare.run import MethodComparison

_PRINTED: Final = "-"  # --json without a file
# Those of workflow.compare.run, which loads NumPy: help answers without it.
_METHODS: Final = ("rectified", "gptq_resolved", "gptq", "nearest", "uniform")
_WIDTHS: Final = (4, 2)
_SEEDS: Final = 5
_ACTIVATION: Final = "clipped_relu"


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe ``npquant compare`` in `commands`, what ``add_subparsers`` returned.

    >>> parser = argparse.ArgumentParser()
    >>> add_command(parser.add_subparsers())
    >>> options = parser.parse_args(["compare", "--methods", "gptq,mine:up", "--bits", "3,t"])
    >>> options.methods, options.bits, options.json
    (('gptq', 'mine:up'), (3, 'ternary'), None)
    """
    compare = commands.add_parser(
        "compare",
        help="hold ways to round, your own too, beside each other",
        description="Train a network a seed, round it by every method, and pair the methods by seed on the test rows.",
        epilog="Exit code: 0 done, 2 usage, bad input or a method that fails.",
    )
    compare.add_argument(
        "--methods", metavar="A,B", type=names, default=_METHODS,
        help=f"of {', '.join((*METHOD_NAMES, AUTO))}, or module:function, (problem, bits) -> LayerCodes; the others "
        f"are held to the first (default: {','.join(_METHODS)})",
    )  # fmt: skip
    compare.add_argument(
        "--bits", metavar="B,B", type=weight_widths, default=_WIDTHS,
        help="of the weights, one width after the other: 2 to 8, or ternary (default: 4,2)",
    )  # fmt: skip
    compare.add_argument("--activation-bits", metavar="A", type=int, default=8, help="2 to 8, or 16 (default: 8)")
    compare.add_argument("--seeds", metavar="N", type=int, default=_SEEDS, help="0 to N - 1 (default: 5)")
    add_data(compare.add_argument_group("rows"), "the bundled digits")
    trained = compare.add_argument_group("the float networks, one a seed")
    trained.add_argument("--hidden", metavar="N,N", type=widths, help="hidden widths (default: by input size)")
    trained.add_argument("--activation", metavar="NAME", default=_ACTIVATION, help=f"hidden (default: {_ACTIVATION})")
    trained.add_argument("--epochs", metavar="N", type=int, help="most epochs to train (default: by rows)")
    compare.add_argument(
        "--executor", metavar="NAME",
        help="where seeds run: processes, processes:N or dask:ADDRESS (default: this process)",
    )  # fmt: skip
    out = compare.add_argument_group("what to write")
    out.add_argument("--csv", metavar="FILE", help="a line a method, width and seed")
    out.add_argument(
        "--json", metavar="FILE", nargs="?", const=_PRINTED,
        help="all figures as JSON; without FILE printed instead of tables",
    )  # fmt: skip
    out.add_argument("--plot", metavar="FILE", help="the picture, an SVG")
    compare.set_defaults(command=_execute)


def _execute(options: argparse.Namespace) -> int:
    """Compare, write what is asked for, and print the tables."""
    from npquant.cli.methods import method_name
    from npquant.cli.output import write_json, write_sections
    from npquant.data.sets import load_sets
    from npquant.workflow.compare.run import checked, compare_seeds
    from npquant.workflow.compare.table import comparison_json, comparison_sections

    _check_files(options)
    methods = [method if ":" in method else method_name(method) for method in options.methods]
    asked = checked(
        methods, options.bits, options.seeds, hidden=options.hidden, activation=options.activation,
        epochs=options.epochs, activation_bits=options.activation_bits,
    )  # fmt: skip
    with ProgressLine("compare: reading the data") as line:
        found = compare_seeds(
            lambda seed: load_sets(options.data, seed, target=options.target, missing=options.missing).dataset,
            asked, options.executor, line.show,
        )  # fmt: skip
    _write(found, options)
    if options.json == _PRINTED:
        write_json(comparison_json(found))
    else:
        write_sections(comparison_sections(found, options.width))
    return 0


def _files(options: argparse.Namespace) -> dict[str, str]:
    """Return the files to write, by option."""
    asked = {"--csv": options.csv, "--json": options.json, "--plot": options.plot}
    return {option: path for option, path in asked.items() if path not in (None, _PRINTED)}


def _check_files(options: argparse.Namespace) -> None:
    from npquant.cli.output import check_out

    files = _files(options)
    for option, path in files.items():
        others = [other for name, other in files.items() if name != option]
        check_out(path, options.data, *others, option=option)
    if options.plot is not None and Path(options.plot).suffix != ".svg":
        raise ValueError(f"--plot is {options.plot}; name an SVG, as in comparison.svg")


def _write(found: MethodComparison, options: argparse.Namespace) -> None:
    """Write each file whole or not at all."""
    from npquant.cli.output import json_text
    from npquant.files.storage import write_atomically
    from npquant.workflow.compare.picture import comparison_svg
    from npquant.workflow.compare.table import comparison_csv, comparison_json

    contents = {
        "--csv": lambda: comparison_csv(found),
        "--json": lambda: json_text(comparison_json(found)).encode("utf-8"),
        "--plot": lambda: comparison_svg(found),
    }
    made = {path: contents[option]() for option, path in _files(options).items()}
    for path, content in made.items():
        write_atomically(path, content)
