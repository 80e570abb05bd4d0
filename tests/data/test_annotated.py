"""AnnData in all its forms: in memory and on disk, X, layers and raw, with names."""

import re

import numpy as np
import pytest
import scipy.sparse as sp

from sparsenmf import NMF, NamedMatrix, factorize, open_csr, read_matrix, write_csr
from sparsenmf.data.named import names_of
from sparsenmf.data.store.chunks import read_chunks

anndata = pytest.importorskip("anndata")
h5py = pytest.importorskip("h5py")

N, M = 12, 7
GENES, CELLS = [f"gene {j}" for j in range(M)], [f"cell-{i}" for i in range(N)]


def counts(seed=0, n_genes=M):
    X = sp.random_array((N, n_genes), density=0.6, rng=seed, format="csr", dtype=np.float32)
    X.data = np.ceil(9 * X.data)
    return X


def annotated(X=None, *, layers=(), raw=False, form=sp.csr_matrix):
    """Return an AnnData: its layers hold counts of other seeds, its raw has one more gene."""
    adata = anndata.AnnData(form(counts() if X is None else X))
    adata.var_names, adata.obs_names = GENES, CELLS
    for seed, name in enumerate(layers, 1):
        adata.layers[name] = form(counts(seed))
    if raw:
        whole = anndata.AnnData(form(counts(9, M + 1)))
        whole.var_names, whole.obs_names = [*GENES, "one more"], CELLS
        adata.raw = whole
    return adata


def dense(X):
    return X.toarray() if sp.issparse(X) else X


def csc(X):
    return sp.csc_matrix(X)


def scaled(**options):
    X = dense(counts())
    return annotated((X - X.mean(axis=0)).astype(np.float32), form=dense, **options)


def save(adata, folder):
    adata.write_h5ad(folder / "X.h5ad")
    return folder / "X.h5ad"


FORMS = {"csr": sp.csr_matrix, "csc": csc, "dense": dense}


def check(X, wanted, genes=GENES):
    X = X.rows(0, N) if hasattr(X, "rows") and hasattr(X, "blocks") else X
    np.testing.assert_array_equal(X.toarray(), wanted.toarray())


def check_names(X, genes=GENES):
    assert X.feature_names.tolist() == genes
    assert X.sample_names.tolist() == CELLS


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("options", "seed", "n_genes"),
    [
        ({}, 0, M),
        ({"layer": "counts"}, 1, M),
        ({"layer": "log µ"}, 2, M),
        ({"raw": True}, 9, M + 1),
    ],
)
def test_parts_of_a_file_are_read_with_names_whole_and_in_portions(
    form, options, seed, n_genes, tmp_path
):
    path = save(annotated(layers=("counts", "log µ"), raw=True, form=FORMS[form]), tmp_path)
    genes = [*GENES, "one more"][:n_genes]
    X = read_matrix(path, **options)
    assert isinstance(X, NamedMatrix)
    assert X.dtype == np.float32
    check(X, counts(seed, n_genes))
    check_names(X, genes)
    store = write_csr(tmp_path / "store", read_chunks(path, tmp_path, **options))
    check(store, counts(seed, n_genes))
    check_names(store, genes)
    model = factorize(store, 2, random_state=0)
    check_names(model, genes)


@pytest.mark.parametrize("read", ["whole", "portions"])
@pytest.mark.parametrize(
    ("make", "options", "message"),
    [
        (lambda: annotated(), {"layer": "counts"}, "it has no layer 'counts'$"),
        (
            lambda: annotated(layers=["spliced"]),
            {"layer": "counts"},
            "it has no layer 'counts': take layer=\"spliced\" (--layer spliced)",
        ),
        (lambda: annotated(), {"raw": True}, "it has no raw$"),
        (
            lambda: annotated(layers=["a", "b"]),
            {"raw": True},
            'it has no raw: take layer="a" (--layer a) or layer="b" (--layer b)',
        ),
        (
            lambda: scaled(layers=["counts"], raw=True),
            {},
            'centred data have: take layer="counts" (--layer counts) or raw=True (--raw)',
        ),
        (lambda: scaled(), {}, "pass counts, or values from before scaling"),
    ],
)
def test_missing_and_unusable_parts_of_a_file_are_named(make, options, message, read, tmp_path):
    path = save(make(), tmp_path)
    end = "$" if message.endswith("$") else ""
    pattern = r"X\.h5ad is not a matrix that can be used: .*" + re.escape(message.rstrip("$")) + end
    with pytest.raises(ValueError, match=pattern):
        read_matrix(path, **options) if read == "whole" else [
            *read_chunks(path, tmp_path, **options)
        ]


@pytest.mark.parametrize("read", ["whole", "portions"])
def test_a_file_without_X_says_what_there_is(read, tmp_path):
    adata = annotated(layers=["counts"])
    adata.X = None
    path = save(adata, tmp_path)
    with pytest.raises(ValueError, match=r'it has no X: take layer="counts"'):
        list(read_chunks(path, tmp_path)) if read == "portions" else read_matrix(path)
    check(read_matrix(path, layer="counts"), counts(1))
    check(write_csr(tmp_path / "store", read_chunks(path, tmp_path, layer="counts")), counts(1))


