"""``npquant import``: a network from anybody's file, told layer by layer, and into npquant's own format."""

from __future__ import annotations

import argparse
from typing import Any

from npquant.cli.arguments import add_reading


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe ``npquant import`` in `commands`, what ``add_subparsers`` returned.

    >>> parser = argparse.ArgumentParser()
    >>> add_command(parser.add_subparsers())
    >>> parser.parse_args(["import", "mlp.safetensors", "--activations", "relu,relu"]).activations
    ('relu', 'relu')
    """
    import_file = commands.add_parser(
        "import",
        help="read a network from ONNX, TFLite, Keras or safetensors",
        description="Read a network by what its file holds, whatever its name: layers, activations, scales, zero "
        "points and multipliers, the head behind the logits, and what was folded, ignored or inferred.",
        epilog="Exit code: 0 read (and written), 2 the file is damaged, or says what npquant does not read.",
    )
    import_file.add_argument("file", metavar="FILE", help="ONNX, TFLite, Keras (.keras, .h5), safetensors, npquant's")
    add_reading(import_file, integer=True)
    import_file.add_argument("--out", metavar="FILE", help="write it in npquant's own format, as m.npz or m.npq")
    import_file.add_argument("--json", action="store_true", help="print JSON instead of tables")
    import_file.set_defaults(command=_execute)


def _execute(options: argparse.Namespace) -> int:
    """Read, describe, write."""
    from npquant.cli.description import describe_file
    from npquant.cli.network_tables import network_sections
    from npquant.cli.output import check_out, write_json, write_sections
    from npquant.files.storage import save
    from npquant.interop.reading import read_itemized

    if options.out is not None:
        check_out(options.out, options.file)
    found, parts, n_bytes = read_itemized(options.file, profile=options.profile, activations=options.activations)
    record = {"command": "import", **describe_file(options.file, found, parts, n_bytes), "out": None}
    if options.out is not None:
        save(found.model, options.out, facts=found.facts)
        record["out"] = _written(options.out, record)
    if options.json:
        write_json(record)
    else:
        write_sections([*network_sections(record, options.width), _out_lines(record["out"], options.width)])
    return 0


def _written(out: str, record: dict[str, Any]) -> dict[str, Any]:
    """Describe the file written, and what of the source it cannot hold."""
    import os

    left = [] if record["head"] == "none" else [f"the head {record['head']}"]
    for side in ("inputs", "outputs"):
        if record[f"file_{side}"] is not None:
            left.append(f"the file's own {side[:-1]} codes")
    return {"file": out, "bytes": os.path.getsize(out), "left_out": left}


def _out_lines(out: dict[str, Any] | None, width: int) -> list[str]:
    from npquant.report.text_layout import wrap

    if out is None:
        return []
    left = f"; it holds the network alone, not {' or '.join(out['left_out'])}" if out["left_out"] else ""
    return wrap(f"{out['file']}: {out['bytes']:,} bytes written{left}", "", width)
