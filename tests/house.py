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
    ("version", "arrays"),
    ("spec",),
    ("kernels", "nn"),
    ("profiles",),
    ("integer",),
    ("codec",),
    ("compression",),
    ("files",),
    ("interop", "data"),
    ("measure",),
    ("budget",),
    ("testing",),
    ("report",),
    ("workflow",),
    ("cli",),
    ("__main__",),
)
RANK = {room: rank for rank, rooms in enumerate(STOREYS) for room in rooms}
# Array code and spec never meet: their agreement is evidence only while neither calls the other.
READS_SPEC = {"spec", "testing"}
# Hypothesis stands in the oracle kit alone.
READS_HYPOTHESIS = {"testing"}

# Array modules without a definition of their own name: each computes what another definition says, in another way.
FORMS_WITHOUT_DEFINITION = {
    "matmul": "the products of spec/linear.py, in exact float32 and in pairs",
    "exact": "when float32 sums are exact (C6): an argument about floats, not an equation",
}

BANNED_MODULES = {"utils", "util", "helpers", "helper", "common", "misc"}
# Of a function these verbs say neither tie rule nor overflow rule nor direction.
BANNED_FUNCTIONS = {"round", "multiply", "shift", "add"}
MUTABLE_CALLS = {"list", "dict", "set", "bytearray", "defaultdict", "Counter", "deque", "OrderedDict"}

# ESP32-P4 and ESP32-S31 are processors.
LABEL = re.compile(r"(?<!\bESP32-)\b([A-Z])(\d{1,3})\b")
SPAN = re.compile(r"\b([A-Z])(\d{1,3})(?:'?)(?:-| to |\.\.)([A-Z])(\d{1,3})\b")
# Q is the field's letter for a fixed-point format (Q0.31); C99 a language; F32 and F64 are dtypes of safetensors; M0 is
# a processor.
NO_LABELS = frozenset("Q")
NOT_LABELS = frozenset({"C99", "F32", "F64", "M0"})
ARRAY_ROOMS = (
    "npquant/kernels",
    "npquant/profiles",
    "npquant/nn",
    "npquant/integer",
    "npquant/codec",
    "npquant/compression",
    "npquant/files",
)
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
ALLOWED_DATA = re.compile(r"^npquant/data/bundled/[^/]+\.npz$")
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


def circles(root: Path) -> list[str]:
    """Complain about modules, or about places in a room, that import each other, directly or around.

    A place is a folder inside a room, or one of the room's own modules; `__init__` and `__main__` see all.
    """
    arrows = [
        (path.removesuffix(".py").replace("/", "."), name)
        for path, _, tree in modules(root)
        if not path.endswith(("/__init__.py", "/__main__.py"))
        for name in modules_imported(root, path, tree)
    ]
    places = [(place_of(here), place_of(there)) for here, there in arrows]
    # The map and the ground under every room are no places.
    inside = [(here, there) for here, there in places if min(here.count("."), there.count(".")) >= 2 and here != there]
    return [
        f"{name.replace('.', '/')}: imports a place that imports it, directly or around"
        for name in sorted(reaching_themselves(arrows) | reaching_themselves(inside))
    ]


def reaching_themselves(arrows: list[tuple[str, str]]) -> set[str]:
    """Return the names from which arrows lead back to them."""
    targets: dict[str, set[str]] = {}
    for here, there in arrows:
        targets.setdefault(here, set()).add(there)
    found = set()
    for here in targets:
        seen: set[str] = set()
        edge = targets[here]
        while edge:
            seen |= edge
            edge = {there for one in edge for there in targets.get(one, ())} - seen
        if here in seen:
            found.add(here)
    return found


def place_of(module: str) -> str:
    """Return a room's module itself, or the folder, any number of rooms deep, that another module stands in."""
    parts = module.split(".")
    return module if len(parts) <= 3 else ".".join(parts[:-1])


