import importlib
import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import types

import pytest

from showcase_utils import recipes, sources
from showcase_utils.artifacts import STAGES, Artifacts, BuildContext, StaleStage
from showcase_utils.config import load_settings
from showcase_utils.recipes import MANIFEST, TIMING


def store(tmp_path, *overrides):
    return Artifacts(load_settings("smoke", ["device=cpu", *overrides]), tmp_path)


def write(context, text="x"):
    (context.out / "file.txt").write_text(text)


def writer(text):
    return lambda context: write(context, text)


def status(artifacts, stage):
    return artifacts.statuses()[stage]


def make_up_to(artifacts, last, text="x"):
    for name in artifacts.stages():
        artifacts.make(name, writer(f"{text}-{name}"))
        if name == last:
            return


def test_inputs_stand_before_what_reads_them():
    names = list(STAGES)
    for stage in STAGES.values():
        assert all(names.index(name) < names.index(stage.name) for name in stage.inputs)
        assert all(STAGES[name].notebook <= stage.notebook for name in stage.inputs)


def test_a_stage_is_made_once(tmp_path):
    calls = []

    def build(context):
        calls.append(1)
        write(context)

    for _ in range(2):
        path = store(tmp_path).make("world", build)
    assert len(calls) == 1
    assert (path / "file.txt").read_text() == "x"
    manifest = json.loads((path / MANIFEST).read_text())
    assert manifest["files"]["file.txt"]["bytes"] == 1
    assert {"recipe", "seconds", "device", "versions", "contents"} <= manifest.keys()


def test_missing_input_names_the_notebook(tmp_path):
    with pytest.raises(StaleStage, match="01_data_filtering"):
        store(tmp_path).make("features", write)
    with pytest.raises(StaleStage, match="missing.*showcase run --profile smoke --from 01 --to 01"):
        store(tmp_path).path("world")


def test_a_changed_setting_makes_only_what_depends_on_it_stale(tmp_path):
    make_up_to(store(tmp_path), "selection")
    changed = store(tmp_path, "encoding.dtype=float32")
    states = {name: status(changed, name).state for name in changed.stages()}
    assert states["world"] == states["data"] == "fresh"
    assert states["features"] == states["selection"] == "stale"
    assert status(changed, "features").why == "encoding.dtype was 'float16', is 'float32'"
    assert status(changed, "selection").why == "its input 'features' is stale"
    with pytest.raises(StaleStage, match="encoding.dtype was 'float16'"):
        changed.path("features")


def test_workers_do_not_change_what_comes_out(tmp_path):
    make_up_to(store(tmp_path), "features")
    assert status(store(tmp_path, "encoding.workers=5"), "features").state == "fresh"


def test_a_setting_that_came_later_counts_once_it_is_another(tmp_path):
    """As it was before it could be set, it is in no recipe: stages made before it was there stay fresh."""
    keys = STAGES["generation"].settings
    plain, same, other = (
        recipes.recipe_of(load_settings("smoke", changes), keys, {}, "showcase_utils.names")["settings"]
        for changes in ([], ["generation.retrieved=4", "generation.fusion=prefix"], ["generation.retrieved=5"])
    )
    assert plain == same and not {"generation.retrieved", "generation.fusion"} & plain.keys()
    assert other == plain | {"generation.retrieved": 5}


def test_equal_contents_leave_what_follows_fresh(tmp_path):
    artifacts = store(tmp_path)
    make_up_to(artifacts, "features")
    artifacts.forget("data")
    assert status(artifacts, "features").state == "stale"
    artifacts.make("data", writer("x-data"))
    assert status(artifacts, "features").state == "fresh"
    artifacts.forget("data")
    artifacts.make("data", writer("other"))
    assert status(artifacts, "features").why == "'data' was made anew"


def test_seconds_do_not_count_as_contents(tmp_path):
    def build(seconds):
        return lambda context: (write(context), (context.out / TIMING).write_text(seconds))

    artifacts = store(tmp_path)
    artifacts.make("world", build("1"))
    before = artifacts.contents("world")
    artifacts.forget("world")
    artifacts.make("world", build("2"))
    assert artifacts.contents("world") == before


def test_a_failed_build_shows_nothing_and_keeps_its_work(tmp_path):
    def fail(context):
        (context.out / "half.txt").write_text("half")
        raise RuntimeError("no")

    artifacts = store(tmp_path)
    with pytest.raises(RuntimeError, match="no"):
        artifacts.make("world", fail)
    assert status(artifacts, "world").state == "unfinished"
    seen = []
    artifacts.make("world", lambda context: (seen.append((context.out / "half.txt").read_text()), write(context)))
    assert seen == ["half"]


