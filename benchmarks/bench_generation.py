"""Steps of the generator at the shape of GPT-2 small: PC²L beside CE, CE beside plain GPT-2 with cross-attention.

Run: python benchmarks/bench_generation.py [--batch N] [--tokens T] [--threads T] [--device NAME] [--repeats N]
[--compile]. Writes results/generation.json.

Weights are random, which costs what trained ones cost. A step is forward, backward, clipping and AdamW. Systems take
turns within each repeat, so that load on the machine falls on all alike; times are medians, ratios medians of each
repeat's ratio. The plain peer gets its encoder states for nothing, as a ``GPT2LMHeadModel`` has no encoder. Decoding
is greedy to the last token, ours from features, the peer from given states through its own ``generate``. With
``--compile`` a step under torch.compile takes part; the minutes of its first call are reported apart.
"""

from __future__ import annotations

import argparse
import copy
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable

import torch
from summary import Row, store
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from torch.nn.utils import clip_grad_norm_
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

from showcase_utils.config import Generation
from showcase_utils.generation.encoder import masked_mean
from showcase_utils.generation.gpt2 import quietly
from showcase_utils.generation.losses import cross_modal_contrastive, personalized_contrastive
from showcase_utils.generation.model import ShowcaseGenerator

OPTIONS = Generation()
PHOTOS, REVIEWS, FEATURES = 5, 10, 512


def make_batch(size: int, tokens: int, vocabulary: int, device: torch.device) -> dict[str, torch.Tensor]:
    """Full-size inputs and targets without padding: the work is the same for every system."""
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(size, PHOTOS + REVIEWS, FEATURES, generator=generator)
    labels, swapped = torch.randint(0, vocabulary - 1, (2, size, tokens), generator=generator)
    batch = {"images": features[:, :PHOTOS], "history": features[:, PHOTOS:], "labels": labels, "swapped": swapped}
    batch["image_mask"] = torch.ones(size, PHOTOS, dtype=torch.bool)
    batch["history_mask"] = torch.ones(size, REVIEWS, dtype=torch.bool)
    return {name: value.to(device) for name, value in batch.items()}


def save_random_decoder(folder: str, config: GPT2Config) -> None:
    GPT2LMHeadModel(config).save_pretrained(folder)
    words = Tokenizer(WordLevel({"<|endoftext|>": 0}))  # says no more than which token ends a text
    PreTrainedTokenizerFast(tokenizer_object=words, eos_token="<|endoftext|>").save_pretrained(folder)


def step_of(model: torch.nn.Module, loss: Callable[[], torch.Tensor], device: torch.device) -> Callable[[], float]:
    """A whole training step that returns its seconds."""
    optimizer = torch.optim.AdamW(model.train().parameters(), lr=1e-4, fused=True)

    def run() -> float:
        _wait(device)
        started = time.perf_counter()
        loss().backward()
        clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        _wait(device)
        return time.perf_counter() - started

    return run


