"""The rule that decides what is told; the writers around it."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch

from showcase_utils.config import Telling
from showcase_utils.generation.quotes import Bounds, Quotes
from showcase_utils.generation.telling import ALL, Candidate, Pool, Request, Teller, text_of
from showcase_utils.generation.tone import Tone, speaks_of_its_writer
from tests.generation.conftest import DIM, Store

EVEN = Tone(pd.DataFrame({"phrase": [""], "weight": [1.0]}))
PLAIN = Telling(
    quotes_first=False, each_photo=False, sure=False, nearness=0.0, agreement=0.0, tone=0.0, manner=0.0, variety=0.0
)


class Cosine:
    """In Φ's place: the cosine."""

    variant, threshold, fingerprint = "cosine", 0.5, ""

    def score(self, image, sentence):
        return np.clip((image * sentence).sum(axis=1), 0, 1)


def _quotes():
    rows = pd.DataFrame({"sentence_id": ["s1", "s2"], "text": ["ramen.", "pho."], "image_id": ["p1", "p2"]})
    return Quotes.gather(rows.assign(business_id="b"), Store(["p1", "p2"], 1), Store(["s1", "s2"], 1))


def _encode(texts):
    rows = [np.random.default_rng(sum(map(ord, text))).normal(size=DIM) for text in texts]
    return np.stack([row / np.linalg.norm(row) for row in rows]).astype(np.float32)


def _teller(generator=None, settings=PLAIN, **changes):
    return Teller(lambda: generator, _quotes(), EVEN, Cosine(), _encode, settings.model_copy(update=changes))


def _pool(support, about=None, rows=None, **judged):
    support = np.array(support, np.float32)  # (photos, texts)
    texts = [f"sentence {number}." for number in range(support.shape[1])]
    about = [ALL] * len(texts) if about is None else about
    candidates = [Candidate(text, "sample", photo) for text, photo in zip(texts, about, strict=True)]
    rows = np.eye(len(texts), DIM, dtype=np.float32) if rows is None else np.array(rows, np.float32)
    judges = [judged.get(name, np.zeros(len(texts))) for name in ("tone", "manner", "chance")]
    cosine = np.array(judged.get("cosine", np.ones(support.shape)), np.float32)
    return Pool(candidates, texts, rows, support, cosine, *judges)


def _chosen(pool, settings=PLAIN, **changes):
    return [(told.sentence[9], told.photo) for told in _teller().choose(pool, settings.model_copy(update=changes))]


def test_every_photo_gets_the_sentence_that_it_bears_out_best():
    assert _chosen(_pool([[0.6, 0.9, 0.1], [0.7, 0.8, 0.2]])) == [("1", 0), ("0", 1)]


def test_what_no_photo_bears_out_is_not_told():
    pool = _pool([[0.6, 0.1], [0.4, 0.3]])
    assert _chosen(pool) == [("0", 0)]
    assert _chosen(pool, support=0.35) == [("0", 0)] and _chosen(pool, support=0.7) == []
    assert _chosen(pool, support=0.25) == [("0", 0), ("1", 1)]


def test_the_same_is_not_said_twice():
    alike = [[1, 0, 0], [0.95, 0.3122, 0], [0, 0, 1]]
    pool = _pool([[0.9, 0.8, 0.6], [0.8, 0.85, 0.7]], rows=np.pad(alike, ((0, 0), (0, DIM - 3))))
    assert _chosen(pool) == [("0", 0), ("2", 1)]
    assert _chosen(pool, same=0.99) == [("0", 0), ("1", 1)]


def test_the_same_words_are_not_said_twice():
    texts = ["five stars for the stew in a pot.", "five stars for the skewers!", "we loved the skewers."]
    pool = _pool([[0.9, 0.1, 0.1], [0.1, 0.9, 0.8]])
    pool = dataclasses.replace(pool, texts=texts, candidates=[Candidate(text, "sample", ALL) for text in texts])
    for repeats, second in ((0.6, 2), (1.0, 1)):
        told = _teller().choose(pool, PLAIN.model_copy(update={"repeats": repeats}))
        assert [one.sentence for one in told] == [texts[0], texts[second]]


