"""``npquant quantize``: a float network to an integer one, by one method."""

from __future__ import annotations

import argparse
import math
from typing import TYPE_CHECKING, Any, Final

from npquant.cli.arguments import activation_bits, add_inputs, add_output, add_reading, add_rows, by_layer, weight_bits
from npquant.cli.methods import METHODS, check_method, method_name, quantize_by_name
from npquant.cli.progress import ProgressLine

if TYPE_CHECKING:
    from npquant.cli.starting_network import StartingNetwork
    from npquant.compression.chain.layer_report import LayerReport
    from npquant.integer.mlp import IntegerMLP

ENCODINGS: Final = ("auto", "dense", "bitmask", "relative", "arithmetic")
_ASKED: Final = (
    "method",
    "bits",
    "activation_bits",
    "keep_zeros",
    "polish",
    "inputs",
    "rows",
    "encoding",
    "reorder",
    "seed",
)


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe ``npquant quantize`` in `commands`, what ``add_subparsers`` returned.

    >>> parser = argparse.ArgumentParser()
    >>> add_command(parser.add_subparsers())
    >>> options = parser.parse_args(["quantize", "float.npz", "--bits", "8,ternary,4", "--out", "net.npz"])
    >>> options.method, options.bits
    ('rectified', (8, 'ternary', 4))
    """
    quantize = commands.add_parser(
        "quantize",
        help="turn a float network into integers, by one method",
        description="Quantize a float network on training rows, and compare both on validation rows.",
        epilog="Exit code: 0 done, 1 more lost than --max-drop or --max-rmse-rise allows, 2 usage or bad input.",
    )
    quantize.add_argument("model", metavar="MODEL", help="a float network: npquant's (float.npz), ONNX, Keras, ...")
    add_reading(quantize, integer=False)
    how = quantize.add_argument_group("how")
    how.add_argument(
        "--method", metavar="NAME", type=method_name, choices=METHODS, default="rectified",
        help=f"what chooses the codes: {', '.join(METHODS)}; auto tries several and "
        "takes the best on rows that none of them saw (default: rectified)",
    )  # fmt: skip
    how.add_argument(
        "--bits", metavar="B", type=weight_bits, default=4,
        help="of the weights: 2 to 8 or ternary, or one a layer, as in 8,4,4 (default: 4)",
    )  # fmt: skip
    how.add_argument(
        "--activation-bits", metavar="A", type=activation_bits, default=8,
        help="of the hidden outputs: 2 to 8, or 16, as then inputs and logits; or one a hidden layer (default: 8)",
    )  # fmt: skip
    how.add_argument(
        "--keep-zeros", action="store_true", help="let no weight that is 0 come back (after pruning weights)"
    )
    how.add_argument(
        "--polish", metavar="N", type=int, help="steps that fit scales and biases at the end (rectified only)"
    )
    add_inputs(how)
    add_rows(quantize)
    out = add_output(
        quantize, "the integer network: NAME.npz is a zip around the container, NAME.npq the container alone"
    )
    out.add_argument(
        "--encoding", metavar="NAME", choices=ENCODINGS, default="auto",
        help=f"of the weights in the file: {', '.join(ENCODINGS)} (default: auto, the shortest for each layer)",
    )  # fmt: skip
    out.add_argument("--reorder", action="store_true", help="order hidden neurons for a shorter file; outputs stay")
    quantize.set_defaults(command=_execute)


def _execute(options: argparse.Namespace) -> int:
    """Quantize, save, and say what it cost."""
    from npquant.cli.before_after import asked_start, compare_networks
    from npquant.cli.output import check_out, print_record
    from npquant.compression.chain.input_choice import inputs_notes
    from npquant.compression.neuron_order import reorder_neurons
    from npquant.files.storage import save

    check_method(options)
    check_out(options.out, options.model, options.data)
    start = asked_start(options, options.rows)
    with ProgressLine(f"quantize {options.model} by {options.method}"):
        made = quantize_by_name(start, options)
    net, reports = made
    # What is said of the layers is said in the float network's order.
    stored = reorder_neurons(net) if options.reorder else net
    save(stored, options.out, options.encoding, facts=start.facts)
    record = {
        "command": "quantize",
        "options": {name: getattr(options, name) for name in _ASKED},
        **compare_networks(start, stored, options.out, options.max_drop, options.max_rmse_rise),
        "choice": None if made.choice is None else made.choice.to_json(),
        "inputs": net.inputs_kind,
        "layers": _layer_entries(start, net, reports),
    }
    record["notes"] += [*_zero_notes(start, net), *inputs_notes(start.x_calibration, net.inputs_kind)]
    return print_record(record, _sections, options.width, as_json=options.json)


def _zero_notes(start: StartingNetwork, net: IntegerMLP) -> list[str]:
    """Say how many zeros came back: methods that carry errors on put them into zeros, too."""
    from npquant.measure.cost import filled_zeros

    back = filled_zeros(start.model, net)
    return [f"{back:,} weights that were 0 are 0 no longer; --keep-zeros keeps them."] if back else []


def _layer_entries(start: StartingNetwork, net: IntegerMLP, reports: tuple[LayerReport, ...]) -> list[dict[str, Any]]:
    """Describe what became of each layer."""
    from npquant.measure.cost import nonzero_weights, weight_widths
    from npquant.measure.evaluate import Reference, layer_sqnr, with_outputs_sqnr

    reference = Reference.of(start.floating, *start.sets.validation)
    ratios = layer_sqnr(start.floating, net, reference.x)
    ratios = with_outputs_sqnr(ratios, reference.answers, reference.evaluate(net))
    entries: list[dict[str, Any]] = [
        {"shape": layer.shape, "bits": width, "nonzero_weights": nonzero, "sqnr_db": ratio}
        for layer, width, nonzero, ratio in zip(
            net.layers, weight_widths(net), nonzero_weights(net), ratios, strict=True
        )
    ]
    for entry, report in zip(entries, reports, strict=False):
        entry["rounding_error"] = {
            "rectified": report.phi,
            "nearest": report.phi_uniform,
            "bound": report.bound,
            "real_weights": report.real,
            "share_of_bound": report.share_of_bound,
            "neurons_nearest": report.neurons_nearest,
        }
    return entries


def _sections(record: dict[str, Any], width: int) -> list[list[str]]:
    """Lay the record out for a terminal."""
    from npquant.cli.before_after_page import answer_lines, how_lines, network_lines, note_lines
    from npquant.report.text_layout import joined

    options = record["options"]
    weights, outputs = joined(record["after"]["bits"]), joined(by_layer(options["activation_bits"]))
    method = options["method"] if record["choice"] is None else f"auto took {record['choice']['taken']}"
    how = f"npquant quantize: {method}, weight bits {weights}, activation bits {outputs}"
    how += ", zeros kept" if options["keep_zeros"] else ""
    how += f", polish {options['polish']}" if options["polish"] else ""
    part = "train" if options["method"] == "on_grid" else "calibration"
    return [
        answer_lines(record, width),
        [
            *how_lines(record, f"{how}, seed {options['seed']}", part, "look at", width),
            *_choice_lines(record["choice"], width),
            *network_lines(record, width),
        ],
        _layer_lines(record["layers"], width),
        note_lines(record, width),
    ]


def _choice_lines(choice: dict[str, Any] | None, width: int) -> list[str]:
    """Say what decided between the methods, if it was not the user."""
    from npquant.report.text_layout import wrap

    return [] if choice is None else wrap(f"the method by {choice['reason']}", width=width)


def _layer_lines(layers: list[dict[str, Any]], width: int) -> list[str]:
    """Lay out the layers: for the rectified method with its bound beside the error."""
    from npquant.report.text_layout import table, wrap

    head = ["layer", "shape", "bits", "zeros %", "SQNR dB"]
    rows = [
        [
            str(number),
            "x".join(map(str, layer["shape"])),
            str(layer["bits"]),
            f"{100 - 100 * layer['nonzero_weights'] / math.prod(layer['shape']):.1f}",
            "exact" if layer["sqnr_db"] == math.inf else f"{layer['sqnr_db']:.1f}",
        ]
        for number, layer in enumerate(layers)
    ]
    if "rounding_error" not in layers[0]:
        return ["Layers", *table(head, rows, text_columns=2, width=width)]
    head += ["real", "codes", "nearest", "bound", "of bound %"]
    for row, layer in zip(rows, layers, strict=True):
        error = layer["rounding_error"]
        # What the solver leaves of nothing is nothing.
        real = error["real_weights"] if error["real_weights"] > 1e-12 * error["bound"] else 0.0
        row += [f"{value:.4g}" for value in (real, error["rectified"], error["nearest"], error["bound"])]
        row.append(f"{100 * error['share_of_bound']:.1f}")
    title = "Layers: the error (E6) that real weights, the codes and nearest rounding leave, and its bound (E13)"
    return [*wrap(title, "", width), *table(head, rows, text_columns=2, width=width)]
