"""The rules of the house as functions: each takes a project's folder and returns its complaints, none if all is well.

They read source text and never import it, so that they judge any tree, a seeded bad one included.
"""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

# Storey by storey. A room imports from storeys below its own, never from a neighbour on the same one.
STOREYS = (
    ("spec",),
    ("kernels", "nn"),
    ("profiles",),
    ("integer",),
    ("compression",),
    ("files",),
    ("interop",),
    ("workflow",),
    ("testing",),
    ("cli",),
    ("__main__",),
)
RANK = {room: rank for rank, rooms in enumerate(STOREYS) for room in rooms}
# Array code and spec never meet: their agreement is evidence only while neither calls the other.
READS_SPEC = {"spec", "testing"}
# Hypothesis stands in the oracle kit alone.
READS_HYPOTHESIS = {"testing"}

BANNED_MODULES = {"utils", "util", "helpers", "helper", "common", "misc"}
# Of a function these verbs say neither tie rule nor overflow rule nor direction.
BANNED_FUNCTIONS = {"round", "multiply", "shift", "add"}
MUTABLE_CALLS = {"list", "dict", "set", "bytearray", "defaultdict", "Counter", "deque", "OrderedDict"}

LABEL = re.compile(r"\b(R\d+|C(?!99\b)\d+)\b")
LABEL_HOMES = ("npquant/spec", "npquant/kernels", "npquant/profiles")
ARRAY_ROOMS = ("npquant/kernels", "npquant/profiles", "npquant/nn", "npquant/integer", "npquant/compression")
LEGEND = re.compile(r"\b(Legend|Letters)\b")
LEGEND_ROOMS = {
    "spec",
    "kernels",
    "nn",
    "profiles",
    "compression",
    "integer",
}

BANNED_FILES = re.compile(r"\.(pyc|pyo|log|prof|npz|npy|tmp|swp|orig|rej)$|(^|/)(__pycache__|\.DS_Store)")
ALLOWED_DATA = re.compile(r"^npquant/workflow/data/[^/]+\.npz$")
MACHINE_PATH = re.compile(r"(?<![\w.])/(?:home|root|work|Users)/\w+|(?<![\w])[A-Z]:\\Users")


def modules(root: Path) -> Iterator[tuple[str, str, ast.Module]]:
    """Yield the path from the root, the room and the tree of each module of the package."""
    for path in sorted((root / "npquant").rglob("*.py")):
        inner = path.relative_to(root / "npquant").with_suffix("")
        yield path.relative_to(root).as_posix(), inner.parts[0], parse(path)


def parse(path: Path) -> ast.Module:
    """Return the tree of a source file."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def imported_names(tree: ast.Module, here: str) -> Iterator[tuple[int, str]]:
    """Yield line and full name of all that is imported anywhere in a module, inside functions too."""
    package = here.removesuffix(".py").split("/")
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level] if node.level else []
            stem = ".".join([*base, *([node.module] if node.module else [])])
            # `from npquant import kernels` names a room; `from npquant.kernels import x` has named it already.
            names = [f"{stem}.{alias.name}" for alias in node.names] if stem == "npquant" else [stem]
            yield from ((node.lineno, name) for name in names)


def upward_arrows(root: Path) -> list[str]:
    """Complain about an import that does not run down, a room without a storey, spec and array code that meet."""
    found = []
    for path, room, tree in modules(root):
        if room == "__init__":
            continue  # the map names every room, and loads none
        if room not in RANK:
            found.append(f"{path}: room {room!r} has no storey; give it one in tests/house.py")
            continue
        for line, name in imported_names(tree, path):
            found.extend(f"{path}:{line}: {text}" for text in arrow_faults(room, name))
    return sorted(set(found))


def arrow_faults(room: str, name: str) -> Iterator[str]:
    """Yield what is wrong with one import by a room."""
    parts = name.split(".")
    if parts[0] == "hypothesis" and room not in READS_HYPOTHESIS:
        yield "hypothesis belongs in npquant/testing"
    if parts[0] == "numpy" and room == "spec":
        yield "spec is int and Fraction, without NumPy"
    if parts[0] != "npquant" or len(parts) == 1:
        return
    other = parts[1]
    if other == "spec" and room not in READS_SPEC:
        yield "array code may not import spec"
    elif other not in RANK:
        yield f"{name}: import a public name from the module it lives in, not from the map"
    elif other != room and RANK[other] >= RANK[room]:
        yield f"{room} may not import {other}: the arrow runs up"


def public_functions(tree: ast.Module) -> Iterator[ast.FunctionDef]:
    """Yield the public functions that stand at the top of a module."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            yield node


