"""svmlight and lda-c: each line is read as it is written, or refused with its number."""

import gzip

import numpy as np
import pytest

from sparsenmf import read_matrix
from sparsenmf.data.reading import pairs

from .files import GENES


def read(tmp_path, name, text, **options):
    (tmp_path / name).write_bytes(text.encode() if isinstance(text, str) else text)
    return read_matrix(tmp_path / name, **options)


SAME = {
    "labels": "1 1:2 3:1.5\n-1 2:1\n",
    "order": "1 3:1.5 1:2\n-1 2:1\n",
    "remarks": "# of what\n1 1:2 3:1.5 # a 4:5\n\n-1 2:1 #\n",
    "queries": "1 qid:7 1:2 3:1.5\n2 qid:8 2:1\n",
    "labels of texts": "spam 1:2 3:1.5\nham 2:1\n",
    "several labels": "1,2 1:2 3:1.5\n3 2:1\n",
    "no label": " 1:2 3:1.5\n2:1\n",
    "exponents": "+1.5e3 1:20e-1 3:.15E1\n0 2:1.\n",
    "twice": "1 1:1 1:1 3:1.5\n1 2:1\n",
    "carriage returns": "1 1:2 3:1.5\r\n-1 2:1\r\n",
    "from zero": "1 0:2 2:1.5\n-1 1:1\n",
    "no last line end": "1 0:2 2:1.5\n-1 1:1",
}


@pytest.mark.parametrize("portion", [4, 2**22])
@pytest.mark.parametrize("case", SAME)
def test_svmlight_of_each_kind(case, portion, tmp_path, monkeypatch):
    monkeypatch.setattr(pairs, "PORTION", portion)
    found = read(tmp_path, "X.svmlight", SAME[case])
    np.testing.assert_array_equal(found.toarray(), [[2, 0, 1.5], [0, 1, 0]])


@pytest.mark.parametrize(
    ("text", "form", "columns"),
    [
        ("1 1:2 2:1\n", None, [2, 1]),
        ("1 1:2 2:1\n", "svmlight", [2, 1]),
        ("1 1:2 2:1\n", "svmlight-0", [0, 2, 1]),
        ("1 0:2 2:1\n", "svmlight-0", [2, 0, 1]),
        ("1 0:2 2:1\n", "svmlight", [2, 0, 1]),
        ("# Column indices are zero-based\n1 1:2 2:1\n", None, [0, 2, 1]),
        ("# Column indices are zero-based\r\n1 1:2 2:1\r\n", None, [0, 2, 1]),
        ("# Column indices are one-based\n1 1:2 2:1\n", None, [2, 1]),
        ("# Column indices are one-based\n1 1:2 2:1\n", "svmlight-0", [0, 2, 1]),
    ],
)
def test_the_first_feature_is_0_where_that_is_said_or_seen(text, form, columns, tmp_path):
    found = read(tmp_path, "X.svmlight", text, format=form)
    np.testing.assert_array_equal(found.toarray(), [columns])


@pytest.mark.parametrize("zero_based", [True, False])
def test_remarks_of_scikit_learn_count(zero_based, tmp_path):
    datasets = pytest.importorskip("sklearn.datasets")
    X = np.array([[0, 2, 0, 1.5], [0, 1, 0, 0]])
    path = tmp_path / "X.svmlight"
    datasets.dump_svmlight_file(X, [1, -1], str(path), zero_based=zero_based, comment="of what")
    np.testing.assert_array_equal(read_matrix(path).toarray(), X)
    (tmp_path / "X.svmlight.gz").write_bytes(gzip.compress(path.read_bytes()))
    np.testing.assert_array_equal(read_matrix(f"{path}.gz").toarray(), X)


def test_line_without_pairs_is_a_row(tmp_path):
    assert read(tmp_path, "X.libsvm", "1 1:2\n0\n1 2:3\n").toarray().tolist() == [
        [2, 0],
        [0, 0],
        [0, 3],
    ]


WRONG = ["1 1:a", "1 1", "1 a:1", "1 1:2,5", "1 1:0x10", "1 1:1e5e5", "1 -1:2", "1 1:2:3", "1 1: 2",
         "1 |f a:1", "1 1:2 the", "1 1:1_0", "1 1:\u0663"]  # fmt: skip


@pytest.mark.parametrize("line", WRONG)
def test_malformed_pairs_are_refused_with_their_line(line, tmp_path):
    with pytest.raises(ValueError, match=r"line 3, .* is not a label and pairs such as 3:1.5"):
        read(tmp_path, "X.svmlight", f"1 1:2\n\n{line}\n1 2:3\n")


def test_values_are_checked(tmp_path):
    for value in ("-2", "nan", "inf"):
        with pytest.raises(ValueError, match="row 1, column 0"):
            read(tmp_path, "X.svmlight", f"1 1:2\n1 1:{value}\n")
    with pytest.raises(ValueError, match=r"a place of [0-9]+, which no matrix has"):
        read(tmp_path, "X.svmlight", "1 9999999999999999999999:1\n")
    with pytest.raises(ValueError, match="empty"):
        read(tmp_path, "X.svmlight", "\n# nothing\n")


