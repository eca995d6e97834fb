"""``npquant diff``: where two profiles, or every two of several, part on an integer network."""

from __future__ import annotations

import argparse
import sys
from itertools import combinations
from typing import TYPE_CHECKING, Any

from npquant.cli.arguments import add_data, add_reading, names

if TYPE_CHECKING:
    from npquant.testing.divergence import Divergence


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe ``npquant diff`` in `commands`, what ``add_subparsers`` returned.

    >>> parser = argparse.ArgumentParser()
    >>> add_command(parser.add_subparsers())
    >>> parser.parse_args(["diff", "net.tflite", "--profiles", "litert_ref_2025,xnnpack_fp32"]).profiles
    ('litert_ref_2025', 'xnnpack_fp32')
    """
    diff = commands.add_parser(
        "diff",
        help="say where profiles part on an integer network",
        description="Run an integer network under two profiles: counts by layer, and the first difference in full; "
        "under several, every two of them, with a table of the pairs above.",
        epilog="Exit code: 0 no output differs, 1 some do, 2 usage or bad input.",
    )
    diff.add_argument("model", metavar="MODEL", help="an integer network: npquant's, TFLite or ONNX")
    diff.add_argument("--a", metavar="NAME", help="one profile")
    diff.add_argument("--b", metavar="NAME", help="the other profile")
    diff.add_argument("--profiles", metavar="NAMES", type=names, help="two or more instead, between commas")
    add_data(
        diff,
        "the bundled digits for npquant's files of 64 inputs, else 1,000 rows of codes drawn evenly",
        "; with labels or without; x_q in an npz holds codes",
    )
    diff.add_argument("--codes", action="store_true", help="the numbers of --data are codes of the network's input")
    diff.add_argument("--seed", metavar="N", type=int, default=0, help="of the rows drawn (default: 0)")
    add_reading(diff, integer=False)
    diff.add_argument("--json", action="store_true", help="print the comparison as JSON")
    diff.set_defaults(command=_execute)


def _execute(options: argparse.Namespace) -> int:
    """Compare the profiles on a network."""
    from npquant.cli.output import write_json
    from npquant.cli.rows_to_run import rows_to_run
    from npquant.integer.mlp import IntegerMLP
    from npquant.interop.reading import read
    from npquant.nn.model import FloatMLP
    from npquant.report.text_layout import wrap
    from npquant.testing.divergence import compare_profiles, divergence_as_json, render_divergence

    profiles = _profiles(options)
    found = read(options.model, activations=options.activations)
    model = found.model
    if not isinstance(model, IntegerMLP):
        kind = "float" if isinstance(model, FloatMLP) else "dynamic"
        raise ValueError(f"{options.model} holds a {kind} network; quantize it first: profiles differ on integers")
    own = found.format == "npquant"
    rows = rows_to_run(
        model, options.data, options.seed, own=own, as_codes=options.codes, facts=found.facts, file=options.model,
        target=options.target, missing=options.missing,
    )  # fmt: skip
    pairs = [compare_profiles(model, rows.x, a, b, codes=rows.codes) for a, b in combinations(profiles, 2)]
    records = [divergence_as_json(pair) for pair in pairs]
    if options.json and options.profiles is None:
        write_json({**records[0], "notes": list(rows.notes)} if rows.notes else records[0])
    elif options.json:
        write_json(
            {"command": "diff", "file": options.model, "rows": rows.words, "notes": list(rows.notes), "pairs": records}
        )
    else:
        above = [] if len(pairs) == 1 else [*_pair_lines(options.model, rows.words, pairs, options.width), ""]
        below = "".join("\n".join(["", *wrap(note, width=options.width), ""]) for note in rows.notes)
        sys.stdout.write("\n".join([*above, *(render_divergence(pair) for pair in pairs)]) + below)
    return 1 if any(pair.first is not None or pair.end_to_end for pair in pairs) else 0


def _profiles(options: argparse.Namespace) -> tuple[str, ...]:
    """Return the profiles asked for, two or more."""
    pair = (options.a, options.b)
    if options.profiles is not None:
        if pair != (None, None):
            raise ValueError("--profiles names all of them: drop --a and --b")
        if len(set(options.profiles)) < 2:
            raise ValueError("--profiles needs two or more different names, as in --profiles litert_ref_2025,xnnpack")
        return tuple(options.profiles)
    if None in pair:
        raise ValueError("name two profiles: --a NAME --b NAME, or --profiles NAME,NAME")
    return pair


def _pair_lines(model: str, rows: str, pairs: list[Divergence], width: int) -> list[str]:
    """Lay out a line a pair: how far apart the answers of one network are."""
    from npquant.report.text_layout import table

    cells: list[tuple[Any, ...]] = [
        (
            pair.a,
            pair.b,
            f"{pair.end_to_end:,}",
            f"{100 * pair.end_to_end / max(pair.outputs[-1], 1):.2f}",
            f"{pair.largest}",
            f"{pair.predictions:,}",
        )
        for pair in pairs
    ]
    head = ("a", "b", "outputs differ", "%", "by up to", "predictions differ")
    return [f"{model} on {rows}", "", *table(head, cells, text_columns=2, width=width)]
