"""npquant: the executable specification of quantized and pruned MLP inference.

The map of the house, floor by floor. A module imports only from floors below its own.

floor 0   npquant.spec           the definitions: scalars over int and Fraction
floor 1   npquant.kernels        their array twins          npquant.nn        the float MLP, by hand
          npquant.profiles       engines' arithmetic, as data
floor 2   npquant.integer        the integer-only networks  npquant.files     what is written and read
          npquant.compression    float to integer, and fewer of both weights and neurons
floor 3   npquant.workflow       the eight steps
door      npquant.cli            the command line

The public names below are loaded at first use, so that ``import npquant`` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from npquant import profiles
    from npquant.compression.budget.requirements import Budget
    from npquant.compression.coding.bias_step import coarsen_biases
    from npquant.compression.coding.neuron_order import reorder_neurons
    from npquant.compression.dynamic import quantize_dynamic
    from npquant.compression.neuron_pruning.pruning import prune_neurons, prune_neurons_with_report
    from npquant.compression.peers.adaround import quantize_adaround
    from npquant.compression.peers.gpfq import quantize_gpfq
    from npquant.compression.peers.gptq import quantize_gptq, quantize_gptq_resolved
    from npquant.compression.peers.nearest import quantize_nearest
    from npquant.compression.rectified.network import quantize_rectified
    from npquant.compression.uniform import quantize_uniform
    from npquant.compression.weight_pruning.gradual import prune_gradually
    from npquant.compression.weight_pruning.on_grid import quantize_on_grid
    from npquant.compression.weight_pruning.one_shot import prune_weights, prune_weights_with_report
    from npquant.compression.weight_pruning.sparse_rounding import quantize_keeping_zeros
    from npquant.compression.weight_pruning.straight_through import StraightThrough
    from npquant.files.storage import itemize, load, save
    from npquant.integer.dynamic_mlp import DynamicMLP
    from npquant.integer.mlp import IntegerMLP
    from npquant.kernels.matmul import matmul_int8, matmul_int8_blas
    from npquant.kernels.profile import Profile
    from npquant.kernels.qparams import QuantParams
    from npquant.kernels.requantize import FixedMultiplier
    from npquant.nn.finetuning import finetune
    from npquant.nn.model import FloatMLP
    from npquant.nn.training import train
    from npquant.profiles.operators import dequantize, linear, quantize, requantize
    from npquant.workflow.search import SearchResult, search_budget
    from npquant.workflow.steps import run_workflow

__version__: Final = "0.1.0"
# Apart from the package version: raised when any golden output of any profile changes (tests/profiles pins them).
numerics_version: Final = "1"

__all__ = [
    "Budget",
    "DynamicMLP",
    "FixedMultiplier",
    "FloatMLP",
    "IntegerMLP",
    "Profile",
    "QuantParams",
    "SearchResult",
    "StraightThrough",
    "__version__",
    "coarsen_biases",
    "dequantize",
    "finetune",
    "itemize",
    "linear",
    "load",
    "matmul_int8",
    "matmul_int8_blas",
    "numerics_version",
    "profiles",
    "prune_gradually",
    "prune_neurons",
    "prune_neurons_with_report",
    "prune_weights",
    "prune_weights_with_report",
    "quantize",
    "quantize_adaround",
    "quantize_dynamic",
    "quantize_gpfq",
    "quantize_gptq",
    "quantize_gptq_resolved",
    "quantize_keeping_zeros",
    "quantize_nearest",
    "quantize_on_grid",
    "quantize_rectified",
    "quantize_uniform",
    "reorder_neurons",
    "requantize",
    "run_workflow",
    "save",
    "search_budget",
    "train",
]

# Each public name and the module it lives in; the line order is the order of the floors.
_HOME: Final = MappingProxyType(
    {
        # floor 1, kernels: the array arithmetic
        "QuantParams": "npquant.kernels.qparams",
        "FixedMultiplier": "npquant.kernels.requantize",
        "Profile": "npquant.kernels.profile",
        "matmul_int8": "npquant.kernels.matmul",
        "matmul_int8_blas": "npquant.kernels.matmul",
        # floor 1, nn: the float network
        "FloatMLP": "npquant.nn.model",
        "finetune": "npquant.nn.finetuning",
        "train": "npquant.nn.training",
        # floor 1, profiles: operators under an engine's arithmetic
        "quantize": "npquant.profiles.operators",
        "dequantize": "npquant.profiles.operators",
        "requantize": "npquant.profiles.operators",
        "linear": "npquant.profiles.operators",
        # floor 2: float to integer, and the network that results
        "quantize_uniform": "npquant.compression.uniform",
        "quantize_rectified": "npquant.compression.rectified.network",
        "quantize_nearest": "npquant.compression.peers.nearest",
        "quantize_gptq": "npquant.compression.peers.gptq",
        "quantize_gptq_resolved": "npquant.compression.peers.gptq",
        "quantize_gpfq": "npquant.compression.peers.gpfq",
        "quantize_adaround": "npquant.compression.peers.adaround",
        "quantize_dynamic": "npquant.compression.dynamic",
        "prune_neurons": "npquant.compression.neuron_pruning.pruning",
        "prune_neurons_with_report": "npquant.compression.neuron_pruning.pruning",
        "prune_weights": "npquant.compression.weight_pruning.one_shot",
        "prune_weights_with_report": "npquant.compression.weight_pruning.one_shot",
        "quantize_keeping_zeros": "npquant.compression.weight_pruning.sparse_rounding",
        "prune_gradually": "npquant.compression.weight_pruning.gradual",
        "StraightThrough": "npquant.compression.weight_pruning.straight_through",
        "quantize_on_grid": "npquant.compression.weight_pruning.on_grid",
        "IntegerMLP": "npquant.integer.mlp",
        "DynamicMLP": "npquant.integer.dynamic_mlp",
        "coarsen_biases": "npquant.compression.coding.bias_step",
        "reorder_neurons": "npquant.compression.coding.neuron_order",
        "itemize": "npquant.files.storage",
        "load": "npquant.files.storage",
        "save": "npquant.files.storage",
        # floor 3: the search and the eight steps
        "Budget": "npquant.compression.budget.requirements",
        "SearchResult": "npquant.workflow.search",
        "search_budget": "npquant.workflow.search",
        "run_workflow": "npquant.workflow.steps",
    }
)


def __getattr__(name: str) -> object:
    """Load a public name at its first use, and keep it."""
    if name == "profiles":
        return import_module("npquant.profiles")
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module 'npquant' has no attribute {name!r}; see dir(npquant)")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names, loaded or not."""
    return sorted(__all__)
