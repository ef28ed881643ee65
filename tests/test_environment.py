"""pyproject.toml, environment.yml and requirements.lock say the same, so that none of them can drift."""

import re
import tomllib
from itertools import chain
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

ROOT = Path(__file__).parents[1]
CONDA_NAMES = {"torch": "pytorch"}
NAMED = "python jupyterlab papermill pytorch transformers open_clip_torch matplotlib seaborn pandas pytest nbval"


def normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.fixture(scope="module")
def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.fixture(scope="module")
def wanted(project):
    rows = [Requirement(row) for row in chain(project["dependencies"], *project["optional-dependencies"].values())]
    return {normal(row.name): row for row in rows if row.name != project["name"]}  # an extra may include another


def test_environment_has_what_pyproject_asks_for(wanted, project):
    tree = yaml.safe_load((ROOT / "environment.yml").read_text())
    conda, found = tree["dependencies"], {}
    pip = next(row["pip"] for row in conda if isinstance(row, dict))
    assert "--editable ." in pip
    for row in [*(row for row in conda if isinstance(row, str)), *(row for row in pip if not row.startswith("-"))]:
        name, *rest = row.replace(">=", " >=", 1).split()
        found[normal(name.partition("[")[0])] = SpecifierSet("".join(rest))
    for name in NAMED.split():
        assert normal(name) in found, f"environment.yml does not name {name}"
    assert str(SpecifierSet(project["requires-python"])) in str(found.pop("python")).split(",")
    found.pop("pip")
    expected = {CONDA_NAMES.get(name, name): row.specifier for name, row in wanted.items()}
    assert found == expected


def test_lock_satisfies_pyproject(wanted):
    pins = {}
    for line in (ROOT / "requirements.lock").read_text().splitlines():
        row = Requirement(line)
        (pin,) = row.specifier
        assert pin.operator == "==", line
        pins.setdefault(normal(row.name), []).append(Version(pin.version))
    for name, row in wanted.items():
        assert name in pins, f"{name} is not in requirements.lock: run `make lock`"
        assert all(row.specifier.contains(version, prereleases=True) for version in pins[name]), name


def test_lock_and_settings_name_no_place():
    for name in ("requirements.lock", "environment.yml", "pyproject.toml", "Makefile"):
        text = (ROOT / name).read_text()
        assert not re.search(r"--(extra-)?index-url|--find-links|file://|https?://(?!arxiv\.org)", text), name


def test_torch_and_torchvision_are_a_pair():
    text = (ROOT / "requirements.lock").read_text()
    torch = Version(re.search(r"^torch==(\S+)", text, re.M).group(1))
    vision = Version(re.search(r"^torchvision==(\S+)", text, re.M).group(1))
    assert vision.minor == torch.minor + 15  # 2.6 goes with 0.21, 2.14 with 0.29
