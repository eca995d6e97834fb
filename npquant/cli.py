"""The command line. One function a subcommand; each returns its exit code.

Exit codes: 0 a stated budget is met (diff: nothing differs), 1 it is not, 2 usage or bad input, 130 interrupted.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from typing import Final

import npquant

# What the BLAS libraries that NumPy is built with read, once, when they are loaded.
_THREADS: Final = (
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS",
)  # fmt: skip
_BAD_INPUT: Final = 2
_INTERRUPTED: Final = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command ``npquant``.

    Parameters
    ----------
    arguments : sequence of str, optional
        Without the program's name; None: those of the process.

    Returns
    -------
    int
        The exit code.

    Notes
    -----
    ValueError, TypeError, OSError, MemoryError and overflow become one line on stderr and exit code 2: they say what
    is wrong with the input. Any other exception is a mistake of npquant's own and keeps its traceback.

    Examples
    --------
    >>> import contextlib
    >>> with contextlib.redirect_stderr(sys.stdout):
    ...     main(["run", "--bits", "9"])
    npquant: error: the bit width is 9; give a whole number in [2, 8] with --bits
    2
    """
    parser = _build_parser()
    options = parser.parse_args(arguments)
    _use_one_thread()
    command: Callable[[argparse.Namespace], int] = options.command
    try:
        return command(options)
    except KeyboardInterrupt:
        return _fail("interrupted; no file is half written", _INTERRUPTED)
    except BrokenPipeError:
        # The reader of stdout has gone (npquant run | head): nobody is left to tell, and nothing is wrong.
        sys.stderr.close()
        return _BAD_INPUT
    except MemoryError as error:
        return _fail(f"not enough memory: {str(error) or 'use less data or a smaller network'}", _BAD_INPUT)
    except OSError as error:
        place = "" if error.filename is None else f"{error.filename}: "
        return _fail(place + (error.strerror or str(error)), _BAD_INPUT)
    except (ValueError, TypeError, OverflowError, FloatingPointError) as error:
        return _fail(str(error), _BAD_INPUT)


def _use_one_thread() -> None:
    """Ask for one BLAS thread, before NumPy is loaded, unless the environment asks for a number.

    The products of these networks are too small to share: on a machine whose cores are busy, two threads that wait for
    each other at every product took 20 times as long as one.
    """
    if not any(name in os.environ for name in _THREADS):
        os.environ.update(dict.fromkeys(_THREADS, "1"))


