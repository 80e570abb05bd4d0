"""Texts are read from every kind of file as they are, or what is wrong is named."""

import bz2
import csv
import gzip
import io
import json
import lzma
import os
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from sparsenmf import read_texts, write_csr
from sparsenmf.data.texts import TITLE_WIDTH

NOTES = ["naïve texts, both", "größe \u0915\u094d\u0930\u093f\u0915\u0947\u091f", "今天 天气"]

ENCODINGS = {
    "utf-8": b"",
    "utf-8-sig": b"",
    "utf-16": b"",
    "utf-16-le": b"\xff\xfe",
    "utf-16-be": b"\xfe\xff",
    "utf-32": b"",
}


def zstd(data):
    return pytest.importorskip("zstandard").compress(data)


COMPRESS = {
    "": bytes,
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": zstd,
}


def pipe(data, monkeypatch):
    """Make bytes the standard input."""
    stdin = io.TextIOWrapper(io.BytesIO(data))
    monkeypatch.setattr(sys, "stdin", stdin)
    return stdin


def table(suffix, rows, delimiter=","):
    """Return the bytes of texts in a column "text", as a file of a kind has them."""
    if suffix in (".jsonl", ".ndjson"):
        return "".join(json.dumps({"id": i, "text": x}) + "\n" for i, x in rows).encode()
    if suffix == ".json":
        return json.dumps([{"id": i, "text": x} for i, x in rows], indent=1).encode()
    file = io.StringIO()
    writer = csv.writer(file, delimiter=delimiter)
    writer.writerows([("id", "text"), *rows])
    return file.getvalue().encode()


def test_lines_of_a_text_file(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_bytes(b"\xef\xbb\xbfone  \xc3\xa9\r\n\n \t\ntwo\n" + b"x " * 10**6)
    titles, texts = read_texts(path)
    assert texts == ["one  é", "two", "x " * 10**6]
    assert titles[:2] == ["one é", "two"]
    assert len(titles[2]) == TITLE_WIDTH
    assert titles[2].endswith("...")


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("suffix", [".txt", ".csv", ".json"])
def test_encodings_with_a_mark_and_utf8_are_recognised(encoding, suffix, tmp_path):
    path, field = tmp_path / f"notes{suffix}", None
    text = "\n".join(NOTES)
    if suffix == ".csv":
        text, field = table(".csv", enumerate(NOTES)).decode(), "text"
    elif suffix == ".json":
        text, field = json.dumps([{"text": x} for x in NOTES], ensure_ascii=False), "text"
    path.write_bytes(ENCODINGS[encoding] + text.encode(encoding))
    assert read_texts(path, field)[1] == NOTES
    if encoding != "utf-8":  # the mark counts for more than the argument
        assert read_texts(path, field, encoding="latin-1")[1] == NOTES


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "cp1251", "gb18030", "shift_jis"])
@pytest.mark.parametrize("source", ["file", "folder", "stdin", "csv", "jsonl", "gz"])
def test_other_encodings_are_asked_for_by_name(encoding, source, tmp_path, monkeypatch):
    words = {"gb18030": "股票市场", "shift_jis": "かいぎ", "cp1251": "Москва"}
    text = words.get(encoding, "Köln schlägt München")
    lines = ["plain line"] * 3000 + [text, "more"]
    data, field, path = "\n".join(lines).encode(encoding), None, tmp_path / "notes.txt"
    expected = lines
    if source in ("csv", "jsonl"):
        field = "text"
        form = "id,text\n" if source == "csv" else ""
        row = "{},{}\n" if source == "csv" else '{{"id": {}, "text": "{}"}}\n'
        data = (form + "".join(row.format(i, x) for i, x in enumerate(lines))).encode(encoding)
        path = tmp_path / f"notes.{source}"
    elif source == "gz":
        data = gzip.compress(data)
    elif source == "folder":
        expected = ["\n".join(lines)]
    path.write_bytes(data)
    path = {"stdin": "-", "folder": tmp_path}.get(source, path)
    number = 3001 + (source == "csv")
    pipe(data, monkeypatch)
    with pytest.raises(ValueError, match=rf"line {number}, is not UTF-8.*--encoding.*latin-1"):
        read_texts(path, field)
    pipe(data, monkeypatch)
    assert read_texts(path, field, encoding=encoding)[1] == expected


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf16_without_a_mark_is_named(encoding, tmp_path):
    path = tmp_path / "notes.txt"
    path.write_bytes("plain words, and größe\n".encode(encoding) * 9)
    with pytest.raises(ValueError, match=rf"UTF-16 without .*--encoding\) {encoding}"):
        read_texts(path)
    assert read_texts(path, encoding=encoding)[1] == ["plain words, and größe"] * 9


