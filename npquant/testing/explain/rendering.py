"""An explanation as text in seven parts, as plain data, as a Python script, as C arrays.

Legend: told an explanation; its finding is the shrunk one, found the one that the runner met; codes any array, typed
whether its dtype is told; p quantization parameters; layout how an operand lies; name of a profile.
"""

from __future__ import annotations

import hashlib
import platform
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from npquant.profiles import get
from npquant.testing import backend as kinds
from npquant.testing.case import Case, expected
from npquant.testing.explain.diagnose import Diagnosis
from npquant.testing.explain.explanation import Explanation
from npquant.testing.explain.literals import c_array, c_params, case_literal
from npquant.testing.explain.trace import lines_of_value
from npquant.testing.judge import Finding
from npquant.version import __version__, numerics_version

# Operand elements up to which arrays are written out in a text report.
FEW: Final = 64
# Explanations that are named; the others are counted.
MOST_NAMED: Final = 4


def text(told: Explanation) -> str:
    """Return the report: what, where, why, and how to run it again."""
    parts = [headline(told)]
    if told.trace is not None:
        i, j = told.trace.index
        layer = f" of layer {told.trace.layer}" if told.trace.layer else ""
        parts.append([f"Stages of y[{i}, {j}]{layer}", *told.trace.lines()])
    finding = told.finding
    if finding.case.op == "quantize" and finding.got is not None and finding.index:
        rows = lines_of_value(finding.case, finding.index, int(finding.got[finding.index]))
        parts.append([f"Stages of y{list(finding.index)}", *rows])
    parts.append(["Diagnosis", *said_of_diagnoses(told)])
    if told.pattern.lines():
        parts.append(["Pattern", *told.pattern.lines()])
    parts.append(["Size", size_of(told)])
    parts.append(["To run it again", *again(told)])
    parts.append(["Made by", made_by(told)])
    return "\n\n".join("\n".join([rows[0], *(f"  {row}" for row in rows[1:])]) for rows in parts) + "\n"


def headline(told: Explanation) -> list[str]:
    """Return who is wrong about what, and the case on three lines: input, weights, output."""
    finding = told.finding
    case, layers = finding.case, finding.case.model.layers
    what = f"{case.op} under {case.model.profile}, class {told.found.case.group}: {told.found.kind}"
    if finding.index and finding.got is not None and finding.want is not None:
        got, want = int(finding.got[finding.index]), int(finding.want[finding.index])
        what += f"; y{list(finding.index)} is {got}, {want} is due ({got - want:+d})"
    elif told.found.detail:
        what += f"; {told.found.detail}"
    rows = [what, f"x  {shown(case.x_q)}, {said(layers[0].x)}{laid(case.x_layout)}"]
    if case.op == "linear":
        for layer in layers:
            bias = "no bias" if layer.bias is None else f"bias {shown(layer.bias, typed=False)}"
            more = "" if layer.activation == "none" else f", {layer.activation}"
            rows.append(f"w  {shown(layer.w_q)}, {said(layer.w)}, {bias}{more}{laid(case.w_layout)}")
    rows.append(f"y  {_answer(finding)}, {said(layers[-1].y)}")
    return [*rows, *sequence(told)]


def sequence(told: Explanation) -> list[str]:
    """Say what must come before the question."""
    case, rows = told.finding.case, []
    if told.before:
        same = told.before[0] is case and len(told.before) == 1
        count = f"{len(told.before)} other question{'s' * (len(told.before) > 1)}"
        rows.append("asked twice: the second answer is wrong" if same else f"after {count}: see the script")
    elif told.unstable:
        rows.append("smaller cases were wrong once and right when asked again: something is kept from call to call")
    if case.earlier:
        shapes = ", ".join(str(codes.shape) for codes in case.earlier)
        rows.append(f"after runs of the same model on {shapes}" + (", in the same memory" if case.same_buffer else ""))
    if case.neighbour is not None:
        rows.append("after another model was prepared and run")
    return rows


def _answer(finding: Finding) -> str:
    due = "a refusal" if finding.case.status == "must_reject" else "nothing to compare"
    if finding.want is not None:
        due = shown(finding.want)
    got = "no codes" if finding.got is None else shown(finding.got)
    return f"{got}, due {due}"


