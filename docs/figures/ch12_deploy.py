"""Chapter 12: one network, four ways out, and what was asked of each; what was not asked here has an open circle."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from plate import WIDTH, Plate

from npquant import IntegerMLP, profiles, quantize_uniform
from npquant.data.sets import load_sets
from npquant.integer.layer import IntegerLayer
from npquant.interop import read, to_c, to_onnx, to_tflite
from npquant.interop.consumers.cc import run_cc, version_cc
from npquant.interop.consumers.litert import run_litert, version_litert
from npquant.interop.consumers.onnxruntime import run_onnxruntime, version_onnxruntime
from npquant.interop.consumers.tflm import run_tflm, version_tflm
from npquant.kernels.multiplier import layer_multiplier
from npquant.measure.evaluate import in_float64
from npquant.report.page.svg import Drawing, number
from npquant.workflow.float_model import bundled_network

BOX, BOXES, MARKS, TALL, APART = 120, 186, 420, 92, 22


@dataclass(frozen=True)
class Check:
    """Hold what one runtime was asked: codes as promised (None: not asked here), and those unlike npquant's."""

    who: str
    profile: str
    same: int | None
    asked: int
    other: int


@dataclass(frozen=True)
class Way:
    """Hold one way out."""

    name: str
    lines: tuple[str, str]
    checks: tuple[Check, ...]


def layer_by_hand(layer: IntegerLayer, row: list[int]) -> list[int]:
    """Compute one layer in plain integers: R9, R6, R10."""
    made = layer_multiplier(layer.x, layer.w, layer.target)
    zx, (low, high), codes = int(layer.x.zero_point), bounds(layer), []
    for column, bias, m, e in zip(layer.w_q.T, layer.bias, made.multiplier, made.shift, strict=True):
        acc = sum((x - zx) * int(w) for x, w in zip(row, column, strict=True)) + int(bias)
        code = ((acc * int(m) + (1 << (30 - int(e)))) >> (31 - int(e))) + int(layer.target.zero_point)
        codes.append(max(low, min(high, code)))
    return codes


def bounds(layer: IntegerLayer) -> tuple[int, int]:
    """The clipped ReLU ends at the codes of 0 and 1."""
    y = layer.target
    if layer.activation == "identity":
        return y.qmin, y.qmax
    return max(y.qmin, int(y.zero_point)), min(y.qmax, int(y.zero_point) + round(1 / float(y.scale)))


def by_hand(net: IntegerMLP, codes: Any) -> Any:
    """Compute the network on a few rows in plain integers."""
    rows = codes.tolist()
    for layer in net.layers:
        rows = [layer_by_hand(layer, row) for row in rows]
    return np.array(rows, np.int8)


def ways(folder: Path) -> tuple[Way, ...]:
    """Write the network in each form, and ask whoever is installed."""
    sets = load_sets(None, seed=0)
    net = quantize_uniform(in_float64(bundled_network()), sets.x_calibration, bits=8)
    x = sets.validation[0]
    codes = net.encode(x)
    own = net.run(codes)

    def check(who: str, profile: str, got: Any, want: Any) -> Check:
        other = int((replace(net, profile=profiles.get(profile)).run(codes) != own).sum())
        return Check(who, profile, None if got is None else int((got == want).sum()), own.size, other)

    def asked(version: Callable[[], str | None], ask: Callable[[], Any]) -> Any:
        return None if version() is None else ask()

    _, source = to_c(net, folder / "net.c")
    to_onnx(net, folder / "net.onnx")
    to_tflite(net, folder / "net.tflite")
    onnx, tflite = folder / "net.onnx", folder / "net.tflite"
    few = by_hand(net, codes[:27])
    logits = asked(version_onnxruntime, lambda: run_onnxruntime(onnx, x))
    return (
        Way(
            "by hand", ("three nested loops", "R9, R6, R10 on plain integers"),
            (Check("Python integers", "npquant", int((few == own[:27]).sum()), few.size, 0),),
        ),
        Way(
            "C99", ("a header and a source", "stdint.h alone, no float"),
            (check("gcc", "npquant", asked(version_cc, lambda: run_cc(source, codes)), own),),
        ),
        Way(
            "ONNX", ("Gemm between Q and DQ", "for onnxruntime and compilers"),
            (check("onnxruntime", "ort", logits, read(onnx).run(x)),),
        ),
        Way(
            "TFLite", ("FULLY_CONNECTED, int8", "one file, two runtimes"),
            tuple(
                check(who, profile, asked(version, ask), read(tflite, profile=profile).run(codes))
                for who, profile, version, ask in (
                    ("LiteRT", "litert_ref_2025", version_litert, lambda: run_litert(tflite, codes, resolver="ref")),
                    ("TFLite-Micro", "tflm", version_tflm, lambda: run_tflm(tflite, codes)),
                )
            ),
        ),
    )  # fmt: skip


