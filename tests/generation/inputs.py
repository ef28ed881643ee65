"""A batch of three samples, and texts to write about them."""

import torch
from torch.nn import functional as F

from showcase_utils.generation.gpt2 import IGNORED

DIM = 16
MASKS = {"images": "image_mask", "history": "history_mask"}
TEXTS = ["the ramen was great", "the tacos was cold and the sushi was great", "i loved my pho"]


def make_batch(seed=0, sizes=((2, 3), (1, 4), (3, 0))):
    """Three samples with (photos, reviews); the last has no history."""
    generator = torch.Generator().manual_seed(seed)
    batch = {}
    for position, name in enumerate(("image", "history")):
        longest = max(size[position] for size in sizes)
        mask = torch.arange(longest) < torch.tensor([size[position] for size in sizes]).unsqueeze(1)
        features = F.normalize(torch.randn(len(sizes), longest, DIM, generator=generator), dim=-1)
        batch["images" if name == "image" else name] = features
        batch[f"{name}_mask"] = mask
    return batch


def make_labels(tokenizer, texts, pad_to=0):
    rows = [[*tokenizer(text, add_special_tokens=False)["input_ids"], tokenizer.eos_token_id] for text in texts]
    length = max(pad_to, *(len(row) for row in rows))
    return torch.tensor([row + [IGNORED] * (length - len(row)) for row in rows])