def shown(codes: NDArray[Any], typed: bool = True) -> str:
    """Return an array on one line; of a large one only its shape.

    >>> shown(np.array([[1, -2]], np.int8)), shown(np.zeros((9, 9), np.int8))
    ('[[1, -2]] int8', '(9, 9) int8')
    """
    numbers = str(codes.tolist()) if codes.size <= FEW // 4 else str(codes.shape)
    return f"{numbers} {codes.dtype}" if typed else numbers


def said(p: Any) -> str:
    """Return scale and zero point in words."""
    scale = np.asarray(p.scale)
    numbers = f"{scale:.9g}" if not scale.ndim else shown(scale, typed=False)
    zero = np.asarray(p.zero_point)
    return f"scale {numbers}, zero point {shown(zero, typed=False)}"


def laid(layout: str) -> str:
    """Return how an operand lies in memory, if not in C order."""
    return "" if layout == "c" else f", layout {layout}"


def said_of_diagnoses(told: Explanation) -> list[str]:
    """Return what reproduces everything; else the closest, and that nothing does."""
    if told.diagnoses:
        first, others = told.diagnoses[0], told.diagnoses[1:]
        met = f"; met in {first.met}" if first.met else ""
        share = f"all {first.of} cases" if first.complete else f"{first.agreed} of {first.of} cases"
        seen = "what was seen" if first.of == 1 else f"{share} seen, right and wrong"
        rows = [first.says, f"{first.name} reproduces {seen}{met}"]
        if not first.complete:
            rows.append("the others are wrong in some other way: there may be a second bug")
        if others:
            rows.append(f"not told apart from it by these cases: {_named(others)}")
        return rows
    rows = ["no known bug and no other profile reproduces everything that was seen"]
    if told.found.kind == kinds.FLAKY:
        rows.append("the answer changes from call to call: threads, memory that is not set, or something kept")
    for near in told.closest:
        rows.append(f"closest: {near.name}, {near.agreed} of {near.of} cases")
    return rows


def _named(diagnoses: tuple[Diagnosis, ...]) -> str:
    names = ", ".join(d.name for d in diagnoses[:MOST_NAMED])
    more = len(diagnoses) - MOST_NAMED
    return names + (f", and {more} more" if more > 0 else "")


def size_of(told: Explanation) -> str:
    """Return operand elements before and after, and how many questions that took."""
    before, after = told.found.case.elements, told.finding.case.elements
    return f"{before} operand elements, shrunk to {after} by {told.calls} questions"


def again(told: Explanation) -> list[str]:
    """Return the call of the runner, and, of a small case, script and C arrays."""
    case = told.finding.case
    classes = f"classes=[{told.found.case.group!r}]"
    rows = [f"run(backend, profile={case.model.profile!r}, tier={told.tier!r}, seed={told.seed}, {classes})"]
    if case.elements > FEW:
        return [*rows, "the case is large: .script() and .c_snippet() write it out"]
    rows += ["", *script(told).splitlines()]
    return rows + (["", *c_snippet(told).splitlines()] if case.status == "valid" else [])


def made_by(told: Explanation) -> str:
    """Return versions, seed, and the digest of the profile's numerics."""
    profile = told.finding.case.model.profile
    return (
        f"npquant {__version__} (numerics {numerics_version}), NumPy {np.__version__}, "
        f"Python {platform.python_version()}, tier {told.tier}, seed {told.seed}, "
        f"profile {profile} {profile_hash(profile)}"
    )


def profile_hash(name: str) -> str:
    """Return the first digits of the SHA-256 of what a profile's record says, and of the version of its numerics."""
    record = get(name)
    said = (record.name, record.engine, record.version, record.source, record.equation, numerics_version)
    return hashlib.sha256("\n".join(said).encode()).hexdigest()[:12]