def card_faults(node: ast.FunctionDef) -> Iterator[str]:
    """Yield what a function's op card lacks."""
    card = ast.get_docstring(node) or ""
    summary = card.split("\n", 1)[0]
    if not summary.endswith((".", ":", "?")):
        yield "the first line of the card is not a sentence"
    sections = set(re.findall(r"^(\w+)\n-{3,}$", card, re.MULTILINE))
    arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    if arguments and "Parameters" not in sections:
        yield "the card has no Parameters"
    returns_none = isinstance(node.returns, ast.Constant) and node.returns.value is None
    if not returns_none and not sections & {"Returns", "Yields"}:
        yield "the card has no Returns"
    if not sections & {"Example", "Examples"} or ">>> " not in card:
        yield "the card has no executed Example"
    yield from (f"the card does not name {a.arg}" for a in arguments if not re.search(rf"\b{a.arg}\b", card))


def cards(root: Path) -> list[str]:
    """Complain about a public function without a full op card, or a public class or method without a docstring."""
    found: list[str] = []
    for path, _, tree in modules(root):
        for node in public_functions(tree):
            found.extend(f"{path}:{node.lineno}: {node.name}: {fault}" for fault in card_faults(node))
        for owner in (node for node in tree.body if isinstance(node, ast.ClassDef)):
            found.extend(f"{path}:{fault}" for fault in class_faults(owner))
    return found


def class_faults(owner: ast.ClassDef) -> Iterator[str]:
    """Yield a complaint for a public class, and for each of its public methods, without a docstring."""
    if owner.name.startswith("_"):
        return
    if not ast.get_docstring(owner):
        yield f"{owner.lineno}: {owner.name} has no docstring"
    for node in owner.body:
        if isinstance(node, ast.FunctionDef) and not (node.name.startswith("_") or ast.get_docstring(node)):
            yield f"{node.lineno}: {owner.name}.{node.name} has no docstring"


def banned_names(root: Path) -> list[str]:
    """Complain about names that say nothing, open-ended keywords and module-level mutable state."""
    found = []
    for path, _, tree in modules(root):
        if set(Path(path).with_suffix("").parts) & BANNED_MODULES:
            found.append(f"{path}: name the module for what it defines")
        for node in ast.walk(tree):
            found.extend(f"{path}:{fault}" for fault in name_faults(node))
        found.extend(f"{path}:{fault}" for node in tree.body for fault in state_faults(node))
        found.extend(
            f"{path}:{node.lineno}: {node.name} states no tie rule, overflow rule or direction"
            for node in tree.body
            if isinstance(node, ast.FunctionDef) and node.name.lstrip("_") in BANNED_FUNCTIONS
        )
    return found


def name_faults(node: ast.AST) -> Iterator[str]:
    """Yield what is wrong with the name or the signature of one definition."""
    if isinstance(node, ast.ClassDef) and node.name.lstrip("_").startswith("Base"):
        yield f"{node.lineno}: class {node.name}: no Base classes"
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        if node.args.kwarg:
            yield f"{node.lineno}: {node.name} takes **{node.args.kwarg.arg}; name its keywords"


