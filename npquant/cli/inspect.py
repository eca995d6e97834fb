"""``npquant inspect``: what a network's file holds, layer by layer and part by part."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final


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
        description="Describe a network that npquant saved: layers, grids, accumulator bounds, and its bytes by part.",
        epilog="Exit code: 0 the file is whole, 2 it is not, or is no network.",
    )
    inspect.add_argument("file", metavar="FILE", help="a float or quantized network that npquant saved")
    inspect.add_argument("--json", action="store_true", help="print JSON instead of tables")
    inspect.set_defaults(command=_execute)


def _execute(options: argparse.Namespace) -> int:
    """Describe the file."""
    from npquant.cli.description import describe
    from npquant.cli.output import write_json, write_sections

    record: dict[str, Any] = describe(options.file)
    if options.json:
        write_json(record)
    else:
        write_sections(_sections(record))
    return 0


def _sections(record: dict[str, Any]) -> list[list[str]]:
    """Lay the record out for a terminal."""
    head = [f"{record['file']}   {record['kind']}, {record['bytes']:,} bytes", "", *_facts(record)]
    tables = _TABLES[record["kind"]](record["layers"])
    return [head, *tables, _byte_table(record)]


def _facts(record: dict[str, Any]) -> list[str]:
    """Say what holds for the network as a whole."""
    zeros = 100 - 100 * record["nonzero_weights"] / record["weights"]
    widths = "-".join(map(str, (record["inputs"], *(layer["shape"][1] for layer in record["layers"]))))
    kind = f" {record['layers'][0]['dtype']}" if record["kind"] == "FloatMLP" else ""
    lines = [
        f"  network  {widths}, {record['macs']:,} multiply-accumulates a row, {record['executed_macs']:,} executed",
        f"  weights  {record['weights']:,}{kind}, {record['nonzero_weights']:,} of them not 0 ({zeros:.1f} % zeros)",
    ]
    if "profile" in record:
        lines.append(f"  profile  {record['profile']}")
    if "granularity" in record:
        lines.append(f"  inputs   quantized at run time, by the range of each {record['granularity']}")
    if "input" in record:
        entry = record["input"]
        shifted = ", after an offset a feature" if record["input_offset"] else ""
        lines.append(f"  input    {_quantization(entry)}{shifted}")
    return lines


def _quantization(entry: dict[str, Any]) -> str:
    """Write a quantization as an equation."""
    low, high = (int(end) for end in entry["zero_point"])
    one = "code" if low == 0 else f"(code {'+' if low < 0 else '-'} {abs(low)})"
    code = one if low == high else f"(code - {low}..{high})"
    return f"real = {_span(entry['scale'], _short)} x {code}, codes {_span(entry['grid'], str)}"


def _float_tables(layers: list[dict[str, Any]]) -> list[list[str]]:
    from npquant.report.text_layout import table

    head = ("layer", "shape", "activation", "weights", "bias", "MACs", "nonzero", "zeros %", "pattern")
    rows = [
        (str(number), _shape(layer), layer["activation"], *_intervals(layer), *_counts(layer))
        for number, layer in enumerate(layers)
    ]
    return [["Layers", *table(head, rows, text_columns=3)]]


def _dynamic_tables(layers: list[dict[str, Any]]) -> list[list[str]]:
    from npquant.report.text_layout import table

    grid_head = ("layer", "shape", "activation", "bits", "codes", "weight scales", "bias", "input bits")
    head = (*grid_head, "MACs", "nonzero", "zeros %", "pattern", "accumulator bits", "headroom bits")
    rows = [
        (
            *(str(number), _shape(layer), layer["activation"], str(layer["bits"]), *_weight_grid(layer)),
            *(_span(layer["bias"], "{:.2g}".format), str(layer["input_bits"]), *_counts(layer)),
            *(str(layer["accumulator"][name]) for name in ("bits", "headroom_bits")),
        )
        for number, layer in enumerate(layers)
    ]
    return [["Layers", *table(head, rows, text_columns=3)]]


def _integer_tables(layers: list[dict[str, Any]]) -> list[list[str]]:
    from npquant.report.text_layout import table

    grids = [
        (str(number), _shape(layer), layer["activation"], str(layer["bits"]), *_grids(layer))
        for number, layer in enumerate(layers)
    ]
    sums = [
        (str(number), layer["kernel"], *_counts(layer), *_bounds(layer["accumulator"]))
        for number, layer in enumerate(layers)
    ]
    grid_head = ("layer", "shape", "activation", "bits", "codes", "weight scales", "outputs", "scale", "zero point")
    sum_head = ("layer", "kernel", "MACs", "nonzero", "zeros %", "pattern", "accumulator", "bits", "headroom bits")
    return [
        ["Grids", *table(grid_head, grids, text_columns=3)],
        [
            f"Sums   accumulators over all inputs, and the bits of {_types(layers)} that they never use",
            *table(sum_head, sums, text_columns=2),
        ],
    ]


def _types(layers: list[dict[str, Any]]) -> str:
    """Name the types of the accumulators."""
    widths = {layer["accumulator"]["bits"] + layer["accumulator"]["headroom_bits"] for layer in layers}
    return " or ".join(f"int{width}" for width in sorted(widths))


def _byte_table(record: dict[str, Any]) -> list[str]:
    """Lay the file's bytes out: a line a layer, a column a kind of part, then what belongs to no layer."""
    from npquant.report.text_layout import table

    parts = record["parts"]
    names = list(dict.fromkeys(part["name"] for part in parts if part["layer"] is not None))
    rows = [_layer_bytes(number, names, parts) for number in range(len(record["layers"]))]
    blank = [""] * len(names)
    rows += [(part["name"], part["encoding"], *blank, f"{part['bytes']:,}") for part in parts if part["layer"] is None]
    rows.append(("file", "", *blank, f"{record['bytes']:,}"))
    return [
        "Bytes   each of the file's, by what it is for",
        *table(("layer", "encoding", *names, "sum"), rows, text_columns=2),
    ]


