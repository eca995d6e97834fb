"""Measure every target of the oracle kit, and print one table: target, result, and where one is missed, why.

    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python benchmarks/oracle_targets.py [--quick] [--cases N] [--only WORD]

--quick takes fewer profiles and seeds; the table says how many were used. A part that this tree does not have is a row
that says so. Every figure is checked before it is timed: bugs must die, rewrites must not.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

import npquant
from npquant.profiles import get, names
from npquant.testing import run
from npquant.testing.backend import capabilities_from, capabilities_of, why_not_asked
from npquant.testing.bugs.benign import benign_backends
from npquant.testing.bugs.catalogue import CATALOGUE, applies, equivalents
from npquant.testing.case import Case
from npquant.testing.golden import golden
from npquant.testing.judge import judge
from npquant.testing.kills import killed_by, trial_cases
from npquant.testing.trial import CLASSES

SEEDS, SOME_PROFILES = 20, ("ort", "tflm", "tosa_double")


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    what: str
    target: str
    result: str
    met: bool | None
    note: str = ""


@dataclass(frozen=True)
class Plan:
    """How much is measured."""

    profiles: tuple[str, ...]
    seeds: int
    cases: int
    explained: int
    shrunk_from: tuple[str, ...]


def kills(plan: Plan) -> Iterator[Row]:
    """Kill every bug that applies, under each profile and seed; count the cases that it takes."""
    asked, survivors, questions = [], [], 0
    for name in plan.profiles:
        profile = get(name)
        can = capabilities_of(profile)
        for seed in range(plan.seeds):
            cases = list(trial_cases(profile, can, "standard", seed))
            for bug in CATALOGUE:
                if not applies(bug, profile):
                    continue
                questions += 1
                count, finding = killed_by(bug.make(profile), profile, cases)
                if finding is None:
                    survivors.append(f"{bug.name} ({name}, seed {seed})")
                asked.append(count)
    unseen = max(len(equivalents(get(name))) for name in plan.profiles)
    yield Row(
        "bugs killed by the standard tier",
        f"100 % of >= 100, in each of {SEEDS} seeds",
        f"{questions - len(survivors)} of {questions} ({len(CATALOGUE)} bugs, {len(plan.profiles)} profiles, "
        f"{plan.seeds} seeds; at most {unseen} equivalent under one profile)",
        not survivors,
        "; ".join(survivors[:4]),
    )
    p50, p90 = median(asked), float(np.percentile(asked, 90))
    yield Row("cases to kill", "median <= 5, p90 <= 50", f"median {p50:g}, p90 {p90:g}", p50 <= 5 and p90 <= 50)


def hidden(plan: Plan) -> Iterator[Row]:
    """Kill the kernels that no list names: they are the tests' own."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    bugs = import_module("tests.testing.hidden_bugs")
    profile = get("ort")
    cases = list(trial_cases(profile, capabilities_of(profile), "standard", 0))
    dead = [bug for bug in bugs.NAMES if killed_by(bugs.hidden_backend(bug, profile), profile, cases)[1] is not None]
    yield Row(
        "bugs that no list names",
        "all that can be seen",
        f"{len(dead)} of {len(bugs.NAMES)} (ort, standard tier)",
        len(dead) == len(bugs.NAMES),
    )


def golden_set(plan: Plan) -> Iterator[Row]:
    """Count the golden set, and what it kills alone."""
    vectors, elements, dead, of, missed = 0, 0, 0, 0, set()
    for name in plan.profiles:
        profile = get(name)
        cases = list(golden(profile, capabilities_of(profile)))
        vectors, elements = max(vectors, len(cases)), max(elements, sum(case.elements for case in cases))
        for bug in CATALOGUE:
            if applies(bug, profile):
                of += 1
                killed = killed_by(bug.make(profile), profile, cases)[1] is not None
                dead += killed
                missed |= set() if killed else {f"{bug.name} ({name})"}
    yield Row(
        "minimal golden set",
        "<= 16 vectors, <= 4,096 operand elements, kills 100 %",
        f"{vectors} vectors, {elements:,} elements, kills {dead} of {of}",
        vectors <= 16 and elements <= 4096 and dead == of,
        ", ".join(sorted(missed)[:4]),
    )