def modules_imported(root: Path, path: str, tree: ast.Module) -> Iterator[str]:
    """Yield the npquant modules that a module imports, whether it names them or a name inside them."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("npquant"):
            stem = str(node.module)
            for alias in node.names:
                inner = f"{stem}.{alias.name}"
                yield inner if (root / f"{inner.replace('.', '/')}.py").exists() else stem
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("npquant."))


def twins(root: Path) -> list[str]:
    """Complain about a definition without an array twin of its name, or an array module without a definition."""
    names = {
        room: {path.stem for path in (root / "npquant" / room).glob("*.py")} - {"__init__"}
        for room in ("spec", "kernels")
    }
    found = [f"npquant/spec/{name}.py: kernels has no module of this name" for name in names["spec"] - names["kernels"]]
    found += [
        f"npquant/kernels/{name}.py: spec has no module of this name; say why in tests/house.py"
        for name in names["kernels"] - names["spec"] - set(FORMS_WITHOUT_DEFINITION)
    ]
    return sorted(found)


def arrow_faults(room: str, name: str) -> Iterator[str]:
    """Yield what is wrong with one import by a room."""
    parts = name.split(".")
    if parts[0] == "hypothesis" and room not in READS_HYPOTHESIS:
        yield "hypothesis belongs in npquant/testing"
    if parts[0] == "numpy" and room == "spec":
        yield "spec is int and Fraction, without NumPy"
    if parts[0] != "npquant":
        return
    if len(parts) == 1:
        yield "the map stands above every room: import a name from its own module, a version from npquant.version"
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


def sections_of(card: str) -> set[str]:
    """Return the names of the underlined sections of a card."""
    return set(re.findall(r"^(\w+)\n-{3,}$", card, re.MULTILINE))


def arguments_of(node: ast.FunctionDef) -> list[str]:
    """Return the names of a function's arguments, but for self and cls."""
    names = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    return [argument.arg for argument in names if argument.arg not in ("self", "cls")]


def full_card_faults(node: ast.FunctionDef) -> Iterator[str]:
    """Yield what the card of an exported function lacks."""
    card = ast.get_docstring(node) or ""
    if not card.split("\n", 1)[0].endswith((".", ":", "?")):
        yield "the first line of the card is not a sentence"
    sections = sections_of(card)
    arguments = arguments_of(node)
    if arguments and "Parameters" not in sections:
        yield "exported, and the card has no Parameters"
    returns_none = isinstance(node.returns, ast.Constant) and node.returns.value is None
    if not returns_none and not sections & {"Returns", "Yields"}:
        yield "exported, and the card has no Returns"
    if not sections & {"Example", "Examples"} or ">>> " not in card:
        yield "exported, and the card has no executed Example"
    yield from (f"the card does not name {a}" for a in arguments if not re.search(rf"\b{a}\b", card))


def light_card_faults(node: ast.FunctionDef, legend: str) -> Iterator[str]:
    """Yield what is wrong with the card of a function that is not exported."""
    card = ast.get_docstring(node) or ""
    if not card:
        yield "no docstring"
    if sections_of(card) & {"Parameters", "Returns", "Yields", "Raises"}:
        yield "not exported, and the card has a Parameters, Returns or Raises block: a light card says it in a line"
    for name in arguments_of(node):
        if not re.search(rf"\b{name}\b", legend + card):
            yield f"neither the legend nor the card says what {name} is"


def exported(root: Path) -> set[tuple[str, str]]:
    """Return (module path, name) for each name that the map, the oracle kit and the formats export.

    A room that is exported whole is a door as well: it exports what its __all__ names and what stands in its __init__.
    """
    found: set[tuple[str, str]] = set()
    doors = ["npquant/__init__.py", "npquant/testing/__init__.py", "npquant/interop/__init__.py"]
    while doors:
        path = root / doors.pop()
        if not path.exists():
            continue
        tree = parse(path)
        wanted = {name for node in tree.body for name in names_in_all(node)}
        found |= {(path.relative_to(root).as_posix(), node.name) for node in public_functions(tree)}
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("npquant"):
                home = node.module.replace(".", "/")
                names = {alias.name for alias in node.names if (alias.asname or alias.name) in wanted}
                found |= {(f"{home}.py", name) for name in names}
                doors += [f"{home}/{name}/__init__.py" for name in names]
    return found


def names_in_all(node: ast.stmt) -> list[str]:
    """Return what a statement puts into __all__."""
    if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
        return [str(name) for name in ast.literal_eval(node.value)]
    return []


