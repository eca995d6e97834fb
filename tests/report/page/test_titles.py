"""Each sentence of the page is chosen by a rule on the data, and each rule is held at both of its sides."""

import shlex
from typing import Any

import pytest

from npquant.cli import _build_parser
from npquant.measure.statistics import exact_p
from npquant.report.page.accumulators import bits_of
from npquant.report.page.candidates import trial_kind
from npquant.report.page.coins import coin_title
from npquant.report.page.confusion import cells_of, confusion_title, is_better
from npquant.report.page.data_set import command_line, data_title
from npquant.report.page.decibels import decibel_title
from npquant.report.page.disputed import disputed_title, row_kind
from npquant.report.page.engines import engines_title, exports_title
from npquant.report.page.fractions_in_words import share_words
from npquant.report.page.frontier import frontier_title, search_title
from npquant.report.page.headline import headline, smaller
from npquant.report.page.interval import interval_title
from npquant.report.page.latency import time_title
from npquant.report.page.neurons import pruned_title
from npquant.report.page.output_codes import rail_title
from npquant.report.page.parts import parts_title
from npquant.report.page.real_values import nearness_title
from npquant.report.page.rounding_error import error_title
from npquant.report.page.squares import disagreement_title
from npquant.report.page.weight_codes import codes_title

DIGIT, ROW = ("digit", "digits"), ("row", "rows")


def report_of(b: int, c: int, *, data: str | None = None, sizes: tuple[int, int] = (1800, 100)) -> dict[str, Any]:
    """What a headline reads, of classes; the budget is met."""
    return {
        "config": {"data": data},
        "data": {"kind": "classes"},
        "models": [{"bytes": size, "macs": size} for size in sizes],
        "budget": {"met": True, "failing": [], "test": {"b": b, "c": c, "rows": 269}},
    }


@pytest.mark.parametrize(
    ("b", "c", "said"),
    [
        (2, 1, "at the price of one digit in 269"),
        (3, 1, "at the price of two digits in 269"),
        (0, 0, "and no digit lost"),
        (0, 2, "and no digit lost"),
        (1, 1, "with as many digits won as lost"),
        (1, 2, "with more digits won than lost"),
    ],
)
def test_headline_says_what_was_lost(b: int, c: int, said: str) -> None:
    """Rows lost less rows won; "no row lost" only where none is."""
    assert headline(report_of(b, c)) == f"18 times smaller, {said}"
    assert headline(report_of(b, c, data="x.csv")) == f"18 times smaller, {said.replace('digit', 'row')}"


@pytest.mark.parametrize(
    ("ratio", "said"),
    [(1.05, "1.1 times smaller"), (1.049, "No smaller"), (0.96, "No smaller"), (0.95, "1.1 times larger")],
)
def test_smaller_says_no_more_than_is_true(ratio: float, said: str) -> None:
    """Five per cent are no gain, and a larger file is called one."""
    assert smaller(ratio) == said


def test_headline_of_real_targets_names_the_rise() -> None:
    """The output that lost most decides: a rise is a price, none is none."""
    report = report_of(0, 0, data="x.csv")
    report["data"]["kind"] = "real"
    one = {"before": 2.0, "after": 2.1, "rise": 0.1}
    report["budget"]["test"] = {"outputs": [one], "worst_output": 0}
    assert headline(report) == "18 times smaller, at the price of 5 % more error"
    one.update(after=2.0, rise=0.0)
    assert headline(report) == "18 times smaller, and no larger error"
    one.update(before=0.0, after=0.1, rise=0.1)
    assert headline(report) == "18 times smaller, at the price of an error of 0.1"


@pytest.mark.parametrize(
    ("failing", "said"),
    [
        (["max_bytes"], "Not met: the file is one byte too large"),
        (["max_macs", "max_drop"], "Not met: 40 products a row too many and it loses one row more than allowed"),
        (["min_sqnr"], "Not met: the signal-to-noise ratio is 2.5 dB too low"),
        (["test_drop"], "Not met: the test rows show a larger loss"),
    ],
)
def test_headline_says_by_how_much_a_budget_is_missed(failing: list[str], said: str) -> None:
    """Every requirement with its distance."""
    report = report_of(5, 1, data="x.csv", sizes=(1800, 100))
    report["budget"].update(
        met=False, failing=failing, max_bytes=99, max_macs=60, min_sqnr=20.0, allowed_rows=2, drop={"b": 4, "c": 1}
    )
    report["comparisons"] = [{"step": 7, "reference": "float", "candidate": "pruned", "sqnr_db": [30.0, 17.5]}]
    assert headline(report) == said.replace("one byte", "1 byte")


def test_disagreement_title_counts() -> None:
    """None, one, more."""
    assert disagreement_title(269, 0, *DIGIT) == "Of 269 digits, none tells the networks apart"
    assert disagreement_title(269, 1, *DIGIT) == "Of 269 digits, one tells the networks apart"
    assert disagreement_title(2690, 14, *ROW) == "Of 2,690 rows, 14 tell the networks apart"


