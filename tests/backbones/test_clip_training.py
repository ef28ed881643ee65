"""The parts of the CLIP's training: its loss, its batches, its short way through the text tower."""

from collections import Counter

import numpy as np
import open_clip
import pytest
import torch
from torch.nn import functional as F

from showcase_utils.backbones.albums import SIDE, Album, labels, paint_album, term_columns
from showcase_utils.backbones.captions import ATTRIBUTES, TERMS, bag_of_terms, caption, full_caption, look_words
from showcase_utils.backbones.clip_quality import retrieval
from showcase_utils.backbones.clip_training import NEIGHBOURS, Lessons, clip_config, contrast, encode_text
from showcase_utils.backbones.recipe import ClipRecipe
from showcase_utils.demo_world.cameras import Look
from showcase_utils.demo_world.naming import names
from showcase_utils.demo_world.scenes import Scene
from showcase_utils.demo_world.visits import imagine

DISH = Scene("dish", "tacos", "shrimp", "grilled", ("avocado", "lemon"), "salsa verde", "iron pan")
ROOM = Scene("interior", ambience="candlelit")


@pytest.fixture(scope="module")
def album():
    """A city without a brush: every photo is grey, with its number in the first pixels."""
    world = imagine(3, 16, 120, 420, 640)
    told = [(photo, review, n) for review in world.reviews for n, photo in enumerate(review.photos)]
    pixels = np.full((len(told), SIDE, SIDE, 3), 128, np.uint8)
    sentences = (tuple(s.text for s in review.sentences if n in s.photos) for _, review, n in told)
    photos, reviews, _ = zip(*told, strict=True)
    return Album(pixels, photos, reviews, tuple(sentences))


def test_the_loss_is_open_clips_where_all_scenes_differ():
    torch.manual_seed(0)
    images, texts = (F.normalize(torch.randn(6, 8), dim=-1).requires_grad_() for _ in range(2))
    scale = torch.tensor(9.0)
    ours = contrast(images, texts, scale, torch.arange(6))
    theirs = open_clip.ClipLoss()(images, texts, scale)
    assert torch.allclose(ours, theirs)
    assert torch.allclose(*(torch.autograd.grad(loss, images)[0] for loss in (ours, theirs)), atol=1e-6)


def test_the_text_of_another_photo_of_the_same_scene_is_right_too():
    images = torch.eye(4)
    swapped = images[[1, 0, 2, 3]]
    scale, scenes = torch.tensor(4.0), torch.tensor([0, 0, 1, 2])
    assert contrast(images, swapped, scale, scenes).item() == pytest.approx(
        contrast(images, images, scale, scenes).item()
    )
    assert contrast(images, swapped, scale, torch.arange(4)) > contrast(images, images, scale, torch.arange(4)) + 1


def test_the_short_way_through_the_text_tower_is_the_long_one():
    torch.manual_seed(0)
    model = open_clip.CLIP(**clip_config(600, 32)).eval()
    ids = torch.zeros(9, 48, dtype=torch.long)
    for row, length in enumerate((3, 48, 9, 5, 20, 4, 31, 3, 12)):
        ids[row, :length] = torch.randint(3, 600, (length,))
        ids[row, 0], ids[row, length - 1] = 1, 2
    with torch.no_grad():
        assert torch.allclose(encode_text(model, ids), model.encode_text(ids), atol=1e-5)


def test_a_batch_has_neighbours_and_an_epoch_has_every_photo_once(album):
    lessons = Lessons([album], ClipRecipe())
    batches = list(lessons.neighbours(64, np.random.default_rng(0)))
    seen = np.concatenate(batches)
    assert len(set(seen)) == len(seen) > len(album) - 64
    alike = [Counter(lessons.families[i] for i in batch).most_common(1)[0][1] for batch in batches]
    assert np.mean(alike) >= NEIGHBOURS
    shuffled = np.concatenate(list(lessons.shuffled(64, np.random.default_rng(0))))
    assert len(set(shuffled)) == len(shuffled) == len(seen)


