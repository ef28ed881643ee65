"""One frozen, validated settings object per run, read from a profile and overrides.

A profile is a YAML file: one of ``showcase_utils/profiles`` by name, or any file by path. It may start from
another profile with ``extends: NAME`` and say only what differs. Overrides are dotted keys, ``selection.k=5``.
An unknown or mistyped key is an error that names it; nothing is ignored.
"""

from __future__ import annotations

import difflib
import json
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from showcase_utils.sources import table_names

PROFILES = Path(__file__).parent / "profiles"
OWN_KEYS = {"profile", "source"}  # of ``Settings`` that are told by the profile's file alone
_PARTS = re.compile(r"""(?:"(?:\\.|[^"\\])*"|'[^']*'|[^;])+""")  # between semicolons

Probability = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[int, Field(gt=0)]
PositiveFloat = Annotated[float, Field(gt=0)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]
Seeds = Annotated[tuple[Seed, ...], Field(min_length=1)]


@dataclass(frozen=True)
class Speed:
    """Marks a setting that changes how fast a stage is made, never what is in it."""


@dataclass(frozen=True)
class Input:
    """Marks a setting that names a file or folder which no stage made: told apart by size and time of change."""


@dataclass(frozen=True)
class Weights:
    """Marks a setting that names a model: ``embedded`` (the folder of ours), a name of a hub, a file or a folder."""

    embedded: str = ""


@dataclass(frozen=True)
class Added:
    """Marks a setting that came later: as ``before`` it changes nothing of what was made without it."""

    before: Any


class SettingsError(ValueError):
    """A profile or an override that cannot be used; the message names the key and the way out."""


