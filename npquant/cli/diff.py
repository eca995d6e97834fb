"""``npquant diff``: where two profiles part on an integer network."""

from __future__ import annotations

import argparse
import json
import sys


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe ``npquant diff`` in `commands`, what ``add_subparsers`` returned.

    >>> parser = argparse.ArgumentParser()
    >>> add_command(parser.add_subparsers())
    >>> parser.parse_args(["diff", "net.npz", "--a", "ort", "--b", "npquant"]).model
    'net.npz'
    """
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
    diff.set_defaults(command=_execute)


def _execute(options: argparse.Namespace) -> int:
    """Compare two profiles on a network."""
    from npquant.data.datasets import load_dataset, load_optdigits
    from npquant.files.storage import load
    from npquant.integer.mlp import IntegerMLP
    from npquant.nn.model import FloatMLP
    from npquant.testing.divergence import compare_profiles, divergence_as_json, render_divergence

    model = load(options.model)
    if not isinstance(model, IntegerMLP):
        kind = "float" if isinstance(model, FloatMLP) else "dynamic"
        raise ValueError(f"{options.model} holds a {kind} network; quantize it first: profiles differ on integers")
    x = load_dataset(options.data).x if options.data else load_optdigits().x
    found = compare_profiles(model, x, options.a, options.b)
    text = json.dumps(divergence_as_json(found), indent=2) + "\n" if options.json else render_divergence(found)
    sys.stdout.write(text)
    return 1 if found.first is not None or found.end_to_end else 0
