"""Decoders that read H in gated blocks between their layers: closed at first, then read, with the same losses."""

import json
import math

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from torch.nn import functional as F
from transformers import AutoModelForCausalLM

from showcase_utils.generation.attention import word_attention
from showcase_utils.generation.dataset import collate
from showcase_utils.generation.decoding import write_texts
from showcase_utils.generation.encoder import Encoded
from showcase_utils.generation.gated import GatedCrossAttention
from showcase_utils.generation.gpt2 import load_tokenizer
from showcase_utils.generation.model import ShowcaseGenerator
from showcase_utils.generation.systems import find_system
from showcase_utils.generation.trained import load_system
from showcase_utils.generation.training import train_system
from tests.generation.conftest import make_corpus, make_settings
from tests.generation.decoders import learn_by_heart, save_family
from tests.generation.inputs import DIM, TEXTS, make_batch, make_labels

MASKS = {"images": "image_mask", "history": "history_mask"}


@pytest.fixture(scope="module", params=["llama", "qwen3", "gpt2"])
def family(request, tmp_path_factory, decoder):
    """GPT-2 is gated only with LoRA: alone it has its cross-attention."""
    return decoder if request.param == "gpt2" else save_family(tmp_path_factory.mktemp("f"), request.param, decoder)


@pytest.fixture(scope="module")
def llama(tmp_path_factory, decoder):
    return save_family(tmp_path_factory.mktemp("llama"), "llama", decoder)


def _model(source, opened=True, **shapes):
    torch.manual_seed(0)
    shapes = {"contrast_visual": True, "contrast_history": True, "encoder_layers": 1, "lora_rank": 4} | shapes
    model = ShowcaseGenerator.from_decoder(source, max_tokens=12, feature_dim=DIM, fusion="gated", **shapes).eval()
    if opened:
        for name, weight in model.gates.named_parameters():
            torch.nn.init.normal_(weight, mean=0.5 if name.endswith("gates") else 0.0, std=0.2)
    return model


@torch.no_grad()
def test_a_block_is_attention_and_an_mlp_behind_their_gates():
    torch.manual_seed(0)
    block = GatedCrossAttention(8, 2)
    hidden, memory = torch.randn(2, 3, 8), torch.randn(2, 4, 8)
    mask = torch.tensor([[True] * 4, [True, True, False, False]])
    encoded = Encoded(last_hidden_state=memory, attention_mask=mask, is_visual=mask)
    assert torch.equal(block(hidden, encoded)[0], hidden)  # closed
    block.gates.copy_(torch.tensor([0.3, -0.7]))
    out, weights = block(hidden, encoded, need_weights=True)
    assert weights.shape == (2, 2, 3, 4) and (weights[1, ..., 2:] == 0).all()
    for row in range(2):
        kept = memory[row][mask[row]].unsqueeze(0)
        read = block.attention(block.norm(hidden[row : row + 1]), kept, kept)[0][0]
        after = hidden[row] + math.tanh(0.3) * read
        norm, widen, act, narrow = block.mlp
        torch.testing.assert_close(out[row], after + math.tanh(-0.7) * narrow(act(widen(norm(after)))))


def test_closed_gates_leave_the_checkpoint_as_it_is(family):
    model, plain = _model(family, opened=False), AutoModelForCausalLM.from_pretrained(family).eval()
    labels, batch = make_labels(load_tokenizer(family), TEXTS), make_batch()
    tokens = torch.cat([labels.new_full((3, 1), model.config.decoder_start_token_id), labels[:, :-1]], dim=1)
    tokens = tokens.clamp(min=0)
    with torch.no_grad():
        got, want = model(**batch, decoder_input_ids=tokens).logits, plain(tokens).logits
    torch.testing.assert_close(got, want, rtol=1e-4, atol=1e-4)
    loss = model(**batch, labels=labels).loss
    loss.backward()
    assert all(block.gates.grad.abs().min() > 0 for block in model.gates.blocks)


@pytest.mark.parametrize("modalities", ["image", "text", "both"])
def test_open_gates_let_in_what_the_model_reads(family, modalities):
    model, batch, others = _model(family, modalities=modalities), make_batch(), make_batch(seed=1)
    ids = torch.ones(3, 2, dtype=torch.long)
    with torch.no_grad():
        logits = model(**batch, decoder_input_ids=ids).logits
        photos = model(**(batch | {"images": others["images"]}), decoder_input_ids=ids).logits
        history = model(**(batch | {"history": others["history"]}), decoder_input_ids=ids).logits
    for other, read in ((photos, modalities != "text"), (history[:2], modalities != "image")):
        difference = (logits[: len(other)] - other).abs().amax(dim=(1, 2))
        assert (difference > 1e-3).all() if read else (difference == 0).all()


