"""``npquant report``: the page of a run, drawn anew from its report.json."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe ``npquant report`` in `commands`, what ``add_subparsers`` returned.

    >>> parser = argparse.ArgumentParser()
    >>> add_command(parser.add_subparsers())
    >>> parser.parse_args(["report", "npquant-out"]).folder
    'npquant-out'
    """
    report = commands.add_parser(
        "report",
        help="draw the page of a run anew: report.html from report.json",
        description="Draw the page of a run, one HTML file that needs no network, from the run's report.json alone.",
        epilog="Exit code: 0 the page is written, 2 there is no report, or it is an earlier version's.",
    )
    report.add_argument("folder", metavar="DIR", help="a run's folder, or its report.json")
    report.add_argument("--out", metavar="FILE", help="the page (default: report.html beside the report)")
    report.add_argument("--json", action="store_true", help="print JSON instead of the answer")
    report.set_defaults(command=_execute)


def _execute(options: argparse.Namespace) -> int:
    """Draw the page and say where it is."""
    from npquant.cli.output import check_out, write_json, write_sections
    from npquant.files.storage import write_atomically
    from npquant.report.page import render_page
    from npquant.report.terminal.answer import answer_lines
    from npquant.report.text_layout import labelled

    source = Path(options.folder)
    source = source / "report.json" if source.is_dir() else source
    out = str(source.with_name("report.html")) if options.out is None else options.out
    check_out(out, str(source))
    report = read_report(source)
    try:
        page = render_page(report).encode("utf-8")
        answer = answer_lines(report, options.width)
    except LookupError as error:
        raise ValueError(f"{source}: is not a whole report, {error} is missing; run npquant run once more") from error
    write_atomically(Path(out), page)
    if options.json:
        write_json(
            {
                "command": "report",
                "report": str(source),
                "file": out,
                "bytes": len(page),
                "met": report["budget"]["met"],
            }
        )
    else:
        write_sections([answer, labelled("page", f"{out}, {len(page):,} bytes", options.width, 12)])
    return 0


def read_report(path: Path) -> dict[str, Any]:
    """Read the report at a path; ValueError if it is none, OSError if it cannot be read; names it."""
    from npquant.report.document import SCHEMA

    try:
        report = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: is no JSON; name the folder of a run, or its report.json") from error
    if not isinstance(report, dict) or report.get("schema") != SCHEMA:
        raise ValueError(f"{path}: is no report of this version ({SCHEMA}); run npquant run once more")
    return report
