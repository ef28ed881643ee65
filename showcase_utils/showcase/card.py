"""The model card of a saved run: what it was made from, how it was measured, and what it is not for."""

from __future__ import annotations

import pandas as pd
from huggingface_hub import ModelCardData

from showcase_utils import __version__
from showcase_utils.artifacts import Stages, StaleStage
from showcase_utils.claims.report import effect

TOLD = "told_manner"  # the last step of the texts' ladder: what the product tells
TEXT_METRICS = ("BLEU-4", "METEOR", "Distinct-2", "CLIP-Align", "CLIP-Score", "Right", "Dish recall", "True alignment")
SETTINGS = (
    *("encoding.model", "encoding.pretrained", "alignment.hidden", "selection.shown_method"),
    *("selection.k", "selection.history", "generation.decoder", "generation.pretrained", "generation.epochs"),
    *("generation.lr", "telling.writers", "telling.tone", "telling.quotes"),
)


def bundle_card(stages: Stages, reviews: pd.DataFrame, photos: int, method: str, system: str, licence: str) -> str:
    """Markdown with the metadata that model hubs read.

    ``reviews`` are GEST-s1, ``photos`` their number; ``method`` chooses and ``system`` writes. Metrics are those of the
    run's evaluation, where it has a fresh one. ``licence`` is that of the data, as hubs abbreviate it.
    """
    settings = stages.settings
    demo = settings.data.source == "demo"
    data = ModelCardData(
        license=licence or ("mit" if demo else "other"),
        library_name="personalized-showcases",
        pipeline_tag="image-to-text",
        language="en",
        tags=["recommendation", "explanation", "personalization", "dpp", "clip", "gpt2"],
    )
    splits = ", ".join(f"{number:,} {name}" for name, number in reviews["split"].value_counts().items())
    known = "the demo world, a made-up city that grows from a seed" if demo else "reviews and photos of its maker"
    owed = (
        "The data are made up and come under the licence of the software, MIT."
        if demo
        else "The licence of the data is not MIT's, under which the software comes: ask whoever gave you this folder."
    )
    chosen = "\n".join(f"| `{key}` | {_plain(settings.section(key))} |" for key in SETTINGS)
    return f"""---
{data.to_yaml()}
---

# Showcases of the run `{settings.profile}`

Photos and a text that say why a place suits a user, after Yan et al., *Personalized Showcases* (SIGIR 2023).

```python
from showcase_utils import Showcases

showcases = Showcases.load("path/to/this/folder")
user, place = showcases.library.test_visits(1)[0]
showcases.explain(user, place)
```

## Data

{len(reviews):,} reviews ({splits}) of {reviews["user_id"].nunique():,} users and {reviews["business_id"].nunique():,} \
places, {photos:,} photos: {known}.

## Settings

`settings.json` has all of them; seed {settings.seed}. `{method}` chooses photos, `{system or "quotes alone"}` writes.

| setting | value |
| --- | --- |
{chosen}

## Metrics

{_metrics(stages, method)}

## Licence

{f"The data: {licence}. " if licence else ""}{owed}

## Limits

- Texts quote and imitate the reviews of the training data. What those do not show or say is not told, and what they get
  wrong may be repeated.
- Photos and sentences are chosen for a user by what that user photographed and wrote. Whoever reads a showcase learns
  something of it: the folder holds reviews and photos of people, and goes to those who may see them.
- {
        "The city is made up: nothing here says anything about real restaurants, real users or the paper's data set. "
        if demo
        else ""
    }Scores compare systems on these data; they do not carry over to others.

Made with personalized-showcases {__version__}.
"""


def _metrics(stages: Stages, method: str) -> str:
    try:
        folder = stages.path("evaluation")
    except StaleStage:
        return "Not evaluated: notebook 05 had not run on this run, or not since it was changed."
    k = stages.settings.selection.k
    level = f"{stages.settings.evaluation.confidence:.0%}"
    rows = [f"| metric | value [{level}] | variant |", "| --- | --- | --- |"]
    found = pd.read_csv(folder / "metrics.csv").query("system == @TOLD").set_index("metric")
    for name in (name for name in TEXT_METRICS if name in found.index):
        row = found.loc[name]
        rows.append(f"| {name} | {effect(row['value'], row['low'], row['high'])} | {row['variant']} |")
    step = pd.read_csv(folder / "step_one.csv").query("method == @method")
    for row in step.to_dict("records")[:1]:
        for key, name in (("f1", f"F1@{k}"), ("diversity", f"Div@{k}"), ("auc", "AUC")):
            value = effect(row[key], row[f"{key}_low"], row[f"{key}_high"])
            rows.append(f"| {name} | {value} | of the photos; {row['samples']} samples, profile {row['profile']} |")
    said = (
        f"On the test split, intervals over users. Photos are chosen for all its reviews; texts, `{TOLD}`, stand "
        "beside those of them that keep a sentence about a photo.\n"
    )
    return "\n".join([said, *rows])


def _plain(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
