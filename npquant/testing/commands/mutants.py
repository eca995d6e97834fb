"""`mutants`: the catalogue of known bugs, and how soon each is found.

Legend: commands where subcommands are added; options what was parsed.
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import Any

from npquant.testing.commands.arguments import names


def add_command(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser("mutants", help="list the known bugs; with --run, show that each is found")
    parser.add_argument(
        "--profile", metavar="NAME", default="ort", help="of the kernels (default: ort, under which every bug shows)"
    )
    parser.add_argument("--run", action="store_true", help="put each on trial: golden set, lattices, drawn cases")
    parser.add_argument("--groups", metavar="A,B", type=names, help="rounding, lanes, state ... (default: all)")
    parser.add_argument("--seed", metavar="N", type=int, default=0, help="of all that is drawn (default: 0)")
    parser.set_defaults(command=execute)


def execute(options: argparse.Namespace) -> int:
    """List or run; return 1 if a bug that can be seen under the profile survives."""
    from npquant.profiles import get
    from npquant.testing.bugs.catalogue import CATALOGUE
    from npquant.testing.commands.output import table, wrapped

    profile = get(options.profile)
    known = {bug.group for bug in CATALOGUE}
    unknown = [group for group in options.groups or () if group not in known]
    if unknown:
        raise ValueError(f"there is no group {unknown[0]!r}; known: {', '.join(sorted(known))}")
    bugs = [bug for bug in CATALOGUE if options.groups is None or bug.group in options.groups]
    if not options.run:
        for bug in bugs:
            met = f" ({bug.met})" if bug.met else ""
            sys.stdout.write("\n".join([bug.name, *wrapped(bug.says + met, "    ")]) + "\n")
        sys.stdout.write(f"{len(bugs)} bugs\n")
        return 0
    start = time.perf_counter()
    found = [(bug, killed_after(bug.make(profile), options.seed)) for bug in bugs]
    rows = [(bug.name, f"{after:,}" if after else "-", "killed" if after else "SURVIVED") for bug, after in found]
    sys.stdout.write("\n".join(table(("bug", "questions", "result"), rows)) + "\n")
    killed = sorted(after for _, after in found if after)
    said = f"{len(killed)} of {len(found)} bugs killed under {profile.name}, {time.perf_counter() - start:.0f} s"
    if killed:
        said += f"; questions until then: median {killed[len(killed) // 2]}, at most {killed[-1]:,}"
    sys.stdout.write(said + "\n")
    return 0 if len(killed) == len(found) else 1


def killed_after(backend: Any, seed: int) -> int:
    """Return how many questions of the standard tier it took until a backend was found wrong; 0 if it was not.

    seed is the tier's."""
    from npquant.profiles import get
    from npquant.testing.backend import capabilities_from
    from npquant.testing.judge import judge
    from npquant.testing.trial import tier_cases

    profile = get(backend.profile)
    can = capabilities_from(backend, profile)
    for number, case in enumerate(tier_cases(profile, can, "standard", seed), 1):
        if judge(backend, case)[0] is not None:
            return number
    return 0
