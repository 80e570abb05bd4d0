"""Each format is read as what was written, with its names, compressed or not, and stored alike."""

import numpy as np
import pytest

from sparsenmf import NamedMatrix, factorize, read_matrix, write_csr

from .files import CELLS, FILES, GENES, X, compress

SINGLE = [name for name in FILES if name not in ("v2", "v3")]


def check(found, name):
    _, features, samples = FILES[name]
    order, columns = np.arange(len(CELLS)), np.arange(len(GENES))
    if name.startswith("doc_word"):  # as the names come
        order = [CELLS.index(cell) for cell in found.sample_names]
        columns = [GENES.index(gene) for gene in found.feature_names]
        assert sorted(order) == list(range(30))
    assert isinstance(found, NamedMatrix) == (features or samples)
    np.testing.assert_array_equal(found.toarray(), X[np.ix_(order, columns)])
    assert found.dtype == np.float32  # they are counts, whatever the format says
    names = getattr(found, "feature_names", None), getattr(found, "sample_names", None)
    assert (names[0] is not None, names[1] is not None) == (features, samples)
    if features:
        assert names[0].tolist() == [GENES[j] for j in columns]
    if samples:
        assert names[1].tolist() == [CELLS[i] for i in order]


@pytest.mark.parametrize("name", FILES)
def test_file_is_read_with_its_names(name, tmp_path):
    FILES[name][0](tmp_path / name)
    check(read_matrix(tmp_path / name), name)


@pytest.mark.parametrize("kind", [".gz", ".bz2", ".xz", ".zst"])
@pytest.mark.parametrize("name", SINGLE)
def test_compressed_file_is_read_as_what_it_holds(name, kind, tmp_path):
    FILES[name][0](tmp_path / name)
    path = compress(tmp_path / name, kind)
    check(read_matrix(path), name)
    assert sorted(p.name for p in tmp_path.iterdir() if not p.name.startswith("vocab")) == [
        path.name
    ]


@pytest.mark.parametrize("name", SINGLE)
def test_suffixes_count_in_any_case(name, tmp_path):
    FILES[name][0](tmp_path / name)
    upper = tmp_path / name.replace("docword.kos", "DOCWORD.kos").upper()
    if name == "docword.kos.txt":
        (tmp_path / "vocab.kos.txt").rename(tmp_path / "vocab.KOS.TXT")
    (tmp_path / name).rename(upper)
    check(read_matrix(upper), name)


@pytest.mark.parametrize("name", FILES)
def test_transposing_a_file_transposes_its_names(name, tmp_path):
    FILES[name][0](tmp_path / name)
    straight, turned = read_matrix(tmp_path / name), read_matrix(tmp_path / name, transpose=True)
    np.testing.assert_array_equal(turned.toarray(), straight.toarray().T)
    for mine, other in (("feature_names", "sample_names"), ("sample_names", "feature_names")):
        assert str(getattr(turned, mine, None)) == str(getattr(straight, other, None))


@pytest.mark.parametrize("transpose", [False, True])
@pytest.mark.parametrize("name", FILES)
def test_store_equals_what_read_matrix_reads(name, transpose, tmp_path):
    from sparsenmf.data.store.chunks import read_chunks

    FILES[name][0](tmp_path / name)
    expected = read_matrix(tmp_path / name, transpose=transpose)
    (tmp_path / "store").mkdir()
    chunks = read_chunks(tmp_path / name, tmp_path / "store", transpose=transpose)
    store = write_csr(tmp_path / "store", chunks)
    np.testing.assert_array_equal(store.rows(0, store.shape[0]).toarray(), expected.toarray())
    for names in ("feature_names", "sample_names"):
        assert str(getattr(store, names)) == str(getattr(expected, names, None))
    if not transpose:
        again = write_csr(tmp_path / "again", tmp_path / name)
        assert (again.shape, again.nnz) == (store.shape, store.nnz)


def test_names_go_into_the_model(tmp_path):
    FILES["v3"][0](tmp_path / "v3")
    model = factorize(read_matrix(tmp_path / "v3"), 2, random_state=0)
    assert set(model.top_terms(n=12)[0]) <= set(GENES)
    assert model.sample_names.tolist() == CELLS


RARE = {
    "X.mat": "type first: python -c .*loadmat",
    "X.rds": "type first: Rscript",
    "X.tar.gz": "type first: tar xf",
    "X.low": "type first: python -c .*LowCorpus",
    "X.pdf": r"should end in one of .npz, .mtx, .*docs/guide/formats.md",
    "noname": r"should end in one of .npz",
}


@pytest.mark.parametrize("name", RARE)
def test_refused_formats_name_the_command_that_converts_them(name, tmp_path):
    (tmp_path / name).write_bytes(b"whatever")
    with pytest.raises(ValueError, match=RARE[name]) as caught:
        read_matrix(tmp_path / name)
    assert str(tmp_path / name) in str(caught.value)


@pytest.mark.parametrize("name", SINGLE)
def test_cut_file_is_refused_or_shorter(name, tmp_path):
    """A text that is cut at the end of a line looks complete, so it may be read as shorter."""
    path = tmp_path / name
    FILES[name][0](path)
    whole = path.read_bytes()
    for length in range(0, len(whole) - 2, max(1, len(whole) // 25)):
        path.write_bytes(whole[:length])
        try:
            found = read_matrix(path)
        except (ValueError, OSError) as error:
            # pytest.raises would demand an error, but a file cut between two lines is whole.
            assert name in str(error)  # noqa: PT017
        else:
            assert found.sum() < X.sum()


def test_format_is_checked(tmp_path):
    FILES["csv.csv"][0](tmp_path / "csv.csv")
    with pytest.raises(ValueError, match="format must be one of mtx, svmlight"):
        read_matrix(tmp_path / "csv.csv", format="csv")
    with pytest.raises(ValueError, match="missing must be"):
        read_matrix(tmp_path / "csv.csv", missing="nothing")
    with pytest.raises(TypeError, match="transpose"):
        read_matrix(tmp_path / "csv.csv", transpose="yes")


def test_format_that_is_named_counts_for_any_suffix(tmp_path):
    for name, form in (
        ("one.svmlight", "svmlight"),
        ("blei.ldac", "lda-c"),
        ("docword.kos.txt", "bag-of-words"),
        ("X.mtx", "mtx"),
        ("csv.csv", "table"),
    ):
        FILES[name][0](tmp_path / name)
        (tmp_path / name).rename(tmp_path / "data.odd")
        found = read_matrix(tmp_path / "data.odd", format=form)
        np.testing.assert_array_equal(found.toarray(), X)
