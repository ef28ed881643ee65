"""The driver over small notebooks of its own; the real ones run under nbval and in tests/notebooks."""

import ast
import os
import platform
import signal
import subprocess
import sys
import time

import psutil
import pytest

from showcase_utils import pipeline
from showcase_utils.artifacts import STAGES, Artifacts
from showcase_utils.config import SettingsError, load_settings
from showcase_utils.kernels import warm_up
from showcase_utils.pipeline import RunError
from showcase_utils.published import read_notebook
from tests.small_notebooks import code, write_notebook

PARAMETERS = 'profile = "smoke"\noverrides = ""\nartifacts = ""'
MAKE_WORLD = """
from pathlib import Path
from showcase_utils.artifacts import Artifacts
from showcase_utils.config import load_settings
store = Artifacts(load_settings(profile, overrides), artifacts)
print(store.make("world", (lambda context: (context.out / "a.txt").write_text(str(store.settings.world.seed)))).name)
store.make("data", (lambda context: (context.out / "b.txt").write_text("b"))).name
"""


def write(house, first, *others):
    """The only notebook of a house; its first cell holds the parameters."""
    cells = [code(first, ("parameters",)), *map(code, others)]
    write_notebook(house / "notebooks" / "01_data_filtering.ipynb", *cells)


OPEN = """
import time
from pathlib import Path
from showcase_utils.artifacts import Artifacts
from showcase_utils.config import load_settings
store = Artifacts(load_settings(profile, overrides), artifacts)
def until(name):
    ends = time.monotonic() + 120
    while not (store.root / name).exists():
        assert time.monotonic() < ends, name
        time.sleep(0.05)
"""
BEGAN = '(store.root / "began").touch()'


@pytest.fixture
def house(tmp_path, monkeypatch):
    folder = tmp_path / "notebooks"
    folder.mkdir()
    write(tmp_path, PARAMETERS, MAKE_WORLD)
    monkeypatch.setattr(pipeline, "notebooks_folder", lambda: folder)
    monkeypatch.setattr(pipeline, "NOTEBOOKS", {"01_data_filtering": ()})
    return tmp_path


def run(house, *overrides, **options):
    return pipeline.run("smoke", ["device=cpu", *overrides], str(house / "artifacts"), **options)


@pytest.mark.slow
def test_runs_once_and_again_only_for_a_reason(house, monkeypatch):
    monkeypatch.chdir(house)
    seen = []
    (first,) = run(house, on_cell=lambda name, cell, cells: seen.append((cell, cells)))
    assert first.state == "executed"
    assert seen == [(1, 3), (2, 3), (3, 3)]  # papermill adds one cell
    assert first.path == house / "artifacts" / "smoke" / "notebooks" / "01_data_filtering.ipynb"
    assert run(house)[0].state == "fresh"
    assert run(house, "selection.k=2")[0].state == "fresh"  # no stage of this notebook depends on it
    assert run(house, force=True)[0].state == "executed"
    assert run(house, "world.seed=5")[0].state == "executed"
    store = Artifacts(load_settings("smoke", ["device=cpu", "world.seed=5"]), house / "artifacts")
    assert (store.path("world") / "a.txt").read_text() == "5"
    write(house, PARAMETERS, MAKE_WORLD, "1 + 1")
    assert run(house, "world.seed=5")[0].state == "executed"


@pytest.mark.slow
def test_bars_of_a_running_notebook_are_handed_on(house, monkeypatch):
    bar = "progress_bar(total=9, desc='photos', disable=True)"
    slow = f"import time\nfrom showcase_utils.progress import progress_bar\nwith {bar} as b:\n    time.sleep(2.5)"
    write(house, PARAMETERS, slow)
    lines = []
    (done,) = run(house, on_progress=lines.append)
    assert lines and lines[0].startswith("photos:") and "0/9" in lines[0]
    assert "photos" not in str(read_notebook(done.path)["cells"][-1]["outputs"])
    assert not (house / "artifacts" / "smoke" / ".progress").exists()


@pytest.mark.slow
def test_the_next_kernel_is_ready_before_its_notebook_and_none_is_left(house, monkeypatch):
    before = set(psutil.Process().children())
    write(house, PARAMETERS, "import time\nprint(time.time())")
    began = "from psutil import Process\nprint(Process().create_time())"
    cells = [code(PARAMETERS, ("parameters",)), *map(code, (began, "print('json' in globals())", "import json"))]
    write_notebook(house / "notebooks" / "02_next.ipynb", *cells)
    monkeypatch.setattr(pipeline, "NOTEBOOKS", {"01_data_filtering": (), "02_next": ()})
    first, second = (
        [c["outputs"] for c in read_notebook(done.path)["cells"] if c.get("outputs")] for done in run(house)
    )
    assert float("".join(second[0][0]["text"])) < float("".join(first[0][0]["text"]))
    assert "".join(second[1][0]["text"]) == "False\n"  # what is imported ahead leaves no name
    assert set(psutil.Process().children()) <= before


@pytest.fixture
def two(house, monkeypatch):
    """Writes a first notebook that makes stages, and one that reads them; all processes must end."""

    def write_two(first, second, reads=("data",)):
        write(house, PARAMETERS, MAKE_WORLD, OPEN, *first)
        cells = [code(PARAMETERS, ("parameters",)), *map(code, (OPEN, *second))]
        write_notebook(house / "notebooks" / "02_next.ipynb", *cells)
        monkeypatch.setattr(pipeline, "NOTEBOOKS", {"01_data_filtering": (), "02_next": reads})
        return house

    before = set(psutil.Process().children())
    yield write_two
    assert set(psutil.Process().children()) <= before


