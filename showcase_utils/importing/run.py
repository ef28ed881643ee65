"""`showcase import`: tables and photos in, the published file, a store of photos and a profile out."""

from __future__ import annotations

import codecs
import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import orjson

from showcase_utils.data.rows import Rejected
from showcase_utils.importing.layouts import (
    KINDS,
    PHOTOS,
    PLACES,
    REVIEW,
    USERS,
    Layout,
    check_mapping,
    known_layout,
    own_layout,
)  # fmt: skip
from showcase_utils.importing.pictures import PhotoFiles, keep_photos, photo_names
from showcase_utils.importing.places import Places
from showcase_utils.importing.profile import START, write_profile
from showcase_utils.importing.reviews import Photos, caption_of, identity, names_of_photos, published_row
from showcase_utils.importing.tables import Row, columns_of, read_table
from showcase_utils.importing.writing import REVIEWS, Writer
from showcase_utils.photos.store import PhotoStore
from showcase_utils.terminal import counted

FORMATS = ("csv", "jsonl", "parquet")
HOSTS = {"tripadvisor": ("media-cdn.tripadvisor.com", "dynamic-media-cdn.tripadvisor.com")}


@dataclass
class Report:
    """What came of an import: rows read, accepted and rejected by file, photos by status, what was written.

    ``profile`` is there if showcases can be made from it by `showcase run`; ``notes`` are sentences for the reader.
    """

    rows: Counter[str] = field(default_factory=Counter)
    accepted: Counter[str] = field(default_factory=Counter)
    reasons: Counter[tuple[str, str]] = field(default_factory=Counter)
    photos: Counter[str] = field(default_factory=Counter)
    profile: Path | None = None
    notes: list[str] = field(default_factory=list)


def import_tables(
    kind: str,
    paths: Sequence[str | Path],
    images: str | Path | None,
    to: str | Path,
    mapping: Mapping[str, str] | None = None,
    backbones: str = "embedded",
    best: float = 5.0,
    encoding: str = "utf-8",
    progress: bool = True,
) -> Report:
    """Bring tables and a folder of photos into the folder ``to``, as everything else reads them.

    ``kind`` is ``csv``, ``jsonl``, ``parquet`` or a known data set. Which file holds reviews, photos or names is seen
    by its columns. Files appear under their names when they are whole; called again, an import that was cut off reads
    the rows anew and takes over only photos that are missing. Raises ``ValueError`` or ``FileNotFoundError`` before
    anything is written, if a file is not what it is said to be.
    """
    mapping = mapping or {}
    if not 1 < best < math.inf:
        raise ValueError(f"--best-rating {best:g}: the best rating that there is, more than 1")
    if backbones not in START:
        raise ValueError(f"--backbones {backbones}: choose from {', '.join(START)}")
    to, images = Path(to), None if images is None else Path(images)
    tables = _tables(kind, [Path(path) for path in paths], mapping, best, encoding)
    if images is not None and not images.is_dir():
        raise FileNotFoundError(f"--images {images}: no such folder")
    if images is not None and images.resolve() in (to.resolve(), (to / "photos").resolve()):
        raise ValueError(f"--images {images}: the import writes its photos there: name another folder with --to")
    files = PhotoFiles(images)
    if images is not None and not len(files):
        raise ValueError(f"--images {images}: no picture in it that Pillow reads")
    to.mkdir(parents=True, exist_ok=True)
    with Writer(to) as writer:
        run = _Run(tables, files, writer, encoding, progress)
        report = run.read()
        if run.own_photos:
            with PhotoStore(to / "photos") as store:  # before the rows appear under their name
                report.photos += keep_photos(store, files, run.photos.wanted, progress)
    run.places.write(to, files, run.names["businesses"], progress)
    report.photos += run.places.photos
    if run.kept["businesses"] and run.own_photos:
        hosts = HOSTS.get(kind, ()) if run.photos.from_web else ()
        report.profile = write_profile(to, REVIEWS, backbones, hosts)
    report.notes = run.words(to, report)
    return report