def test_images_are_crops_of_the_right_size_and_range(album):
    lessons = Lessons([album], ClipRecipe())
    images = lessons.images(np.arange(5), 48, np.random.default_rng(0))
    assert images.shape == (5, 3, 48, 48)
    assert images.mean().item() == pytest.approx(128 / 127.5 - 1, abs=1e-3)


def test_texts_are_captions_sentences_and_reviews(album):
    lessons, rng = Lessons([album], ClipRecipe()), np.random.default_rng(0)
    texts = set(lessons.texts(np.arange(len(album)), rng))
    said = {text for sentences in album.sentences for text in sentences}
    whole = {review.text for review in album.reviews}
    assert texts & said and texts & whole and len(texts - said - whole) > len(texts) / 3


@pytest.mark.parametrize("scene", [DISH, ROOM, Scene("drink", drink="beer"), Scene("dessert", dessert="flan")])
def test_captions_name_what_is_seen_and_nothing_else(scene):
    assert names(full_caption(scene), scene)
    rng = np.random.default_rng(0)
    captions = {caption(scene, None, rng) for _ in range(60)}
    assert all(names(text, scene) for text in captions)
    assert len(captions) > 3
    unseen = set(sum(ATTRIBUTES.values(), ())) - {scene.kind, scene.name}
    unseen -= {v for field in vars(scene).values() for v in ((field,) if isinstance(field, str) else field)}
    assert not any(f" {word} " in f" {text} " for text in captions for word in unseen if word not in scene.name)


def test_a_look_is_a_word_at_times():
    look = Look(warmth=0.2, exposure=-0.3, filter="faded", filter_strength=1.0)
    assert look_words(look) == ["warm", "dark", "faded"]
    assert look_words(None) == []
    rng = np.random.default_rng(0)
    texts = [caption(ROOM, look, rng) for _ in range(200)]
    named = [any(word in text for word in ("warm", "dark", "faded")) for text in texts]
    assert 0.15 < np.mean(named) < 0.45


def test_a_bag_has_the_terms_of_the_scene():
    bag = bag_of_terms(DISH, Look(warmth=0.2))
    present = {TERMS[i][1] for i in np.flatnonzero(bag)}
    assert present == {"dish", "tacos", "shrimp", "grilled", "avocado", "lemon", "salsa verde", "iron pan", "warm"}
    assert [value for _, value in TERMS[term_columns("sauce")]] == list(ATTRIBUTES["sauce"])
    assert labels([DISH, ROOM], "sauce").tolist() == [ATTRIBUTES["sauce"].index("salsa verde"), -1]


def test_retrieval_tells_a_perfect_eye_from_a_blind_one(album):
    def perfect(texts):
        return np.eye(len(lookup))[[lookup[text] for text in texts]]

    lookup: dict[str, int] = {}
    for scene, sentences in zip(album.scenes, album.sentences, strict=True):
        lookup.setdefault(full_caption(scene), len(lookup))
        for text in sentences[:1]:
            lookup.setdefault(text, len(lookup))
    images = perfect([full_caption(scene) for scene in album.scenes])
    assert retrieval(images, perfect, album, 0)["caption_image_to_text_r1"] == 1.0
    blind = retrieval(np.ones_like(images), perfect, album, 0)
    assert blind["caption_image_to_text_r1"] < 0.2


def test_an_album_is_painted_once(tmp_path, monkeypatch):
    world = imagine(3, 4, 6, 12, 14)
    first = paint_album(world, tmp_path, progress=False)
    assert first.pixels.shape == (len(first), SIDE, SIDE, 3) and first.pixels.std() > 20
    monkeypatch.setattr("showcase_utils.backbones.albums.paint_all", None)
    assert (paint_album(world, tmp_path, progress=False).pixels == first.pixels).all()
    with pytest.raises(TypeError):
        paint_album(imagine(3, 4, 6, 12, 14, signature=0.0), tmp_path, progress=False)
