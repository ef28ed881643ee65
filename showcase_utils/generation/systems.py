"""Every system of the paper's table, in one place: what it reads and which losses train it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Literal

from transformers import PreTrainedModel

from showcase_utils.config import Generation
from showcase_utils.generation.baselines.att2seq import Att2Seq
from showcase_utils.generation.baselines.base import Baseline
from showcase_utils.generation.baselines.nrt import Nrt
from showcase_utils.generation.baselines.pepler import Pepler
from showcase_utils.generation.baselines.peter import Peter
from showcase_utils.generation.baselines.r2gen import R2Gen
from showcase_utils.generation.baselines.ref2seq import Ref2Seq
from showcase_utils.generation.baselines.show_and_tell import ShowAndTell
from showcase_utils.generation.captioner import start_from_captioner
from showcase_utils.generation.corpus import ShowcaseCorpus
from showcase_utils.generation.dataset import ShowcaseDataset
from showcase_utils.generation.model import ShowcaseGenerator
from showcase_utils.generation.retrieval import retrieve
from showcase_utils.generation.vlm_lora import VlmLora


@dataclass(frozen=True)
class System:
    """A row of the table. Ours have one modality or both and each contrastive loss or not; baselines have neither.

    ``pretrained``: starts from the captioner of the settings where they name one, as all rows around GPT-2 but one.
    ``target_attends``: the contrast reads a text through cross-attention, as in the paper; else the text alone.
    ``retrieves``: reads training reviews of like photos and like users behind the history.
    """

    title: str
    modalities: Literal["image", "text", "both"] = "both"
    ccl: bool = False
    pcl: bool = False
    baseline: type[Baseline] | type[Pepler] | type[VlmLora] | None = None
    pretrained: bool = True
    target_attends: bool = True
    retrieves: bool = False

    @property
    def tells(self) -> bool:
        """Whether it can write for anybody about photos that are shown to it, without the corpus behind it."""
        return not self.baseline and not self.retrieves and self.modalities != "text"

    @property
    def effort(self) -> int:
        """How long it trains, by rank: a contrast reads texts twice, and a history is longer than a set of photos."""
        return 2 * (self.ccl or self.pcl) + (self.modalities != "image")

    @property
    def model_class(self) -> type[PreTrainedModel]:
        return self.baseline or ShowcaseGenerator

    def build(self, corpus: ShowcaseCorpus) -> PreTrainedModel:
        """A fresh model for the corpus; weights that are new come from torch's global generator."""
        if self.baseline:
            return self.baseline.from_corpus(corpus)
        settings = corpus.settings
        shapes = {
            "modalities": self.modalities,
            "contrast_visual": self.ccl,
            "contrast_history": self.pcl,
            "target_attends": self.target_attends,
        }
        if self.starts_trained(settings):
            return start_from_captioner(settings, corpus.photos, **shapes)
        return ShowcaseGenerator.from_decoder(
            settings.decoder,
            max_tokens=settings.max_tokens,
            feature_dim=corpus.photos.dim,
            encoder_layers=settings.encoder_layers,
            lora_rank=settings.lora_rank,
            lora_alpha=settings.lora_alpha,
            fusion=settings.fusion,
            **shapes,
        )

    def starts_trained(self, settings: Generation) -> bool:
        """Whether encoder and cross-attention come from the captioner; else they are random."""
        return settings.pretrained is not None and self.pretrained and not self.baseline

    def origin(self, settings: Generation) -> str:
        """Where its first weights come from, in words."""
        if self.baseline:
            return self.baseline.origin
        return "the captioner" if self.starts_trained(settings) else "the language model, all around it random"

    def dataset(
        self, corpus: ShowcaseCorpus, split: str, photos: Literal["true", "chosen"] = "true", swap: bool | None = None
    ) -> ShowcaseDataset:
        """The samples of a split with all that this system reads; ``swap``: with ent(Y), by default where CCL is."""
        if isinstance(self.baseline, type) and issubclass(self.baseline, VlmLora):
            return self.baseline.dataset(corpus, split, photos)
        swap = self.ccl if swap is None else swap
        inputs = self.baseline.inputs if self.baseline else None
        found = partial(retrieve, most=corpus.settings.retrieved) if self.retrieves else None
        joined = split == "train" and corpus.settings.joined > 0
        return corpus.dataset(split, photos, swap, inputs, joined, found)


SYSTEMS: dict[str, System] = {
    "st": System("ST", baseline=ShowAndTell),
    "r2gen": System("R2Gen", baseline=R2Gen),
    "ref2seq": System("Ref2Seq", baseline=Ref2Seq),
    "peter": System("PETER", baseline=Peter),
    "nrt": System("NRT", baseline=Nrt),
    "att2seq": System("Att2Seq", baseline=Att2Seq),
    "pepler": System("PEPLER", baseline=Pepler),
    "vlm_lora": System("Vision-language model with LoRA", baseline=VlmLora),
    "text_gpt2": System("Text GPT-2", "text"),
    "img_gpt2": System("Img GPT-2", "image"),
    "ours_ce": System("Ours (CE)"),
    "ours_ccl": System("Ours (CE + CCL)", ccl=True),
    "ours_pcl": System("Ours (CE + PCL)", pcl=True),
    "ours_pc2l": System("Ours (PC²L)", ccl=True, pcl=True),
    "ours_pc2l_alone": System("Ours (PC²L, texts read alone)", ccl=True, pcl=True, target_attends=False),
    "ours_ce_scratch": System("Ours (CE, random cross-attention)", pretrained=False),
    "ours_ce_rag": System("Ours (CE, with retrieved reviews)", retrieves=True),
}


def find_system(name: str) -> System:
    """The system of that name; raises ``ValueError`` that lists them all."""
    if name not in SYSTEMS:
        raise ValueError(f"no system '{name}': choose from {', '.join(SYSTEMS)}")
    return SYSTEMS[name]


def learning_rate(name: str, settings: Generation) -> float:
    """The learning rate that the settings give a system; raises ``ValueError`` for a name in ``lrs`` that is none."""
    for other in settings.lrs:
        find_system(other)
    return settings.lrs.get(name, settings.lr)
