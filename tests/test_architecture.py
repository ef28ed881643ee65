"""Imports between the rooms of the package point one way, and the demo world's truth stays with evaluation."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "showcase_utils"
SHARED = {"config", "artifacts", "devices", "metric", "resampling", "progress"}
MAY_IMPORT = {
    "config": set(),
    "artifacts": {"config", "devices"},
    "devices": set(),
    "metric": set(),
    "resampling": {"metric"},
    "progress": set(),
    "demo_world": {"progress"},
    "backbones": SHARED | {"demo_world"},
    "data": SHARED | {"demo_world"},
    "encoding": SHARED | {"data"},
    "selection": SHARED | {"data", "encoding"},
    "generation": SHARED | {"data", "encoding", "selection"},
    "evaluation": SHARED | {"data", "encoding", "selection", "demo_world"},
}


def imports_of(path):
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(parts[: -node.level]) + "." if node.level else ""
            yield from (f"{base}{node.module or ''}".rstrip(".") + f".{alias.name}" for alias in node.names)


def ours(path):
    return {name for name in imports_of(path) if name.startswith("showcase_utils.")}


@pytest.mark.parametrize("wing", MAY_IMPORT)
def test_imports_point_down_the_flow(wing):
    paths = sorted((PACKAGE / wing).rglob("*.py")) or [PACKAGE / f"{wing}.py"]
    for path in paths:
        rooms = {name.split(".")[1] for name in ours(path)} & set(MAY_IMPORT)
        assert rooms - {wing} <= MAY_IMPORT[wing], f"{path.name} imports {rooms - {wing} - MAY_IMPORT[wing]}"


def test_only_evaluation_opens_the_truth():
    users = {
        path.relative_to(PACKAGE).parts[0]
        for path in PACKAGE.rglob("*.py")
        if any(name.startswith("showcase_utils.demo_world.truth") for name in ours(path))
    }
    assert users == {"evaluation"}


def test_plots_read_no_stage():
    for path in (PACKAGE / "plots").glob("*.py"):
        if path.name != "writer.py":
            assert "showcase_utils.artifacts" not in {name.rsplit(".", 1)[0] for name in ours(path)}, path.name
