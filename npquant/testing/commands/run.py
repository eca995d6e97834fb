"""`run`: judge a backend.

Legend: commands where subcommands are added; options what was parsed.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from npquant.testing.commands.arguments import add_questions, add_target, target_of


def add_command(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser("run", help="judge a backend, and explain what is wrong with it")
    add_target(parser)
    add_questions(parser)
    parser.add_argument("--seconds", metavar="S", type=float, help="time budget; the rest counts as not asked")
    parser.add_argument("--report", metavar="FILE", help="write the verdict as JSON")
    parser.add_argument("--junit", metavar="FILE", help="write it as JUnit's XML, a test case for each class")
    parser.add_argument("--xfail", metavar="FILE", help="classes that are known to fail, a line `class: reason` each")
    parser.set_defaults(command=execute)


def execute(options: argparse.Namespace) -> int:
    """Judge, print, write; return the exit code."""
    from npquant.testing import trial
    from npquant.testing.commands.documents import write_document, write_junit
    from npquant.testing.commands.output import exit_code, verdict_lines
    from npquant.testing.expected_failures import read_expected_failures

    for path in (options.report, options.junit):
        if path is not None and not Path(path).absolute().parent.is_dir():
            raise ValueError(f"{path} cannot be written: there is no such folder")
    expected = {} if options.xfail is None else read_expected_failures(options.xfail)
    verdict = trial.run(
        target_of(options, options.profile),
        options.profile,
        options.tier,
        options.seed,
        classes=options.classes,
        seconds=options.seconds,
        progress=_say if sys.stderr.isatty() else None,
    )
    sys.stdout.write("\n".join(verdict_lines(verdict, expected)) + "\n")
    if options.report is not None:
        write_document(options.report, verdict, expected)
    if options.junit is not None:
        write_junit(options.junit, verdict, expected)
    return exit_code(verdict, expected)


def _say(name: str) -> None:
    """Overwrite one line of the terminal with the class that starts."""
    sys.stderr.write(f"\r{name:<16}\r")
    sys.stderr.flush()
