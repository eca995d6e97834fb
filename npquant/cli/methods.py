"""The ways to quantize, by the names that ``npquant quantize --method`` knows them by."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from npquant.cli.starting_network import StartingNetwork
    from npquant.compression.rounding.rectified.network import LayerReport
    from npquant.integer.mlp import IntegerMLP

METHODS: Final = ("rectified", "uniform", "nearest", "gptq", "gptq-resolved", "gpfq", "adaround", "on-grid")
# What --keep-zeros can be had with, and its name among the ways to round a layer.
_KEEPING_ZEROS: Final = MappingProxyType(
    {"rectified": "rectified", "nearest": "rescaled", "gptq": "gptq", "gptq-resolved": "gptq_resolved", "gpfq": "gpfq"}
)


def check_method(options: argparse.Namespace) -> None:
    """Refuse options that the method would ignore.

    Parameters
    ----------
    options : Namespace
        With method, polish and keep_zeros.

    Raises
    ------
    ValueError
        If two of them do not go together; names both.

    Examples
    --------
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


def quantize_by_name(piece: StartingNetwork, options: argparse.Namespace) -> tuple[IntegerMLP, tuple[LayerReport, ...]]:
    """Quantize by the method that the options name.

    Parameters
    ----------
    piece : StartingNetwork
        The float network and its rows.
    options : Namespace
        With method, bits, activation_bits, polish, keep_zeros, rows and seed.

    Returns
    -------
    network : IntegerMLP
        What the library's function of that name gives.
    reports : tuple of LayerReport
        By layer for "rectified", else empty.

    Raises
    ------
    ValueError, OverflowError
        As that function.

    Examples
    --------
    >>> from importlib import resources
    >>> from npquant.cli.starting_network import load_start
    >>> path = resources.files("npquant.data") / "bundled" / "digits_float.npz"
    >>> piece = load_start(str(path), data=None, rows=50, seed=0)
    >>> options = argparse.Namespace(method="nearest", bits=3, activation_bits=8, keep_zeros=False, seed=0)
    >>> quantize_by_name(piece, options)[0].weight_bits
    (3, 3, 3)
    """
    from npquant.compression.rounding.adaround import quantize_adaround
    from npquant.compression.rounding.gpfq import quantize_gpfq
    from npquant.compression.rounding.gptq import quantize_gptq, quantize_gptq_resolved
    from npquant.compression.rounding.nearest import quantize_nearest
    from npquant.compression.rounding.rectified.network import quantize_rectified_with_report
    from npquant.compression.rounding.uniform import quantize_uniform

    if options.keep_zeros:
        return _keep_zeros(piece, options), ()
    if options.method == "on-grid":
        return _read_codes(piece, options), ()
    model, x = piece.floating, piece.x_calibration
    if options.method == "rectified":
        return quantize_rectified_with_report(
            model, x, options.bits, options.activation_bits, options.seed, polish_steps=options.polish or 0
        )
    quantizers: dict[str, Callable[..., IntegerMLP]] = {
        "uniform": quantize_uniform,
        "nearest": quantize_nearest,
        "gptq": quantize_gptq,
        "gptq-resolved": quantize_gptq_resolved,
        "gpfq": quantize_gpfq,
        "adaround": quantize_adaround,
    }
    return quantizers[options.method](model, x, options.bits, options.activation_bits, options.seed), ()


def _keep_zeros(piece: StartingNetwork, options: argparse.Namespace) -> IntegerMLP:
    """Apply the method to each neuron's nonzero weights alone."""
    from npquant.compression.rounding.keeping_zeros import quantize_keeping_zeros

    method, widths = _KEEPING_ZEROS[options.method], (options.bits, options.activation_bits)
    return quantize_keeping_zeros(piece.floating, piece.x_calibration, *widths, options.seed, method=method)


def _read_codes(piece: StartingNetwork, options: argparse.Namespace) -> IntegerMLP:
    """Read the codes off a network that was fine-tuned through the quantizer, on the rows that it was trained on."""
    from npquant.compression.rounding.on_grid import quantize_on_grid
    from npquant.compression.rounding.straight_through import StraightThrough

    if options.rows is not None:
        raise ValueError("on-grid reads the codes off the weights, on the rows of the training: drop --rows")
    grid = StraightThrough(options.bits, activation_bits=options.activation_bits)
    # Of the stored dtype: its rounding is what the weights may be off their grid by.
    return quantize_on_grid(piece.model, piece.sets.train[0], grid, options.seed)
