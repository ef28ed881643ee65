import json
import re
import zlib

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from tokenizers import ByteLevelBPETokenizer
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

from showcase_utils.artifacts import Artifacts, StaleStage
from showcase_utils.config import load_settings
from showcase_utils.data.frames import save_reviews
from showcase_utils.encoding.clip import Features
from showcase_utils.encoding.features import write_features
from showcase_utils.generation.gpt2 import load_tokenizer
from showcase_utils.generation.model import ShowcaseGenerator
from showcase_utils.selection.dpp import greedy_map
from showcase_utils.selection.pools import build_pools
from showcase_utils.selection.profile import ProfileModel
from showcase_utils.showcase import Showcases, page

DIM = 8
USERS, BUSINESSES = [f"user{i}" for i in range(5)], [f"place{i}" for i in range(4)]


def frames(folder):
    rng = np.random.default_rng(0)
    reviews, images = [], []
    for user in USERS:
        for business in rng.choice(BUSINESSES, 3, replace=False):
            review_id = f"{user}_{business}"
            ids = [f"{review_id}-{i}" for i in range(rng.integers(1, 4))]
            for image_id in ids:
                path = folder / f"{image_id}.jpg"
                Image.new("RGB", (64, 48), tuple(rng.integers(0, 255, 3).tolist())).save(path)
                images.append((image_id, review_id, business, "", str(path), "ok"))
            reviews.append((review_id, user, business, 5, f"The <tacos> & tea of {business}.", ids))
    columns = ["review_id", "user_id", "business_id", "rating", "text", "image_ids"]
    s1 = pd.DataFrame(reviews, columns=columns).assign(split="test")
    return s1, pd.DataFrame(images, columns=["image_id", "review_id", "business_id", "url", "path", "status"])


