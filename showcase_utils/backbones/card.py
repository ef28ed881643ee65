"""The model card of the embedded backbones, filled in by the run that trained them."""

from __future__ import annotations

from showcase_utils.backbones.captions import ATTRIBUTES
from showcase_utils.backbones.clip_training import TOWER
from showcase_utils.backbones.recipe import HELD_OUT, City, Recipe
from showcase_utils.demo_world.cameras import AMPLITUDE


def _a_city(city: City) -> str:
    return ", ".join(f"{count} {name}" for name, count in city)


def _attributes(probe: dict[str, float], ceiling: dict[str, float]) -> str:
    rows = [f"| {name} | {probe[name]:.3f} | {ceiling[name]:.3f} |" for name in ATTRIBUTES if name in probe]
    return "\n".join(rows)


def model_card(recipe: Recipe, quality: dict[str, dict], megabytes: float) -> str:
    """The card that ships beside the weights: every figure in it was measured by the runs that made them."""
    c, q, g, p = recipe.clip, quality["clip"], recipe.gpt2, quality["gpt2"]
    t, r = recipe.captioner, quality["captioner"]
    stop = f" --steps {c.max_steps}" if c.max_steps else ""
    strengths = ", ".join(f"{look / AMPLITUDE:.2g}" for look in c.looks)
    return f"""# Embedded backbones

Three small models for the demo world, trained by

    showcase backbones --output FOLDER --seed {c.seed}{stop}

on demo worlds of seeds {c.seed} to {c.seed + HELD_OUT - 1} (the captioner: {", ".join(str(seed) for seed, _ in t.cities)}), measured on the world of seed {c.seed + HELD_OUT}. No
notebook reads a world of these seeds. Other restaurants, users, photos and texts, but the same vocabulary and the
same painter: the models know what things look like there, not who likes what. They are of no use for real photos
or real reviews. Weights are stored in half precision and were measured as stored; together {megabytes:.1f} MB.

| | CLIP | GPT-2 |
|---|---|---|
| format | open_clip `local-dir:` | transformers `from_pretrained` |
| parameters | {q["parameters"]:,} | {p["parameters"]:,} |
| architecture | timm's {TOWER}, {c.pixels} px; text 4 × 128; joint space 256 | 4 layers × 192, 4 heads |
| trained on | photos of {c.cities} worlds ({_a_city(c.city)} each) | reviews of {g.cities} worlds ({_a_city(g.city)} each) |
| vocabulary | byte-level BPE, {c.vocabulary}, lower-cased | byte-level BPE, {g.vocabulary} |
| epochs, batch, learning rate | tower alone {c.sight_epochs}, {c.sight_batch}, {c.sight_lr}; both {c.epochs}, {c.batch}, {c.lr} | {g.epochs}, {g.batch}, {g.lr} |
| minutes, CPU | {q["minutes_painting"]:.0f} painting, {q["minutes_training"]:.0f} of processor time training | {p["minutes"]:.0f} |
| loss, first to last | {q["first_loss"]:.2f} to {q["last_loss"]:.2f} (contrast and terms) | {p["first_loss"]:.2f} to {p["last_loss"]:.2f} |

The CLIP learned from alternative texts made of what a scene shows (a word for the look at times), from the sentences
of reviews about the photo, and from whole reviews. The strengths of the signatures (`world.signature`) in its cities
were {strengths}.

Quality on the held-out world, chance in brackets. The design was chosen with an eye on this world too, so its figures
are a little kind; a scene's caption counts as right for every photo of the scene.

| measure | photo to text | text to photo |
|---|---|---|
| R@1 among 100, full caption (0.01) | {q["caption_image_to_text_r1"]:.3f} | {q["caption_text_to_image_r1"]:.3f} |
| R@1 among 100, a sentence that names what is shown | {q["sentence_image_to_text_r1"]:.3f} | {q["sentence_text_to_image_r1"]:.3f} |
| R@1 among 100, the very sentence of the photo's review (0.01) | {q["sentence_strict_image_to_text_r1"]:.3f} | {q["sentence_strict_text_to_image_r1"]:.3f} |

Perplexity of the GPT-2 per token, 2,000 reviews: {p["perplexity"]:.2f} ({g.vocabulary} by chance). Encoding: {q["speed_ratio"]:.2f} times the photos
per second of the first embedded CLIP's tower (ViT 64 px, patch 8, 4 × 192), both measured in one run.

What the features hold: linear probes on the features of photos, fitted on one training city, tested on the held-out
one, beside a ceiling: the same tower trained on the attributes of the training photos and on nothing else. Accuracy;
for toppings F1 over all of them.

| attribute | probe | ceiling |
|---|---|---|
{_attributes(q["probe"], q["ceiling"])}

The **captioner** is what generators may start from (`generation.pretrained`), as CLIP and GPT-2 are pre-trained: the
system *Ours (CE)* around the GPT-2 above, {t.layers} encoder layers, {r["parameters"]:,} parameters with the GPT-2's. It was trained
for {t.epochs} epochs (batch {t.batch}, learning rate {t.lr}, {r["minutes"]:.0f} minutes) on {r["samples"]:,} sets of photos of the worlds of seeds
{", ".join(str(seed) for seed, _ in t.cities)} ({_a_city(t.city)} each), which the CLIP has never seen, with what their reviews say of
them: a review's own photos, one photo alone, and photos of several visits of a user; {t.blind:.0%} without photos,
{t.stranger:.0%} without history. On the held-out world: {r["cross_entropy"]:.3f} nats per token; of the dishes, drinks and desserts that
greedy texts name, {r["right"]:.0%} are shown; of those shown, {r["recall"]:.0%} are named.
"""  # noqa: E501 (rows of a table)