def contrastive_loss(model: ShowcaseGenerator, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    output = model(**batch)
    ccl = cross_modal_contrastive(output.visual, output.target, output.swapped, OPTIONS.temperature)
    profile = masked_mean(batch["history"], batch["history_mask"])
    pcl = personalized_contrastive(output.history, output.target, profile, OPTIONS.temperature, OPTIONS.alpha)
    return output.loss + OPTIONS.lambda_ccl * ccl + OPTIONS.lambda_pcl * pcl


def decoding_of(generate: Callable[[], torch.Tensor], device: torch.device) -> Callable[[], float]:
    @torch.inference_mode()
    def run() -> float:
        _wait(device)
        started = time.perf_counter()
        generate()
        _wait(device)
        return time.perf_counter() - started

    return run


def in_turns(runs: dict[str, Callable[[], float]], repeats: int) -> dict[str, list[float]]:
    """Seconds of every run in every repeat; the first, which warms up, does not count."""
    rounds = [{name: run() for name, run in runs.items()} for _ in range(repeats + 1)][1:]
    return {name: [taken[name] for taken in rounds] for name in runs}


def ratio(seconds: dict[str, list[float]], ours: str, peer: str) -> float:
    return round(statistics.median(a / b for a, b in zip(seconds[ours], seconds[peer], strict=True)), 3)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def rows(report: dict) -> tuple[str, list[Row]]:
    shape, seconds = report["shape"], "{:.3g} times its seconds".format
    what = f"{shape['decoder']} on {report['device']}, {shape['batch']} × {shape['tokens']} tokens"
    return f"{what}, threads: {report['threads']}", [
        Row("PC²L step beside CE step", seconds(report["PC2L over CE"]), "at most 1.8"),
        Row("CE step beside plain GPT-2 with cross-attention", seconds(report["CE over plain"]), "at most 1.05"),
        Row("decoding beside plain `generate`", seconds(report["decoding over plain"])),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--compile", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    device = torch.device(arguments.device)
    config = GPT2Config()
    with tempfile.TemporaryDirectory() as folder, quietly():
        save_random_decoder(folder, config)
        shapes = {"feature_dim": FEATURES, "encoder_layers": OPTIONS.encoder_layers}
        ce = ShowcaseGenerator.from_decoder(folder, **shapes).to(device)
        contrast = {"contrast_visual": True, "contrast_history": True}
        pc2l = ShowcaseGenerator.from_decoder(folder, **shapes, **contrast).to(device)
    plain = GPT2LMHeadModel(GPT2Config(add_cross_attention=True)).to(device)
    batch = make_batch(arguments.batch, arguments.tokens, config.vocab_size, device)
    no_swap = {name: value for name, value in batch.items() if name != "swapped"}
    given = torch.randn(arguments.batch, PHOTOS + REVIEWS, config.n_embd, device=device)
    inputs = {name: value for name, value in no_swap.items() if name != "labels"}
    exact = {"max_new_tokens": arguments.tokens, "min_new_tokens": arguments.tokens, "do_sample": False}
    start = torch.full((arguments.batch, 1), config.bos_token_id, device=device)
    seen = {"encoder_hidden_states": given, "attention_mask": torch.ones_like(start), "pad_token_id": 50256}

    steps = {
        "CE step": step_of(ce, lambda: ce(**no_swap).loss, device),
        "PC2L step": step_of(pc2l, lambda: contrastive_loss(pc2l, batch), device),
        "plain GPT-2 step": step_of(
            plain, lambda: plain(batch["labels"], encoder_hidden_states=given, labels=batch["labels"]).loss, device
        ),
    }
    extra = {}
    if arguments.compile:
        compiled = torch.compile(copy.deepcopy(ce))
        steps["compiled CE step"] = step_of(compiled, lambda: compiled(**no_swap).loss, device)
        extra["seconds of compilation"] = round(steps["compiled CE step"](), 1)
    seconds = in_turns(steps, arguments.repeats)
    if arguments.compile:
        extra["compiled CE over CE"] = ratio(seconds, "compiled CE step", "CE step")
    ce.eval(), plain.eval()
    seconds |= in_turns(
        {
            "decoding": decoding_of(lambda: ce.generate(**inputs, **exact), device),
            "plain decoding": decoding_of(lambda: plain.generate(start, **seen, **exact), device),
        },
        arguments.repeats,
    )
    medians = {name: statistics.median(taken) for name, taken in seconds.items()}
    result = {
        "argv": sys.argv[1:],
        "shape": {"decoder": "GPT-2 small", "batch": arguments.batch, "tokens": arguments.tokens},
        "device": torch.cuda.get_device_name() if device.type == "cuda" else "cpu",
        "threads": arguments.threads,
        "seconds": {name: round(value, 4) for name, value in medians.items()},
        "PC2L over CE": ratio(seconds, "PC2L step", "CE step"),
        "CE over plain": ratio(seconds, "CE step", "plain GPT-2 step"),
        "decoded samples per second": round(arguments.batch / medians["decoding"], 2),
        "decoding over plain": ratio(seconds, "decoding", "plain decoding"),
    } | extra
    store("generation", result, rows(result), ("torch", "transformers"))


if __name__ == "__main__":
    main()
