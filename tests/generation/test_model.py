"""ShowcaseGenerator: shapes, padding, the end token, caches, saving."""

import math
import shutil

import pytest
import torch
from torch.nn import functional as F
from transformers import GPT2Config, GPT2LMHeadModel, T5Config

from showcase_utils.generation.gpt2 import IGNORED, load_tokenizer
from showcase_utils.generation.model import ShowcaseGenerator
from tests.generation.inputs import DIM, MASKS, TEXTS, make_batch, make_labels


def _fresh(decoder, modalities="both", **shapes):
    torch.manual_seed(0)
    shapes = {"contrast_visual": True, "contrast_history": True, "encoder_layers": 2} | shapes
    return ShowcaseGenerator.from_decoder(decoder, max_tokens=12, feature_dim=DIM, modalities=modalities, **shapes)


def _model(decoder, modalities="both", **shapes):
    model = _fresh(decoder, modalities, **shapes).eval()
    # untrained cross-attention barely matters: make the output depend on what it attends to
    generator = torch.Generator().manual_seed(1)
    for name, weight in model.named_parameters():
        if "crossattention" in name and name.endswith("weight"):
            weight.data = torch.randn(weight.shape, generator=generator) * 0.3
    return model


@pytest.mark.parametrize("modalities", ["image", "text", "both"])
def test_reads_its_modalities_and_no_other(decoder, modalities):
    model, batch = _model(decoder, modalities), make_batch()
    ids = torch.ones(3, 1, dtype=torch.long)
    with torch.no_grad():
        logits = model(**batch, decoder_input_ids=ids).logits
        other_photos = model(**(batch | {"images": batch["images"].flip(0)}), decoder_input_ids=ids).logits
        other_history = model(**(batch | {"history": batch["history"].flip(0)}), decoder_input_ids=ids).logits
    assert logits.shape == (3, 1, model.config.decoder.vocab_size)
    assert torch.equal(logits, other_photos) == (modalities == "text")
    assert torch.equal(logits[:2], other_history[:2]) == (modalities == "image")


def test_missing_or_misshapen_features_are_named(decoder):
    model, batch = _model(decoder), make_batch()
    with pytest.raises(ValueError, match="give 'history'"):
        model(images=batch["images"], decoder_input_ids=torch.ones(3, 1, dtype=torch.long))
    with pytest.raises(ValueError, match=r"'images' must be \(B, m, 16\)"):
        model(**(batch | {"images": torch.ones(3, 2, 5)}), decoder_input_ids=torch.ones(3, 1, dtype=torch.long))
    with pytest.raises(ValueError, match="labels"):
        model(**batch)


def test_every_weight_of_the_checkpoint_is_taken(decoder):
    model, plain = _model(decoder), GPT2LMHeadModel.from_pretrained(decoder)
    weights = dict(model.decoder.named_parameters())
    assert len(list(plain.named_parameters())) > 20
    for name, weight in plain.named_parameters():
        if "crossattention" not in name:
            assert torch.equal(weights[name], weight), name


def test_no_checkpoint_is_a_clear_error(tmp_path):
    with pytest.raises(OSError):
        ShowcaseGenerator.from_decoder(tmp_path / "nothing")


@pytest.mark.parametrize("end", [0, [2, 0], None])
def test_texts_end_with_the_token_that_ends_themake_labels(decoder, end, tmp_path):
    """Whatever the checkpoint's config calls the end token."""
    folder = shutil.copytree(decoder, tmp_path / "decoder")
    config = GPT2Config.from_pretrained(folder)
    config.eos_token_id = end
    config.save_pretrained(folder)
    tokenizer = load_tokenizer(folder)
    model = ShowcaseGenerator.from_decoder(folder, max_tokens=12, feature_dim=DIM)
    assert tokenizer.eos_token_id == 2
    assert model.config.eos_token_id == model.generation_config.eos_token_id == model.config.decoder.eos_token_id == 2
    model.decoder.lm_head.weight.data.zero_()
    model.decoder.lm_head.weight.data[2] = model.decoder.transformer.ln_f.bias.data[:] = 1.0
    model.decoder.transformer.ln_f.weight.data.zero_()
    assert model.eval().generate(**make_batch())[:, 1:].tolist() == [[2]] * 3


def test_a_checkpoint_that_does_not_fit_says_what_to_do(decoder, tmp_path):
    with pytest.raises(ValueError, match="64 positions, fewer than 65 tokens: set generation.max_tokens to 64"):
        ShowcaseGenerator.from_decoder(decoder, max_tokens=65)
    ShowcaseGenerator.from_decoder(decoder, max_tokens=64)
    folder = shutil.copytree(decoder, tmp_path / "decoder")
    tokenizer = load_tokenizer(folder)
    tokenizer.add_tokens(["<|more|>"])
    tokenizer.save_pretrained(folder)
    with pytest.raises(ValueError, match="resize_token_embeddings"):
        ShowcaseGenerator.from_decoder(folder)
    T5Config().save_pretrained(tmp_path / "t5")
    with pytest.raises(ValueError, match="is a 't5': give a causal language model"):
        ShowcaseGenerator.from_decoder(tmp_path / "t5")


