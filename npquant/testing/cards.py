"""A profile's card: its equation, an example worked by hand, where it comes from, and how its relatives differ.

Legend: profile, a and b: records of one arithmetic; name one of `npquant.profiles.names()`; acc accumulator, M
multiplier, sx sw sy scales, zy zero point of the worked example.
"""

from __future__ import annotations

from dataclasses import asdict, fields, is_dataclass
from functools import partial
from textwrap import wrap
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from npquant.kernels.multiplier import FixedMultiplier
from npquant.profiles import get, names
from npquant.profiles.record import Profile
from npquant.profiles.relatives import RELATIVES
from npquant.testing.differences import first_separation, share_of_differences
from npquant.testing.samples import REFUSED, Sample, codes_under, exact_steps, ties_and_rails, uint8_shift

# The worked example: the exact value is a negative tie, but no multiplier holds 1/400 exactly.
EXAMPLE = Sample(np.array([-1000]), 0.5, 0.25, 50.0, 3)
# By the field of the record, what is said of two records that differ in it.
RULES: Final = MappingProxyType(
    {
        "make_multiplier": "how the multiplier is made",
        "output_stage": "the output stage: where it rounds, ties, zero point",
        "add_bias": "how the bias is added",
        "quantize_bias": "how a real bias becomes codes",
        "accumulator": "the accumulator",
        "activation_bounds": "the bounds of a fused activation",
        "weight_zero_point": "the weight zero point",
        "zero_points": "input and output zero points",
        "code_types": "the types of its codes",
        "max_multiplier": "the largest multiplier",
    }
)


def worked_example(profile: Profile) -> list[str]:
    """Work one accumulator through a profile, a line a step: scales, multiplier, exact value, and the code.

    >>> for line in worked_example(get("npquant")):
    ...     print(line)
    acc = -1000, sx = 0.5, sw = 0.25, sy = 50, zy = 3
    m = 1374389535, e = -8: m 2^(e-31) = 0.00250000000051
    exact value acc sx sw / sy = -2.5
    code = 0
    """
    zy = EXAMPLE.zy if profile.zero_points else 0
    sample = Sample(EXAMPLE.acc, EXAMPLE.sx, EXAMPLE.sw, EXAMPLE.sy, zy)
    codes = codes_under(profile, sample)
    exact = float(exact_steps(int(sample.acc[0]), sample.sx, sample.sw, sample.sy))
    answer = REFUSED if codes is None else str(int(codes[0]))
    shift = uint8_shift(profile)
    unsigned = "" if shift == 0 or codes is None else f", {int(codes[0]) + shift} as uint8"
    return [
        f"acc = {sample.acc[0]}, sx = {sample.sx:g}, sw = {sample.sw:g}, sy = {sample.sy:g}, zy = {zy}",
        _multiplier_line(profile.make_multiplier(*(np.float32(s) for s in (sample.sx, sample.sw, sample.sy)))),
        f"exact value acc sx sw / sy = {exact:.12g}",
        f"code = {answer}{unsigned}",
    ]


def _multiplier_line(made: Any) -> str:
    """Say a multiplier in numbers."""
    if isinstance(made, FixedMultiplier):
        return f"m = {made.multiplier}, e = {made.shift}: m 2^(e-31) = {made.real:.12g}"
    if isinstance(made, tuple):
        return "constants " + ", ".join(f"{float(part):.12g}" for part in made)
    return f"M = {float(made):.12g} ({np.asarray(made).dtype})"


def differing_rules(a: Profile, b: Profile) -> list[str]:
    """Name the rules in which two records differ.

    None where they hold the same functions and values: no input can separate such a pair.

    >>> differing_rules(get("tflite_ref"), get("tflite_single"))
    ['the output stage: where it rounds, ties, zero point']
    """
    return [text for name, text in RULES.items() if getattr(a, name) != getattr(b, name)]