def _tables(
    kind: str, paths: Sequence[Path], mapping: Mapping[str, str], best: float, encoding: str
) -> list[tuple[Path, str, Layout]]:
    """Each file with its format and its layout. Raises ``ValueError`` for one that does not fit."""
    if kind not in (*FORMATS, *KINDS):
        raise ValueError(f"no import '{kind}': choose from {', '.join((*FORMATS, *KINDS))}")
    try:
        codecs.lookup(encoding)
    except LookupError:
        raise ValueError(f"--encoding {encoding}: unknown; utf-8, cp1252 and utf-16 are usual") from None
    if kind in KINDS and mapping:
        raise ValueError(f"--map does not go with {kind}, whose columns are known")
    forms = [kind if kind in FORMATS else _format_of(path) for path in paths]
    columns = [columns_of(path, form, encoding) for path, form in zip(paths, forms, strict=True)]
    check_mapping(mapping, chain.from_iterable(columns))
    tables = []
    for path, form, there in zip(paths, forms, columns, strict=True):
        if kind in KINDS:
            layout = known_layout(str(path), there, kind)
        else:
            layout = own_layout(str(path), form, there, mapping, best)
        tables.append((path, form, layout))
    roles = {layout.role for _, _, layout in tables}
    if REVIEW not in roles:
        raise ValueError(f"no file of reviews among {', '.join(str(path) for path in paths)}")
    shown = any(
        "photos" in layout.columns or "review" in layout.columns for _, _, layout in tables if layout.role == REVIEW
    )
    if not shown and PHOTOS not in roles:
        raise ValueError(
            "nothing says which review has which photos: map a column of file names or addresses "
            "(--map photos=COLUMN), or add a table of photos with the review's id, or with user and business"
        )
    return tables


def _format_of(path: Path) -> str:
    name = path.name.lower().removesuffix(".gz")
    if name.endswith((".parquet", ".pq")):
        return "parquet"
    return "csv" if name.endswith((".csv", ".tsv")) else "jsonl"


