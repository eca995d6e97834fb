"""`generate`: questions for what is not Python, in a folder or as a stream.

Legend: commands where subcommands are added; options what was parsed.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any, Final

from npquant.testing.commands.arguments import add_questions, names, needed_profile

FORMATS: Final = ("npz", "onnx", "wycheproof", "c", "readmemh", "pipe")


def add_command(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser("generate", help="write golden vectors to a folder, or questions to a pipe")
    add_questions(parser)
    form = parser.add_argument_group("the form")
    form.add_argument("--format", choices=FORMATS, help="of a folder; pipe: questions.txt, a line each")
    form.add_argument("--out", metavar="FOLDER", help="where to")
    form.add_argument("--stream", action="store_true", help="print a question a line, for verify --stream")
    form.add_argument("--ops", metavar="A,B", type=names, default=("linear",), help="linear, quantize (a stream's)")
    parser.set_defaults(command=execute)


def execute(options: argparse.Namespace) -> int:
    """Write the questions."""
    profile = needed_profile(options)
    if options.stream:
        if options.format is not None or options.out is not None:
            raise ValueError("--stream prints; leave --format and --out away")
        return _stream(profile, options)
    if options.format is None or options.out is None:
        raise ValueError(f"give --format ({', '.join(FORMATS)}) and --out FOLDER, or --stream")
    return _folder(profile, options)


def _stream(profile: str, options: argparse.Namespace) -> int:
    from npquant.profiles import get
    from npquant.testing.stream import questions, stream_capabilities

    record = get(profile)
    can = stream_capabilities(record, options.ops)
    for line, _ in questions(record, can, options.tier, options.seed, options.classes):
        sys.stdout.write(line + "\n")
    return 0


def _folder(profile: str, options: argparse.Namespace) -> int:
    from npquant.profiles import get
    from npquant.testing.adapters.files import write_questions
    from npquant.testing.stream import questions, stream_capabilities

    record = get(profile)
    can = stream_capabilities(record, options.ops)
    cases = (case for _, case in questions(record, can, options.tier, options.seed, options.classes))
    count = write_questions(options.out, cases)
    sys.stdout.write(f"{count:,} questions in {options.out}\n")
    return 0