def test_layers_of_other_files_are_refused(tmp_path):
    sp.save_npz(tmp_path / "X.npz", counts())
    write_csr(tmp_path / "store", counts())
    for path in (tmp_path / "X.npz", tmp_path / "store"):
        for options in ({"layer": "counts"}, {"raw": True}):
            with pytest.raises(ValueError, match=r"are parts of an \.h5ad file|is a store, which"):
                list(read_chunks(path, tmp_path, **options))
    with pytest.raises(ValueError, match=r"are parts of an \.h5ad file"):
        read_matrix(tmp_path / "X.npz", raw=True)
    path = save(annotated(layers=["counts"], raw=True), tmp_path)
    with pytest.raises(ValueError, match="choose one"):
        read_matrix(path, layer="counts", raw=True)
    with pytest.raises(TypeError, match="layer must be the name of a layer"):
        read_matrix(path, layer=1)
    with pytest.raises(TypeError, match="raw must be True or False"):
        read_matrix(path, raw="counts")


def test_default_names_of_anndata_do_not_count_as_names(tmp_path):
    anndata.AnnData(sp.csr_matrix(counts())).write_h5ad(tmp_path / "X.h5ad")
    X = read_matrix(tmp_path / "X.h5ad")
    assert names_of(X) == (None, None)
    store = write_csr(tmp_path / "store", tmp_path / "X.h5ad")
    assert store.feature_names is None
    assert store.sample_names is None


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("part", ["whole", "raw", "view"])
def test_what_is_backed_by_a_file_is_taken(form, part, tmp_path):
    path = save(annotated(raw=True, form=FORMS[form]), tmp_path)
    backed = anndata.read_h5ad(path, backed="r")
    X = {"whole": backed, "raw": backed.raw, "view": backed[:, [4, 1, 2]]}[part]
    wanted = {"whole": counts(), "raw": counts(9, M + 1), "view": counts()[:, [4, 1, 2]]}[part]
    genes = {"whole": GENES, "raw": [*GENES, "one more"], "view": [GENES[j] for j in (4, 1, 2)]}[
        part
    ]
    model = factorize(X, 2, random_state=0)
    np.testing.assert_array_equal(model.W, factorize(wanted, 2, random_state=0).W)
    check_names(model, genes)
    np.testing.assert_array_equal(model.transform(X), model.transform(wanted))
    assert NMF(2, random_state=0).fit(X).factorization_.top_terms() == model.top_terms()
    store = write_csr(tmp_path / "store", X)
    check(store, wanted)
    check_names(store, genes)
    backed.file.close()


@pytest.mark.parametrize("use", [factorize, lambda X, k: NMF(k).fit(X)])
@pytest.mark.parametrize("form", [dense, sp.csr_matrix])
def test_scaled_objects_are_refused_with_what_to_use_instead(use, form, tmp_path):
    adata = scaled(layers=["counts", "logcounts"], raw=True)
    adata.X = form(adata.X)
    message = 'take adata.layers["counts"] or adata.layers["logcounts"] or adata.raw'
    with pytest.raises(ValueError, match=re.escape(message)):
        use(adata, 2)
    with pytest.raises(
        ValueError,
        match=r"X has a negative value \(-.*\) at row 0, column .*: pass counts",
    ):
        use(scaled(), 2)
    assert use(adata.raw, 2) is not None


@pytest.mark.parametrize("use", [factorize, lambda X, k: NMF(k).fit(X)])
@pytest.mark.parametrize("backed", [None, "r"])
def test_objects_without_X_say_what_they_have(use, backed, tmp_path):
    adata = annotated(layers=["spliced"])
    adata.X = None
    adata = anndata.read_h5ad(save(adata, tmp_path), backed=backed)
    with pytest.raises(
        TypeError, match=r'without X: pass one of its layers, such as adata.layers\["spliced"\]'
    ):
        use(adata, 2)


def test_the_estimator_takes_and_keeps_an_AnnData():
    estimator = NMF(2, random_state=0).fit(annotated())
    check_names(estimator.factorization_)
    np.testing.assert_array_equal(estimator.transform(annotated()), estimator.transform(counts()))


def test_names_of_older_files_are_read_in_portions(tmp_path):
    path = save(annotated(), tmp_path)
    with h5py.File(path, "a") as file:
        for table, names in (("obs", CELLS), ("var", GENES)):
            del file[table]
            kind = [("index", h5py.string_dtype()), ("n_counts", "f4")]
            file[table] = np.array([(name, 1.0) for name in names], kind)
    check_names(write_csr(tmp_path / "store", path))
    check_names(open_csr(tmp_path / "store"))


def test_repeated_symbols_of_genes_are_kept(tmp_path):
    adata = annotated()
    adata.var_names = ["TBCE", "TBCE", *GENES[2:]]
    model = factorize(adata, 2, random_state=0)
    assert model.feature_names.tolist()[:3] == ["TBCE", "TBCE", "gene 2"]
    assert list(model.to_frame().columns)[:2] == ["TBCE", "TBCE"]
    np.testing.assert_array_equal(model.transform(adata), model.transform(counts()))
