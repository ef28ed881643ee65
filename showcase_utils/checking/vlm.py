"""What a vision-language model needs of the machine, from its config alone and one matrix product."""

from __future__ import annotations

import time

from showcase_utils.config import Settings
from showcase_utils.terminal import counted

SIDE = 1024  # of the matrices whose product tells how fast the device is
PHOTO_TOKENS = 256  # where a config does not say what a photo comes to
WORDS = 400  # tokens of history, question and answer together, roughly


def vlm_needs(settings: Settings) -> list[str]:
    """A line for the model that is asked (``telling.vlm``) and one for that which is trained (``generation.vlm``).

    Memory is that of the weights in float32 and as much again to train adapters of them; seconds are a bound from
    below, 2 operations per weight and token to read and 4 more to learn, at the speed of a matrix product.
    """
    generation = settings.generation
    return [
        _needs(key, name, 6 if trains else 2, 2 if trains else 1, generation.max_images, settings.device)
        for key, name, trains in (
            ("telling.vlm", settings.telling.vlm, False),
            ("generation.vlm, LoRA", generation.vlm if "vlm_lora" in generation.systems else None, True),
        )
        if name
    ]


def _needs(key: str, name: str, operations: int, copies: int, photos: int, device: str) -> str:
    import torch
    from transformers import AutoConfig, AutoModelForImageTextToText

    from showcase_utils.devices import resolve_device

    try:
        config = AutoConfig.from_pretrained(name, trust_remote_code=False, local_files_only=True)
    except OSError:
        return f"{key}: memory and time are known when {name} is here"
    with torch.device("meta"):
        network = AutoModelForImageTextToText.from_config(config)
    weights = sum(weight.numel() for weight in network.parameters())
    tokens = photos * getattr(config, "image_seq_length", PHOTO_TOKENS) + WORDS
    seconds = operations * weights * tokens / _speed(resolve_device(device))
    each = "sample and epoch" if copies > 1 else "sample"
    return (
        f"{key}: {weights / 1e6:,.0f} million weights, memory roughly {copies * 4 * weights / 1e9:.1f} GB; at least "
        f"{seconds:.2g} s per {each} on this {resolve_device(device).type}, with {counted(photos, 'photo')}"
    )


def _speed(device: object) -> float:
    """Operations per second of the best of five matrix products."""
    import torch

    matrix, best = torch.rand(SIDE, SIDE, device=device), float("inf")
    for _ in range(5):
        started = time.perf_counter()
        (matrix @ matrix)[0, 0].item()  # waits for a GPU
        best = min(best, time.perf_counter() - started)
    return 2 * SIDE**3 / best
