"""Showcases as one self-contained page: photos inlined, reasons on demand, filters, light and dark."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from showcase_utils.photos.thumbnails import data_address, thumbnail
from showcase_utils.showcase.article import Picture, article

if TYPE_CHECKING:  # a result makes pages of itself
    from showcase_utils.showcase.result import Showcase

LARGEST, LEAST = 960, 320  # pixels of a photo's longer side: on a page of one showcase, and of very many
PIXELS = 9600  # that all showcases of a page share
AT_ONCE = 200  # pictures that a browser decodes when it opens a page; the others when they come near


def page(showcases: Sequence[Showcase], title: str) -> str:
    """Several showcases as one page that needs no other file and makes no request.

    Filters by place and reader appear where there are several of them. A photo that is shown again is in the file
    once: the script shows it there, too, and what lies far below when one comes near. The more showcases, the smaller
    the photos.
    """
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
    alone = len(showcases) == 1
    large, picture = min(LARGEST, max(LEAST, PIXELS // max(len(showcases), 1))), _once()
    blocks = "\n".join(article(showcase, picture, large, "h1" if alone else "h2") for showcase in showcases)
    header = "" if alone else f"<header><h1>{html.escape(title)}</h1>{_filters(showcases)}</header>\n"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)}</title><style>{asset('page.css')}</style></head>\n"
        f'<body>{header}<main id="showcases">\n{blocks}\n</main><script>{asset("page.js")}</script></body></html>\n'
    )


def fragment(showcase: Showcase) -> str:
    """One showcase for a notebook's output, where no script runs; its style stays within it."""
    shown = article(showcase, lambda path, size: f'src="{_inline(path, size)}"', LEAST)
    style = asset("page.css").replace(":root", "&")
    return f'<style>.showcases {{ {style} }}</style><div class="showcases">{shown}</div>'


def asset(name: str) -> str:
    """A file that lies beside this one, as text."""
    return resources.files("showcase_utils.showcase").joinpath(name).read_text(encoding="utf-8")


def told_apart(names: Mapping[str, str]) -> dict[str, str]:
    """Names by id, sorted, to choose from; one that several have gets the end of its id: "Yuki G. (…0c2d)"."""
    several = Counter(names.values())
    apart = {key: f"{name} (…{key[-4:]})" if several[name] > 1 else name for key, name in names.items()}
    return dict(sorted(apart.items(), key=lambda item: item[1]))


def _once() -> Picture:
    """Gives each picture its data at its first appearance, and then the id of that one, for the script."""
    seen: dict[str, str] = {}

    def picture(path: Path, size: int) -> str:
        data = _inline(path, size)
        if data in seen:
            return f'data-same="{seen[data]}"'
        seen[data] = f"photo{len(seen)}"
        return f'id="{seen[data]}" {"src" if len(seen) <= AT_ONCE else "data-src"}="{data}"'

    return picture


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
            for key, shown in told_apart(values).items()
        )
        fields.append(
            f'<label>{label} <select data-filter="{name}"><option value="">all {len(values)}</option>'
            f"{options}</select></label>"
        )
    if not fields:
        return ""
    count = f'<output id="count" aria-live="polite">{len(showcases)} showcases</output>'
    side = '<label><input type="checkbox" id="side"> side by side</label>'
    return f'<form class="filters" aria-label="Filter showcases">{"".join(fields)}{side}{count}</form>'


@lru_cache(maxsize=4096)
def _inline(path: Path, size: int) -> str:
    return data_address(thumbnail(path, size))
