"""The model card of the embedded backbones, filled in by the run that trained them."""

from __future__ import annotations

from showcase_utils.backbones.recipe import Recipe


def model_card(recipe: Recipe, quality: dict[str, float]) -> str:
    """The card that ships beside the weights: every figure in it was measured by this run."""
    last = recipe.seed + recipe.cities + recipe.more_texts
    q = quality
    city = ", ".join(f"{count} {name}" for name, count in recipe.city)
    stop = f" --steps {recipe.max_steps}" if recipe.max_steps else ""
    return f"""# Embedded backbones

Two small models for the demo world, trained by

    showcase backbones --output FOLDER --seed {recipe.seed}{stop}

on demo worlds of seeds {recipe.seed} to {last - 1} ({city} each), measured on the world of seed {last}.
No notebook reads a world of these seeds. Other restaurants, users, photos and texts, but the same vocabulary and the
same painter: the models know what things look like there, not who likes what. They are of no use for real photos
or real reviews. Weights are stored in half precision and were measured as stored; together {q["megabytes"]:.1f} MB.

| | CLIP | GPT-2 |
|---|---|---|
| format | open_clip `local-dir:` | transformers `from_pretrained` |
| parameters | {q["clip_parameters"]:,} | {q["gpt2_parameters"]:,} |
| architecture | ViT 64 px, patch 8, 4 × 192; text 4 × 128; joint space 128 | 4 layers × 192, 4 heads |
| trained on | photos of {recipe.cities} worlds with a describing sentence | reviews of {recipe.cities + recipe.more_texts} worlds |
| vocabulary | byte-level BPE, {recipe.vocabulary}, lower-cased | byte-level BPE, {recipe.vocabulary} |
| epochs, batch, learning rate | {recipe.clip_epochs}, {recipe.clip_batch}, {recipe.clip_lr} | {recipe.gpt2_epochs}, {recipe.gpt2_batch}, {recipe.gpt2_lr} |
| minutes, CPU (painting on two cores, training on one thread) | {q["clip_minutes"]:.0f}, painting included | {q["gpt2_minutes"]:.0f} |
| loss, first to last | {q["clip_first_loss"]:.2f} to {q["clip_last_loss"]:.2f} | {q["gpt2_first_loss"]:.2f} to {q["gpt2_last_loss"]:.2f} |

Quality on the held-out world:

| measure | value | chance |
|---|---|---|
| photo to sentence, R@1 among 100 ({q["retrieval_pairs"]:.0f} pairs) | {q["image_to_text_r1"]:.3f} | 0.010 |
| sentence to photo, R@1 among 100 | {q["text_to_image_r1"]:.3f} | 0.010 |
| perplexity per token, 2,000 reviews | {q["gpt2_perplexity"]:.2f} | {recipe.vocabulary} |
"""  # noqa: E501 (rows of a table)
