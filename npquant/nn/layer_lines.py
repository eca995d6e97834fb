"""What print(network) shows: one line a layer, under its heading, no more than 100 columns.

Legend: title the network's kind; ends (K, N, activation) of each layer; names and values of the columns that follow.
"""

from __future__ import annotations

from collections.abc import Sequence


def layer_lines(
    title: str, ends: Sequence[tuple[int, int, str]], names: Sequence[str], values: Sequence[Sequence[object]]
) -> str:
    """Align the layers below a title.

    >>> print(layer_lines("FloatMLP", [(64, 10, "relu"), (10, 3, "identity")], ("MACs",), [(640,), (30,)]))
    FloatMLP
    layer     shape  activation  MACs
    0      64 -> 10        relu   640
    1       10 -> 3    identity    30
    """
    rows = [("layer", "shape", "activation", *names)]
    for index, ((k, n, activation), others) in enumerate(zip(ends, values, strict=True)):
        rows.append((str(index), f"{k} -> {n}", activation, *(_figure(value) for value in others)))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join([row[0].ljust(widths[0]), *(text.rjust(w) for text, w in zip(row[1:], widths[1:], strict=True))])
        for row in rows
    ]
    return "\n".join([title, *lines])


def _figure(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)
