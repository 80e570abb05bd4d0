"""Names of features and samples belong to the model: from X, into its file, and used by itself."""

import numpy as np
import pytest
import scipy.sparse as sp

import sparsenmf
from sparsenmf import Factorization, NamedMatrix, RandomStarts, Seeds, factorize
from sparsenmf.data.archive import write_archive

pd = pytest.importorskip("pandas")

DENSE = np.array([[4.0, 1, 2], [8, 2, 4], [1, 1, 1], [0, 3, 1]])
FEATURES, SAMPLES = ["cat", "stock", "mouse"], ["u1", "u2", "u3", "u4"]


def annotated():
    anndata = pytest.importorskip("anndata")
    adata = anndata.AnnData(sp.csr_matrix(DENSE))
    adata.var_names, adata.obs_names = FEATURES, SAMPLES
    return adata


def polars():
    return pytest.importorskip("polars").DataFrame(DENSE, schema=FEATURES)


NAMED = {
    "matrix": lambda: NamedMatrix(DENSE, feature_names=FEATURES, sample_names=SAMPLES),
    "frame": lambda: pd.DataFrame(DENSE, SAMPLES, FEATURES),
    "sparse frame": lambda: pd.DataFrame.sparse.from_spmatrix(
        sp.csr_array(DENSE), SAMPLES, FEATURES
    ),
    "AnnData": annotated,
    "polars": polars,
}


@pytest.mark.parametrize("kind", NAMED)
@pytest.mark.parametrize("loss", ["frobenius", "kullback-leibler"])
def test_names_of_X_are_those_of_the_model_and_of_its_file(kind, loss, tmp_path):
    model = factorize(NAMED[kind](), 1, loss=loss, random_state=0)
    model.save(tmp_path / "model.npz")
    for found in (model, Factorization.load(tmp_path / "model.npz")):
        assert found.feature_names.tolist() == FEATURES
        assert found.top_terms() == found.top_terms(FEATURES) == [["cat", "mouse", "stock"]]
        assert found.top_terms(n=1) == [["cat"]]
        assert list(found.to_frame().columns) == FEATURES
        if kind == "polars":  # its frames have no index
            assert found.sample_names is None
        else:
            assert found.sample_names.tolist() == SAMPLES
            assert list(found.to_frame("W").index) == SAMPLES
            assert {type(label) for label in found.to_frame("W").index} == {str}
    with np.load(tmp_path / "model.npz") as members:
        assert members["feature_names"].tolist() == FEATURES


@pytest.mark.parametrize(
    "options", [{"missing": "unknown"}, {"solver": "mu"}, {"weights": [1.0, 2, 0, 1]}]
)
def test_names_survive_weights_and_what_is_unknown(options):
    model = factorize(NAMED["frame"](), 1, random_state=0, **options)
    assert model.feature_names.tolist() == FEATURES
    assert model.sample_names.tolist() == SAMPLES


def test_without_names_there_are_none_and_the_vocabulary_is_asked_for(tmp_path):
    model = factorize(DENSE, 1, random_state=0)
    model.save(tmp_path / "model.npz")
    loaded = Factorization.load(tmp_path / "model.npz")
    assert loaded.feature_names is loaded.sample_names is None
    with pytest.raises(ValueError, match="has no feature names: pass the vocabulary"):
        loaded.top_terms()
    assert list(loaded.to_frame().columns) == [0, 1, 2]


def test_a_vocabulary_that_is_passed_wins():
    model = factorize(NAMED["frame"](), 1, random_state=0)
    assert model.top_terms(["x", "y", "z"]) == [["x", "z", "y"]]
    assert list(model.to_frame(labels=["x", "y", "z"]).columns) == ["x", "y", "z"]


def test_names_can_be_assigned_and_are_checked_where_they_are_used(tmp_path):
    model = factorize(DENSE, 1, random_state=0)
    model.feature_names, model.sample_names = FEATURES, [11, 12, 13, 14]
    model.save(tmp_path / "model.npz")
    loaded = Factorization.load(tmp_path / "model.npz")
    assert loaded.feature_names.tolist() == FEATURES
    assert loaded.sample_names.tolist() == [11, 12, 13, 14]
    model.feature_names = ["cat"]
    with pytest.raises(ValueError, match="has 1 terms, but there are 3 features"):
        model.top_terms()
    with pytest.raises(ValueError, match="has 1 terms, but there are 3 features"):
        model.save(tmp_path / "other.npz")
    assert not (tmp_path / "other.npz").exists()


