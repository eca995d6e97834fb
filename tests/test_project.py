"""What surrounds the code says what the code says: one list of commands, one set of releases, one version."""

import configparser
import re
from pathlib import Path

import pytest

import npquant

ROOT = Path(__file__).parents[1]
WORKFLOW = (ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8")
HOOKS = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
PIN = re.compile(r'"([a-z][\w-]*[<>=]=[\d.*]+)"')


def requirements(key: str, section: str = "options.extras_require") -> list[str]:
    """Return the lines of a list in setup.cfg."""
    parser = configparser.ConfigParser()
    parser.read_string((ROOT / "setup.cfg").read_text(encoding="utf-8"))
    return parser[section][key].split()


def floor(requirement: str) -> str:
    """Return the requirement that its lowest release alone meets: numpy>=2.0 is numpy==2.0.*."""
    return requirement.replace(">=", "==") + ".*"


def test_workflow_runs_what_ci_runs() -> None:
    """The workflow runs .ci/run itself, on the oldest Python of setup.cfg, and the newest beside it."""
    assert "- run: bash .ci/run\n" in WORKFLOW
    pythons = [word.rsplit(" ", 1)[1] for word in _classifiers() if re.search(r":: 3\.\d+$", word)]
    assert set(re.findall(r'"(3\.\d+)"', WORKFLOW)) == {pythons[0], pythons[-1]}
    assert requirements("python_requires", "options") == [f">={pythons[0]}"]
    assert all(system in WORKFLOW for system in ("ubuntu-latest", "macos-latest", "windows-latest"))


def _classifiers() -> list[str]:
    text = (ROOT / "setup.cfg").read_text(encoding="utf-8")
    return re.findall(r"^    (\w.* :: .*)$", text, re.MULTILINE)


def test_workflow_takes_the_floors_of_setup_cfg() -> None:
    """The job of the floors installs the lowest release of each dependency; build and twine are setup.cfg's."""
    due = [floor(line) for line in requirements("install_requires", "options")]
    due += [floor(line) for line in requirements("test") if line.startswith(("pytest", "jsonschema"))]
    assert set(PIN.findall(WORKFLOW)) == {*due, *requirements("release")}


def test_hooks_are_held_to_the_releases_of_setup_cfg() -> None:
    """Each tool and stub that a hook installs stands in setup.cfg with the same release."""
    known = requirements("test") + requirements("install_requires", "options")
    found = PIN.findall(HOOKS)
    assert found and not [pin for pin in found if pin not in known]
    assert {"ruff", "mypy", "codespell"} <= {re.split("[<>=]", pin)[0] for pin in found}


def test_ci_run_has_every_judge() -> None:
    """Tests, types, style, spelling, the archives and the wheel outside the checkout stand in .ci/run."""
    script = (ROOT / ".ci/run").read_text(encoding="utf-8")
    for words in ("-m mypy", "-m ruff check .", "-m ruff format --check .", "codespell", "-m build", "-m twine check"):
        assert words in script
    assert "wheel/bin/npquant run" in script


def test_citation_has_this_version() -> None:
    """CITATION.cff cites the version that is installed, under its licence."""
    text = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert re.findall(r"^version: (\S+)$", text, re.MULTILINE) == [npquant.__version__]
    assert "license: BSD-3-Clause\n" in text


YAML = [
    *(ROOT / ".github").rglob("*.yml"),
    ROOT / ".pre-commit-config.yaml",
    ROOT / ".readthedocs.yaml",
    ROOT / "CITATION.cff",
]


@pytest.mark.parametrize("path", YAML, ids=lambda path: path.name)
def test_yaml_is_read_as_a_mapping(path: Path) -> None:
    """Each of these files parses, where a parser is at hand; none has a tab, and each ends in one newline."""
    text = path.read_text(encoding="utf-8")
    assert "\t" not in text and text.endswith("\n") and not text.endswith("\n\n")
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    assert isinstance(yaml.safe_load(text), dict)
