"""``npquant who``: which arithmetic gives a kernel's answers, and which inputs of its layer would tell more."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from npquant.testing.who.records import Record


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe ``npquant who`` to the parser that `commands` (what ``add_subparsers`` returned) belongs to.

    >>> parser = argparse.ArgumentParser()
    >>> add_command(parser.add_subparsers())
    >>> parser.parse_args(["who", "layer.npz", "--more", "second.npz"]).more
    ['second.npz']
    """
    who = commands.add_parser(
        "who",
        help="say which arithmetic gives a kernel's answers",
        description="Name the profiles, and the wrong rules, that give the answers of a kernel to rows of one layer; "
        "and find inputs for the same layer that tell apart what is still possible.",
        epilog="FILE is npz or JSON with the keys x_q, w_q, y_q, sx, sw, sy (or multiplier, shift), and where they are "
        "not 0, none or the whole type: bias, zx, zw, zy, qmin, qmax, activation; JSON may need x_type, w_type, "
        "y_type. Exit code: 0 a profile gives every code, 1 none does, 2 usage or bad input.",
    )
    who.add_argument("file", metavar="FILE", help="the layer, its input and the kernel's answer")
    who.add_argument("--model", metavar="MODEL", help="an integer network (npquant's, TFLite, ONNX) that has the layer")
    who.add_argument("--layer", metavar="N", type=int, help="which of its layers FILE has x_q and y_q of, from 0")
    who.add_argument("--more", metavar="PATH", action="append", default=[], help="x_q and y_q of further rows")
    who.add_argument("--out", metavar="PATH", help="write the rows to run next (npz, key x_q)")
    who.add_argument("--seed", type=int, default=0, metavar="N", help="of the search for rows (default: 0)")
    who.add_argument("--json", action="store_true", help="print all candidates as JSON")
    who.set_defaults(command=_execute)


def _execute(options: argparse.Namespace) -> int:
    """Identify the kernel, write what to run next, print what is known."""
    import numpy as np

    from npquant.cli.output import check_out, write_json
    from npquant.files.archive import encode_npy, encode_zip
    from npquant.files.storage import write_atomically
    from npquant.testing.who.identification import identify_record
    from npquant.testing.who.records import read_keys, read_record

    if options.out is not None:
        inputs = [options.file, *options.more, *([options.model] if options.model else [])]
        check_out(options.out, *inputs)
    if options.layer is not None and options.model is None:
        raise ValueError("--layer says which layer of a network: name its file with --model")
    record = read_record(options.file) if options.model is None else _record_of_network(options)
    later = []
    for path in options.more:
        found = read_keys(path)
        for key in ("x_q", "y_q"):
            if key not in found:
                raise ValueError(f"{path} has no key {key!r}; further rows are given by x_q and y_q")
        later.append((np.asarray(found["x_q"]), np.asarray(found["y_q"])))
    answer = identify_record(record, later, options.seed)
    if options.out is not None:
        write_atomically(options.out, encode_zip({"x_q.npy": encode_npy(answer.next_inputs)}))
    if options.json:
        write_json(answer.as_json())
    else:
        sys.stdout.write(answer.text())
    return 0 if answer.profiles else 1


def _record_of_network(options: argparse.Namespace) -> Record:
    """Bind a layer of a network to the rows and answers of FILE."""
    from npquant.integer.mlp import IntegerMLP
    from npquant.interop.reading import read
    from npquant.kernels.activation_bounds import CLAMPS
    from npquant.testing.who.records import make_record, read_keys

    model, given = read(options.model).model, read_keys(options.file)
    if not isinstance(model, IntegerMLP):
        raise ValueError(f"{options.model} holds no integer network: a kernel's codes come from one")
    if set(given) != {"x_q", "y_q"}:
        raise ValueError(f"{options.file} has the keys {', '.join(given)}; beside --model it has x_q and y_q")
    if options.layer is None and len(model.layers) > 1:
        raise ValueError(f"{options.model} has {len(model.layers)} layers; say which one answered with --layer, from 0")
    index = options.layer or 0
    if not 0 <= index < len(model.layers):
        raise ValueError(f"{options.model} has no layer {index}; --layer goes from 0 to {len(model.layers) - 1}")
    layer = model.layers[index]
    activation = "none" if layer.activation == "identity" else layer.activation
    plain = layer.y is not None and layer.pre is None and activation in ("none", *CLAMPS)
    if not plain or "int16" in (layer.x.dtype, layer.target.dtype):
        raise ValueError(f"{options.model}, layer {index}: who knows 8-bit layers with a clamp or none, and no table")
    return make_record(
        given["x_q"], layer.w_q, layer.bias, given["y_q"], layer.x, layer.w, layer.output, activation=activation
    )
