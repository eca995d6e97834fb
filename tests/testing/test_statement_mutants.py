"""Statement mutants of the specification: one operator, comparison, number or rounding changed, and the kernels object.

The definitions judge the vectors, so it matters that a slip in one of them would be seen. Each mutant of a module of
`npquant.spec` is imported in place of it, every profile's layer and QUANTIZE are evaluated by its scalars, and their
codes are held to those of the array kernels.
"""

import ast
import contextlib
import copy
import importlib
import sys
import types
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import npquant.spec
from npquant.profiles import get, names
from npquant.testing.backend import capabilities_of
from npquant.testing.case import Case, expected
from npquant.testing.classes import activation, channel, float_edge, rail, tie, wide, zero_point
from npquant.testing.golden import golden

SPEC = Path(npquant.spec.__file__).parent
DEFINITION = "npquant.testing.vectors.definition"
FRESH = ("npquant.spec", "npquant.testing.vectors.rules", DEFINITION)
# What a slip of the pen makes of an operator or a comparison.
SWAPS: dict[type, type] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.Div: ast.Mult, ast.Pow: ast.Mult, ast.FloorDiv: ast.Mult,
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.And: ast.Or, ast.Or: ast.And,
}  # fmt: skip
ROUNDINGS = ("round_half_up", "round_half_away", "round_half_even", "floor")


def sites(tree: ast.Module) -> Iterator[tuple[int, int]]:
    """Yield (node, variant) for every change of a statement: nodes in the order of ast.walk, docstrings left out."""
    text = {id(n.value) for n in ast.walk(tree) if isinstance(n, ast.Expr)}
    inside = {id(n) for f in ast.walk(tree) if isinstance(f, ast.FunctionDef) for s in f.body for n in ast.walk(s)}
    for i, node in enumerate(ast.walk(tree)):
        if id(node) not in inside or id(node) in text:
            continue
        if isinstance(node, ast.BinOp | ast.BoolOp) and type(node.op) in SWAPS:
            yield i, 0
        elif isinstance(node, ast.Compare) and type(node.ops[0]) in SWAPS:
            yield i, 0
        elif isinstance(node, ast.Constant) and type(node.value) is int:
            yield i, 0
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            yield i, 0
        elif isinstance(node, ast.Name) and node.id in ROUNDINGS and isinstance(node.ctx, ast.Load):
            yield from ((i, k) for k, name in enumerate(ROUNDINGS[:3]) if name != node.id)


def changed(tree: ast.Module, site: tuple[int, int]) -> ast.Module:
    """Return the tree with one change."""
    tree = copy.deepcopy(tree)
    node: Any = list(ast.walk(tree))[site[0]]
    if isinstance(node, ast.BinOp | ast.BoolOp):
        node.op = SWAPS[type(node.op)]()
    elif isinstance(node, ast.Compare):
        node.ops[0] = SWAPS[type(node.ops[0])]()
    elif isinstance(node, ast.Constant):
        node.value += 1  # type: ignore[operator]
    elif isinstance(node, ast.UnaryOp):
        node.op = ast.UAdd()
    else:
        node.id = ROUNDINGS[site[1]]
    return tree


@contextlib.contextmanager
def in_place_of(module: str, tree: ast.Module) -> Iterator[Any]:
    """Import the definitions anew with a changed module of the specification among them."""
    kept = {name: sys.modules.pop(name) for name in list(sys.modules) if name.startswith(FRESH)}
    try:
        mutant = types.ModuleType(module)
        importlib.import_module("npquant.spec")
        rounding = importlib.import_module("npquant.spec.rounding") if module != "npquant.spec.rounding" else mutant
        mutant.__dict__.update({k: v for k, v in vars(rounding).items() if k in ROUNDINGS})
        sys.modules[module] = mutant
        exec(compile(ast.fix_missing_locations(tree), module, "exec"), mutant.__dict__)
        yield importlib.import_module(DEFINITION)
    finally:
        for name in [name for name in sys.modules if name.startswith(FRESH)]:
            del sys.modules[name]
        sys.modules.update(kept)
        for name, original in kept.items():  # a package remembers its modules as attributes, too
            parent, _, leaf = name.rpartition(".")
            setattr(sys.modules[parent], leaf, original)


@cache
def questions(profile: str) -> tuple[tuple[Case, Any], ...]:
    """Return small cases of a profile with the kernels' answers."""
    record = get(profile)
    can = capabilities_of(record)
    found = list(golden(record, can))
    for module, most in (
        (tie, 8),
        (rail, 4),
        (wide, 12),
        (channel, 3),
        (zero_point, 4),
        (activation, 20),
        (float_edge, 30),
    ):
        found += list(module.lattice(record, can))[:: max(1, 40 // most)][:most]
    small = [c for c in found if c.status == "valid" and c.elements < 500 and len(c.model.layers) == 1]
    with np.errstate(all="ignore"):
        return tuple((case, expected(case)) for case in small)


def answered(definition: Any, case: Case) -> Any:
    """Return the codes of a case by the exact scalars."""
    layer, record = case.model.layers[0], get(case.model.profile)
    if case.op == "quantize":
        return definition.defined_codes(case.x_q, layer.x, record)
    return definition.defined_layer(layer, case.x_q, record).y_q


def is_seen(definition: Any, profiles: tuple[str, ...]) -> bool:
    """Say whether some profile's answer differs, or cannot be had any more."""
    for profile in profiles:
        for case, want in questions(profile):
            try:
                if not np.array_equal(answered(definition, case), want):
                    return True
            except (ArithmeticError, ValueError, TypeError, NameError, RecursionError, MemoryError):
                return True
    return False


def function_of(tree: ast.Module, node: ast.AST) -> str:
    """Return the name of the function that a node stands in."""
    functions = [f for f in ast.walk(tree) if isinstance(f, ast.FunctionDef)]
    return next(f.name for f in functions if any(n is node for n in ast.walk(f)))


# Changes that change nothing: the function, the changed expression, and why.
EQUIVALENT = {
    (
        "requantize_floor_then_half_up",
        "1",
    ): "a right shift of one bit more, after a left shift of one more, rounds alike",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["requantize"])
def test_statement_mutants_of_the_specification_are_seen(name: str) -> None:
    """Every changed statement is seen in some profile's codes, but for those that are named as equivalent."""
    module, tree = f"npquant.spec.{name}", ast.parse((SPEC / f"{name}.py").read_text(encoding="utf-8"))
    nodes = list(ast.walk(tree))
    survivors = set()
    for site in sites(tree):
        with in_place_of(module, changed(tree, site)) as definition:
            if not is_seen(definition, names()):
                survivors.add((function_of(tree, nodes[site[0]]), ast.unparse(nodes[site[0]])))
    assert survivors == set(EQUIVALENT)


def test_the_specification_itself_is_not_accused() -> None:
    """Imported anew and unchanged, the definitions agree with the kernels on every question."""
    tree = ast.parse((SPEC / "requantize.py").read_text(encoding="utf-8"))
    with in_place_of("npquant.spec.requantize", tree) as definition:
        assert not is_seen(definition, ("npquant", "tflite_ref", "ruy_arm64", "tvm_tonearest"))
    with in_place_of("npquant.spec.requantize", changed(tree, next(sites(tree)))) as definition:
        assert is_seen(definition, ("npquant", "tflite_ref"))
