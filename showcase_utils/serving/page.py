"""The app's page, and what it shows in answer to a request: the same showcase as everywhere, and all photos to pin."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from pathlib import Path

from showcase_utils.serving.asking import Ask
from showcase_utils.showcase import Place, Showcase, Showcases
from showcase_utils.showcase.article import SMALL, Picture, article
from showcase_utils.showcase.options import DECODINGS
from showcase_utils.showcase.page import LARGEST, asset, told_apart

LISTED = 500  # readers and places that can be chosen from a list; others by their id
OFFERED = 200  # photos of a place that are shown to pin or leave out
MOST_PHOTOS, MOST_SENTENCES = 8, 8


def app_page(showcases: Showcases) -> str:
    """The page with its controls; what they ask for is fetched by its script."""
    library, settings = showcases.library, showcases.settings
    visits = library.test_visits(LISTED)
    readers = {user: library.names["users"].get(user, user) for user, _ in visits}
    places = {place: library.place_name(place) for _, place in visits}
    first_reader, first_place = visits[0] if visits else ("", "")
    tone = settings.telling.tone
    k = min(settings.selection.k, MOST_PHOTOS)
    method, system = showcases.ways.method, showcases.ways.system
    methods = [name for name in showcases.ways.methods if name != method]
    systems = [name for name in showcases.ways.systems if name != system]
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Personalized Showcases</title><link rel="icon" href="data:,"><link rel="stylesheet" href="/app.css">
<script src="/app.js" defer></script></head><body class="app">
<header><h1>Personalized Showcases</h1>
<p>Choose a reader and a place, or drop in your own texts and photos. All of it stays on this machine.</p></header>
<div class="bench"><form id="ask" aria-label="What to show" data-most-bytes="{settings.download.max_bytes}">
<fieldset><legend>Reader</legend>{_chooser("reader", "Who", "my own texts and photos", readers, first_reader)}
<div data-own="reader"><label>What you wrote about other places, a review a line
<textarea name="texts" rows="4"></textarea></label>{_drop("photos", "Photos you took there")}</div></fieldset>
<fieldset><legend>Place</legend>{_chooser("place", "Which", "photos of my own", places, first_place)}
<div data-own="place"><label>Its name <input name="place_name" maxlength="100"></label>
{_drop("candidates", "Its photos")}</div></fieldset>
<fieldset><legend>Photos</legend>
{_slider("k", "How many", 1, MOST_PHOTOS, 1, k)}
{_slider("theta", "Variety … likeness to the past", 0, 0.95, 0.05, 0.5)}
<label>Method {_select("method", methods, method)}</label>
<label><input type="checkbox" name="stranger" checked> beside it what a stranger would see</label>
<details><summary>What these do</summary><dl><dt>Variety … likeness to the past</dt>
<dd>The slider is θ, which weighs variety (0) against relevance (1); ½ is what was trained.</dd><dt>Method</dt>
<dd>Who chooses. Those whose name ends in <code>dpp</code> weigh both at once, by a determinantal point process:
<code>dpp</code> is the paper's, <code>metric_dpp</code> ours.</dd></dl></details></fieldset>
<fieldset><legend>Text</legend><details><summary>How it is written</summary>
<label>Writer {_select("system", systems, system or "none: quotes alone")}</label>
<label>Sentences by (retrieval: quoted, else generated)
{_select("decoding", DECODINGS, "+".join(settings.telling.writers))}</label>
{_slider("tone", "Leave unsaid the least kind", 0, 0.95, 0.05, tone)}
{_slider("length", "Sentences at most", 1, MOST_SENTENCES, 1, MOST_SENTENCES)}
<label>Words never to say, with commas between <input name="block" maxlength="500"></label></details></fieldset>
</form><main><p id="problem" role="alert"></p><div id="answer" aria-live="polite">
<noscript>This page needs its script, which comes from this machine alone.</noscript></div></main></div>
</body></html>
"""


