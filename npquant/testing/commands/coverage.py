"""`coverage`: which wrong rules a set of vectors can tell, and which situations it holds.

Legend: commands where subcommands are added; options what was parsed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from npquant.testing.commands.arguments import TIERS

if TYPE_CHECKING:
    from npquant.testing.case import Case
    from npquant.testing.who.records import Record


def add_command(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser("coverage", help="say which rules a set of vectors can tell apart")
    parser.add_argument(
        "files", nargs="*", metavar="FILE", help="a layer (npz, JSON), or a folder: golden vectors (npz), questions"
    )
    parser.add_argument("--standard", action="store_true", help="of the kit's own tier, with its declared situations")
    parser.add_argument("--tier", choices=TIERS[:2], default="standard", help="of --standard (default: standard)")
    parser.add_argument("--profile", metavar="NAME", default="npquant", help="that the set is of (default: npquant)")
    parser.set_defaults(command=execute)


def execute(options: argparse.Namespace) -> int:
    """Print the table; return 1 if a rule is told by no code, or a declared situation is missing."""
    from npquant.profiles import get
    from npquant.testing.backend import capabilities_of
    from npquant.testing.bins import declared, missed
    from npquant.testing.commands.output import wrapped
    from npquant.testing.coverage import coverage_of
    from npquant.testing.trial import tier_cases

    if options.standard == bool(options.files):
        raise ValueError("give the files of a vector set, or --standard")
    profile = get(options.profile)
    if not options.standard:
        found = coverage_of(_vectors(options.files), profile.name, name=Path(options.files[0]).stem)
        sys.stdout.write(found.text())
        return 1 if found.blind else 0
    cases = list(tier_cases(profile, capabilities_of(profile), options.tier, 0))
    found = coverage_of(cases, profile.name, name=options.tier)
    missing, all_bins = missed(profile, cases), declared(profile)
    lines = ["", f"situations met {len(all_bins) - len(missing)} of {len(all_bins)}"]
    lines += wrapped("missing: " + ", ".join(sorted(missing))) if missing else []
    sys.stdout.write(found.text() + "\n".join(lines) + "\n")
    return 1 if found.blind or missing else 0


def _vectors(files: list[str]) -> Iterator[Case | Record]:
    from npquant.testing.adapters.folder import read_cases
    from npquant.testing.vectors import npz
    from npquant.testing.vectors.npz import CASES
    from npquant.testing.who.records import read_record

    for name in files:
        if (Path(name) / CASES).exists():
            yield from npz.read_cases(Path(name)).values()
        elif Path(name).is_dir():
            yield from read_cases(name)
        else:
            yield read_record(name)
