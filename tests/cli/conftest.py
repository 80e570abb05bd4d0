"""The corpus in files of several forms."""

import json
from pathlib import Path

import pytest
import scipy.sparse as sp

from sparsenmf.data.files import write_table

from ..corpus import TERMS, make_counts, make_texts


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with the corpus in several forms, to work in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    texts = make_texts()
    Path("notes.txt").write_text("\n".join(texts))
    Path("terms.txt").write_text("\n".join(TERMS) + "\n")
    sp.save_npz("X.npz", make_counts())
    write_table("notes.csv", {"id": range(80), "body": texts})
    records = [{"id": i, "body": text} for i, text in enumerate(texts)]
    Path("notes.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    Path("letters").mkdir()
    for i, text in enumerate(texts):
        Path("letters", f"{('sea', 'kitchen')[i % 2]}{i:02d}.txt").write_text(text)
    return tmp_path
