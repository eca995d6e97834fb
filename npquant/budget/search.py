"""Step 3 for a network and rows: from a budget to thresholds, and to the integer network that has them.

G10 (builds)      one axis alone is studied with layer-by-layer refits, rounded on 256 calibration rows; candidates have
                  the full refit, rounded on 512; what is found is rounded on all. Wide networks: see effort

Legend: R rows, K features, C classes; bits, prune, activation_bits fix what is not searched, None leaves it to the
search.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import count
from time import monotonic
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npquant.budget.candidates import CandidateBuilder, PrunedNet
from npquant.budget.decision import Decision, decide
from npquant.budget.effort import ORDINARY, Effort, effort_for
from npquant.budget.greedy_search import Outcome, describe, search_thresholds
from npquant.budget.progress import Told
from npquant.budget.refinement import confirm, lower_activation_bits, take_method
from npquant.budget.requirements import Budget, Measured
from npquant.budget.space import Space, Thresholds, Trial
from npquant.budget.time_limit import Clock, Stopped, Stopwatch, checked_time_limit, expected_candidates
from npquant.budget.trials import AxisTrial, Measure
from npquant.compression.chain.calibration import checked_rows, evenly_spaced
from npquant.compression.chain.integer_chain import Quantized
from npquant.compression.chain.layer_report import LayerReport
from npquant.compression.chain.method_choice import MethodChoice
from npquant.compression.chain.output_codes import activation_bits_per_layer
from npquant.compression.chain.weight_codes import Bits, weight_grid
from npquant.compression.rounding.method_names import AUTO_METHODS
from npquant.files.facts import Facts
from npquant.integer.mlp import IntegerMLP
from npquant.measure.evaluate import Reference, in_float64
from npquant.nn.model import FloatMLP

# Calibration rows that rounding sees: enough to rank axes; enough to rank candidates, whose pruning sees all.
STUDY_ROWS: Final = 256
SEARCH_ROWS: Final = 512
VALIDATION_SHARE: Final = 0.3
# What the choice of a method takes, at most, in times of a candidate: each method on three rows in four, one on all.
TIMES_OF_CHOICE: Final = 6.0

Progress = Callable[[str], None]
Rows = tuple[NDArray[Any], NDArray[Any]]


class LabelledSets(Protocol):
    """Rows to calibrate on, and validation rows: what `npquant.data.sets.Sets` has, or one's own."""

    @property
    def x_calibration(self) -> NDArray[Any]:
        """Training rows, shape (R, K)."""

    @property
    def validation(self) -> Rows:
        """Validation rows, and their classes or real targets."""


@dataclass(frozen=True, slots=True, eq=False)
class SearchResult:
    """What a budget search found: thresholds, the network that has them, and everything that was tried.

    Parameters
    ----------
    model : IntegerMLP
        To deploy.
    budget : Budget
        What was asked.
    outcome : Outcome
        What was tried, and what was chosen.
    pruned : PrunedNet
        The float network that `model` was quantized from, and what was removed from the original.
    layers : tuple of LayerReport
        What each layer's rounding cost.
    reference : Reference
        The validation rows, and the float network's answers on them.
    stopped : Stopped or None
        How far the search came, if its time was over before all was tried.
    choice : MethodChoice or None
        What rows held out of calibration said of each method, once the thresholds stood; None where time was over.

    Examples
    --------
    Made by `search_budget`.
    """

    model: IntegerMLP
    budget: Budget
    outcome: Outcome
    pruned: PrunedNet
    layers: tuple[LayerReport, ...]
    reference: Reference
    stopped: Stopped | None = None
    choice: MethodChoice | None = None

    @property
    def method(self) -> str:
        """The method that rounded the weights: the rectified one unless another was taken, and kept the budget."""
        return AUTO_METHODS[0] if self.choice is None or self.outcome.chosen.phase != "method" else self.choice.taken

    @property
    def decision(self) -> Decision:
        """Whether the budget is met on the validation rows, and how sure that is."""
        return decide(self.budget, self.found)

    @property
    def met(self) -> bool:
        """Whether everything that was asked holds on the validation rows."""
        return self.decision.met

    @property
    def failing(self) -> tuple[str, ...]:
        """Names of the requirements that are missed."""
        return self.decision.failing

    @property
    def thresholds(self) -> Thresholds:
        """Weight widths, pruning rates and activation bits, by layer."""
        return self.outcome.chosen.thresholds

    @property
    def found(self) -> Measured:
        """What the network is on the validation rows, and what it costs."""
        return self.outcome.chosen.found

    @property
    def nearest(self) -> Trial | None:
        """The candidate that comes nearest to what is missed; None where the budget is met."""
        return self.outcome.nearest

    @property
    def bolder(self) -> Trial | None:
        """A smaller candidate that meets everything on these rows, though KL says that this is luck."""
        return self.outcome.smaller_by_luck

    @property
    def frontier(self) -> tuple[Trial, ...]:
        """Every candidate tried, in order."""
        return self.outcome.frontier

    @property
    def sensitivity(self) -> tuple[AxisTrial, ...]:
        """What one layer's width, rate or activation bits alone do."""
        return self.outcome.sensitivity

    @property
    def verdict(self) -> str:
        """What was found, in words, with its uncertainty."""
        lines = describe(self.outcome, self.decision).split("\n")
        if self.choice is not None and self.choice.taken != AUTO_METHODS[0]:
            kept = "" if self.method == self.choice.taken else f", not by {self.choice.taken}, which would miss more"
            at = next(i for i, line in enumerate(lines) if line.startswith("chosen"))
            lines.insert(at + 1, f"rounded by {self.method}{kept}: {self.choice.reason}")
        return "\n".join(lines if self.stopped is None else [*lines, self.stopped.words])


