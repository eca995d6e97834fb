"""`generate`: questions for what is not Python, in a folder or as a stream.

Legend: commands where subcommands are added; options what was parsed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from npquant.testing.commands.arguments import add_questions, names, needed_profile

if TYPE_CHECKING:
    from npquant.testing.case import Case

GOLDEN: Final = ("npz", "onnx", "wycheproof", "c", "readmemh")
FORMATS: Final = (*GOLDEN, "pipe")


def add_command(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser("generate", help="write golden vectors to a folder, or questions to a pipe")
    add_questions(parser, None)
    form = parser.add_argument_group("the form")
    form.add_argument("--format", choices=FORMATS, help="of a folder; pipe: questions.txt, a line each")
    form.add_argument("--out", metavar="FOLDER", help="where to")
    form.add_argument("--stream", action="store_true", help="print a question a line, for verify --stream")
    form.add_argument("--ops", metavar="A,B", type=names, default=("linear",), help="of a pipe: linear, quantize")
    parser.set_defaults(command=execute)


def execute(options: argparse.Namespace) -> int:
    """Write the questions. The tier is smoke for golden vectors, each of which is tried on every known bug, and else
    standard.
    """
    profile = needed_profile(options)
    if options.stream:
        if options.format is not None or options.out is not None:
            raise ValueError("--stream prints; leave --format and --out away")
        return _stream(profile, options)
    if options.format is None or options.out is None:
        raise ValueError(f"give --format ({', '.join(FORMATS)}) and --out FOLDER, or --stream")
    return _golden(profile, options) if options.format in GOLDEN else _folder(profile, options)


def _golden(profile: str, options: argparse.Namespace) -> int:
    from npquant.testing.vectors.generation import generate

    if options.classes is not None:
        raise ValueError("golden vectors are of all classes: leave --classes away")
    manifest = generate(options.out, options.format, profile, options.tier or "smoke", options.seed)
    count, killed = len(manifest["vectors"]), manifest["kills"]
    known = killed + len(manifest["survivors"])
    sys.stdout.write(f"{count:,} vectors in {options.out}; they kill {killed} of {known} known bugs\n")
    return 0


def _stream(profile: str, options: argparse.Namespace) -> int:
    for line, _ in _questions(profile, options):
        sys.stdout.write(line + "\n")
    return 0


def _folder(profile: str, options: argparse.Namespace) -> int:
    from npquant.testing.adapters.files import write_questions

    if options.tier == "forever":
        raise ValueError("a folder has an end: choose another --tier")
    count = write_questions(options.out, (case for _, case in _questions(profile, options)))
    sys.stdout.write(f"{count:,} questions in {options.out}\n")
    return 0


def _questions(profile: str, options: argparse.Namespace) -> Iterator[tuple[str, Case]]:
    from npquant.profiles import get
    from npquant.testing.stream import questions, stream_capabilities

    record = get(profile)
    can = stream_capabilities(record, options.ops)
    return questions(record, can, options.tier or "standard", options.seed, options.classes)