def answer_page(showcases: Showcases, ask: Ask, place: Place | str, made: Sequence[Showcase], picture: Picture) -> str:
    """The showcases, and the place's photos with what is pinned and left out."""
    shown = "".join(article(showcase, picture, LARGEST) for showcase in made)
    if isinstance(place, Place):
        photos = [(path.name, path, "") for path in place.files()]
    else:
        photos = [(item.id, item.path, item.text) for item in showcases.library.somewhere(place).photos if item.path]
    chosen = {str(path): number for number, path in enumerate(made[0].photos, 1)}
    photos.sort(key=lambda photo: chosen.get(str(photo[1]), len(chosen) + 1))
    rows = "".join(
        _offered(number, name, path, caption, chosen.get(str(path), 0), ask, picture)
        for number, (name, path, caption) in enumerate(photos[:OFFERED], 1)
    )
    more = f" The first {OFFERED} of them are shown." if len(photos) > OFFERED else ""
    return (
        f'{shown}<section class="offered" aria-labelledby="offered"><h2 id="offered">All {len(photos)} photos of '
        f"{html.escape(made[0].place)}</h2><p>Pin what must be shown, leave out what must not.{more}</p>"
        f"<ul>{rows}</ul></section>"
    )


def asset_text(name: str) -> str:
    """A file of the app, or of the page that it shares a style with, as text."""
    own = resources.files("showcase_utils.serving").joinpath(name)
    return own.read_text(encoding="utf-8") if own.is_file() else asset(name)


def _offered(number: int, name: str, path: Path, caption: str, rank: int, ask: Ask, picture: Picture) -> str:
    described = html.escape(f"Photo {number}" + (f": {caption}" if caption else ""))
    ticks = "".join(
        f'<label><input type="checkbox" form="ask" name="{field}" value="{html.escape(name)}"'
        f"{' checked' if name in getattr(ask, field) else ''}> {words}"
        f'<span class="heard"> photo {number}</span></label>'
        for field, words in (("pin", "pin"), ("leave_out", "leave out"))
    )
    mark = f'<span class="mark mark{(rank - 1) % 4}"><span class="heard">chosen as photo </span>{rank}</span>'
    return f'<li><img {picture(path, SMALL)} alt="{described}" loading="lazy">{mark if rank else ""}{ticks}</li>'


def _chooser(name: str, label: str, own: str, known: Mapping[str, str], chosen: str) -> str:
    """A list of ids by their names, with one's own material first and a field for any other id last."""
    options = [f'<option value="">{own}</option>']
    for key, words in told_apart(known).items():
        mark = " selected" if key == chosen else ""
        options.append(f'<option value="{html.escape(key)}"{mark}>{html.escape(words)}</option>')
    options.append('<option value="" data-other>another, by id</option>')
    return (
        f'<label>{label} <select name="{name}">{"".join(options)}</select></label>'
        f'<label data-other="{name}" hidden>Id <input name="{name}_id" maxlength="200"></label>'
    )


def _drop(name: str, label: str) -> str:
    return (
        f'<div class="drop" data-drop="{name}"><label>{label}: choose, or drop them here '
        '<input type="file" accept="image/*" multiple></label><ul></ul></div>'
    )


def _slider(name: str, label: str, least: float, most: float, step: float, value: float) -> str:
    return (
        f'<label>{label} <output for="{name}">{value:g}</output><input type="range" id="{name}" name="{name}" '
        f'min="{least:g}" max="{most:g}" step="{step:g}" value="{value:g}"></label>'
    )


def _select(name: str, values: Iterable[str], default: str) -> str:
    """A list with what was loaded first, which the empty value asks for."""
    options = "".join(
        f'<option value="{html.escape(value)}">{html.escape(words)}</option>'
        for value, words in [("", default), *((value, value) for value in values)]
    )
    return f'<select name="{name}">{options}</select>'
