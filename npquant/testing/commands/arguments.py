"""Arguments that several commands share.

Legend: parser the command's; options what was parsed.
"""

from __future__ import annotations

import argparse
from typing import Final

from npquant.testing.backend import Backend

TIERS: Final = ("smoke", "standard", "exhaustive", "forever")


def add_target(parser: argparse.ArgumentParser) -> None:
    """Give a command the backend on trial.

    >>> parser = argparse.ArgumentParser()
    >>> add_target(parser)
    >>> parser.parse_args(["my:kernel"]).target
    'my:kernel'
    """
    group = parser.add_argument_group("the backend")
    group.add_argument("target", nargs="?", metavar="TARGET", help="module:attribute, file.py:attribute or a .so")
    group.add_argument("--command", dest="program", metavar="CMD", help="a program that speaks the pipe")
    group.add_argument("--symbol", metavar="NAME", default="npquant_linear", help="of a library's function")
    group.add_argument("--timeout", metavar="S", type=float, default=5.0, help="seconds for an answer (default: 5)")


def target_of(options: argparse.Namespace, profile: str | None) -> Backend:
    """Return the backend that the options name, under a profile if it claims none; ValueError as `backend_of`."""
    from npquant.testing.target import backend_of

    return backend_of(
        options.target, command=options.program, profile=profile, symbol=options.symbol, timeout=options.timeout
    )


def add_questions(parser: argparse.ArgumentParser, tier: str | None = "standard") -> None:
    """Give a command which questions are meant: --profile, --tier, --seed, --classes; tier is the default, if one."""
    group = parser.add_argument_group("the questions")
    group.add_argument("--profile", metavar="NAME", help="the arithmetic to judge by; `npquant profiles` lists them")
    group.add_argument("--tier", choices=TIERS, default=tier, help="how hard" + (f" (default: {tier})" if tier else ""))
    group.add_argument("--seed", metavar="N", type=int, default=0, help="of all that is drawn (default: 0)")
    group.add_argument("--classes", metavar="A,B", type=names, help="case classes, apart by commas (default: all)")


def names(text: str) -> tuple[str, ...]:
    """Return the names of a list in text, apart by commas.

    >>> names("tie, rail")
    ('tie', 'rail')
    """
    return tuple(name.strip() for name in text.split(",") if name.strip())


def needed_profile(options: argparse.Namespace) -> str:
    """Return the profile of the options; ValueError if none is given."""
    if options.profile is None:
        raise ValueError("give --profile, the arithmetic that is meant; `npquant profiles` lists them")
    return str(options.profile)