def test_work_of_another_recipe_is_thrown_away(tmp_path):
    def fail(context):
        (context.out / "half.txt").write_text("half")
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        store(tmp_path).make("world", fail)
    path = store(tmp_path, "world.seed=9").make("world", write)
    assert not (path / "half.txt").exists()
    assert not list((tmp_path / "smoke" / ".unfinished").iterdir())


def test_kill_nine_in_the_middle_resumes(tmp_path):
    program = textwrap.dedent(
        f"""
        import os, signal
        from showcase_utils.artifacts import Artifacts
        from showcase_utils.config import load_settings
        def build(context):
            (context.out / "first.txt").write_text("1")
            os.kill(os.getpid(), signal.SIGKILL)
        Artifacts(load_settings("smoke", ["device=cpu"]), {str(tmp_path)!r}).make("world", build)
        """
    )
    code = subprocess.run([sys.executable, "-c", program], env={**os.environ}).returncode
    assert code == -signal.SIGKILL
    artifacts = store(tmp_path)
    assert status(artifacts, "world").state == "unfinished"

    def go_on(context):
        assert (context.out / "first.txt").exists()
        write(context)

    artifacts.make("world", go_on)
    assert status(artifacts, "world").state == "fresh"


def test_killed_before_the_change_of_name(tmp_path):
    artifacts = store(tmp_path)
    path = artifacts.make("world", write)
    work = tmp_path / "smoke" / ".unfinished" / f"world-{artifacts.manifest('world')['fingerprint'][:16]}"
    path.rename(work)

    def never(context):
        raise AssertionError("it was whole already")

    assert artifacts.make("world", never) == path
    assert (path / "file.txt").exists()


def test_two_at_once_do_the_work_once(tmp_path):
    calls, gate = [], threading.Event()

    def slow(context):
        calls.append(1)
        gate.wait(5)
        write(context)

    threads = [threading.Thread(target=store(tmp_path).make, args=("world", slow)) for _ in range(2)]
    for thread in threads:
        thread.start()
    gate.set()
    for thread in threads:
        thread.join()
    assert len(calls) == 1


def test_data_files_replace_the_demo_world(tmp_path):
    reviews = tmp_path / "reviews.json"
    reviews.write_text("{}")
    options = ["data.source=files", f"data.reviews={reviews}"]
    artifacts = store(tmp_path, *options)
    assert "world" not in artifacts.stages()
    artifacts.make("data", write)
    assert status(store(tmp_path, *options), "data").state == "fresh"
    reviews.write_text("{}\n{}")
    assert status(store(tmp_path, *options), "data").why == "the file of data.reviews changed"


def test_unknown_stage(tmp_path):
    with pytest.raises(KeyError, match="the stages are world, data"):
        store(tmp_path).path("dta")


def test_root_from_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("SHOWCASE_ARTIFACTS", str(tmp_path))
    assert Artifacts(load_settings("smoke")).folder == tmp_path / "smoke"


def test_models_by_name_add_nothing_to_a_recipe(tmp_path):
    named = store(tmp_path, "encoding.model=ViT-B-32", "encoding.pretrained=openai", "generation.decoder=gpt2")
    make_up_to(named, "evaluation")
    recipes_of = {name: found.recipe for name, found in named.statuses().items()}
    assert recipes_of["features"]["outside"] == {}
    assert recipes_of["alignment"]["outside"] == {"data.annotations": []}
    assert "generation.decoder" not in recipes_of["generation"]["outside"]


def test_an_embedded_model_is_told_by_its_files(tmp_path, monkeypatch):
    make_up_to(store(tmp_path), "features")
    monkeypatch.setattr(recipes, "BACKBONES", tmp_path)
    assert status(store(tmp_path), "features").why == "the file of encoding.model changed"