def search_budget(
    model: FloatMLP,
    data: LabelledSets | tuple[ArrayLike, ArrayLike],
    budget: Budget | None = None,
    *,
    bits: Bits | None = None,
    prune: float | None = None,
    activation_bits: int | None = None,
    inputs: str = "auto",
    time_limit: float | None = None,
    facts: Facts | None = None,
    progress: Progress | None = None,
    rng: int | np.random.Generator | None = 0,
    clock: Clock = monotonic,
) -> SearchResult:
    """Find how few bits and neurons a network needs to keep a budget, layer by layer.

    Parameters
    ----------
    model : FloatMLP
        A classifier, or a regression where y is real; not modified.
    data : record or tuple of two arrays
        Either a record with `x_calibration` (R, K), training rows, and `validation`, a tuple (x, y) of rows (R, K) and
        their classes (R,), or real targets (R,) or (R, C), such as `npquant.data.sets.Sets`; or a tuple (x, y), of
        which three rows in ten, drawn with `rng`, validate and the others calibrate. Keep test rows out of it: open
        them once, when all is chosen.
    budget : Budget or None
        What must hold; None: at most one point of validation accuracy lost; of real targets, RMSE up by at most 5 %
        (or 1 % of the spread of the targets, where that is more).
    bits : int, "ternary" or None
        Fix the weight width of every layer; None: searched.
    prune : float or None
        Fix the pruning rate of every hidden layer, in [0, 0.9]; None: searched.
    activation_bits : int or None
        Fix the bits of every hidden layer's outputs, 2..8, or 16, those of inputs and logits then too; None: searched.
    inputs : {"auto", "exact", "by_feature"}
        As `quantize_rectified` has it: whole numbers as they are, or a step for each feature.
    time_limit : float or None
        Seconds after which no candidate is begun, > 0: the best found by then is returned, and `stopped` says so. At
        least one is built, 8 bits and nothing pruned; the search ends at most one candidate late. None: no limit.
    facts : Facts, optional
        What the file will know of the data, as ``save`` takes it: its bytes count against the budget.
    progress : callable, optional
        Told in a few words what goes on: a str, whose `share` in [0, 1] is about how much of the search is done.
    rng : int, Generator or None
        For the tuple (x, y) alone: which rows validate.
    clock : callable
        Returns seconds that never go back; read for the limit alone.

    Returns
    -------
    SearchResult
        The network, the thresholds, whether the budget is met, the nearest point where it is not, and all candidates.

    Raises
    ------
    TypeError
        If the model is no FloatMLP, the time limit no number, or y holds neither integers nor real numbers.
    ValueError
        If a parameter, the rows or the classes are not valid, the budget is one of the other kind of targets, or a
        network with one output meets classes.

    Notes
    -----
    G1 to G10: see docs/budget.md. Candidates are rounded by the rectified method; once the thresholds stand, rows held
    out of calibration decide (E31) whether another one rounds them better. The scale, a share of the absmax one, is no
    threshold of its own: the quantizer chooses it for each neuron by the error it makes. Deterministic: the same
    arguments give the same bytes, as long as no time limit stops the search; what a stopped search returns depends on
    the clock.

    Examples
    --------
    >>> from npquant.nn.training import train
    >>> draw = np.random.default_rng(0)
    >>> y = draw.integers(0, 3, 300)
    >>> x = draw.normal(0, 0.3, (300, 4)) + np.eye(3, 4)[y]
    >>> result = search_budget(train(x, y, hidden=(8,), epochs=20, rng=0), (x, y), Budget(max_drop=2.0))
    >>> result.met, result.model.n_inputs, len(result.thresholds.bits), result.found.drop <= 2.0
    (True, 4, 2, True)
    """
    if not isinstance(model, FloatMLP):
        raise TypeError(f"the model is a {type(model).__name__}: a search starts from a FloatMLP")
    floating = in_float64(model)
    x_calibration, validation = _rows_of(data, model, rng)
    watch = Stopwatch(checked_time_limit(time_limit), clock)
    reference = Reference.of(floating, *validation)
    wanted = (budget or Budget()).of_kind("real" if reference.output == "identity" else "classes")
    effort = effort_for(model.macs)
    x_calibration = evenly_spaced(x_calibration, effort.most_rows or len(x_calibration))
    space = search_space(len(model.layers), bits, prune, activation_bits, effort)
    builder = quick = CandidateBuilder(
        floating, x_calibration, reference, SEARCH_ROWS, effort.compensation, facts=facts, inputs=inputs
    )
    builders = [quick]
    if not effort.wide:
        rows = x_calibration[:SEARCH_ROWS]
        builders.append(CandidateBuilder(floating, rows, reference, STUDY_ROWS, "layerwise", "dense", facts, inputs))
    expected = expected_candidates(space)
    measures = (watch.timed(_told(each, progress, expected)) for each in builders)
    outcome = search_thresholds(space, wanted, *measures, sparing=effort.wide)
    if len(x_calibration) > SEARCH_ROWS:
        # Rounding takes a time in proportion to rows, and most of a candidate's.
        full, times = quick.on_all_rows(), len(x_calibration) / SEARCH_ROWS
        outcome = confirm(outcome, wanted, watch.timed(_told(full, progress, expected), times))
        builder = full if outcome.chosen.phase == "confirmed" else quick
    outcome = lower_activation_bits(outcome, wanted, watch.timed(_told(builder, progress, expected)))
    built = builder.build_with_report(outcome.chosen.thresholds)
    if not outcome.stopped:
        outcome, built = _by_choice(builder, outcome, wanted, watch, built)
    stopped = watch.stopped(space) if outcome.stopped else None
    pruned = builder.prune(outcome.chosen.thresholds.rates)
    return SearchResult(built.network, wanted, outcome, pruned, built.report, reference, stopped, built.choice)


