"""``npquant prune``: a float network with fewer neurons, and what was removed and why."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from npquant.cli.arguments import add_output, add_rows, rates

if TYPE_CHECKING:
    from npquant.compression.pruning_report import PruningReport

CAUSES = ("zero", "constant", "redundant", "unimportant")


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe ``npquant prune``.

    Parameters
    ----------
    commands : action of argparse
        What ``add_subparsers`` returned; gains the command.

    Examples
    --------
    >>> parser = argparse.ArgumentParser()
    >>> add_command(parser.add_subparsers())
    >>> parser.parse_args(["prune", "float.npz", "--rate", "0.5,0.25", "--out", "pruned.npz"]).rate
    (0.5, 0.25)
    """
    prune = commands.add_parser(
        "prune",
        help="take neurons out of a float network, and say which and why",
        description="Prune a float network on training rows, and compare both on validation rows.",
        epilog="Exit code: 0 done, 1 more accuracy lost than --max-drop allows, 2 usage or bad input, nothing pruned.",
    )
    prune.add_argument("model", metavar="MODEL", help="a float network that npquant saved, such as float.npz")
    how = prune.add_argument_group("how")
    how.add_argument("--rate", metavar="R", type=rates, help="share of neurons to remove, or one a hidden layer")
    how.add_argument(
        "--criterion",
        metavar="C",
        default="obs",
        help="obs, in_l1, in_l2, mean_activation, std_out_l2, taylor or random (default: obs)",
    )
    how.add_argument("--compensation", metavar="C", default="refit", help="refit, fold or bare (default: refit)")
    add_rows(prune)
    add_output(prune, "the smaller float network")
    prune.set_defaults(command=_execute)


def _execute(options: argparse.Namespace) -> int:
    """Prune, save, and say what went."""
    from npquant.cli.before_after import check_max_drop, compare_networks
    from npquant.cli.output import check_out, write_json, write_sections
    from npquant.cli.workpiece import take_up
    from npquant.compression.pruning import prune_neurons_with_report
    from npquant.storage import save

    check_max_drop(options.max_drop)
    check_out(options.out, options.model, options.data)
    piece = take_up(options.model, data=options.data, rows=options.rows, seed=options.seed)
    net, report = prune_neurons_with_report(
        piece.model, piece.x_calibration, options.rate, options.criterion, options.compensation, rng=options.seed
    )
    if report.nothing_pruned:
        raise ValueError(f"nothing was pruned: {report.reason or 'every rate is 0'}")
    save(net, options.out)
    record = {
        "command": "prune",
        "options": {name: getattr(options, name) for name in ("rate", "criterion", "compensation", "rows", "seed")},
        **compare_networks(piece, net, options.out, options.max_drop),
        "layers": _layer_entries(report),
    }
    if options.json:
        write_json(record)
    else:
        write_sections(_sections(record))
    return 0 if record["budget"]["met"] else 1


def _layer_entries(report: PruningReport) -> list[dict[str, Any]]:
    """Describe each hidden layer: neurons by their number before, by cause."""
    return [
        {
            "rate": rate,
            "neurons": len(layer.kept) + layer.removed,
            "removed": {cause: getattr(layer, cause).tolist() for cause in CAUSES},
            "kept": layer.kept.tolist(),
        }
        for rate, layer in zip(report.rates, report.layers, strict=True)
    ]


def _sections(record: dict[str, Any]) -> list[list[str]]:
    """Lay the record out for a terminal."""
    from npquant.cli.before_after import before_after_lines, note_lines, rows_line
    from npquant.workflow.render import table

    options, after = record["options"], record["after"]
    how = f"neurons by {options['criterion']}, compensation {options['compensation']}"
    head = ("layer", "rate", "neurons", *CAUSES, "kept")
    rows = [_row(number, layer) for number, layer in enumerate(record["layers"])]
    return [
        [f"npquant prune   {how}   seed {options['seed']}"],
        [rows_line(record, "look at"), f"  file  {after['file']}: {after['bytes']:,} bytes written"],
        before_after_lines(record),
        ["Removed   by cause: zero and constant ones exactly, redundant ones by merging", *table(head, rows)],
        note_lines(record),
    ]


def _row(number: int, layer: dict[str, Any]) -> tuple[str, ...]:
    causes = (f"{len(layer['removed'][cause]):,}" for cause in CAUSES)
    return (str(number), f"{layer['rate']:g}", f"{layer['neurons']:,}", *causes, f"{len(layer['kept']):,}")
