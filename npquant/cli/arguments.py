"""Arguments that several commands share, and how their values are read.

A value that is no such thing at all is a usage error (ArgumentTypeError) here; whether a number suits is for the
command to say.

Legend: parser the command's; text an argument as it was typed.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from types import MappingProxyType
from typing import Final, TypeVar

Value = TypeVar("Value")
_SECONDS: Final = MappingProxyType({"s": 1, "m": 60, "h": 3600})
# Those of the chain's input_choice and the data's missing, whose modules load NumPy: help answers without it.
_INPUTS: Final = ("auto", "exact", "by_feature")
_WAYS: Final = ("drop", "mean", "most-frequent")


def add_rows(parser: argparse.ArgumentParser) -> None:
    """Give a command the rows that it works on: --data, --rows and --seed.

    >>> parser = argparse.ArgumentParser()
    >>> add_rows(parser)
    >>> vars(parser.parse_args(["--rows", "200"]))
    {'data': None, 'target': None, 'missing': None, 'rows': 200, 'seed': 0}
    """
    rows = parser.add_argument_group("rows")
    add_data(rows, "the bundled digits")
    rows.add_argument("--rows", metavar="N", type=int, help="training rows to look at (default: all, at most 2,048)")
    rows.add_argument("--seed", metavar="N", type=int, default=0, help="chooses the split and all else (default: 0)")


def add_inputs(group: argparse._ActionsContainer) -> None:
    """Give a `group` of options the choice of how real inputs become codes.

    >>> parser = argparse.ArgumentParser()
    >>> add_inputs(parser)
    >>> parser.parse_args([]).inputs
    'auto'
    """
    group.add_argument(
        "--inputs", choices=_INPUTS, default="auto",
        help="whole numbers as they are (exact), or a step for each feature (by_feature); default: auto, exact where "
        "that costs the weights no more than half a bit",
    )  # fmt: skip


def add_data(rows: argparse._ActionsContainer, default: str, more: str = "") -> None:
    """Give a command, or its group of `rows`, the table that they come from: --data, --label and --missing.

    `default` says what there is without it, `more` what else it may be.

    >>> parser = argparse.ArgumentParser()
    >>> add_data(parser.add_argument_group("rows"), "none")
    >>> vars(parser.parse_args(["--data", "mine.csv", "--label", "-1"]))
    {'data': 'mine.csv', 'target': '-1', 'missing': None}
    """
    rows.add_argument(
        "--data", metavar="PATH",
        help=f"CSV, ARFF, npz, Parquet, Feather, or a folder of IDX files{more} (default: {default})",
    )  # fmt: skip
    rows.add_argument(
        "--label", metavar="NAME|INDEX", dest="target",
        help="the label's column: its name, or its index from 0, or from the end as -1 (default: the one named label, "
        "class, target or y, else the last)",
    )  # fmt: skip
    rows.add_argument(
        "--missing", choices=_WAYS,
        help="rows with missing cells: left out, or filled in from the training rows (default: an error)",
    )  # fmt: skip


def add_output(parser: argparse.ArgumentParser, what: str) -> argparse._ArgumentGroup:
    """Give a command the file that it writes (`what`): --out, --max-drop and --json; return their group, to add to.

    >>> parser = argparse.ArgumentParser()
    >>> group = add_output(parser, "the integer network")
    >>> vars(parser.parse_args(["--out", "net.npz"]))
    {'out': 'net.npz', 'max_drop': None, 'max_rmse_rise': None, 'json': False}
    """
    out = parser.add_argument_group("what to write")
    out.add_argument("--out", metavar="FILE", required=True, help=f"{what}; replaced whole if it exists")
    out.add_argument("--max-drop", metavar="P", type=float, help="points of accuracy that may be lost (more: exit 1)")
    add_rise(out)
    out.add_argument("--json", action="store_true", help="print JSON instead of tables")
    return out


def add_rise(group: argparse._ArgumentGroup) -> None:
    """Give a group --max-rmse-rise, what --max-drop is for real targets.

    >>> parser = argparse.ArgumentParser()
    >>> add_rise(parser.add_argument_group("what is required"))
    >>> parser.parse_args(["--max-rmse-rise", "5%"]).max_rmse_rise, parser.parse_args([]).max_rmse_rise
    ('5%', None)
    """
    group.add_argument(
        "--max-rmse-rise", metavar="E",
        help="how far RMSE may rise, of real targets: in their unit, or as in 5%%",
    )  # fmt: skip


def add_reading(parser: argparse.ArgumentParser, *, integer: bool) -> None:
    """Give a command what a network's file may not say: --activations and, for `integer` networks, --profile.

    >>> parser = argparse.ArgumentParser()
    >>> add_reading(parser, integer=True)
    >>> vars(parser.parse_args(["--activations", "relu", "--profile", "xnnpack_fp32"]))
    {'activations': 'relu', 'profile': 'xnnpack_fp32'}
    """
    reading = parser.add_argument_group("what the file may not say")
    reading.add_argument(
        "--activations", metavar="NAMES", type=activations,
        help="of the hidden layers of a safetensors file: one for all, or one a layer, as in relu,tanh",
    )  # fmt: skip
    if integer:
        reading.add_argument(
            "--profile", metavar="NAME",
            help="arithmetic of an integer file (default: litert_ref_2025 for TFLite, ort for ONNX)",
        )  # fmt: skip


def activations(text: str) -> str | tuple[str, ...]:
    """Read activations: a name for all hidden layers, or one a layer between commas.

    >>> activations("relu"), activations("relu, tanh")
    ('relu', ('relu', 'tanh'))
    """
    return _one_or_each(text, str, "activations such as relu, or relu,tanh by layer")


def names(text: str) -> tuple[str, ...]:
    """Read names between commas.

    >>> names("litert_ref_2025, xnnpack_fp32")
    ('litert_ref_2025', 'xnnpack_fp32')
    """
    return tuple(part.strip() for part in text.split(",") if part.strip())


def widths(text: str) -> tuple[int, ...]:
    """Read hidden widths such as 64,32: whole numbers between commas.

    >>> widths("64,32")
    (64, 32)
    """
    try:
        return tuple(int(part) for part in text.split(",") if part.strip())
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of widths such as 64,32") from None


def duration(text: str) -> float:
    """Read a time as seconds: a number, with s, m or h behind it or nothing, which means seconds.

    >>> duration("90"), duration("1.5m"), duration("1h")
    (90.0, 90.0, 3600.0)
    """
    number, unit = (text[:-1], text[-1]) if text[-1:].isalpha() else (text, "s")
    try:
        return float(number) * _SECONDS[unit]
    except (ValueError, KeyError):
        raise argparse.ArgumentTypeError(f"{text!r} is not a time such as 90, 90s, 5m or 1h") from None


def _one_or_each(text: str, read: Callable[[str], Value], example: str) -> Value | tuple[Value, ...]:
    """Read one value for all layers, or several between commas, one a layer."""
    try:
        values = tuple(read(part.strip()) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not {example}") from None
    return values[0] if len(values) == 1 else values


def weight_bits(text: str) -> int | str | tuple[int | str, ...]:
    """Read weight bits: whole numbers or "ternary", one for all layers, or one a layer between commas.

    >>> weight_bits("4"), weight_bits("8,ternary,4")
    (4, (8, 'ternary', 4))
    """
    return _one_or_each(text, _weight_width, "a width such as 4 or ternary, or 8,4,4 by layer")


def weight_widths(text: str) -> tuple[int | str, ...]:
    """Read weight widths to try one after the other: whole numbers, "ternary" or t between commas.

    >>> weight_widths("4,2,t")
    (4, 2, 'ternary')
    """
    try:
        return tuple("ternary" if word == "t" else _weight_width(word) for word in names(text))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of widths such as 4,2,ternary") from None


def _weight_width(text: str) -> int | str:
    return text if text == "ternary" else int(text)


def activation_bits(text: str) -> int | tuple[int, ...]:
    """Read activation bits: a whole number for all hidden layers, or one a hidden layer between commas.

    >>> activation_bits("8"), activation_bits("8,4")
    (8, (8, 4))
    """
    return _one_or_each(text, int, "a width such as 8, or 8,4 by hidden layer")


def by_layer(value: Value | tuple[Value, ...]) -> tuple[Value, ...]:
    """Undo the shorthand of one `value` for all layers.

    >>> by_layer(4), by_layer((8, 4))
    ((4,), (8, 4))
    """
    return value if isinstance(value, tuple) else (value,)


def rates(text: str) -> float | tuple[float, ...]:
    """Read pruning rates: a number for all hidden layers, or one a hidden layer between commas.

    >>> rates("0.5"), rates("0.5,0.25")
    (0.5, (0.5, 0.25))
    """
    return _one_or_each(text, float, "a share such as 0.5, or 0.5,0.25 by hidden layer")


def pattern(text: str) -> tuple[int, int]:
    """Read an N:M pattern: N weights of every M stay.

    >>> pattern("2:4")
    (2, 4)
    """
    try:
        n, m = (int(part) for part in text.split(":"))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a pattern such as 2:4") from None
    return n, m
