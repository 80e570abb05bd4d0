"""Features of new samples are matched by name, and each difference is reported."""

import re
import warnings
from functools import partial

import numpy as np
import pytest
import scipy.sparse as sp

from sparsenmf import (
    NMF,
    Factorization,
    MiniBatchNMF,
    NamedMatrix,
    Weights,
    factorize,
    open_csr,
    write_csr,
)

pd = pytest.importorskip("pandas")

GENES = np.array([f"g{j}" for j in range(12)])


def counts(n_samples=20, seed=0):
    X = sp.random_array((n_samples, 12), density=0.5, rng=seed, format="csr")
    X.data = np.ceil(5 * X.data)
    return X


def fitted(loss="frobenius", **options):
    X = NamedMatrix(counts(), feature_names=GENES)
    return factorize(X, 3, loss=loss, random_state=0, **options)


def named(X, names):
    return NamedMatrix(X, feature_names=names)


def frame(X, names):
    return pd.DataFrame(X.toarray(), columns=names)


def sparse_frame(X, names):
    return pd.DataFrame.sparse.from_spmatrix(X, columns=names)


def annotated(X, names):
    adata = pytest.importorskip("anndata").AnnData(X)
    adata.var_names = names
    return adata


def annotated_raw(X, names):
    adata = annotated(X, names)
    adata.raw = adata
    return adata.raw


def polars(X, names):
    return pytest.importorskip("polars").DataFrame(X.toarray(), schema=list(names))


KINDS = [named, frame, sparse_frame, annotated, annotated_raw, polars]

ORDER = np.random.default_rng(5).permutation(12)


@pytest.mark.parametrize("make", KINDS)
@pytest.mark.parametrize("loss", ["frobenius", "kullback-leibler", 1.5])
def test_reordered_columns_are_put_in_order_and_it_is_said(make, loss):
    model, new = fitted(loss), counts(7, seed=1)
    shuffled = make(new[:, ORDER], GENES[ORDER])
    with pytest.warns(UserWarning, match="are in another order, and put in the model's") as said:
        W = model.transform(shuffled)
    assert len(said) == 1
    assert said[0].filename == __file__
    np.testing.assert_array_equal(W, model.transform(new))
    with pytest.warns(UserWarning, match="another order"):
        assert model.loss(shuffled) == model.loss(new)


@pytest.mark.parametrize("make", KINDS)
def test_missing_ones_count_as_zero_and_unknown_ones_are_left_out(make):
    model, new = fitted(), counts(7, seed=1)
    there = np.array([0, 3, 4, 6, 7, 8, 9, 11])
    wanted = new.toarray()
    wanted[:, [1, 2, 5, 10]] = 0
    wide = sp.hstack([new[:, there], sp.csr_array(np.full((7, 2), 9.0))], format="csr")
    with pytest.warns(UserWarning, match="by name") as said:
        W = model.transform(make(wide, [*GENES[there], "x", "y"]))
    assert len(said) == 1
    text = str(said[0].message)
    assert (
        "4 of the model's 12 features are not in X and count as zero ('g1', 'g2', 'g5', ...)"
        in text
    )
    assert "2 of X's 10 columns are not in the model and are left out ('x', 'y')" in text
    assert "order" not in text
    np.testing.assert_array_equal(W, model.transform(wanted))