def _layer_bytes(number: int, names: list[str], parts: list[dict[str, Any]]) -> tuple[str, ...]:
    own = [part for part in parts if part["layer"] == number]
    encoding = "/".join(dict.fromkeys(part["encoding"] for part in own if part["name"] == "weights"))
    sums = [sum(part["bytes"] for part in own if part["name"] == name) for name in names]
    return (str(number), encoding, *(f"{size:,}" for size in sums), f"{sum(sums):,}")


def _intervals(layer: dict[str, Any]) -> tuple[str, str]:
    return _span(layer["weights"], "{:.2g}".format), _span(layer["bias"], "{:.2g}".format)


def _counts(layer: dict[str, Any]) -> tuple[str, ...]:
    pattern = f"{layer['most_of_four']}:4" if layer["most_of_four"] < 4 else "-"
    return f"{layer['macs']:,}", f"{layer['nonzero_weights']:,}", f"{100 * layer['sparsity']:.1f}", pattern


def _grids(layer: dict[str, Any]) -> tuple[str, ...]:
    y = layer["output_params"]
    if y is None:
        return (*_weight_grid(layer), "accumulators", "-", "-")
    return (*_weight_grid(layer), _span(y["grid"], str), _span(y["scale"], _short), _span(y["zero_point"], str))


def _weight_grid(layer: dict[str, Any]) -> tuple[str, str]:
    w = layer["weight_params"]
    return _span(w["grid"], str), _span(w["scale"], _short)


def _bounds(accumulator: dict[str, Any]) -> tuple[str, str, str]:
    ends = accumulator["low"], accumulator["high"]
    return _span(ends, "{:,}".format), str(accumulator["bits"]), str(accumulator["headroom_bits"])


def _shape(layer: dict[str, Any]) -> str:
    return "x".join(map(str, layer["shape"]))


def _span(ends: tuple[Any, Any], write: Callable[[Any], str]) -> str:
    """Write an interval, or its one value."""
    low, high = (write(end) for end in ends)
    return low if low == high else f"{low}..{high}"


def _short(value: Any) -> str:
    return f"{value:.3g}"


_TABLES: Final[Mapping[str, Callable[[list[dict[str, Any]]], list[list[str]]]]] = MappingProxyType(
    {"FloatMLP": _float_tables, "IntegerMLP": _integer_tables, "DynamicMLP": _dynamic_tables}
)