def throughput(plan: Plan) -> Iterator[Row]:
    """Judge npquant by itself in bulk: a case is one row of input with its model."""
    profile = get("npquant")
    backend = npquant.testing.from_callable(partial(npquant.linear, profile=profile), profile=profile)
    bulk = list(_bulk(profile, 40, 256))
    start = time.perf_counter()
    rows = 0
    for case in bulk:
        finding, _ = judge(backend, case)
        assert finding is None
        rows += len(case.x_q)
    rate = rows / (time.perf_counter() - start)
    start = time.perf_counter()
    singles = list(_bulk(profile, 600, 1))
    for case in singles:
        judge(backend, case)
    alone = len(singles) / (time.perf_counter() - start)
    yield Row(
        "throughput in bulk", ">= 20,000 cases/s", f"{rate:,.0f} cases/s, batches of 256 rows", rate >= 20_000,
        f"one row a call: {alone:,.0f} cases/s, making the case included",
    )  # fmt: skip
    yield _through_hypothesis()


def _bulk(profile: Any, count: int, rows: int) -> Iterator[Case]:
    """Yield cases of many rows, drawn without Hypothesis."""
    tail = import_module("npquant.testing.classes.tail")
    can, rng = capabilities_of(profile), np.random.default_rng(0)
    for _ in range(count):
        yield tail.shaped(profile, "int8", (rows, 8, 24), can, rng)


def _through_hypothesis() -> Row:
    """Draw cases by the public strategies; the backend is npquant."""
    what, target = "throughput through Hypothesis", ">= 1,000 cases/s"
    try:
        strategies = import_module("npquant.testing.strategies")
    except ImportError:
        return Row(what, target, "not in this tree", None)
    from hypothesis import HealthCheck, Phase, given, settings

    backend = npquant.testing.from_callable(partial(npquant.linear, profile="npquant"), profile="npquant")
    rows = [0]

    @settings(
        max_examples=400, database=None, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
    )
    @given(case=strategies.linear_cases("npquant"))
    def law(case: Case) -> None:
        finding, _ = judge(backend, case)
        assert finding is None
        rows[0] += max(1, len(case.x_q))

    start = time.perf_counter()
    law()
    rate = rows[0] / (time.perf_counter() - start)
    return Row(what, target, f"{rate:,.0f} cases/s ({rows[0]} rows in 400 examples)", rate >= 1000)


