"""`verify`: judge answers that were worked out elsewhere, from a folder or from a stream.

Legend: commands where subcommands are added; options what was parsed.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from shutil import copyfile
from typing import TYPE_CHECKING, Any

from npquant.testing.commands.arguments import add_questions, names, needed_profile

if TYPE_CHECKING:
    from npquant.testing.verdict import Verdict


def add_command(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser("verify", help="judge the answers to generated questions")
    parser.add_argument("folder", nargs="?", metavar="FOLDER", help="that generate wrote")
    parser.add_argument("outputs", nargs="?", metavar="OUTPUTS", help="the answers (pipe form: FOLDER/answers.txt)")
    add_questions(parser)
    parser.add_argument("--stream", action="store_true", help="read answers, one a line; options as for generate")
    parser.add_argument("--ops", metavar="A,B", type=names, default=("linear",), help="linear, quantize (a stream's)")
    parser.add_argument("--report", metavar="FILE", help="write the verdict as JSON")
    parser.add_argument("--junit", metavar="FILE", help="write it as JUnit's XML")
    parser.set_defaults(command=execute)


def execute(options: argparse.Namespace) -> int:
    """Judge, print, write; return the exit code."""
    from npquant.testing.adapters.folder import QUESTIONS
    from npquant.testing.commands.documents import write_document, write_junit
    from npquant.testing.commands.output import verdict_lines

    if options.stream == (options.folder is not None):
        raise ValueError("give the folder that generate wrote, or --stream")
    if options.folder is not None and not (Path(options.folder) / QUESTIONS).exists():
        return _golden(options)
    verdict = _stream(options) if options.stream else _folder(options)
    sys.stdout.write("\n".join(verdict_lines(verdict, {})) + "\n")
    if options.report is not None:
        write_document(options.report, verdict, {})
    if options.junit is not None:
        write_junit(options.junit, verdict, {})
    return verdict.exit_code


def _golden(options: argparse.Namespace) -> int:
    from npquant.testing.commands.output import folded
    from npquant.testing.vectors.verification import verify

    if options.outputs is None:
        raise ValueError("give the file of the outputs behind the folder")
    if options.report is not None or options.junit is not None:
        raise ValueError("golden vectors are judged one by one: leave --report and --junit away")
    found = verify(options.folder, options.outputs)
    sys.stdout.write("\n".join(folded(found.text())) + "\n")
    return found.exit_code


def _stream(options: argparse.Namespace) -> Verdict:
    from npquant.testing.stream import verify_stream

    profile = needed_profile(options)
    return verify_stream(sys.stdin, profile, options.tier, options.seed, options.classes, options.ops)


def _folder(options: argparse.Namespace) -> Verdict:
    from npquant.testing.adapters.folder import ARRAYS, TEXT
    from npquant.testing.offline import verify_offline

    if options.outputs is not None:
        suffix = Path(options.outputs).suffix
        kept = Path(options.folder) / (ARRAYS if suffix == ".npz" else TEXT)
        if Path(options.outputs).resolve() != kept.resolve():
            copyfile(options.outputs, kept)
    return verify_offline(options.folder)
