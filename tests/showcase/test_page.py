"""The page: self-contained, escaped, with filters where there is something to filter."""

import re
import sys
from dataclasses import replace
from html import escape

from showcase_utils.showcase import page
from showcase_utils.showcase.article import SILENT, TERMS
from showcase_utils.showcase.pulls import named, sources


def test_the_page_needs_no_other_file(showcases):
    show = showcases.explain("user0", "place1", k=2)
    html = show.to_html()
    assert html.count("<figure>") == 2 and "data:image/jpeg;base64," in html
    assert not re.search(r'(src|href)="(?!data:)', html)
    assert "default-src 'none'" in html
    assert "<html" not in show._repr_html_()


def test_where_nothing_is_told_page_and_command_say_so(showcases, store, monkeypatch):
    from typer.testing import CliRunner

    from showcase_utils import cli

    words = showcases.explain("user0", "place1").text.split()
    assert SILENT in showcases.explain("user0", "place1", block=words).to_html()
    assert SILENT not in showcases.explain("user0", "place1").to_html()
    monkeypatch.setattr(cli, "Artifacts", lambda *_: store)
    monkeypatch.setattr(type(showcases), "load", lambda run: showcases)
    line = ["explain", "user0", "place1", *(part for word in words for part in ("--block", word))]
    assert SILENT in " ".join(CliRunner().invoke(cli.app, line).output.split())


def test_text_of_reviews_is_escaped(showcases):
    html = showcases.explain("user0", "place1").to_html()
    assert "&lt;tacos&gt; &amp; tea" in html and "<tacos>" not in html


def test_filters_appear_where_there_are_several(showcases):
    one = page([showcases.explain("user0", "place1")], "One")
    many = page([showcases.explain(user, "place1") for user in ("user0", "user2")], "Two")
    assert "data-filter" not in one.split("<script>")[0]
    assert 'data-filter="reader"' in many and 'data-filter="place"' not in many.split("<script>")[0]
    assert many.count('<article class="showcase"') == 2


def test_readers_of_one_name_are_told_apart_by_the_end_of_their_id(showcases):
    show = showcases.explain("user0", "place1")
    readers = {"100000000001": "Yuki G.", "100000000002": "Yuki G.", "100000000003": "Ana B."}
    html = page([replace(show, user_id=key, user=name) for key, name in readers.items()], "Three")
    options = re.findall(r"<option[^>]*>([^<]+)</option>", html.split("<script>")[0])
    assert options == ["all 3", "Ana B.", "Yuki G. (…0001)", "Yuki G. (…0002)"]


def test_no_number_is_less_than_nothing_by_its_sign_alone(showcases):
    show = showcases.explain("user0", "place1", k=1)
    numbers = replace(show.reasons[0], relevance=-0.001, variety=-1e-7)
    html = replace(show, reasons=(numbers,)).to_html()
    assert "<td>0.00</td>" in html and "-0.00" not in html


def test_a_photo_of_which_nothing_is_to_be_said_has_no_empty_reason(showcases):
    show = showcases.explain("user0", "place1", k=2)
    silent = replace(show.reasons[1], relevance=0.0, standing="")
    html = replace(show, reasons=(show.reasons[0], silent), captions=("", "")).to_html()
    reasons = html[html.index('<ol class="reasons">') : html.index("</ol>")]
    assert reasons.count('<span class="mark') == 1 and "<p></p>" not in html


def test_every_photo_has_an_alternative_text(showcases):
    html = showcases.explain("user0", "place1", k=3).to_html()
    assert len(re.findall(r'<figure><img [^>]*alt="Photo \d of place1', html)) == 3
    assert len(re.findall(r'<img [^>]*alt="', html)) == html.count("<img ")


def test_a_picture_is_in_the_page_once(showcases):
    shows = [showcases.explain(user, "place1", k=3) for user in ("user0", "user2")]
    html = page([*shows, *shows], "Twice")
    data = re.findall(r' src="(data:[^"]+)"', html)
    assert len(data) == len(set(data)) and html.count("data-same=") > html.count("<img ") / 2
    assert set(re.findall(r'data-same="(\w+)"', html)) <= set(re.findall(r'<img id="(\w+)"', html))
    assert "data-same" not in shows[0]._repr_html_(), "no script runs in a notebook"


def test_pictures_far_below_wait_for_the_script(showcases, monkeypatch):
    monkeypatch.setattr(sys.modules[page.__module__], "AT_ONCE", 2)
    html = page([showcases.explain(user, "place1", k=3) for user in ("user0", "user2")], "Two")
    assert html.count(' src="data:') == 2 and html.count(' data-src="data:') > 2


def test_reasons_show_what_pulled_a_photo_and_how_the_whole_fits(showcases):
    show = showcases.explain("user0", "place1", k=2)
    html = show.to_html()
    pulls = sources(named(show.reasons[0].past, show.reasons[0].relevance))
    assert pulls and all(f"{sum(item.share for item in group):.0%}</b>" in html for group in pulls)
    assert all(escape(reason.standing) in html for reason in show.reasons)
    shared = sum(reason.usual for reason in show.reasons)
    words = {0: "other photos here", 1: "1 of these 2 photos, too", 2: "shown the same here"}
    assert f"A stranger would be {'shown ' if shared < 2 else ''}{words[shared]}" in html


def test_terms_of_the_field_are_folded_in_and_explained(showcases):
    """Who only looks at photos, text and reasons meets none of them."""
    show = showcases.explain("user0", "place1", k=2)
    shown, _, numbers = show.to_html().partition("<details><summary>The numbers")
    shown = shown[shown.index("<body>") :]
    for term in ("CLIP", "Φ", "θ", "σ", "cosine", "Jaccard", "Relevance", "variety "):
        assert term not in shown, term
    for term, meaning in TERMS.items():
        assert f"<dt>{term}" in numbers and f"<dd>{meaning}</dd>" in numbers
    assert f"{show.scores['clip_align']:.2f}" in numbers and f"{show.reasons[0].relevance:.2f}" in numbers
