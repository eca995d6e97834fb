"""A network as memory images that Verilog's $readmemh loads, with expected outputs and a simulation beside them.

Legend: model an IntegerMLP, folder where the files go, golden a number of rows or rows (G, K) of input codes, name what
the modules are called; memory one file: a word a line, hexadecimal, two's complement; width its bits.

w<i>.hex       centred weights w_q - zw of layer i, an output's K words after another's; b<i> its biases, t<i> its table
m<i>.hex       multipliers, s<i> and l<i> right and left shifts, a word an output, or one for all
x.hex, y.hex   golden inputs, K words a row, and what npquant answers, C words a row
map.json       every memory's width, depth and order; every layer's zero points, clamp, rule and accumulator bits
NAME.v         modules that compute the network from these memories, and a testbench that compares with y.hex
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from npquant.arrays import Codes
from npquant.files.facts import Facts, check_facts
from npquant.files.staging import write_together
from npquant.integer.mlp import IntegerMLP
from npquant.interop.c99.c_arrays import checked_name
from npquant.interop.c99.golden import golden_rows
from npquant.interop.c99.plan import LayerPlan, plan
from npquant.interop.readmemh_verilog import verilog_source

_INTEGER_RULES = ("single", "single64", "wide", "away", "double_away", "double_up", "floor_up")


@dataclass(frozen=True, slots=True)
class Memory:
    """Hold one memory image."""

    name: str
    width: int
    words: NDArray[np.integer[Any]]  # in the order of the addresses
    order: str

    def text(self) -> str:
        """A word a line, in as many hexadecimal digits as the width needs."""
        digits, mask = -(-self.width // 4), (1 << self.width) - 1
        return "".join(f"{int(word) & mask:0{digits}x}\n" for word in self.words.ravel())


def encode_readmemh(
    model: IntegerMLP, *, name: str = "model", golden: int | Codes = 8, facts: Facts | None = None
) -> dict[str, str]:
    """Write an integer network as memory images for $readmemh, as texts.

    Parameters
    ----------
    model : IntegerMLP
        The network; its profile requantizes in integers.
    name : str
        What the Verilog modules are called: an identifier.
    golden : int or ndarray of codes, shape (G, K)
        Golden vectors: how many, at least one, or the rows themselves.
    facts : Facts, optional
        What is known of the data, for map.json under "data".

    Returns
    -------
    dict of str
        The text of each file, by file name.

    Raises
    ------
    TypeError
        If model is no IntegerMLP, or golden rows are no codes.
    ValueError
        If the profile rescales in floating point, an accumulator can take it out of int32, there is no golden vector,
        facts do not fit, or name is no identifier.

    Notes
    -----
    A word a line, hexadecimal, two's complement in the width that map.json states for the memory; addresses count from
    0. Weights are an output's K words after another's, biases and the rest an output a word. The expected outputs
    y.hex are `IntegerMLP.run` of x.hex.

    Examples
    --------
    >>> from npquant.integer.layer import IntegerLayer
    >>> from npquant.kernels.qparams import QuantParams
    >>> p = QuantParams(0.5, 0, -128, 127)
    >>> layer = IntegerLayer(np.array([[10], [-20]], np.int8), np.array([7], np.int32), p, p, p, "relu")
    >>> texts = encode_readmemh(IntegerMLP((layer,), p))
    >>> texts["w0.hex"].split(), texts["b0.hex"].split()
    (['0a', '2c'], ['00000007'])
    """
    checked_name(name)
    check_facts(facts, model.n_inputs, model.neurons[-1])
    steps = plan(model, pack=False)
    rows = golden_rows(model, golden)
    if not len(rows):
        raise ValueError("a memory image needs at least one golden vector")
    for i, step in enumerate(steps):
        _check(step, i, model)
    memories = [memory for i, step in enumerate(steps) for memory in layer_memories(step, i)]
    y = model.run(rows)
    memories.append(Memory("x", 8 * rows.dtype.itemsize, rows, "row, then input"))
    memories.append(Memory("y", 8 * y.dtype.itemsize, y, "row, then output"))
    texts = {f"{memory.name}.hex": memory.text() for memory in memories}
    widths = {memory.name: (memory.width, memory.words.size) for memory in memories}
    description = _description(model, steps, memories, name, len(rows))
    description |= {} if facts is None else {"data": facts.to_json()}
    return {
        **texts,
        "map.json": json.dumps(description, indent=2) + "\n",
        f"{name}.v": verilog_source(steps, widths, name, len(rows)),
    }


def to_readmemh(
    model: IntegerMLP,
    folder: str | os.PathLike[str],
    *,
    name: str = "model",
    golden: int | Codes = 8,
    facts: Facts | None = None,
) -> Path:
    """Write an integer network as memory images for $readmemh, with a testbench.

    Parameters
    ----------
    model : IntegerMLP
        As for `encode_readmemh`.
    folder : path
        Where the files go; made if it does not exist. Files of these names are replaced, all or none.
    name, golden, facts
        As for `encode_readmemh`.

    Returns
    -------
    Path
        The map, map.json.

    Raises
    ------
    OSError
        If a file cannot be written.
    TypeError, ValueError
        As `encode_readmemh`; nothing is written.

    Examples
    --------
    >>> import tempfile
    >>> from npquant.integer.layer import IntegerLayer
    >>> from npquant.kernels.qparams import QuantParams
    >>> p = QuantParams(0.5, 0, -128, 127)
    >>> layer = IntegerLayer(np.array([[10], [-20]], np.int8), np.array([7], np.int32), p, p, p, "relu")
    >>> with tempfile.TemporaryDirectory() as place:
    ...     found = to_readmemh(IntegerMLP((layer,), p), place)
    ...     sorted(file.name for file in found.parent.iterdir())
    ['b0.hex', 'm0.hex', 'map.json', 'model.v', 's0.hex', 'w0.hex', 'x.hex', 'y.hex']
    """
    texts = encode_readmemh(model, name=name, golden=golden, facts=facts)
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    write_together(target, {file: text.encode("ascii") for file, text in texts.items()}, last="map.json")
    return target / "map.json"


def layer_memories(step: LayerPlan, i: int) -> list[Memory]:
    """Return the memories of layer i of a plan, step: weights, biases, multipliers, shifts and table."""
    layer, rounding = step.layer, step.requantization
    c = layer.centred_weights.T
    found = [Memory(f"w{i}", _signed_width(c), c, "output, then input")]
    found.append(Memory(f"b{i}", 8 * layer.bias.dtype.itemsize, layer.bias, "output"))
    if rounding is not None:
        each = "output" if rounding.multiplier.ndim else "one word for all outputs"
        found.append(Memory(f"m{i}", 32, np.atleast_1d(rounding.multiplier), each))
        found.append(Memory(f"s{i}", 8, np.atleast_1d(rounding.right), each))
        if rounding.left.any():
            found.append(Memory(f"l{i}", 8, np.atleast_1d(rounding.left), each))
    if step.table is not None and layer.pre is not None:
        width = 8 * step.table.dtype.itemsize
        found.append(Memory(f"t{i}", width, step.table, f"code of the pre-activation, from {layer.pre.qmin} on"))
    return found


def _check(step: LayerPlan, i: int, model: IntegerMLP) -> None:
    rounding = step.requantization
    if rounding is not None and (rounding.rule not in _INTEGER_RULES or not rounding.fits):
        why = "rescales in floating point" if rounding.fits else "can leave int32 here"
        raise ValueError(
            f"layer {i}: {model.profile.name} {why}; a memory image needs integers: quantize for npquant or tflite_ref"
        )


def _signed_width(words: NDArray[np.integer[Any]]) -> int:
    """Bits of two's complement that hold every word, two at least."""
    return max(2, int(max(words.max(), -1 - words.min())).bit_length() + 1)