def state_faults(node: ast.stmt) -> Iterator[str]:
    """Yield a complaint if a module-level statement binds a mutable container."""
    if not isinstance(node, ast.Assign | ast.AnnAssign):
        return
    target = node.targets[0] if isinstance(node, ast.Assign) else node.target
    name = ast.unparse(target)
    value = node.value
    displays = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)
    called = value.func if isinstance(value, ast.Call) else None
    makes = isinstance(called, ast.Name) and called.id in MUTABLE_CALLS
    if name != "__all__" and (isinstance(value, displays) or makes):
        yield f"{node.lineno}: {name} is module-level mutable state"


def docstrings(tree: ast.Module) -> Iterator[str]:
    """Yield every docstring of a module."""
    kinds = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    yield from (ast.get_docstring(n) or "" for n in ast.walk(tree) if isinstance(n, kinds))


def labels_in(root: Path, *patterns: str) -> set[str]:
    """Return the labels in the text of files or folders."""
    found: set[str] = set()
    for pattern in patterns:
        for path in root.glob(pattern):
            files = [f for s in ("*.py", "*.md") for f in path.rglob(s)] if path.is_dir() else [path]
            found.update(*(LABEL.findall(file.read_text(encoding="utf-8")) for file in files))
    return found


def one_sided_labels(root: Path) -> list[str]:
    """Complain about a label of a card that a side lacks: spec, array code, tests, docs.

    An equation (R) stands on all four. A constraint (C) stands in spec or in array code, since some bind only one of
    them (a block length that keeps float32 sums exact says nothing about integers), and always in tests and docs.
    """
    cards_ = {
        label
        for path, _, tree in modules(root)
        if path.startswith(LABEL_HOMES)
        for text in docstrings(tree)
        for label in LABEL.findall(text)
    }
    sides = {
        "spec": labels_in(root, "npquant/spec"),
        "array code": labels_in(root, *ARRAY_ROOMS),
        "tests": labels_in(root, "tests"),
        "docs": labels_in(root, "docs"),
    }
    wanted = {"R": ("spec", "array code", "tests", "docs"), "C": ("tests", "docs")}
    # A label that only a page or a test knows is as lost as one that only a card knows.
    known = cards_ | sides["docs"]
    return [
        f"{label} does not stand in {side}"
        for label in sorted(known, key=lambda label: (label[0], int(label[1:])))
        for side in [*wanted[label[0]], *([] if label in cards_ else ["a card"])]
        if side == "a card" or label not in sides[side]
    ]


def legends(root: Path) -> list[str]:
    """Complain about a module without a docstring, or a module of arithmetic without its legend of letters."""
    found = []
    for path, room, tree in modules(root):
        head = ast.get_docstring(tree) or ""
        if not head:
            found.append(f"{path}: no module docstring")
        elif room in LEGEND_ROOMS and not path.endswith("__init__.py") and not LEGEND.search(head):
            found.append(f"{path}: no legend of letters at the top")
    return found


def folders(root: Path) -> list[str]:
    """Complain about a folder of modules that is not a package, which the wheel would leave out."""
    homes = {path.parent for path in (root / "npquant").rglob("*.py")}
    return [
        f"{home.relative_to(root)}: no __init__.py" for home in sorted(homes) if not (home / "__init__.py").exists()
    ]


def committed(root: Path) -> list[str]:
    """Return the files that git tracks under a root, as paths from it."""
    command = ["git", "-C", str(root), "ls-files", "-z"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [name for name in done.stdout.split("\0") if name and (root / name).is_file()]


def litter(root: Path, files: list[str]) -> list[str]:
    """Complain about committed products of a run, and about text that names a place on one machine."""
    found = [f"{name}: a product, not a source" for name in files if is_product(name)]
    for name in files:
        try:
            text = (root / name).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found.extend(f"{name}: names {place}" for place in MACHINE_PATH.findall(text))
    return found


def is_product(name: str) -> bool:
    """Say whether a path is of a kind that a run leaves behind."""
    return bool(BANNED_FILES.search(name)) and not ALLOWED_DATA.match(name)
