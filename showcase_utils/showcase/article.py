"""One showcase as HTML: photos, text, and the reasons for both on demand."""

from __future__ import annotations

import html
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # a result makes pages of itself
    from showcase_utils.showcase.result import PastItem, PhotoReason, Showcase

Picture = Callable[[Path, int], str]  # the attribute that gives an <img> a photo, at most so many pixels wide and high

SMALL = 144  # pixels of photos of the past
PAST = 6  # past photos and reviews that are shown
NAMED = 3  # items of the past that a photo's reason shows
WORDS = 140  # letters of a review that a photo's reason shows
MARKS = 4  # colours


def article(showcase: Showcase, picture: Picture, large: int, heading: str = "h2") -> str:
    """The showcase; ``large`` is the size of its photos in pixels. Whatever the data says is escaped."""
    figures = "".join(_figure(showcase, number, picture, large) for number in range(len(showcase.photos)))
    note = "" if showcase.personal else '<p class="note">Not personal: nothing is known of this reader.</p>'
    text = _text(showcase) or '<p class="note">Nothing is said: no sentence is borne out by these photos.</p>'
    return (
        f'<article class="showcase" data-place="{html.escape(showcase.business_id)}" '
        f'data-reader="{html.escape(showcase.user_id)}"><{heading} class="title">{html.escape(showcase.place)} '
        f"<small>for {html.escape(showcase.user)}</small></{heading}>{note}"
        f'<div class="photos">{figures}</div>{text}{_reasons(showcase, picture)}{_past(showcase, picture)}</article>'
    )


def _figure(showcase: Showcase, number: int, picture: Picture, large: int) -> str:
    caption = showcase.captions[number]
    rests = [sentence.sentence for sentence in showcase.sentences if sentence.photo == number]
    known = caption or (rests[0] if rests else "")
    described = f"Photo {number + 1} of {showcase.place}" + (f": {known}" if known else "")
    return (
        f'<figure><img {picture(showcase.photos[number], large)} alt="{html.escape(described)}" loading="lazy">'
        f"<figcaption>{_mark(number)}</figcaption></figure>"
    )


def _reasons(showcase: Showcase, picture: Picture) -> str:
    """For each photo what pulled it, then how well photos and text fit: folded in, for whoever asks why."""
    photos = "".join(f"<li>{_mark(number)}{_why(each, picture)}</li>" for number, each in enumerate(showcase.reasons))
    return (
        f'<details><summary>Why these photos, and these words</summary><ol class="reasons">{photos}</ol>'
        f"{_whole(showcase)}</details>"
    )


def _why(reason: PhotoReason, picture: Picture) -> str:
    items = "".join(_pull(item, picture) for item in reason.past[:NAMED] if item.share > 0)
    shares = f'<ul class="pulls">{items}</ul>' if items else ""
    numbers = f"Relevance {reason.relevance:.2f} · adds {min(reason.variety, 1):.0%} variety"
    return f'<p>{html.escape(reason.words)}</p>{shares}<p class="numbers">{numbers}</p>'


def _pull(item: PastItem, picture: Picture) -> str:
    """A photo or a review of the past, and its share of what pulled the chosen photo up."""
    place = html.escape(item.place)
    if item.kind == "photo" and item.path:
        shown = f'<img {picture(item.path, SMALL)} alt="" loading="lazy">'
        words = f"your photo{f' from {place}' if place else ''}"
    else:
        text = item.text if len(item.text) <= WORDS else f"{item.text[:WORDS].rsplit(' ', 1)[0]} …"
        shown, words = "", f"your review{f' of {place}' if place else ''}: <q>{html.escape(text)}</q>"
    share = f'<b style="--share:{item.share:.3f}">{item.share:.0%}</b>'
    return f"<li>{shown}<span>{share} {words}</span></li>"


def _text(showcase: Showcase) -> str:
    if not showcase.sentences:
        return f"<blockquote>{html.escape(showcase.text)}</blockquote>" if showcase.text else ""
    parts = []
    for reason in showcase.sentences:
        sentence = html.escape(reason.sentence[:1].upper() + reason.sentence[1:])
        rests = ""
        if reason.photo is not None:
            title = f"rests on photo {reason.photo + 1}, confidence {reason.confidence:.2f}"
            rests = f'<sup title="{title}">{_mark(reason.photo)}</sup>'
        parts.append(f"<span>{sentence}{rests}</span>")
    return f"<blockquote>{' '.join(parts)}</blockquote>"


def _mark(number: int) -> str:
    return f'<span class="mark mark{number % MARKS}"><span class="heard">photo </span>{number + 1}</span>'


def _whole(showcase: Showcase) -> str:
    """How well text and photos fit, and how far the choice is from the one that everybody gets."""
    unusual, align = showcase.scores["unusual"], showcase.scores["clip_align"]
    differs = "Everybody sees these photos here"
    if unusual > 0:
        differs = "None of" if unusual == 1 else "Not all of"
        differs += " these photos are those that a stranger would see here"
    parts = [f"{differs} ({unusual:.0%} apart)." if showcase.personal else ""]
    if align == align:
        parts.append(f"Each photo is described by a sentence with a mean confidence of {align:.0%} (CLIP-Align).")
    sure = "".join(
        f"<li>{_mark(reason.photo)} {reason.confidence:.0%} sure: <q>{html.escape(reason.sentence)}</q></li>"
        for reason in showcase.sentences
        if reason.photo is not None
    )
    words = " ".join(part for part in parts if part)
    return (f"<p>{words}</p>" if words else "") + (f'<ul class="plain">{sure}</ul>' if sure else "")


def _past(showcase: Showcase, picture: Picture) -> str:
    if not showcase.past_photos and not showcase.past_texts:
        return ""
    photos = "".join(
        f'<img {picture(path, SMALL)} alt="A photo the reader took elsewhere" loading="lazy">'
        for path in showcase.past_photos[:PAST]
    )
    texts = "".join(f"<li>{html.escape(text)}</li>" for text in showcase.past_texts[:PAST])
    return (
        "<details><summary>What the reader photographed and wrote elsewhere</summary>"
        f'<div class="small">{photos}</div><ul>{texts}</ul></details>'
    )