def _by_choice(
    builder: CandidateBuilder, outcome: Outcome, budget: Budget, watch: Stopwatch, built: Quantized
) -> tuple[Outcome, Quantized]:
    """Ask rows held out of calibration for the method of the choice; keep what was `built` where theirs misses more."""
    asked: list[Quantized] = []

    def measure(made: Thresholds) -> Measured:
        choice = builder.choose_method(made)
        # What is built already is what the first method gives.
        by_choice = built if choice.taken == AUTO_METHODS[0] else builder.build_by(made, choice.taken)
        asked.append(replace(by_choice, choice=choice))
        return builder.measure_network(by_choice.network)

    after = take_method(outcome, budget, watch.timed(measure, TIMES_OF_CHOICE))
    if not asked:
        return after, built
    choice = asked[0].choice
    assert choice is not None  # `measure` adds one
    outcome = outcome if choice.taken == AUTO_METHODS[0] else after
    return outcome, asked[0] if outcome.chosen.phase == "method" else replace(built, choice=choice)


def _told(builder: CandidateBuilder, progress: Progress | None, expected: int) -> Measure:
    """Measure with a builder, and tell about each candidate, of about so many expected."""
    tried = count(1)

    def measure(made: Thresholds) -> Measured:
        if progress is not None:
            widths, rates = ("/".join(map(str, values)) for values in (made.bits, made.rates))
            levels = "/".join(map(str, made.activation_bits))
            number = next(tried)
            text = f"3 thresholds: candidate {number}, bits {widths}, rates {rates}, activations {levels}"
            progress(Told(text, min((number - 1) / expected, 1.0)))
        return builder.measure(made)

    return measure