@pytest.mark.parametrize("encoding", ["nothing", "rot13", "base64", ""])
def test_encodings_that_are_none_are_refused(encoding, tmp_path):
    with pytest.raises(ValueError, match=r"encoding .* is not known: use another, such as latin-1"):
        read_texts(tmp_path, encoding=encoding)
    with pytest.raises(TypeError, match="encoding must be a name"):
        read_texts(tmp_path, encoding=8)


@pytest.mark.parametrize("compression", COMPRESS)
@pytest.mark.parametrize("suffix", [".txt", ".csv", ".TSV", ".tab", ".jsonl", ".NDJSON", ".json"])
def test_every_format_is_read_whatever_its_compression_and_case(suffix, compression, tmp_path):
    field = None if suffix == ".txt" else "text"
    data = "\n".join(NOTES).encode()
    if field:
        delimiter = "\t" if suffix.lower() in (".tsv", ".tab") else ","
        data = table(suffix.lower(), enumerate(NOTES), delimiter)
    for name in (f"notes{suffix}{compression}", f"notes{suffix}{compression.upper()}"):
        (tmp_path / name).write_bytes(COMPRESS[compression](data))
        titles, texts = read_texts(tmp_path / name, field, field and "id")
        assert texts == NOTES
        assert titles == (["0", "1", "2"] if field else NOTES)


@pytest.mark.parametrize("compression", COMPRESS)
@pytest.mark.parametrize("kind", ["lines", ".csv", ".jsonl", ".json"])
def test_standard_input(kind, compression, monkeypatch):
    data = "\n".join(NOTES).encode() if kind == "lines" else table(kind, enumerate(NOTES))
    stdin = pipe(COMPRESS[compression](data), monkeypatch)
    assert read_texts("-", None if kind == "lines" else "text")[1] == NOTES
    assert not stdin.buffer.closed


@pytest.mark.parametrize("compression", [".gz", ".bz2", ".xz", ".zst"])
def test_damaged_input_is_named(compression, tmp_path, monkeypatch):
    data = COMPRESS[compression](os.urandom(3000).hex().encode())[:-100]
    pipe(data, monkeypatch)
    with pytest.raises(ValueError, match=rf"standard input is a damaged {compression}"):
        read_texts("-")
    (tmp_path / "notes.txt").write_bytes(data)
    with pytest.raises(ValueError, match=rf"notes.txt is a damaged {compression}"):
        read_texts(tmp_path / "notes.txt")


def test_a_closed_standard_input_is_an_error(monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(OSError, match="closed"):
        read_texts("-")


def test_folders_and_several_paths(tmp_path):
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "deep" / ".git").mkdir()
    (tmp_path / "deep" / "er" / "b.txt").write_text("two\nlines\n")
    (tmp_path / "deep" / "A.MD").write_text("one")
    (tmp_path / "deep" / "z").write_bytes(gzip.compress(b"three"))
    for hidden in ("._A.MD", ".DS_Store", ".git/notes.txt"):
        (tmp_path / "deep" / hidden).write_bytes(b"\0\1\2")
    (tmp_path / "deep" / "model.npz").write_bytes(b"PK\3\4")
    (tmp_path / "more.txt").write_text("four\nfive\n")
    titles, texts = read_texts([tmp_path / "deep", str(tmp_path / "more.txt")])
    assert texts == ["one", "two\nlines\n", "three", "four", "five"]
    assert titles == ["A.MD", os.path.join("er", "b.txt"), "z", "four", "five"]
    assert read_texts(tmp_path / "deep", glob="*.md")[1] == ["one"]
    assert read_texts(tmp_path / "deep", glob="er/*.txt")[1] == ["two\nlines\n"]
    assert read_texts(tmp_path / "deep", glob="**/*.txt")[1] == ["two\nlines\n"]
    for wrong in ("", "/a/*.txt", 3):
        with pytest.raises(ValueError, match="glob must be a pattern within folders"):
            read_texts(tmp_path / "deep", glob=wrong)
    with pytest.raises(ValueError, match=r"no file in .*deep is like '\*.pdf': it has .MD, .txt"):
        read_texts(tmp_path / "deep", glob="*.pdf")