class _Run:
    """One import: what the tables hold, while they are read."""

    def __init__(
        self, tables: list[tuple[Path, str, Layout]], files: PhotoFiles, writer: Writer, encoding: str, progress: bool
    ) -> None:
        self.tables, self.files, self.writer = tables, files, writer
        self.encoding, self.progress = encoding, progress
        self.photos, self.places, self.report = Photos(files), Places(), Report()
        self.names: dict[str, dict[str, str]] = {"businesses": {}, "users": {}}
        self.seen: set[int] = set()
        self.absent = "in the folder of --images" if len(files) else "an address, and no --images names their folder"
        self.kept: dict[str, set[str]] = {"businesses": set(), "users": set()}
        self.by_key: defaultdict[tuple[str, ...], list[tuple[Row, str]]] = defaultdict(list)
        reviews = [layout for _, _, layout in tables if layout.role == REVIEW]
        joined = any(layout.role == PHOTOS and _key_columns(layout) for _, _, layout in tables)
        foldered = any("review" in layout.columns for layout in reviews) and len(files) > 0
        self.own_photos = joined or any("photos" in layout.columns for layout in reviews)
        if not self.own_photos and foldered and not any(layout.role == PHOTOS for _, _, layout in tables):
            self.own_photos = True  # each review's photos lie in a folder of its id

    def read(self) -> Report:
        """All tables, in the order in which one needs the other."""
        self._photo_tables()
        self._review_tables()
        self._name_tables()
        self.writer.names(self.names)
        return self.report

    def _photo_tables(self) -> None:
        """Rows of photos wait for the review that has their key; those that name a place only are the place's."""
        for row, layout in self._rows(PHOTOS):
            found = [path for name in photo_names(row.values.get(layout.columns["photos"]), self.files)
                     if (path := self.files.find(name)) is not None]  # fmt: skip
            key = tuple(identity(row.values.get(layout.columns[name])) or "" for name in _key_columns(layout))
            business = identity(row.values.get(layout.columns.get("business", "")))
            if not found:
                self._reject(row, f"its photo is not {self.absent}")
            elif key and all(key):
                self.by_key[key].append((row, found[0]))
            elif not key and business:
                image_id = self.files.image_id(found[0])
                label = str(row.values.get("label") or "")
                self.places.add(business, image_id, found[0], caption_of(row.values, layout), label)
                self._accept(row)
            else:
                self._reject(row, "neither a review nor a place that it belongs to")

    def _name_tables(self) -> None:
        """Names of businesses and users, where there are tables of them."""
        for role, whose, name in ((PLACES, "business", "business_name"), (USERS, "user", "user_name")):
            for row, layout in self._rows(role):
                if self._name(row, layout, whose, name):
                    self._accept(row)
                else:
                    self._reject(row, "no id, or no name")

    def _review_tables(self) -> None:
        """Every row of reviews goes into the published file, or among the rejects."""
        for row, layout in self._rows(REVIEW):
            try:
                self._review(row, layout)
            except Rejected as rejected:
                self._reject(row, str(rejected))
            else:
                self._accept(row)
                for whose, name in (("business", "business_name"), ("user", "user_name")):
                    if name in layout.columns:
                        self._name(row, layout, whose, name)
        for waiting in self.by_key.values():
            for row, _ in waiting:
                self._reject(row, "no accepted review has its key")

    def _review(self, row: Row, layout: Layout) -> None:
        if not self.own_photos:
            made = published_row(row, layout, [{"id": "none", "url": []}])
            if made["business_id"] not in self.places:
                raise Rejected("no photos of its place")
            self._refuse_twice(made)
            self.writer.text(made)
            self.places.users[made["user_id"]] += 1
            return
        joined: list[tuple[Row, str]] = []
        keys = [
            tuple(identity(row.values.get(layout.columns[name])) or "" for name in names if name in layout.columns)
            for names in (("review",), ("user", "business"))
        ]
        for key in keys:
            joined += self.by_key.get(key, [])
        names = names_of_photos(row, layout, self.files)
        before = self.photos.not_found
        pics, paths = self.photos.entries([*names, *(path for _, path in joined)])
        if not pics and self.photos.not_found > before:
            raise Rejected(f"none of its photos is {self.absent}")
        made = published_row(row, layout, pics)
        self._refuse_twice(made)
        self.writer.review(made)
        self.photos.wanted |= paths
        for key in keys:
            for photo, _ in self.by_key.pop(key, []):
                self._accept(photo)

    def _refuse_twice(self, made: dict[str, Any]) -> None:
        content = hash(orjson.dumps(made))
        if content in self.seen:
            raise Rejected("duplicate row")
        self.seen.add(content)
        self.kept["businesses"].add(made["business_id"])
        self.kept["users"].add(made["user_id"])

    def _name(self, row: Row, layout: Layout, whose: str, name: str) -> bool:
        key, value = identity(row.values.get(layout.columns[whose])), row.values.get(layout.columns[name])
        if not key or not isinstance(value, str) or not value.strip():
            return False
        whose = "businesses" if whose == "business" else "users"
        if key in self.kept[whose] or (whose == "businesses" and key in self.places):
            self.names[whose][key] = " ".join(value.split())
        return True

    def _rows(self, role: str) -> Iterator[tuple[Row, Layout]]:
        for path, form, layout in self.tables:
            if layout.role == role:
                for row in read_table(path, form, self.encoding, self.progress):
                    self.report.rows[row.source] += 1
                    if row.problem:
                        self._reject(row, row.problem)
                    else:
                        yield row, layout

    def _accept(self, row: Row) -> None:
        self.report.accepted[row.source] += 1

    def _reject(self, row: Row, reason: str) -> None:
        self.report.reasons[row.source, reason] += 1
        self.writer.reject(row, reason)

    def words(self, to: Path, report: Report) -> list[str]:
        """What the reader should know: what was not found, what is to be fetched, what cannot be learned."""
        said = []
        if self.photos.not_found:
            why = ", not in the folder of --images" if len(self.files) else " by file: give their folder with --images"
            said.append(f"Left out: {counted(self.photos.not_found, 'photo')} that reviews name{why}.")
        if self.photos.from_web:
            profile = report.profile or to
            said.append(
                f"{counted(self.photos.from_web, 'photo')} known by address only. To fetch what is there: "
                f"showcase download photos --profile {profile} --to {to}"
            )
        return said + self.places.words(to)


def _key_columns(layout: Layout) -> tuple[str, ...]:
    """The fields by which a photo finds its review: the review's id, or who was where."""
    if "review" in layout.columns:
        return ("review",)
    return ("user", "business") if {"user", "business"} <= set(layout.columns) else ()