@pytest.mark.parametrize("index", [
    pd.period_range("2020", periods=4, freq="Y"),
    pd.interval_range(0, 4),
    pd.DatetimeIndex(["2020-01-01", None, "2020-01-03", "2020-01-04"]),
    pd.Index([True, False, True, True]),
    pd.Index([b"a", b"\xff", b"c", b"d"]),
    pd.Index([("a", 1), 3.5, None, "x"], tupleize_cols=False),
    pd.CategoricalIndex(["b", "a", "b", "a"]),
])  # fmt: skip
def test_an_index_of_any_kind_is_no_obstacle(index, tmp_path):
    model = factorize(pd.DataFrame(DENSE, index, FEATURES), 1, random_state=0)
    assert len(model.sample_names) == 4
    model.save(tmp_path / "model.npz")
    assert Factorization.load(tmp_path / "model.npz").sample_names.tolist() == (
        model.sample_names.tolist()
    )


def test_columns_that_are_numbers_and_numbered_rows_are_no_names():
    model = factorize(pd.DataFrame(DENSE), 1, random_state=0)
    assert model.feature_names is model.sample_names is None


def test_the_numbers_that_an_AnnData_makes_up_are_no_names():
    anndata = pytest.importorskip("anndata")
    model = factorize(anndata.AnnData(sp.csr_matrix(DENSE)), 1, random_state=0)
    assert model.feature_names is model.sample_names is None


def test_whole_texts_as_an_index_do_not_take_gigabytes():
    n = 2000
    index = ["word " * 100_000, *map(str, range(n - 1))]
    frame = pd.DataFrame(np.ones((n, 2)), index, ["a", "b"])
    names = factorize(frame, 1, random_state=0).sample_names
    assert names.nbytes < 2**22
    assert names[0].startswith("word word")
    assert names[0].endswith("...")
    assert names[1] == "0"


def test_the_best_of_several_starts_keeps_names():
    model = factorize(NAMED["frame"](), 1, init=RandomStarts(2), random_state=0)
    assert model.feature_names.tolist() == FEATURES
    assert model.sample_names.tolist() == SAMPLES


def test_names_are_no_obstacle_for_checkpoints(tmp_path):
    options = {"random_state": 0, "checkpoint": sparsenmf.Checkpoint(tmp_path / "x", 1, True)}
    first = factorize(NAMED["frame"](), 1, max_iter=2, tol=0, **options)
    model = factorize(NAMED["frame"](), 1, max_iter=4, tol=0, **options)
    assert model.feature_names.tolist() == first.feature_names.tolist() == FEATURES
    assert model.n_iter == 4


def test_seeds_find_their_terms_by_the_names_of_X():
    X = [[4.0, 2, 0], [2.0, 1, 0], [0.0, 0, 3]]
    named = NamedMatrix(X, feature_names=["cat", "mouse", "stock"])
    model = factorize(named, 2, seeds={"money": ["stock"], "pets": ["cat"]}, random_state=0)
    assert model.top_terms() == [["stock"], ["cat", "mouse"]]


def test_the_vocabulary_of_seeds_names_a_model_that_has_no_names():
    seeds = Seeds({"pets": ["cat"]}, vocabulary={"mouse": 2, "cat": 0, "stock": 1})
    assert factorize(DENSE, 1, seeds=seeds, random_state=0).feature_names.tolist() == FEATURES
    named = NamedMatrix(DENSE, feature_names=["a", "b", "c"])
    assert factorize(named, 1, seeds=seeds, random_state=0).feature_names.tolist() == [
        "a",
        "b",
        "c",
    ]


def test_a_seed_that_names_two_columns_means_both():
    X = NamedMatrix(np.eye(4), feature_names=["TBCE", "CD8A", "TBCE", "CD4"])
    seeds = Seeds({"first": ["TBCE"]}, strength="support")
    H = factorize(X, 1, seeds=seeds, random_state=0).H
    assert (H[0] > 0).tolist() == [True, False, True, False]


