"""``npquant prune``: a float network with fewer neurons or fewer weights, and what was removed and why."""

from __future__ import annotations

import argparse
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from npquant.cli.arguments import add_output, add_reading, add_rows, pattern, rates
from npquant.cli.progress import ProgressLine

if TYPE_CHECKING:
    from npquant.arrays import Real
    from npquant.cli.starting_network import StartingNetwork
    from npquant.nn.model import FloatMLP

_CAUSES: Final = ("zero", "constant", "redundant", "unimportant")


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe ``npquant prune`` in `commands`, what ``add_subparsers`` returned.

    >>> parser = argparse.ArgumentParser()
    >>> add_command(parser.add_subparsers())
    >>> parser.parse_args(["prune", "float.npz", "--rate", "0.5,0.25", "--out", "pruned.npz"]).rate
    (0.5, 0.25)
    """
    prune = commands.add_parser(
        "prune",
        help="take neurons or weights out of a float network",
        description="Prune a float network on training rows, and compare both on validation rows.",
        epilog="Exit code: 0 done, 1 more lost than --max-drop or --max-rmse-rise allows, 2 usage or bad input, "
        "nothing pruned.",
    )
    prune.add_argument("model", metavar="MODEL", help="a float network: npquant's (float.npz), ONNX, Keras, ...")
    add_reading(prune, integer=False)
    neurons = prune.add_argument_group("neurons, taken out of the arrays")
    neurons.add_argument("--rate", metavar="R", type=rates, help="share to remove, 0 to 0.9, or one a hidden layer")
    weights = prune.add_argument_group("weights, set to 0")
    weights.add_argument("--weights", action="store_true", help="prune weights, not neurons")
    weights.add_argument("--density", metavar="D", type=rates, help="share that stays, above 0 to 1, or one a layer")
    weights.add_argument(
        "--pattern", metavar="N:M", type=pattern, help="N stay of every M inputs of a neuron, as in 2:4"
    )
    how = prune.add_argument_group("how")
    how.add_argument(
        "--criterion", metavar="NAME",
        help="neurons: obs (default), in_l1, in_l2, mean_activation, std_out_l2, taylor or random; "
        "weights: magnitude (default), wanda, obs or random",
    )  # fmt: skip
    how.add_argument(
        "--compensation", metavar="NAME", default="refit", help="refit (default), bare; neurons also layerwise, fold"
    )
    how.add_argument("--allocation", metavar="NAME", default="uniform", help="uniform (default) or global over layers")
    add_rows(prune)
    out = add_output(prune, "the smaller float network")
    out.add_argument("--explain", action="store_true", help="print a line for every neuron that went (--json has them)")
    prune.set_defaults(command=_execute)


def _execute(options: argparse.Namespace) -> int:
    """Prune, save, and say what went."""
    from npquant.cli.before_after import asked_start, compare_networks
    from npquant.cli.output import check_out, print_record
    from npquant.files.storage import save

    _check_target(options)
    check_out(options.out, options.model, options.data)
    start = asked_start(options, options.rows)
    with ProgressLine(f"prune {options.model}"):
        prune = _prune_weights if options.weights else _prune_neurons
        net, layers, said = prune(start, options)
    save(net, options.out, facts=start.facts)
    record = {
        "command": "prune",
        "options": _options(options),
        **compare_networks(start, net, options.out, options.max_drop, options.max_rmse_rise),
        "layers": layers,
    }
    record["notes"] += said
    return print_record(record, partial(_sections, explain=options.explain), options.width, as_json=options.json)


def _check_target(options: argparse.Namespace) -> None:
    """Refuse options of which one would be ignored."""
    shares = [name for name in ("density", "pattern") if getattr(options, name) is not None]
    if options.weights and options.rate is not None:
        raise ValueError("--rate removes neurons and --weights single weights: drop one, or prune twice")
    if options.weights and len(shares) != 1:
        raise ValueError("--weights needs how many stay: give either --density D or --pattern N:M")
    if shares and not options.weights:
        raise ValueError(f"--{shares[0]} is about single weights: add --weights, or give --rate for neurons")
    if options.weights and options.explain:
        raise ValueError("--explain is about neurons: drop it, --weights removes single weights by the criterion alone")
    if not options.weights and options.rate is None:
        raise ValueError("nothing to prune: give --rate R for neurons, or --weights with --density or --pattern")


def _options(options: argparse.Namespace) -> dict[str, Any]:
    """Return what was asked for, defaults resolved."""
    shares = ("density", "pattern") if options.weights else ("rate",)
    asked = {name: getattr(options, name) for name in (*shares, "compensation", "allocation", "rows", "seed")}
    return {"target": "weights" if options.weights else "neurons", "criterion": _criterion(options), **asked}


def _criterion(options: argparse.Namespace) -> str:
    return str(options.criterion or ("magnitude" if options.weights else "obs"))


def _prune_neurons(
    start: StartingNetwork, options: argparse.Namespace
) -> tuple[FloatMLP, list[dict[str, Any]], list[str]]:
    """Remove neurons; describe each hidden layer by the numbers that its neurons had."""
    from npquant.compression.pruning.neurons.pruning import prune_neurons_with_report
    from npquant.workflow.float_model import output_of

    net, report = prune_neurons_with_report(
        start.model, start.x_calibration, options.rate, _criterion(options), options.compensation,
        allocation=options.allocation, output=output_of(start.sets), rng=options.seed,
    )  # fmt: skip
    if report.nothing_pruned:
        raise ValueError(f"nothing was pruned: {report.reason or 'every rate is 0'}")
    layers = [
        {
            "rate": rate,
            "neurons": len(layer.kept) + layer.removed,
            "removed": {cause: getattr(layer, cause).tolist() for cause in _CAUSES},
            "reasons": {neuron: layer.why(neuron) for cause in _CAUSES for neuron in getattr(layer, cause).tolist()},
            "kept": layer.kept.tolist(),
        }
        for rate, layer in zip(report.rates, report.layers, strict=True)
    ]
    return net, layers, _zero_notes(start.model, net, report.refilled)


def _zero_notes(before: FloatMLP, after: FloatMLP, refilled: int) -> list[str]:
    """Say of a sparse network what became of its zeros: those of kept neurons stay, but for the `refilled`."""
    if not any(_is_sparse(layer.w) for layer in before.layers):
        return []
    was, now = (f"{sum(int((layer.w == 0).sum()) for layer in net.layers):,}" for net in (before, after))
    said = f"The network is sparse: {was} of {before.macs:,} weights were 0, {now} of {after.macs:,} are 0 now. "
    if not refilled:
        return [f"{said}Each weight that was 0 and is left stays 0; the others make up for the neurons that went."]
    return [f"{said}Zeros that took over what a redundant neuron said: {refilled:,}; every other one stays."]


def _is_sparse(w: Real) -> bool:
    """Say whether a weight is 0 between an input and a neuron that are both in use; a dead input alone is no hole."""
    return not w[w.any(axis=1)][:, w.any(axis=0)].all()


def _prune_weights(
    start: StartingNetwork, options: argparse.Namespace
) -> tuple[FloatMLP, list[dict[str, Any]], list[str]]:
    """Set weights to 0; describe each layer by counts."""
    from npquant.compression.pruning.weights.one_shot import prune_weights_with_report
    from npquant.measure.cost import nonzero_weights

    # A tuple is a pattern there, and a list one density a layer.
    density = list(options.density) if isinstance(options.density, tuple) else options.density
    net, report = prune_weights_with_report(
        start.model, start.x_calibration, options.pattern or density, _criterion(options), options.compensation,
        allocation=options.allocation, rng=options.seed,
    )  # fmt: skip
    if net is start.model:
        raise ValueError("nothing was pruned: the network is as sparse as that already; lower --density or N of N:M")
    layers = [
        {
            "weights": layer.weights,
            "nonzero_before": before,
            "removed": before - layer.nonzeros,
            "nonzero": layer.nonzeros,
            "error_bare": layer.error_bare,
            "error": layer.error,
        }
        for layer, before in zip(report, nonzero_weights(start.model), strict=True)
    ]
    return net, layers, []


def _sections(record: dict[str, Any], width: int, *, explain: bool) -> list[list[str]]:
    """Lay the record out for a terminal."""
    from npquant.cli.before_after_page import answer_lines, how_lines, network_lines, note_lines

    options, layers = record["options"], record["layers"]
    how = f"npquant prune: {options['target']} by {options['criterion']}, compensation {options['compensation']}"
    went = _weight_lines if options["target"] == "weights" else _neuron_lines
    return [
        answer_lines(record, width),
        [
            *how_lines(record, f"{how}, seed {options['seed']}", "calibration", "look at", width),
            *network_lines(record, width),
        ],
        went(layers, width),
        _reason_lines(layers, width) if explain else [],
        note_lines(record, width),
    ]


def _neuron_lines(layers: list[dict[str, Any]], width: int) -> list[str]:
    from npquant.report.text_layout import table, wrap

    rows = []
    for number, layer in enumerate(layers):
        causes = (f"{len(layer['removed'][cause]):,}" for cause in _CAUSES)
        rows.append((str(number), f"{layer['rate']:g}", f"{layer['neurons']:,}", *causes, f"{len(layer['kept']):,}"))
    title = "Removed, by cause; zero, constant and redundant ones cost nothing"
    head = ("layer", "rate", "neurons", *_CAUSES, "kept")
    return [*wrap(title, "", width), *table(head, rows, width=width)]


def _reason_lines(layers: list[dict[str, Any]], width: int) -> list[str]:
    from npquant.report.text_layout import wrap

    return [
        line
        for number, layer in enumerate(layers)
        for neuron, reason in sorted(layer["reasons"].items())
        for line in wrap(f"layer {number}, neuron {neuron}: {reason}", width=width)
    ]


def _weight_lines(layers: list[dict[str, Any]], width: int) -> list[str]:
    from npquant.report.text_layout import table, wrap

    rows = [
        (
            str(number),
            *(f"{layer[name]:,}" for name in ("weights", "nonzero_before", "removed", "nonzero")),
            f"{100 - 100 * layer['nonzero'] / layer['weights']:.1f}",
            f"{100 * layer['error_bare']:.2f}",
            f"{100 * layer['error']:.2f}",
        )
        for number, layer in enumerate(layers)
    ]
    head = ("layer", "weights", "nonzero before", "removed", "nonzero", "zeros %", "masked %", "error %")
    title = "Removed; error: of the pre-activations, over their variance, merely masked and as compensated"
    return [*wrap(title, "", width), *table(head, rows, width=width)]
