"""One showcase as HTML: photos, text, and the reasons for both on demand."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from showcase_utils.showcase.pulls import heading, named, source, sources, start

if TYPE_CHECKING:  # a result makes pages of itself
    from showcase_utils.showcase.result import PastItem, PhotoReason, Showcase

Picture = Callable[[Path, int], str]  # the attribute that gives an <img> a photo, at most so many pixels wide and high

SMALL = 144  # pixels of photos of the past
PAST = 6  # past photos and reviews that are shown
WORDS = 140  # letters of a review that a photo's reason shows
MARKS = 4  # colours
SILENT = "Nothing is said: no sentence on offer is borne out by these photos and passes tone and blocked words."
TERMS = {
    "Relevance": "How much the reader's past speaks for a photo: what each past photo and review adds or takes, summed "
    "up. Where the default method chooses, it is the logarithm of how many times likelier the photo is the reader's "
    "than a stranger's. Its rank is among all photos of the place that could be chosen.",
    "Variety": "1 − the largest cosine of CLIP features (the numbers by which a neural network knows a picture) with a "
    "photo chosen before it: 0 is the same picture, 1 and above nothing in common. The photos are chosen for both at "
    "once, by a determinantal point process (DPP).",
    "Unusual": "The share of photos that the reader and a stranger would not both be shown (1 − the Jaccard index).",
    "Sure": "What Φ says, a classifier that was taught which sentences describe which photos.",
    "CLIP-Align": "The paper's measure: for each photo Φ's confidence in the sentence that fits it best, averaged.",
}


def article(showcase: Showcase, picture: Picture, large: int, heading: str = "h2") -> str:
    """The showcase; ``large`` is the size of its photos in pixels. Whatever the data says is escaped."""
    figures = "".join(_figure(showcase, number, picture, large) for number in range(len(showcase.photos)))
    note = "" if showcase.personal else '<p class="note">Not personal: nothing is known of this reader.</p>'
    text = _text(showcase) or f'<p class="note">{SILENT}</p>'
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
    """For each photo what pulled it, then how sure the text is: folded in, for whoever asks why."""
    said = [_why(each, caption, picture) for each, caption in zip(showcase.reasons, showcase.captions, strict=True)]
    photos = "".join(f"<li>{_mark(number)}{why}</li>" for number, why in enumerate(said) if why)
    return (
        f'<details><summary>Why these photos, and these words</summary><ol class="reasons">{photos}</ol>'
        f"{_whole(showcase)}{_numbers(showcase)}</details>"
    )


def _why(reason: PhotoReason, caption: str, picture: Picture) -> str:
    described = f"<p>Another guest wrote of it: <q>{html.escape(caption)}</q></p>" if caption else ""
    items = named(reason.past, reason.relevance)
    pulls = "".join(f"<li>{_pull(group, picture)}</li>" for group in sources(items))
    shares = f'<p>{heading(items)}</p><ul class="pulls">{pulls}</ul>' if items else ""
    return f"{described}{shares}" + (f"<p>{html.escape(reason.standing)}</p>" if reason.standing else "")


def _pull(group: Sequence[PastItem], picture: Picture) -> str:
    """Photos of one place, or a review, of the past, and their share of what pulled the chosen photo up."""
    share = sum(item.share for item in group)
    quote = start(next((item.quote for item in group if item.quote), ""), WORDS)
    shown = "".join(f'<img {picture(item.path, SMALL)} alt="" loading="lazy">' for item in group if item.path)
    where = ", where you wrote: " if group[0].kind == "photo" else ": "
    words = f"{html.escape(source(group))}{f'{where}<q>{html.escape(quote)}</q>' if quote else ''}"
    return f'{shown}<span><b style="--share:{share:.3f}">{share:.0%}</b> {words}</span>'


def _text(showcase: Showcase) -> str:
    if not showcase.sentences:
        return f"<blockquote>{html.escape(showcase.text)}</blockquote>" if showcase.text else ""
    parts = []
    for reason in showcase.sentences:
        sentence = html.escape(reason.sentence[:1].upper() + reason.sentence[1:])
        rests = ""
        if reason.photo is not None:
            title = f"Photo {reason.photo + 1} shows it: {reason.confidence:.0%} sure"
            rests = f'<sup title="{title}">{_mark(reason.photo)}</sup>'
        parts.append(f"<span>{sentence}{rests}</span>")
    return f"<blockquote>{' '.join(parts)}</blockquote>"


def _mark(number: int) -> str:
    return f'<span class="mark mark{number % MARKS}"><span class="heard">photo </span>{number + 1}</span>'


def _whole(showcase: Showcase) -> str:
    """How far the choice is from the one that everybody gets, and how sure each sentence is."""
    shared, shown = sum(reason.usual for reason in showcase.reasons), len(showcase.reasons)
    differs = "A stranger would be shown other photos here."
    if shared:
        differs = f"A stranger would be shown {shared} of these {shown} photos, too."
    if shared == shown:
        differs = "A stranger would be shown the same here."
    sure = "".join(
        f"<li>{_mark(reason.photo)} {reason.confidence:.0%} sure that it shows what is said: "
        f"<q>{html.escape(reason.sentence)}</q></li>"
        for reason in showcase.sentences
        if reason.photo is not None
    )
    return (f"<p>{differs}</p>" if showcase.personal else "") + (f'<ul class="plain">{sure}</ul>' if sure else "")


def _numbers(showcase: Showcase) -> str:
    """The same as numbers under the terms of the field, each with what it means."""
    rows = "".join(
        f"<tr><th scope=row>{_mark(number)}</th><td>{reason.relevance:z.2f}</td>"
        f"<td>{reason.rank} of {reason.candidates}</td><td>{reason.variety:z.2f}</td></tr>"
        for number, reason in enumerate(showcase.reasons)
    )
    values = {"Unusual": f"{showcase.scores['unusual']:.2f}", "CLIP-Align": f"{showcase.scores['clip_align']:.2f}"}
    terms = "".join(
        f"<dt>{term}{f' {values[term]}' if term in values else ''}</dt><dd>{meaning}</dd>"
        for term, meaning in TERMS.items()
        if values.get(term) != "nan"
    )
    return (
        "<details><summary>The numbers, and what they mean</summary><table><thead><tr><th scope=col>Photo</th>"
        f"<th scope=col>Relevance</th><th scope=col>Rank</th><th scope=col>Variety</th></tr></thead>{rows}</table>"
        f"<dl>{terms}</dl></details>"
    )


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
