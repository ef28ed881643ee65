"""A tiny random LLaVA, saved as real ones are, and photos for it."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from transformers import (
    AutoTokenizer,
    CLIPImageProcessor,
    CLIPVisionConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    set_seed,
)

TEMPLATE = (
    "{% for message in messages %}{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<image>{% else %}{{ part['text'] }}{% endif %}{% endfor %}{% endfor %}"
)


def save_llava(folder: Path, decoder: Path) -> Path:
    """With the tokenizer of ``decoder``, and four places per photo."""
    tokenizer = AutoTokenizer.from_pretrained(decoder)
    tokenizer.add_tokens(["<image>"], special_tokens=True)
    tokenizer.model_max_length = 4096
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    set_seed(0)
    config = LlavaConfig(
        vision_config=CLIPVisionConfig(**sizes, image_size=32, patch_size=16, projection_dim=32),
        text_config=LlamaConfig(**sizes, vocab_size=len(tokenizer), max_position_embeddings=4096, eos_token_id=2),
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        image_seq_length=4,
    )
    model = LlavaForConditionalGeneration(config)
    for weight in model.parameters():
        if weight.ndim == 2:
            torch.nn.init.normal_(weight, std=0.2)
    model.save_pretrained(folder)
    pictures = CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    processor = LlavaProcessor(
        pictures,
        tokenizer,
        patch_size=16,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=TEMPLATE,
    )
    processor.save_pretrained(folder)
    return folder


def save_photos(folder: Path, corpus, seed: int) -> dict[str, str]:
    """A file of noise for every photo of the corpus, by id."""
    folder.mkdir(exist_ok=True)
    rng, paths = np.random.default_rng(seed), {}
    for image in sorted(corpus.photos.rows):
        paths[image] = str(folder / f"{image}.png")
        Image.fromarray(rng.integers(0, 255, (40, 48, 3), dtype=np.uint8)).save(paths[image])
    return paths
