"""What counts as code, and which of it something runs."""

import pytest

from showcase_utils import sources
from showcase_utils.sources import code_digests, imported_modules


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package ``ours`` with a module that imports another one inside a function, and a third one nobody imports."""
    root = tmp_path / "ours"
    (root / "wing").mkdir(parents=True)
    (root / "__init__.py").write_text("")
    (root / "config.py").write_text("A = 1")
    (root / "wing" / "__init__.py").write_text("")
    (root / "wing" / "one.py").write_text('"""Doc."""\nfrom ours.wing import two\nimport ours.config\n')
    (root / "wing" / "two.py").write_text("def f():\n    from . import three\n    return three.X\n")
    (root / "wing" / "three.py").write_text("X = 1\n")
    (root / "wing" / "four.py").write_text("Y = 1\n")
    monkeypatch.setattr(sources, "PACKAGE", root)
    sources._read.cache_clear()
    yield root / "wing"
    sources._read.cache_clear()


def digests():
    sources._read.cache_clear()
    return code_digests(["ours.wing.one"])


def test_all_that_is_imported_counts_also_in_functions_and_relative_but_not_the_ground(package):
    assert list(digests()) == ["ours.wing", "ours.wing.one", "ours.wing.three", "ours.wing.two"]


@pytest.mark.parametrize(
    "text", ["# said\n\nX = 1\n", '"""Said."""\nX = 1  # also\n', "X = 1\n\n\n"], ids=["comment", "docstring", "blank"]
)
def test_prose_does_not_count(package, text):
    before = digests()
    (package / "three.py").write_text(text)
    assert digests() == before


def test_code_counts(package):
    before = digests()
    (package / "three.py").write_text("X = 2\n")
    after = digests()
    assert {name for name in after if after[name] != before[name]} == {"ours.wing.three"}


def test_a_hash_in_a_string_is_no_comment(package):
    (package / "three.py").write_text("X = 'a # b'\n")
    before = digests()
    (package / "three.py").write_text("X = 'a # c'\n")
    assert digests() != before


def test_imports_of_cells():
    found = imported_modules("from showcase_utils.selection import dpp\nimport torch")
    assert {"showcase_utils.selection", "showcase_utils.selection.dpp"} <= set(found)
