"""All known bugs by name: what each does wrong, which class of cases is made to find it, and where the field met it.

Legend: profile the arithmetic that a mutant is made of; a bug applies to a profile where its codes can differ at all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from types import FunctionType, ModuleType
from typing import Any, Final

from npquant.profiles.operators import linear
from npquant.profiles.record import Profile
from npquant.testing.adapters.callable import FunctionBackend
from npquant.testing.backend import Backend, capabilities_of
from npquant.testing.bugs import (
    accumulators,
    activations,
    biases,
    channels,
    lanes,
    memory,
    multiplier,
    networks,
    pruned,
    real_values,
    refusals,
    rounding,
    saturation,
    shapes,
    state,
    tails,
    zero_points,
)
from npquant.testing.bugs.honest import as_function
from npquant.testing.bugs.unseen import unseen


@dataclass(frozen=True, slots=True)
class Bug:
    """One wrong kernel: make(profile) gives a fresh backend that has it.

    `says` is what it does wrong, in a line for a report; `met` where the field met it, if it is on record.
    """

    name: str
    says: str
    group: str
    met: str
    make: Callable[[Profile], Backend]


# Where a bug was met: repository and issue, for those that are on record.
MET: Final = (
    ("rounding.truncates_toward_zero", "microsoft/onnxruntime#32452"),
    ("rounding.floors", "awxkee/pic-scale#161"),
    ("rounding.sends_ties_up", "tenstorrent/tt-metal#56525"),
    ("rounding.sends_ties_away", "sonos/tract#2850, microsoft/onnxruntime#25045"),
    ("rounding.rounds_negatives_with_the_positive_constant", "ZantFoundation/Z-Ant#412, NNgen/nngen#61"),
    ("rounding.rounds_twice_away", "tensorflow/tensorflow#25087"),
    ("rounding.rounds_once_where_twice_is_due", "google-ai-edge/LiteRT#8567"),
    ("rounding.rounds_after_the_zero_point", "onnx.reference QLinearMatMul"),
    ("rounding.rounds_in_float32", "microsoft/onnxruntime#25512"),
    ("multiplier.multiplier_is_made_in_float32", "tensorflow/tensorflow#23800"),
    ("multiplier.multiplier_is_one_too_large", "tensorflow/tflite-micro#1500"),
    ("multiplier.left_shift_is_ignored", "pytorch/pytorch#35856"),
    ("zero_points.weight_zero_point_is_forgotten", "ARM-software/CMSIS-NN#110"),
    ("zero_points.input_zero_point_is_added", "ARM-software/ComputeLibrary#1033"),
    ("zero_points.input_zero_point_is_subtracted_in_8_bits_wrapping", "pytorch/executorch#20655"),
    ("zero_points.output_zero_point_wraps_in_16_bits", "google/ruy#272"),
    ("shapes.unit_multiplier_skips_the_zero_point", "microsoft/onnxruntime#29853"),
    ("lanes.input_is_read_as_the_other_sign", "pytorch/glow#4143"),
    ("lanes.lowest_weight_is_one_higher", "assumed by FBGEMM's and ruy's tests"),
    ("lanes.pairs_saturate_to_16_bits", "pytorch/pytorch#44939, uxlfoundation/oneDNN#476"),
    ("lanes.products_eight_apart_wrap_in_16_bits", "microsoft/onnxruntime#31573"),
    ("lanes.lane_is_kept_in_16_bits_over_sixteen_steps", "microsoft/BitNet#629"),
    ("saturation.clamps_before_the_zero_point", "ROCm/rocMLIR#1034"),
    ("saturation.never_reaches_the_lowest_code", "microsoft/onnxruntime#3442, tenstorrent/tt-metal#56526"),
    ("saturation.clamps_to_the_other_type", "microsoft/onnxruntime#29727"),
    ("saturation.wraps_in_place_of_saturating", "onnx/onnx#7835"),
    ("saturation.mirrors_negatives", "tenstorrent/tt-metal#56290"),
    ("accumulators.accumulates_in_float32", "ROCm/triton#958"),
    ("tails.last_input_is_skipped", "ml-explore/mlx#1577"),
    ("tails.odd_last_row_is_skipped", "microsoft/onnxruntime#22125"),
    ("tails.narrow_output_reads_its_neighbour", "espressif/esp-nn#34"),
    ("shapes.square_weights_are_transposed", "vllm-project/vllm#44110"),
    ("channels.channel_0_serves_all", "sonos/tract#2849"),
    ("channels.scales_run_along_the_rows", "apple/coreai-torch#24"),
    ("biases.has_the_input_scale", "pytorch/executorch#20655, IntelLabs/distiller#11"),
    ("biases.wraps_to_16_bits", "ARM-software/CMSIS_5#665"),
    ("activations.clamps_at_code_zero", "pytorch/executorch#18462"),
    ("state.accumulator_is_not_cleared", "pytorch/pytorch#33320"),
    ("memory.row_stride_of_the_input_is_ignored", "vllm-project/vllm#49092"),
    ("memory.strides_of_the_weights_are_ignored", "pytorch/FBGEMM#2713"),
    ("shapes.empty_batch_divides_by_zero", "pytorch/pytorch#40587"),
    ("shapes.empty_depth_fails", "microsoft/onnxruntime#6238"),
    ("memory.answer_is_int32", "onnx/onnx#2839"),
    ("pruned.pruned_weight_counts_as_code_zero", "IST-DASLab/Sparse-Marlin#4"),
    ("real_values.multiplies_by_the_reciprocal", "tinygrad/tinygrad#9301"),
    ("real_values.huge_values_wrap", "apache/tvm#9558, RedisAI/VectorSimilarity#1015"),
    ("networks.output_zero_point_is_the_next_layers", "pytorch/executorch#21423"),
    ("refusals.depth_mismatch_is_cut", "TOSA 2ee1f33"),
)
PARTS: Final = (
    rounding,
    multiplier,
    zero_points,
    saturation,
    lanes,
    accumulators,
    tails,
    channels,
    biases,
    activations,
    memory,
    shapes,
    pruned,
)
# Mutants that take a lane width, and the widths that vector units have.
WIDTHS: Final = (
    (tails.depth_tail_dropped, (4, 8, 16, 32)),
    (tails.depth_tail_counted_twice, (4, 16)),
    (tails.padding_counts_as_codes, (4, 16)),
    (tails.padded_inputs_meet_garbage_weights, (4, 16)),
    (tails.outputs_beyond_a_vector_repeat_the_first, (4, 8)),
)


def _functions(module: ModuleType) -> list[tuple[str, Callable[..., Any]]]:
    """Return the public functions that a module defines itself, in the order of its text."""
    own = [value for name, value in vars(module).items() if callable(value) and not name.startswith("_")]
    return [(f.__name__, f) for f in own if getattr(f, "__module__", "") == module.__name__ and _is_bug(f)]


def _is_bug(f: Callable[..., Any]) -> bool:
    """Say whether a function of a module is a mutant, and not a part that mutants share."""
    shared = {"half_up", "half_away", "unclamped", *(maker.__name__ for maker, _ in WIDTHS)}
    return isinstance(f, FunctionType) and f.__name__ not in shared


def _said(name: str, f: Callable[..., Any]) -> str:
    return f"{name.replace('_', ' ')}: {(f.__doc__ or '').strip().splitlines()[0].rstrip('.')}"


def _stateless(mutant: Callable[..., Any], name: str, profile: Profile) -> Backend:
    return FunctionBackend(name, profile.name, as_function(mutant, profile), capabilities_of(profile))


def _stateful(make: Callable[[Profile], Callable[..., Any]], name: str, profile: Profile) -> Backend:
    return FunctionBackend(name, profile.name, make(profile), capabilities_of(profile))


def _quantizing(mutant: Callable[..., Any], name: str, profile: Profile) -> Backend:
    return FunctionBackend(name, profile.name, partial(linear, profile=profile), capabilities_of(profile), mutant)


def _network(change: networks.Change, name: str, profile: Profile) -> Backend:
    return networks.ChangedNetwork(name, profile.name, profile, change)


def _bug(module: ModuleType, name: str, says: str, make: Callable[[str, Profile], Backend]) -> Bug:
    group = module.__name__.rpartition(".")[2]
    full = f"{group}.{name}"
    return Bug(full, says, group, dict(MET).get(full, ""), partial(make, full))


def _bugs_of(module: ModuleType, make: Callable[..., Backend]) -> list[Bug]:
    """Return a bug for each mutant that a module defines."""
    return [_bug(module, name, _said(name, f), partial(make, f)) for name, f in _functions(module)]


def _lane_bugs() -> list[Bug]:
    """Return a bug for each lane width of the mutants that take one."""
    made = [(f"{make.__name__}_{n}", make, make(n), n) for make, widths in WIDTHS for n in widths]
    drop = tails.depth_tail_dropped
    made += [(f"depth_tail_dropped_{n}_beyond_64", drop, drop(n, 64), n) for n in (4, 16, 32)]
    made += [(f"depth_tail_dropped_{n}_after_a_whole_vector", drop, drop(n, n - 1), n) for n in (4, 8, 16, 32)]
    return [_bug(tails, name, _lane_said(name, make, n), partial(_stateless, f)) for name, make, f, n in made]


def _lane_said(name: str, make: Callable[..., Any], lane: int) -> str:
    """Return what a mutant of a lane width does, with the width in place of its letter."""
    says = _said(name, make).replace("Return a mutant that ", "").replace("Return a mutant whose ", "its ")
    return says.replace("`lane`", str(lane)).partition(", where K is larger")[0]


def _catalogue() -> tuple[Bug, ...]:
    found = [bug for module in PARTS for bug in _bugs_of(module, _stateless)]
    found += [*_lane_bugs(), *_bugs_of(state, _stateful), *_bugs_of(refusals, _stateful)]
    return (*found, *_bugs_of(networks, _network), *_bugs_of(real_values, _quantizing))


CATALOGUE: Final = _catalogue()


def equivalents(profile: Profile) -> dict[str, str]:
    """Return the bugs that cannot be seen under a profile, each with why: its name, and the reason in words.

    >>> from npquant.profiles import get
    >>> equivalents(get("npquant"))
    {'accumulators.accumulator_saturates_where_it_should_wrap': 'no accumulator may leave int32'}
    """
    layers = () if profile.has_layers else (bug.name for bug in CATALOGUE if bug.group != "real_values")
    return {**unseen(profile), **dict.fromkeys(layers, "the engine has no linear layer")}


def applies(bug: Bug, profile: Profile) -> bool:
    """Say whether a bug can be seen under a profile at all."""
    return bug.name not in equivalents(profile)


def bug_named(name: str) -> Bug:
    """Return a bug by its name; ValueError if there is none."""
    for bug in CATALOGUE:
        if bug.name == name:
            return bug
    raise ValueError(f"there is no bug {name!r}; python -m npquant.testing mutants lists them")