def draw_mark(drawing: Drawing, x: float, y: float, found: Check) -> None:
    """Draw a tick, a cross, or the open circle of what was not asked."""
    if found.same is None:
        drawing.circle(x, y, 7, "none", "ln", 2)
    elif found.same == found.asked:
        drawing.path(f"M{number(x - 8)} {number(y)}l6 6l11 -13", "", "blue", 3)
    else:
        drawing.cross(x, y, 6, "orange", 3)


def draw_check(drawing: Drawing, y: float, found: Check) -> None:
    """Write what one runtime was asked."""
    draw_mark(drawing, MARKS, y, found)
    part = "all" if found.same == found.asked else f"{found.same} of"
    said = "not asked here" if found.same is None else f"{part} {found.asked:,} codes as promised"
    drawing.text(MARKS + 22, y - 3, f"{found.who}: {said}", 13, "ink2")
    differing = f"{found.other} unlike npquant's own" if found.other else "npquant's own codes"
    drawing.text(MARKS + 22, y + 15, f"under {found.profile}: {differing}", 12, "orange" if found.other else "mut")


def plates() -> tuple[Plate, ...]:
    """Draw the ways."""
    with TemporaryDirectory() as folder:
        found = ways(Path(folder))
    checks = [one for way in found for one in way.checks]
    assert all(one.same in (None, one.asked) for one in checks)
    assert [one.other > 20 for one in checks] == [False] * 4 + [True]
    drawing = Drawing(WIDTH, 34 + 4 * TALL + 3 * APART + 8)
    for x, words in ((0, "one network"), (BOXES, "four ways out"), (MARKS - 8, "checked how")):
        drawing.text(x, 14, words, 13, "ink", bold=True)
    middle = 34 + 2 * TALL + 1.5 * APART
    drawing.rect(0, middle - 46, BOX, 92, "blue")
    for i, (words, bold) in enumerate((("the digits", True), ("64-64-32-10", False), ("8-bit weights", False))):
        drawing.text(BOX / 2, middle - 16 + 22 * i, words, 13, "on", bold=bold, anchor="m")
    for i, way in enumerate(found):
        top = 34 + (TALL + APART) * i
        y = top + TALL / 2
        bend = f"{BOX + 34} {number(middle)} {BOX + 22} {number(y)} {BOXES - 12} {number(y)}"
        drawing.path(f"M{BOX} {number(middle)}C{bend}", "", "ln", 1.8)
        drawing.path(f"M{BOXES - 4} {number(y)}l-9 -5v10z", "ln")
        drawing.rect(BOXES, top, 208, TALL, "bluef")
        drawing.text(BOXES + 14, top + 27, way.name, 14, "ink", bold=True)
        for j, words in enumerate(way.lines):
            drawing.text(BOXES + 14, top + 50 + 20 * j, words, 13 - j, "ink2")
        for j, one in enumerate(way.checks):
            draw_check(drawing, y + 48 * (j - (len(way.checks) - 1) / 2), one)
    listed = "; ".join(
        f"{one.who} under {one.profile}: {'not asked' if one.same is None else one.same} of {one.asked} as promised, "
        f"{one.other} unlike npquant's own"
        for one in checks
    )
    return (
        Plate(
            "ch12-deploy",
            "Four ways out, and each gives the integers that were promised for it",
            "Codes of 270 validation rows, ten a row (by hand: 27 rows). A tick: asked, and every code is equal.",
            f"A network goes out in four forms. {listed}.",
            drawing,
        ),
    )