def test_names_of_a_file_must_fit(tmp_path):
    model = factorize(NAMED["frame"](), 1, random_state=0)
    arrays = {
        name: getattr(model, name)
        for name in ("W", "H", "objective_history", "time_history", "sample_norms")
    }
    record = {"stop_reason": "converged", "optimality": 0.0, "x_norm": 1.0, "error": 1.0}
    record["options"] = model.options
    no_character = np.array([0x110000, 65, 66], np.uint32).view("U1")
    for names in (np.array(["a"]), np.arange(3), np.array([["a", "b", "c"]]), no_character):
        write_archive(tmp_path / "x", record, arrays | {"feature_names": names})
        with pytest.raises(ValueError, match="its arrays do not belong together"):
            Factorization.load(tmp_path / "x")
    for names in (np.arange(3), np.ones(4), np.array(["a", "b", "c"])):
        write_archive(tmp_path / "x", record, arrays | {"sample_names": names})
        with pytest.raises(ValueError, match="its arrays do not belong together"):
            Factorization.load(tmp_path / "x")


@pytest.mark.parametrize("kind", [kind for kind in NAMED if kind != "polars"])
def test_the_estimator_keeps_names(kind):
    model = sparsenmf.NMF(1, random_state=0).fit(NAMED[kind]()).factorization_
    assert model.feature_names.tolist() == FEATURES
    assert model.sample_names.tolist() == SAMPLES


def test_the_estimator_finds_seeds_by_names():
    estimator = sparsenmf.NMF(2, seeds={"a": ["stock"]}, random_state=0).fit(annotated())
    assert estimator.factorization_.feature_names.tolist() == FEATURES
    seeds = Seeds({"pets": ["cat"]}, vocabulary=FEATURES)
    model = sparsenmf.NMF(1, seeds=seeds, random_state=0).fit(DENSE).factorization_
    assert model.feature_names.tolist() == FEATURES


def test_a_new_AnnData_has_the_names():
    adata = factorize(annotated(), 1, random_state=0).to_anndata()
    assert adata.var_names.tolist() == FEATURES
    assert adata.obs_names.tolist() == SAMPLES
    numbered = NamedMatrix(DENSE, sample_names=[5, 6, 7, 8])
    assert factorize(numbered, 1).to_anndata().obs_names.tolist() == ["5", "6", "7", "8"]


def test_factors_come_in_the_order_of_an_AnnData():
    adata = annotated()
    model = factorize(adata, 2, random_state=0)
    turned = adata[::-1, [2, 0, 1]].copy()
    model.to_anndata(turned)
    np.testing.assert_array_equal(turned.obsm["X_nmf"], model.W[::-1])
    np.testing.assert_array_equal(turned.varm["nmf"], model.H[:, [2, 0, 1]].T)


def test_an_AnnData_with_other_names_is_refused():
    adata = annotated()
    model = factorize(adata, 1, random_state=0)
    other = adata.copy()
    other.var_names = ["cat", "stock", "dog"]
    with pytest.raises(ValueError, match=r"adata.var_names has 'dog', unlike model.feature_names"):
        model.to_anndata(other)
    assert "X_nmf" not in other.obsm
    model.feature_names = None
    assert "X_nmf" in model.to_anndata(other).obsm
    twice = adata.copy()
    twice.obs_names = ["u2", "u1", "u1", "u2"]
    with pytest.raises(ValueError, match=r"adata.obs_names has names more than once"):
        model.to_anndata(twice)


def test_names_that_are_there_twice_are_no_obstacle_where_they_are_the_same():
    adata = annotated()
    adata.var_names = ["TBCE", "stock", "TBCE"]
    model = factorize(adata, 1, random_state=0)
    np.testing.assert_array_equal(model.to_anndata(adata).varm["nmf"], model.H.T)


@pytest.mark.parametrize("kind", NAMED)
def test_the_consensus_of_many_fits_keeps_names(kind):
    pytest.importorskip("sklearn")
    seen = []
    result = sparsenmf.consensus(
        NAMED[kind](), 1, 2, density_threshold=2, random_state=0,
        callback=lambda model: seen.append(model.feature_names.tolist()),
    )  # fmt: skip
    assert result.model.feature_names.tolist() == FEATURES
    assert seen == [FEATURES, FEATURES]
    if kind != "polars":
        assert result.model.sample_names.tolist() == SAMPLES