class Section(BaseModel):
    """A frozen group of settings; what it does not know is an error."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_default=True, protected_namespaces=(), allow_inf_nan=False
    )


class World(Section):
    """The demo world: a made-up city, grown from a seed."""

    seed: Seed = 1
    restaurants: Positive = 160
    users: Positive = 2500
    reviews: Positive = 8000
    photos: Positive = 12000
    annotated_reviews: Positive = 1000
    dead_share: Probability = 0.08
    signature: Annotated[float, Field(ge=0)] = Field(
        1.0, description="how much of its maker a photo shows: 0 nothing, 1 as on real review sites (calibrated)"
    )


class Data(Section):
    """Where the published files lie and how they are filtered (paper, section 3)."""

    source: Literal["demo", "files"] = Field("demo", description="the demo world, or the published files named here")
    reviews: Annotated[Path | None, Input()] = Field(
        None, description="image_review_all.json, or filter_all_t.json; .gz too"
    )
    images: Annotated[Path | None, Input()] = Field(None, description="folder with {image_id}.jpg")
    annotations: Annotated[Path | None, Input()] = Field(
        None, description="CSV: review_id, sentence, image_id, annotator, label"
    )
    min_reviews_per_user: Positive = 2
    split: tuple[PositiveFloat, PositiveFloat, PositiveFloat] = (0.8, 0.1, 0.1)


class Encoding(Section):
    """The CLIP that encodes photos and texts (paper, section 4)."""

    model: Annotated[str, Weights("clip")] = Field(
        "embedded", description="embedded, an open_clip name, hf-hub:…, or local-dir:FOLDER"
    )
    pretrained: Annotated[str | None, Weights()] = Field(
        None, description="open_clip pretrained tag, for models given by name"
    )
    batch_size: Positive = 128
    workers: Annotated[int, Field(ge=0), Speed()] = 2
    dtype: Literal["float16", "float32"] = "float16"
    long_text: Literal["truncate", "mean_of_sentences"] = "truncate"
    shard_rows: Positive = 4096
    engine: Annotated[Literal["local", "ray"], Speed()] = Field(
        "local", description="this machine, or a Ray cluster: extra `scale`"
    )
    actors: Annotated[int, Field(ge=0), Speed()] = Field(
        0, description="of engine ray; 0: one per GPU, or per node without"
    )
    compile: bool = Field(False, description="torch.compile; wants a C++ compiler; changes last bits")


class Alignment(Section):
    """The classifier Φ that says whether a sentence describes a photo (paper, section 3)."""

    hidden: Annotated[int, Field(ge=0)] = Field(0, description="0: one fully connected layer; else a hidden layer")
    lr: PositiveFloat = 1e-3
    weight_decay: Annotated[float, Field(ge=0)] = 1e-4
    batch_size: Positive = 256
    epochs: Positive = 60
    patience: Positive = 8
    pretrained: Annotated[Path | None, Weights()] = Field(
        None, description="folder of a trained Φ; then no annotations are needed"
    )


class Selection(Section):
    """Personalized image selection by a determinantal point process (paper, section 4.1)."""

    k: Positive = 3
    methods: tuple[str, ...] = Field(
        (
            "random", "k_medoids", "top_k_cosine", "mmr_cosine", "dpp_cosine", "bpr", "top_k_learned", "mmr_learned",
            "dpp", "metric", "metric_dpp", "oracle",
        ),
        min_length=1,
        description="rows of the tables: names in selection/methods.py, or module:NAME of your own",
    )  # fmt: skip
    profiles: tuple[Literal["img", "text", "img+text"], ...] = Field(("img", "text", "img+text"), min_length=1)
    seeds: Seeds = (0,)
    lr: PositiveFloat = 1e-3
    kernel_lr: PositiveFloat | None = Field(None, description="of α, σ and the scalar b; none: that of the towers")
    batch_size: Positive = 512
    epochs: Positive = 30
    patience: Positive = 5
    jobs: Annotated[int, Field(ge=0), Speed()] = Field(
        0, description="models that train at once on a CPU; 0: one per core"
    )
    alpha: Annotated[float, Field(gt=0, le=1)] = 0.9
    sigma: PositiveFloat = 0.5
    learn_kernel: bool = Field(True, description="learn α and σ with the towers")
    metric_lr: PositiveFloat = Field(0.03, description="of our metric's few weights, α and σ among them")
    metric_epochs: Annotated[int, Field(ge=0)] = Field(2, description="of our metric; 0 keeps its closed form")
    history: Positive = Field(10, description="history reviews and photos that enter the profile")
    training_candidates: Annotated[Positive | None, Added(None)] = Field(
        None, description="photos that a pool has in training at most, of others' some drawn by the seed; none: all"
    )
    shown_method: str = Field("dpp", description="whose photos are written about and shown, one of the methods")
    shown_profile: Literal["", "img", "text", "img+text"] = Field("", description="its profile; empty: the widest")


class Generation(Section):
    """Visually-aware generation with personalized cross-modal contrastive learning (paper, section 4.2)."""

    decoder: Annotated[str, Weights("gpt2")] = Field(
        "embedded",
        description="a causal language model: embedded, a hub's name, a folder in transformers' format, a .gguf file",
    )
    pretrained: Annotated[str | None, Weights("captioner")] = Field(
        None, description="captioner that GPT-2 systems start from: embedded, or a folder; null: none"
    )
    lora_rank: Annotated[int, Field(ge=0)] = Field(
        0, description="0: the decoder trains in full; else LoRA: extra `lora`"
    )
    lora_alpha: Positive = Field(32, description="LoRA's changes are scaled by this over the rank")
    fusion: Annotated[Literal["prefix", "gated"], Added("prefix")] = Field(
        "prefix", description="how H enters a decoder without cross-attention: all but GPT-2, and that with LoRA"
    )
    systems: tuple[str, ...] = Field(
        ("st", "r2gen", "ref2seq", "peter", "text_gpt2", "img_gpt2", "ours_ce", "ours_ccl", "ours_pcl", "ours_pc2l"),
        min_length=1,
    )
    vlm: Annotated[str | None, Weights(), Added(None)] = Field(
        None, description="the vision-language model that `vlm_lora` trains: a hub's name, or a folder"
    )
    seeds: Seeds = (0,)
    lr: PositiveFloat = 1e-4
    lrs: dict[str, PositiveFloat] = Field({}, description="of single systems, by name; all others have `lr`")
    batch_size: Positive = Field(32, description="samples of a step, over all processes and micro-batches")
    accumulation: Positive = Field(1, description="micro-batches of a step, for small memories; contrast is within one")
    jobs: Annotated[int, Field(ge=0), Speed()] = Field(
        0, description="systems that train at once on a CPU; 0: one per core"
    )
    epochs: Positive = 10
    patience: Positive = 2
    warmup: Probability = Field(0.05, description="share of the steps that warm up")
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    gradient_checkpointing: Annotated[bool, Speed()] = Field(
        False, description="computes layers twice instead of keeping them: less memory, more time; not with `gated`"
    )
    compile: bool = Field(False, description="torch.compile; wants a C++ compiler, and pays in long trainings only")
    max_tokens: Positive = 64
    max_images: Positive = 5
    joined: Probability = Field(0.25, description="share of the training samples that are of two visits of a user")
    history: Positive = 10
    retrieved: Annotated[Positive, Added(4)] = Field(
        4, description="training reviews that `ours_ce_rag` reads behind the history"
    )
    encoder_layers: Positive = 3
    lambda_ccl: Annotated[float, Field(ge=0)] = 0.2
    lambda_pcl: Annotated[float, Field(ge=0)] = 0.2
    temperature: PositiveFloat = 0.1
    alpha: Annotated[float, Field(gt=1)] = Field(2.718281828459045, description="α of f(i,j), PCL")
    entities: Literal["auto", "spacy", "phrases"] = "auto"
    spacy_model: Annotated[str, Weights()] = Field(
        "en_core_web_sm", description="an installed pipeline, or the folder of a saved one"
    )


class Telling(Section):
    """What a showcase says: who offers sentences, and which of them are told (the paper: one greedy line)."""

    system: str = Field("", description="the generator; empty: of those that see photos, the lowest L_CE on validation")
    vlm: Annotated[str | None, Weights()] = Field(
        None, description="a vision-language model that writes for the test reviews too, untrained: a name or a folder"
    )
    writers: tuple[Literal["greedy", "beam", "sample", "retrieval"], ...] = Field(
        ("greedy", "sample", "retrieval"),
        min_length=1,
        description="who offers sentences; retrieval quotes reviews of like photos",
    )
    each_photo: bool = Field(True, description="the generator writes beside every photo alone, not beside all together")
    samples: Positive = Field(3, description="texts that are sampled per photo, or set of photos")
    top_p: Annotated[float, Field(gt=0, le=1)] = 0.9
    quotes_first: bool = Field(True, description="the generator is asked only where quotes leave a photo unsaid")
    quotes: Positive = Field(8, description="sentences that are quoted per photo")
    stars: Annotated[int, Field(ge=1, le=5)] = Field(4, description="of the reviews that are quoted, at least")
    support: Probability | None = Field(None, description="Φ's confidence that a sentence needs; none: its threshold")
    sure: bool = Field(True, description="near misses go unsaid: bounds from quotes of like photos (NOTES)")
    nearness: Annotated[float, Field(ge=0)] = Field(1.0, description="weight of the likeness of a quote's own photo")
    agreement: Annotated[float, Field(ge=0)] = Field(1.0, description="weight of what other candidates say too")
    tone: Probability = Field(0.3, description="sentences less kind than this share of the quotes are not told")
    company: bool = Field(
        False, description="whether the writer's company and earlier visits may be told: my wife, again"
    )
    manner: Annotated[float, Field(ge=0)] = Field(1.0, description="weight of the user's manner of writing")
    variety: Annotated[float, Field(ge=0)] = Field(0.05, description="weight of chance, so that users' texts differ")
    same: Probability = Field(0.9, description="cosine from which two sentences say the same")
    repeats: Probability = Field(
        0.6, description="share of the shorter one's words from which two sentences repeat each other"
    )


class Evaluation(Section):
    """Metrics, intervals and claims (paper, section 5)."""

    bertscore_model: Annotated[str, Weights("gpt2")] = Field(
        "embedded", description="embedded, a hub name such as roberta-large, or a folder"
    )
    bertscore_layer: Positive | None = None
    nli: Annotated[str | None, Weights()] = Field(
        None,
        description="model of entailment for statement precision and recall: a hub's name, or a folder; null: none",
    )
    bootstrap: Positive = 1000
    confidence: Probability = 0.95


class Download(Section):
    """Where ``showcase download`` finds the published files and the photos; no stage depends on it."""

    base_url: str = Field(
        "https://mcauleylab.ucsd.edu/public_datasets/gdrive/googlelocal_restaurants/",
        description="the address that the names of the files are put behind",
    )
    files: tuple[Annotated[str, Field(pattern=r"^\w[\w.-]*$")], ...] = ("image_review_all.json", "filter_all_t.json")
    photo_url: str = Field(
        "https://lh5.googleusercontent.com/p/{id}", description="address of a photo that the file gives none for"
    )
    suffix: str = Field("=w400-h400-k-no-p", description="asks for a size; empty: the addresses as published")
    hosts: tuple[str, ...] = Field(
        tuple(f"lh{n}.googleusercontent.com" for n in range(3, 7)),
        description="the only hosts that photos come from, `host` or `host:port`",
    )
    concurrency: Positive = Field(32, description="photos under way at the same time")
    per_host: Positive = Field(16, description="photos under way at the same time from one host")
    min_interval: Annotated[float, Field(ge=0)] = Field(0.01, description="seconds between two requests to a host")
    timeout: PositiveFloat = Field(30.0, description="seconds for a photo, or for the next bytes of a published file")
    retries: Annotated[int, Field(ge=0)] = 4
    backoff: Annotated[float, Field(ge=0)] = Field(0.5, description="seconds before the first retry; then doubled")
    max_wait: Annotated[float, Field(ge=0)] = Field(120.0, description="most seconds that a server may make us wait")
    max_bytes: Positive = Field(20_000_000, description="of one photo")
    max_pixels: Positive = Field(50_000_000, description="of one photo")
    decode_adopted: bool = Field(False, description="decode all photos that are taken over, not only suspicious ones")
    allow_http: bool = Field(False, description="also addresses without encryption")
    allow_private: bool = Field(False, description="also private, loopback and link-local addresses")


class Settings(Section):
    """Everything that a run depends on."""

    profile: str = Field(description="the folder of its artifacts: the profile's name, or its file's without suffix")
    source: str = Field("", description="what to give as --profile: a shipped name, or the whole path of a file")
    seed: Seed = 0
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    threads: Annotated[int, Field(ge=0), Speed()] = Field(
        0, description="of PyTorch on a CPU; 0: one for the embedded models, which gain nothing from more, else all"
    )
    world: World = World()
    data: Data = Data()
    encoding: Encoding = Encoding()
    alignment: Alignment = Alignment()
    selection: Selection = Selection()
    generation: Generation = Generation()
    telling: Telling = Telling()
    evaluation: Evaluation = Evaluation()
    download: Download = Download()

    def section(self, dotted: str) -> Any:
        """The JSON form of one key or section, ``settings.section("selection.k")``."""
        value: Any = self.model_dump(mode="json")
        for part in dotted.split("."):
            value = value[part]
        return value


def marked(mark: type) -> dict[str, Any]:
    """The settings with a mark, by dotted key: ``marked(Speed)``, ``marked(Input)``, and so on."""
    models: dict[str, type[BaseModel]] = {"": Settings, **_sections()}
    return {
        f"{section}.{name}" if section else name: found
        for section, model in models.items()
        for name, field in model.model_fields.items()
        for found in field.metadata
        if isinstance(found, mark)
    }


def profile_names() -> list[str]:
    """The profiles that ship with the package."""
    return sorted(path.stem for path in PROFILES.glob("*.yaml"))


def load_settings(profile: str | Path, overrides: str | Sequence[str] | Mapping[str, Any] = ()) -> Settings:
    """Settings of a profile with overrides on top.

    ``profile`` is a shipped name or the path of a YAML file. ``overrides`` is a mapping of dotted keys, a list
    of ``"key=value"`` strings, or one string of them separated by semicolons, which part nothing inside quotes; values
    are read as YAML, without aliases.

    Raises ``SettingsError`` for an unknown profile, an unknown or mistyped key, a value out of range, or the name of a
    method or a system that there is not.
    """
    tree = _read_profile(profile, seen=())
    for key, value in _pairs(overrides):
        _assign(tree, key, _resolved(key, value, Path.cwd()))
    path = _profile_path(profile)
    tree["profile"] = path.stem
    tree["source"] = path.stem if path.parent == PROFILES else str(path)
    try:
        settings = Settings.model_validate(tree)
    except ValidationError as error:
        raise SettingsError(_explain(error, str(profile))) from None
    if wrong := _unknown_names(settings):
        raise SettingsError(f"profile '{profile}': {'; '.join(wrong)}")
    return settings


def absolute_overrides(overrides: Sequence[str]) -> list[str]:
    """``key=value`` overrides whose paths no longer depend on the working directory: for another process."""
    return [
        f"{key}={json.dumps(_resolved(key, value, Path.cwd()), ensure_ascii=False, default=str)}"  # JSON is YAML
        for key, value in _pairs(overrides)
    ]


def _profile_path(profile: str | Path) -> Path:
    """The file of a profile, absolute. Raises ``SettingsError`` when there is none."""
    path = PROFILES / f"{profile}.yaml"
    if not path.is_file():
        path = Path(profile).expanduser().resolve()
    if path.suffix not in {".yaml", ".yml"} or not path.is_file():
        raise SettingsError(f"no profile '{profile}': give one of {', '.join(profile_names())}, or a .yaml file")
    return path


def _read_profile(profile: str | Path, seen: tuple[Path, ...]) -> dict[str, Any]:
    path = _profile_path(profile)
    if path in seen:
        raise SettingsError(f"{path}: 'extends' runs in a circle")
    tree = _read_yaml(path.read_bytes(), str(path)) or {}
    if not isinstance(tree, dict):
        raise SettingsError(f"{path}: expected keys and values, found {type(tree).__name__}")
    if given := OWN_KEYS & tree.keys():
        raise SettingsError(f"{path}: unknown key '{given.pop()}': a profile is called as its file")
    parent = tree.pop("extends", None)
    tree = _resolved("", tree, path.parent)
    if not parent:
        return tree
    beside = path.parent / str(parent)  # another file is meant relative to this one, like every path in it
    return _merged(_read_profile(beside if beside.is_file() else parent, (*seen, path)), tree)


def _resolved(key: str, value: Any, folder: Path) -> Any:
    """``value`` with the paths in it made absolute, from ``folder``: a profile's own, or the working directory.

    A model's name is a path where something lies there; else it is a hub's.
    """
    if isinstance(value, Mapping):
        return {name: _resolved(f"{key}.{name}" if key else name, item, folder) for name, item in value.items()}
    if not isinstance(value, str | Path):
        return value
    if key in marked(Input):
        return os.path.abspath(folder / Path(value).expanduser())
    if key in marked(Weights) and value != "embedded":
        prefix = "local-dir:" if str(value).startswith("local-dir:") else ""
        path = os.path.abspath(folder / Path(str(value).removeprefix(prefix)).expanduser())
        return f"{prefix}{path}" if prefix or os.path.exists(path) else value
    return value


class _PlainLoader(yaml.SafeLoader):
    """YAML in which nothing stands for something else: ten lines of aliases can name a billion values."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases (*name) are not read: write the value out")
        return super().compose_node(parent, index)


