"""The ways to quantize, by the names that ``npquant quantize --method`` knows them by: those of the library's table.

Legend: `options` a Namespace with method, bits, activation_bits, polish, keep_zeros, inputs, rows and seed; `piece` the
float network and its rows.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Final

from npquant.compression.rounding.method_names import AUTO, DRAWING_METHODS, METHOD_NAMES

if TYPE_CHECKING:
    from npquant.cli.starting_network import StartingNetwork
    from npquant.compression.chain.integer_chain import Quantized
    from npquant.integer.mlp import IntegerMLP

METHODS: Final = (*METHOD_NAMES, AUTO, "on_grid")
_KEEPING_ZEROS: Final = tuple(name for name in METHOD_NAMES if name not in DRAWING_METHODS)


def method_name(text: str) -> str:
    """Return the name that a text stands for; a hyphen is as good as an underscore.

    >>> method_name("gptq-resolved")
    'gptq_resolved'
    """
    return text.replace("-", "_")


def check_method(options: argparse.Namespace) -> None:
    """Refuse options that the method would ignore: ValueError that names both.

    >>> check_method(argparse.Namespace(method="gptq", polish=300, keep_zeros=False))
    Traceback (most recent call last):
    ValueError: --polish ends the rectified method; drop it, or --method gptq
    """
    if options.polish is not None and options.method != "rectified":
        raise ValueError(f"--polish ends the rectified method; drop it, or --method {options.method}")
    if options.polish is not None and options.keep_zeros:
        raise ValueError("--polish and --keep-zeros do not go together: drop one")
    if options.keep_zeros and options.method not in _KEEPING_ZEROS:
        known = ", ".join(_KEEPING_ZEROS)
        raise ValueError(f"--keep-zeros goes with {known}; drop it, or --method {options.method}")


def quantize_by_name(piece: StartingNetwork, options: argparse.Namespace) -> Quantized:
    """Quantize by the method that the options name, as the library's function of that name does; raises as it does.

    >>> from importlib import resources
    >>> from npquant.cli.starting_network import load_start
    >>> path = resources.files("npquant.data") / "bundled" / "digits_float.npz"
    >>> piece = load_start(str(path), data=None, rows=50, seed=0)
    >>> asked = {"method": "nearest", "bits": 3, "activation_bits": 8}
    >>> options = argparse.Namespace(**asked, keep_zeros=False, polish=None, inputs="auto", seed=0)
    >>> quantize_by_name(piece, options).network.weight_bits
    (3, 3, 3)
    """
    from npquant.compression.chain.integer_chain import Quantized
    from npquant.compression.rounding.quantize_model import quantize_model
    from npquant.workflow.float_model import output_of

    if options.method == "on_grid":
        return Quantized(_read_codes(piece, options), ())
    return quantize_model(
        piece.floating,
        piece.x_calibration,
        options.bits,
        options.activation_bits,
        options.seed,
        method=options.method,
        keep_zeros=options.keep_zeros,
        polish_steps=options.polish or 0,
        inputs=options.inputs,
        output=output_of(piece.sets),
    )


def _read_codes(piece: StartingNetwork, options: argparse.Namespace) -> IntegerMLP:
    """Read the codes off a network that was fine-tuned through the quantizer, on the rows that it was trained on."""
    from npquant.compression.rounding.on_grid import quantize_on_grid
    from npquant.compression.rounding.straight_through import StraightThrough

    if options.rows is not None:
        raise ValueError("on_grid reads the codes off the weights, on the rows of the training: drop --rows")
    grid = StraightThrough(options.bits, activation_bits=options.activation_bits, inputs=options.inputs)
    # Of the stored dtype: its rounding is what the weights may be off their grid by.
    return quantize_on_grid(piece.model, piece.sets.train[0], grid, options.seed)