def test_line_without_an_end_is_not_gathered(tmp_path, monkeypatch):
    monkeypatch.setattr(pairs, "PORTION", 2**8)
    monkeypatch.setattr(pairs, "LONGEST_LINE", 2**10)
    with pytest.raises(ValueError, match="a line of more than 1,024 bytes"):
        read(tmp_path, "X.svmlight", "1 " + "1:1 " * 1000)


def test_lda_c_checks_its_numbers_of_words(tmp_path):
    found = read(tmp_path, "X.ldac", "2 4:1 0:2\n0\n1 1:3\n")
    np.testing.assert_array_equal(found.toarray(), [[2, 0, 0, 0, 1], [0] * 5, [0, 3, 0, 0, 0]])
    with pytest.raises(ValueError, match=r"document 2 begins with '3', but has 1 pairs"):
        read(tmp_path, "X.ldac", "2 4:1 0:2\n3 1:3\n")


@pytest.mark.parametrize("name", ["vocab.txt", "X.ldac.vocab", "vocab.txt.gz"])
def test_terms_beside_are_names(name, tmp_path):
    import gzip

    content = "\n".join(GENES).encode()
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    found = read(tmp_path, "X.ldac", "2 4:1 0:2\n1 1:3\n")
    assert found.shape == (2, len(GENES))  # terms that are in no document, too
    assert found.feature_names.tolist() == GENES
    (tmp_path / name).write_bytes(b"\x1f\x8b"[:0] + b"one\ntwo\n")
    with pytest.raises(ValueError, match="has 2 terms, but it has words up to number 4"):
        read_matrix(tmp_path / "X.ldac")


def test_terms_of_another_bag_are_refused(tmp_path):
    (tmp_path / "vocab.kos.txt").write_text("one\ntwo\n")
    with pytest.raises(ValueError, match=r"vocab.kos.txt beside it has 2 terms, but"):
        read(tmp_path, "docword.kos.txt", "1\n3\n1\n1 2 5\n")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1\n3\n9\n1 2 5\n", "entries|more than"),
        ("1\n3\n1\n1 4 5\n", "is not a matrix"),
        ("1\n3\n1\n1 2 x\n", "is not an entry"),
        ("0\n3\n0\n", "cannot be 0 x 3"),
        ("1\n3\n900000000000\n1 2 5\n", "more than it can have"),
    ],
)
def test_damaged_bag_is_refused(text, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        read(tmp_path, "docword.kos.txt", text, format="bag-of-words")


def test_what_gensim_writes_is_read(tmp_path):
    corpora = pytest.importorskip("gensim.corpora")
    words = [["cat", "sea", "cat"], ["stock"], ["sea", "stock", "stock"]]
    dictionary = corpora.Dictionary(words)
    corpus = [dictionary.doc2bow(text) for text in words]
    terms = [dictionary[i] for i in range(3)]
    expected = [[text.count(term) for term in terms] for text in words]
    for kind, name in (("BleiCorpus", "X.lda-c"), ("UciCorpus", "X.uci")):
        getattr(corpora, kind).serialize(str(tmp_path / name), corpus, id2word=dictionary)
        found = read_matrix(tmp_path / name)
        assert found.toarray().tolist() == expected
        assert found.feature_names.tolist() == terms
    corpora.MmCorpus.serialize(str(tmp_path / "X.mm"), corpus)
    corpora.SvmLightCorpus.serialize(str(tmp_path / "X.svmlight"), corpus)
    for name in ("X.mm", "X.svmlight"):
        assert read_matrix(tmp_path / name).toarray().tolist() == expected


def test_gensim_dictionary_is_a_vocabulary(tmp_path):
    from sparsenmf import read_vocabulary

    corpora = pytest.importorskip("gensim.corpora")
    dictionary = corpora.Dictionary([["stock", "cat", "sea"], ["cat"]])
    dictionary.save_as_text(str(tmp_path / "terms.txt"))
    assert read_vocabulary(tmp_path / "terms.txt") == [dictionary[i] for i in range(3)]
    dictionary.save_as_text(str(tmp_path / "terms.txt.bz2"))
    assert read_vocabulary(tmp_path / "terms.txt.bz2") == [dictionary[i] for i in range(3)]
    dictionary.save(str(tmp_path / "terms.dict"))
    with pytest.raises(ValueError, match=r"is a pickle, which is not read.*save_as_text"):
        read_vocabulary(tmp_path / "terms.dict")
    del dictionary.token2id["cat"]
    dictionary.save_as_text(str(tmp_path / "gaps.txt"))
    with pytest.raises(ValueError, match=r"gaps in its numbers: call dictionary.compactify"):
        read_vocabulary(tmp_path / "gaps.txt")
