"""The lines of the page that real targets have: RMSE and R2 where classes have accuracy.

Legend: values numbers, one an output, written with so many significant digits; report, budget, models, dynamic parts of
report.json; near a candidate, entry an export in its runtime. Values by output stand between slashes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from npquant.budget.rise import read_rise
from npquant.report.text_layout import joined, labelled, table


def by_output(values: Iterable[float | None], digits: int = 4) -> str:
    """Write a value an output, a dash where there is none; of more than three outputs the least and the largest.

    >>> by_output([0.123456, None, 1e-6]), by_output([4.0, 1.0, 2.0, 3.0])
    ('0.1235/-/1e-06', '1..4')
    """
    listed = list(values)
    known = [value for value in listed if value is not None]
    if len(listed) > 3 and known:
        return f"{min(known):.{min(digits, 3)}g}..{max(known):.{min(digits, 3)}g}"
    return "/".join("-" if value is None else f"{value:.{digits}g}" for value in listed)


def p_values(values: Iterable[float]) -> str:
    """Write the p of the worst output.

    >>> p_values([0.5, 0.00001])
    '<.0001'
    """
    p = min(values)
    return "<.0001" if p < 0.0001 else f"{p:.4f}"


def real_data(report: dict[str, Any]) -> str:
    """Say how many targets a row has."""
    outputs = len(report["models"][0]["validation"]["rmse"])
    return f"{outputs} real target{'s' * (outputs != 1)}"


def found_rise(budget: dict[str, Any]) -> tuple[list[str], list[str]]:
    """Return what was asked of RMSE, and the lines of what was lost."""
    outputs = budget["rise"]["outputs"]
    allowed = by_output((one["allowed"] for one in outputs), 3)
    lost = labelled(
        "lost",
        f"RMSE {by_output(one['before'] for one in outputs)} before, "
        f"{by_output(one['after'] for one in outputs)} after, "
        f"95 % interval of the rise {by_output((one['low'] for one in outputs), 3)} to "
        f"{by_output((one['high'] for one in outputs), 3)}",
    )
    return [f"RMSE up by at most {allowed}, {read_rise(budget['max_rmse_rise'])}"], lost


def compared_errors(report: dict[str, Any], step: int) -> list[str]:
    """Lay out the comparisons of a step."""
    rmse = {model["name"]: model["validation"]["rmse"] for model in report["models"]}
    rows = [
        (
            f"{entry['reference']} -> {entry['candidate']}",
            by_output(rmse[entry["reference"]]),
            by_output(rmse[entry["candidate"]]),
            p_values(entry["paired"]["p"]),
            f"{100 * entry['deviation']:.2f}",
            " ".join("exact" if value is None else f"{value:.1f}" for value in entry.get("sqnr_db", [])),
        )
        for entry in report["comparisons"]
        if entry["step"] == step
    ]
    return table(("before -> after", "RMSE", "after", "p", "deviation %", "SQNR dB by layer"), rows)


def model_errors(models: list[dict[str, Any]]) -> list[str]:
    """Lay out all networks."""
    rows = [
        (
            model["name"],
            joined(model["bits"]),
            "-".join(map(str, model["neurons"])),
            f"{model['bytes']:,}",
            f"{models[0]['bytes'] / model['bytes']:.1f}x",
            f"{model['macs']:,}",
            by_output(model["validation"]["rmse"]),
            by_output(model["test"]["rmse"]),
            by_output(model["test"]["r2"]),
        )
        for model in models
    ]
    head = ("model", "bits", "neurons", "bytes", "smaller", "MACs", "valid. RMSE", "test RMSE", "test R2")
    return table(head, rows, text_columns=3)


def dynamic_errors(dynamic: dict[str, Any]) -> str:
    """Say what the dynamic twin answers."""
    return (
        f"test RMSE {by_output(dynamic['test']['rmse'])}, R2 {by_output(dynamic['test']['r2'])}, "
        f"deviation {100 * dynamic['deviation']:.2f} % (deployed {100 * dynamic['static_deviation']:.2f} %)"
    )


def target_difference(entry: dict[str, Any]) -> str:
    """Say how far an export lies from deployed.npz."""
    return f"{entry['largest_difference']:.3g}"


def nearest_rise(near: dict[str, Any]) -> str:
    """Say what the nearest candidate loses."""
    return f"RMSE up by {by_output(near['rmse_rise'], 3)}"
