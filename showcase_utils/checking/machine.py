"""What a run needs of the machine: models, libraries, memory, disk, device."""

from __future__ import annotations

import importlib.util
import os
import shutil
from pathlib import Path

from showcase_utils.checking.findings import Check, Level
from showcase_utils.checking.vlm import vlm_needs
from showcase_utils.config import Settings

HUB_FILES = ("model.safetensors", "open_clip_model.safetensors", "pytorch_model.bin", "open_clip_pytorch_model.bin")
LIBRARIES = {  # what an extra brings: from which notebook on it is needed
    "papermill nbformat ipykernel matplotlib seaborn": ("notebooks", "01"),
    "nltk": ("metrics", "02"),
    "sacrebleu bert_score": ("metrics", "05"),
}


def check_models(check: Check, settings: Settings) -> None:
    """Weights that are not where a run will look for them."""
    for key, name, notebook in (
        ("generation.decoder", settings.generation.decoder, "04"),
        ("generation.pretrained", settings.generation.pretrained, "04"),
        ("generation.vlm", settings.generation.vlm, "04"),
        ("telling.vlm", settings.telling.vlm, "05"),
        ("evaluation.bertscore_model", settings.evaluation.bertscore_model, "05"),
        ("evaluation.nli", settings.evaluation.nli, "05"),
    ):
        if name and name != "embedded" and (problem := _missing_weights(name)):
            check.add(problem[0], notebook, f"{key}: {problem[1]}")
    model, tag = settings.encoding.model, settings.encoding.pretrained
    if model.startswith("hf-hub:"):
        problem = _missing_weights(model.removeprefix("hf-hub:"))
    elif model.startswith("local-dir:"):
        there = Path(model.removeprefix("local-dir:"), "open_clip_config.json").is_file()
        problem = None if there else ("stops", f"no open_clip_config.json in {model.removeprefix('local-dir:')}")
    else:
        problem = None if model == "embedded" else _missing_clip(model, tag)
    if problem:
        check.add(problem[0], "02", f"encoding.model: {problem[1]}")
    if settings.generation.entities == "spacy" and not (
        Path(settings.generation.spacy_model).is_dir() or importlib.util.find_spec(settings.generation.spacy_model)
    ):
        name = settings.generation.spacy_model
        check.add("stops", "04", f"generation.spacy_model: {name} is not installed: python -m spacy download {name}")


def _missing_weights(name: str) -> tuple[Level, str] | None:
    """What is wrong with a model of transformers, by the name of a hub or as a folder; ``None``: nothing."""
    if Path(name).is_dir():
        there = Path(name, "config.json").is_file() and any(Path(name).glob("*.safetensors"))
        return None if there else ("stops", f"no config.json with *.safetensors in the folder {name}")
    if Path(name).is_absolute():
        return None if name.endswith(".gguf") and Path(name).is_file() else ("stops", f"{name} is not there")
    from huggingface_hub import try_to_load_from_cache

    if any(isinstance(try_to_load_from_cache(name, file), str) for file in HUB_FILES):
        return None
    if os.environ.get("HF_HUB_OFFLINE", "").lower() in {"1", "true", "yes", "on"}:
        return (
            "stops",
            f"{name} is not in the cache, and HF_HUB_OFFLINE forbids to fetch it: give a folder, or unset it",
        )
    return "note", f"{name} is not in the cache yet and will be fetched from the hub"


def _missing_clip(model: str, tag: str | None) -> tuple[Level, str] | None:
    import open_clip  # seconds, which only a model given by name costs

    if tag and Path(tag).is_file():
        return None
    name = model.replace("/", "-")
    if name not in open_clip.list_models():
        return "stops", f"{model} is no model of open_clip"
    known = open_clip.pretrained.get_pretrained_cfg(name, tag) if tag else None
    if not known:
        tags = ", ".join(open_clip.pretrained.list_pretrained_tags_by_model(name))
        return "stops", f"encoding.pretrained={tag} is no weights of {model}: a file, or one of {tags}"
    return _missing_weights(known["hf_hub"].rstrip("/")) if known.get("hf_hub") else None


def check_libraries(check: Check, settings: Settings) -> None:
    """Libraries of extras that are not installed."""
    wanted = dict(LIBRARIES)
    if settings.generation.entities == "spacy":
        wanted["spacy"] = ("metrics", "04")
    if settings.encoding.engine == "ray":
        wanted["ray"] = ("scale", "02")
    if settings.generation.lora_rank or "vlm_lora" in settings.generation.systems:
        wanted["peft"] = ("lora", "04")
    if settings.generation.decoder.endswith(".gguf"):
        wanted["gguf"] = ("gguf", "04")
    for names, (extra, notebook) in wanted.items():
        if missing := [name for name in names.split() if importlib.util.find_spec(name) is None]:
            how = f"pip install 'personalized-showcases[{extra}]'"
            check.add("stops", notebook, f"{', '.join(missing)} not installed: {how}")


def check_machine(check: Check, settings: Settings, root: Path, rows: int, photos: int) -> None:
    """Memory, disk and device; the needs are rough, from what runs of other sizes took."""
    from showcase_utils.devices import resolve_device

    small = settings.generation.decoder == "embedded"
    systems = len(settings.generation.systems) * len(settings.generation.seeds)
    width = 2 if settings.encoding.dtype == "float16" else 4
    vectors = (photos + 5 * rows) * 512 * width  # photos, reviews, about four sentences a review
    disk = vectors + 1500 * rows + systems * (30e6 if small else 1.0e9)
    memory = 1.5e9 + 2000 * rows + vectors + (0 if small else 6e9)
    free = shutil.disk_usage(next(parent for parent in (root, *root.parents) if parent.exists())).free
    installed = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    check.needs.append(f"disk, roughly {disk / 1e9:.1f} GB; {free / 1e9:.0f} GB are free under {root}")
    check.needs.append(f"memory, roughly {memory / 1e9:.1f} GB; this machine has {installed / 1e9:.0f} GB")
    if disk > free:
        check.add("stops", "02", f"not enough disk under {root}: --artifacts names another place")
    if memory > installed:
        check.add("limits", "02", "not enough memory, by a rough count: other programs may have to go")
    try:
        device = resolve_device(settings.device)
    except ValueError as error:
        check.add("stops", "02", str(error))
        return
    check.needs.append(f"device {device}")
    check.needs += vlm_needs(settings)
    if device.type == "cpu" and not small:
        check.add(
            "limits", "04", "no GPU: models of this size train for days on a CPU (`--backbones embedded` is small)"
        )
