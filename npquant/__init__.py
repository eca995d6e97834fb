"""npquant: the executable specification of quantized and pruned MLP inference.

The map of the house, floor by floor. A module imports only from floors below its own.

floors 1 to 2    npquant.spec         the definitions: scalars over int and Fraction
                 npquant.kernels      their array twins          npquant.nn       the float MLP, by hand
floors 3 to 5    npquant.profiles     engines' arithmetic, as data
                 npquant.integer      the integer-only networks  npquant.codec    integers to bytes
floors 6 to 8    npquant.compression  float to integer, and fewer of both weights and neurons
                 npquant.files        what is written and read   npquant.interop  other people's formats
                 npquant.data         rows and labels
floors 9 to 13   npquant.measure, npquant.budget, npquant.testing, npquant.report, npquant.workflow (the eight steps)
door             npquant.cli          the command line

The public names below are loaded at first use, so that ``import npquant`` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from npquant.version import __version__, numerics_version

if TYPE_CHECKING:
    from npquant import profiles
    from npquant.budget.requirements import Budget
    from npquant.budget.search import SearchResult, search_budget
    from npquant.compression.bias_step import coarsen_biases
    from npquant.compression.chain.integer_chain import LayerProblem
    from npquant.compression.chain.layer_codes import LayerCodes
    from npquant.compression.neuron_order import reorder_neurons
    from npquant.compression.pruning.neurons.pruning import prune_neurons, prune_neurons_with_report
    from npquant.compression.pruning.weights.gradual import prune_gradually
    from npquant.compression.pruning.weights.one_shot import prune_weights, prune_weights_with_report
    from npquant.compression.rounding.adaround import quantize_adaround
    from npquant.compression.rounding.dynamic import quantize_dynamic
    from npquant.compression.rounding.gpfq import quantize_gpfq
    from npquant.compression.rounding.gptq import quantize_gptq, quantize_gptq_resolved
    from npquant.compression.rounding.keeping_zeros import quantize_keeping_zeros
    from npquant.compression.rounding.nearest import quantize_nearest
    from npquant.compression.rounding.on_grid import quantize_on_grid
    from npquant.compression.rounding.quantize_model import quantize_model
    from npquant.compression.rounding.rectified.network import quantize_rectified
    from npquant.compression.rounding.straight_through import StraightThrough
    from npquant.compression.rounding.uniform import quantize_uniform
    from npquant.data.dataset import Dataset
    from npquant.data.datasets import load_dataset
    from npquant.files.facts import Facts
    from npquant.files.format_error import FormatError
    from npquant.files.storage import itemize, save
    from npquant.integer.dynamic_mlp import DynamicMLP
    from npquant.integer.mlp import IntegerMLP
    from npquant.interop.reading import load, read_facts
    from npquant.kernels.matmul import matmul_int8, matmul_int8_blas
    from npquant.kernels.multiplier import FixedMultiplier
    from npquant.kernels.qparams import QuantParams
    from npquant.nn.finetuning import finetune
    from npquant.nn.model import DenseLayer, FloatMLP
    from npquant.nn.training import train
    from npquant.profiles.operators import dequantize, linear, quantize, requantize
    from npquant.profiles.record import Profile
    from npquant.workflow.compare.run import compare
    from npquant.workflow.steps import run_workflow
    from npquant.workflow.sweep.run import sweep


__all__ = [
    "Budget",
    "Dataset",
    "DenseLayer",
    "DynamicMLP",
    "Facts",
    "FixedMultiplier",
    "FloatMLP",
    "FormatError",
    "IntegerMLP",
    "LayerCodes",
    "LayerProblem",
    "Profile",
    "QuantParams",
    "SearchResult",
    "StraightThrough",
    "__version__",
    "coarsen_biases",
    "compare",
    "dequantize",
    "finetune",
    "itemize",
    "linear",
    "load",
    "load_dataset",
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
    "quantize_model",
    "quantize_nearest",
    "quantize_on_grid",
    "quantize_rectified",
    "quantize_uniform",
    "read_facts",
    "reorder_neurons",
    "requantize",
    "run_workflow",
    "save",
    "search_budget",
    "sweep",
    "train",
]

# Each public name and the module it lives in; the line order is the order of the floors.
_HOME: Final = MappingProxyType(
    {
        # floor 1, kernels: the array arithmetic
        "QuantParams": "npquant.kernels.qparams",
        "FixedMultiplier": "npquant.kernels.multiplier",
        "Profile": "npquant.profiles.record",
        "matmul_int8": "npquant.kernels.matmul",
        "matmul_int8_blas": "npquant.kernels.matmul",
        # floor 1, nn: the float network
        "DenseLayer": "npquant.nn.model",
        "FloatMLP": "npquant.nn.model",
        "finetune": "npquant.nn.finetuning",
        "train": "npquant.nn.training",
        # floor 1, profiles: operators under an engine's arithmetic
        "quantize": "npquant.profiles.operators",
        "dequantize": "npquant.profiles.operators",
        "requantize": "npquant.profiles.operators",
        "linear": "npquant.profiles.operators",
        # floor 2: float to integer, and the network that results
        "quantize_model": "npquant.compression.rounding.quantize_model",
        "LayerProblem": "npquant.compression.chain.integer_chain",
        "LayerCodes": "npquant.compression.chain.layer_codes",
        "quantize_uniform": "npquant.compression.rounding.uniform",
        "quantize_rectified": "npquant.compression.rounding.rectified.network",
        "quantize_nearest": "npquant.compression.rounding.nearest",
        "quantize_gptq": "npquant.compression.rounding.gptq",
        "quantize_gptq_resolved": "npquant.compression.rounding.gptq",
        "quantize_gpfq": "npquant.compression.rounding.gpfq",
        "quantize_adaround": "npquant.compression.rounding.adaround",
        "quantize_dynamic": "npquant.compression.rounding.dynamic",
        "prune_neurons": "npquant.compression.pruning.neurons.pruning",
        "prune_neurons_with_report": "npquant.compression.pruning.neurons.pruning",
        "prune_weights": "npquant.compression.pruning.weights.one_shot",
        "prune_weights_with_report": "npquant.compression.pruning.weights.one_shot",
        "quantize_keeping_zeros": "npquant.compression.rounding.keeping_zeros",
        "prune_gradually": "npquant.compression.pruning.weights.gradual",
        "StraightThrough": "npquant.compression.rounding.straight_through",
        "quantize_on_grid": "npquant.compression.rounding.on_grid",
        "IntegerMLP": "npquant.integer.mlp",
        "DynamicMLP": "npquant.integer.dynamic_mlp",
        "coarsen_biases": "npquant.compression.bias_step",
        "reorder_neurons": "npquant.compression.neuron_order",
        "itemize": "npquant.files.storage",
        "Facts": "npquant.files.facts",
        "save": "npquant.files.storage",
        "FormatError": "npquant.files.format_error",
        # in and out: files of every format
        "load": "npquant.interop.reading",
        "read_facts": "npquant.interop.reading",
        # rows and labels
        "Dataset": "npquant.data.dataset",
        "load_dataset": "npquant.data.datasets",
        # floor 3: the search and the eight steps
        "Budget": "npquant.budget.requirements",
        "SearchResult": "npquant.budget.search",
        "search_budget": "npquant.budget.search",
        "run_workflow": "npquant.workflow.steps",
        "sweep": "npquant.workflow.sweep.run",
        "compare": "npquant.workflow.compare.run",
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