def test_an_empty_text_is_no_nan(decoder):
    model, batch = _model(decoder), make_batch()
    labels = torch.full((3, 4), IGNORED)
    output = model(**batch, labels=labels)
    assert output.loss.item() == 0
    output.loss.backward()
    assert all(weight.grad is None or weight.grad.isfinite().all() for weight in model.parameters())


@pytest.mark.parametrize(
    ("padded", "value"),
    [("labels", IGNORED), ("swapped", IGNORED), *((name, value) for name in MASKS for value in (5.0, math.nan))],
)
def test_padding_changes_nothing(decoder, padded, value):
    model, tokenizer, batch = _model(decoder), load_tokenizer(decoder), make_batch(sizes=((2, 3), (1, 4), (3, 2)))
    batch["labels"], batch["swapped"] = make_labels(tokenizer, TEXTS), make_labels(tokenizer, TEXTS[::-1])
    longer = dict(batch)
    if padded in MASKS:
        longer[padded] = F.pad(batch[padded], (0, 0, 0, 2), value=value)
        longer[MASKS[padded]] = F.pad(batch[MASKS[padded]], (0, 2))
    else:
        longer[padded] = F.pad(batch[padded], (0, 7), value=value)
    outputs = []
    for inputs in (batch, longer):
        model.zero_grad()
        output = model(**inputs)
        total = output.loss + sum(getattr(output, name).sum() for name in ("visual", "history", "target", "swapped"))
        total.backward()
        outputs.append((output, [weight.grad.clone() for weight in model.parameters()]))
    for name in ("loss", "visual", "history", "target", "swapped"):
        torch.testing.assert_close(outputs[0][0][name], outputs[1][0][name], rtol=1e-5, atol=1e-5)
    for want, got in zip(outputs[0][1], outputs[1][1], strict=True):
        torch.testing.assert_close(got, want, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("which", ["decoder", "decoder_without_pad"])
def test_cross_entropy_is_that_of_the_real_tokens_and_the_end_token(which, request):
    folder = request.getfixturevalue(which)
    model, tokenizer, batch = _model(folder), load_tokenizer(folder), make_batch()
    labels = make_labels(tokenizer, TEXTS)
    total = 0.0
    for row, label in enumerate(labels):
        label = label[label != IGNORED]
        assert label[-1] == tokenizer.eos_token_id
        inputs = torch.cat([torch.tensor([model.config.decoder_start_token_id]), label[:-1]])
        sample = {name: value[row : row + 1] for name, value in batch.items()}
        logits = model(**sample, decoder_input_ids=inputs.unsqueeze(0)).logits[0]
        for position, token in enumerate(label):
            total -= torch.log_softmax(logits[position], dim=-1)[token]
    loss = model(**batch, labels=labels).loss
    torch.testing.assert_close(loss, total / (labels != IGNORED).sum(), rtol=1e-5, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("which", ["decoder", "decoder_without_pad"])
def test_the_end_token_is_learned_with_and_without_a_pad_token(which, request):
    """After a few steps the model says its texts and stops, also where pad, start and end are one token."""
    folder = request.getfixturevalue(which)
    model, tokenizer, batch = _fresh(folder).train(), load_tokenizer(folder), make_batch()
    labels = make_labels(tokenizer, TEXTS, pad_to=30)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(100):
        optimizer.zero_grad()
        loss = model(**batch, labels=labels).loss
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.05
    model.eval()
    generated = model.generate(**batch, max_new_tokens=25)
    assert generated.shape[1] < 25
    assert tokenizer.batch_decode(generated, skip_special_tokens=True) == TEXTS


@pytest.mark.parametrize(
    ("modalities", "strategy"),
    [
        ("image", {}),
        ("text", {}),
        ("both", {}),
        ("both", {"num_beams": 3}),
        ("both", {"do_sample": True, "top_k": 5}),
        ("both", {"do_sample": True, "top_k": 0, "top_p": 0.9}),
    ],
    ids=str,
)
def test_the_cache_changes_nothing(decoder, modalities, strategy):
    model, batch = _model(decoder, modalities), make_batch()
    texts = []
    for use_cache in (True, False):
        torch.manual_seed(3)
        texts.append(model.generate(**batch, use_cache=use_cache, **strategy))
    assert torch.equal(*texts)
    assert texts[0].shape[0] == 3 and texts[0][:, 1:].unique().numel() > 3


def test_greedy_is_the_likeliest_token_at_every_step(decoder):
    model, batch = _model(decoder), make_batch()
    generated = model.generate(**batch)
    for length in range(1, generated.shape[1]):
        logits = model(**batch, decoder_input_ids=generated[:, :length]).logits[:, -1]
        going = (generated[:, 1:length] != model.config.eos_token_id).all(dim=1)
        assert torch.equal(logits.argmax(-1)[going], generated[going, length])


def test_cross_attention_keys_are_computed_once(decoder):
    model, batch = _model(decoder), make_batch()
    calls = []
    keys = model.decoder.transformer.h[0].crossattention.c_attn
    hook = keys.register_forward_hook(lambda *_: calls.append(1))
    model.generate(**batch, max_new_tokens=6, eos_token_id=-1)
    hook.remove()
    assert len(calls) == 1


@pytest.mark.parametrize("strategy", [{}, {"num_beams": 3}], ids=["greedy", "beam"])
def test_a_sample_is_generated_alike_alone_and_in_amake_batch(decoder, strategy):
    model, batch = _model(decoder), make_batch()
    together = model.generate(**batch, **strategy)
    for row in range(3):
        photos, reviews = batch["image_mask"][row].sum(), batch["history_mask"][row].sum()
        alone = model.generate(
            images=batch["images"][row : row + 1, :photos],
            history=batch["history"][row : row + 1, :reviews],
            **strategy,
        )
        assert torch.equal(alone[0], together[row, : alone.shape[1]])


def test_several_samples_per_input(decoder):
    model, batch = _model(decoder), make_batch()
    assert model.generate(**batch, do_sample=True, num_return_sequences=4).shape[0] == 12


@pytest.mark.parametrize("modalities", ["image", "both"])
def test_save_and_load_keep_weights_tied_and_output(decoder, modalities, tmp_path):
    model, batch = _model(decoder, modalities), make_batch()
    model.save_pretrained(tmp_path)
    assert (tmp_path / "model.safetensors").is_file() and not list(tmp_path.glob("*.bin"))
    again = ShowcaseGenerator.from_pretrained(tmp_path).eval()
    assert again.decoder.lm_head.weight is again.decoder.transformer.wte.weight
    assert torch.equal(model.generate(**batch), again.generate(**batch))
    assert again.generation_config.max_new_tokens == 12
    for (name, want), (other, got) in zip(model.named_parameters(), again.named_parameters(), strict=True):
        assert name == other and torch.equal(want, got)


def test_the_hard_negative_costs_one_decoder_pass_without_head(decoder):
    model, tokenizer, batch = _model(decoder), load_tokenizer(decoder), make_batch()
    calls = {"encoder": 0, "transformer": 0, "lm_head": 0}

    def counting(name):
        def hook(*_):
            calls[name] += 1

        return hook

    model.encoder.register_forward_hook(counting("encoder"))
    model.decoder.transformer.register_forward_hook(counting("transformer"))
    model.decoder.lm_head.register_forward_hook(counting("lm_head"))
    model(**batch, labels=make_labels(tokenizer, TEXTS))
    assert calls == {"encoder": 1, "transformer": 1, "lm_head": 1}
    model(**batch, labels=make_labels(tokenizer, TEXTS), swapped=make_labels(tokenizer, TEXTS[::-1]))
    assert calls == {"encoder": 2, "transformer": 3, "lm_head": 2}


def test_without_contrast_there_is_no_unused_parameter(decoder):
    model = _model(decoder, contrast_visual=False, contrast_history=False).train()
    tokenizer, batch = load_tokenizer(decoder), make_batch()
    model(**batch, labels=make_labels(tokenizer, TEXTS)).loss.backward()
    assert [name for name, weight in model.named_parameters() if weight.grad is None] == []


def test_every_attention_is_the_fused_kernel_in_training(decoder, monkeypatch):
    """Two layers of encoder, two of GPT-2 with self- and cross-attention: six calls, none of them eager."""
    model = ShowcaseGenerator.from_decoder(decoder, feature_dim=DIM, encoder_layers=2).train()
    assert model.decoder.config._attn_implementation == "sdpa"
    shapes, fused = [], torch.nn.functional.scaled_dot_product_attention

    def counted(query, key, *args, **kwargs):
        shapes.append((query.shape[-2], key.shape[-2]))
        return fused(query, key, *args, **kwargs)

    monkeypatch.setattr(torch.nn.functional, "scaled_dot_product_attention", counted)
    batch = {"images": torch.randn(3, 2, DIM), "history": torch.randn(3, 5, DIM)}
    model(**batch, labels=torch.randint(0, 100, (3, 9))).loss.backward()
    assert shapes == [(7, 7)] * 2 + [(9, 9), (9, 7)] * 2