def _description(
    model: IntegerMLP, steps: tuple[LayerPlan, ...], memories: list[Memory], name: str, rows: int
) -> dict[str, Any]:
    layers = [
        {
            "inputs": step.layer.shape[0],
            "outputs": step.layer.shape[1],
            "input_type": step.layer.x.dtype.name,
            "output_type": step.y_type.removesuffix("_t"),
            "input_zero_point": int(step.layer.x.zero_point),
            "activation": step.layer.activation,
            "accumulator_bits": step.bits,
            "rule": None if step.requantization is None else step.requantization.rule,
            "zero_point": None if step.requantization is None else step.requantization.zero_point,
            "clamp": None if step.requantization is None else [step.requantization.low, step.requantization.high],
            "table_start": None if step.layer.pre is None else step.layer.pre.qmin,
        }
        for step in steps
    ]
    return {
        "format": "npquant readmemh 1",
        "name": name,
        "profile": model.profile.name,
        "equation": model.profile.equation,
        "rows": rows,
        **_ends(model),
        "layers": layers,
        "memories": [
            {"file": f"{m.name}.hex", "width": m.width, "depth": int(m.words.size), "order": m.order} for m in memories
        ],
    }


def _ends(model: IntegerMLP) -> dict[str, Any]:
    """What the codes of outputs mean, where a scale alone does not say it: real = (scale (y - z)) factor + offset."""
    y = model.output_params
    ends = {"factor": model.output_factor, "offset": model.output_offset}
    said = {name: [float(value) for value in end] for name, end in ends.items() if end is not None}
    if not said or y is None:
        return {}
    return {"outputs": {"scale": float(y.scale), "zero_point": int(y.zero_point), **said}}
