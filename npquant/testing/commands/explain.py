"""`explain`: say again what a report holds.

Legend: commands where subcommands are added; options what was parsed.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any


def add_command(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser("explain", help="print the counterexamples of a report that `run --report` wrote")
    parser.add_argument("report", metavar="REPORT.json")
    parser.add_argument("--class", dest="group", metavar="NAME", help="of one class only")
    parser.add_argument("--as", dest="form", choices=("text", "script", "c"), default="text", help="(default: text)")
    parser.set_defaults(command=execute)


def execute(options: argparse.Namespace) -> int:
    """Print each counterexample; return the exit code of the verdict that the report holds."""
    from npquant.testing.commands.documents import read_document
    from npquant.testing.commands.output import folded

    document = read_document(options.report)
    chosen = [f for f in document["failures"] if options.group in (None, f["class"])]
    if options.group is not None and not chosen:
        raise ValueError(f"{options.report} holds no failure of class {options.group!r}")
    for failure in chosen:
        text = failure["text"] if options.form == "text" else failure["report"][options.form]
        if text is None:
            raise ValueError(f"the case of class {failure['class']} has no such form: what is due is a refusal")
        lines = folded(text) if options.form == "text" else text.splitlines()
        sys.stdout.write("\n".join(lines) + "\n")
    if not chosen:
        sys.stdout.write("no failures\n")
    return int(document["exit_code"])