def test_coin_title_turns_at_five_per_cent() -> None:
    """Five to none is chance, six to none is rare."""
    assert exact_p(5, 0) >= 0.05 > exact_p(6, 0)
    assert coin_title(5, 0, exact_p(5, 0)) == "Five to none is what a fair coin does"
    assert coin_title(6, 0, exact_p(6, 0)) == "Six to none is rare for a fair coin: p = 0.031"
    assert coin_title(1, 1, 1.0) == "One to one is what a fair coin does"


@pytest.mark.parametrize(
    ("lies", "said"),
    [
        (("inside", "inside"), "is not shown, nor ruled out"),
        (("above", "inside"), "is not shown, nor ruled out"),
        (("inside", "above"), "is not shown, nor ruled out"),
        (("above", "above"), "is ruled out"),
        (("inside", "below"), "is shown"),
        (("below", "inside"), "is shown on the validation rows"),
    ],
)
def test_interval_title_is_true_of_both_sets(lies: tuple[str, str], said: str) -> None:
    """Ruled out only where both sets of rows rule it out, shown where one shows it."""
    assert interval_title(lies, "A loss of more than a point") == f"A loss of more than a point {said}"


def test_confusion_counts_before_and_after() -> None:
    """A row lost leaves its diagonal cell; better is more there and less elsewhere."""
    cells = cells_of([[0, 0, 0, 5], [0, 0, 1, 1], [1, 0, 1, 2]])
    assert cells == {(0, 0): (6, 5), (0, 1): (0, 1), (1, 0): (2, 0), (1, 1): (0, 2)}
    assert {place: is_better(place, pair) for place, pair in cells.items()} == {
        (0, 0): False, (0, 1): False, (1, 0): True, (1, 1): True,
    }  # fmt: skip
    assert confusion_title(0) == "Before and after are the same"
    assert confusion_title(1) == "Before and after differ in one cell"
    assert confusion_title(4) == "Before and after differ in four cells"


def test_disputed_title_calls_close_what_is_close() -> None:
    """Three quarters of the softmax is a close call, more is none."""
    close = "The two disputed rows were close calls: no answer had more than 75 %"
    assert disputed_title([0.5, 0.75], *ROW) == close
    assert disputed_title([0.5, 0.76], *ROW) == "The two disputed rows"
    assert disputed_title([0.7], *ROW) == "The disputed row was a close call: no answer had more than 70 %"
    assert disputed_title([], *ROW) == "The rows that both networks get wrong"


def test_row_kind_tells_lost_from_won() -> None:
    """By which network alone is right."""
    assert [row_kind({"label": 1, "answers": answers}) for answers in ([1, 0], [0, 1], [0, 2])] == [0, 1, 2]


def test_nearness_title_compares_with_the_error() -> None:
    """Apart by less than the error, or not."""
    assert nearness_title(1.0, 0.99) == "The networks differ by less than either errs"
    assert nearness_title(1.0, 1.0) == "The networks differ by more than the float one errs"


@pytest.mark.parametrize(
    ("smaller_ones", "failed", "said"),
    [
        ((0, 0, 0), 0, "Every candidate kept the limit: more could be asked"),
        ((2, 0, 0), 0, "Every candidate kept the limit: more could be asked"),
        ((0, 0, 0), 1, "Nothing much smaller than 900 bytes was tried"),
        ((1, 1, 1), 1, "Smaller than 900 bytes keeps the limit, too: what else was asked decides"),
        ((0, 1, 1), 1, "Much below 900 bytes, candidates lose rows, or keep them by luck"),
        ((0, 0, 1), 1, "Much below 900 bytes, candidates lose rows"),
        ((0, 1, 0), 0, "Much below 900 bytes, candidates keep the limit by luck alone"),
    ],
)
def test_frontier_title_says_what_lies_below(smaller_ones: tuple[int, int, int], failed: int, said: str) -> None:
    """Sound, lucky and losing candidates, each alone and together."""
    assert frontier_title(smaller_ones, failed, 900, "rows") == said


def test_search_title_of_a_choice_that_was_missed_or_refuted() -> None:
    """Nothing met, met and refuted by the test rows, met; and nothing searched."""

    def trial(phase: str, n_bytes: int, *failing: str) -> dict[str, Any]:
        return {"phase": phase, "bytes": n_bytes, "failing": list(failing), "sound": not failing}

    start, small = trial("start", 900), trial("walk", 500, "max_drop")
    budget = {"frontier": [start, small], "met": True}
    assert search_title(budget, start, "rows") == "Much below 900 bytes, candidates lose rows"
    assert search_title({**budget, "met": False}, small, "rows").startswith("No candidate meets all")
    assert search_title({**budget, "met": False}, start, "rows").endswith("refute the one that was chosen")
    assert search_title({**budget, "frontier": [start]}, start, "rows").startswith("Nothing was searched")
    kinds = [trial("sensitivity", 1, "max_drop"), small, trial("walk", 1, "max_bytes"), start]
    assert [trial_kind(one) for one in kinds] == [4, 2, 3, 0]
    assert trial_kind({**start, "sound": False}) == 1


