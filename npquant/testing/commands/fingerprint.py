"""`fingerprint`: which arithmetic a black box has.

Legend: commands where subcommands are added; options what was parsed.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from npquant.testing.commands.arguments import add_target, target_of


def add_command(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser("fingerprint", help="say which arithmetic a backend has")
    add_target(parser)
    parser.add_argument(
        "--profile", metavar="NAME", default="npquant", help="whose multiplier and shift a program is given (npquant)"
    )
    parser.add_argument("--quick", action="store_true", help="eight vectors, without the shares")
    parser.add_argument("--json", action="store_true", help="print it as JSON")
    parser.set_defaults(command=execute)


def execute(options: argparse.Namespace) -> int:
    """Put the vectors, print who answers so; return 1 if no profile does, 4 if nothing was answered."""
    from npquant.testing.commands.output import folded
    from npquant.testing.verdict import CONFORMANT, NOT_CONFORMANT, NOTHING_RAN
    from npquant.testing.who.fingerprints import fingerprint

    found = fingerprint(target_of(options, options.profile), volume=not options.quick)
    if options.json:
        sys.stdout.write(json.dumps(found.as_json(), indent=1) + "\n")
    else:
        sys.stdout.write("\n".join(folded(found.text())) + "\n")
    if not any(match.outputs for match in found.matches):
        return NOTHING_RAN
    return CONFORMANT if found.same else NOT_CONFORMANT