def _read_yaml(content: str | bytes, where: str) -> Any:
    try:
        return yaml.load(content, _PlainLoader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise SettingsError(f"{where}: not valid YAML: {_short(' '.join(str(error).split()))}") from None


def _short(words: str) -> str:
    return words if len(words) <= 200 else f"{words[:200]} …"


def _merged(base: dict[str, Any], top: dict[str, Any]) -> dict[str, Any]:
    return base | {
        key: _merged(base[key], value) if isinstance(value, dict) and isinstance(base.get(key), dict) else value
        for key, value in top.items()
    }


def _pairs(overrides: str | Sequence[str] | Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    if isinstance(overrides, Mapping):
        yield from overrides.items()
        return
    for item in _PARTS.findall(overrides) if isinstance(overrides, str) else overrides:
        if not item.strip():
            continue
        key, sign, value = item.partition("=")
        if not sign:
            raise SettingsError(f"override '{item.strip()}' has no '=': write key=value, for example selection.k=5")
        yield key.strip(), _read_yaml(value, f"override '{_short(item.strip())}'")


def _assign(tree: dict[str, Any], key: str, value: Any) -> None:
    *parents, last = key.split(".")
    if key.split(".")[0] in OWN_KEYS:
        raise SettingsError(f"unknown key '{key}': name another profile instead")
    for part in parents:
        tree = tree.setdefault(part, {})
        if not isinstance(tree, dict):
            raise SettingsError(f"unknown key '{key}': '{part}' is a value, not a section")
    tree[last] = value


def _explain(error: ValidationError, profile: str) -> str:
    lines = []
    for item in error.errors():
        key = ".".join(str(part) for part in item["loc"])
        if item["type"] == "extra_forbidden":
            near = difflib.get_close_matches(key, _known_keys(), n=1, cutoff=0.5)
            lines.append(f"unknown key '{key}'" + (f": did you mean '{near[0]}'?" if near else ""))
        else:
            lines.append(f"{key} = {_short(repr(item['input']))}: {item['msg'][0].lower()}{item['msg'][1:]}")
    return f"profile '{profile}': " + "; ".join(lines)


def _unknown_names(settings: Settings) -> list[str]:
    """What is called by a name that there is not, with the names that there are: said before a run computes for hours.

    A method of somebody's own, ``module:NAME``, has a name that its module alone knows.
    """
    systems = _names("showcase_utils.generation.systems", "SYSTEMS")
    methods = _names("showcase_utils.selection.methods", "METHODS")
    selection, generation = settings.selection, settings.generation
    foreign = [name for name in selection.methods if ":" in name]
    profiles = (*selection.profiles, "")
    asked: list[tuple[str, Iterable[str], Sequence[str]]] = [
        ("selection.methods", [name for name in selection.methods if name not in foreign], methods),
        ("selection.shown_method", [] if foreign else [selection.shown_method], selection.methods),
        ("selection.shown_profile", [selection.shown_profile], profiles),
        ("generation.systems", generation.systems, systems),
        ("generation.lrs", generation.lrs, systems),
        ("telling.system", [settings.telling.system], (*generation.systems, "")),
    ]
    return [
        f"{key}: no '{name}': there are {', '.join(filter(None, known))}"
        for key, names, known in asked
        for name in names
        if name not in known
    ]


def _names(module: str, table: str) -> Sequence[str]:
    """The names in a table; from its source where it is not imported, which would take seconds."""
    return tuple(getattr(sys.modules.get(module), table, ())) or table_names(module, table)


def _known_keys() -> list[str]:
    plain = [name for name in Settings.model_fields if name not in _sections()]
    return plain + [f"{name}.{key}" for name, section in _sections().items() for key in section.model_fields]


def _sections() -> dict[str, type[Section]]:
    return {
        name: field.annotation
        for name, field in Settings.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section)
    }
