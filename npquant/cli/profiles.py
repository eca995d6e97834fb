"""``npquant profiles``: the engines' arithmetics, as a list or one by one."""

from __future__ import annotations

import argparse
import json
import sys


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe ``npquant profiles`` in `commands`, what ``add_subparsers`` returned.

    >>> parser = argparse.ArgumentParser()
    >>> add_command(parser.add_subparsers())
    >>> parser.parse_args(["profiles", "tflite_ref"]).name
    'tflite_ref'
    """
    profiles = commands.add_parser(
        "profiles",
        help="list the engines' arithmetics, or print the card of one",
        description="List the profiles. With NAME: its equation, its source, how each operator is known, an "
        "example by hand, and its relatives.",
    )
    profiles.add_argument("name", metavar="NAME", nargs="?", help="a profile, such as tflite_ref")
    profiles.add_argument("--json", action="store_true", help="print the records as JSON")
    profiles.set_defaults(command=_execute)


def _execute(options: argparse.Namespace) -> int:
    """Print the list of profiles, or one card."""
    from npquant.profiles import get, names
    from npquant.profiles.relatives import RELATIVES
    from npquant.testing.cards import record_as_json, render_card

    if options.json:
        wanted = [get(options.name)] if options.name else [get(name) for name in names(layers=False)]
        sys.stdout.write(json.dumps([record_as_json(profile) for profile in wanted], indent=2) + "\n")
    elif options.name:
        sys.stdout.write(render_card(options.name))
    else:
        for name in names(layers=False):
            sys.stdout.write(f"{name:<21} {get(name).engine}\n")
        for relative in RELATIVES:
            sys.stdout.write(f"{relative.name:<21} {relative.record.engine}; 8-bit layers as {relative.of}\n")
    return 0
