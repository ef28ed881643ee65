"""Any open_clip model as an encoder of photos and texts (paper, section 4: CLIP ViT-B/32).

The model's own preprocessing and tokenizer are used, and a fingerprint of all that decides its features.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import textwrap
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import open_clip
import torch
from numpy.typing import NDArray
from open_clip.pretrained import list_pretrained_tags_by_model
from open_clip.transformer import text_global_pool
from torch import Tensor, nn
from torch.nn import functional as F

from showcase_utils.config import Encoding
from showcase_utils.devices import resolve_device
from showcase_utils.encoding.activation import WrongActivation, check_activation
from showcase_utils.encoding.batches import Batch, Photo, Photos, Texts, Tokenizer, in_batches, out_of_memory
from showcase_utils.recipes import BACKBONES
from showcase_utils.weights import check_finite, no_foreign_code

LOCAL, HUB = "local-dir:", "hf-hub:"


class Features(NamedTuple):
    """Features of the sources at ``indices``, ``rows (n, d)`` float32 with unit norm; rejects are (source, reason)."""

    rows: NDArray[np.float32]
    indices: list[int]
    rejects: list[tuple[int, str]]


class Clip:
    """A CLIP model with its preprocessing and tokenizer: ``load_clip`` makes it.

    ``dim`` is the size of the joint space. ``fingerprint`` is a sha256 over architecture, weights, preprocessing,
    tokenizer and the treatment of long texts: features are comparable exactly where it is the same. ``compile`` is no
    part of it: it changes features as a change of device does, in their last bits.
    """

    def __init__(
        self,
        model: nn.Module,
        preprocess: Callable[..., Tensor],
        tokenizer: Tokenizer,
        config: dict[str, Any],
        settings: Encoding,
        device: torch.device,
    ) -> None:
        self.model, self.preprocess, self.tokenizer = model.eval(), preprocess, tokenizer
        self.settings, self.device = settings, device
        self.dim = int(config["embed_dim"])
        self.fingerprint = _fingerprint(self.model, tokenizer, config, settings.long_text)
        self.model.to(device)
        if settings.compile:
            _check_compiler()
            self.model.encode_image = torch.compile(self.model.encode_image)
            self.model.encode_text = torch.compile(self.model.encode_text)
        elif settings.model == "embedded":
            self.model.encode_text = partial(encode_short_texts, self.model)
        self.batch_size = settings.batch_size  # halved when memory runs out
        self.autocast = device.type == "cuda" and torch.cuda.is_bf16_supported()

    def encode_images(self, photos: Sequence[Photo]) -> NDArray[np.float32]:
        """Features of photos given as paths or PIL images, ``(n, d)`` with unit norm.

        Raises ``ValueError`` that names the photos which cannot be read.
        """
        return self._all(self.stream_images(photos, self._batches(len(photos))), len(photos))

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Features of texts, ``(n, d)`` with unit norm; texts beyond the context as ``encoding.long_text`` says."""
        return self._all(self.stream_texts(texts, self._batches(len(texts))), len(texts))

    def stream_images(self, photos: Sequence[Photo], batches: Sequence[list[int]]) -> Iterator[Features]:
        """Features batch by batch, in the order of ``batches`` (lists of indices into ``photos``).

        Raises ``RuntimeError`` that names a photo which the machine could not read; a broken photo is a reject.
        """
        size = min(np.atleast_1d(self.model.visual.image_size))
        return self._stream(Photos(photos, self.preprocess, int(size)), batches, self.model.encode_image)

    def stream_texts(self, texts: Sequence[str], batches: Sequence[list[int]]) -> Iterator[Features]:
        """Features batch by batch, in the order of ``batches`` (lists of indices into ``texts``)."""
        whole = self.settings.long_text == "mean_of_sentences"
        dataset = Texts(texts, self.tokenizer, self.tokenizer.context_length, whole)
        return self._stream(dataset, batches, self.model.encode_text)

    def _stream(
        self, dataset: Photos | Texts, batches: Sequence[list[int]], tower: Callable[[Tensor], Tensor]
    ) -> Iterator[Features]:
        for batch in in_batches(dataset, batches, self.settings.workers, self.device.type == "cuda"):
            yield self._features(batch, tower)

    def _features(self, batch: Batch, tower: Callable[[Tensor], Tensor]) -> Features:
        if batch.failure:
            raise RuntimeError(batch.failure)
        if not batch.owners:
            return Features(np.empty((0, self.dim), np.float32), [], batch.rejects)
        rows = self._forward(batch.rows, tower)
        indices, position = np.unique(batch.owners, return_inverse=True)
        if len(indices) < len(rows):  # some texts came in parts: the mean of their sentences
            sums = torch.zeros(len(indices), self.dim).index_add_(0, torch.as_tensor(position), rows)
            rows = F.normalize(sums, dim=-1)
            return Features(rows.numpy(), indices.tolist(), batch.rejects)
        return Features(rows.numpy(), batch.owners, batch.rejects)

    def _forward(self, rows: Tensor, tower: Callable[[Tensor], Tensor]) -> Tensor:
        """(r, …) -> (r, d) on the CPU; when memory runs out the batch is halved, for good, and the run goes on."""
        parts, start = [], 0
        while start < len(rows):
            part, full = rows[start : start + self.batch_size], False
            try:
                parts.append(self._run(part, tower))
            except RuntimeError as error:
                if not out_of_memory(error) or len(part) == 1:
                    raise
                full = True
            if full:  # outside the handler, where the error no longer holds the tensors
                self.batch_size = len(part) // 2
                if self.device.type == "cuda":
                    torch.cuda.empty_cache()
            else:
                start += len(part)
        return torch.cat(parts)

    def _run(self, part: Tensor, tower: Callable[[Tensor], Tensor]) -> Tensor:
        with torch.inference_mode(), torch.autocast(self.device.type, torch.bfloat16, enabled=self.autocast):
            features = tower(part.to(self.device, non_blocking=True))
            return F.normalize(features.float(), dim=-1).cpu()

    def _batches(self, n: int) -> list[list[int]]:
        return [list(range(start, min(start + self.batch_size, n))) for start in range(0, n, self.batch_size)]

    def _all(self, stream: Iterator[Features], n: int) -> NDArray[np.float32]:
        rows = np.empty((n, self.dim), np.float32)
        for features in stream:
            if features.rejects:
                raise ValueError("; ".join(f"photo number {number}: {why}" for number, why in features.rejects))
            rows[features.indices] = features.rows
        return rows