def _build_parser() -> argparse.ArgumentParser:
    """Build the parser with all subcommands."""
    parser = argparse.ArgumentParser(prog="npquant", description="Quantize and prune MLPs, and say what it costs.")
    parser.add_argument("--version", action="version", version=f"npquant {npquant.__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add_run(commands)
    _add_profiles(commands)
    _add_diff(commands)
    return parser


def _add_run(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe ``npquant run``."""
    run = commands.add_parser(
        "run",
        help="run the eight steps: float model to deployed integers",
        description="Run the eight steps. Without options: the bundled digits and network, a search within one point.",
        epilog="Exit code: 0 budget met, 1 budget missed, 2 usage or bad input.",
    )
    source = run.add_argument_group("what to start from")
    source.add_argument("--data", metavar="PATH", help="CSV, npz, or a folder of IDX files (MNIST's format)")
    source.add_argument("--model", metavar="FILE", help="a float network that npquant saved (npz)")
    source.add_argument("--train", action="store_true", help="train a new float network")
    source.add_argument("--hidden", metavar="N,N", type=_widths, help="hidden widths to train (default: by input size)")
    source.add_argument("--epochs", metavar="N", type=int, help="most epochs to train")
    source.add_argument("--activation", metavar="NAME", help="hidden activation to train (default: clipped_relu)")
    source.add_argument("--seed", metavar="N", type=int, default=0, help="chooses the split and all else (default: 0)")
    budget = run.add_argument_group("what is required")
    budget.add_argument("--max-drop", metavar="P", type=float, default=1.0, help="points that may be lost (default: 1)")
    budget.add_argument("--max-bytes", metavar="N", type=int, help="largest deployed.npz")
    budget.add_argument("--max-macs", metavar="N", type=int, help="most multiply-accumulates a row")
    budget.add_argument("--prune", metavar="RATE", type=float, help="fix the pruning rate, 0 to 0.9, not searched")
    budget.add_argument("--bits", metavar="N", type=int, help="fix the weight bits, 2 to 8, not searched")
    out = run.add_argument_group("what to write")
    out.add_argument("--out", metavar="DIR", default="npquant-out", help="folder for the files (default: npquant-out)")
    out.add_argument("--json", action="store_true", help="print report.json instead of the tables")
    run.set_defaults(command=_run)


def _run(options: argparse.Namespace) -> int:
    """Run the eight steps and print what they found."""
    from npquant.workflow.render import render_report
    from npquant.workflow.report import encode_report
    from npquant.workflow.steps import run_workflow

    progress = _Progress()
    try:
        report = run_workflow(
            data=options.data, model=options.model, train=options.train, out=options.out, max_drop=options.max_drop,
            max_bytes=options.max_bytes, max_macs=options.max_macs, prune=options.prune, bits=options.bits,
            hidden=options.hidden, epochs=options.epochs, activation=options.activation, seed=options.seed,
            progress=progress.show,
        )  # fmt: skip
    finally:
        progress.clear()
    sys.stdout.write(encode_report(report).decode("ascii") if options.json else render_report(report))
    sys.stdout.flush()
    return 0 if report["budget"]["met"] else 1


def _add_profiles(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe ``npquant profiles``."""
    profiles = commands.add_parser(
        "profiles",
        help="list the engines' arithmetics, or print the card of one",
        description="List the profiles. With NAME: its equation, an example by hand, its source, and its relatives.",
    )
    profiles.add_argument("name", metavar="NAME", nargs="?", help="a profile, such as tflite_ref")
    profiles.add_argument("--json", action="store_true", help="print the records as JSON")
    profiles.set_defaults(command=_profiles)


def _profiles(options: argparse.Namespace) -> int:
    """Print the list of profiles, or one card."""
    from npquant.profiles import get, names
    from npquant.profiles.cards import record_as_json, render_card

    if options.json:
        wanted = [get(options.name)] if options.name else [get(name) for name in names()]
        sys.stdout.write(json.dumps([record_as_json(profile) for profile in wanted], indent=2) + "\n")
    elif options.name:
        sys.stdout.write(render_card(options.name))
    else:
        for name in names():
            sys.stdout.write(f"{name:<21} {get(name).engine}\n")
    return 0


def _add_diff(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe ``npquant diff``."""
    diff = commands.add_parser(
        "diff",
        help="say where two profiles part on an integer network",
        description="Run an integer network under two profiles: counts by layer, and the first difference in full.",
        epilog="Exit code: 0 no output differs, 1 some do, 2 usage or bad input.",
    )
    diff.add_argument("model", metavar="MODEL", help="an integer network that npquant saved (npz)")
    diff.add_argument("--a", metavar="NAME", required=True, help="one profile")
    diff.add_argument("--b", metavar="NAME", required=True, help="the other profile")
    diff.add_argument("--data", metavar="PATH", help="rows to run: CSV, npz or IDX (default: the bundled digits)")
    diff.add_argument("--json", action="store_true", help="print the comparison as JSON")
    diff.set_defaults(command=_diff)


def _diff(options: argparse.Namespace) -> int:
    """Compare two profiles on a network."""
    from npquant.integer_mlp import IntegerMLP
    from npquant.storage import load
    from npquant.workflow.datasets import load_dataset, load_optdigits
    from npquant.workflow.divergence import compare_profiles, divergence_as_json, render_divergence

    model = load(options.model)
    if not isinstance(model, IntegerMLP):
        raise ValueError(f"{options.model} holds a float network; quantize it first: profiles differ on integers")
    x = load_dataset(options.data).x if options.data else load_optdigits().x
    found = compare_profiles(model, x, options.a, options.b)
    text = json.dumps(divergence_as_json(found), indent=2) + "\n" if options.json else render_divergence(found)
    sys.stdout.write(text)
    return 1 if found.first is not None or found.end_to_end else 0


class _Progress:
    """One line on stderr that is overwritten, and only where stderr is a terminal."""

    def __init__(self) -> None:
        self._shown = sys.stderr.isatty()

    def show(self, text: str) -> None:
        """Replace the line."""
        if self._shown:
            sys.stderr.write(f"\r\x1b[K{text[:79]}")
            sys.stderr.flush()

    def clear(self) -> None:
        """Leave the line empty."""
        self.show("")


def _widths(text: str) -> tuple[int, ...]:
    """Read hidden widths such as 64,32."""
    try:
        return tuple(int(part) for part in text.split(",") if part.strip())
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of widths such as 64,32") from None


def _fail(message: str, code: int) -> int:
    """Say in one line what is wrong."""
    sys.stderr.write(f"npquant: error: {' '.join(message.split())}\n")
    return code
