"""Streams whose first batches tell little, judged by scikit-learn's fits and closed forms."""

import functools

import numpy as np
import pytest
import scipy.sparse as sp

pytest.importorskip("sklearn")

from sklearn.decomposition import NMF as SklearnNMF

from sparsenmf import MiniBatchNMF, open_csr, write_csr

from .. import problems, reference

LOSSES = ["frobenius", "kullback-leibler"]
INITS = [None, "random", "nndsvd", "nndsvda", "nndsvdar", "custom", "custom in part"]
PENALTIES = [{}, {"alpha_H": 1e-4}, {"alpha_H": 1e-4, "l1_ratio": 1.0}]

D = np.random.default_rng(0).random((40, 6))
EMPTY = [np.zeros((1, 6)), sp.csr_array((5, 6)), np.zeros((2, 6))]


def new(loss, init=None, **options):
    """Return an estimator of three components, and the H that it starts from."""
    H = np.random.default_rng(1).random((2 if init == "custom in part" else 3, 6))
    options = {"random_state": 0, "beta_loss": loss, **options}
    init = "custom" if init == "custom in part" else init
    return MiniBatchNMF(3, init=init, **options), (H if init == "custom" else None)


@functools.cache
def mark(loss):
    """Return scikit-learn's loss of two components on D; less takes three components in use."""
    options = {"solver": "mu", "max_iter": 2000, "tol": 1e-6, "init": "random"}
    errors = [
        SklearnNMF(2, beta_loss=loss, random_state=seed, **options).fit(D).reconstruction_err_
        for seed in range(5)
    ]
    return min(errors) ** 2 / 2


def loss_of(model, X, loss):
    beta = 2 if loss == "frobenius" else 1
    return reference.divergence(X, model.transform(X), model.components_, beta)


# What comes first.


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("init", INITS)
@pytest.mark.parametrize("penalties", PENALTIES)
def test_a_stream_may_begin_with_an_empty_batch(loss, init, penalties):
    model, H = new(loss, init, **penalties)
    for X in EMPTY:
        model.partial_fit(X, H=H)
        assert model.transform(D).shape == (40, 3)
        assert not model.transform(X).any()
    for _ in range(15):
        model.partial_fit(D)
    assert loss_of(model, D, loss) < mark(loss)
    assert model.n_samples_seen_ == 8 + 15 * 40
    assert model.components_.any(axis=1).all()


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("kind", ["matrix", "batches", "store"])
def test_fit_begins_after_empty_batches(loss, kind, tmp_path):
    X = np.vstack([np.zeros((60, 6)), D, D, D])
    options = {"batch_size": 20, "shuffle": False, "max_iter": 30}
    model, _ = new(loss, **options)
    if kind == "store":
        X = open_csr(write_csr(tmp_path / "store", sp.csr_array(X)).folder)
    model.fit(iter([X] * 5) if kind == "batches" else X)
    assert loss_of(model, D, loss) < mark(loss)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("init", INITS)
@pytest.mark.parametrize("forget_factor", [0.0, 0.1, 1.0])
def test_features_that_no_sample_had_are_learned(loss, init, forget_factor):
    """Later samples share no feature with earlier ones; the loss is at most that of rank one."""
    early, late = D * [1, 1, 1, 0, 0, 0], D * [0, 0, 0, 1, 1, 1]
    model, H = new(loss, init, forget_factor=forget_factor)
    model.partial_fit(early, H=H)
    for _ in range(20):
        model.partial_fit(late)
    if loss == "frobenius":
        best = 0.5 * np.sum(np.linalg.svd(late, compute_uv=False)[1:] ** 2)
    else:
        rows, columns = late.sum(axis=1, keepdims=True), late.sum(axis=0, keepdims=True)
        best = reference.divergence(late, rows / late.sum(), columns, 1)
    assert loss_of(model, late, loss) < 1.1 * best


@pytest.mark.parametrize("loss", LOSSES)
def test_a_start_with_zeros_loses_no_sample(loss):
    """A custom start lacks a feature that some samples have besides others."""
    H = np.random.default_rng(1).random((3, 6)) * [1, 1, 1, 1, 1, 0]
    model, _ = new(loss, "custom")
    for _ in range(40):
        model.partial_fit(D, H=H)
    assert loss_of(model, D, loss) < mark(loss)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("init", INITS)
@pytest.mark.parametrize("penalties", PENALTIES)
def test_a_first_batch_of_low_rank_costs_no_component(loss, init, penalties):
    """The batch is one sample, five times: one component explains it, the others must survive."""
    model, H = new(loss, init, **penalties)
    model.partial_fit(np.tile([[1.0, 0, 2, 0, 0, 3]], (5, 1)), H=H)
    for _ in range(30):
        model.partial_fit(D)
    assert loss_of(model, D, loss) < mark(loss)


def test_a_start_that_cannot_be_drawn_is_refused_when_it_is_needed():
    model, _ = new("frobenius", "nndsvd")
    model.partial_fit(EMPTY[0])
    with pytest.raises(ValueError, match="needs a first batch of at least n_components = 3"):
        model.partial_fit(D[:2])
    model.partial_fit(D)
    assert model.n_samples_seen_ == 41


# A stream is learned whole.


def easy_first():
    """Yield batches of one sample with a single word, and then batches of documents."""
    X = problems.documents(600, 120, dtype=np.float64)
    easy = sp.csr_array((np.full(300, 0.01), (np.arange(300), np.zeros(300, int))), (300, 120))
    return sp.vstack([sp.csr_array((20, 120)), easy, X]).tocsr()


@pytest.mark.filterwarnings("ignore:Maximum number of iterations")
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("kind", ["matrix", "batches", "folder", "store"])
def test_easy_batches_at_first_do_not_end_a_fit(loss, kind, tmp_path):
    X = easy_first()
    batches = [X[i : i + 10] for i in range(0, X.shape[0], 10)]

    class Folder:
        def __iter__(self):
            return iter(batches)

    options = {"batch_size": 10, "random_state": 0, "shuffle": False, "max_iter": 2}
    model = MiniBatchNMF(4, beta_loss=loss, **options)
    data = {"matrix": X, "batches": iter(batches), "folder": Folder()}
    model.fit(data[kind] if kind in data else write_csr(tmp_path / "store", X))
    assert model.n_samples_seen_ == model.n_iter_ * X.shape[0]
    assert model.n_iter_ == 1 if kind == "batches" else model.n_iter_ > 1


def test_an_iterable_that_is_read_to_its_end_has_no_second_pass():
    class Once:
        batches = iter([D, D])

        def __iter__(self):
            return self.batches

    model = MiniBatchNMF(3, random_state=0, tol=0, max_no_improvement=None).fit(Once())
    assert model.n_samples_seen_ == 80


@pytest.mark.parametrize("data_seed", [1, 2])
def test_topics_of_counts_are_not_merged(data_seed):
    """A random start once found 9 or 10 of 12, and more passes found no further one."""
    X, H = problems.planted_topics(12, seed=data_seed)
    for seed in range(3):
        model = MiniBatchNMF(
            12, beta_loss="kullback-leibler", batch_size=500, max_iter=3, tol=0, random_state=seed
        ).fit(X)
        cosines = problems.cosines(model.components_, H)
        assert (cosines.max(axis=0) > 0.95).all()