def test_agreement_prefers_what_many_say_beside_the_photo():
    rows = np.pad([[1, 0], [0, 1], [0.1, 0.995]], ((0, 0), (0, DIM - 2)))
    pool = _pool([[0.8, 0.7, 0.6]], rows=rows)
    assert _chosen(pool) == [("0", 0)] and _chosen(pool, agreement=2.0) == [("1", 0)]
    elsewhere = _pool([[0.8, 0.7, 0.6], [0.0, 0.0, 0.0]], about=[0, 0, 1], rows=rows)
    assert _chosen(elsewhere, agreement=2.0, each_photo=True) == [
        ("0", 0)
    ]  # what is said of another photo has no say here


def test_a_quote_counts_the_more_the_liker_its_own_photo_is():
    pool = _pool([[0.8, 0.7]])
    quoted = [Candidate(c.text, "retrieval", 0, near) for c, near in zip(pool.candidates, (0.4, 0.95), strict=True)]
    pool = dataclasses.replace(pool, candidates=quoted)
    assert _chosen(pool) == [("0", 0)] and _chosen(pool, nearness=1.0) == [("1", 0)]


def test_near_misses_go_unsaid():
    pool = _pool([[0.9, 0.8, 0.7], [0.1, 0.1, 0.6]], about=[0, 0, 1], cosine=[[0.3, 0.6, 0.6], [0.6, 0.6, 0.6]])
    near = [
        Candidate(c.text, "retrieval", c.about, near) for c, near in zip(pool.candidates, (0.9, 0.9, 0.5), strict=True)
    ]
    quoted = dataclasses.replace(pool, candidates=near)
    teller = _teller()
    teller.bounds = Bounds(cosine=0.5, nearness=0.6)
    sure = PLAIN.model_copy(update={"sure": True, "each_photo": True})
    assert [(one.sentence[9], one.photo) for one in teller.choose(quoted, sure)] == [("1", 0)]
    assert [(one.sentence[9], one.photo) for one in teller.choose(pool, sure)] == [("1", 0), ("2", 1)]  # drafted there
    assert _chosen(quoted) == [("0", 0), ("2", 1)]


def test_what_was_written_of_one_photo_may_be_told_of_another_unless_it_has_to_be_sure():
    draft = _pool([[0.6], [0.9]], about=[0])
    assert _chosen(draft, each_photo=True) == [("0", 1)] and _chosen(draft, each_photo=True, sure=True) == [("0", 0)]


def test_with_quotes_first_the_generator_speaks_only_where_they_are_silent():
    pool = _pool([[0.7, 0.9, 0.1], [0.2, 0.1, 0.8]])
    quote = Candidate(pool.texts[0], "retrieval", 0)
    pool = dataclasses.replace(pool, candidates=[quote, *pool.candidates[1:]])
    assert _chosen(pool) == [("1", 0), ("2", 1)] and _chosen(pool, quotes_first=True) == [("0", 0), ("2", 1)]


def test_the_generator_is_not_run_where_quotes_say_all(monkeypatch):
    calls = []
    teller, photos = _teller(writers=("greedy", "retrieval"), quotes_first=True), _quotes().photos
    monkeypatch.setattr(teller, "_write", lambda requests, *ways: calls.append((len(requests), ways[-1])))
    other, nothing = np.roll(photos, 1, axis=1), np.zeros((0, DIM), np.float32)
    teller.tell([Request(photos, nothing)])
    assert not calls and "generator" not in vars(teller)  # nor was it loaded
    told = teller.tell([Request(photos, nothing), Request(other, nothing), Request(photos, nothing)])
    assert [len(found) for found in told] == [2, 0, 2] and calls == [(1, [{0, 1}])]
    teller.tell([Request(np.stack([photos[0], other[1]]), nothing)])
    assert calls[1:] == [(1, [{1}])]  # alone it writes for the photo that no quote speaks of


