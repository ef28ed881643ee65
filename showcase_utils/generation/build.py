"""The stage ``generation``: every system for every seed, in notebook 04 or by ``showcase train`` on several GPUs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from accelerate.utils import broadcast_object_list
from joblib import Parallel, cpu_count, delayed, parallel_config

from showcase_utils.artifacts import Artifacts
from showcase_utils.config import Generation
from showcase_utils.data.frames import load_reviews
from showcase_utils.devices import resolve_device
from showcase_utils.encoding.features import FeatureStore
from showcase_utils.generation.dataset import FeatureMap, ShowcaseCorpus
from showcase_utils.generation.systems import find_system
from showcase_utils.generation.trainer import processes
from showcase_utils.generation.training import train_system
from showcase_utils.progress import progress_bar

SWAPPED = "swapped.parquet"


class Inputs(NamedTuple):
    """What the stage reads, in the order in which ``build_generation`` takes it."""

    s2: pd.DataFrame
    s1: pd.DataFrame
    photos: FeatureMap
    review_features: FeatureMap
    selected: pd.DataFrame


def open_inputs(store: Artifacts) -> Inputs:
    """GEST-s2 and -s1, the features, and the photos that the DPP chose with the widest profile and the first seed.

    Raises ``StaleStage`` that names the notebook to run.
    """
    features, options = store.path("features"), store.settings.selection
    picks = pd.read_parquet(store.path("selection") / "selected.parquet")
    picks = picks[(picks["method"] == "dpp") & (picks["profile"] == max(options.profiles, key=len))]
    return Inputs(
        s2=load_reviews(store.path("alignment") / "s2.parquet"),
        s1=load_reviews(store.path("data") / "s1.parquet"),
        photos=FeatureStore.open(features / "photos"),
        review_features=FeatureStore.open(features / "reviews"),
        selected=picks[picks["seed"] == store.settings.seed + options.seeds[0]],
    )


def build_generation(
    out: Path,
    s2: pd.DataFrame,
    s1: pd.DataFrame,
    photos: FeatureMap,
    review_features: FeatureMap,
    selected: pd.DataFrame,
    settings: Generation,
    seed: int,
    device: str = "auto",
    progress: bool = True,
) -> None:
    """Write the generation stage: every system of ``settings.systems`` for every seed, one folder each.

    ``s2`` are the samples, ``s1`` the reviews their histories come from; ``selected`` has one row (review_id,
    image_ids) per review of val and test. Every seed of ``settings.seeds`` is shifted by ``seed``. Systems that are
    done are kept, so an interrupted build goes on where it was. Texts with replaced entities are made once, into
    ``swapped.parquet`` (review_id, text). On a CPU several systems train at the same time (``settings.jobs``): small
    models gain little from a second core, two of them gain all of it.

    Raises ``ValueError`` for a name in ``settings.systems`` or ``settings.lrs`` that is no system.
    """
    for name in (*settings.systems, *settings.lrs):
        find_system(name)
    corpus = ShowcaseCorpus.from_frames(s2, s1, photos, review_features, settings, selected, seed)
    if any(find_system(name).ccl for name in settings.systems):
        corpus = replace(corpus, swapped=_swapped(out / SWAPPED, corpus, device))
    runs = [(name, seed + s) for s in settings.seeds for name in settings.systems]
    jobs = _side_by_side(settings, device, len(runs))
    if jobs == 1:
        for name, s in runs:
            train_system(out, name, corpus, s, device, progress)
        return
    with parallel_config("loky", n_jobs=jobs, inner_max_num_threads=max(1, cpu_count() // jobs)):
        # the costliest systems stand last: begun first, they leave no core waiting for them at the end
        each = (delayed(train_system)(out, name, corpus, s, device, progress=False) for name, s in reversed(runs))
        done = Parallel(return_as="generator_unordered")(each)
        for _ in progress_bar(done, desc="systems", total=len(runs), disable=not progress):
            pass


def _swapped(path: Path, corpus: ShowcaseCorpus, device: str) -> dict[str, str]:
    """ent(Y) of train and val by review id, from the file; the first process writes it where it is not there yet."""
    together = processes(device)
    if together.is_main_process and not path.is_file():
        made = corpus.swap("train") | corpus.swap("val")
        half = path.with_suffix(".new")
        pd.DataFrame({"review_id": list(made), "text": list(made.values())}).to_parquet(half, index=False)
        half.replace(path)
    together.wait_for_everyone()
    frame = pd.read_parquet(path)
    return dict(zip(frame["review_id"], frame["text"], strict=True))


def _side_by_side(settings: Generation, device: str, runs: int) -> int:
    """How many systems train at the same time: one on a GPU, and where several processes share each of them."""
    if resolve_device(device).type != "cpu" or processes(device).num_processes > 1:
        return 1
    return min(settings.jobs or cpu_count(), runs)


def train_generation(store: Artifacts, progress: bool = True) -> Path | None:
    """Make the stage outside notebook 04, which then finds it done. Returns its folder, in the first process only.

    Every process of ``torchrun`` or ``accelerate launch`` calls this. The first one alone opens the stage, tells the
    others where it is being made, and closes it when all have trained; so there is one lock, one folder, one manifest.

    Raises ``StaleStage`` that names the notebook to run, ``ValueError`` for a batch that can't be shared out.
    """
    settings = store.settings
    together = processes(settings.device)

    def train(out: Path) -> None:
        build_generation(
            out, *open_inputs(store), settings.generation, settings.seed, settings.device, progress=progress
        )

    if not together.is_main_process:
        (told,) = broadcast_object_list([""])
        if told:
            train(Path(told))
        return None
    opened: list[Path] = []

    def lead(out: Path) -> None:
        opened.append(out)
        broadcast_object_list([str(out)])
        train(out)

    try:
        return store.make("generation", lead)
    finally:
        if not opened:
            broadcast_object_list([""])  # the stage is fresh, or can't be made: nobody need wait
