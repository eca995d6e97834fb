"""``npquant inspect``: what a network's file holds, layer by layer and part by part."""

from __future__ import annotations

import argparse

from npquant.cli.arguments import add_reading


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe ``npquant inspect`` to commands, what ``add_subparsers`` returned; it gains the command.

    >>> parser = argparse.ArgumentParser()
    >>> add_command(parser.add_subparsers())
    >>> parser.parse_args(["inspect", "deployed.npz"]).file
    'deployed.npz'
    """
    inspect = commands.add_parser(
        "inspect",
        help="say what a file holds: layers, grids, bounds, bytes",
        description="Describe a network: layers, grids, multipliers, accumulator bounds; npquant's own files by part.",
        epilog="Exit code: 0 the file is whole, 2 it is not, or is no network.",
    )
    inspect.add_argument("file", metavar="FILE", help="ONNX, TFLite, Keras, safetensors or npquant's own")
    add_reading(inspect, integer=True)
    inspect.add_argument("--json", action="store_true", help="print JSON instead of tables")
    inspect.set_defaults(command=_execute)


def _execute(options: argparse.Namespace) -> int:
    """Describe the file."""
    from npquant.cli.description import describe
    from npquant.cli.network_tables import network_sections
    from npquant.cli.output import write_json, write_sections

    record = describe(options.file, profile=options.profile, activations=options.activations)
    if options.json:
        write_json(record)
    else:
        write_sections(network_sections(record, options.width))
    return 0