def search_space(
    layers: int, bits: Bits | None, prune: float | None, activation_bits: int | None, effort: Effort = ORDINARY
) -> Space:
    """Lay out what a search of a network of `layers` >= 1 may choose under an `effort`; a fixed value leaves one level.

    One width a layer, one rate and one number of activation bits a hidden layer. ValueError if a value lies outside its
    interval.

    >>> search_space(2, 4, None, 8).levels
    (1, 1, 10, 1)
    """
    if bits is not None:
        weight_grid(bits)
    if prune is not None and not 0 <= prune <= 0.9:
        raise ValueError(f"the pruning rate is {prune}; give a share of neurons in [0, 0.9]")
    if activation_bits is not None:
        activation_bits_per_layer(activation_bits, layers)
        if activation_bits == 16 and layers == 1:
            raise ValueError("16 activation bits need a hidden layer here; quantize this network by `quantize_model`")
    widths = effort.widths if bits is None else (bits,)
    rates = effort.rates if prune is None else (float(prune),)
    levels = effort.activation_bits if activation_bits is None else (activation_bits,)
    return Space((widths,) * layers, (rates,) * (layers - 1), (levels,) * (layers - 1))


def _rows_of(
    data: LabelledSets | tuple[ArrayLike, ArrayLike], model: FloatMLP, rng: int | np.random.Generator | None
) -> tuple[NDArray[Any], Rows]:
    """Return calibration rows, and validation rows with their classes, checked."""
    if isinstance(data, tuple):
        if len(data) != 2:
            raise ValueError(f"data is a tuple of {len(data)}; give (x, y), or a record with x_calibration, validation")
        x, y = _checked(data, model)
        held_out = int(np.ceil(VALIDATION_SHARE * len(y)))
        if held_out == len(y):
            raise ValueError(f"there are {len(y)} rows; one to calibrate on and one to validate on is the least")
        order = np.random.default_rng(rng).permutation(len(y))
        return x[order[held_out:]], (x[order[:held_out]], y[order[:held_out]])
    if not (hasattr(data, "x_calibration") and hasattr(data, "validation")):
        raise TypeError(f"data is a {type(data).__name__}; give (x, y), or a record with x_calibration and validation")
    x_calibration = np.asarray(data.x_calibration)
    if checked_rows(x_calibration).shape[1] != model.n_inputs:
        raise ValueError(f"x_calibration has {x_calibration.shape[1]} columns; the model reads {model.n_inputs}")
    return x_calibration, _checked(data.validation, model)


def _checked(pair: tuple[ArrayLike, ArrayLike], model: FloatMLP) -> Rows:
    """Return rows, and classes or real targets, as arrays that fit each other and the network."""
    x, y = np.asarray(pair[0]), np.asarray(pair[1])
    if checked_rows(x, "x").shape[1] != model.n_inputs:
        raise ValueError(f"x has {x.shape[1]} columns; the model reads {model.n_inputs}")
    if y.shape[:1] != x.shape[:1]:
        raise ValueError(f"x has {len(x)} rows and y the shape {y.shape}; each row needs one class or target")
    if y.dtype.kind == "f":
        return x, _checked_targets(y, model)
    classes = model.neurons[-1]
    if not np.issubdtype(y.dtype, np.integer):
        raise TypeError(f"y holds {y.dtype}; give integer classes, or real targets of a float type")
    if classes < 2:
        raise ValueError(
            "the network has one output, and y holds integers: for regression give y.astype(float); a binary "
            "classifier needs an output a class (of one logit z, the two 0 and z)"
        )
    if y.ndim != 1:
        raise ValueError(f"x has {len(x)} rows and y the shape {y.shape}; each row needs one class")
    if int(y.min()) < 0 or int(y.max()) >= classes:
        raise ValueError(f"the classes span [{y.min()}, {y.max()}]; the network tells [0, {classes - 1}] apart")
    return x, y.astype(np.int64)


def _checked_targets(y: NDArray[Any], model: FloatMLP) -> NDArray[np.float64]:
    """Return real targets (R, C) that fit the network."""
    targets = y.astype(np.float64).reshape(len(y), -1)
    if y.ndim > 2 or targets.shape[1] != model.neurons[-1]:
        raise ValueError(
            f"y holds real numbers of shape {y.shape}, targets of a regression; the network has {model.neurons[-1]} "
            "outputs: give one target an output, or integer classes"
        )
    if not np.isfinite(targets).all():
        raise ValueError("a target is NaN or infinite; replace or drop its row")
    return targets
