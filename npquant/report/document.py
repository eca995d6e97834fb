"""The report: its keys, its rounding, its bytes. `report.schema.json` says the same to a program.

Everything but `environment`, `steps[].seconds`, `deployment.latency` and `deployment.targets[].measured` is the same on
a second run.

Legend: report the content of report.json, as `run_workflow` returns it.
"""

from __future__ import annotations

import json
import platform
from importlib import resources
from math import isfinite
from typing import Any, Final

import numpy as np

from npquant.version import __version__

SCHEMA: Final = "npquant.report/1"
DIGITS: Final = 9


def rounded(value: Any) -> Any:
    """Bring a value to what JSON holds, the same on every machine: None, bool, int, float, str, list or dict.

    `value` is any nesting of these, of NumPy scalars and of tuples. Floats get nine significant digits, so that the
    last bits of a sum do not show; NaN and inf become null. TypeError if a value is of another type.

    >>> rounded({"a": (np.float64(1 / 3), float("inf"), np.int64(2))})
    {'a': [0.333333333, None, 2]}
    """
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}") if isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(item) for item in value]
    if value is None or isinstance(value, bool | int | str):
        return value
    raise TypeError(f"a report holds numbers, text, lists and dicts, not {type(value).__name__}")


def encode_report(report: dict[str, Any]) -> bytes:
    """Write a report as JSON: ASCII, keys in the order given, indented by two, a newline at the end.

    ValueError if a float is NaN or infinite, TypeError if a value is of a type that JSON does not have: `rounded`
    first.

    >>> encode_report({"schema": "npquant.report/1"})
    b'{\\n  "schema": "npquant.report/1"\\n}\\n'
    """
    return json.dumps(report, indent=2, allow_nan=False).encode("ascii") + b"\n"


def load_schema() -> dict[str, Any]:
    """Load the JSON schema of report.json, draft 2020-12; every object is closed: an unknown key is an error."""
    text = (resources.files("npquant.report") / "report.schema.json").read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


def environment() -> dict[str, str]:
    """Name the versions that ran: npquant's, Python's and NumPy's."""
    return {"npquant": __version__, "python": platform.python_version(), "numpy": np.__version__}


def timeless(report: dict[str, Any]) -> dict[str, Any]:
    """Copy a report without what the clock and the machine put into it: the part that is equal on a second run.

    >>> timeless({"environment": {}, "steps": [{"number": 1, "seconds": 0.1}], "deployment": {"latency": []}})
    {'steps': [{'number': 1}], 'deployment': {}}
    """
    kept = {key: value for key, value in report.items() if key != "environment"}
    kept["steps"] = [{key: value for key, value in step.items() if key != "seconds"} for step in report["steps"]]
    kept["deployment"] = {key: value for key, value in report["deployment"].items() if key != "latency"}
    if "targets" in kept["deployment"]:
        kept["deployment"]["targets"] = [
            {key: value for key, value in target.items() if key != "measured"}
            for target in kept["deployment"]["targets"]
        ]
    return kept
