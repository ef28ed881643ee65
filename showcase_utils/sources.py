"""Which of the package's code something runs, and a digest of it: results of other code are not fresh.

Imports are read from the source, nothing is imported. Comments, blank lines and docstrings do not count. Neither does
the ground that decides where and when things run but not what comes out (``GROUND``).
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import re
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parent
GROUND = {"artifacts", "recipes", "cli", "config", "devices", "extras", "pipeline", "progress", "sources"}


def code_digests(modules: Iterable[str]) -> dict[str, str]:
    """A digest for each module of ours that ``modules`` (dotted names) are or import, directly or by way of others."""
    found: dict[str, str] = {}
    waiting = [(name, path) for name in modules if (path := _path(name))]
    while waiting:
        name, path = waiting.pop()
        if name in found or name.split(".")[1:2] and name.split(".")[1] in GROUND:
            continue
        found[name], imports = _read(path)
        waiting += imports
    return dict(sorted(found.items()))


def foreign_digests(modules: Iterable[str]) -> dict[str, str]:
    """A digest for each module that is not ours, by the lines of its file alone; "not found" where it has none."""
    found = dict.fromkeys(sorted(modules), "not found")
    for name in found:
        with suppress(ImportError):  # of a package that it would lie in
            spec = importlib.util.find_spec(name)
            if spec and spec.has_location and spec.origin:
                found[name] = _read(Path(spec.origin))[0]
    return found


def imported_modules(source: str) -> list[str]:
    """The modules of ours that some code imports, for the cells of a notebook."""
    return _imports(_statements(ast.parse(source)), ())


@cache
def table_names(module: str, table: str) -> tuple[str, ...]:
    """The names in a table of ours, a dict that ``module`` writes out: keys, or the names that its rows begin with.

    Raises ``KeyError`` where there is no such table.
    """
    path = _path(module)
    for node in ast.parse(path.read_text(encoding="utf-8")).body if path else ():
        if not isinstance(node, ast.Assign | ast.AnnAssign) or node.value is None:
            continue
        if table not in map(ast.unparse, node.targets if isinstance(node, ast.Assign) else [node.target]):
            continue
        calls = [call for call in ast.walk(node.value) if isinstance(call, ast.Call)]
        first = node.value.keys if isinstance(node.value, ast.Dict) else [call.args[0] for call in calls if call.args]
        return tuple(str(value.value) for value in first if isinstance(value, ast.Constant))
    raise KeyError(f"no table {table} in {module}")


@cache
def _read(path: Path) -> tuple[str, tuple[tuple[str, Path], ...]]:
    """The digest of a file, and the modules of ours that it imports with their files."""
    text = path.read_text(encoding="utf-8")
    nodes = _statements(ast.parse(text))
    inside = path.is_relative_to(PACKAGE.parent)
    package = path.relative_to(PACKAGE.parent).with_suffix("").parts[:-1] if inside else ()
    code = hashlib.sha256("\n".join(_code_lines(text, nodes)).encode()).hexdigest()[:16]
    return code, tuple((name, found) for name in dict.fromkeys(_imports(nodes, package)) if (found := _path(name)))


def _statements(tree: ast.Module) -> list[ast.AST]:
    """All statements of a module, also inside others; expressions, which are most of a tree, import nothing."""
    nodes: list[ast.AST] = [tree]
    for node in nodes:  # which grows
        for part in ("body", "handlers", "orelse", "finalbody", "cases"):
            nodes += getattr(node, part, ())
    return nodes


def _path(name: str) -> Path | None:
    """The file of a module of ours; nothing for a name inside a module, or of another package."""
    if name.split(".")[0] != PACKAGE.name:
        return None
    base = PACKAGE.parent.joinpath(*name.split("."))
    return next((path for path in (base.with_suffix(".py"), base / "__init__.py") if path.is_file()), None)


def _imports(nodes: Iterable[ast.AST], package: tuple[str, ...]) -> list[str]:
    found: list[str] = []
    for node in nodes:
        if isinstance(node, ast.Import):
            found += (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join([*above, *([node.module] if node.module else [])])
            found += [base, *(f"{base}.{alias.name}" for alias in node.names)]  # a name of it, or a module itself
    return found


def _code_lines(text: str, nodes: Iterable[ast.AST]) -> list[str]:
    """The lines that do something; the same on every version of Python, as a dump of the tree would not be."""
    prose: set[int] = set()
    for node in nodes:
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.body:
            first = node.body[0]
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                prose.update(range(first.lineno, (first.end_lineno or first.lineno) + 1))
    lines = (re.sub(r"\s+# [^'\"]*$", "", line) for n, line in enumerate(text.splitlines(), 1) if n not in prose)
    return [line.rstrip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