def explanation(plan: Plan) -> Iterator[Row]:
    """Shrink and explain the first failure of each bug."""
    shrunk, report = ("shrunk counterexample", "median <= 2 elements, p90 <= 12"), ("report", "<= 0.5 s median")
    named = ("diagnosis names the bug, or its class, first", ">= 90 %")
    try:
        import_module("npquant.testing.explain.counterexample")
    except ImportError:
        for what, target in (shrunk, report, named):
            yield Row(what, target, "not in this tree", None)
        return
    sizes, seconds, right, wrong = [], [], 0, []
    for name in plan.shrunk_from:
        profile = get(name)
        bugs = [bug for bug in CATALOGUE if applies(bug, profile)]
        for bug in bugs[:: max(1, len(bugs) // plan.explained)]:
            verdict = run(bug.make(profile), tier="smoke")
            if not verdict.failures:
                verdict = run(bug.make(profile), tier="standard")
            failure: Any = verdict.failures[0]
            start = time.perf_counter()
            failure.report()
            seconds.append(time.perf_counter() - start)
            sizes.append((failure.case.elements, bug.name))
            found = bug.name in {diagnosis.name for diagnosis in failure.diagnoses}
            right += found
            wrong += [] if found else [bug.name]
    p50, p90 = median(size for size, _ in sizes), float(np.percentile([size for size, _ in sizes], 90))
    count = f"{len(sizes)} bugs"
    largest = ", ".join(f"{name} {size}" for size, name in sorted(sizes, reverse=True)[:5])
    yield Row(*shrunk, f"median {p50:g}, p90 {p90:g} ({count})", p50 <= 2 and p90 <= 12, f"largest: {largest}")
    slow = float(np.percentile(seconds, 90))
    yield Row(*report, f"{median(seconds):.2f} s median, {slow:.2f} s p90 (shrinking included)", median(seconds) <= 0.5)
    share = right / len(sizes)
    yield Row(*named, f"{right} of {len(sizes)} ({share:.0%})", share >= 0.9, ", ".join(wrong[:4]))


def verdicts(plan: Plan) -> Iterator[Row]:
    """Time whole verdicts on npquant itself."""
    backend = partial(npquant.linear, profile="npquant")
    for tier, most in (("smoke", 1.0), ("standard", 30.0), ("exhaustive", 600.0)):
        if tier == "exhaustive" and plan.seeds < SEEDS:
            yield Row(f"verdict, {tier}", f"<= {most:g} s", "not measured: --quick", None)
            continue
        verdict = run(backend, profile="npquant", tier=tier)
        assert verdict.passed
        result = f"{verdict.seconds:.1f} s, {verdict.cases:,} cases"
        yield Row(f"verdict, {tier}", f"<= {most:g} s", result, verdict.seconds <= most)


def fingerprint(plan: Plan) -> Iterator[Row]:
    """Ask every profile's own function who it is."""
    what, target = "fingerprint", "<= 8 vectors separate all profiles"
    try:
        module = import_module("npquant.testing.who.fingerprints")
    except ImportError:
        yield Row(what, target, "not in this tree", None)
        return
    unsure = []
    for name in names():
        same = module.fingerprint(partial(npquant.linear, profile=name)).same
        if same != (name,):
            unsure.append(f"{name} answers as {', '.join(same)}")
    vectors = len(module.SEPARATING_SET)
    result = f"{vectors} vectors, {len(names()) - len(unsure)} of {len(names())} profiles alone"
    yield Row(what, target, result, vectors <= 8 and not unsure, "; ".join(unsure[:3]))


def false_alarms(plan: Plan) -> Iterator[Row]:
    """Judge the benign rewrites, and npquant as its own backend, on drawn cases of every class."""
    rows, alarms, seed = 0, [], 0
    backends = [(get(name), b) for name in plan.profiles for b in benign_backends(get(name))]
    own = [
        (get(name), npquant.testing.from_callable(partial(npquant.linear, profile=name), profile=name, name="npquant"))
        for name in plan.profiles
    ]
    streams: dict[tuple[str, int], Iterator[Case]] = {}
    while rows < plan.cases:
        profile, backend = (*backends, *own)[seed % (len(backends) + len(own))]
        can = capabilities_from(backend, profile)
        module = CLASSES[seed // (len(backends) + len(own)) % len(CLASSES)]
        rng = np.random.default_rng([seed, 77])
        stream = streams.setdefault((profile.name, seed), module.draw(profile, can, rng))
        for _ in range(25):
            case = next(stream, None)
            if case is None or why_not_asked(case, can):
                continue
            if case.op == "linear" and case.status == "valid" and not case.earlier and case.x_q.size:
                case = _with_more_rows(case, rng)
            finding, _ = judge(backend, case)
            rows += max(1, len(case.x_q)) if case.op == "linear" else max(1, case.x_q.size)
            if finding is not None:
                alarms.append(f"{backend.name} ({profile.name}): {finding.kind} in {case.tags}")
        streams.clear()
        seed += 1
    yield Row(
        "false alarms", "0 in 10^7 cases", f"{len(alarms)} in {rows:,} cases", not alarms and rows >= plan.cases,
        "; ".join(alarms[:3]) or ("" if rows >= 10**7 else "run with --cases 10000000 for the whole"),
    )  # fmt: skip


def _with_more_rows(case: Case, rng: np.random.Generator) -> Case:
    """Repeat the rows of a case in another order, 64 of them and more, where its sums surely stay in int32."""
    from dataclasses import replace

    rows = case.x_q[rng.integers(0, len(case.x_q), 64)]
    return replace(case, x_q=np.concatenate([case.x_q, rows]))


def coverage(plan: Plan) -> Iterator[Row]:
    """Count the declared bins that the standard tier hits."""
    what, target = "coverage bins hit by the standard tier", "100 % of those declared"
    try:
        module = import_module("npquant.testing.bins")
    except ImportError:
        yield Row(what, target, "not in this tree", None)
        return
    bins, missed = 0, []
    for name in plan.profiles:
        profile = get(name)
        can = capabilities_of(profile)
        cases = [c for c in trial_cases(profile, can, "standard", 0) if not why_not_asked(c, can)]
        bins += len(module.declared(profile))
        missed += [f"{bin_} ({name})" for bin_ in module.missed(profile, cases)]
    yield Row(what, target, f"{bins - len(missed)} of {bins}", not missed, ", ".join(missed[:4]))


def effort(plan: Plan) -> Iterator[Row]:
    """Count the lines of an adapter: the shipped example of each form."""
    result = ["Python 1"]
    for where, form in (("line_process", "C over the pipe"), ("files", "files")):
        try:
            import_module(f"npquant.testing.adapters.{where}")
        except ImportError:
            continue
        result.append(f"{form} {'0' if form == 'files' else _lines_of_c()}")
    in_tree = len(result) == 3
    note = "" if in_tree else "the adapters for a process and for files are not in this tree"
    met = None if not in_tree else True
    yield Row(
        "effort to plug in", "1 line of Python; <= 40 of C over the pipe; 0 for files", ", ".join(result), met, note
    )


def _lines_of_c() -> str:
    """Count the lines of code of the shortest C example that speaks the pipe."""
    root = Path(__file__).resolve().parents[1]
    found = [path for path in root.rglob("*.c") if "npquant" in path.read_text(encoding="utf-8", errors="ignore")]
    counts = [sum(bool(line.strip()) for line in path.read_text(encoding="utf-8").splitlines()) for path in found]
    return f"{min(counts)} lines of {len(found)} examples" if counts else "(no example in this tree)"


ROWS: tuple[Callable[[Plan], Iterator[Row]], ...] = (
    kills,
    hidden,
    golden_set,
    throughput,
    explanation,
    verdicts,
    fingerprint,
    false_alarms,
    coverage,
    effort,
)


def table(rows: list[Row]) -> str:
    """Lay the rows out, notes below."""
    shown = [("what", "target", "result", "met")]
    shown += [(r.what, r.target, r.result, {True: "yes", False: "NO", None: "-"}[r.met]) for r in rows]
    widths = [max(len(row[i]) for row in shown) for i in range(4)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in shown]
    notes = [f"{row.what}: {row.note}" for row in rows if row.note]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:], "", *notes])