def as_json(told: Explanation) -> dict[str, Any]:
    """Return the same as plain data: what json.dumps takes."""
    finding, t = told.finding, told.trace
    case = finding.case
    return {
        "headline": headline(told)[0],
        "op": case.op,
        "profile": case.model.profile,
        "class": told.found.case.group,
        "kind": told.found.kind,
        "detail": told.found.detail,
        "index": list(finding.index),
        "got": None if finding.got is None else finding.got.tolist(),
        "want": None if finding.want is None else finding.want.tolist(),
        "case": case_literal(case),
        "before": [case_literal(step) for step in told.before],
        "stages": None
        if t is None
        else {
            "products": [list(product) for product in t.products],
            "sum": t.total,
            "bias": t.bias,
            "accumulator": t.acc,
            "exact": str(t.exact),
            "beside_tie": str(t.beside_tie),
            "rounded": t.rounded,
            "zero_point": t.zero_point,
            "bounds": [t.low, t.high],
            "want": t.want,
            "got": t.got,
            "explained": [list(pair) for pair in t.explained],
        },
        "diagnoses": [_as_data(d) for d in told.diagnoses],
        "closest": [_as_data(d) for d in told.closest],
        "pattern": told.pattern.lines(),
        "size": {"before": told.found.case.elements, "after": case.elements, "questions": told.calls},
        "script": script(told),
        "c": c_snippet(told) if case.status == "valid" else None,
        "made_by": made_by(told),
    }


def _as_data(d: Diagnosis) -> dict[str, Any]:
    return {"name": d.name, "says": d.says, "met": d.met, "agreed": d.agreed, "of": d.of}


def script(told: Explanation) -> str:
    """Return a Python script that makes the case of literals, asks a backend, and prints got and want."""
    case = told.finding.case
    same = bool(told.before) and all(step is case for step in told.before)
    steps = "(case,)" if same else "(" + "".join(f"\n    {case_literal(step)}," for step in told.before) + ")"
    lines = [
        "# Run as: python case.py module:backend",
        *(f"# {part}" for part in headline(told)[0].split("; ")),
        "import sys",
        "from importlib import import_module",
        "",
        "import numpy as np",
        "",
        "from npquant import QuantParams",
        "from npquant.testing.ask import ask",
        f"from npquant.testing.case import Case, Layer, Model{_raw(case)}, expected",
        "from npquant.testing.trial import as_backend",
        "",
        f"case = {case_literal(case)}",
        f"before = {steps}",
        f"want = {_wanted(case)}",
        'print("want", want)',
        "if len(sys.argv) > 1:",
        '    sys.path.insert(0, ".")',
        '    module, _, name = sys.argv[1].partition(":")',
        "    backend = as_backend(getattr(import_module(module), name), case.model.profile)",
        "    for step in before:",
        "        ask(backend, step)",
        "    got = ask(backend, case)",
        '    print("got ", got.kind if got.value is None else got.value.tolist(), got.detail)',
    ]
    return "\n".join(lines) + "\n"


def _raw(case: Case) -> str:
    return "" if case.status == "valid" else ", RawParams"


def _wanted(case: Case) -> str:
    return '"a refusal"' if case.status == "must_reject" else "expected(case).tolist()"


def c_snippet(told: Explanation) -> str:
    """Return the case as C99 definitions: operands, parameters, and the codes that are due."""
    case = told.finding.case
    lines = ["#include <math.h>", "#include <stdint.h>", ""]
    lines += [f"/* {part.replace('*/', '* /')} */" for part in headline(told)[0].split("; ")]
    lines.append(c_array("x_q", case.x_q))
    lines += c_params("x", case.model.layers[0].x)
    for i, layer in enumerate(case.model.layers if case.op == "linear" else ()):
        end = str(i) if len(case.model.layers) > 1 else ""
        lines.append(c_array(f"w_q{end}", layer.w_q))
        lines += c_params(f"w{end}", layer.w)
        if layer.bias is not None:
            lines.append(c_array(f"bias{end}", layer.bias))
        lines += c_params(f"y{end}", layer.y)
        if layer.activation != "none":
            lines.append(f"/* then {layer.activation} */")
    with np.errstate(all="ignore"):
        lines.append(c_array("want", expected(case)))
    return "\n".join(lines) + "\n"
