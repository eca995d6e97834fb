"""Write docs/api.md from the cards of the public names: python docs/generate_api.py > docs/api.md"""

from __future__ import annotations

import inspect
from importlib import import_module
from types import MappingProxyType, ModuleType
from typing import Final

HEAD = """# The public API on one page

Every name of `npquant`, `npquant.testing` and `npquant.interop` that is kept until a major version, made from the cards
by `docs/generate_api.py`. A default that is written as a name is that function or record. `help(name)` prints the whole
card: types, shapes, intervals, what is raised, the equation, and an example.
"""
DOORS: Final = ("npquant", "npquant.testing", "npquant.interop")
# The page on which a name is explained, by where it lives; the longest beginning wins.
PAGES: Final = MappingProxyType(
    {
        "npquant.budget": "budget.md",
        "npquant.compression": "uniform.md",
        "npquant.compression.bias_step": "storage.md",
        "npquant.compression.chain": "compare.md",
        "npquant.compression.neuron_order": "storage.md",
        "npquant.compression.pruning.neurons": "pruning.md",
        "npquant.compression.pruning.weights": "weight-pruning.md",
        "npquant.compression.pruning.weights.gradual": "finetuning.md",
        "npquant.compression.rounding": "peers.md",
        "npquant.compression.rounding.dynamic": "dynamic.md",
        "npquant.compression.rounding.keeping_zeros": "weight-pruning.md",
        "npquant.compression.rounding.on_grid": "finetuning.md",
        "npquant.compression.rounding.quantize_model": "rectified.md",
        "npquant.compression.rounding.rectified": "rectified.md",
        "npquant.compression.rounding.straight_through": "finetuning.md",
        "npquant.compression.rounding.uniform": "uniform.md",
        "npquant.data": "data.md",
        "npquant.files": "storage.md",
        "npquant.integer": "integer-linear-layer.md",
        "npquant.integer.dynamic_mlp": "dynamic.md",
        "npquant.interop": "export.md",
        "npquant.interop.c99": "c99.md",
        "npquant.interop.imported": "interop.md",
        "npquant.interop.keras_in": "interop.md",
        "npquant.interop.onnx_in": "interop.md",
        "npquant.interop.reading": "interop.md",
        "npquant.interop.reading.read_facts": "storage.md",
        "npquant.interop.readmemh": "c99.md",
        "npquant.interop.safetensors": "interop.md",
        "npquant.interop.sklearn": "sklearn-to-c.md",
        "npquant.interop.tflite_in": "int8-tflite.md",
        "npquant.interop.torch": "interop.md",
        "npquant.kernels": "integer-linear-layer.md",
        "npquant.nn": "nn.md",
        "npquant.nn.finetuning": "finetuning.md",
        "npquant.profiles": "profiles.md",
        "npquant.testing": "plug-in.md",
        "npquant.testing.explain": "counterexamples.md",
        "npquant.testing.strategies": "testing-commands.md",
        "npquant.testing.vectors": "golden-vectors.md",
        "npquant.testing.who": "who.md",
        "npquant.workflow.compare": "compare.md",
        "npquant.workflow.sweep": "sweep.md",
        "npquant.workflow": "eight-steps.md",
    }
)

VERSIONS: Final = MappingProxyType(
    {
        "__version__": "The version of the package.",
        "numerics_version": "The version of the numbers: it rises when any golden output of any profile changes.",
    }
)


def explained_on(place: str) -> str:
    """Return the page of a name or module, or of the nearest module around it that has one; KeyError if none has."""
    while place not in PAGES and "." in place:
        place = place.rpartition(".")[0]
    return PAGES[place]


def written(default: object) -> str:
    """Return a default as a caller would write it: functions and records by their names."""
    name = getattr(default, "__name__", None) or getattr(default, "name", None)
    return str(name) if isinstance(name, str) else repr(default)


def call(value: object) -> str:
    """Return the parameters in brackets, without their types."""
    shown = []
    parameters = inspect.signature(value).parameters.values()  # type: ignore[arg-type]
    for parameter in parameters:
        first = not any(word.startswith("*") for word in shown)
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY and first:
            shown.append("*")
        star = "*" if parameter.kind is inspect.Parameter.VAR_POSITIONAL else ""
        default = "" if parameter.default is inspect.Parameter.empty else f"={written(parameter.default)}"
        shown.append(f"{star}{parameter.name}{default}")
    return f"({', '.join(shown)})"


def members(value: object) -> list[str]:
    """Return the public methods and properties that a class defines, in the order of its source."""
    found = []
    for name, member in vars(value).items() if isinstance(value, type) else ():
        if name.startswith("_"):
            continue
        if inspect.isfunction(member) or isinstance(member, (classmethod, staticmethod)):
            found.append(f"`.{name}()`")
        elif isinstance(member, property):
            found.append(f"`.{name}`")
    return found


def row(door: ModuleType, name: str) -> str:
    """Return the row of one name: how it is called, the first line of its card, its page."""
    value = getattr(door, name)
    if isinstance(value, str):  # the two versions
        return f"| `{name}` | {VERSIONS[name]} | [profiles](profiles.md) |\n"
    place = value.__name__ if isinstance(value, ModuleType) else f"{value.__module__}.{name}"
    signature = "" if isinstance(value, ModuleType) else call(value)
    says = (inspect.getdoc(value) or "").partition("\n\n")[0].replace("\n", " ").replace("|", "\\|")
    inside = members(value)
    says += f" {', '.join(inside)}" if inside else ""
    page = explained_on(place)
    return f"| `{name}{signature}` | {says} | [{page.removesuffix('.md')}]({page}) |\n"


def page() -> str:
    """Return the whole page."""
    text = HEAD
    for door in map(import_module, DOORS):
        text += f"\n## {door.__name__}\n| name | what it is for | page |\n| --- | --- | --- |\n"
        text += "".join(row(door, name) for name in sorted(door.__all__, key=str.lower))
    return text


if __name__ == "__main__":
    print(page(), end="")
