"""Streams whose vocabulary grows: matched by name, with the prior that the docs state."""

import numpy as np
import pytest
import scipy.sparse as sp

pytest.importorskip("sklearn")

from sparsenmf import MiniBatchNMF, NamedMatrix

TERMS = [f"term{j}" for j in range(12)]
LOSSES = pytest.mark.parametrize("loss", ["frobenius", "kullback-leibler", 0.5, 1.5])


@pytest.fixture
def counts():
    return np.random.default_rng(0).poisson(1.0, (160, 12)).astype(float) + 0.01


def named(X, columns, kind):
    """Some columns of X as a matrix with their names."""
    X, names = X[:, columns], [TERMS[j] for j in columns]
    if kind == "NamedMatrix":
        return NamedMatrix(sp.csr_array(X), feature_names=names)
    if kind == "AnnData":
        anndata = pytest.importorskip("anndata")
        adata = anndata.AnnData(sp.csr_matrix(X))
        adata.var_names = names
        return adata
    return pytest.importorskip(kind).DataFrame(dict(zip(names, X.T, strict=True)))


BATCHES = [[0, 1, 2, 3], [5, 2, 4, 0], [11, 10, 9, 8, 7, 6], list(range(12))[::-1]]


def learn(counts, kind, batches=BATCHES, **options):
    model = MiniBatchNMF(3, new_features="grow", random_state=0, **options)
    for start, columns in zip(range(0, 160, 40), batches, strict=True):
        model.partial_fit(named(counts[start : start + 40], columns, kind))
    return model


@LOSSES
@pytest.mark.parametrize("kind", ["pandas", "polars", "NamedMatrix", "AnnData"])
def test_new_names_add_columns_in_the_order_in_which_they_come(counts, kind, loss):
    if loss == 0.5:
        counts = counts + 0.1
    model = learn(counts, kind, beta_loss=loss)
    order = [0, 1, 2, 3, 5, 4, 11, 10, 9, 8, 7, 6]
    assert list(model.feature_names_in_) == [TERMS[j] for j in order]
    assert list(model._components.feature_names) == [TERMS[j] for j in order]
    assert model.n_features_in_ == model.components_.shape[1] == 12
    assert model.components_.any(axis=0).all()
    assert model.n_samples_seen_ == 160
    # All kinds are the same numbers.
    np.testing.assert_array_equal(
        model.components_, learn(counts, "NamedMatrix", beta_loss=loss).components_
    )


@LOSSES
def test_the_prior_is_that_samples_before_had_zeros(counts, loss):
    """The result is that of knowing all names from the beginning, with zeros for unseen ones."""
    order = [0, 1, 2, 3, 5, 4, 11, 10, 9, 8, 7, 6]
    H = np.random.default_rng(1).random((3, 4))
    grown = MiniBatchNMF(3, new_features="grow", beta_loss=loss, random_state=0)
    known = MiniBatchNMF(3, beta_loss=loss, random_state=0)
    H_known = np.hstack([H, np.zeros((3, 8))])
    for start, columns in zip(range(0, 160, 40), BATCHES, strict=True):
        part = counts[start : start + 40]
        grown.partial_fit(named(part, columns, "NamedMatrix"), H=H)
        seen = np.zeros_like(part)
        seen[:, columns] = part[:, columns]
        known.partial_fit(seen[:, order], H=H_known)
    np.testing.assert_allclose(grown.components_, known.components_, rtol=1e-8, atol=1e-12)


@LOSSES
@pytest.mark.parametrize("init", [None, "random", "nndsvda"])
def test_a_vocabulary_may_grow_before_there_is_anything_to_see(counts, loss, init):
    model = MiniBatchNMF(2, new_features="grow", beta_loss=loss, init=init, random_state=0)
    model.partial_fit(named(0 * counts, [0, 1, 2], "NamedMatrix"))
    model.partial_fit(named(counts, list(range(12)), "NamedMatrix"))
    model.partial_fit(named(counts, list(range(12)), "NamedMatrix"))
    assert model.components_.any(axis=0).all()


def test_transform_matches_names_and_says_so(counts):
    model = learn(counts, "NamedMatrix")
    names = list(model.feature_names_in_)
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(counts, columns=TERMS)
    expected = model.transform(frame[names])
    with pytest.warns(UserWarning, match="another order"):
        np.testing.assert_array_equal(model.transform(frame), expected)
    without = frame.drop(columns="term3").assign(never=1.0)
    zero = frame.assign(term3=0.0)
    with pytest.warns(UserWarning, match=r"'term3'.*'never'"):
        np.testing.assert_array_equal(model.transform(without), model.transform(zero[names]))
    with pytest.warns(UserWarning, match="'term3'"):
        assert model.reconstruction_error(without) > 0


def test_fit_of_frames_grows_too_and_begins_anew(counts):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(counts, columns=TERMS)
    parts = [frame.iloc[:80, :5], frame.iloc[80:, 3:]]
    model = MiniBatchNMF(3, new_features="grow", random_state=0).fit(iter(parts))
    assert list(model.feature_names_in_) == TERMS
    model.fit(frame[["term5", "term4"]])
    assert list(model.feature_names_in_) == ["term5", "term4"]
    assert model.components_.shape == (2, 2) or model.components_.shape == (3, 2)


@pytest.mark.parametrize("kind", ["pandas", "NamedMatrix"])
def test_what_cannot_be_matched_is_refused_and_changes_nothing(counts, kind):
    model = learn(counts, kind)
    before, names = model.components_.copy(), list(model.feature_names_in_)
    if kind == "NamedMatrix":  # a frame may, too, but only pandas has such
        twice = NamedMatrix(np.ones((2, 2)), feature_names=["a", "a"])
        with pytest.raises(ValueError, match="several columns of the name 'a'"):
            model.partial_fit(twice)
    with pytest.raises(ValueError, match="is expecting 12 features"):
        model.partial_fit(np.ones((3, 5)))
    bad = counts[:3].copy()
    bad[1, 1] = -1
    with pytest.raises(ValueError, match="negative"):
        model.partial_fit(named(np.hstack([bad, bad])[:, :12], [3, 1], kind))
    np.testing.assert_array_equal(model.components_, before)
    assert list(model.feature_names_in_) == names
    assert model.n_steps_ == 4
    plain = MiniBatchNMF(3, new_features="grow", random_state=0).partial_fit(counts)
    with pytest.raises(ValueError, match="the batches before had none"):
        plain.partial_fit(named(counts, [0, 1], kind))


def test_without_growing_other_names_are_refused(counts):
    model = MiniBatchNMF(3, random_state=0).partial_fit(named(counts, range(12), "NamedMatrix"))
    for columns in (range(12)[::-1], [0, 1]):
        with pytest.raises(ValueError, match='new_features="grow" matches them by name'):
            model.partial_fit(named(counts, list(columns), "NamedMatrix"))
    model.partial_fit(named(counts, list(range(12)), "NamedMatrix")).partial_fit(counts)
    assert model.n_steps_ == 3
    frames = MiniBatchNMF(3, random_state=0).partial_fit(named(counts, [0, 1, 2], "pandas"))
    with pytest.raises(ValueError, match="feature names should match"):
        frames.partial_fit(named(counts, [1, 0, 2], "pandas"))
