"""The verdict on answers that lie in a folder.

Legend: what the files of a folder hold, `adapters.folder` tells.
"""

from __future__ import annotations

import time

from npquant.testing import backend as kinds
from npquant.testing.adapters.files import FilesBackend, from_files
from npquant.testing.adapters.folder import Folder, read_cases
from npquant.testing.case import Case
from npquant.testing.explain.counterexample import Counterexample
from npquant.testing.explain.shrink import Observation, observed
from npquant.testing.judge import Finding, judge
from npquant.testing.verdict import ClassResult, Verdict


def verify_offline(folder: Folder) -> Verdict:
    """Judge the answers in a folder, question by question.

    Parameters
    ----------
    folder : str or path
        As for `from_files`.

    Returns
    -------
    Verdict
        Of tier "files"; a class for each that the cases came from. A question without an answer counts as skipped.

    Raises
    ------
    FileNotFoundError, ValueError
        As `from_files`.

    Examples
    --------
    See `write_questions`.

    >>> verify_offline("nowhere")
    Traceback (most recent call last):
    FileNotFoundError: nowhere has no manifest.json: write_questions writes it
    """
    start = time.perf_counter()
    backend = from_files(folder)
    classes: dict[str, list[Case]] = {}
    for case in read_cases(folder):
        classes.setdefault(case.group, []).append(case)
    seen: list[Observation] = []
    results = tuple(_class_result(backend, group, cases, seen) for group, cases in classes.items())
    found = [result.findings[0] for result in results if result.findings]
    failures = tuple(Counterexample(backend, finding, seen, len(seen), "files") for finding in found)
    return Verdict(backend.name, backend.profile, "files", 0, results, failures, time.perf_counter() - start)


def _class_result(backend: FilesBackend, group: str, cases: list[Case], seen: list[Observation]) -> ClassResult:
    findings: list[Finding] = []
    skipped: dict[str, int] = {}
    asked = calls = 0
    for case in cases:
        finding, outcome = judge(backend, case)
        if outcome.kind == kinds.DECLINED:
            skipped[outcome.detail] = skipped.get(outcome.detail, 0) + 1
            continue
        seen.append(observed(case, outcome, finding))
        calls += 1
        asked += max(1, len(case.x_q))
        findings += [finding] if finding is not None else []
    return ClassResult(group, "answers from files", asked, calls, skipped, tuple(findings))