@pytest.mark.parametrize("make", [*KINDS, lambda X, names: named(X, list(names))])
def test_the_same_names_say_nothing(make):
    model, new = fitted(), counts(7, seed=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        W = model.transform(make(new, GENES), strict_names=True)
        np.testing.assert_array_equal(W, model.transform(new))


@pytest.mark.parametrize("kept", [ORDER, np.arange(11), [*range(12), 0]])
def test_an_option_makes_it_an_error(kept):
    model, new = fitted(), counts(7, seed=1)
    other = named(
        new[:, kept], np.append(GENES, "g12")[[*kept[:-1], 12]] if len(kept) > 12 else GENES[kept]
    )
    for method in (model.transform, model.loss):
        with pytest.raises(ValueError, match="X has other features than the model: "):
            method(other, strict_names=True)
    with pytest.raises(TypeError, match="strict_names must be True or False"):
        model.transform(new, strict_names="yes")


@pytest.mark.parametrize("kind", ["array", "sparse", "numbered frame", "list"])
def test_what_has_no_names_is_taken_as_it_is(kind):
    model, new = fitted(), counts(7, seed=1)
    dense = new.toarray()
    plain = {
        "array": dense,
        "sparse": new,
        "numbered frame": pd.DataFrame(dense),
        "list": dense.tolist(),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        W = model.transform(plain[kind], strict_names=True)
    np.testing.assert_array_equal(W, model.transform(new))
    with pytest.raises(ValueError, match="X has 11 features, but this factorization has 12"):
        model.transform(new[:, :11])


def test_a_model_without_names_takes_columns_as_they_are():
    model, new = factorize(counts(), 3, random_state=0), counts(7, seed=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(
            model.transform(named(new, GENES[ORDER])), model.transform(new)
        )


def test_no_name_in_common_is_an_error_that_shows_both():
    new = named(counts(7, seed=1), [f"ENSG{j}" for j in range(12)])
    with pytest.raises(
        ValueError, match=re.escape("X has 'ENSG0', 'ENSG1', 'ENSG2', ..., the model 'g0', 'g1'")
    ):
        fitted().transform(new)


def test_names_are_matched_after_saving_and_loading(tmp_path):
    model, new = fitted(), counts(7, seed=1)
    model.save(tmp_path / "model.npz")
    loaded = Factorization.load(tmp_path / "model.npz")
    with pytest.warns(UserWarning, match="another order"):
        W = loaded.transform(named(new[:, ORDER], GENES[ORDER]))
    np.testing.assert_array_equal(W, model.transform(new))


def test_weights_of_entries_move_with_them():
    weights = counts(7, seed=1)
    weights.data = np.random.default_rng(0).random(weights.nnz) + 0.1
    model, new = fitted(), counts(7, seed=1)
    there = ORDER[:9]
    with pytest.warns(UserWarning, match="3 of the model's 12 features are not in X"):
        W = model.transform(named(new[:, there], GENES[there]), weights=weights[:, there])
    zeros = np.isin(np.arange(12), there)
    kept, kept_weights = (M.tocsc()[:, zeros].tocsr() for M in (new, weights))
    wide = sp.csr_array((7, 12)).tolil()
    wide_weights = sp.csr_array((7, 12)).tolil()
    wide[:, zeros], wide_weights[:, zeros] = kept.toarray(), kept_weights.toarray()
    np.testing.assert_array_equal(W, model.transform(wide.tocsr(), weights=wide_weights.tocsr()))


@pytest.mark.parametrize("make", [named, frame])
def test_what_is_missing_is_unknown_where_what_is_not_stored_is(make):
    dense = counts().toarray()
    dense[dense == 0] = np.nan
    model = factorize(pd.DataFrame(dense, columns=GENES), 3, missing="unknown", random_state=0)
    new = counts(7, seed=1)
    if make is frame:
        full = new.toarray()  # zeros of a dense frame are known
        part = pd.DataFrame(full[:, ORDER[:9]], columns=GENES[ORDER[:9]])
        wanted = full.copy()
        wanted[:, ORDER[9:]] = np.nan
    else:
        part, wanted = named(new[:, ORDER[:9]], GENES[ORDER[:9]]), new.toarray()
        wanted[:, ORDER[9:]] = 0
        wanted[wanted == 0] = np.nan
    with pytest.warns(UserWarning, match="are not in X and are unknown"):
        W = model.transform(part)
    np.testing.assert_allclose(W, model.transform(wanted), rtol=1e-5, atol=1e-7)


def test_weights_of_features_stay_with_their_names():
    model = fitted(weights=Weights(features=np.linspace(0.5, 2, 12)))
    new = counts(7, seed=1)
    with pytest.warns(UserWarning, match="another order"):
        W = model.transform(named(new[:, ORDER], GENES[ORDER]))
    np.testing.assert_array_equal(W, model.transform(new))


TWICE = np.array(["A", "TBCE", "B", "TBCE", "C", "D", "E", "F", "G", "H", "I", "J"])


def test_a_name_that_is_there_twice_keeps_its_place_where_the_names_are_the_same():
    X = named(counts(), TWICE)
    model = factorize(X, 3, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(
            model.transform(X, strict_names=True), model.transform(counts())
        )


def test_a_name_that_is_there_twice_is_matched_in_order_and_it_is_said():
    model, new = factorize(named(counts(), TWICE), 3, random_state=0), counts(7, seed=1)
    order = np.array([11, 1, 0, 3, 2, 4, 5, 6, 7, 8, 9, 10])
    with pytest.warns(UserWarning, match=r"names that are there more than once .*\('TBCE'\)"):
        W = model.transform(named(new[:, order], TWICE[order]))
    np.testing.assert_array_equal(W, model.transform(new))
    with pytest.warns(UserWarning, match="1 of X's 13 columns are not in the model .*'TBCE'"):
        model.transform(named(sp.hstack([new, new[:, [1]]]), [*TWICE, "TBCE"]))


@pytest.mark.parametrize("loss", ["frobenius", "kullback-leibler"])
def test_columns_of_a_store_are_matched_too(loss, tmp_path):
    model, new = fitted(loss), counts(7, seed=1)
    there = ORDER[:9]
    write_csr(tmp_path / "store", named(new[:, there], GENES[there]), shard_nnz=10)
    with pytest.warns(UserWarning, match="another order") as said:
        W = model.transform(open_csr(tmp_path / "store"))
    assert len(said) == 1
    with pytest.warns(UserWarning, match="another order"):
        wanted = model.transform(named(new[:, there], GENES[there]))
    np.testing.assert_allclose(W, wanted, rtol=1e-6)
    with pytest.raises(ValueError, match="other features"):
        model.transform(open_csr(tmp_path / "store"), strict_names=True)


@pytest.mark.parametrize("make", [named, annotated])
def test_the_estimator_matches_what_scikit_learn_does_not_know(make):
    estimator = NMF(3, random_state=0).fit(make(counts(), GENES))
    new = counts(7, seed=1)
    wide = sp.hstack([new[:, ORDER], sp.csr_array(np.ones((7, 1)))], format="csr")
    with pytest.warns(UserWarning, match="1 of X's 13 columns are not in the model") as said:
        W = estimator.transform(make(wide, [*GENES[ORDER], "x"]))
    assert said[0].filename == __file__
    np.testing.assert_array_equal(W, estimator.transform(new))


@pytest.mark.parametrize("make", [NMF, partial(MiniBatchNMF, new_features="grow")])
@pytest.mark.parametrize("method", ["transform", "reconstruction_error"])
def test_the_remark_offers_only_what_the_method_has(make, method):
    X = named(counts(), GENES)
    estimator, other = make(3, random_state=0, max_iter=5, tol=0).fit(X), X[:, ORDER]
    with pytest.warns(UserWarning, match=r"another order, and put in the model's\. the col"):
        getattr(estimator, method)(other)  # an estimator has no strict_names
    model = factorize(X, 3, random_state=0, max_iter=5)
    with pytest.warns(UserWarning, match="model's\\. strict_names=True makes this an error; the c"):
        model.transform(other)


def test_the_estimator_leaves_frames_to_scikit_learn():
    estimator = NMF(3, random_state=0).fit(frame(counts(), GENES))
    with pytest.raises(ValueError, match="feature names"):
        estimator.transform(frame(counts()[:, ORDER], GENES[ORDER]))


def test_names_do_not_change_what_the_caller_has():
    model, X = fitted(), named(counts(7, seed=1)[:, ORDER], GENES[ORDER])
    before = X.toarray()
    with pytest.warns(UserWarning, match="another order"):
        model.transform(X)
    np.testing.assert_array_equal(X.toarray(), before)
    assert X.feature_names.tolist() == GENES[ORDER].tolist()
