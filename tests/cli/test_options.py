"""Options that subcommands share: the order of terms, tables, and their formats."""

import json
from pathlib import Path

import numpy as np
import pytest

from sparsenmf import factorize, find_topics, term_table
from sparsenmf.data.files import write_table

from ..corpus import TERMS, make_counts, make_texts
from ..pages import parse
from .commands import run, succeed


@pytest.mark.parametrize("by", ["weight", "distinctive", "0.5"])
def test_terms_are_shown_by_weight_or_as_distinctive_ones(by, here):
    order = by if by[0].isalpha() else float(by)
    arguments = ("factorize", "X.npz", "--vocabulary", "terms.txt", "-k", 2, "--by", by)
    found = json.loads(
        succeed(*arguments, "--format", "json", "--term-table", "t.csv", "--report", "r.html")
    )
    model = factorize(make_counts().astype(np.float32), 2, random_state=0)
    assert [topic["terms"] for topic in found] == model.top_terms(TERMS, by=order)
    assert "distinctive" not in found[0]
    write_table("expected.csv", term_table(model, TERMS, by=order))
    assert Path("t.csv").read_text() == Path("expected.csv").read_text()
    page = parse(Path("r.html"))
    assert page.by_id("list").all("ol", "distinctive") == []
    assert f"--by {by}" in page.one("code").text
    text = succeed(*arguments)
    assert "distinctive:" not in text
    succeed(*arguments[:-2], "--save", "m.npz")
    shown = succeed("info", "m.npz", "--vocabulary", "terms.txt", "--by", by)
    heads = [f"{r}. {', '.join(t)}" for r, t in enumerate(model.top_terms(TERMS, by=order), 1)]
    assert [line.strip() for line in shown.splitlines()[3:]] == heads


@pytest.mark.parametrize(
    ("by", "message"),
    [
        ("lift", "'lift' is neither a number nor one of both, weight, distinctive"),
        *((by, f"{float(by)} is not a number from 0 to 1") for by in ("2", "-1", "nan")),
    ],
)
def test_invalid_orders_are_refused_before_the_fit(by, message, here):
    result = run("factorize", "nowhere.npz", "-k", 2, "--by", by)
    assert result.exit_code == 2
    assert f"'--by': {message}" in result.output


def test_tables_can_be_written_for_excel(here):
    openpyxl = pytest.importorskip("openpyxl")
    arguments = ("topics", "notes.txt", "-k", 2, "--format", "csv")
    tables = {"topic": "topics.csv", "term": "terms.tsv", "document": "documents.xlsx"}
    options = [word for name, path in tables.items() for word in (f"--{name}-table", path)]
    plain = succeed(*arguments, *options)
    texts = {path: Path(path).read_bytes() for path in ("topics.csv", "terms.tsv")}
    assert succeed(*arguments, *options, "--excel") == f"\ufeff{plain}"
    for path, text in texts.items():
        assert Path(path).read_bytes() == b"\xef\xbb\xbf" + text
    sheet = openpyxl.load_workbook("documents.xlsx").active
    rows = list(sheet.iter_rows(values_only=True))
    table = find_topics(make_texts(), 2, random_state=0).document_table()
    assert rows[0] == tuple(table)
    assert [row[1] for row in rows[1:]] == table["title"]
    succeed("factorize", "X.npz", "-k", 2, "--save", "m.npz")
    succeed("transform", "m.npz", "X.npz", "--output", "W.csv", "--excel")
    assert Path("W.csv").read_text(encoding="utf-8-sig").startswith("topic_1,topic_2\n")
    assert Path("W.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    refused = run("factorize", "X.npz", "-k", 2, "--document-table", "d.xls")
    assert refused.exit_code == 2
    assert ".xlsx" in refused.output
