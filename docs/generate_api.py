"""Write docs/api.md from the cards of the public names: python docs/generate_api.py > docs/api.md"""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Final

HEAD = """# The public API on one page

Every name of `npquant`, `npquant.testing` and `npquant.interop` that is kept until a major version, made from the cards
by `docs/generate_api.py`. A default that is written as a name is that function or record. `help(name)` prints the whole
card: types, shapes, intervals, what is raised, the equation, and an example; the book has the cards of
[npquant](api/npquant.rst), [npquant.testing](api/npquant.testing.rst) and [npquant.interop](api/npquant.interop.rst).
"""
BOOK: Final = Path(__file__).parent / "book"
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
        "npquant.integer": "proofs.md",
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
        "npquant.kernels": "equations.md",
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

# The chapter that teaches it, by where it lives; the longest beginning wins. What has none stands on its page alone.
CHAPTERS: Final = MappingProxyType(
    {
        "npquant.budget": 13,
        "npquant.codec": 9,
        "npquant.compression.pruning": 8,
        "npquant.compression.rounding": 7,
        "npquant.compression.rounding.nearest": 6,
        "npquant.compression.rounding.uniform": 6,
        "npquant.files": 9,
        "npquant.integer": 3,
        "npquant.interop": 12,
        "npquant.kernels": 3,
        "npquant.kernels.affine": 1,
        "npquant.kernels.matmul": 4,
        "npquant.kernels.qparams": 1,
        "npquant.nn": 5,
        "npquant.profiles": 10,
        "npquant.testing": 11,
        "npquant.workflow.steps": 13,
    }
)

VERSIONS: Final = MappingProxyType(
    {
        "__version__": "The version of the package.",
        "numerics_version": "The version of the numbers: it rises when any golden output of any profile changes.",
    }
)


def nearest(place: str, table: Mapping[str, str] | Mapping[str, int]) -> str | int | None:
    """Return what a table says of a name or module, or of the nearest module around it that it has; None if none."""
    while place not in table and "." in place:
        place = place.rpartition(".")[0]
    return table.get(place)


def explained_on(place: str) -> list[str]:
    """Return the pages that explain what lives at a place: its chapter, where that stands, and an appendix."""
    chapter = nearest(place, CHAPTERS)
    found = [f"book/{path.name}" for path in BOOK.glob(f"{chapter:02}-*.md")] if chapter else []
    page = nearest(place, PAGES)
    return [*found, *([str(page)] if page else [])]


def place_of(value: object) -> str:
    """Return where a public name lives: its module, then its own name."""
    if isinstance(value, ModuleType):
        return value.__name__
    return f"{getattr(value, '__module__', '')}.{getattr(value, '__name__', '')}"


def page_link(page: str) -> str:
    """Return a link to a page, a chapter by its number."""
    chapter = re.match(r"book/(\d+)", page)
    return f"[{f'chapter {int(chapter[1])}' if chapter else page.removesuffix('.md')}]({page})"


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
    signature = "" if isinstance(value, ModuleType) else call(value)
    says = (inspect.getdoc(value) or "").partition("\n\n")[0].replace("\n", " ").replace("|", "\\|")
    inside = members(value)
    says += f" {', '.join(inside)}" if inside else ""
    pages = ", ".join(map(page_link, explained_on(place_of(value))))
    return f"| `{name}{signature}` | {says} | {pages} |\n"


def page() -> str:
    """Return the whole page."""
    text = HEAD
    for door in map(import_module, DOORS):
        text += f"\n## {door.__name__}\n| name | what it is for | page |\n| --- | --- | --- |\n"
        text += "".join(row(door, name) for name in sorted(door.__all__, key=str.lower))
    return text


if __name__ == "__main__":
    print(page(), end="")
