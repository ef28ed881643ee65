"""What `pip install` brings: the wheel, in an environment of its own, far from the checkout."""

import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from pathlib import Path

import pytest

import showcase_utils

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for name in ["pyproject.toml", project["readme"], *project["license-files"]]:
        shutil.copy(ROOT / name, source / name)
    shutil.copytree(ROOT / "showcase_utils", source / "showcase_utils", ignore=shutil.ignore_patterns("__pycache__"))
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet", "--no-deps"]
    subprocess.run([*pip, "--no-build-isolation", "--wheel-dir", out, source], check=True)
    return next(out.glob("*.whl"))


@pytest.fixture(scope="module")
def showcase(wheel, tmp_path_factory):
    """Runs the installed command where no checkout is near; the libraries are those of this environment."""
    folder = tmp_path_factory.mktemp("elsewhere")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "env"], check=True)
    python = folder / "env" / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check", "install", "--quiet"]
    subprocess.run([*pip, "--no-deps", wheel], check=True)
    libraries = sysconfig.get_paths()["purelib"]  # a PYTHONPATH reads no .pth, so the editable install stays out
    env = os.environ | {"PYTHONPATH": libraries, "SHOWCASE_ARTIFACTS": str(folder / "artifacts")}

    def run(*arguments):
        command = [python.parent / "showcase", *arguments]
        return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)

    return run


def test_the_wheel_holds_every_file_of_the_package(wheel):
    there = set(zipfile.ZipFile(wheel).namelist())
    files = {path for path in (ROOT / "showcase_utils").rglob("*") if path.is_file() and path.suffix != ".pyc"}
    assert {path.relative_to(ROOT).as_posix() for path in files} <= there


def test_the_command_works_without_a_checkout(showcase):
    version = showcase("--version")
    assert (version.returncode, version.stderr) == (0, "")
    assert showcase_utils.__version__ in version.stdout
    status = showcase("status", "--profile", "smoke")
    assert (status.returncode, status.stderr) == (0, "")
    assert "selection" in status.stdout and "missing" in status.stdout


def test_notebooks_are_asked_for_where_there_are_none(showcase):
    result = showcase("run", "--profile", "smoke")
    assert result.returncode == 1
    assert "clone the repository" in result.stderr and "Traceback" not in result.stderr
