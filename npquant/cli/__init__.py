"""The command line. One module a subcommand; each returns its exit code.

Exit codes: 0 a stated budget is met (diff, verify: nothing differs; who: a profile fits; sweep: no cell failed), 1 it
is not, 2 usage, bad input, or an output that cannot be written, 130 interrupted, 141 the reader of stdout has gone.

Building the parser loads no NumPy: a command imports what it computes with when it is executed.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from io import StringIO
from types import MappingProxyType
from typing import Final

from npquant.cli import (
    compare,
    diff,
    export,
    finetune,
    import_file,
    inspect,
    notebook,
    profiles,
    prune,
    quantize,
    report,
    run,
    sweep,
    verify,
    who,
)
from npquant.cli.command_parser import CommandParser, list_by_task
from npquant.cli.streams import deliver, page_width, present_streams, refusal, say
from npquant.version import __version__
from npquant.workflow.blas_threads import ask_for_one_blas_thread

# A user's journey.
TASKS: Final = MappingProxyType({
    "run everything": ("run",),
    "learn": ("notebook",),
    "look": ("report", "inspect", "profiles"),
    "bring in": ("import",),
    "compress": ("prune", "finetune", "quantize"),
    "compare": ("sweep", "compare"),
    "take out": ("export",),
    "judge": ("verify", "diff", "who"),
})  # fmt: skip
_BAD_INPUT: Final = 2
_INTERRUPTED: Final = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command ``npquant`` with `arguments` (None: those of the process); return the exit code.

    ValueError, TypeError, OSError, MemoryError, overflow and a missing package become one line on stderr and exit code
    2: they say what is wrong with the input. Any other exception is a mistake of npquant's own and keeps its traceback.

    >>> import contextlib, sys
    >>> with contextlib.redirect_stderr(sys.stdout):
    ...     main(["run", "--bits", "9"])
    npquant: error: the bit width is 9; give a whole number in [2, 8] with --bits
    2
    """
    printed = StringIO()
    with present_streams():
        width = page_width()
        why = refusal()
        if why is not None:
            return _fail(why, _BAD_INPUT)
        try:
            with redirect_stdout(printed):
                code = _execute(arguments, width)
            return deliver(printed.getvalue()) or code
        except SystemExit:
            # argparse: help, the version, a usage error.
            lost = deliver(printed.getvalue())
            if lost:
                return lost
            raise
        except KeyboardInterrupt:
            return _fail("interrupted; no file is half written", _INTERRUPTED)


def _execute(arguments: Sequence[str] | None, width: int) -> int:
    """Run the command, whose page may be so wide; make one line of what is wrong with the input."""
    options = _build_parser().parse_args(arguments)
    options.width = width
    ask_for_one_blas_thread()
    command: Callable[[argparse.Namespace], int] = options.command
    try:
        return command(options)
    except MemoryError as error:
        return _fail(f"not enough memory: {str(error) or 'use less data or a smaller network'}", _BAD_INPUT)
    except OSError as error:
        place = "" if error.filename is None else f"{error.filename}: "
        return _fail(place + (error.strerror or str(error)), _BAD_INPUT)
    except ImportError as error:
        if "pip install" not in str(error):
            raise  # not a package that a user may lack, but a mistake of npquant's own
        return _fail(str(error), _BAD_INPUT)
    except (ValueError, TypeError, OverflowError, FloatingPointError) as error:
        return _fail(str(error), _BAD_INPUT)


def _build_parser() -> CommandParser:
    """Build the parser with all subcommands."""
    parser = CommandParser(
        prog="npquant",
        usage="npquant [-h] [--version] COMMAND ...",
        description="Quantize and prune MLPs, and say what it costs.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"npquant {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", prog="npquant", help="one of those below")
    makers, readers = (run, import_file, prune, finetune, quantize, sweep, compare), (report, inspect, export, verify)
    for command in (*makers, *readers, notebook, profiles, diff, who):
        command.add_command(commands)
    listed = list_by_task(commands, TASKS)
    parser.epilog = f"{listed}\n\nEach command explains itself: npquant COMMAND --help."
    return parser


def _fail(message: str, code: int) -> int:
    """Say in one line what is wrong."""
    say(f"npquant: error: {' '.join(message.split())}\n")
    return code
