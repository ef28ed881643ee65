"""Imports point one way through the rooms of the package, and never in a circle; the truth stays with `claims`."""

import ast
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "showcase_utils"
GROUND = "sources extras terminal config recipes progress parallel devices weights artifacts names".split()
FLOW = [  # a room imports from the ground and from rooms that stand before it
    *GROUND,
    *"demo_world photos data importing encoding alignment selection generation backbones".split(),
    *"metrics statistics claims showcase serving plots published kernels executing pipeline checking cli".split(),
]
GROUND_FOR_ALL = {"metrics.metric", "metrics.corpus", "statistics"}  # what a value and an interval are
NEVER = {("metrics", "generation"), ("metrics", "selection"), ("claims", "generation")}  # though they stand before
EXTRAS = {  # brought by an extra: a module that imports one of them cannot be imported without it
    "nltk sacrebleu bert_score spacy": {"metrics"},
    "matplotlib mpl_toolkits seaborn IPython ipywidgets": {"plots"},
    "papermill nbformat nbclient jupyterlab": set(),
    "starlette uvicorn": {"serving.app"},
    "ray": {"encoding.ray_engine"},
}


def name_of(path):
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {name_of(path): path for path in PACKAGE.rglob("*.py")}
del FILES[""]  # it holds the version, for everybody


@cache
def tree_of(name):
    return ast.parse(FILES[name].read_text())


def that_run(tree, inside=True):
    """All statements but those for a type checker alone, and unless ``inside`` those in functions."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            continue
        yield node
        if inside or not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from that_run(node, inside)


def at_import(tree):
    return that_run(tree, inside=False)


def imports_of(name, nodes=ast.walk):
    """All names that a file imports, in functions too, with a dot between module and name."""
    package = FILES[name].relative_to(PACKAGE.parent).parts[:-1]
    for node in nodes(tree_of(name)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            yield from (".".join(filter(None, [*above, node.module, alias.name])) for alias in node.names)


@cache
def ours(name, nodes=ast.walk):
    """The files of ours that a file imports, itself apart."""
    inside = [found.partition(".")[2] for found in imports_of(name, nodes) if found.split(".")[0] == PACKAGE.name]
    return {found if found in FILES else found.rpartition(".")[0] for found in inside} - {"", name}


def room(name):
    return name.split(".")[0]


def may_import(name, other):
    if room(name) == room(other) or (room(name) not in GROUND and {other, room(other)} & GROUND_FOR_ALL):
        return True
    before = FLOW.index(room(other)) < FLOW.index(room(name))
    return before and (room(name), room(other)) not in NEVER


def test_every_room_has_its_place_in_the_flow():
    assert {room(name) for name in FILES} == set(FLOW)


@pytest.mark.parametrize("here", FLOW)
def test_imports_point_down_the_flow(here):
    arrows = {(name, other) for name in FILES if room(name) == here for other in ours(name)}
    assert sorted(arrow for arrow in arrows if not may_import(*arrow)) == []


@pytest.mark.parametrize(
    "arrow", [("data.build", "pipeline"), ("selection.dpp", "generation.losses"), ("config", "statistics")]
)
def test_an_arrow_up_the_flow_is_seen(arrow):
    assert not may_import(*arrow)


def test_no_circle_between_files():
    """Imports inside of functions count: they hide a circle from Python, not from a reader. Names of types do not."""
    graph = {name: ours(name, that_run) for name in FILES}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"a circle: {' -> '.join(error.args[1])}")


def test_only_claims_opens_the_truth():
    users = {room(name) for name in FILES if "demo_world.truth" in ours(name) and room(name) != "demo_world"}
    assert users == {"claims"}


def test_plots_read_no_stage():
    for name in FILES:
        if room(name) == "plots" and name != "plots.writer":
            assert "artifacts" not in ours(name), name


@pytest.mark.parametrize("extra", EXTRAS)
def test_what_an_extra_brings_is_imported_where_it_is_used(extra):
    for name in FILES:
        if not {name, room(name)} & EXTRAS[extra]:
            found = {imported.split(".")[0] for imported in imports_of(name, at_import)}
            assert not found & set(extra.split()), f"{name} cannot be imported without {found & set(extra.split())}"


def test_importing_the_product_brings_no_library_that_takes_seconds():
    """`showcase explain` needs PyTorch; whatever else is heavy is imported by the function that needs it."""
    seen, waiting = set(), ["showcase"]
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting += ours(name, at_import)
    found = {imported.split(".")[0] for name in seen for imported in imports_of(name, at_import)}
    assert "generation.telling" in seen and "torch" in found
    assert not found & set("transformers sklearn scipy open_clip torchvision accelerate spacy matplotlib".split())
