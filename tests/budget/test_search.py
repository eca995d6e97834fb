"""Laws of the budget search on real networks: it is not beaten by even settings, and it answers bad input."""

from collections.abc import Callable
from functools import cache
from itertools import product
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from npquant.budget import search as search_module
from npquant.budget.candidates import CandidateBuilder
from npquant.budget.requirements import Budget, Measurement, expected_to_hold, measurement
from npquant.budget.search import SearchResult, search_budget, search_space
from npquant.budget.space import Thresholds
from npquant.compression.chain.integer_chain import Quantized
from npquant.compression.chain.method_choice import MethodChoice
from npquant.compression.pruning.neurons.pruning import prune_neurons_with_report
from npquant.compression.rounding.rectified.network import quantize_rectified
from npquant.data.datasets import load_optdigits
from npquant.files.storage import encode_model
from npquant.integer.mlp import IntegerMLP
from npquant.measure.cost import stored_bytes
from npquant.measure.evaluate import Reference, compare, in_float64
from npquant.measure.statistics import sqnr_db
from npquant.nn.model import DenseLayer, FloatMLP
from npquant.nn.training import train

Rows = tuple[NDArray[Any], NDArray[np.int64]]
Search = Callable[[FloatMLP, "Drawn", Budget], SearchResult]
BITS = (8, 6, 5, 4, 3, 2, "ternary")


class Drawn:
    """Rows to calibrate on and rows to validate on."""

    def __init__(self, train_rows: Rows, validation: Rows) -> None:
        self.train, self.x_calibration, self.validation = train_rows, train_rows[0], validation


def clouds(seed: int, features: int, classes: int, rows: int) -> Rows:
    """Draw classes of two overlapping clouds each."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, classes, rows)
    centres = rng.normal(0, 1, (2, classes, features))
    return centres[rng.integers(0, 2, rows), y] + rng.normal(0, 0.45, (rows, features)), y


def digits(first: int, rows: int) -> Rows:
    """Take some of the bundled digits, of five classes."""
    data = load_optdigits()
    of_five = np.flatnonzero(data.y < 5)[first : first + rows]
    return data.x[of_five], data.y[of_five]


@cache
def cases() -> dict[str, tuple[FloatMLP, Drawn]]:
    """Train small networks of one, two and no hidden layers."""
    drawn = {"clouds": Drawn(*(clouds(3, 5, 3, n) for n in (240, 240)))}
    x, y = clouds(4, 8, 4, 500)
    drawn["wide"] = Drawn((x[:300], y[:300]), (x[300:], y[300:]))
    drawn["digits"] = Drawn(digits(0, 400), digits(400, 300))
    hidden = {"clouds": (12,), "wide": (16, 10), "digits": (20,)}
    return {
        name: (train(*rows.train, hidden=hidden[name], epochs=40, batch_size=16, rng=0), rows)
        for name, rows in drawn.items()
    }


def builder_of(model: FloatMLP, rows: Drawn) -> CandidateBuilder:
    floating = in_float64(model)
    return CandidateBuilder(floating, rows.x_calibration, Reference.of(floating, *rows.validation))


def measured(model: FloatMLP, rows: Drawn, net: IntegerMLP) -> Measurement:
    """Measure by the definitions."""
    reference = Reference.of(in_float64(model), *rows.validation)
    answers = reference.evaluate(net)
    sqnr = sqnr_db(reference.answers.logits, answers.logits)
    return measurement(compare(reference.answers, answers), sqnr, stored_bytes(net), net.macs)  # type: ignore[return-value]


@cache
def even_settings(name: str) -> list[Measurement]:
    """Measure every even width with every even pruning rate."""
    model, rows = cases()[name]
    builder, hidden = builder_of(model, rows), len(model.layers) - 1
    return [
        builder.measure(Thresholds((bits,) * (hidden + 1), (tenths / 10,) * hidden, (8,) * hidden))  # type: ignore[misc]
        for tenths, bits in product(range(10), BITS)
    ]


def law_not_larger_than_any_even_setting(search: Search, name: str, budget: Budget) -> None:
    """No even width with an even pruning rate that keeps the budget by the search's own rule is smaller."""
    sizes = [
        found.n_bytes
        for found in even_settings(name)
        if not budget.failing(found) and expected_to_hold(found, budget.max_drop)
    ]
    assert sizes, "the case is vacuous"
    assert search(*cases()[name], budget).found.n_bytes <= min(sizes)