@pytest.mark.parametrize(
    ("share", "said"),
    [(0.5, "half"), (0.47, "47 %"), (1 / 3, "a third"), (0.36, "36 %"), (0.05, "a twentieth"), (0.04, "4.0 %"),
     (0.995, "all"), (0.98, "98 %"), (1.3, "130 %")],
)  # fmt: skip
def test_share_words_are_near_enough(share: float, said: str) -> None:
    """A part of several to within 6 %, else per cent."""
    assert share_words(share) == said


def test_decibel_title_turns_at_half_a_decibel_and_at_most_of_the_gain() -> None:
    """Gain and loss, little and much."""
    assert decibel_title(0.49, None) == "Rectified rounding gains little here"
    assert decibel_title(0.5, 0.49) == "Rectified rounding saves 0.5 dB"
    assert decibel_title(-0.6, None) == "Uniform rounding is better here"
    assert decibel_title(10.0, 7.9) == "Rectified rounding saves 10 dB; pruning costs 7.9 dB"
    assert decibel_title(10.0, 8.0) == "Rectified rounding saves 10 dB; pruning spends them"
    assert decibel_title(None, None) == "Errors by layer"


def test_titles_of_layers() -> None:
    """Codes, rails, neurons, bounds: each rule at both sides."""
    assert codes_title([8, 8]) == "256 codes carry what 32 bits carried"
    assert codes_title(["ternary", 2]) == "Three to four codes carry what 32 bits carried"
    assert (
        rail_title(0.5).startswith("Most outputs")
        and rail_title(0.499) == "Outputs use their levels: 50 % sit on a rail"
    )
    assert pruned_title(1, 13, {"zero": 1}, "") == "One of 13 neurons go; one of them never spoke"
    assert pruned_title(2, 13, {"zero": 0, "constant": 1}, "").endswith("one of them never changed")
    assert error_title([0.1, 0.2], [0.3, 0.21]).endswith("and less than nearest rounding")
    assert error_title([0.1, 0.2], [0.3, 0.2]) == "At most 20 % of the proven bound"
    assert [bits_of(*ends) for ends in ((-128, 127), (-129, 0), (0, 128), (5, 7))] == [8, 9, 9, 4]


def test_titles_of_what_was_deployed() -> None:
    """Bytes, times, engines, exports."""
    small = {"weights": 700, "container": 400}
    assert parts_title(small) == "36 % of the file is its container"
    assert parts_title({"weights": 900, "container": 200}) == "82 % of the file is weights"
    assert parts_title({"weights": 3600, "container": 1400}) == "72 % of the file is weights"
    assert time_title({1: 1.06, 64: 1.05}) == "NumPy runs it slower than float"
    assert time_title({1: 1.06, 64: 1.04}) == "NumPy runs it slower than float, or as fast"
    assert time_title({1: 1.04, 64: 0.96}) == "NumPy takes about as long as for float"
    assert time_title({1: 1.06, 64: 0.95}) == "NumPy runs it faster from 64 rows on"
    assert time_title({1: 0.95, 64: 0.95}) == "NumPy runs it faster than float"
    assert time_title({1: 0.5, 64: 1.2}) == "NumPy runs it slower than float, or as fast"
    assert engines_title(2, 1) == "Two arithmetics give the same integers, one does not"
    assert engines_title(2, 0) == "All two arithmetics that take it give the same integers"
    assert engines_title(1, 0) == "No other arithmetic takes this network"
    assert exports_title(0, 2, 1) == "Two exports answer otherwise than it must".replace("it must", "they must")
    assert exports_title(1, 0, 0) == "Written, run and equal in every byte"
    assert exports_title(1, 0, 1) == "One of two exports ran, equal in every byte"
    assert exports_title(0, 0, 1) == "Written, read back and equal"


def test_data_title_calls_rare_what_is_rare() -> None:
    """Below 20 rows, or below a fifth of an even share."""
    assert data_title(["a", "b"], [20, 20]) == "Two classes, 20 rows each: no class is rare"
    assert data_title(["a", "b"], [20, 19]) == "Class b has 19 rows: its accuracy means little"
    assert data_title(["a", "b"], [900, 100]) == "Two classes, 100 to 900 rows each: no class is rare"
    assert data_title(["a", "b"], [901, 99]) == "Class b has 99 rows: its accuracy means little"


def test_command_line_does_it_again() -> None:
    """The command of a run parses to the run's own options."""
    config = {
        "data": "my rows.csv", "seed": 3, "train": True, "hidden": [8, 4], "target": "class", "max_drop": 2.5,
        "inputs": "by_feature", "targets": ["none"], "model": None, "out": "x",
    }  # fmt: skip
    options = _build_parser().parse_args(shlex.split(command_line(config))[1:])
    assert (options.data, options.seed, options.train, options.hidden) == ("my rows.csv", 3, True, (8, 4))
    assert (options.target, options.max_drop, options.inputs, options.targets) == (
        "class",
        2.5,
        "by_feature",
        ("none",),
    )
