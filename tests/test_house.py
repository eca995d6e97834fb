"""The rules of the house hold here, and each rule is shown to see a tree that breaks it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests import house

ROOT = Path(__file__).parents[1]
Rule = Callable[[Path], list[str]]
RULES: tuple[Rule, ...] = (
    house.upward_arrows,
    house.cards,
    house.banned_names,
    house.one_sided_labels,
    house.legends,
    house.folders,
)

GOOD_CARD = '''"""The floor of a ratio. Legend: a, b integers."""

from fractions import Fraction


def floor_ratio(a: int, b: int) -> int:
    """Divide and round toward minus infinity.

    Parameters
    ----------
    a, b : int
        b is not 0.

    Returns
    -------
    int
        R1. floor(a / b), for C1.

    Examples
    --------
    >>> floor_ratio(-1, 2)
    -1
    """
    return a // b
'''
GOOD = {
    "npquant/__init__.py": '"""The map."""\n',
    "npquant/spec/__init__.py": '"""Definitions."""\n',
    "npquant/spec/ratio.py": GOOD_CARD,
    "npquant/kernels/__init__.py": '"""Arrays."""\n',
    "npquant/kernels/ratio.py": '"""The array twin of R1, under C1. Legend: a integers."""\nimport numpy\n',
    "npquant/compression/__init__.py": '"""Float to integer."""\n',
    "npquant/compression/ratio.py": '"""Legend: none."""\nfrom npquant.kernels.ratio import numpy\n',
    "tests/test_ratio.py": '"""R1 under C1."""\n',
    "docs/ratio.md": "R1 and C1 are derived here.\n",
}

# Each rule, the file that breaks it, its text, and a word of the complaint.
BAD: list[tuple[Rule, str, str, str]] = [
    (house.upward_arrows, "npquant/kernels/up.py", "import npquant.compression.ratio\n", "runs up"),
    (house.upward_arrows, "npquant/kernels/up.py", "def f():\n    from npquant import nn\n", "nn"),
    (house.upward_arrows, "npquant/kernels/up.py", "from ..workflow import steps\n", "runs up"),
    (house.upward_arrows, "npquant/kernels/up.py", "from npquant.spec.ratio import f\n", "spec"),
    (house.upward_arrows, "npquant/kernels/up.py", "from npquant import QuantParams\n", "the map"),
    (house.upward_arrows, "npquant/kernels/up.py", "from hypothesis import given\n", "testing"),
    (house.upward_arrows, "npquant/spec/up.py", "import npquant.kernels.ratio\n", "runs up"),
    (house.upward_arrows, "npquant/spec/up.py", "import numpy as np\n", "without NumPy"),
    (house.upward_arrows, "npquant/integer/mlp.py", "import npquant.compression.ratio\n", "runs up"),
    (house.upward_arrows, "npquant/attic.py", "", "no storey"),
    (house.cards, "npquant/kernels/card.py", "def f(a: int) -> int:\n    return a\n", "Parameters"),
    (house.cards, "npquant/kernels/card.py", GOOD_CARD.replace("Examples", "Facts"), "Example"),
    (house.cards, "npquant/kernels/card.py", GOOD_CARD.replace(">>> ", ""), "Example"),
    (house.cards, "npquant/kernels/card.py", GOOD_CARD.replace("Returns", "Gives"), "Returns"),
    (house.cards, "npquant/kernels/card.py", GOOD_CARD.replace("a: int", "scale: int"), "scale"),
    (house.cards, "npquant/kernels/card.py", "class Net:\n    x = 1\n", "Net"),
    (house.banned_names, "npquant/kernels/utils.py", "", "name the module"),
    (house.banned_names, "npquant/nn/x.py", "class BaseLayer: ...\n", "BaseLayer"),
    (house.banned_names, "npquant/nn/x.py", "def f(**kwargs): ...\n", "kwargs"),
    (house.banned_names, "npquant/nn/x.py", "def round(x): ...\n", "tie rule"),
    (house.banned_names, "npquant/nn/x.py", "CACHE = {}\n", "CACHE"),
    (house.banned_names, "npquant/nn/x.py", "SEEN: set[int] = set()\n", "SEEN"),
    (house.one_sided_labels, "tests/test_ratio.py", "", "R1 does not stand in tests"),
    (house.one_sided_labels, "docs/ratio.md", "C1\n", "R1 does not stand in docs"),
    (house.one_sided_labels, "docs/more.md", "See R7.\n", "R7 does not stand in a card"),
    (house.one_sided_labels, "npquant/kernels/ratio.py", '"""Legend."""\n', "R1 does not stand in array"),
    (house.one_sided_labels, "npquant/kernels/more.py", '"""R2."""\n', "R2 does not stand in spec"),
    (house.legends, "npquant/kernels/bare.py", "x = 1\n", "no module docstring"),
    (house.legends, "npquant/nn/bare.py", '"""A layer."""\n', "no legend"),
    (house.folders, "npquant/nn/bare.py", "", "npquant/nn: no __init__.py"),
]


def lay(root: Path, files: dict[str, str]) -> Path:
    """Write a tree of files."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


@pytest.mark.parametrize("rule", RULES)
def test_rule_holds(rule: Rule) -> None:
    """npquant keeps the rule."""
    complaints = rule(ROOT)
    assert not complaints, "\n".join(complaints)


@pytest.mark.parametrize("rule", RULES)
def test_rule_accepts_a_good_house(rule: Rule, tmp_path: Path) -> None:
    """A small house in order draws no complaint."""
    assert rule(lay(tmp_path, GOOD)) == []


@pytest.mark.parametrize(("rule", "name", "text", "word"), BAD)
def test_rule_kills_a_bad_house(rule: Rule, name: str, text: str, word: str, tmp_path: Path) -> None:
    """One bad file in that house is seen, and named by what is wrong with it."""
    complaints = rule(lay(tmp_path, {**GOOD, name: text}))
    assert any(word in complaint for complaint in complaints), complaints


def test_every_rule_has_killed() -> None:
    """No rule stands that has not seen a bad tree."""
    assert {rule for rule, *_ in BAD} == set(RULES)


def test_tree_is_clean() -> None:
    """Nothing that a run makes is committed, and no text names a place on one machine."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git clone, so there is no list of committed files")
    complaints = house.litter(ROOT, house.committed(ROOT))
    assert not complaints, "\n".join(complaints)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("npquant/a.pyc", ""),
        ("run.log", ""),
        ("npquant-out/float.npz", ""),
        ("docs/page.md", "see /" + "home/someone/x"),
        ("docs/page.md", "cd '/" + "root/x'"),
    ],
)
def test_tree_is_clean_kills_litter(name: str, text: str, tmp_path: Path) -> None:
    """A product of a run, or a path of one machine, is seen."""
    assert house.litter(lay(tmp_path, {name: text}), [name])


def test_tree_is_clean_lets_the_bundled_data_be() -> None:
    """The bundled data sets are sources."""
    assert not house.is_product("npquant/data/bundled/optdigits.npz")
