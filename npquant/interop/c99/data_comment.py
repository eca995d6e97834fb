"""What a C program says of its inputs and outputs: a comment, in ASCII, that nothing in a name can end.

Legend: facts what is known of the data, None for nothing; outputs the network's.
"""

from __future__ import annotations

import json
from typing import Any

from npquant.files.facts import Facts


def data_comment(facts: Facts | None, outputs: int) -> str:
    """The comment, "" if nothing is known: inputs and outputs by index, the label, the data's hash and encoding.

    >>> print(data_comment(Facts(("age", "body */ weight"), ("no", "yes")), 1), end="")
    /* x[0] "age"
       x[1] "body *\\/ weight"
       y[0] above its zero point: "yes", else "no" */
    """
    said = {} if facts is None else facts.to_json()
    lines = _inputs(said.get("features")) + _outputs(said.get("classes"), outputs)
    if "label" in said:
        lines.append(f"Answers: {_quoted(said['label'])}")
    if "encoding" in said:
        lines += ["How a table becomes x:", *_quoted(said["encoding"], 2).splitlines()]
    if "data_sha256" in said:
        lines.append(f"Made from the data of SHA-256 {said['data_sha256']}")
    return "/* " + "\n   ".join(lines) + " */\n" if lines else ""


def _inputs(names: int | list[str] | None) -> list[str]:
    if isinstance(names, int) or names is None:
        return []  # "x0" says what x[0] says
    return [f"x[{place}] {_quoted(name)}" for place, name in enumerate(names)]


def _outputs(names: int | list[str] | None, outputs: int) -> list[str]:
    if isinstance(names, int):
        names = [str(number) for number in range(names)]
        if outputs > 1:
            return []
    if names is None:
        return []
    if outputs == 1 and len(names) == 2:
        return [f"y[0] above its zero point: {_quoted(names[1])}, else {_quoted(names[0])}"]
    return [f"y[{place}] {_quoted(name)}" for place, name in enumerate(names)]


def _quoted(value: Any, indent: int | None = None) -> str:
    """JSON in ASCII, whose escapes keep a comment from ending, another from starting, and a trigraph from standing."""
    text = json.dumps(value, indent=indent).replace("*/", "*\\/").replace("/*", "/\\u002a")
    return text.replace("??", "?\\u003f")
