"""Models that answer a question with one of a few choices: any of transformers on this machine, or an endpoint.

An endpoint speaks the protocol of OpenAI's chat completions, as vLLM, llama.cpp, Ollama and many services do.
"""

from __future__ import annotations

import io
import os
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import httpx
import torch
from PIL import Image

from showcase_utils.devices import resolve_device
from showcase_utils.metrics.models import quiet_loading
from showcase_utils.photos.thumbnails import data_address
from showcase_utils.weights import check_finite

TRIES, WAIT = 4, 1.0  # at an endpoint; seconds before the second try, then doubled
BUSY = {429, 500, 502, 503, 504}
KEY = "OPENAI_API_KEY"  # the variable of the environment whose value an endpoint is sent


class Question(NamedTuple):
    """What is asked: words, photos as JPEG, and the answers that count."""

    words: str
    photos: tuple[bytes, ...]
    choices: tuple[str, ...]


class Answer(NamedTuple):
    """One of the choices, empty where the model gave none, and what it took."""

    value: str
    tokens: int
    seconds: float


class Judge(Protocol):
    """``name`` tells answers of one model from another's; ``sees`` says whether it takes photos."""

    name: str
    sees: bool

    def ask(self, question: Question) -> Answer: ...


class LocalJudge:
    """A language model, or a vision-language model, of transformers: a hub's name or a folder.

    It answers with the likeliest of the choices, read from the model's own probabilities, so it always answers, and
    always the same. A model without photos is asked about words alone. Raises ``OSError`` for a model that is not
    there, ``ValueError`` for one that brings code of its own.
    """

    def __init__(self, model: str, device: str = "auto") -> None:
        from transformers import (
            MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING,
            AutoConfig,
            AutoModelForCausalLM,
            AutoModelForImageTextToText,
            AutoProcessor,
            AutoTokenizer,
        )

        options = {"trust_remote_code": False, "local_files_only": Path(model).is_absolute()}
        with quiet_loading():
            config = AutoConfig.from_pretrained(model, **options)
            self.sees = type(config) in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING
            reader, network = (
                (AutoProcessor, AutoModelForImageTextToText) if self.sees else (AutoTokenizer, AutoModelForCausalLM)
            )
            self.reader = reader.from_pretrained(model, **options)
            self.network = network.from_pretrained(model, **options)
        check_finite(self.network, f"the judge '{model}'")
        self.network = self.network.to(resolve_device(device)).eval()
        self.name = Path(model).name
        self.tokenizer = getattr(self.reader, "tokenizer", self.reader)

    @torch.inference_mode()
    def ask(self, question: Question) -> Answer:
        start = time.perf_counter()
        inputs = self._inputs(question)
        ids = [self.tokenizer.encode(choice, add_special_tokens=False) for choice in question.choices]
        if len({row[0] for row in ids}) == len(ids):  # one look at what comes next is enough
            scores = self._ahead(inputs, [])[-1, [row[0] for row in ids]]
        else:  # some tokenizers begin every word with the same token
            scores = torch.stack([self._log_probability(inputs, row) for row in ids])
        tokens = inputs["input_ids"].shape[1] + 1
        return Answer(question.choices[int(scores.argmax())], tokens, time.perf_counter() - start)

    def _log_probability(self, inputs: dict[str, Any], answer: list[int]) -> torch.Tensor:
        logits = self._ahead(inputs, answer)[-len(answer) - 1 : -1].float()
        return logits.log_softmax(dim=-1)[range(len(answer)), answer].sum()

    def _ahead(self, inputs: dict[str, Any], answer: list[int]) -> torch.Tensor:
        """Logits of what comes next, behind each token of the question and the answer, ``(tokens, vocabulary)``."""
        length, given = inputs["input_ids"].shape[1], dict(inputs)
        for name, values in inputs.items():
            if values.ndim == 2 and values.shape[1] == length:  # whatever goes along with the tokens
                more = {"input_ids": answer, "attention_mask": [1] * len(answer)}.get(name, [0] * len(answer))
                given[name] = torch.cat([values, values.new_tensor([more])], dim=1)
        return self.network(**given).logits[0]

    def _inputs(self, question: Question) -> dict[str, Any]:
        photos = [Image.open(io.BytesIO(photo)).convert("RGB") for photo in question.photos]
        if getattr(self.reader, "chat_template", None):
            content: Any = [{"type": "image", "image": photo} for photo in photos]
            content = [*content, {"type": "text", "text": question.words}] if self.sees else question.words
            found = self.reader.apply_chat_template(
                [{"role": "user", "content": content}],
                add_generation_prompt=True,
                tokenize=True,
                return_dict=True,
                return_tensors="pt",
            )
        elif self.sees:
            raise ValueError(f"'{self.name}' has no chat template, so nobody knows how to ask it about photos")
        else:
            found = self.reader(question.words.rstrip(), return_tensors="pt")
        device, kind = self.network.device, self.network.dtype
        return {name: v.to(device, kind if v.is_floating_point() else None) for name, v in found.items()}


class EndpointJudge:
    """A model behind an address, ``https://…/v1``; ``$OPENAI_API_KEY`` is sent where it is set, and written nowhere.

    It is asked at temperature 0; the first choice that its answer names counts. A busy or broken connection is tried
    again; after that ``httpx.HTTPError`` is raised. ``ValueError`` for what is no address, and for another reply.
    """

    sees = True

    def __init__(self, address: str, model: str, max_tokens: int = 16, timeout: float = 120.0) -> None:
        if httpx.URL(address).scheme not in ("http", "https"):
            raise ValueError(f"endpoint '{address}': give the whole address, as in http://localhost:8000/v1")
        self.name, self.max_tokens = model, max_tokens
        self.url = f"{address.rstrip('/')}/chat/completions"
        key = os.environ.get(KEY)
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self.client = httpx.Client(headers=headers, timeout=timeout)

    def ask(self, question: Question) -> Answer:
        start = time.perf_counter()
        content: list[dict[str, Any]] = [{"type": "text", "text": question.words}]
        for photo in question.photos:
            address = data_address(Image.open(io.BytesIO(photo)))
            content.append({"type": "image_url", "image_url": {"url": address}})
        body = {
            "model": self.name,
            "messages": [{"role": "user", "content": content}],
            "temperature": 0,
            "max_tokens": self.max_tokens,
        }
        reply = self._post(body)
        try:
            said = reply["choices"][0]["message"].get("content") or ""
        except (KeyError, IndexError, TypeError, AttributeError):
            raise ValueError(f"{self.url}: its reply is none of chat completions: {str(reply)[:200]}") from None
        tokens = int((reply.get("usage") or {}).get("total_tokens", 0))
        return Answer(first_choice(said, question.choices), tokens, time.perf_counter() - start)

    def _post(self, body: dict[str, Any]) -> dict[str, Any]:
        for number in range(TRIES):
            last = number == TRIES - 1
            try:
                response = self.client.post(self.url, json=body)
                if last or response.status_code not in BUSY:
                    response.raise_for_status()
                    return response.json()
            except httpx.TransportError:
                if last:
                    raise
            time.sleep(WAIT * 2**number)
        raise AssertionError("the last try returns or raises")


def first_choice(said: str, choices: Sequence[str]) -> str:
    """The first of the choices that an answer names as a word of its own; empty where it names none."""
    found = re.search(rf"\b(?:{'|'.join(map(re.escape, choices))})\b", said, re.IGNORECASE)
    by_case = {choice.lower(): choice for choice in choices}
    return by_case[found[0].lower()] if found else ""