@pytest.mark.slow
def test_the_next_notebook_begins_when_there_is_what_it_reads_and_is_reported_after(two):
    house = two(['until("began")'], ['print(store.path("data").name)', BEGAN])
    seen, told = [], []
    results = run(house, on_cell=lambda name, *_: seen.append(name[:2]), on_done=lambda done: told.append(done))
    assert [done.notebook for done in results] == ["01_data_filtering", "02_next"] and told == results
    assert seen == sorted(seen) and seen[-1] == "02"
    assert [done.state for done in run(house)] == ["fresh", "fresh"]


@pytest.mark.slow
def test_a_notebook_waits_for_what_it_reads(two):
    first = ["time.sleep(3)", 'assert not (store.root / "began").exists()']
    assert len(run(two(first, [BEGAN], reads=("features",)))) == 2


@pytest.mark.slow
def test_large_models_have_the_machine_to_themselves(two):
    first = ["time.sleep(3)", 'assert not (store.root / "began").exists()']
    assert len(run(two(first, [BEGAN]), "generation.decoder=gpt2")) == 2


@pytest.mark.slow
def test_a_notebook_that_fails_ends_the_one_that_began_meanwhile(two):
    house = two(['until("began")', "1 / 0"], [BEGAN, "time.sleep(600)"])
    started = time.monotonic()
    with pytest.raises(RunError, match="01_data_filtering failed in cell.*ZeroDivisionError"):
        run(house)
    assert time.monotonic() - started < 300
    assert not (house / "artifacts" / "smoke" / "notebooks" / "runs.json").exists()


@pytest.mark.slow
def test_a_notebook_that_fails_early_waits_for_the_one_before(two):
    house = two(['until("began")', "time.sleep(2)", '(store.root / "ended").touch()'], [BEGAN, "1 / 0"])
    told = []
    with pytest.raises(RunError, match="02_next failed in cell.*ZeroDivisionError"):
        run(house, on_done=lambda done: told.append(done.notebook))
    assert told == ["01_data_filtering"] and (house / "artifacts" / "ended").exists()


@pytest.mark.slow
def test_an_interrupted_run_ends_with_both_notebooks(two, request):
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell in the background has taken away
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, before))
    house = two(['until("began")', "time.sleep(600)"], [BEGAN, "time.sleep(600)"])
    with pytest.raises(KeyboardInterrupt):
        run(house, on_cell=lambda name, cell, cells: cell == cells and os.kill(os.getpid(), signal.SIGINT))


@pytest.mark.slow
def test_a_failing_cell_is_shown_with_its_notebook(house):
    write(house, PARAMETERS, "dish = {}\ndish['sushi']")
    with pytest.raises(RunError) as error:
        run(house)
    text = str(error.value)
    assert "01_data_filtering failed in cell" in text and "KeyError" in text and "dish[" in text
    assert (house / "artifacts" / "smoke" / "notebooks" / "01_data_filtering.unfinished.ipynb").is_file()
    assert not (house / "artifacts" / "smoke" / "notebooks" / "01_data_filtering.ipynb").exists()


@pytest.mark.slow
def test_a_notebook_without_our_parameters_is_an_error(house):
    write(house, 'profile = "smoke"', MAKE_WORLD)
    with pytest.raises(RunError, match="no parameter artifacts, overrides"):
        run(house)


@pytest.mark.slow
def test_output_folder(house):
    (done,) = run(house, output=house / "elsewhere")
    assert done.path == house / "elsewhere" / "01_data_filtering.ipynb" and done.path.is_file()


def test_bad_overrides_stop_before_anything_runs(house):
    with pytest.raises(SettingsError, match="selection.kk"):
        run(house, "selection.kk=1")
    assert not (house / "artifacts").exists()


def test_publishing_is_for_the_demo_profile_as_it_ships(house):
    with pytest.raises(RunError, match="--publish"):
        run(house, publish=True)


@pytest.mark.parametrize("name", pipeline.NOTEBOOKS)
def test_what_the_stages_of_a_notebook_import_is_imported_ahead(name):
    ahead = ast.parse(warm_up(pipeline.notebooks_folder() / f"{name}.ipynb"))
    found = {alias.name for node in ast.walk(ahead) if isinstance(node, ast.Import) for alias in node.names}
    assert {stage.module for stage in STAGES.values() if stage.notebook == name} <= found


@pytest.mark.parametrize(
    ("start", "end", "count"), [(None, None, 6), ("2", "04", 3), ("05_metric_evaluation", None, 2)]
)
def test_chosen(start, end, count):
    assert len(pipeline.chosen(start, end)) == count


@pytest.mark.parametrize(("start", "end", "words"), [("9", None, "no notebook '9'"), ("4", "2", "comes after")])
def test_chosen_refuses(start, end, words):
    with pytest.raises(RunError, match=words):
        pipeline.chosen(start, end)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="a setting of glibc")
def test_what_a_run_starts_keeps_the_memory_of_large_tensors():
    churn = "for _ in range(20): b'x' * 20_000_000\nimport resource\n"
    churn += "print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)"
    given, kept = (
        int(subprocess.check_output([sys.executable, "-c", churn], env=os.environ | {"GLIBC_TUNABLES": tunables}))
        for tunables in ("", pipeline.KEEP_MEMORY)
    )
    assert kept < given / 5  # pages that the system clears and maps