def main() -> int:
    """Measure and print; 1 where a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--quick", action="store_true", help="three profiles, two seeds")
    parser.add_argument("--cases", type=int, default=100_000, help="of the search for false alarms")
    parser.add_argument("--profiles", default="", help="names, separated by commas; by default all")
    parser.add_argument("--seeds", type=int, default=0, help=f"by default {SEEDS}")
    parser.add_argument("--explained", type=int, default=0, help="bugs explained under each of some profiles")
    parser.add_argument("--only", default="", help="rows of the functions whose name holds this")
    given = parser.parse_args()
    few = SOME_PROFILES if given.quick else names()
    plan = Plan(
        tuple(given.profiles.split(",")) if given.profiles else few,
        given.seeds or (2 if given.quick else SEEDS),
        given.cases,
        given.explained or (12 if given.quick else len(CATALOGUE)),
        SOME_PROFILES[:1] if given.quick else SOME_PROFILES,
    )
    rows: list[Row] = []
    for measure in ROWS:
        if given.only in measure.__name__:
            print(f"... {measure.__name__}", file=sys.stderr, flush=True)
            rows += measure(plan)
    print(table(rows))
    if hasattr(os, "getloadavg"):
        print(f"\nload average of the machine {os.getloadavg()[0]:.1f}: a figure of time is one of that moment")
    return int(any(row.met is False for row in rows))


if __name__ == "__main__":
    raise SystemExit(main())
