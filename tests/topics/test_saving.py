"""Topics of texts in a file: what is read does with new texts what was written would."""

import io
import json
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from sparsenmf import Factorization, Topics, factorize, find_topics

from ..corpus import TERMS, make_counts, make_texts

pytest.importorskip("sklearn")

OPTIONS = {
    "defaults": {},
    "counts": {"weighting": "counts", "loss": "kullback-leibler"},
    "ngrams": {"ngrams": (1, 2), "stop_words": ["whale", "Oven"], "min_df": 2},
    "char": {"analyzer": "char", "ngrams": 3},
    "char_wb": {"analyzer": "char_wb", "ngrams": (2, 3), "lowercase": False},
    "pattern": {"token_pattern": r"\b[a-z]{5,}\b", "max_terms": 15},
    "length": {"min_length": 6, "stop_words": None},
    "case": {"lowercase": False},
    "penalties": {"alpha_W": 1e-3, "l1_ratio": 0.5, "loss": 1.5, "solver": "mu"},
}

NEW = [
    "whale storm, a Tide in the Harbour",
    "oven SUGAR and Butter",
    "qqq",
    "",
    "wind oven honey PEPPER",
]


def members(path):
    """What an archive holds, by name."""
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.mark.parametrize("name", OPTIONS)
def test_saved_topics_are_those_that_were_saved(name, tmp_path):
    texts = [f"{text} {text.title()}" for text in make_texts()]
    found = find_topics(texts, 3, random_state=0, **OPTIONS[name])
    found.save(tmp_path / "model")
    loaded = Topics.load(tmp_path / "model")
    expected = found.model.transform(found.vectorizer.transform(NEW))
    np.testing.assert_array_equal(found.transform(NEW), expected)
    np.testing.assert_array_equal(loaded.transform(NEW), expected)
    assert (expected[0] > 0).any()
    assert not expected[3].any()
    assert loaded.topic_table() == replace(found, X=None).topic_table()
    assert loaded.labels() == found.labels()
    assert list(loaded.titles) == list(found.titles)
    loaded.save(tmp_path / "again")
    assert members(tmp_path / "again") == members(tmp_path / "model")
    np.testing.assert_array_equal(Factorization.load(tmp_path / "model").H, found.model.H)


def test_shares_of_new_texts(tmp_path):
    found = find_topics(make_texts(), 2, random_state=0)
    W = found.transform(make_texts())
    table, expected = found.share_table(W, found.titles), found.document_table(all_topics=True)
    assert list(table) == list(expected)
    assert table["topic"] == expected["topic"]
    np.testing.assert_allclose(table["topic_1"], expected["topic_1"], atol=1e-3)
    assert found.share_table(W[:2])["title"] == ["document 1", "document 2"]


def test_options_of_transform_are_passed_on():
    found = find_topics(make_texts(), 2, random_state=0, loss=1.5, solver="mu")
    X = found.vectorizer.transform(make_texts())
    with pytest.warns(UserWarning, match="max_sweeps = 2 sweeps"):
        W = found.transform(make_texts(), max_sweeps=2, tol=0, n_threads=1)
    with pytest.warns(UserWarning, match="max_sweeps = 2 sweeps"):
        expected = found.model.transform(X, max_sweeps=2, tol=0, n_threads=1)
    np.testing.assert_array_equal(W, expected)


def test_texts_of_other_words_are_remarked_on():
    found = find_topics(make_texts(), 2, random_state=0)
    with pytest.warns(UserWarning, match=r"2 of 3 texts have none of the model's terms"):
        W = found.transform(["wal und sturm", "ofen", "whale"])
    assert not W[:2].any()
    for wrong, error, message in (
        ([], ValueError, "there are no texts"),
        ("one text", TypeError, "sequence of strings"),
        ([1], TypeError, r"texts\[0\] must be a string"),
    ):
        with pytest.raises(error, match=message):
            found.transform(wrong)


def test_the_file_is_plain(tmp_path):
    found = find_topics(make_texts(), 2, random_state=0, titles=[f"n {i}" for i in range(80)])
    found.save(tmp_path / "model.npz")
    with np.load(tmp_path / "model.npz", allow_pickle=False) as arrays:
        np.testing.assert_allclose(arrays["idf"], found.vectorizer.idf_)
    record = json.loads(members(tmp_path / "model.npz")["texts.json"])
    assert record["terms"] == list(found.terms)
    assert record["titles"][:2] == ["n 0", "n 1"]
    assert record["ngrams"] == [1, 1]
    assert "the" in record["stop_words"]


def test_other_files_and_vectorizers_are_refused(tmp_path):
    from sklearn.feature_extraction.text import CountVectorizer

    model = factorize(make_counts(), 2, random_state=0)
    model.save(tmp_path / "model")
    with pytest.raises(ValueError, match=r"of a matrix, not a model of texts.*topics --save"):
        Topics.load(tmp_path / "model")
    (tmp_path / "notes").write_text("one")
    with pytest.raises(ValueError, match="not a whole saved Factorization"):
        Topics.load(tmp_path / "notes")
    with pytest.raises(FileNotFoundError):
        Topics.load(tmp_path / "nothing")
    for vectorizer in (None, CountVectorizer(), CountVectorizer(analyzer=str.split)):
        topics = Topics(model, np.array(TERMS), list("ab") * 40, vectorizer)
        with pytest.raises(ValueError, match="not one of find_topics"):
            topics.save(tmp_path / "other")
    assert not (tmp_path / "other").exists()


def damage(record, arrays, how):
    if how == "format":
        record["format"] = 2
    elif how == "few terms":
        del record["terms"][0]
    elif how == "equal terms":
        record["terms"][1] = record["terms"][0]
    elif how == "no text":
        record["terms"][0] = 1
    elif how == "titles":
        record["titles"] = "one"
    elif how == "words":
        record["stop_words"] = [["the"]]
    elif how == "pattern":
        record["token_pattern"] = "(["
    elif how == "ngrams":
        record["ngrams"] = [1, "a"]
    elif how == "weighting":
        record["weighting"] = "bm25"
    elif how == "keys":
        record.pop("analyzer")
    elif how == "idf":
        arrays.pop("idf.npy")
    elif how == "short idf":
        arrays["idf.npy"] = npy(np.ones(3))
    elif how == "negative idf":
        arrays["idf.npy"] = npy(-np.ones(20))


def npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


DAMAGE = ["format", "few terms", "equal terms", "no text", "titles", "words", "pattern", "ngrams",
          "weighting", "keys", "idf", "short idf", "negative idf"]  # fmt: skip


@pytest.mark.parametrize("how", DAMAGE)
def test_damaged_files_are_refused(how, tmp_path):
    find_topics(make_texts(), 2, random_state=0).save(tmp_path / "model")
    there = members(tmp_path / "model")
    record = json.loads(there["texts.json"])
    damage(record, there, how)
    there["texts.json"] = json.dumps(record).encode()
    with zipfile.ZipFile(tmp_path / "model", "w") as archive:
        for name, data in there.items():
            archive.writestr(name, data)
    with pytest.raises(ValueError, match="model is not a whole saved"):
        Topics.load(tmp_path / "model")
