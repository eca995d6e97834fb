"""The rules of the house hold here, and each rule is shown to see a tree that breaks it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests import house

ROOT = Path(__file__).parents[1]
Rule = Callable[[Path], list[str]]
RULES: tuple[Rule, ...] = (
    house.upward_arrows,
    house.circles,
    house.twins,
    house.cards,
    house.banned_names,
    house.one_sided_labels,
    house.homes_of_families,
    house.floors_on_the_page,
    house.legends,
    house.folders,
)

LIGHT_CARD = '''"""The floor of a ratio. Legend: a, b integers, b is not 0."""


def floor_ratio(a: int, b: int) -> int:
    """R1. floor(a / b), for C1.

    >>> floor_ratio(-1, 2)
    -1
    """
    return a // b
'''
FULL_CARD = '''"""The array twin of R1, under C1. Legend: a integers."""
import numpy


def halve_floor(a: int) -> int:
    """Halve and round toward minus infinity.

    Parameters
    ----------
    a : int
        Any.

    Returns
    -------
    int
        R1 for b = 2.

    Examples
    --------
    >>> halve_floor(-1)
    -1
    """
    return a // 2
'''
MAP = '''"""The map."""
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from npquant.kernels.ratio import halve_floor

__all__ = ["halve_floor"]
'''
README = """| room | floor | what it is |
| --- | --- | --- |
| `npquant/spec/` | 1 | definitions |
| `npquant/kernels/` | 2 | arrays |
| `npquant/compression/` | 6 | fewer bits |
"""
GOOD = {
    "README.md": README,
    "npquant/__init__.py": MAP,
    "npquant/spec/__init__.py": '"""Definitions."""\n',
    "npquant/spec/ratio.py": LIGHT_CARD,
    "npquant/kernels/__init__.py": '"""Arrays."""\n',
    "npquant/kernels/ratio.py": FULL_CARD,
    "npquant/compression/__init__.py": '"""Float to integer."""\n',
    "npquant/compression/ratio.py": '"""Legend: none."""\nfrom npquant.kernels.ratio import numpy\n',
    "tests/test_ratio.py": '"""R1 under C1."""\n',
    "docs/ratio.md": "R1 and C1 are derived here.\n",
    "docs/labels.md": "| R | roundings |\n| C | constraints |\n",
}

UP = "npquant/kernels/ratio.py"
NEW = "npquant/compression/new.py"
# Each rule, the file that breaks it, its text, and a word of the complaint.
BAD: list[tuple[Rule, str, str, str]] = [
    (house.upward_arrows, UP, "import npquant.compression.ratio\n", "runs up"),
    (house.upward_arrows, UP, "def f():\n    from npquant import nn\n", "nn"),
    (house.upward_arrows, UP, "from ..workflow import steps\n", "runs up"),
    (house.upward_arrows, UP, "from npquant.spec.ratio import f\n", "spec"),
    (house.upward_arrows, UP, "from npquant import QuantParams\n", "the map"),
    (house.upward_arrows, UP, "import npquant\n", "the map"),
    (house.upward_arrows, UP, "from hypothesis import given\n", "testing"),
    (house.upward_arrows, "npquant/spec/ratio.py", "import npquant.kernels.ratio\n", "runs up"),
    (house.upward_arrows, "npquant/spec/ratio.py", "import numpy as np\n", "without NumPy"),
    (house.upward_arrows, "npquant/integer/mlp.py", "import npquant.compression.ratio\n", "runs up"),
    (house.upward_arrows, "npquant/attic.py", "", "no storey"),
    (house.twins, "npquant/spec/square.py", "", "kernels has no module"),
    (house.twins, "npquant/kernels/square.py", "", "spec has no module"),
    (house.cards, UP, FULL_CARD.replace("Parameters", "Letters"), "Parameters"),
    (house.cards, UP, FULL_CARD.replace("Examples", "Facts"), "Example"),
    (house.cards, UP, FULL_CARD.replace(">>> ", ""), "Example"),
    (house.cards, UP, FULL_CARD.replace("Returns", "Gives"), "Returns"),
    (house.cards, UP, FULL_CARD.replace("a: int", "scale: int"), "scale"),
    (house.cards, NEW, FULL_CARD, "block"),
    (house.cards, NEW, '"""Legend: a."""\ndef f(a: int) -> int:\n    return a\n', "no docstring"),
    (house.cards, NEW, LIGHT_CARD.replace("b: int", "scale: int"), "what scale is"),
    (house.cards, NEW, "class Net:\n    x = 1\n", "Net"),
    (house.cards, NEW, 'class Net:\n    """A net.\n\n    Parameters\n    ----------\n    """\n', "Net"),
    (house.banned_names, "npquant/kernels/utils.py", "", "name the module"),
    (house.banned_names, NEW, "class BaseLayer: ...\n", "BaseLayer"),
    (house.banned_names, NEW, "def f(**kwargs): ...\n", "kwargs"),
    (house.banned_names, NEW, "def round(x): ...\n", "tie rule"),
    (house.banned_names, NEW, "CACHE = {}\n", "CACHE"),
    (house.banned_names, NEW, "SEEN: set[int] = set()\n", "SEEN"),
    (house.one_sided_labels, "tests/test_ratio.py", "", "R1 does not stand in tests"),
    (house.one_sided_labels, "docs/ratio.md", "C1\n", "R1 does not stand in docs"),
    (house.one_sided_labels, "docs/more.md", "See R7.\n", "R7 does not stand in the code"),
    (house.one_sided_labels, "docs/more.md", "See C2 to C4.\n", "C3 does not stand in the code"),
    (house.one_sided_labels, UP, '"""Legend."""\n', "R1 does not stand in array"),
    (house.one_sided_labels, NEW, '"""R2."""\n', "R2 does not stand in spec"),
    (house.one_sided_labels, NEW, '"""F2."""\n', "F2 does not stand in tests"),
    (house.homes_of_families, NEW, '"""F2."""\n', "F: a family"),
    (house.homes_of_families, "docs/labels.md", "| R | r |\n| C | c |\n| S | s |\n", "no module uses"),
    (house.floors_on_the_page, "README.md", README.replace("| 2 |", "| 3 |"), "kernels"),
    (house.floors_on_the_page, "README.md", README.replace("kernels", "nn"), "kernels"),
    (house.legends, NEW, "x = 1\n", "no module docstring"),
    (house.legends, NEW, '"""A layer."""\n', "no legend"),
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


def test_circles_sees_two_folders_that_import_each_other(tmp_path: Path) -> None:
    """A folder inside a room imports only from folders below it there."""
    files = {
        "npquant/compression/a/x.py": "from npquant.compression.b.y import f\n",
        "npquant/compression/b/y.py": "from npquant.compression.c.z import f\n",
        "npquant/compression/c/z.py": "from npquant.compression.d import w\n",
        "npquant/compression/d/w.py": "",
    }
    assert house.circles(lay(tmp_path / "good", {**GOOD, **files})) == []
    door = {"npquant/compression/__init__.py": '"""All."""\nfrom npquant.compression.a.x import f\n'}
    assert house.circles(lay(tmp_path / "door", {**GOOD, **files, **door})) == []
    files["npquant/compression/d/w.py"] = "def late():\n    import npquant.compression.a.x\n"
    assert len(house.circles(lay(tmp_path / "bad", {**GOOD, **files}))) == 8  # the folders, and the modules in them
    two = {
        "npquant/integer/first.py": "from npquant.integer.second import f\n",
        "npquant/integer/second.py": "from npquant.integer import first\n",
    }
    assert len(house.circles(lay(tmp_path / "modules", {**GOOD, **two}))) == 2
    two = {name.replace("r/", "r/inner/"): text.replace("integer", "integer.inner") for name, text in two.items()}
    assert len(house.circles(lay(tmp_path / "inner", {**GOOD, **two}))) == 2


def test_cards_sees_a_room_that_is_exported_whole(tmp_path: Path) -> None:
    """What its own door names has a full card too, wherever in the room it stands."""
    door = '"""The kit."""\nif None:\n    from npquant.testing import drawn\n__all__ = ["drawn"]\n'
    room = '"""Drawn."""\nfrom npquant.testing.drawn.ends import halve_floor\n__all__ = ["halve_floor"]\n'
    files = {"npquant/testing/__init__.py": door, "npquant/testing/drawn/__init__.py": room}
    ends = {"npquant/testing/drawn/ends.py": FULL_CARD}
    assert house.cards(lay(tmp_path / "good", {**GOOD, **files, **ends})) == []
    ends = {"npquant/testing/drawn/ends.py": FULL_CARD.replace("Returns", "Gives")}
    assert len(house.cards(lay(tmp_path / "bad", {**GOOD, **files, **ends}))) == 1


def test_every_rule_has_killed() -> None:
    """No rule stands that has not seen a bad tree."""
    assert {rule for rule, *_ in BAD} | {house.circles} == set(RULES)


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
