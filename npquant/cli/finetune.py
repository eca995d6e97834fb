"""``npquant finetune``: a float network trained further; weights that are 0 stay 0."""

from __future__ import annotations

import argparse
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from npquant.cli.arguments import activation_bits, add_data, add_output, add_reading, by_layer, weight_bits
from npquant.cli.progress import ProgressLine

if TYPE_CHECKING:
    from npquant.cli.starting_network import StartingNetwork
    from npquant.nn.model import FloatMLP
    from npquant.nn.settings import Epoch

_ASKED: Final = (
    "epochs", "learning_rate", "batch_size", "weight_decay", "teacher", "teacher_share", "temperature", "density",
    "bits", "activation_bits", "seed",
)  # fmt: skip

# At a temperature of 1 the network comes as near to the teacher's probabilities as it can; above it, to softer ones.
_TEACHING: Final = MappingProxyType({"teacher_share": 0.7, "temperature": 1.0})


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe ``npquant finetune`` in `commands`, what ``add_subparsers`` returned.

    >>> parser = argparse.ArgumentParser()
    >>> add_command(parser.add_subparsers())
    >>> parser.parse_args(["finetune", "pruned.npz", "--teacher", "float.npz", "--out", "tuned.npz"]).epochs
    5
    """
    finetune = commands.add_parser(
        "finetune",
        help="train a float network further; zeros stay zero",
        description="Fine-tune a float network on training rows, and compare both on validation rows.",
        epilog="Exit code: 0 done, 1 more lost than --max-drop or --max-rmse-rise allows, 2 usage or bad input.",
    )
    finetune.add_argument("model", metavar="MODEL", help="a float network: npquant's (pruned.npz), ONNX, Keras, ...")
    add_reading(finetune, integer=False)
    how = finetune.add_argument_group("how")
    how.add_argument("--epochs", metavar="N", type=int, default=5, help="passes over the training rows (default: 5)")
    how.add_argument("--learning-rate", metavar="R", type=float, default=1e-3, help="of Adam (default: 0.001)")
    how.add_argument("--batch-size", metavar="N", type=int, default=64, help="rows of a step (default: 64)")
    how.add_argument("--weight-decay", metavar="D", type=float, default=0.0, help="taken off a step (default: 0)")
    teacher = finetune.add_argument_group("what else to learn from")
    teacher.add_argument("--teacher", metavar="FILE", help="a float network to imitate besides the labels")
    teacher.add_argument(
        "--teacher-share", metavar="S", type=float, help="its weight against the labels (default: 0.7)"
    )
    teacher.add_argument("--temperature", metavar="T", type=float, help="divides its logits (default: 1)")
    sparse = finetune.add_argument_group("what to give up")
    sparse.add_argument("--density", metavar="D", type=float, help="share of the weights left in the end, above 0 to 1")
    grid = finetune.add_argument_group("what to train through")
    grid.add_argument(
        "--bits", metavar="B", type=weight_bits,
        help="a grid for the weights: 2 to 8 or ternary, or one a layer; quantize it by --method on_grid",
    )  # fmt: skip
    grid.add_argument("--activation-bits", metavar="A", type=activation_bits, help="one for the hidden outputs, too")
    rows = finetune.add_argument_group("rows")
    add_data(rows, "the bundled digits")
    rows.add_argument("--seed", metavar="N", type=int, default=0, help="chooses the split and all else (default: 0)")
    add_output(finetune, "the float network")
    finetune.set_defaults(command=_execute)


def _execute(options: argparse.Namespace) -> int:
    """Fine-tune, save, and say what changed."""
    from npquant.cli.before_after import asked_start, compare_networks
    from npquant.cli.output import check_out, print_record
    from npquant.cli.starting_network import load_float
    from npquant.files.storage import save

    _complete(options)
    check_out(options.out, options.model, options.teacher, options.data)
    start = asked_start(options, None)
    teacher = None if options.teacher is None else load_float(options.teacher, options.activations)
    net, losses = _finetune(start, teacher, options)
    save(net, options.out, facts=start.facts)
    record = {
        "command": "finetune",
        "options": {name: getattr(options, name) for name in _ASKED},
        **compare_networks(start, net, options.out, options.max_drop, options.max_rmse_rise),
        "losses": losses,
        "teacher": None
        if teacher is None
        else [_compare_with(teacher, start, student) for student in (start.model, net)],
    }
    return print_record(record, _sections, options.width, as_json=options.json)


def _complete(options: argparse.Namespace) -> None:
    """Refuse settings of what is not there, and fill in those of a teacher that were not given."""
    for name, default in _TEACHING.items():
        if getattr(options, name) is None:
            setattr(options, name, default)
        elif options.teacher is None:
            raise ValueError(f"--{name.replace('_', '-')} is about a teacher: name its file with --teacher")
    if options.activation_bits is not None and options.bits is None:
        raise ValueError("--activation-bits is about training through a quantizer: give --bits with it")
    if options.density is not None and options.bits is not None:
        raise ValueError("--density prunes and --bits rounds: do one after the other, pruning first")


def _finetune(
    start: StartingNetwork, teacher: FloatMLP | None, options: argparse.Namespace
) -> tuple[FloatMLP, list[float]]:
    """Train on the training rows alone, so that the validation rows, which chose nothing, can judge."""
    from npquant.budget.progress import Told
    from npquant.compression.pruning.weights.gradual import prune_gradually
    from npquant.compression.rounding.straight_through import StraightThrough
    from npquant.nn.finetuning import finetune
    from npquant.workflow.float_model import loss_for

    x, y = start.sets.train
    losses: list[float] = []
    loss = loss_for(start.sets)
    grid = None if options.bits is None else StraightThrough(options.bits, activation_bits=options.activation_bits)
    with ProgressLine() as progress:

        def note(epoch: Epoch) -> None:
            progress.show(Told(f"epoch {epoch.number} of {epoch.of}", epoch.number / epoch.of))
            losses.append(epoch.loss)

        if options.density is not None:
            net = prune_gradually(
                start.model, x, y, options.density, options.epochs,
                teacher=teacher, teacher_share=options.teacher_share, temperature=options.temperature,
                loss=loss, learning_rate=options.learning_rate, batch_size=options.batch_size,
                weight_decay=options.weight_decay, progress=note, rng=options.seed,
            )  # fmt: skip
            return net, losses
        net = finetune(
            start.model, x, y, options.epochs,
            teacher=teacher, teacher_share=options.teacher_share, temperature=options.temperature, quantizer=grid,
            loss=loss, learning_rate=options.learning_rate, batch_size=options.batch_size,
            weight_decay=options.weight_decay, progress=note, rng=options.seed,
        )  # fmt: skip
    return net, losses


def _compare_with(teacher: FloatMLP, start: StartingNetwork, student: FloatMLP) -> dict[str, Any]:
    """Say how near a student's answers are to the teacher's, on the validation rows."""
    from npquant.measure.evaluate import Comparison, compare, evaluate, in_float64

    said, answered = (evaluate(in_float64(model), *start.sets.validation) for model in (teacher, student))
    found = compare(said, answered)
    if isinstance(found, Comparison):
        return {"agreeing": found.agreement, "rows": found.rows, "kl": found.kl}
    return {"rows": found.rows, "deviation": found.deviation}


def _sections(record: dict[str, Any], width: int) -> list[list[str]]:
    """Lay the record out for a terminal."""
    from npquant.cli.before_after_page import answer_lines, how_lines, network_lines, note_lines
    from npquant.report.text_layout import joined, wrap

    options, losses = record["options"], record["losses"]
    epochs = f"{options['epochs']:,} epoch{'s' * (options['epochs'] != 1)}"
    how = f"npquant finetune: {epochs}, learning rate {options['learning_rate']:g}"
    how += "" if options["density"] is None else f", down to {100 * options['density']:g} % of the weights"
    how += "" if options["bits"] is None else f", through weight bits {joined(by_layer(options['bits']))}"
    loss = f"loss {losses[0]:.5g} in the first epoch, {losses[-1]:.5g} in the last"
    return [
        answer_lines(record, width),
        [
            *how_lines(record, f"{how}, seed {options['seed']}", "train", "train on", width),
            *(line for said in (loss, *_teacher(record)) for line in wrap(said, width=width)),
            *network_lines(record, width),
        ],
        note_lines(record, width),
    ]


def _teacher(record: dict[str, Any]) -> list[str]:
    """Say whether the network came nearer to its teacher."""
    if record["teacher"] is None:
        return []
    one, two = record["teacher"]
    if "deviation" in one:
        before, after = (f"{100 * each['deviation']:.2f} %" for each in (one, two))
        return [f"{before} of the spread from the teacher before, {after} after"]
    agreeing = f"{one['agreeing']:,} before, {two['agreeing']:,} after, of {one['rows']:,} rows"
    return [f"the teacher's class for {agreeing}; KL {one['kl']:.5f} before, {two['kl']:.5f} after"]