def encode_short_texts(model: nn.Module, tokens: Tensor) -> Tensor:
    """The embedded model's ``encode_text``, (r, c) -> (r, d), without most of the padding.

    The tower is causal and read at the end token, so what stands behind it changes nothing; not a bit where a multiple
    of 16 columns stays, which is how many floats a processor adds up at once. Most sentences fit into a third.
    """
    columns = -(-tokens.bool().sum(-1) // 16) * 16  # (r,); padding is 0
    ends = torch.empty(len(tokens), model.text_projection.shape[0], device=tokens.device)  # (r, width)
    for n in columns.unique().tolist():
        some = tokens[columns == n, :n]
        x = model.token_embedding(some) + model.positional_embedding[:n]  # (s, n, width)
        x = model.ln_final(model.transformer(x, attn_mask=model.attn_mask[:n, :n]))
        ends[columns == n] = text_global_pool(x, some, model.text_pool_type, model.text_eos_id).float()
    return ends @ model.text_projection


def load_clip(settings: Encoding, device: str = "auto") -> Clip:
    """The CLIP that ``settings.model`` names, with trained weights, on ``device``.

    ``embedded`` is the small model that ships with the package; otherwise an open_clip name with its tag in
    ``settings.pretrained`` (or a file), ``hf-hub:ORGANISATION/NAME``, or ``local-dir:FOLDER``. Pickled weights are
    read with ``weights_only``, and code that comes with a tokenizer or a text model is not run. Raises ``ValueError``
    with open_clip's reason and the way out for what cannot be loaded, for weights whose activation is known not to be
    the model's or that are not finite, and for ``compile`` without a compiler.
    """
    name = f"{LOCAL}{BACKBONES / 'clip'}" if settings.model == "embedded" else settings.model
    schema = name.startswith((LOCAL, HUB))
    name = name if schema else name.replace("/", "-")
    try:
        config = open_clip.get_model_config(name)
        if config is None:
            raise ValueError("no such open_clip model")
        if not schema and not settings.pretrained:
            raise ValueError("a model given by name needs weights")
        check_activation(name, settings.pretrained, config)
        with no_foreign_code():
            model, preprocess = open_clip.create_model_from_pretrained(
                name, pretrained=None if schema else settings.pretrained, weights_only=True
            )
            tokenizer = open_clip.get_tokenizer(name)
        check_finite(model, name)
    except WrongActivation:
        raise
    except Exception as error:  # broken weights, configurations and tokenizers raise nearly anything
        reason = textwrap.shorten(f"{error}" or type(error).__name__, 300)  # some list every weight of a model
        raise ValueError(
            f"encoding.model={settings.model} with encoding.pretrained={settings.pretrained} could not be loaded: "
            f"{reason}. {_way_out(name)}"
        ) from error
    return Clip(model, preprocess, tokenizer, config, settings, resolve_device(device))


def _way_out(name: str) -> str:
    if name.startswith(LOCAL):
        return (
            f"{name.removeprefix(LOCAL)} must hold open_clip_config.json, open_clip_model.safetensors and the "
            "tokenizer's files as open_clip saves them; copy or save them again"
        )
    if name.startswith(HUB):
        return "Is this its name, is it in open_clip's format, and is there a network, or a copy in the cache?"
    tags = list_pretrained_tags_by_model(name)
    return (
        f"A tag ({', '.join(tags)}) needs a network, or its weights in the cache; a file, the state_dict of this model"
        if tags
        else f"See open_clip.list_models(), or give {HUB}ORGANISATION/NAME or {LOCAL}FOLDER"
    )


def _check_compiler() -> None:
    if not any(shutil.which(name) for name in (os.environ.get("CXX", "g++"), "clang++", "cl")):
        raise ValueError("encoding.compile=true needs a C++ compiler such as g++: install one, or set it to false")


def _fingerprint(model: nn.Module, tokenizer: Any, config: dict[str, Any], long_text: str) -> str:
    backend = getattr(getattr(tokenizer, "tokenizer", None), "backend_tokenizer", None)
    words = backend.to_str() if backend is not None else type(tokenizer).__name__
    facts = {
        "config": config,
        "preprocess": model.visual.preprocess_cfg,
        "tokenizer": hashlib.sha256(words.encode()).hexdigest(),
        "context_length": tokenizer.context_length,
        "long_text": long_text,
    }
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