def test_files_of_a_folder_that_are_no_texts_are_named(tmp_path):
    (tmp_path / "a.txt").write_text("one")
    (tmp_path / "b.pdf").write_bytes(b"%PDF-1.7\n\0")
    with pytest.raises(ValueError, match=r"b\.pdf is a PDF.*--glob"):
        read_texts(tmp_path)
    assert read_texts(tmp_path, glob="*.txt")[1] == ["one"]


@pytest.mark.parametrize("kind", ["store", "both sides", "10x"])
def test_the_folder_of_a_matrix_is_named(kind, tmp_path):
    folder = tmp_path / "counts"
    if kind == "10x":
        folder.mkdir()
        for name in ("matrix.mtx.gz", "features.tsv.gz", "barcodes.tsv.gz"):
            (folder / name).write_bytes(gzip.compress(b"AAAC-1\n"))
    else:
        write_csr(folder, [np.eye(3)], both_sides=kind == "both sides")
    with pytest.raises(ValueError, match=r"counts is a matrix, not texts: .* factorize"):
        read_texts(folder)


def test_a_folder_with_a_record_alone_has_texts(tmp_path):
    (tmp_path / "shape.json").write_text('["round"]')
    assert read_texts(tmp_path)[1] == ["round"]


def test_a_folder_of_tables_needs_a_field_and_then_is_read(tmp_path):
    (tmp_path / "a.csv").write_bytes(table(".csv", enumerate(NOTES)))
    (tmp_path / "b.jsonl").write_bytes(table(".jsonl", enumerate(NOTES)))
    with pytest.raises(ValueError, match=r"a\.csv needs a field \(--field\).*'id', 'text'"):
        read_texts(tmp_path)
    assert read_texts(tmp_path, "text")[1] == NOTES + NOTES


def test_each_of_several_files_can_be_a_text(tmp_path):
    paths = [tmp_path / "1.txt", tmp_path / "2.md"]
    for path in paths:
        path.write_text(f"{path.name}\nof two lines\n")
    titles, texts = read_texts(paths, whole_files=True)
    assert texts == [f"{path.name}\nof two lines\n" for path in paths]
    assert titles == list(map(str, paths))
    with pytest.raises(ValueError, match="whole_files are texts as a whole: they have no field"):
        read_texts(paths, "text", whole_files=True)


RECORDS = [
    {"id": 7, "text": "plain"},
    {"id": 8, "text": 'a "quoted", one\nof two lines'},
    {"id": 9, "text": "half \ud800 and \0 nothing"},
    {"id": 10, "text": None},
    {"id": 11, "text": "long " * 10**5},
]


@pytest.mark.parametrize("suffix", [".jsonl", ".log", ".json"])
def test_fields_of_json(suffix, tmp_path):
    path = tmp_path / f"notes{suffix}"
    if suffix == ".json":
        path.write_text(f"\n\n {json.dumps(RECORDS, indent=2)}\n")
    else:
        path.write_text("".join(json.dumps(record) + "\n\n" for record in RECORDS))
    titles, texts = read_texts(path, field="text", title_field="id")
    assert titles == ["7", "8", "9", "10", "11"]
    expected = [record["text"] or "" for record in RECORDS]
    expected[2] = "half \ufffd and \ufffd nothing"
    assert texts == expected
    assert read_texts(path, field="text")[0][0] == "plain"


def test_an_array_of_texts_needs_no_field(tmp_path):
    path = tmp_path / "notes.json"
    path.write_text(json.dumps(NOTES, indent=1))
    assert read_texts(path)[1] == NOTES


