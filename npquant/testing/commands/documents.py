"""A verdict for programs: JSON by a schema, and JUnit's XML with a test case for each class.

Legend: verdict a trial's; expected the reasons of classes that are known to fail, by class; document the JSON form.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree

from npquant.testing.case_data import as_data
from npquant.testing.commands.output import exit_code, surprises, unexpected
from npquant.testing.explain.counterexample import Counterexample
from npquant.testing.verdict import ClassResult, Verdict
from npquant.version import __version__, numerics_version

SCHEMA: Final = 1
# What XML 1.0 cannot hold.
_UNPRINTABLE: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def as_document(verdict: Verdict, expected: Mapping[str, str]) -> dict[str, Any]:
    """Return a verdict as plain data, as trial.schema.json describes it; explains each failure that is not expected."""
    return {
        "schema": SCHEMA,
        "npquant": __version__,
        "numerics": str(numerics_version),
        "backend": verdict.backend,
        "profile": verdict.profile,
        "tier": verdict.tier,
        "seed": verdict.seed,
        "passed": exit_code(verdict, expected) == 0,
        "exit_code": exit_code(verdict, expected),
        "cases": verdict.cases,
        "questions": sum(result.calls for result in verdict.classes),
        "seconds": round(verdict.seconds, 3),
        "first_failure_after": verdict.first_failure_after,
        "classes": [_class_data(result, expected) for result in verdict.classes],
        "unexpected_passes": surprises(verdict, expected),
        "failures": [_failure_data(failure) for failure in unexpected(verdict, expected)],
    }


def _class_data(result: ClassResult, expected: Mapping[str, str]) -> dict[str, Any]:
    known = bool(result.findings) and result.name in expected
    return {
        "name": result.name,
        "subject": result.subject,
        "result": "expected" if known else result.state.lower(),
        "cases": result.cases,
        "questions": result.calls,
        "not_asked": dict(result.skipped),
        "expected": expected.get(result.name),
    }


def _failure_data(failure: Counterexample) -> dict[str, Any]:
    return {
        "class": failure.group,
        "kind": failure.kind,
        "found": as_data(failure.found.case),
        "small": as_data(failure.case),
        "before": [as_data(case) for case in failure.before],
        "text": failure.text(),
        "report": failure.as_json(),
    }


def write_document(path: str, verdict: Verdict, expected: Mapping[str, str]) -> None:
    """Write the JSON form to a path."""
    text = json.dumps(as_document(verdict, expected), indent=1, allow_nan=False)
    Path(path).write_text(text + "\n", encoding="utf-8")


def read_document(path: str) -> dict[str, Any]:
    """Return the JSON form that stands at a path; ValueError if it is none, or of a newer schema."""
    try:
        document = json.loads(Path(path).read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is no report: {error}") from error
    if not isinstance(document, dict) or not {"schema", "failures", "exit_code"} <= set(document):
        raise ValueError(f"{path} is no report of a trial: `run --report` writes one")
    if document["schema"] != SCHEMA:
        raise ValueError(f"{path} has schema {document['schema']}; this version reads {SCHEMA}")
    return document


def write_junit(path: str, verdict: Verdict, expected: Mapping[str, str]) -> None:
    """Write JUnit's XML to a path: a test case a class, skipped where nothing was asked or a failure is known."""
    failures = {failure.group: failure for failure in unexpected(verdict, expected)}
    wrong = set(failures) | set(surprises(verdict, expected))
    skipped = [r for r in verdict.classes if r.name not in wrong and not r.passed]
    counts = {"tests": len(verdict.classes), "failures": len(wrong), "errors": 0, "skipped": len(skipped)}
    attributes = {key: str(value) for key, value in counts.items()} | {"time": f"{verdict.seconds:.3f}"}
    suites = ElementTree.Element("testsuites", attributes)
    suite = ElementTree.SubElement(suites, "testsuite", {"name": f"npquant.{verdict.tier}", **attributes})
    for result in verdict.classes:
        place = f"npquant.{verdict.profile}.{verdict.backend}"
        case = ElementTree.SubElement(suite, "testcase", {"classname": _printable(place), "name": result.name})
        if result.name in failures:
            text = failures[result.name].text()
            mark = ElementTree.SubElement(case, "failure", {"message": _printable(text.splitlines()[0])})
            mark.text = _printable(text)
        elif result.name in wrong:
            message = f"passed and was expected to fail: {expected[result.name]}"
            ElementTree.SubElement(case, "failure", {"message": _printable(message)})
        elif not result.passed:
            reason = expected[result.name] if result.findings else f"not asked: {result.why_not_asked}"
            ElementTree.SubElement(case, "skipped", {"message": _printable(reason)})
    ElementTree.indent(suites)
    ElementTree.ElementTree(suites).write(path, encoding="utf-8", xml_declaration=True)


def _printable(text: str) -> str:
    return _UNPRINTABLE.sub("?", text)