def write_store(folder, ids):
    def stream(sources, batches):
        for batch in batches:
            rows = np.stack([np.random.default_rng(zlib.crc32(sources[i].encode())).normal(size=DIM) for i in batch])
            yield Features((rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32), list(batch), [])

    write_features(folder, ids, ids, stream, dim=DIM, fingerprint="f", dtype="float32", shard_rows=64, batch_size=8,
                   unit="rows", progress=False)  # fmt: skip


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Artifacts of a run whose models are small and random."""
    root = tmp_path_factory.mktemp("artifacts")
    store = Artifacts(load_settings("smoke", "generation.max_tokens=12"), root)
    pictures = tmp_path_factory.mktemp("photos")
    s1, images = frames(pictures)
    torch.manual_seed(0)

    def data(out):
        save_reviews(s1, out / "s1.parquet")
        images.to_parquet(out / "images.parquet")

    def features(out):
        write_store(out / "photos", images["image_id"].tolist())
        write_store(out / "reviews", s1["review_id"].tolist())

    def selection(out):
        ProfileModel(DIM, "img+text", 0.9, 0.5, learn_kernel=True).save_pretrained(out / "models" / "img+text-0")

    def generation(out):
        bpe = ByteLevelBPETokenizer()
        bpe.train_from_iterator(s1["text"], vocab_size=300, special_tokens=["<|endoftext|>"])
        decoder = pictures / "decoder"
        PreTrainedTokenizerFast(
            tokenizer_object=bpe._tokenizer, eos_token="<|endoftext|>", bos_token="<|endoftext|>"
        ).save_pretrained(decoder)
        config = GPT2Config(
            vocab_size=300, n_positions=16, n_embd=16, n_layer=1, n_head=2, bos_token_id=0, eos_token_id=0
        )
        GPT2LMHeadModel(config).save_pretrained(decoder)
        model = ShowcaseGenerator.from_decoder(str(decoder), max_tokens=12, feature_dim=DIM, encoder_layers=1)
        model.save_pretrained(out / "ours_pc2l-0")
        load_tokenizer(decoder).save_pretrained(out / "ours_pc2l-0")
        (out / "ours_pc2l-0" / "training.json").write_text(json.dumps({"system": "ours_pc2l"}))

    for name, build in {"world": lambda out: (out / "x").touch(), "data": data, "features": features,
                        "alignment": lambda out: (out / "x").touch(), "selection": selection,
                        "generation": generation}.items():  # fmt: skip
        store.make(name, build)
    return store


@pytest.fixture(scope="module")
def showcases(store):
    return Showcases.load(store)


def test_a_showcase_has_photos_of_the_business_and_a_text(showcases):
    showcase = showcases.explain("user0", "place1", k=2)
    assert len(showcase.image_ids) == len(showcase.photos) == 2
    assert all(f"_{showcase.business_id}-" in image_id for image_id in showcase.image_ids)
    assert [path.stem for path in showcase.photos] == list(showcase.image_ids)
    assert isinstance(showcase.text, str)
    assert showcase == showcases.explain("user0", "place1", k=2)


def test_the_user_is_known_by_other_businesses_only(showcases):
    for user in USERS:
        showcase = showcases.explain(user, "place1")
        assert not any("place1" in text for text in showcase.past_texts)
        assert all(f"{user}_" in path.stem and "place1" not in path.stem for path in showcase.past_photos)
        others = showcases.reviews.query("user_id == @user and business_id != 'place1'")
        assert showcase.past_texts == tuple(others["text"])


def test_the_picks_are_those_of_the_selection_notebook(showcases):
    s = showcases
    pools = build_pools(s.reviews, s.images, s.photo_features, s.review_features, s.settings.selection.history)
    checked = 0
    for review in s.reviews.itertuples():
        row = pools.row(review.review_id)
        batch = pools.batch([row])
        with torch.no_grad():
            picks = greedy_map(s.selector.kernel(batch), 3, batch.present)[0].numpy()
        assert list(s.explain(review.user_id, review.business_id, k=3).image_ids) == pools.ids(row, picks)
        checked += 1
    assert checked == 15


def test_a_place_the_user_never_saw_can_be_explained(showcases):
    user, business = next((u, b) for u in USERS for b in BUSINESSES if u not in showcases.users_of(b))
    showcase = showcases.explain(user, business, k=3)
    assert 1 <= len(showcase.photos) <= 3 and len(showcase.past_texts) == 3


def test_more_photos_than_there_are_gives_all(showcases):
    all_photos = (showcases.images["business_id"] == "place2").sum()
    assert len(showcases.explain("user1", "place2", k=99).photos) == all_photos


def test_the_page_is_self_contained_and_escaped(showcases):
    showcase = showcases.explain("user0", "place1", k=2)
    html = showcase.to_html()
    assert html.count("data:image/jpeg;base64,") == 2 + min(4, len(showcase.past_photos))
    assert not re.search(r'(src|href)="(?!data:)', html)
    assert "&lt;tacos&gt; &amp; tea" in html and "<tacos>" not in html
    fragment = showcase._repr_html_()
    assert "<html" not in fragment and "data:image/jpeg" in fragment
    both = page([showcase, showcases.explain("user2", "place1", k=2)], "One place, two users")
    assert both.count('class="showcase"') == 2


def test_unknown_ids_and_missing_stages_are_named(showcases, store, tmp_path):
    with pytest.raises(KeyError, match="user_id user9 is not in GEST-s1 of profile 'smoke'; did you mean user"):
        showcases.explain("user9", "place1")
    with pytest.raises(KeyError, match="business_id nowhere"):
        showcases.explain("user0", "nowhere")
    with pytest.raises(ValueError, match="k = 0"):
        showcases.explain("user0", "place1", k=0)
    with pytest.raises(FileNotFoundError, match="img_gpt2-0"):
        Showcases.load(store, system="img_gpt2")
    with pytest.raises(StaleStage, match="01_data_filtering"):
        Showcases.load(tmp_path)
