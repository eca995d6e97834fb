"""A comparison in words: nothing beyond the page, losses beside gains, and every figure in the files."""

import csv
import io
import json
from dataclasses import replace
from typing import Any

import pytest

from npquant.report.document import rounded
from npquant.workflow.compare.run import MethodComparison
from npquant.workflow.compare.table import comparison_csv, comparison_json, comparison_sections, verdict_words
from npquant.workflow.compare.trial import Row, Score


def comparison(seeds: int = 3, kind: str = "classes") -> MethodComparison:
    """Three methods: the second is ahead of the first at 2 bits and behind it at 4, the third not told apart."""
    rows = []
    for bits, factor in ((4, 3.0), (2, 0.25)):
        for method, times in (("gptq", 1.0), ("mine", factor), ("other_with_a_long_name", 1.1)):
            for seed in range(seeds):
                wobble = (1.5 if seed % 2 else 0.6) if method.startswith("other") else 1 + 0.01 * seed
                kl = 0.01 * times * wobble
                score = Score(95.0 - kl) if kind == "classes" else Score(1 + kl, 0.9 - kl)
                floating = Score(96.0) if kind == "classes" else Score(1.0, 0.91)
                lost, won = (3, 1) if kind == "classes" else (None, None)
                rows.append(Row(method, bits, seed, floating, score, kl, lost, won, 0.25))
    names = ("gptq", "mine", "other_with_a_long_name")
    return MethodComparison("set", kind, (8, 4, 2), "relu", names, (4, 2), tuple(range(seeds)), tuple(rows))


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("seeds", [1, 3])
@pytest.mark.parametrize("kind", ["classes", "real"])
def test_no_line_is_wider_than_the_page(width: int, seeds: int, kind: str) -> None:
    """Every line fits, none ends in a space, and each method stands in each table."""
    sections = comparison_sections(comparison(seeds, kind), width)
    lines = [line for section in sections for line in section]
    assert max(map(len, lines)) <= width and all(line == line.rstrip() for line in lines)
    for table in sections[2:-1]:
        assert all(any(name in line for line in table) for name in comparison().methods)


def test_losses_stand_beside_gains() -> None:
    """Who is ahead, who is behind and who is not told apart stand in one line, each with its ratio."""
    found = comparison()
    assert verdict_words(found, 4) == "behind: mine (3.00); not told apart: other_with_a_long_name (0.89)"
    assert verdict_words(found, 2) == "ahead: mine (0.25); not told apart: other_with_a_long_name (0.89)"


def test_one_seed_is_said_to_show_nothing() -> None:
    """With one seed the words say which is lower there, and that this tells no method from luck."""
    page = " ".join(" ".join(map(" ".join, comparison_sections(comparison(1), 200))).split())
    assert "on one seed, which tells no method from luck" in page and "one seed has no interval: ask for more" in page
    assert "ahead" not in page and "behind" not in page and ".." not in page
    assert verdict_words(comparison(1), 2) == "lower: mine (0.25), other_with_a_long_name (0.66)"


@pytest.mark.parametrize("kind", ["classes", "real"])
def test_csv_holds_every_row(kind: str) -> None:
    """A line a row, in order, whose numbers are the row's to nine digits."""
    found = comparison(3, kind)
    lines = list(csv.DictReader(io.StringIO(comparison_csv(found).decode("utf-8"))))
    assert [(line["method"], line["bits"], line["seed"]) for line in lines] == [
        (row.method, str(row.bits), str(row.seed)) for row in found.rows
    ]
    score, divergence = ("accuracy", "kl") if kind == "classes" else ("rmse", "divergence")
    for line, row in zip(lines, found.rows, strict=True):
        assert float(line[score]) == pytest.approx(row.score.value, rel=1e-8)
        assert float(line[divergence]) == pytest.approx(row.divergence, rel=1e-8)


@pytest.mark.parametrize("seeds", [1, 2])
def test_json_is_json(seeds: int) -> None:
    """No NaN and no infinity: what is not known is null; rows and pairs are all there."""
    found = comparison(seeds)
    record: dict[str, Any] = json.loads(json.dumps(rounded(comparison_json(found)), allow_nan=False))
    assert (len(record["rows"]), len(record["pairs"]), record["first"]) == (6 * seeds, 4, "gptq")
    assert (record["pairs"][0]["divergence"]["low"] is None) == (seeds == 1)


def test_targets_without_variance_have_no_r2() -> None:
    """R2 that is not defined is a dash in the table and null in JSON."""
    found = comparison(2, "real")
    flat = tuple(replace(row, score=Score(1.0, float("nan"))) for row in found.rows)
    sections = comparison_sections(replace(found, rows=flat), 120)
    assert not any("nan" in line for section in sections for line in section)
    assert rounded(comparison_json(replace(found, rows=flat)))["rows"][0]["r2"] is None
