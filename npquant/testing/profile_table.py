"""The page docs/profile-table.md: how often every two profiles differ, counted afresh and printed as Markdown.

Run: python -m npquant.testing.profile_table > docs/profile-table.md
Legend: a group is a class of profiles that requantize alike; a share in [0, 1] is a part of the outputs that neither
profile refuses, times unit: 1e6 for parts per million, 100 for per cent; likely and edges the samples (R accumulators
each) that the first and the second table count on.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from npquant.profiles import get, names
from npquant.profiles.record import Profile
from npquant.testing.differences import alike, difference_table
from npquant.testing.samples import Sample, realistic, ties_and_rails

LEFT, RIGHT = ":--", "--:"
INTRODUCTION = """\
# How often two profiles differ

This page is printed by `python -m npquant.testing.profile_table`, and a test fails when the page and the program part.
[Profiles](profiles.md) explains each difference; [Off by one?](off-by-one.md) starts from a symptom.

The tables count requantization alone: the same int32 accumulators and float32 scales go to both profiles, and the
output codes are compared. Accumulation (pairs that saturate to int16), activation bounds, `quantize` and `dequantize`
are outside them. An engine that takes uint8 alone gets the same numbers 128 higher. Where an engine has no zero points,
or refuses a multiplier, the share is over the outputs that both give.

## Classes

Profiles whose records hold the same multiplier, the same output stage and the same bias rule are one function here: no
accumulator separates them, and they share one column. They may still differ in what they accept, how they accumulate
and how they bound an activation (`npquant profiles NAME`).
"""


def requantization_classes(profiles: Sequence[Profile]) -> list[list[Profile]]:
    """Group profiles whose records share multiplier, output stage and bias rule, in order of first appearance.

    Their codes are equal wherever both engines take the layer.

    >>> [[p.name for p in group] for group in requantization_classes([get("ort"), get("fbgemm"), get("gemmini_f32")])]
    [['ort', 'gemmini_f32'], ['fbgemm']]
    """
    return alike(profiles, lambda p: (p.make_multiplier, p.output_stage, p.add_bias))


def representative(group: Sequence[Profile]) -> Profile:
    """Choose the member that refuses least: zero points, both code types, the widest multipliers; then the first.

    >>> representative([get("gemmini_f32"), get("xnnpack_fp32"), get("ort")]).name
    'ort'
    """
    return max(group, key=lambda p: (p.zero_points, len(p.code_types), p.max_multiplier))


def share_as_text(share: float | None, unit: float) -> str:
    """Write a share to three significant digits, "0" for a count of none alone, "-" where there is nothing to compare.

    >>> share_as_text(0.0, 100), share_as_text(0.00007, 100), share_as_text(0.1414, 100), share_as_text(None, 100)
    ('0', '0.007', '14.1', '-')
    """
    if share is None:
        return "-"
    value = share * unit
    return "0" if value == 0 else f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]], align: str) -> list[str]:
    """Lay out a Markdown table, the lines of header and rows: the first column left, the others by align.

    >>> markdown_table(["a", "b"], [["x", "1"]], RIGHT)
    ['| a | b |', '| :-- | --: |', '| x | 1 |']
    """
    rule = [LEFT, *[align] * (len(header) - 1)]
    return [f"| {' | '.join(cells)} |" for cells in (header, rule, *rows)]


def page_samples() -> tuple[list[Sample], list[Sample]]:
    """Draw a million realistic outputs, and 120,000 beside ties and at the rails; the same at every call."""
    return realistic(np.random.default_rng(0), 100, 10_000), ties_and_rails(np.random.default_rng(1), 300, 400)


def render_page(likely: Sequence[Sample], edges: Sequence[Sample]) -> str:
    """Count all differences and write the page as Markdown; the committed one is of `page_samples`."""
    groups = requantization_classes([get(name) for name in names()])
    chosen = [representative(group) for group in groups]
    keys = [str(i + 1) for i in range(len(groups))]
    counts = [sum(sample.acc.size for sample in samples) for samples in (likely, edges)]

    def shares(title: str, text: str, table: list[list[float | None]], unit: float) -> list[str]:
        rows = [
            [f"{key} {group[0].name}", *("" if i == j else share_as_text(v, unit) for j, v in enumerate(row))]
            for i, (key, group, row) in enumerate(zip(keys, groups, table, strict=True))
        ]
        return ["", f"## {title}", "", text, "", *markdown_table(["", *keys], rows, RIGHT)]

    legend = [[key, ", ".join(f"`{p.name}`" for p in group)] for key, group in zip(keys, groups, strict=True)]
    first = f"""Parts per million of {counts[0]:,} outputs: 100 sets of scales with a multiplier of 1e-4 to 1e-2,
accumulators that spread the outputs over the code range, half of the zero points 0. 0 is a count, not a proof."""
    second = f"""Per cent of {counts[1]:,} outputs. Each accumulator lies on, just below or just above k + 1/2 output
steps, a third of the sets with a power of two for a multiplier (from 1e-6 to 4); and 0.6 % are the ends of int32 and of
float32's exact integers, under multipliers from 2^-30 to 300. These find a wrong rule; they do not say how often it
shows."""
    lines = [
        *INTRODUCTION.splitlines(),
        "",
        *markdown_table(["column", "profiles"], legend, LEFT),
        *shares("Realistic outputs", first, difference_table(chosen, likely), 1e6),
        *shares("Beside ties, and at the rails", second, difference_table(chosen, edges), 100),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(render_page(*page_samples()), end="")
