from __future__ import annotations

import gzip
import json

import pytest

from showcase_utils.data import streams
from showcase_utils.data.streams import blocks

SPLITS = {
    "train": [{"a": 'quote \\" and } ] , inside'}, {"b": [1, [2]], "c": {}}],
    "val": [],
    "test": [{"d": "ü\u2028\\u00e9"}, None, "x,y", 12],
}


def rows_of(path) -> list[tuple[str, int, bytes]]:
    found = []
    for block in blocks(path, progress=False):
        found += [(block.split, number, row.strip()) for number, row in enumerate(block.rows, block.first)]
    return found


@pytest.mark.parametrize("head", [16, 1 << 16])
@pytest.mark.parametrize("indent", [None, 1])
def test_splits_are_cut_into_rows(tmp_path, monkeypatch, head, indent):
    monkeypatch.setattr(streams, "HEAD_BYTES", head)
    monkeypatch.setattr(streams, "SPLIT_ROWS", 3)
    path = tmp_path / "filter_all_t.json"
    path.write_text(json.dumps(SPLITS, indent=indent, ensure_ascii=False), encoding="utf-8")
    expected = [(split, n, row) for split, rows in SPLITS.items() for n, row in enumerate(rows, start=1)]
    assert [(split, n, json.loads(row)) for split, n, row in rows_of(path)] == expected


@pytest.mark.parametrize("chunk", [1, 5, 1 << 20])
def test_lines_are_cut_alike_wherever_the_chunks_end(tmp_path, monkeypatch, chunk):
    monkeypatch.setattr(streams, "CHUNK_BYTES", chunk)
    monkeypatch.setattr(streams, "HEAD_BYTES", max(chunk, 4))
    path = tmp_path / "rows"
    path.write_bytes(b'{"a": 1}\n\n{"b": "x\\n"}\r\n{"c"')
    assert rows_of(path) == [("", 1, b'{"a": 1}'), ("", 2, b""), ("", 3, b'{"b": "x\\n"}'), ("", 4, b'{"c"')]
    assert [block.torn for block in blocks(path, progress=False)][-1]


def test_a_line_that_never_ends_does_not_fill_the_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(streams, "CHUNK_BYTES", 100)
    monkeypatch.setattr(streams, "HEAD_BYTES", 100)
    monkeypatch.setattr(streams, "MAX_ROW_BYTES", 1000)
    path = tmp_path / "rows"
    path.write_bytes(b'{"a": "' + b"x" * 50_000 + b'"}\n{"b": 1}\n')
    long, good = rows_of(path)
    assert 1000 < len(long[2]) <= 1200
    assert good == ("", 2, b'{"b": 1}')


def test_content_not_the_name_tells_the_format(tmp_path):
    path = tmp_path / "image_review_all.json"  # the name of the other file
    path.write_bytes(gzip.compress(b"\xef\xbb\xbf" + json.dumps(SPLITS).encode()))
    assert {split for split, _, _ in rows_of(path)} == {"train", "test"}


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "is empty"),
        (b" \n \r\n", "is empty"),
        (b"<!DOCTYPE html><html>{</html>", "web page"),
        (b"[\n{}\n]", "neither JSON lines"),
        (b"\x89PNG\r\n", "neither JSON lines"),
        (b'{"train": {"a": 1}}', "'train' is not a list"),
        (b'{"train": [], "extra": [1]}', "'extra' is not one of the splits"),
        (b'{"train": []', "damaged or cut off"),
        (b'{"train": []} {"val": []}', "damaged or cut off .Extra data"),
        (gzip.compress(b'{"a": 1}\n' * 1000, mtime=0)[:-20], "gzip stream is damaged"),
        (gzip.compress(b'{"a": 1}\n', mtime=0)[:-8] + b"\0" * 8, "gzip stream is damaged"),
    ],
)
def test_what_is_neither_file_is_an_error_that_says_so(tmp_path, content, complaint):
    path = tmp_path / "reviews.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=complaint) as raised:
        rows_of(path)
    assert "reviews.json" in str(raised.value)


def test_missing_file_says_what_to_set(tmp_path):
    with pytest.raises(FileNotFoundError, match="data.reviews"):
        rows_of(tmp_path / "none.json")


def test_truncated_splits_say_where(tmp_path):
    path = tmp_path / "filter_all_t.json"
    path.write_text('{"train": [{"a": 1}, {"b": "unfinished', encoding="utf-8")
    with pytest.raises(ValueError, match="filter_all_t.json.*cut off .*char 27.*download"):
        list(blocks(path, progress=False))


@pytest.mark.parametrize("head", [b'{"a": 1}\n', b'{"train": [], "val": [], "test": ['])
def test_a_gzip_file_that_unpacks_to_a_gigabyte_is_not_read_on(tmp_path, monkeypatch, head):
    monkeypatch.setattr(streams, "FREE_BYTES", 1 << 20)
    path, read = tmp_path / "rows.gz", 0
    with gzip.open(path, "wb") as file:
        file.write(head)
        for _ in range(64):
            file.write(b"\n" * (1 << 20))
    with pytest.raises(ValueError, match="rows.gz: unpacks to over 100 times its length"):
        for block in blocks(path, progress=False):
            read += len(block.rows)
    assert read < 2 * streams.FREE_BYTES