def test_tone_shuts_out_and_manner_prefers():
    pool = _pool([[0.9, 0.8]], tone=np.array([-1.0, 2.0]), manner=np.array([0.0, 1.0]))
    assert _chosen(pool) == [("0", 0)] and _chosen(pool, tone=0.3) == [("1", 0)]
    assert _chosen(pool, manner=1.0) == [("1", 0)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Honestly, my girlfriend couldn't stop eating the pork sandwich.", True),
        ("our two kids loved the beer", True),
        ("my dear old step-mother had the flan", True),
        ("my favorite part was the neon room", False),
        ("the churros for dessert, oh my.", False),
        ("my friendly waiter brought the ramen", False),
        ("Once again, the ramen was great", True),
        ("the beef soup was tasty, would order again!", True),
        ("as always, the terrace is lovely", True),
        ("had the flan for the first time, really good", True),
        ("we would come back just for the gains in time and against all odds", False),
    ],
)
def test_what_only_its_writer_has_is_found(text, found):
    assert speaks_of_its_writer(text) is found


def test_the_writers_own_people_are_left_out_unless_wanted():
    pool = _pool([[0.9, 0.8]])
    named = dataclasses.replace(pool, texts=["my wife had the ramen.", "the ramen was good."])
    named = dataclasses.replace(named, candidates=[Candidate(text, "sample", ALL) for text in named.texts])
    for company, expected in ((True, "my wife had the ramen."), (False, "the ramen was good.")):
        assert text_of(_teller().choose(named, PLAIN.model_copy(update={"company": company}))) == expected


def test_chance_is_the_users_own_and_decides_between_equals():
    pool = _pool([[0.8, 0.8]], chance=np.array([0.0, 1.0]))
    assert _chosen(pool) == [("0", 0)] and _chosen(pool, variety=0.1) == [("1", 0)]
    photos, nothing = _quotes().photos, np.zeros((0, DIM), np.float32)
    requests = [Request(photos, nothing, past, "b") for past in (["one"], ["two"], ["one"])]
    one, two, again = (pool.chance.tolist() for pool in _teller(writers=("retrieval",)).offer(requests))
    assert one == again != two


def test_writers_that_are_not_asked_have_no_say():
    pool = _pool([[0.9, 0.8]], about=[0, ALL])
    assert _chosen(pool, each_photo=False) == [("1", 0)] and _chosen(pool, each_photo=True) == [("0", 0)]
    assert _chosen(pool, writers=("retrieval",)) == []


def test_quotes_need_no_generator_and_give_their_evidence():
    teller, photos = _teller(writers=("retrieval",)), _quotes().photos
    nothing = np.zeros((0, DIM), np.float32)
    (told,) = teller.tell([Request(photos[::-1].copy(), nothing, place="b")])
    assert [(one.sentence, one.photo, one.writer) for one in told] == [
        ("pho.", 0, "retrieval"),
        ("ramen.", 1, "retrieval"),
    ]
    assert text_of(told) == "pho. ramen." and all(one.confidence == pytest.approx(1, abs=1e-5) for one in told)
    assert teller.tell([]) == []


def test_generated_sentences_are_of_their_sets_of_photos_and_seeded(trained):
    model, tokenizer, corpus = trained
    dataset = corpus.dataset("test", "true")
    requests = [Request(dataset.photos[index], dataset.history[index]) for index in (0, 1, 2)]
    teller = _teller((model, tokenizer), writers=("greedy", "sample"), samples=2, each_photo=True)
    before = torch.get_rng_state()
    pools, other = teller.offer(requests, 1), teller.offer(requests, 2)
    alone = [teller.offer([request], 1)[0] for request in requests]
    assert torch.equal(torch.get_rng_state(), before)
    for request, pool in zip(requests, pools, strict=True):
        assert {candidate.about for candidate in pool.candidates} == {ALL, *range(len(request.photos))}
        assert pool.support.shape == (len(request.photos), len(pool.texts))
        greedy = [c.text for c in pool.candidates if c.writer == "greedy" and c.about == ALL]
        inputs = {"images": torch.tensor(request.photos)[None], "history": torch.tensor(request.history)[None]}
        written = tokenizer.batch_decode(model.generate(**inputs), skip_special_tokens=True)[0].strip()
        assert " ".join(greedy) == written
    assert [pool.candidates for pool in pools] == [pool.candidates for pool in alone]  # whoever else asks
    assert [pool.candidates for pool in pools] != [pool.candidates for pool in other]
    some = teller.offer(requests[:1], 1, alone=[[0]])[0]
    assert {candidate.about for candidate in some.candidates} == {0}
    assert some.candidates == [candidate for candidate in pools[0].candidates if candidate.about == 0]
