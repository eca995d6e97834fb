"""A network's record, as `npquant.cli.description` makes it, laid out for a terminal.

Legend: record the whole of it; layers what it has under that name; width of the page in columns.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from npquant.report.text_layout import chain, joined, labelled, table, wrap

# Outputs whose offset and factor are shown; --json has all.
_MOST_ENDS = 4


def network_sections(record: dict[str, Any], width: int) -> list[list[str]]:
    """Lay a record out: what holds for the whole, a table or three of its layers, its bytes, the notes."""
    tables = _layer_tables(record["kind"], record["layers"], width)
    return [_head(record, width), *tables, _byte_table(record, width), note_lines(record["notes"], width)]


def note_lines(notes: list[str], width: int) -> list[str]:
    """Lay out the `notes` of an import, a bullet each.

    >>> note_lines(["the softmax was split off"], 96)
    ['Notes', '  - the softmax was split off']
    """
    return ["Notes", *(line for note in notes for line in wrap(note, "  - ", width, hang=0))] if notes else []


def _head(record: dict[str, Any], width: int) -> list[str]:
    kind = record["kind"] if record["format"] == "npquant" else f"{record['format']}, {record['kind']}"
    facts = [line for label, text in _facts(record) for line in labelled(label, text, width, 11)]
    return [f"{record['file']}   {kind}, {record['bytes']:,} bytes", "", *facts]


def _facts(record: dict[str, Any]) -> list[tuple[str, str]]:
    """Say what holds for the network as a whole."""
    zeros = 100 - 100 * record["nonzero_weights"] / record["weights"]
    widths = chain((record["inputs"], *(layer["shape"][1] for layer in record["layers"])))
    kind = f" {record['layers'][0]['dtype']}" if record["kind"] == "FloatMLP" else ""
    lines = [
        ("network", f"{widths}, {record['macs']:,} multiply-accumulates a row, {record['executed_macs']:,} executed"),
        ("weights", f"{record['weights']:,}{kind}, {record['nonzero_weights']:,} of them not 0 ({zeros:.1f} % zeros)"),
    ]
    if "profile" in record:
        lines.append(("profile", record["profile"]))
    if "granularity" in record:
        lines.append(("inputs", f"quantized at run time, by the range of each {record['granularity']}"))
    if "input" in record:
        shifted = ", after an offset a feature" if record["input_offset"] else ""
        lines.append(("input", f"{_quantization(record['input'])}{shifted}"))
        lines += _ends(record)
    lines += _door(record) + _data(record["data"])
    return lines if record["head"] == "none" else [*lines, ("head", f"{record['head']}, split off behind the logits")]


def _ends(record: dict[str, Any]) -> list[tuple[str, str]]:
    """Say what real outputs are behind their codes, where a scale alone does not."""
    parts = [("times ", record["output_factor"]), ("plus ", record["output_offset"])]
    said = [
        verb + joined([f"{value:.6g}" for value in end[:_MOST_ENDS]] + ["..."] * (len(end) > _MOST_ENDS))
        for verb, end in parts
        if end is not None
    ]
    return [("output", f"{', '.join(said)}, behind the last layer's codes")] if said else []


def _door(record: dict[str, Any]) -> list[tuple[str, str]]:
    """Say which codes the file itself takes and gives, where they are codes."""
    if "input" not in record:
        return []
    own = {"inputs": record["input"], "outputs": record["layers"][-1]["output_params"]}
    lines = []
    for side, verb in (("inputs", "takes"), ("outputs", "gives")):
        codes = record[f"file_{side}"]
        if codes is not None:
            what = "these codes" if side == "inputs" else "codes of its last layer"
            lines.append(("file", f"{verb} {what if codes == own[side] else _quantization(codes)}"))
    return lines


def _data(known: dict[str, Any] | None) -> list[tuple[str, str]]:
    """Say what the file knows of the data: names of features, classes and label, what is encoded, the hash."""
    if known is None:
        return []
    said = [(key, _names(known[key], letter)) for key, letter in (("features", "x"), ("classes", "")) if key in known]
    said += [("label", printable(known["label"]))] if "label" in known else []
    said += [("encoded", _encoded(known["encoding"]))] if "encoding" in known else []
    said += [("data", f"SHA-256 {known['data_sha256']}")] if "data_sha256" in known else []
    return said


def _names(names: int | list[str], letter: str) -> str:
    """Write names with their number; generic ones as a range."""
    if isinstance(names, int):
        return f"{names:,}: {letter}0 to {letter}{names - 1}, by place"
    return f"{len(names):,}: {', '.join(map(printable, names))}"


def _encoded(encoding: dict[str, Any]) -> str:
    """Say that a table is encoded, and where the rule stands in full."""
    return f"{', '.join(map(printable, encoding))} (in full: --json)"


def printable(text: str) -> str:
    """Escape what of a `text` would move a terminal's cursor; a name may hold anything.

    >>> printable("body\\tweight")
    'body\\\\tweight'
    """
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


def _quantization(entry: dict[str, Any]) -> str:
    """Write a quantization as an equation."""
    low, high = (int(end) for end in entry["zero_point"])
    one = "code" if low == 0 else f"(code {'+' if low < 0 else '-'} {abs(low)})"
    code = one if low == high else f"(code - {low}..{high})"
    return f"real = {_span(entry['scale'], _short)} x {code}, codes {_span(entry['grid'], str)}"


def _layer_tables(kind: str, layers: list[dict[str, Any]], width: int) -> list[list[str]]:
    if kind == "IntegerMLP":
        return [_grid_table(layers, width), _multiplier_table(layers, width), _sum_table(layers, width)]
    return _dynamic_tables(layers, width) if kind == "DynamicMLP" else [_float_table(layers, width)]


def _float_table(layers: list[dict[str, Any]], width: int) -> list[str]:
    head = ("layer", "shape", "activation", "weights", "bias", "MACs", "nonzero", "zeros %", "pattern")
    rows = [
        (str(number), _shape(layer), layer["activation"], *_intervals(layer), *_counts(layer))
        for number, layer in enumerate(layers)
    ]
    return ["Layers", *table(head, rows, text_columns=3, width=width)]


def _dynamic_tables(layers: list[dict[str, Any]], width: int) -> list[list[str]]:
    head = ("layer", "shape", "activation", "bits", "codes", "weight scales", "bias", "input bits")
    rows, sums = [], []
    for number, layer in enumerate(layers):
        w, made = layer["weight_params"], layer["accumulator"]
        codes = (_span(w["grid"], str), _span(w["scale"], _short), _span(layer["bias"], "{:.2g}".format))
        grid = (layer["activation"], str(layer["bits"]), *codes, str(layer["input_bits"]))
        rows.append((str(number), _shape(layer), *grid))
        sums.append((str(number), *_counts(layer), str(made["bits"]), str(made["headroom_bits"])))
    sum_head = ("layer", "MACs", "nonzero", "zeros %", "pattern", "accumulator bits", "headroom bits")
    return [["Grids", *table(head, rows, text_columns=3, width=width)], ["Sums", *table(sum_head, sums, width=width)]]


def _grid_table(layers: list[dict[str, Any]], width: int) -> list[str]:
    head = ("layer", "shape", "activation", "bits", "codes", "weight scales", "outputs", "scale", "zero")
    rows = [
        (str(number), _shape(layer), layer["activation"], str(layer["bits"]), *_grids(layer))
        for number, layer in enumerate(layers)
    ]
    return ["Grids", *table(head, rows, text_columns=3, width=width)]


def _grids(layer: dict[str, Any]) -> tuple[str, ...]:
    w, y = layer["weight_params"], layer["output_params"]
    weights = (_span(w["grid"], str), _span(w["scale"], _short))
    if y is None:
        return (*weights, "int32 sums", "-", "-")
    return (*weights, _span(y["grid"], str), _span(y["scale"], _short), _span(y["zero_point"], str))


def _multiplier_table(layers: list[dict[str, Any]], width: int) -> list[str]:
    """Lay out what takes an accumulator to a code: its real value, and m and e of m 2^(e-31) where the engine has them.

    An interval stands for one value an output.
    """
    head = ("layer", "sx", "zx", "scales sw", "zw", "multiplier", "m", "e")
    rows = []
    for number, layer in enumerate(layers):
        x, w, made = layer["input_params"], layer["weight_params"], layer["multiplier"]
        read = (str(number), _span(x["scale"], "{:.6g}".format), _span(x["zero_point"], str))
        left = (*read, f"{w['scales']:,}", _span(w["zero_point"], str))
        if made is None:
            rows.append((*left, "-", "-", "-"))
            continue
        fixed = ("-", "-") if made["shift"] is None else (_extent(made["multiplier"], str), _extent(made["shift"], str))
        rows.append((*left, _extent(made["real"], "{:.5g}".format), *fixed))
    return [
        *wrap("Multipliers, sx sw / sy: from accumulator to output steps; where in integers, m 2^(e-31)", "", width),
        *table(head, rows, width=width),
    ]


def _sum_table(layers: list[dict[str, Any]], width: int) -> list[str]:
    rows = [
        (str(number), layer["kernel"], *_counts(layer), *_bounds(layer["accumulator"]))
        for number, layer in enumerate(layers)
    ]
    head = ("layer", "kernel", "MACs", "nonzero", "zeros %", "pattern", "accumulator", "bits", "headroom bits")
    return [
        *wrap(f"Sums: accumulators over all inputs, and the bits of {_types(layers)} that they never use", "", width),
        *table(head, rows, text_columns=2, width=width),
    ]


def _types(layers: list[dict[str, Any]]) -> str:
    """Name the types of the accumulators."""
    widths = {layer["accumulator"]["bits"] + layer["accumulator"]["headroom_bits"] for layer in layers}
    return " or ".join(f"int{width}" for width in sorted(widths))


def _byte_table(record: dict[str, Any], width: int) -> list[str]:
    """Lay the file's bytes out: a line a layer, a column a kind of part, then what belongs to no layer."""
    parts = record["parts"]
    if not parts:
        return []
    names = list(dict.fromkeys(part["name"] for part in parts if part["layer"] is not None))
    rows = [_layer_bytes(number, names, parts) for number in range(len(record["layers"]))]
    blank = [""] * len(names)
    rows += [(part["name"], part["encoding"], *blank, f"{part['bytes']:,}") for part in parts if part["layer"] is None]
    rows.append(("file", "", *blank, f"{record['bytes']:,}"))
    return [
        "Bytes, by what each is for",
        *table(("layer", "encoding", *names, "sum"), rows, text_columns=2, width=width),
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


def _bounds(accumulator: dict[str, Any]) -> tuple[str, str, str]:
    ends = accumulator["low"], accumulator["high"]
    return _span(ends, "{:,}".format), str(accumulator["bits"]), str(accumulator["headroom_bits"])


def _shape(layer: dict[str, Any]) -> str:
    return "x".join(map(str, layer["shape"]))


def _extent(values: list[Any], write: Callable[[Any], str]) -> str:
    return _span((min(values), max(values)), write)


def _span(ends: tuple[Any, Any], write: Callable[[Any], str]) -> str:
    """Write an interval, or its one value."""
    low, high = (write(end) for end in ends)
    return low if low == high else f"{low}..{high}"


def _short(value: Any) -> str:
    return f"{value:.3g}"