@pytest.mark.parametrize("name", ["clouds", "wide", "digits"])
@pytest.mark.parametrize("max_drop", [1.0, 3.0])
def test_search_budget_not_larger_than_any_even_setting(name: str, max_drop: float) -> None:
    """The law above, against all 70 settings."""
    law_not_larger_than_any_even_setting(search_budget, name, Budget(max_drop))


def test_search_budget_law_kills_a_search_of_one_width() -> None:
    """A search that is held to 4 bits is larger than the best even setting."""
    with pytest.raises(AssertionError):
        law_not_larger_than_any_even_setting(
            lambda model, rows, budget: search_budget(model, rows, budget, bits=4), "digits", Budget(3.0)
        )


@pytest.mark.parametrize("limit", [{"max_bytes": 0.7}, {"max_macs": 0.7}, {"min_sqnr": 0.6}])
def test_search_budget_keeps_its_word(limit: dict[str, float]) -> None:
    """What is said of the network is true of the network, measured by the definitions."""
    model, rows = cases()["digits"]
    free = search_budget(model, rows, Budget(5.0), bits=8, prune=0.0).found
    full = {"max_bytes": free.n_bytes, "max_macs": free.macs, "min_sqnr": free.sqnr}
    budget = Budget(5.0, **{name: int(share * full[name]) for name, share in limit.items()})
    result = search_budget(model, rows, budget)
    assert result.met
    found = measured(model, rows, result.model)
    assert found == result.found
    assert budget.failing(found) == ()
    x, y = rows.validation
    lost = (model.predict(x) == y).sum() - (result.model.predict(x) == y).sum()
    assert lost == found.b - found.c <= 0.05 * len(y)


@pytest.mark.parametrize(
    ("budget", "missed"),
    [
        (Budget(1.0, max_bytes=200), "max_bytes"),
        (Budget(1.0, max_macs=10), "max_macs"),
        (Budget(1.0, min_sqnr=90.0), "min_sqnr"),
        (Budget(0.0, max_bytes=200, min_sqnr=90.0), "max_bytes"),
    ],
)
def test_search_budget_names_what_cannot_be(budget: Budget, missed: str) -> None:
    """A budget that nothing meets is missed: by name, with the nearest point, in words."""
    result = search_budget(*cases()["clouds"], budget)
    assert not result.met
    assert missed in result.failing
    assert result.nearest is not None
    assert budget.excess(result.nearest.found) == min(budget.excess(trial.found) for trial in result.frontier)
    assert result.verdict.startswith("missed: ")
    assert "nearest: " in result.verdict


def test_search_budget_same_arguments_same_bytes() -> None:
    """Twice the same: network, thresholds, frontier; the seed decides which rows of a pair validate."""
    model, rows = cases()["clouds"]
    one, two = (search_budget(model, rows.validation, Budget(2.0), rng=seed) for seed in (0, 0))
    other = search_budget(model, rows.validation, Budget(2.0), rng=1)
    assert (one.model, one.frontier, one.verdict) == (two.model, two.frontier, two.verdict)
    assert one.found.rows == other.found.rows == 72
    assert one.frontier != other.frontier


