"""`minimize`: ask a backend the failures of a report again, and shrink what is still wrong.

Legend: commands where subcommands are added; options what was parsed.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

from npquant.testing.commands.arguments import add_target, target_of


def add_command(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser("minimize", help="ask the failures of a report again, and shrink what is still wrong")
    add_target(parser)
    parser.add_argument("report", metavar="REPORT.json")
    parser.add_argument("--profile", metavar="NAME", help="the arithmetic to judge by (default: the report's)")
    parser.set_defaults(command=execute)


def execute(options: argparse.Namespace) -> int:
    """Ask, shrink, print; return 0 if nothing is wrong any more, 4 if the report holds no failure."""
    from npquant.testing.ask import ask
    from npquant.testing.case_data import from_data
    from npquant.testing.commands.documents import read_document
    from npquant.testing.commands.output import folded
    from npquant.testing.explain.counterexample import Counterexample
    from npquant.testing.judge import judge
    from npquant.testing.verdict import CONFORMANT, NOT_CONFORMANT, NOTHING_RAN

    document = read_document(options.report)
    backend = target_of(options, options.profile or document["profile"])
    code = NOTHING_RAN
    for failure in document["failures"]:
        for step in failure["before"]:
            ask(backend, from_data(step))
        # The shrunk case first: of a kernel that was repaired in part only the larger one may be wrong still.
        findings = (judge(backend, from_data(failure[size]))[0] for size in ("small", "found"))
        found = next((finding for finding in findings if finding is not None), None)
        if found is None:
            sys.stdout.write(f"{failure['class']}: right now\n")
            code = CONFORMANT if code == NOTHING_RAN else code
        else:
            told = Counterexample(backend, found, tier=document["tier"], seed=document["seed"])
            sys.stdout.write("\n".join(folded(told.text())) + "\n")
            code = NOT_CONFORMANT
    if code == NOTHING_RAN:
        sys.stdout.write("the report holds no failure\n")
    return code