def render_card(name: str) -> str:
    """Write the card of one profile, in lines of at most about 100 characters; ValueError if there is none.

    >>> print(render_card("gemmini_f32").splitlines()[0])
    gemmini_f32   Gemmini, default configuration
    """
    profile = get(name)
    layer = {
        "accumulator": _accumulator(profile),
        "weights": f"codes from {profile.weight_qmin}; zero point {_weight_zero_point(profile)}",
        "codes": " and ".join(profile.code_types)
        + ("" if profile.zero_points else ", no zero points")
        + _wide(profile),
    }
    rows = {
        "equation": profile.equation,
        **(layer if profile.has_layers else {"codes": " and ".join(profile.quantize_types)}),
        **({"takes": profile.restriction} if profile.restriction else {}),
        "overflow": profile.conversion,
        "version": profile.version,
        "read from": profile.source,
    }
    for relative in RELATIVES:
        if relative.of == profile.name:
            rows[relative.name] = f"{relative}; {relative.known}"
    lines = [
        f"{profile.name}   {profile.engine}",
        "",
        *(line for title, text in rows.items() for line in _wrapped(text, f"  {title:<12}", " " * 14)),
        "",
        "  how each operator is known",
        *_known(profile),
    ]
    if profile.has_layers and not profile.restriction:
        lines += _layer_lines(profile)
    return "\n".join(lines) + "\n"


def _layer_lines(profile: Profile) -> list[str]:
    """Work an example by hand, and compare with the relatives: for engines that have layers."""
    return [
        "",
        "  worked by hand",
        *(f"    {line}" for line in worked_example(profile)),
        "",
        "  relatives, nearest first (share of outputs beside ties and rails that differ)",
        *(line for text in _relatives(profile) for line in _wrapped(text, "    ", "      ")),
    ]


def _known(profile: Profile) -> list[str]:
    """Lay out the cells of a profile, an operator a line."""
    return [
        line
        for operator, known in profile.knowledge.cells()
        for line in _wrapped(str(known), f"    {operator:<16}", " " * 20)
    ]


def _wrapped(text: str, first: str, rest: str) -> list[str]:
    """Break a text into lines of at most 100 characters."""
    return wrap(text, 100, initial_indent=first, subsequent_indent=rest, break_long_words=False)


def _wide(profile: Profile) -> str:
    """Say which biases stand beside int16 inputs."""
    if not profile.wide_stages:
        return ""
    return f"; int16 with biases of {' or '.join(dict.fromkeys(stage.bias for stage in profile.wide_stages))}"


def _accumulator(profile: Profile) -> str:
    return {
        "exact": "int32, proven or refused: it never wraps",
        "wrap": "int32, wraps",
        "pair16": "int32 of uint8 x int8 pairs that saturate to int16; otherwise int32, wraps",
    }[profile.accumulator]


def _weight_zero_point(profile: Profile) -> str:
    return {
        "honoured": "honoured",
        "per_tensor": "honoured per tensor, ignored by the engine per channel (so refused here)",
        "uint8": "must be 0 unless the weights are uint8",
        "zero": "must be 0",
    }[profile.weight_zero_point]


def _relatives(profile: Profile) -> list[str]:
    """Describe the five nearest profiles: on what they differ, and the first case that shows it."""
    samples = ties_and_rails(np.random.default_rng(0), 48, 400)
    own = [codes_under(profile, sample) for sample in samples]
    others = [get(other) for other in names() if other != profile.name]
    shares = [share_of_differences(own, [codes_under(other, s) for s in samples]) or 0.0 for other in others]
    lines = []
    for i in np.argsort(shares, kind="stable")[:5]:
        other, share = others[i], shares[i]
        rules = differing_rules(profile, other)
        same = "nothing: the same rules" if profile.wide_stages == other.wide_stages else "layers of int16 codes alone"
        lines.append(f"{other.name} ({share:.2%}): differs on {'; '.join(rules) or same}")
        found = first_separation(profile, other)
        if found is not None:
            lines.append(f"  first separating case: {found}")
        elif rules:
            lines.append("  no accumulator beside a tie or a rail separates their requantization")
    return lines


def record_as_json(profile: Profile) -> dict[str, object]:
    """Describe a profile in JSON's types; functions by their names.

    >>> record_as_json(get("ort"))["accumulator"]
    'wrap'
    """
    known = {operator: asdict(cell) for operator, cell in profile.knowledge.cells()}
    return {name: _in_json(getattr(profile, name)) for name in profile.__dataclass_fields__} | {"knowledge": known}


def _in_json(value: Any) -> Any:
    """Return a record in a record as a dict, a tuple as a list, a function as its name, with what it was given."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: _in_json(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, (tuple, list)):
        return [_in_json(one) for one in value]
    if isinstance(value, partial):
        return f"{value.func.__name__}({', '.join(f'{name}={given}' for name, given in value.keywords.items())})"
    return value.__name__ if callable(value) else value