def test_search_budget_builds_in_three_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    """G10. Axes are studied layer by layer on 256 rows, candidates refitted on 512, the found one rounded on all."""
    seen: list[tuple[int, int, str]] = []

    class Spy(CandidateBuilder):
        def measure(self, thresholds: Thresholds) -> Measurement:
            rows = self._x_rounding.shape[0]
            if (rows, self._x_calibration.shape[0], self._compensation) not in seen:
                seen.append((rows, self._x_calibration.shape[0], self._compensation))
            return super().measure(thresholds)  # type: ignore[return-value]

    def on_all_rows(self: CandidateBuilder) -> CandidateBuilder:
        return Spy(self._floating, self._x_calibration, self._reference, None, self._compensation)

    monkeypatch.setattr(search_module, "CandidateBuilder", Spy)
    monkeypatch.setattr(Spy, "on_all_rows", on_all_rows)
    model, _ = cases()["wide"]
    x, y = clouds(4, 8, 4, 900)
    result = search_budget(model, Drawn((x[:600], y[:600]), (x[600:], y[600:])), Budget(2.0), prune=0.2)
    assert seen == [(512, 600, "refit"), (256, 512, "layerwise"), (600, 600, "refit")]
    assert result.outcome.chosen.phase in ("confirmed", "activations")