BAD_TEXTS = {
    "no JSON": ("a.jsonl", '{"text": "a"}\n\n{"text"\n', {"field": "text"}, "line 3 is not JSON"),
    "deep JSON": ("a.jsonl", "[" * 10**5, {"field": "text"}, "an array, is not JSON"),
    "cut array": (
        "a.json",
        '\n[{"text": "a"}',
        {"field": "text"},
        "is not JSON: .*line 2 col",
    ),
    "no object": ("a.jsonl", "[1]\n", {"field": "text"}, "item 1 is not an object"),
    "no field": ("a.jsonl", '{"body": 1}\n', {"field": "text"}, "line 1 has no 'text'.*'body'"),
    "a list": ("a.jsonl", '{"text": [1]}\n', {"field": "text"}, "line 1: 'text' is not a text"),
    "no title": (
        "a.jsonl",
        '{"text": "a"}',
        {"field": "text", "title_field": "id"},
        "line 1 has no 'id'",
    ),
    "field needed": ("a.jsonl", '{"a": 1}', {}, r"line 1 needs a field \(--field\).*: 'a'"),
    "column needed": ("a.csv", "a,b\n1,2\n", {}, r"needs a field \(--field\).*'a', 'b'"),
    "no column": ("a.csv", "a,b\n1,2\n", {"field": "c"}, "no column 'c'.*'a', 'b'"),
    "two columns": ("a.csv", "a,a\n1,2\n", {"field": "a"}, "2 columns 'a'"),
    "short row": ("a.csv", "a,b\n1,2\n3\n", {"field": "b"}, "line 3, has 1 fields.*has 2"),
    "long row": ("a.csv", "a,b\n1,2\n3,4,5\n", {"field": "b"}, "line 3, has 3 fields.*has 2"),
    "blank lines": ("a.csv", "\n\na,b\n1,2\n3,4,5\n", {"field": "b"}, "line 5, has 3 fields"),
    "blank JSON": ("a.log", "\n\n{}\n{", {"field": "b"}, "line 3 has no 'b'"),
    "empty table": ("a.tsv", "", {"field": "b"}, "no column 'b': its header is empty"),
    "lines, not records": ("a.txt", "one\n", {"field": "b"}, "no column 'b'.*'one'"),
    "matrix": ("a.npz", "", {}, "is a matrix"),
    "NUL": ("a.txt", "one\ntwo \0\n", {}, "line 2, has NUL bytes: it is a binary file"),
    "one NUL": ("a.txt", "a\0b\n", {}, "line 1, has NUL bytes: it is a binary file"),
    "NUL in a table": ("a.csv", "a,b\n1,\0\n", {"field": "b"}, "line 2, has NUL bytes"),
    "a surrogate": ("a.txt", b"\xed\xa0\x80", {}, "line 1, is not UTF-8"),
    "no delimiter": ("a.csv", "a\n", {"field": "a", "delimiter": "::"}, "delimiter must be one"),
    "empty folder": ("", None, {}, "no files"),
}


@pytest.mark.parametrize("case", BAD_TEXTS)
def test_bad_texts_are_refused_with_file_and_line(case, tmp_path):
    name, content, options, message = BAD_TEXTS[case]
    if content is not None:
        content = content if isinstance(content, bytes) else content.encode()
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message) as caught:
        read_texts(tmp_path / name, **options)
    assert str(tmp_path / name) in str(caught.value) or case == "no delimiter"


@pytest.mark.parametrize("compression", COMPRESS)
def test_a_pipe_is_read_once(compression, tmp_path):
    if not hasattr(os, "mkfifo"):
        pytest.skip("this system has no named pipes")
    path, lines = tmp_path / "pipe", [f"line {i}" for i in range(20000)]
    os.mkfifo(path)
    data = COMPRESS[compression]("\n".join(lines).encode())
    writer = threading.Thread(target=path.write_bytes, args=(data,))
    writer.start()
    assert read_texts(path)[1] == lines
    writer.join()


def test_utf8_that_is_read_as_another_encoding_is_remarked_on(tmp_path, recwarn):
    path = tmp_path / "notes.txt"
    path.write_text("größe\n" * 2000, encoding="utf-8")
    with pytest.warns(UserWarning, match=r"notes.txt seems to be UTF-8.*--encoding"):
        assert read_texts(path, encoding="latin-1")[1][0] == "grÃ¶Ã\x9fe"
    path.write_text("größe", encoding="latin-1")
    read_texts(path, encoding="latin-1")
    path.write_text("plain", encoding="ascii")
    read_texts(path, encoding="latin-1")
    assert not recwarn.list


def test_missing_text_file_is_reported_as_such(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_texts(tmp_path / "nothing.txt")
    with pytest.raises(FileNotFoundError):
        read_texts([Path("nothing.csv")], "text")
