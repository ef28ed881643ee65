"""The captioner: its samples are true to the albums, and a few steps make a model that systems start from."""

import numpy as np
import pytest

from showcase_utils.backbones.albums import SIDE, Album
from showcase_utils.backbones.captioner_training import draw_samples, make_captioner
from showcase_utils.backbones.recipe import CaptionerRecipe
from showcase_utils.demo_world.visits import imagine
from showcase_utils.generation.model import ShowcaseGenerator
from showcase_utils.recipes import BACKBONES

CITY = {"restaurants": 8, "users": 60, "reviews": 200, "photos": 320}


def _album(seed):
    """Photos of noise: what they show is of no matter here."""
    world = imagine(seed, **CITY)
    shots = [(photo, review, number) for review in world.reviews for number, photo in enumerate(review.photos)]
    photos, reviews, _ = zip(*shots, strict=True)
    pixels = np.random.default_rng(seed).integers(0, 255, size=(len(shots), SIDE, SIDE, 3), dtype=np.uint8)
    sentences = tuple(tuple(s.text for s in review.sentences if n in s.photos) for _, review, n in shots)
    return Album(pixels, photos, reviews, sentences)


def test_every_sample_is_of_its_users_photos_and_says_what_they_show():
    album = _album(500)
    samples = draw_samples(album, CaptionerRecipe(blind=0.2, stranger=0.2), np.random.default_rng(0))
    owner = {photo.image_id: review for photo, review in zip(album.photos, album.reviews, strict=True)}
    said = {photo.image_id: set(told) for photo, told in zip(album.photos, album.sentences, strict=True)}
    texts = {review.review_id: review for review in album.reviews}
    assert samples["review_id"].is_unique
    sizes, blind = [], 0
    for row in samples.itertuples():
        sizes.append(len(row.image_ids))
        blind += not row.image_ids
        businesses = {owner[photo].business_id for photo in row.image_ids}
        assert {owner[photo].user_id for photo in row.image_ids} <= {row.user_id}
        for past in row.history:
            assert texts[past].user_id == row.user_id and texts[past].business_id not in businesses
            assert texts[past].text not in row.text
        if row.image_ids:
            left = row.text
            for sentence in sorted(set().union(*(said[photo] for photo in row.image_ids)), key=len, reverse=True):
                left = left.replace(sentence, "")
            assert not left.strip()
    assert max(sizes) > 2 and 0.1 < blind / len(samples) < 0.3
    assert (samples["history"].str.len() > 0).any() and (samples["history"].str.len() == 0).any()


@pytest.mark.slow
def test_a_few_steps_make_a_captioner(tmp_path):
    for name in ("clip", "gpt2"):
        (tmp_path / name).symlink_to(BACKBONES / name)
    recipe = CaptionerRecipe(batch=16, epochs=1, max_steps=6)
    quality = make_captioner(tmp_path / "captioner", [_album(500)], _album(501), recipe, progress=False)
    assert quality["samples"] == 96 and 0 <= quality["right"] <= 1 and 0 <= quality["recall"] <= 1
    model = ShowcaseGenerator.from_pretrained(tmp_path / "captioner")
    assert model.config.features and model.config.decoder.name_or_path == "embedded"
    assert model.config.encoder_layers == 2 and model.config.modalities == "both" and not model.phi
    assert quality["parameters"] == sum(weight.numel() for weight in model.parameters())
    assert (tmp_path / "captioner" / "tokenizer.json").is_file()
    assert (tmp_path / "captioner" / "model.safetensors").stat().st_size < 8e6
