"""A vision-language model that nobody has trained for us: photos as pixels, the user's past reviews as words.

Any model of ``AutoModelForImageTextToText`` whose processor has a chat template, by a hub's name or as a folder. It
gets what our systems get, the chosen photos and the user's history, but in its own language: a question in words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from PIL import Image
from transformers import AutoModelForImageTextToText, BatchFeature, ProcessorMixin

from showcase_utils.devices import resolve_device
from showcase_utils.encoding.batches import open_photo
from showcase_utils.generation.corpus import ShowcaseCorpus
from showcase_utils.generation.gpt2 import quietly
from showcase_utils.progress import progress_bar
from showcase_utils.weights import check_finite

PIXELS = 512  # photos many times larger are decoded smaller; the model's processor resizes them anyway
QUESTION = (
    "These are photos of a place. Write what this user would say about what they show, as a short review of one or two "
    "sentences, and nothing else."
)


def system_name(model: str) -> str:
    """The name of its texts: ``vlm:`` and the model's own."""
    return f"vlm:{Path(model).name}"


def conversation(photos: Sequence[Image.Image], past: Sequence[str]) -> list[dict[str, Any]]:
    """One turn of a chat in the form that chat templates read: photos, past reviews where there are any, question."""
    words = QUESTION
    if past:
        reviews = "\n".join(f"- {text}" for text in past)
        words = f"Earlier reviews of a user:\n{reviews}\n\n{QUESTION}"
    content: list[dict[str, Any]] = [{"type": "image", "image": photo} for photo in photos]
    return [{"role": "user", "content": [*content, {"type": "text", "text": words}]}]


def load_processor(model: str) -> ProcessorMixin:
    """Raises ``ValueError`` for a model without a chat template, ``OSError`` when there is none."""
    from transformers import AutoProcessor  # what reads pixels, and other systems do not

    with quietly():
        processor = AutoProcessor.from_pretrained(model, trust_remote_code=False)
    if not getattr(processor, "chat_template", None):
        raise ValueError(
            f"'{model}' has no chat template, so nobody knows how to ask it: give one tuned for instructions"
        )
    return processor


def questions(processor: ProcessorMixin, asked: Sequence[tuple[Sequence[str], Sequence[str]]]) -> BatchFeature:
    """Files of photos and past reviews as one batch of questions, padded in front, up to where the answer begins."""
    turns = [
        conversation([open_photo(Path(file), PIXELS).convert("RGB") for file in files], past) for files, past in asked
    ]
    return processor.apply_chat_template(
        turns,
        add_generation_prompt=True,
        tokenize=True,
        return_dict=True,
        return_tensors="pt",
        processor_kwargs={"padding": True, "padding_side": "left"},
    )


@torch.inference_mode()
def vlm_texts(
    model: str, corpus: ShowcaseCorpus, paths: Mapping[str, str], device: str = "auto", progress: bool = True
) -> pd.DataFrame:
    """What the model says, greedily, beside the chosen photos of the test split; rows as ``generate_texts`` gives.

    ``paths`` are the files of the photos by id. Weights keep the precision they are saved in. Texts are lower case, as
    all others are. Raises ``ValueError`` for a model without a chat template, ``OSError`` when there is none.
    """
    settings, dataset = corpus.settings, corpus.dataset("test", "chosen")
    processor = load_processor(model)
    with quietly():
        network = AutoModelForImageTextToText.from_pretrained(model, trust_remote_code=False)
    check_finite(network, f"the vision-language model '{model}'")
    network = network.to(resolve_device(device)).eval()
    texts = []
    rows = dataset.reviews.itertuples()
    for row in progress_bar(rows, desc=system_name(model), total=len(dataset), disable=not progress):
        past = [corpus.past_texts[review] for review in corpus.history[row.review_id][: settings.history]]
        inputs = questions(processor, [([paths[image] for image in row.image_ids], past)])
        inputs = inputs.to(network.device, network.dtype)
        with quietly():
            said = network.generate(**inputs, max_new_tokens=settings.max_tokens, do_sample=False)
        words = processor.decode(said[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
        texts.append(" ".join(words.lower().split()))
    shown = dataset.reviews[["review_id", "user_id", "business_id", "image_ids"]]
    seed = corpus.seed + settings.seeds[0]
    return shown.assign(system=system_name(model), seed=seed, text=texts, reference=dataset.texts)[
        ["system", "seed", "review_id", "user_id", "business_id", "image_ids", "text", "reference"]
    ]
