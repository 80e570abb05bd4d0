"""Tables are read strictly: a row that cannot be right is an error with its line."""

import csv
import io
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparsenmf import read_texts
from sparsenmf.data.delimited import guess_delimiter

TEXTS = ["cats, dogs; and\tbirds | play", 'a "quoted" one', "two\nlines", "", "plain"]


def write(path, delimiter, header=("id", "text"), texts=TEXTS):
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerow(header)
        writer.writerows((i, text) for i, text in enumerate(texts))


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".tab", ".txt", ".CSV"])
def test_the_delimiter_is_guessed_from_the_header(delimiter, suffix, tmp_path):
    path = tmp_path / f"notes{suffix}"
    write(path, delimiter)
    assert read_texts(path, "text", "id") == (list("01234"), TEXTS)


@pytest.mark.parametrize("delimiter", [":", "^", "tab", "\\t"])
def test_other_delimiters_are_said(delimiter, tmp_path):
    path = tmp_path / "notes.csv"
    write(path, "\t" if delimiter in ("tab", "\\t") else delimiter)
    assert read_texts(path, "text", delimiter=delimiter)[1] == TEXTS


@settings(deadline=None)
@given(
    st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))),
    st.sampled_from(",;\t|"),
)
@pytest.mark.filterwarnings("ignore:.*a quoted text of")
def test_whatever_a_writer_writes_is_read_again(texts, delimiter):
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder, "notes.csv"), delimiter, texts=texts)
        found = read_texts(Path(folder, "notes.csv"), "text", "id")[1]
    assert found == [text.replace("\r\n", "\n").replace("\r", "\n") for text in texts]


@pytest.mark.parametrize(
    ("header", "field", "expected"),
    [
        ("text", "text", ","),
        ("id;text, long", "text, long", ";"),
        ("text,a;b;c", "text", ","),
        ('"text; short",id', "text; short", ","),
        ("id\ttext,b", "id", "\t"),
        ("a;b", "c", ";"),
        ('a "b" c,d', "d", ","),
    ],
)
def test_a_delimiter_makes_the_field_a_column(header, field, expected):
    assert guess_delimiter(header, [field]) == expected


def test_names_of_columns_have_no_blanks_around_them(tmp_path):
    (tmp_path / "a.csv").write_text('\n\nid, text \n1,one\n\n2,"two"\n')
    assert read_texts(tmp_path / "a.csv", "text")[1] == ["one", "two"]


@pytest.mark.parametrize("suffix", [".csv", ".tsv"])
@pytest.mark.parametrize("place", [2, 90, 300])
@pytest.mark.parametrize("more", [None, "open", "inside"])
def test_an_unpaired_quotation_mark_is_named_by_its_line(suffix, place, more, tmp_path):
    delimiter = "\t" if suffix == ".tsv" else ","
    lines = [f"{i}{delimiter}market report" for i in range(400)]
    lines[place - 2] = f'{place - 2}{delimiter}"market report'
    if more == "open":
        lines[350] = f'350{delimiter}"cat story'
    elif more == "inside":
        lines[350] = f'350{delimiter}cat "nice" story'
    path = tmp_path / f"notes{suffix}"
    path.write_text("\n".join([f"id{delimiter}text", *lines]))
    with pytest.raises(ValueError, match=f"notes{suffix}, line {place}: a quotation mark is not"):
        read_texts(path, "text")
    texts = read_texts(path, "text", quotes=False)[1]
    assert len(texts) == 400
    assert texts[place - 2] == '"market report'


def test_rows_within_a_quoted_text_are_remarked_on(tmp_path):
    path = tmp_path / "notes.csv"
    rows = [f"{i},text {i}" for i in range(100)]
    rows[10] += '"'
    rows[5] = '5,"text 5'
    path.write_text("id,text\n" + "\n".join(rows))
    with pytest.warns(UserWarning, match=r"line 7: a quoted text of 6 lines.*--no-quotes"):
        assert len(read_texts(path, "text")[1]) == 95


def test_a_text_of_many_lines_is_no_reason_for_a_remark(tmp_path, recwarn):
    path = tmp_path / "notes.csv"
    text = "\n".join(["one", "two, three", "four", "five, six"] * 9)
    write(path, ",", texts=[text])
    assert read_texts(path, "text")[1] == [text]
    assert not recwarn.list


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_more_fields_than_columns_are_an_error(delimiter, tmp_path):
    path = tmp_path / "notes.csv"
    lines = [f"id{delimiter}text", "", f"0{delimiter}stocks", f"1{delimiter}cats{delimiter} dogs"]
    path.write_text("\n".join(lines))
    with pytest.raises(ValueError, match=r"line 4, has 3 fields, but the header has 2: put texts"):
        read_texts(path, "text")


def test_long_fields_are_read_and_the_limit_stays_what_it_was(tmp_path):
    path, limit = tmp_path / "notes.csv", csv.field_size_limit()
    write(path, ",", texts=["long " * 10**5])
    assert read_texts(path, "text")[1] == ["long " * 10**5]
    path.write_text('id,text\n1,"one')
    with pytest.raises(ValueError, match="line 2"):
        read_texts(path, "text")
    assert csv.field_size_limit() == limit


def test_cases_of_users(tmp_path):
    """Files of the kinds that people have, made again here."""
    quoted = io.StringIO()
    writer = csv.writer(quoted)
    writer.writerow(("label", "text"))
    writer.writerows(("neg", f"dull film\nseen twice number {i}") for i in range(40))
    (tmp_path / "upper.CSV").write_text(quoted.getvalue())
    assert len(read_texts(tmp_path / "upper.CSV", "text")[1]) == 40
    rows = "".join(f"{i},cats, dogs, and birds play\n" for i in range(60))
    (tmp_path / "commas.csv").write_text(f"id,text\n{rows}")
    with pytest.raises(ValueError, match=r"commas\.csv, line 2, has 4 fields"):
        read_texts(tmp_path / "commas.csv", "text")
