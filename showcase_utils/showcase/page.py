"""Showcases as one self-contained page: photos inlined, reasons on demand, filters, light and dark."""

from __future__ import annotations

import html
from collections.abc import Sequence
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from showcase_utils.photos.thumbnails import data_address, thumbnail

if TYPE_CHECKING:  # a result makes pages of itself
    from showcase_utils.showcase.result import PhotoReason, Showcase

LARGE, SMALL = 320, 96  # pixels of the longer side
PAST = 6  # past photos and reviews that a page shows
NAMED = 3  # items of the past that a photo's reason names


def page(showcases: Sequence[Showcase], title: str) -> str:
    """Several showcases as one page that needs no other file and makes no request.

    Filters by place and reader appear where there are several of them.
    """
    style, script = _asset("page.css"), _asset("page.js")
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
    blocks = "\n".join(_block(showcase) for showcase in showcases)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)}</title><style>{style}</style></head>\n"
        f"<body><header><h1>{html.escape(title)}</h1>{_filters(showcases)}</header>\n"
        f'<main id="showcases">\n{blocks}\n</main><script>{script}</script></body></html>\n'
    )


def fragment(showcase: Showcase) -> str:
    """One showcase for a notebook's output."""
    return f'<style>{_asset("page.css")}</style><div class="showcases">{_block(showcase)}</div>'


def _filters(showcases: Sequence[Showcase]) -> str:
    fields = []
    for name, label, values in (
        ("place", "Place", {showcase.business_id: showcase.place for showcase in showcases}),
        ("reader", "Reader", {showcase.user_id: showcase.user for showcase in showcases}),
    ):
        if len(values) < 2:
            continue
        options = "".join(
            f'<option value="{html.escape(key)}">{html.escape(shown)}</option>'
            for key, shown in sorted(values.items(), key=lambda item: item[1])
        )
        fields.append(
            f'<label>{label} <select data-filter="{name}"><option value="">all</option>{options}</select></label>'
        )
    if not fields:
        return ""
    count = f'<output id="count" aria-live="polite">{len(showcases)} showcases</output>'
    side = '<label><input type="checkbox" id="side"> side by side</label>'
    return f'<form class="filters" aria-label="Filter showcases">{"".join(fields)}{side}{count}</form>'


def _block(showcase: Showcase) -> str:
    place, user = html.escape(showcase.place), html.escape(showcase.user)
    figures = "".join(
        _figure(showcase, number, path, caption, reason)
        for number, (path, caption, reason) in enumerate(
            zip(showcase.photos, showcase.captions, showcase.reasons, strict=True)
        )
    )
    note = "" if showcase.personal else '<p class="note">Not personal: nothing is known of this reader.</p>'
    text = _text(showcase) or '<p class="note">Nothing is said: no sentence is borne out by these photos.</p>'
    return (
        f'<article class="showcase" data-place="{html.escape(showcase.business_id)}" '
        f'data-reader="{html.escape(showcase.user_id)}"><h2>{place} <small>for {user}</small></h2>{note}'
        f'<div class="photos">{figures}</div>{text}{_past(showcase)}</article>'
    )


def _figure(showcase: Showcase, number: int, path: Path, caption: str, reason: PhotoReason) -> str:
    rests = [sentence.sentence for sentence in showcase.sentences if sentence.photo == number]
    known = caption or (rests[0] if rests else "")
    described = f"Photo {number + 1} of {showcase.place}" + (f": {known}" if known else "")
    items = "".join(
        f"<li>{item.share:.0%} your {item.kind}{f' at {html.escape(item.place)}' if item.place else ''}</li>"
        for item in reason.past[:NAMED]
    )
    why = html.escape(reason.words) + (f"<ul>{items}</ul>" if items else "")
    return (
        f'<figure><img src="{_inline(path, LARGE)}" alt="{html.escape(described)}" loading="lazy">'
        f'<figcaption><span class="mark mark{number % 4}">{number + 1}</span>'
        f"<details><summary>Why this photo</summary><p>{why}</p>"
        f"<p>Adds {reason.variety:.0%} variety.</p></details></figcaption></figure>"
    )


def _text(showcase: Showcase) -> str:
    if not showcase.sentences:
        return f"<blockquote>{html.escape(showcase.text)}</blockquote>" if showcase.text else ""
    parts = []
    for reason in showcase.sentences:
        mark = ""
        if reason.photo is not None:
            number = reason.photo
            mark = (
                f' <sup class="mark mark{number % 4}" title="rests on photo {number + 1}, '
                f'confidence {reason.confidence:.2f}">{number + 1}</sup>'
            )
        parts.append(f"<span>{html.escape(reason.sentence)}{mark}</span>")
    return f"<blockquote>{' '.join(parts)}</blockquote>"


def _past(showcase: Showcase) -> str:
    if not showcase.past_photos and not showcase.past_texts:
        return ""
    photos = "".join(
        f'<img src="{_inline(path, SMALL)}" alt="A photo the reader took elsewhere" loading="lazy">'
        for path in showcase.past_photos[:PAST]
    )
    texts = "".join(f"<li>{html.escape(text)}</li>" for text in showcase.past_texts[:PAST])
    return (
        "<details class='past'><summary>What the reader photographed and wrote elsewhere</summary>"
        f'<div class="photos small">{photos}</div><ul>{texts}</ul></details>'
    )


@lru_cache(maxsize=4096)
def _inline(path: Path, size: int) -> str:
    return data_address(thumbnail(path, size))


def _asset(name: str) -> str:
    return resources.files("showcase_utils.showcase").joinpath(name).read_text(encoding="utf-8")
