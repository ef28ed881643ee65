"""The stage ``texts``: what every trained system writes for the test reviews, beside the photos that step 1 chose.

Beside the systems stand two floors that need no training, a vision-language model where one is named, and the steps
from the paper's greedy line to what the product tells (``LADDER``), each of which adds one decision to the step before.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from joblib import delayed

from showcase_utils.alignment.frames import load_scores
from showcase_utils.alignment.phi import load_phi
from showcase_utils.artifacts import BuildContext
from showcase_utils.config import Telling
from showcase_utils.data.entities import topic_words
from showcase_utils.data.frames import load_images, load_s1
from showcase_utils.devices import resolve_device
from showcase_utils.encoding.clip import load_clip
from showcase_utils.encoding.features import load_sentences, open_features
from showcase_utils.generation.baselines.floors import FLOORS, floor_texts
from showcase_utils.generation.corpus import ShowcaseCorpus, open_corpus
from showcase_utils.generation.dataset import ShowcaseDataset
from showcase_utils.generation.decoding import generate_texts
from showcase_utils.generation.gpt2 import load_tokenizer
from showcase_utils.generation.near_misses import learn_bounds
from showcase_utils.generation.opening import BOUNDS, QUOTES, TONE, read_teller
from showcase_utils.generation.quotes import Quotes, quotable
from showcase_utils.generation.systems import find_system
from showcase_utils.generation.telling import Request, Teller, text_of
from showcase_utils.generation.tone import Tone
from showcase_utils.generation.trained import load_system
from showcase_utils.generation.vlm import vlm_texts
from showcase_utils.parallel import jobs_on, side_by_side
from showcase_utils.recipes import write_json

TEXTS, TOLD = "texts.parquet", "told.parquet"
AT_ONCE = 256  # test reviews that one call tells of: as many on every machine, so that batches are the same
# Each step takes over more of the section ``telling``: title, keys.
LADDER: dict[str, tuple[str, tuple[str, ...]]] = {
    "told_supported": ("Several drafts, what Φ supports", ("system", "samples", "top_p", "support", "same", "repeats")),
    "told_each_photo": ("… beside each photo alone", ("each_photo",)),
    "told_agreed": ("… what the drafts agree on", ("agreement",)),
    "told_retrieved": ("… and quotes of training reviews", ("writers", "quotes_first", "quotes", "stars", "nearness")),
    "told_sure": ("… but no near misses", ("sure",)),
    "told_kind": ("… kind ones, nothing of their writers' own", ("tone", "company")),
    "told_manner": ("… in the user's manner", ("manner", "variety")),
}
PLAIN = {
    "writers": ("greedy", "sample"),
    "each_photo": False,
    "quotes_first": False,
    "sure": False,
    "nearness": 0.0,
    "agreement": 0.0,
    "tone": 0.0,
    "company": True,
    "manner": 0.0,
    "variety": 0.0,
}


def build_texts(context: BuildContext) -> None:
    """Write ``texts.parquet``, ``told.parquet``, and what a teller needs: quotes, their bounds, and the tone."""
    out, settings, corpus = context.out, context.settings, open_corpus(context)
    _prepare_teller(context)
    seeds = [settings.seed + seed for seed in settings.generation.seeds]
    starts = range(0, len(corpus.dataset("test", "chosen")), AT_ONCE)
    told = {out / f".told-{seed}-{start}.parquet": (seed, start) for seed in seeds for start in starts}
    # what the product tells takes longest: begun first, it leaves no core waiting at the end
    telling = [delayed(_tell)(context, corpus, *which, part) for part, which in told.items()]
    write_all_texts(out, context.path("generation"), corpus, settings.device, context.progress, telling)
    parts = [pd.read_parquet(out / TEXTS)]
    if settings.telling.vlm:
        paths = load_images(context, ["image_id", "path"]).set_index("image_id")["path"]
        said = vlm_texts(settings.telling.vlm, corpus, paths, settings.device, context.progress)
        parts += [said.assign(seed=seed) for seed in seeds]
    parts.append(_by_step([pd.read_parquet(part.with_suffix(".texts")) for part in told]))
    _by_step([pd.read_parquet(part) for part in told]).to_parquet(out / TOLD, index=False)
    pd.concat(parts, ignore_index=True).to_parquet(out / TEXTS, index=False)
    for part in told:
        part.unlink()
        part.with_suffix(".texts").unlink()


def write_all_texts(
    out: Path,
    generation: Path,
    corpus: ShowcaseCorpus,
    device: str = "auto",
    progress: bool = True,
    beside: Sequence[Any] = (),
) -> None:
    """Every system of ``corpus.settings.systems`` writes for the test split, greedily as in the paper, on every seed.

    ``generation`` is the folder of the trained systems. ``texts.parquet`` has system, seed, ids, the image_ids shown,
    text and reference. Runs that an interrupted call has finished are kept. On a CPU several write at the same time
    (``settings.jobs``), and with them ``beside``, other calls that joblib has ``delayed``. Raises
    ``FileNotFoundError`` for a system that was not trained.
    """
    names = (*FLOORS, *corpus.settings.systems)
    seeds = [corpus.seed + seed for seed in corpus.settings.seeds]
    runs = {out / f".{name}-{seed}.parquet": (name, seed) for seed in seeds for name in names}
    tasks = [*beside, *(delayed(_write)(part, generation, corpus, *run, device) for part, run in runs.items())]
    jobs = jobs_on(resolve_device(device), corpus.settings.jobs, len(tasks))
    for _ in side_by_side(tasks, jobs, "texts", progress, ordered=False):
        pass
    pd.concat([pd.read_parquet(part) for part in runs], ignore_index=True).to_parquet(out / TEXTS, index=False)
    for part in runs:
        part.unlink()


def _write(part: Path, generation: Path, corpus: ShowcaseCorpus, name: str, seed: int, device: str) -> None:
    """What one system or floor writes for the test split, greedily as in the paper, into the file ``part``."""
    if part.is_file():
        return
    if name in FLOORS:
        texts = floor_texts(name, corpus.dataset("train"), corpus.dataset("test", "chosen"), seed)
    else:
        folder = generation / f"{name}-{seed}"
        model, own = load_system(folder), replace(corpus, tokenizer=load_tokenizer(folder))
        dataset = find_system(name).dataset(own, "test", "chosen", swap=False)
        texts = generate_texts(model, own.tokenizer, dataset, name, seed, device=device, progress=False)
    _save(texts, part)


def _tell(context: BuildContext, corpus: ShowcaseCorpus, seed: int, start: int, part: Path) -> None:
    """What the steps of ``LADDER`` tell, from row ``start`` on: evidence into the file ``part``, texts beside it."""
    if part.is_file():
        return
    alone = context.settings.encoding.model_copy(update={"workers": 0})  # a process of joblib's can start no others
    clip = load_clip(alone, context.settings.device)
    open_features(context).photos.check(clip.fingerprint)
    teller = read_teller(context, context.out, clip.encode_texts, seed)
    steps = [
        (texts.assign(system=name), told.assign(system=name))
        for name, texts, told in tell_all(teller, corpus, seed, slice(start, start + AT_ONCE))
    ]
    texts, told = zip(*steps, strict=True)
    _save(pd.concat(texts, ignore_index=True), part.with_suffix(".texts"))
    _save(pd.concat(told, ignore_index=True), part)


def _by_step(parts: list[pd.DataFrame]) -> pd.DataFrame:
    """The rows of all parts, sorted by seed and step of the ladder, otherwise as they come."""
    steps = {name: number for number, name in enumerate(LADDER)}
    rows = pd.concat(parts, ignore_index=True)
    return rows.iloc[np.lexsort([rows["system"].map(steps), rows["seed"]])].reset_index(drop=True)


def _save(frame: pd.DataFrame, path: Path) -> None:
    half = path.with_suffix(".new")
    frame.to_parquet(half, index=False)
    half.replace(path)


def tell_all(
    teller: Teller, corpus: ShowcaseCorpus, seed: int, rows: slice = slice(None)
) -> Iterator[tuple[str, pd.DataFrame, pd.DataFrame]]:
    """What each step of ``LADDER`` tells for ``rows`` of the test split: its name, texts as in their file, evidence.

    The evidence has a row per sentence: seed, review_id, index, sentence, image_id, confidence, writer.
    """
    dataset = corpus.dataset("test", "chosen")
    pools = teller.offer(requests_of(corpus, dataset)[rows], seed)
    shown = dataset.reviews[["review_id", "user_id", "business_id", "image_ids"]]
    shown = shown.assign(system="", seed=seed, text="", reference=dataset.texts)[rows]
    shown = shown[["system", "seed", "review_id", "user_id", "business_id", "image_ids", "text", "reference"]]
    for name, settings in ladder(teller.settings).items():
        told = [teller.choose(pool, settings) for pool in pools]
        evidence = [
            (seed, row.review_id, index, one.sentence, row.image_ids[one.photo], one.confidence, one.writer)
            for row, sentences in zip(shown.itertuples(), told, strict=True)
            for index, one in enumerate(sentences)
        ]
        columns = ["seed", "review_id", "index", "sentence", "image_id", "confidence", "writer"]
        yield (
            name,
            shown.assign(text=[text_of(sentences) for sentences in told]),
            pd.DataFrame(evidence, columns=columns),
        )


def ladder(settings: Telling) -> dict[str, Telling]:
    """The settings of each step, from the plain way to ``settings`` themselves."""
    step, steps = settings.model_copy(update=PLAIN), {}
    for name, (_, keys) in LADDER.items():
        step = step.model_copy(update={key: getattr(settings, key) for key in keys})
        steps[name] = step
    return steps


def requests_of(corpus: ShowcaseCorpus, dataset: ShowcaseDataset) -> list[Request]:
    """The samples of a dataset as requests: their photos, and what is known of the user."""
    limit = corpus.settings.history
    return [
        Request(
            dataset.photos[index],
            dataset.history[index],
            [corpus.past_texts[past] for past in corpus.history[row.review_id][:limit]],
            row.business_id,
        )
        for index, row in enumerate(dataset.reviews.itertuples())
    ]


def _prepare_teller(context: BuildContext) -> None:
    """Writes the sentences that may be quoted, what tells them from near misses, and the tone of training reviews."""
    s1, sentences, features = load_s1(context), load_sentences(context), open_features(context)
    phi, settings = load_phi(context), context.settings.telling
    rows = quotable(sentences, load_scores(context), s1, phi.threshold, settings.stars)
    rows.to_parquet(context.out / QUOTES)
    quotes = Quotes.gather(rows, features.photos, features.sentences)
    write_json(context.out / BOUNDS, learn_bounds(quotes, settings.quotes, settings.same)._asdict())
    rated = sentences.merge(s1.loc[s1["split"] == "train", ["review_id", "rating"]], on="review_id")
    words = rated["text"].str.lower().tolist()
    Tone.fit(words, rated["rating"], topic_words(words)).save(context.out / TONE)
