"""`python -m npquant.testing`: the oracle kit on the command line. One module a subcommand; each returns its exit code.

Exit codes: 0 conformant, 1 not, 2 the kit failed (bad arguments, a target that cannot be imported, an error of its
own), 3 the backend crashed or hung, 4 nothing ran, 130 interrupted.
"""

from __future__ import annotations

import argparse
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Final

from npquant.testing.commands import (
    coverage,
    explain,
    fingerprint,
    generate,
    header,
    minimize,
    mutants,
    run,
    verify,
)
from npquant.testing.verdict import KIT_FAILED
from npquant.version import __version__

INTERRUPTED: Final = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command with `arguments` (None: those of the process); return the exit code.

    Bad input is one line on stderr; any other exception is a mistake of the kit's own and keeps its traceback. Both
    are exit code 2, never the verdict of a backend.

    >>> import contextlib
    >>> with contextlib.redirect_stderr(sys.stdout):
    ...     main(["run", "nowhere:backend"])
    npquant.testing: error: nowhere cannot be imported: ModuleNotFoundError: No module named 'nowhere'
    2
    """
    options = build_parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = options.command
    try:
        code = command(options)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        return _failed("interrupted, without a verdict", INTERRUPTED)
    except BrokenPipeError:
        # The reader of stdout has gone: nobody is left to tell.
        sys.stderr.close()
        return KIT_FAILED
    except OSError as error:
        place = "" if error.filename is None else f"{error.filename}: "
        return _failed(place + (error.strerror or str(error)), KIT_FAILED)
    except (ValueError, OverflowError, ImportError) as error:
        return _failed(str(error), KIT_FAILED)
    except Exception:
        traceback.print_exc()
        return _failed("this is a mistake of the kit's own, and no verdict", KIT_FAILED)


def build_parser() -> argparse.ArgumentParser:
    """Build the parser with all subcommands."""
    parser = argparse.ArgumentParser(
        allow_abbrev=False,
        prog="python -m npquant.testing",
        description="Judge a quantized kernel, and say what is wrong with it.",
        epilog="Exit codes: 0 conformant, 1 not, 2 the kit failed, 3 the backend crashed or hung, 4 nothing ran.",
    )
    parser.add_argument("--version", action="version", version=f"npquant {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for command in (run, fingerprint, generate, verify, explain, minimize, mutants, coverage, header):
        command.add_command(commands)
    for made in commands.choices.values():
        made.allow_abbrev = False  # an abbreviation changes its meaning with the next option that is added
    return parser


def _failed(message: str, code: int) -> int:
    sys.stderr.write(f"npquant.testing: error: {message}\n")
    return code