@pytest.mark.parametrize(
    ("stage", "key", "prefix"),
    [
        ("features", "encoding.model", "local-dir:"),
        ("alignment", "alignment.pretrained", ""),
        ("generation", "generation.decoder", ""),
        ("generation", "generation.spacy_model", ""),
        ("evaluation", "evaluation.bertscore_model", ""),
    ],
)
def test_weights_that_change_in_their_folder_make_the_stage_stale(tmp_path, stage, key, prefix):
    folder = tmp_path / "model"
    (folder / "parts").mkdir(parents=True)
    weights = folder / "parts" / "model.safetensors"
    weights.write_bytes(b"one")
    artifacts = store(tmp_path, f"{key}={prefix}{folder}")
    make_up_to(artifacts, stage)
    (folder / ".cache").mkdir()
    (folder / ".cache" / "downloaded").write_bytes(b"")
    assert status(artifacts, stage).state == "fresh"
    before = weights.stat()
    weights.write_bytes(b"another")  # in place: the folders know nothing of it
    assert status(artifacts, stage).why == f"the file of {key} changed"
    weights.write_bytes(b"one")
    os.utime(weights, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert status(artifacts, stage).state == "fresh"
    weights.unlink()
    assert f"the file of {key} changed" in status(artifacts, stage).why


def test_a_file_of_weights_that_changes_makes_features_stale(tmp_path):
    weights = tmp_path / "weights.pt"
    weights.write_bytes(b"one")
    artifacts = store(tmp_path, "encoding.model=ViT-B-32", f"encoding.pretrained={weights}")
    make_up_to(artifacts, "features")
    assert status(artifacts, "features").state == "fresh"
    weights.write_bytes(b"other")
    assert status(artifacts, "features").why == "the file of encoding.pretrained changed"


def test_a_folder_of_photos_is_told_apart_by_its_index(tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "index.parquet").write_bytes(b"one")
    settings = load_settings("gest", [f"data.images={photos}", "device=cpu"])

    def recipe():
        return Artifacts(settings, tmp_path / "artifacts").statuses()["data"].recipe

    before = recipe()
    (photos / ".unfinished").mkdir()  # as when somebody looks into the store
    assert recipe() == before
    (photos / "index.parquet").write_bytes(b"another")
    assert recipe() != before


def test_other_code_is_a_state_of_its_own_and_can_be_accepted(tmp_path, monkeypatch):
    artifacts = store(tmp_path)
    make_up_to(artifacts, "generation")
    digests = recipes.code_digests
    edited = "showcase_utils.selection.dpp"
    monkeypatch.setattr(
        recipes, "code_digests", lambda names: {n: "new" if n == edited else d for n, d in digests(names).items()}
    )
    assert [status(artifacts, name).state for name in ("features", "selection")] == ["fresh", "other code"]
    assert status(artifacts, "selection").why == "code changed: selection.dpp"
    assert status(artifacts, "generation").why == "its input 'selection' is other code"
    with pytest.raises(StaleStage, match="showcase accept selection --profile smoke"):
        artifacts.path("generation")
    artifacts.accept("selection")
    assert status(artifacts, "selection").state == "fresh"
    monkeypatch.setattr(recipes, "code_digests", digests)
    changed = store(tmp_path, "selection.k=5")
    with pytest.raises(StaleStage, match="only what other code made"):
        changed.accept("selection")


@pytest.mark.slow  # reads the sources anew
def test_code_of_one_s_own_counts_as_code(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "pictured.py").write_text("CENTRE = 1\n")
    artifacts = store(tmp_path / "artifacts", "selection.methods=[random,dpp,metric_dpp,pictured:CENTRE]")
    make_up_to(artifacts, "selection")
    for text, state in (("CENTRE = 1  # said\n", "fresh"), ("CENTRE = 2\n", "other code"), (None, "other code")):
        sources._read.cache_clear()
        if text is None:
            (tmp_path / "pictured.py").unlink()
            importlib.invalidate_caches()
        else:
            (tmp_path / "pictured.py").write_text(text)
        found = status(artifacts, "selection")
        assert found.state == state and found.why == ("code changed: pictured" if state == "other code" else "")


def test_made_anew_where_other_code_made_it(tmp_path, monkeypatch):
    artifacts = store(tmp_path)
    artifacts.make("world", writer("old"))
    monkeypatch.setattr(recipes, "code_digests", lambda names: {"showcase_utils.demo_world.world": "new"})
    assert (artifacts.make("world", writer("new")) / "file.txt").read_text() == "new"


def test_a_builder_reads_only_what_its_stage_declares(tmp_path):
    context = BuildContext(tmp_path, {"data": tmp_path / "data"}, load_settings("smoke"))
    assert context.path("data") == tmp_path / "data"
    with pytest.raises(KeyError, match="'world' is no input here: there are data"):
        context.path("world")


def test_every_builder_is_there():
    for stage in STAGES.values():
        assert callable(stage.load_builder())


def test_artifacts_that_are_moved_stay_fresh(tmp_path):
    make_up_to(store(tmp_path / "here"), "evaluation")
    (tmp_path / "here").rename(tmp_path / "there")
    assert {found.state for found in store(tmp_path / "there").statuses().values()} == {"fresh"}


def test_advice_names_the_first_stage_that_is_missing(tmp_path):
    with pytest.raises(StaleStage, match="'world', which 'texts' needs.*--profile smoke --from 01 --to 05"):
        store(tmp_path).path("texts")


def test_advice_for_a_profile_file_can_be_pasted(tmp_path, monkeypatch):
    (tmp_path / "mine.yaml").write_text("extends: smoke\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StaleStage, match=f"--profile {tmp_path / 'mine.yaml'} "):
        Artifacts(load_settings("mine.yaml"), tmp_path).path("world")


@pytest.mark.parametrize("name", ["file.txt", MANIFEST])
@pytest.mark.parametrize("bit", [0, 3, 7])
def test_a_flipped_bit_is_seen_before_the_stage_is_read_and_made_good(tmp_path, name, bit):
    artifacts = store(tmp_path)
    make_up_to(artifacts, "data", "text")
    path = tmp_path / "smoke" / "world" / name
    content = path.read_bytes()
    begin = content.index(b"sha256") + 12 if name == MANIFEST else 1
    path.write_bytes(content[:begin] + bytes([content[begin] ^ 1 << bit]) + content[begin + 1 :])
    assert status(store(tmp_path), "world").state == "damaged"
    with pytest.raises(StaleStage, match=f"stage 'world'.* is damaged.*{name} is not what was written"):
        store(tmp_path).path("data")
    store(tmp_path).make("world", writer("text-world"))
    assert status(store(tmp_path), "data").state == "fresh"


def test_a_bit_that_flips_on_the_disk_is_found_on_request(tmp_path):
    """The time of change does not tell of it, and reading all files at every look would take too long."""
    path = store(tmp_path).make("world", writer("text")) / "file.txt"
    assert status(store(tmp_path), "world").state == "fresh"
    before = path.stat()
    path.write_text("tixt")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert status(store(tmp_path), "world").state == "fresh"
    assert store(tmp_path).statuses(verify=True)["world"].why == "file.txt is not what was written"


def test_files_are_read_once_and_again_where_they_moved(tmp_path, monkeypatch):
    read = []
    digest_of = recipes._sha256
    monkeypatch.setattr(recipes, "_sha256", lambda path: (read.append(path.name), digest_of(path))[1])
    store(tmp_path / "a").make("world", write)
    for _ in range(3):
        assert status(store(tmp_path / "a"), "world").state == "fresh"
    assert read.count("file.txt") == 2, "when it was made, and at the first look"
    shutil.copytree(tmp_path / "a", tmp_path / "b", copy_function=shutil.copyfile)  # with other times
    assert status(store(tmp_path / "b"), "world").state == "fresh"
    assert read.count("file.txt") == 3
    (tmp_path / "b/smoke/world/file.txt").unlink()
    assert status(store(tmp_path / "b"), "world").why == "file.txt is gone"


def test_a_sealed_folder_tells_whether_it_is_still_what_it_was(tmp_path):
    assert not recipes.is_intact(tmp_path)
    (tmp_path / "weights").write_bytes(bytes(100))
    recipes.seal(tmp_path)
    assert recipes.is_intact(tmp_path)
    (tmp_path / "weights").write_bytes(bytes(99) + b"1")
    assert not recipes.is_intact(tmp_path)


def test_a_full_disk_is_called_so_whatever_a_library_calls_it(tmp_path, monkeypatch):
    def write_much(context):
        raise RuntimeError("PytorchStreamWriter failed")

    def write_and_tidy_up(context):
        raise RuntimeError("Error while serializing: I/O error: No space left on device (os error 28)")

    with pytest.raises(RuntimeError, match="Stream"):
        store(tmp_path).make("world", write_much)
    with pytest.raises(OSError, match="No space left on device.*world"):
        store(tmp_path).make("world", write_and_tidy_up)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: types.SimpleNamespace(free=0))
    with pytest.raises(OSError, match="No space left on device.*world") as error:
        store(tmp_path).make("world", write_much)
    assert isinstance(error.value.__cause__, RuntimeError)
