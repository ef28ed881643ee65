"""The stage ``generation``: every system for every seed, in notebook 04 or by ``showcase train`` on several GPUs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
from accelerate.utils import broadcast_object_list
from joblib import cpu_count, delayed

from showcase_utils.artifacts import Artifacts, BuildContext
from showcase_utils.config import Generation
from showcase_utils.devices import resolve_device
from showcase_utils.generation.corpus import ShowcaseCorpus, open_corpus
from showcase_utils.generation.systems import find_system
from showcase_utils.generation.trainer import current_process
from showcase_utils.generation.training import train_system
from showcase_utils.parallel import jobs_on, side_by_side

SWAPPED = "swapped.parquet"


def build_generation(context: BuildContext) -> None:
    """Write the generation stage: a folder for every system and seed, and ``swapped.parquet``."""
    train_systems(context.out, open_corpus(context), context.settings.device, context.progress)


def train_systems(out: Path, corpus: ShowcaseCorpus, device: str = "auto", progress: bool = True) -> None:
    """Train every system of ``corpus.settings.systems`` for every seed, one folder each.

    Every seed of ``settings.seeds`` is shifted by ``corpus.seed``. Systems that are done are kept, so an interrupted
    build goes on where it was. Texts with replaced entities are made once, into ``swapped.parquet`` (review_id, text).
    On a CPU several systems train at the same time (``settings.jobs``): small models gain little from a second core,
    two of them gain all of it.

    Raises ``ValueError`` for a name in ``settings.systems`` or ``settings.lrs`` that is no system.
    """
    settings = corpus.settings
    for name in (*settings.systems, *settings.lrs):
        find_system(name)
    if any(find_system(name).ccl for name in settings.systems):
        corpus = replace(corpus, swapped=_swapped(out / SWAPPED, corpus, device))
    runs = [(name, corpus.seed + seed) for seed in settings.seeds for name in settings.systems]
    jobs = _jobs(settings, device, len(runs))
    if jobs == 1:
        for name, seed in runs:
            train_system(out, name, corpus, seed, device, progress)
        return
    # the costliest systems, of equals those that stand last, begun first, leave no core waiting for them at the end
    runs = sorted(reversed(runs), key=lambda run: find_system(run[0]).effort, reverse=True)
    each = [delayed(train_system)(out, name, corpus, seed, device, progress=False) for name, seed in runs]
    for _ in side_by_side(each, jobs, "systems", progress, max(1, cpu_count() // jobs), ordered=False):
        pass


def _swapped(path: Path, corpus: ShowcaseCorpus, device: str) -> dict[str, str]:
    """ent(Y) of train and val by review id, from the file; the first process writes it where it is not there yet."""
    process = current_process(device)
    if process.is_main_process and not path.is_file():
        made = corpus.swap("train") | corpus.swap("val")
        half = path.with_suffix(".new")
        pd.DataFrame({"review_id": list(made), "text": list(made.values())}).to_parquet(half, index=False)
        half.replace(path)
    process.wait_for_everyone()
    frame = pd.read_parquet(path)
    return dict(zip(frame["review_id"], frame["text"], strict=True))


def _jobs(settings: Generation, device: str, runs: int) -> int:
    """How many systems train at the same time: one on a GPU, and where several processes share each of them."""
    shared = current_process(device).num_processes > 1
    return 1 if shared else jobs_on(resolve_device(device), settings.jobs, runs)


def train_generation(store: Artifacts, progress: bool = True) -> Path | None:
    """Make the stage outside notebook 04, which then finds it done. Returns its folder, in the first process only.

    Every process of ``torchrun`` or ``accelerate launch`` calls this. The first one alone opens the stage, tells the
    others where it is being made, and closes it when all have trained; so there is one lock, one folder, one manifest.

    Raises ``StaleStage`` that names the notebook to run, ``ValueError`` for a batch that can't be shared out.
    """
    if not current_process(store.settings.device).is_main_process:
        (folder,) = broadcast_object_list([""])
        if folder:
            inputs = {name: store.path(name) for name in store.inputs("generation")}
            build_generation(BuildContext(Path(folder), inputs, store.settings, progress=progress))
        return None
    opened: list[Path] = []

    def lead(context: BuildContext) -> None:
        opened.append(context.out)
        broadcast_object_list([str(context.out)])
        build_generation(context)

    try:
        return store.make("generation", lead, progress)
    finally:
        if not opened:
            broadcast_object_list([""])  # the stage is fresh, or can't be made: nobody need wait