@pytest.mark.parametrize("padded", ["labels", "images", "history", "swapped"])
def test_padding_changes_nothing(family, padded):
    model, tokenizer, batch = _model(family), load_tokenizer(family), make_batch(sizes=((2, 3), (1, 4), (3, 2)))
    batch["labels"], batch["swapped"] = make_labels(tokenizer, TEXTS), make_labels(tokenizer, TEXTS[::-1])
    longer = dict(batch)
    if padded in ("labels", "swapped"):
        longer[padded] = F.pad(batch[padded], (0, 7), value=-100)
    else:
        longer[padded] = F.pad(batch[padded], (0, 0, 0, 2), value=math.nan)
        longer[MASKS[padded]] = F.pad(batch[MASKS[padded]], (0, 2))
    want, got = model(**batch), model(**longer)
    for name in ("loss", "visual", "history", "target", "swapped"):
        torch.testing.assert_close(got[name], want[name], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("strategy", [{}, {"num_beams": 3}], ids=["greedy", "beam"])
def test_the_cache_and_the_batch_change_nothing(family, strategy):
    model, batch = _model(family), make_batch()
    texts = [model.generate(**batch, use_cache=use_cache, **strategy) for use_cache in (True, False)]
    assert torch.equal(*texts) and texts[0][:, 1:].unique().numel() > 3
    for row in range(3):
        sizes = {name: batch[mask][row].sum() for name, mask in MASKS.items()}
        own = {name: batch[name][row : row + 1, :size] for name, size in sizes.items()}
        alone = model.generate(**own, **strategy)
        assert torch.equal(alone[0], texts[0][row, : alone.shape[1]])


def test_texts_that_are_read_alone_pass_no_block(family):
    model, batch = _model(family, target_attends=False), make_batch()
    batch["labels"] = make_labels(load_tokenizer(family), TEXTS)
    target, other = model(**batch).target, model(**batch | {"images": make_batch(seed=1)["images"]}).target
    assert torch.equal(target, other)


@pytest.mark.parametrize("rank", [0, 4])
def test_save_and_load_with_blocks_and_adapters_alone(llama, rank, tmp_path):
    model, batch = _model(llama, lora_rank=rank), make_batch()
    model.save_pretrained(tmp_path)
    saved = load_file(tmp_path / "model.safetensors")
    decoder = {name for name in saved if name.startswith("decoder.")}
    assert decoder and all("lora_" in name for name in decoder) == bool(rank)
    assert saved.keys() == {name for name, weight in model.named_parameters() if weight.requires_grad}
    assert any(name.startswith("gates.") for name in saved)
    assert json.loads((tmp_path / "config.json").read_text())["gated"] is True
    again = ShowcaseGenerator.from_pretrained(tmp_path).eval()
    assert torch.equal(model.generate(**batch), again.generate(**batch))


def test_gpt2_without_lora_keeps_its_cross_attention(decoder):
    model = ShowcaseGenerator.from_decoder(decoder, fusion="gated", feature_dim=DIM)
    assert model.gates is None and model.prefix is None and model.config.decoder.add_cross_attention


def test_attention_of_words_to_photos_and_reviews(world, llama):
    corpus = make_corpus(world, make_settings(llama, fusion="gated"))
    torch.manual_seed(0)
    model = find_system("ours_ce").build(corpus)
    table = word_attention(model, corpus.tokenizer, corpus.dataset("val"), 0)
    assert [name.split()[0] for name in table.columns].count("review") == 3
    assert table.sum(axis=1).to_numpy() == pytest.approx(1, abs=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("changes", [{}, {"lora_rank": 4, "lr": 1e-2, "gradient_checkpointing": True}], ids=str)
def test_all_terms_fall(world, llama, tmp_path, changes):
    corpus = make_corpus(world, make_settings(llama, fusion="gated", epochs=6, batch_size=8, **changes))
    folder = train_system(tmp_path, "ours_pc2l", corpus, 0, "cpu", False)
    log = pd.read_csv(folder / "log.csv").query("split == 'train'")
    for term in ("ce", "ccl", "pcl"):
        assert log[term].iloc[-3:].mean() < 0.9 * log[term].iloc[:3].mean(), term
    assert load_system(folder).gates is not None


@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, 32])
def test_sixteen_samples_to_the_letter(world, llama, rank):
    """By their photos: the texts have nothing in common with a user's other ones."""
    corpus = make_corpus(world, make_settings(llama, lora_rank=rank, fusion="gated"))
    dataset = corpus.dataset("train")
    samples = [dataset[index] for index in range(0, 48, 3)]
    torch.manual_seed(0)
    model = find_system("img_gpt2").build(corpus).train()
    batch = collate(samples)
    learn_by_heart(model, batch, 5e-3, 150, 0.03)
    written = write_texts(model.eval(), corpus.tokenizer, samples)
    assert written == [dataset.texts[index] for index in range(0, 48, 3)] and len(set(written)) > 12