def cards(root: Path) -> list[str]:
    """Complain about an exported function without a full card, and about any other without a light one."""
    found: list[str] = []
    promised = exported(root)
    for path, _, tree in modules(root):
        legend = ast.get_docstring(tree) or ""
        for node in public_functions(tree):
            full = (path, node.name) in promised
            faults = full_card_faults(node) if full else light_card_faults(node, legend)
            found.extend(f"{path}:{node.lineno}: {node.name}: {fault}" for fault in faults)
        for owner in (node for node in tree.body if isinstance(node, ast.ClassDef)):
            found.extend(f"{path}:{fault}" for fault in class_faults(owner))
            if (path, owner.name) not in promised and sections_of(ast.get_docstring(owner) or "") & {"Parameters"}:
                found.append(f"{path}:{owner.lineno}: {owner.name}: not exported, and the card has a Parameters block")
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


def labels_of(text: str) -> set[str]:
    """Return the labels in a text; a range such as F1 to F3, or F1-F3, names what lies between too."""
    found = {letter + number for letter, number in LABEL.findall(text) if letter not in NO_LABELS}
    for first, low, last, high in SPAN.findall(text):
        if first == last and first not in NO_LABELS:
            found |= {f"{first}{number}" for number in range(int(low), int(high) + 1)}
    return found - NOT_LABELS


def labels_in(root: Path, *patterns: str) -> set[str]:
    """Return the labels in the text of files or folders."""
    found: set[str] = set()
    for pattern in patterns:
        for path in root.glob(pattern):
            files = [f for s in ("*.py", "*.md") for f in path.rglob(s)] if path.is_dir() else [path]
            found.update(*(labels_of(file.read_text(encoding="utf-8")) for file in files))
    return found


def one_sided_labels(root: Path) -> list[str]:
    """Complain about a label that a side lacks: a card or a comment of the code, tests, docs.

    An equation (R) stands in spec and in array code as well, so that both twins of it can be read. A label that only a
    page or a test knows is as lost as one that only a card knows.
    """
    code = labels_in(root, "npquant")
    sides = {
        "the code": code,
        "spec": labels_in(root, "npquant/spec"),
        "array code": labels_in(root, *ARRAY_ROOMS),
        "tests": labels_in(root, "tests"),
        "docs": labels_in(root, "docs"),
    }
    known = code | sides["docs"]
    return [
        f"{label} does not stand in {side}"
        for label in sorted(known, key=lambda label: (label[0], int(label[1:])))
        for side in ("the code", *(("spec", "array code") if label[0] == "R" else ()), "tests", "docs")
        if label not in sides[side]
    ]


def homes_of_families(root: Path) -> list[str]:
    """Complain about a family of labels that docs/labels.md does not name, and about one that it names in vain."""
    page = root / "docs" / "labels.md"
    text = page.read_text(encoding="utf-8") if page.exists() else ""
    listed = set(re.findall(r"^\| ([A-Z]) \|", text, re.MULTILINE))
    used = {label[0] for label in labels_in(root, "npquant")}
    return [f"{letter}: a family of labels that docs/labels.md does not name" for letter in sorted(used - listed)] + [
        f"{letter}: docs/labels.md names a family that no module uses" for letter in sorted(listed - used)
    ]


def floors_on_the_page(root: Path) -> list[str]:
    """Complain where README's table of rooms does not print the storeys that `upward_arrows` enforces."""
    rows = re.findall(
        r"^\| `npquant/(\w+)/` \| (\d+) \|", (root / "README.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    printed = {room: int(storey) for room, storey in rows}
    rooms = {path.parent.name for path in (root / "npquant").glob("*/__init__.py")}
    return [
        f"README.md: {room} stands on {RANK.get(room)}, the table says {printed.get(room)}"
        for room in sorted(rooms)
        if printed.get(room) != RANK.get(room)
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


if __name__ == "__main__":
    import sys

    # python tests/house.py npquant/nn: the complaints whose path begins so; all without an argument.
    start = sys.argv[1] if len(sys.argv) > 1 else ""
    rules = (upward_arrows, circles, twins, cards, banned_names, one_sided_labels, homes_of_families)
    rules += (floors_on_the_page, legends, folders)  # type: ignore[assignment]
    for rule in rules:
        for complaint in rule(Path(__file__).parents[1]):
            if complaint.startswith(start) or not complaint.startswith("npquant/"):
                print(complaint)
