"""The model card of a saved generator: what it is, how it is used, and what is not known of it here."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from huggingface_hub import ModelCardData

from showcase_utils.generation.shapes import ShowcaseConfig

SHAPES = ("modalities", "feature_dim", "encoder_layers", "prefix", "lora_rank", "contrast_visual", "contrast_history")


def generator_card(config: ShowcaseConfig) -> str:
    """Markdown with the metadata that model hubs read. Data, seed and metrics are in the card of the run's bundle."""
    decoder: Any = config.decoder
    data = ModelCardData(
        license="other",
        library_name="transformers",
        pipeline_tag="image-to-text",
        tags=["showcase", "recommendation", "explanation", "personalization"],
    )
    shapes = "\n".join(f"| `{name}` | {getattr(config, name)} |" for name in SHAPES)
    return f"""---
{data.to_yaml()}
---

# A generator of showcases

It writes why a place suits a user, from CLIP features of the place's photos and of what the user wrote before, after
Yan et al., *Personalized Showcases* (SIGIR 2023): an encoder of both modalities, and a `{decoder.model_type}` of \
{decoder.num_hidden_layers} layers and width {decoder.hidden_size}, `{decoder.name_or_path}`, as decoder.

```python
import showcase_utils  # makes the classes known; no code of this folder is run
from transformers import AutoModel, AutoProcessor

model = AutoModel.from_pretrained("path/to/this/folder").eval()
processor = AutoProcessor.from_pretrained("path/to/this/folder")  # where a ShowcaseProcessor was saved beside it
inputs = processor(photos=["1.jpg", "2.jpg"], texts=["Great ramen."])
processor.batch_decode(model.generate(**inputs), skip_special_tokens=True)
```

Without `showcase_utils` transformers reads the tokenizer alone: the model's classes are not its own.

## Settings

| shape | value |
| --- | --- |
{shapes}

## Data, seed and metrics

They belong to the run that trained it: `training.json` beside it where a run left it, and the card of the folder that
`Showcases.save` or `showcase export` writes.

## Licence

The software comes under the MIT licence; the weights under that of the data that they were trained on.

## Limits

It imitates the reviews that it was trained on, and names what no photo shows. Its words want a check against the
photos, as `showcase_utils` makes it with Φ. It reads the features of one CLIP and of no other.

Made with personalized-showcases {version("personalized-showcases")}.
"""
