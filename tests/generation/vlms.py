"""Tiny random vision-language models, saved as real ones are, and photos for them."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from transformers import (
    AutoTokenizer,
    CLIPImageProcessor,
    CLIPVisionConfig,
    Idefics3Config,
    Idefics3ForConditionalGeneration,
    Idefics3ImageProcessor,
    Idefics3Processor,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2_5_VLProcessor,
    Qwen2VLImageProcessor,
    Qwen2VLVideoProcessor,
    set_seed,
)

TEMPLATE = (
    "{% for message in messages %}{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<image>{% else %}{{ part['text'] }}{% endif %}{% endfor %}{% endfor %}"
)
SIZES = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}


def save_llava(folder: Path, decoder: Path) -> Path:
    """With the tokenizer of ``decoder``, and four places per photo."""
    tokenizer = _tokenizer(decoder, "<image>")
    set_seed(0)
    config = LlavaConfig(
        vision_config=CLIPVisionConfig(**SIZES, image_size=32, patch_size=16, projection_dim=32),
        text_config=LlamaConfig(**SIZES, vocab_size=len(tokenizer), max_position_embeddings=4096, eos_token_id=2),
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


def save_idefics3(folder: Path, decoder: Path) -> Path:
    """The format of SmolVLM: photos of a batch lie in a tensor of their own, padded with black ones."""
    tokenizer = _tokenizer(decoder, "<fake_token_around_image>", "<image>", "<global-img>", "<end_of_utterance>")
    set_seed(0)
    config = Idefics3Config(
        text_config=LlamaConfig(
            **SIZES, vocab_size=len(tokenizer), max_position_embeddings=4096, eos_token_id=2, pad_token_id=0
        ),
        vision_config=SIZES | {"image_size": 32, "patch_size": 8},
        scale_factor=2,
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        pad_token_id=0,
    )
    pictures = Idefics3ImageProcessor(
        size={"longest_edge": 64}, max_image_size={"longest_edge": 32}, do_image_splitting=False
    )
    Idefics3ForConditionalGeneration(config).save_pretrained(folder)
    Idefics3Processor(pictures, tokenizer, image_seq_len=4, chat_template=TEMPLATE).save_pretrained(folder)
    return folder


def save_qwen(folder: Path, decoder: Path) -> Path:
    """The format of Qwen2.5-VL: patches of all photos in one row, and a kind for each token."""
    marks = ["<|vision_start|>", "<|image_pad|>", "<|vision_end|>", "<|video_pad|>"]
    tokenizer = _tokenizer(decoder, *marks)
    start, image, end, video = tokenizer.convert_tokens_to_ids(marks)
    set_seed(0)
    text = SIZES | {"num_key_value_heads": 2, "max_position_embeddings": 4096, "bos_token_id": 1, "eos_token_id": 2}
    rope = {"type": "mrope", "mrope_section": [2, 3, 3]}
    vision = {"depth": 2, "hidden_size": 32, "intermediate_size": 64, "num_heads": 2, "out_hidden_size": 32}
    config = Qwen2_5_VLConfig(
        text_config=text | {"vocab_size": len(tokenizer), "rope_scaling": rope},
        vision_config=vision | {"fullatt_block_indexes": [1], "window_size": 56},
        image_token_id=image,
        video_token_id=video,
        vision_start_token_id=start,
        vision_end_token_id=end,
    )
    pictures = Qwen2VLImageProcessor(min_pixels=28 * 28 * 4, max_pixels=28 * 28 * 4)
    template = TEMPLATE.replace("<image>", "".join(marks[:3]))
    Qwen2_5_VLForConditionalGeneration(config).save_pretrained(folder)
    Qwen2_5_VLProcessor(pictures, tokenizer, Qwen2VLVideoProcessor(), chat_template=template).save_pretrained(folder)
    return folder


def _tokenizer(decoder: Path, *special: str):
    tokenizer = AutoTokenizer.from_pretrained(decoder)
    tokenizer.add_tokens(list(special), special_tokens=True)
    tokenizer.model_max_length = 4096
    return tokenizer


def save_photos(folder: Path, corpus, seed: int) -> dict[str, str]:
    """A file of noise for every photo of the corpus, by id."""
    folder.mkdir(exist_ok=True)
    rng, paths = np.random.default_rng(seed), {}
    for image in sorted(corpus.photos.rows):
        paths[image] = str(folder / f"{image}.png")
        Image.fromarray(rng.integers(0, 255, (40, 48, 3), dtype=np.uint8)).save(paths[image])
    return paths
