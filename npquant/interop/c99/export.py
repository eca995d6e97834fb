"""A network as a C program: the texts, and the writing of them.

Legend: model an IntegerMLP, path a folder or the NAME.c to write, name what every identifier starts with.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from npquant.arrays import Codes
from npquant.files.facts import Facts, check_facts
from npquant.files.staging import write_together
from npquant.integer.mlp import IntegerMLP
from npquant.interop.c99 import cmsis_nn, plain
from npquant.interop.c99.c_arrays import checked_name
from npquant.interop.c99.data_comment import data_comment
from npquant.interop.c99.golden import golden_rows
from npquant.interop.c99.plan import plan

Style = Literal["plain", "cmsis-nn"]


def encode_c(
    model: IntegerMLP,
    *,
    name: str = "model",
    style: Style = "plain",
    golden: int | Codes = 8,
    pack: bool = True,
    facts: Facts | None = None,
) -> dict[str, str]:
    """Write an integer network as C: a header and a source, as texts.

    Parameters
    ----------
    model : IntegerMLP
        The network, of any profile whose requantization is integer arithmetic, or is float arithmetic that integers
        reproduce (`litert_ref_2025`, `ort`, `xnnpack_fp32`).
    name : str
        What the files are called and every identifier starts with: a C identifier.
    style : {"plain", "cmsis-nn"}
        "plain" needs <stdint.h> alone; "cmsis-nn" calls CMSIS-NN's fully connected layers.
    golden : int or ndarray of codes, shape (G, K)
        Golden vectors of the self-test: how many, or the rows themselves.
    pack : bool
        Whether weights of few bits are packed and mostly-zero ones left out, where that is shorter; False keeps a byte
        a weight, which is faster to read.
    facts : Facts, optional
        What is known of the data, for a comment in NAME.h: which input and output is what.

    Returns
    -------
    dict of str
        The text of NAME.h and of NAME.c, by file name.

    Raises
    ------
    TypeError
        If model is no IntegerMLP, or golden rows are no codes.
    ValueError
        If the profile rounds in floating point in a way that integers do not reproduce here, the style cannot hold the
        network, facts do not fit it, or name is no identifier.

    Notes
    -----
    ``void NAME_run(const int8_t x[K], int8_t y[C])`` gives the bytes of `IntegerMLP.run`, ``int NAME_predict(x)`` the
    class, unless there is one output. -DNAME_WITH_FLOAT compiles ``NAME_quantize`` in, the bytes of
    `IntegerMLP.encode`; -DNAME_WITH_SELFTEST ``int NAME_selftest(void)`` and its golden vectors. No float at run time
    but in NAME_quantize, no malloc, no >> of a negative number, and no sum that can leave its type: the bounds stand in
    comments.

    Examples
    --------
    >>> import numpy as np
    >>> from npquant.integer.layer import IntegerLayer
    >>> from npquant.kernels.qparams import QuantParams
    >>> p = QuantParams(0.5, 0, -128, 127)
    >>> layer = IntegerLayer(np.array([[10, -3], [20, 5]], np.int8), np.array([7, 0], np.int32), p, p, p, "relu")
    >>> texts = encode_c(IntegerMLP((layer,), p), name="tiny")
    >>> sorted(texts), "int tiny_predict(const int8_t x[2]);" in texts["tiny.h"]
    (['tiny.c', 'tiny.h'], True)
    """
    checked_name(name)
    if isinstance(model, IntegerMLP):
        check_facts(facts, model.n_inputs, model.neurons[-1])
    rows = golden_rows(model, golden) if isinstance(model, IntegerMLP) else golden
    if style == "cmsis-nn":
        steps = plan(model, pack=False)
        header, source = cmsis_nn.header(model, steps), cmsis_nn.source(model, steps, rows)
    elif style == "plain":
        steps = plan(model, pack)
        header, source = plain.header(model, steps), plain.source(model, steps, rows)
    else:
        raise ValueError(f"unknown style {style!r}; there are plain and cmsis-nn")
    # Names of the data are put in last: a column may be called NAME_ or UPPER_.
    guard = "#ifndef"
    made = plain.named(header, name).replace(guard, data_comment(facts, model.neurons[-1]) + guard, 1)
    return {f"{name}.h": made, f"{name}.c": plain.named(source, name)}


def to_c(
    model: IntegerMLP,
    path: str | os.PathLike[str],
    *,
    name: str | None = None,
    style: Style = "plain",
    golden: int | Codes = 8,
    pack: bool = True,
    facts: Facts | None = None,
) -> tuple[Path, Path]:
    """Write an integer network as a C program: NAME.h and NAME.c.

    Parameters
    ----------
    model : IntegerMLP
        As for `encode_c`.
    path : path
        The source to write, NAME.c, or a folder that exists; both files are replaced, or none.
    name : str, optional
        What every identifier starts with; by default the source's own name, or "model" in a folder.
    style, golden, pack, facts
        As for `encode_c`.

    Returns
    -------
    tuple of Path
        The header and the source.

    Raises
    ------
    OSError
        If a file cannot be written.
    TypeError, ValueError
        As `encode_c`; nothing is written.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from npquant.integer.layer import IntegerLayer
    >>> from npquant.kernels.qparams import QuantParams
    >>> p = QuantParams(0.5, 0, -128, 127)
    >>> layer = IntegerLayer(np.array([[10], [20]], np.int8), np.array([7], np.int32), p, p, p, "relu")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     [path.name for path in to_c(IntegerMLP((layer,), p), Path(folder) / "tiny.c")]
    ['tiny.h', 'tiny.c']
    """
    target = Path(path)
    is_source = target.suffix.lower() in (".c", ".h")
    folder = target.parent if is_source else target
    called = name if name is not None else (target.stem if is_source else "model")
    texts = encode_c(model, name=called, style=style, golden=golden, pack=pack, facts=facts)
    write_together(folder, {file: text.encode("ascii") for file, text in texts.items()})
    return folder / f"{called}.h", folder / f"{called}.c"