@pytest.mark.parametrize("wins", [True, False])
def test_search_budget_says_which_method_it_took(wins: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """What rows held out take rounds the network where that costs nothing; the verdict names both ways."""
    model, rows = cases()["clouds"]
    said = MethodChoice("gptq", "gptq", 40, (("rectified", 0.2), ("gptq", 0.1)))
    other: list[IntegerMLP] = []

    def by_gptq(builder: CandidateBuilder, made: Thresholds, method: str) -> Quantized:
        assert method == "gptq"
        # The rectified network itself costs nothing more; the nearest codes of one with 2 bits miss the budget.
        thresholds = made if wins else Thresholds((2,) * len(made.bits), made.rates, made.activation_bits)
        other.append(builder.build(thresholds))
        return Quantized(other[0], ())

    plain = search_budget(model, rows, Budget(max_drop=0.0))
    assert plain.choice is not None and plain.choice.rows == 60 and "rounded by" not in plain.verdict
    monkeypatch.setattr(CandidateBuilder, "choose_method", lambda builder, made: said)
    monkeypatch.setattr(CandidateBuilder, "build_by", by_gptq)
    result = search_budget(model, rows, Budget(max_drop=0.0))
    assert result.choice == said and result.frontier[-1].phase == "method"
    assert result.thresholds == plain.thresholds
    assert result.method == ("gptq" if wins else "rectified")
    assert result.model == (other[0] if wins else plain.model)
    line = result.verdict.split("\n")[-1]
    assert line.startswith(
        "rounded by gptq: 40 rows" if wins else "rounded by rectified, not by gptq, which would miss"
    )


def test_search_budget_without_hidden_layers() -> None:
    """A linear classifier has widths to choose, and nothing to prune."""
    x, y = clouds(1, 4, 3, 200)
    model = FloatMLP((DenseLayer(np.random.default_rng(0).normal(0, 1, (4, 3)), np.zeros(3), "identity"),))
    result = search_budget(model, (x, y), Budget(2.0))
    assert (result.met, result.thresholds.rates, result.thresholds.activation_bits) == (True, (), ())
    assert result.thresholds.bits[0] != 8


def test_search_space_fixed_values_leave_one_level() -> None:
    """What is fixed is not searched."""
    assert search_space(3, 3, 0.3, 8).levels == (1,) * 7
    assert search_space(2, "ternary", None, None).at((0, 0, 9, 6)).rates == (0.9,)


def narrowed(model: FloatMLP, rows: Drawn, made: Thresholds, compensation: str) -> tuple[FloatMLP, list[Any]]:
    """Prune by the public function; return float32 weights and the targets."""
    pruned, report = prune_neurons_with_report(model, rows.x_calibration, made.rates, compensation=compensation)
    z = [part[:, at] for part, at in zip(model.pre_activations(rows.x_calibration), (*report.kept, slice(None)))]  # type: ignore[index]  # noqa: B905
    if not report.nothing_pruned:
        layers = (DenseLayer(e.w.astype(np.float32).astype(float), e.b.astype(np.float32).astype(float), e.activation)
                  for e in pruned.layers)  # fmt: skip
        pruned = FloatMLP(tuple(layers))
        if compensation == "refit":
            z = [*pruned.pre_activations(rows.x_calibration)[:-1], z[-1]]
    return pruned, z


def law_builds_what_the_quantizer_builds(
    build: Callable[[CandidateBuilder, Thresholds], IntegerMLP], compensation: str
) -> None:
    """G9. From memory or not, a candidate is the network that pruning and `quantize_rectified` make."""
    model, rows = cases()["wide"]
    floating = in_float64(model)
    builder = CandidateBuilder(
        floating, rows.x_calibration, Reference.of(floating, *rows.validation), None, compensation
    )
    orders = [
        Thresholds((8, 8, 8), (0.0, 0.0), (8, 8)),
        Thresholds((8, 2, 8), (0.0, 0.0), (8, 8)),
        Thresholds((8, 2, "ternary"), (0.5, 0.0), (8, 8)),
        Thresholds((8, 2, "ternary"), (0.5, 0.3), (3, 8)),
        Thresholds((2, 2, 4), (0.5, 0.3), (3, 5)),
        Thresholds((2, 2, 4), (0.2, 0.3), (3, 5)),
    ]
    for made in orders:
        pruned, z = narrowed(floating, rows, made, compensation)
        wanted = quantize_rectified(pruned, rows.x_calibration, made.bits, made.activation_bits, targets=z)
        assert build(builder, made) == wanted
        assert builder.measure(made).n_bytes == len(encode_model(wanted, builder.encoding))


@pytest.mark.parametrize("compensation", ["refit", "layerwise"])
def test_candidate_builder_builds_what_the_quantizer_builds(compensation: str) -> None:
    """The law above, in an order in which much comes from memory."""
    law_builds_what_the_quantizer_builds(lambda builder, made: builder.build(made), compensation)


@pytest.mark.parametrize("compensation", ["refit", "layerwise"])
def test_candidate_builder_law_kills_a_memory_that_confuses(compensation: str) -> None:
    """A builder that forgets about activation bits, or about rates, is found out."""
    for forget in ("activation_bits", "rates"):

        def confused(builder: CandidateBuilder, made: Thresholds, forget: str = forget) -> IntegerMLP:
            value = (8, 8) if forget == "activation_bits" else (0.0, 0.0)
            fields = {"bits": made.bits, "rates": made.rates, "activation_bits": made.activation_bits}
            return builder.build(Thresholds(**{**fields, forget: value}))

        with pytest.raises(AssertionError):
            law_builds_what_the_quantizer_builds(confused, compensation)


@pytest.mark.parametrize("compensation", ["refit", "layerwise"])
def test_candidate_builder_remembers_what_rounding_cost(compensation: str) -> None:
    """The report of a candidate that comes from memory, in whole or in part, is that of one that is built anew."""
    model, rows = cases()["wide"]
    fixed = in_float64(model), rows.x_calibration, Reference.of(in_float64(model), *rows.validation), None, compensation
    warm, made = CandidateBuilder(*fixed), Thresholds((8, 2, "ternary"), (0.5, 0.3), (8, 8))
    for other in (Thresholds((8, 2, "ternary"), (0.8, 0.3), (8, 8)), Thresholds((8, 4, 4), (0.5, 0.3), (8, 8)), made):
        warm.build(other)
    network, report = warm.build_with_report(made)
    fresh, wanted = CandidateBuilder(*fixed).build_with_report(made)
    assert network == fresh and [layer.bits for layer in report] == [8, 2, "ternary"]
    for one, two in zip(report, wanted, strict=True):
        assert one.phi <= one.phi_uniform and one.phi_by_neuron.shape == two.phi_by_neuron.shape
        for name in one.__slots__[1:]:
            # Sums over the same rows, of a selection of neurons: 2^-53 of each of R K terms at most.
            slack = rows.x_calibration.size * 2.0**-52 * two.phi_nearest_by_neuron.max()
            np.testing.assert_allclose(getattr(one, name), getattr(two, name), rtol=0, atol=slack)


def _bad_input() -> list[tuple[str, type[Exception], str, Callable[[FloatMLP, Rows], object]]]:
    """Name, error, a word of it, and the call."""
    nan = np.full((4, 5), np.nan)

    def record(x_calibration: Any, validation: Any) -> Drawn:
        return Drawn((x_calibration, np.zeros(0, np.int64)), validation)

    return [
        ("integer", TypeError, "FloatMLP", lambda m, r: search_budget(search_budget(m, r).model, r)),
        (
            "reals",
            ValueError,
            "3 outputs: give one target an output",
            lambda m, r: search_budget(m, (r[0], r[1] + 0.5)),
        ),
        ("drop", ValueError, "--max-rmse-rise", lambda m, r: search_budget(m, (r[0], np.eye(3)[r[1]]), Budget(1.0))),
        ("rise", ValueError, "--max-drop", lambda m, r: search_budget(m, r, Budget(max_rmse_rise=0.1))),
        ("infinite", ValueError, "infinite", lambda m, r: search_budget(m, (r[0], np.full((len(r[1]), 3), np.inf)))),
        ("text", TypeError, "<U", lambda m, r: search_budget(m, (r[0], r[1].astype(str)))),
        ("one row", ValueError, "1 rows", lambda m, r: search_budget(m, (r[0][:1], r[1][:1]))),
        ("no rows", ValueError, "shape", lambda m, r: search_budget(m, (r[0][:0], r[1][:0]))),
        ("wide", ValueError, "columns", lambda m, r: search_budget(m, (r[0][:, :3], r[1]))),
        ("nan", ValueError, "NaN", lambda m, r: search_budget(m, (nan, r[1][:4]))),
        ("nan rows", ValueError, "NaN", lambda m, r: search_budget(m, record(nan, r))),
        ("lengths", ValueError, "one class", lambda m, r: search_budget(m, (r[0], r[1][:-1]))),
        ("class", ValueError, "tells", lambda m, r: search_budget(m, (r[0], r[1] + 3))),
        ("negative", ValueError, "tells", lambda m, r: search_budget(m, (r[0], r[1] - 1))),
        ("triple", ValueError, "tuple of 3", lambda m, r: search_budget(m, (*r, r[0]))),
        ("array", TypeError, "ndarray", lambda m, r: search_budget(m, r[0])),
        ("bits", ValueError, "bits is 9", lambda m, r: search_budget(m, r, bits=9)),
        ("rate", ValueError, "0.95", lambda m, r: search_budget(m, r, prune=0.95)),
        ("levels", ValueError, "activation_bits", lambda m, r: search_budget(m, r, activation_bits=9)),
    ]


@pytest.mark.parametrize("case", _bad_input(), ids=lambda case: case[0])
def test_search_budget_refuses(
    case: tuple[str, type[Exception], str, Callable[[FloatMLP, Rows], object]],
) -> None:
    """Each bad input has one error that names it."""
    model, rows = cases()["clouds"]
    with pytest.raises(case[1], match=case[2]):
        case[3](model, rows.validation)


def test_search_budget_refuses_one_output() -> None:
    """A network with one output is no classifier."""
    model = FloatMLP((DenseLayer(np.ones((2, 1)), np.zeros(1), "identity"),))
    with pytest.raises(ValueError, match="regression"):
        search_budget(model, (np.ones((9, 2)), np.zeros(9, np.int64)))


def test_search_space_of_16_bits_is_one_level_of_each_hidden_layer() -> None:
    """16 is fixed, never searched; a network without hidden layers has nothing that would carry it, and says so."""
    assert search_space(3, None, None, 16).activation_bits == ((16,), (16,))
    assert all(16 not in levels for levels in search_space(3, None, None, None).activation_bits)
    with pytest.raises(ValueError, match="need a hidden layer"):
        search_space(1, None, None, 16)
