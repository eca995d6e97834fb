"""Who computes the same integers, who does not, and who refuses the network; what was written and who ran it.

Legend: report the whole; same, other and refusing counts of arithmetics.
"""

from __future__ import annotations

from html import escape
from typing import Any

from npquant.report.page.words import MINUS, short_duration, spelled, whole

_GROUPS = (("=", "blue-words"), ("\N{NOT EQUAL TO}", "orange-words"), (MINUS, ""))


def engines_title(same: int, other: int) -> str:
    """Say how many arithmetics agree with npquant's.

    >>> engines_title(12, 4)
    'Twelve arithmetics give the same integers, four do not'
    >>> engines_title(12, 0)
    'All twelve arithmetics that take it give the same integers'
    >>> engines_title(1, 3)
    "No other arithmetic gives npquant's integers: three differ"
    """
    if same == 1 and other:
        return f"No other arithmetic gives npquant's integers: {spelled(other)} differ{'s' * (other == 1)}"
    if same == 1:
        return "No other arithmetic takes this network"
    if not other:
        return f"All {spelled(same)} arithmetics that take it give the same integers"
    words = f"{spelled(same)} arithmetics give the same integers"
    return f"{words[0].upper()}{words[1:]}, {spelled(other)} do{'es' * (other == 1)} not"


def engines(report: dict[str, Any]) -> str:
    """Write three lists of names."""
    found = report["pictures"]["engines"]
    profiles = found["profiles"]
    same = [one["name"] for one in profiles if one["differing"] == 0]
    other = [one for one in profiles if one["differing"]]
    refusing = [one["name"] for one in profiles if one["refused"]]
    heads = [
        f"{whole(len(same))} give the same {whole(found['codes'])} output codes",
        _differ(other),
        f"{whole(len(refusing))} refuse{'s' * (len(refusing) == 1)} this network; report.json says why",
    ]
    blocks = ""
    for names, head, (sign, hue) in zip((same, [one["name"] for one in other], refusing), heads, _GROUPS, strict=True):
        if names:
            items = "".join(f'<span class="mono"><b class="{hue}">{sign}</b>{escape(name)}</span>' for name in names)
            blocks += f'<h4 class="{hue}">{head}</h4><div class="marks">{items}</div>'
    asked = (
        f"the deployed network under {whole(len(profiles))} engines' arithmetics, on {whole(found['rows'])} test rows"
    )
    sub = f"Integers alone: {asked}. npquant's own comes first."
    title = engines_title(len(same), len(other))
    return f'<div class="block" id="engines"><h3>{title}</h3><p class="sub">{sub}</p><div>{blocks}</div></div>'


def _differ(other: list[dict[str, Any]]) -> str:
    if not other:
        return ""
    codes, rows, largest = (max(one[name] for one in other) for name in ("differing", "predictions", "largest"))
    apart = f"by up to {whole(largest)} code{'s' * (largest != 1)}"
    wrong = f"{whole(rows)} prediction{'s' * (rows != 1)}"
    return f"{whole(len(other))} differ in up to {whole(codes)} codes, {apart}, and in {wrong}"


def exports(report: dict[str, Any]) -> str:
    """Write a table of the files, and how each was checked."""
    deployment = report["deployment"]
    rows = [
        ("float.npz", deployment["files"]["float.npz"], "as it was given"),
        (
            "deployed.npz",
            deployment["files"]["deployed.npz"],
            f"read back: same codes on {whole(deployment['proof']['rows'])} rows",
        ),
    ]
    rows += [(f"{one['target']} in {one['engine']}", one["bytes"], _checked(one)) for one in deployment["targets"]]
    lines = "".join(
        f'<tr><td class="mono">{escape(name)}</td><td class="num">{"" if size is None else whole(size)}</td>'
        f'<td class="quiet">{escape(said)}</td></tr>'
        for name, size, said in rows
    )
    wrong = deployment["differing_targets"]
    ran = [one["equal"] for one in deployment["targets"]]
    title = exports_title(sum(bool(equal) for equal in ran), len(wrong), ran.count(None))
    head = '<tr><th>file</th><th class="num">bytes</th><th>checked</th></tr>'
    return (
        f'<div class="block wide" id="exports"><h3>{title}</h3><p class="sub">Hashes stand in report.json.</p>'
        f'<table class="files"><thead>{head}</thead><tbody>{lines}</tbody></table></div>'
    )


def exports_title(equal: int, wrong: int, silent: int) -> str:
    """Say what came of the exports: `equal` runs that gave every byte, `wrong` ones that did not, `silent` not made.

    >>> exports_title(6, 0, 0), exports_title(0, 0, 0)
    ('Written, run and equal in every byte', 'Written, read back and equal')
    >>> exports_title(6, 0, 2)
    'Six of eight exports ran, equal in every byte'
    >>> exports_title(5, 1, 0)
    'One export answers otherwise than it must'
    """
    if wrong:
        one = "export answers otherwise than it must" if wrong == 1 else "exports answer otherwise than they must"
        return f"{spelled(wrong).capitalize()} {one}"
    if equal and silent:
        return f"{spelled(equal).capitalize()} of {spelled(equal + silent)} exports ran, equal in every byte"
    return "Written, run and equal in every byte" if equal else "Written, read back and equal"


def _checked(one: dict[str, Any]) -> str:
    if one["equal"] is None:
        return str(one["reason"])
    right = one["outputs"] - one["differing"]
    took = one["measured"]["seconds"]
    time = f"; {' '.join(short_duration(took))} a row" if took else ""
    return f"{whole(right)} of {whole(one['outputs'])} answers equal{time}"
