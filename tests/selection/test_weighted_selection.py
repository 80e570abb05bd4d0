"""Selection and consensus with weights and unknown entries: scores by their dense definitions."""

from types import SimpleNamespace

import numpy as np
import pytest
import scipy.sparse as sp

from sparsenmf import (
    Problem,
    Weights,
    factorize,
    forecast_selection,
    select_n_components,
)
from sparsenmf.models.restarts import Generators
from sparsenmf.selection.blocks import Blocks
from sparsenmf.selection.entries import Entries, KnownEntries
from sparsenmf.selection.losses import block_loss, entry_losses, floor_of, norm_of
from sparsenmf.selection.weighted import WeightedMatrix

from ..problems import planted_counts
from .weighing import KINDS, QUICK, SHAPE, dense_loss, fitter, planted_ratings, rows_of, weighted

KL = "kullback-leibler"
METHODS = ["blocks", "entries", "stability"]


@pytest.mark.parametrize("beta", [2, 1])
@pytest.mark.parametrize("kind", KINDS)
def test_block_loss_is_that_of_all_entries_by_their_weights(kind, beta, rng):
    matrix, weights = weighted(kind)
    W, H = rng.random((SHAPE[0], 3)), rng.random((3, SHAPE[1]))
    H[:, 5] = 0
    found = block_loss(matrix, W, H, beta, 1e-3)
    assert found == pytest.approx(dense_loss(matrix.X.toarray(), W @ H, weights, beta, 1e-3))


@pytest.mark.parametrize("beta", [2, 1, 0, 0.5, 1.5, 3, -1])
def test_losses_of_entries_are_beta_divergences(beta, rng):
    x, y = rng.random(50) + 0.1, rng.random(50) + 0.1
    found = entry_losses(x, y, beta, 1e-3)
    near = beta + 1e-6  # the limits of the general formula are those of the named ones
    general = (x**near + (near - 1) * y**near - near * x * y ** (near - 1)) / (near * (near - 1))
    assert found == pytest.approx(general, abs=1e-4)
    assert np.isfinite(entry_losses(x, np.zeros(50), beta, 1e-3)).all()


def test_parts_have_the_weights_of_their_entries():
    for kind in KINDS:
        matrix, weights = weighted(kind)
        rows, columns = np.array([1, 4, 9]), np.array([0, 7, 8, 30])
        part = matrix.take(rows, columns)
        turned = part.transposed()
        assert np.array_equal(part.X.toarray(), matrix.X.toarray()[np.ix_(rows, columns)])
        assert np.array_equal(turned.X.toarray(), part.X.toarray().T)
        if matrix.entries is None and matrix.samples is not None:
            found = np.outer(part.samples, part.features)
            assert np.array_equal(found, weights[np.ix_(rows, columns)])
            assert np.array_equal(np.outer(turned.samples, turned.features), found.T)
        if matrix.entries is not None:
            at = rows[rows_of(part.X)], columns[part.X.indices]
            assert np.array_equal(part.entries.data, weights[at])
            assert np.array_equal(turned.entries.toarray(), part.entries.toarray().T)


@pytest.mark.parametrize("loss", ["frobenius", KL])
@pytest.mark.parametrize("kind", KINDS)
def test_block_score_is_that_of_the_definition(kind, loss):
    """The W and H of A equal those of whole factorizations in which one side is frozen."""
    matrix, _ = weighted(kind)
    beta = 2 if loss == "frobenius" else 1
    blocks = Blocks(matrix, 3, beta, Generators(0))
    penalties = {"loss": loss, "alpha_W": 1e-2, "alpha_H": 3e-2, "l1_ratio": 0.3}
    score, model = blocks.score(1, fitter(2, **penalties))
    A, B, C, D = blocks.split(1)
    whole = {**penalties, "tol": 0, "max_iter": 2000}
    # The penalty of a row of W is multiplied by its sample's weight, also in B.
    W = factorize(B.X, 2, H=model.H, frozen_H=[0, 1], **B.options, **whole).W
    turned = WeightedMatrix(C.X, C.entries, D.samples, C.features, C.missing)
    H = factorize(C.X, 2, W=model.W, frozen_W=[0, 1], **turned.options, **whole).H
    top = D.X.data.max()
    expected = block_loss(A, W, H, beta, floor_of(matrix, beta), top) / norm_of(A, beta)
    assert score == pytest.approx(expected, rel=5e-3)


@pytest.mark.parametrize("kind", ["unknown", "entries and unknown"])
def test_held_out_entries_are_left_out_of_the_fit_and_nothing_else_is(kind):
    matrix, _ = weighted(kind)
    entries = KnownEntries(matrix, 2, 2, Generators(1))
    held, known = entries.draw(0), entries.training(0)
    i = rows_of(matrix.X)[held]
    assert 0.08 < len(held) / matrix.X.nnz <= 0.1
    assert known.X.nnz == matrix.X.nnz - len(held)
    assert not known.X.toarray()[i, matrix.X.indices[held]].any()
    assert known.missing == "unknown"
    if matrix.entries is not None:
        assert np.array_equal(known.entries.indices, known.X.indices)
        kept = np.setdiff1d(np.arange(matrix.X.nnz), held)
        assert np.array_equal(known.entries.data, matrix.entries.data[kept])


@pytest.mark.parametrize("beta", [2, 1, 1.5])
@pytest.mark.parametrize("kind", ["unknown", "entries and unknown"])
def test_score_of_known_entries_is_that_of_the_definition(kind, beta):
    matrix, weights = weighted(kind)
    entries = KnownEntries(matrix, 2, beta, Generators(1))
    score, model = entries.score(1, fitter(2, loss=beta, max_iter=20))
    held, X, known = entries.draw(1), matrix.X, entries.training(1).X
    alone_in_row, alone_in_column = (np.diff(A.indptr) == 0 for A in (known, known.tocsc()))
    held = held[~alone_in_row[rows_of(X)[held]] & ~alone_in_column[X.indices[held]]]
    at = rows_of(matrix.X)[held], matrix.X.indices[held]
    x, top = matrix.X.toarray()[at], entries.training(1).X.data.max()
    y = np.maximum(np.minimum((model.W @ model.H)[at], top), entries.floor)
    losses = weights[at] * entry_losses(x, y, beta, 0.0)
    assert score == pytest.approx(matrix.X.nnz * losses.mean() / norm_of(matrix, beta), rel=1e-5)


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("kind", ["alone", "beside one without weight"])
def test_entries_without_another_in_their_row_or_column_do_not_count(kind, turned):
    """Add 40 columns to 30: each has an entry of weight 1, and perhaps one of weight 0."""
    X, places = planted_ratings(2, (40, 30)), np.arange(40)
    first = sp.csr_array((np.full(40, 5.0), (places, places)))
    second = sp.csr_array((np.full(40, 2.0), (np.roll(places, 1), places)))
    wide = sp.csr_array(sp.hstack([X, first if kind == "alone" else first + second]))
    weights = wide.copy()
    weights.data[:] = np.where((wide.indices >= 30) & (wide.data == 2), 0, 1)
    if turned:
        wide, weights = sp.csr_array(wide.T), sp.csr_array(weights.T)
    entries = KnownEntries(WeightedMatrix(wide, weights, missing="unknown"), 2, 2, Generators(0))
    held, kept = entries.draw(0), entries.training(0).entries.toarray().sum(axis=int(turned))
    i, j = rows_of(wide)[held], wide.indices[held]
    counting = held[kept[i if turned else j] > 0]
    assert 0 < len(counting) < len(held)
    ones = SimpleNamespace(W=np.ones((wide.shape[0], 1)), H=np.ones((1, wide.shape[1])))
    score, _ = entries.score(0, lambda part: ones)
    losses = weights.data[counting] * 0.5 * (wide.data[counting] - 1) ** 2
    assert score == pytest.approx(wide.nnz * losses.mean() / norm_of(entries.matrix, 2))


def test_where_no_held_out_entry_has_another_beside_it_all_count():
    X = sp.csr_array(np.diag(np.arange(1.0, 31)))
    entries = KnownEntries(WeightedMatrix(X, missing="unknown"), 2, 2, Generators(0))
    zeros = SimpleNamespace(W=np.zeros((30, 1)), H=np.zeros((1, 30)))
    score, _ = entries.score(0, lambda part: zeros)
    expected = 30 * np.mean(X.data[entries.draw(0)] ** 2) / np.sum(X.data**2)
    assert score == pytest.approx(expected)


def test_predictions_are_at_most_the_largest_known_entry():
    """In a row with few known entries, nothing else limits the predictions."""
    X = planted_ratings(2, (40, 30), share=0.2)
    matrix = WeightedMatrix(X, missing="unknown")
    entries = KnownEntries(matrix, 2, 2, Generators(0))
    huge = SimpleNamespace(W=np.full((40, 1), 1e9), H=np.full((1, 30), 1e9))
    score, _ = entries.score(0, lambda part: huge)
    x, top = X.data[entries.draw(0)], entries.training(0).X.data.max()
    expected = X.nnz * np.mean(0.5 * (x - top) ** 2) / norm_of(matrix, 2)
    assert score == pytest.approx(expected)
    score, _ = Blocks(matrix, 2, 2, Generators(0)).score(0, fitter(8, max_iter=200))
    assert score < X.data.max() ** 2 / np.mean(X.data**2)


def test_unknown_entries_have_no_warm_starts():
    X, options = planted_ratings(2, (40, 30)), {"missing": "unknown", **QUICK}
    found = [
        select_n_components(X, [1, 2, 3], warm_start=warm, **options).table["mean"]
        for warm in (True, False)
    ]
    assert np.array_equal(*found)


def test_real_ratings_are_predicted(real_path):
    X = sp.load_npz(real_path("movielens_small") / "matrix.npz").tocsr()
    options = {"missing": "unknown", "random_state": 0, "n_repeats": 2, "max_iter": 15}
    for method in ("entries", "blocks"):
        found = select_n_components(X, [1, 3], method=method, **options)
        assert found.n_components == 1  # without penalties
        assert found.table["mean"][0] < (0.07 if method == "entries" else 0.12)


@pytest.mark.parametrize("beta", [2, 1])
def test_estimate_from_weighted_entries_has_no_bias(beta, rng):
    for kind in ("samples and features", "entries"):
        matrix, weights = weighted(kind)
        W, H = rng.random((SHAPE[0], 3)), rng.random((3, SHAPE[1])) + 0.1
        entries = Entries(matrix, 2, beta, Generators(5))
        estimates = [entries.estimate(W, H, entries.draw(fold)) for fold in range(300)]
        expected = dense_loss(matrix.X.toarray(), W @ H, weights, beta, entries.floor)
        error = np.std(estimates) / np.sqrt(300)
        assert error < 0.07 * expected
        assert np.mean(estimates) == pytest.approx(expected, abs=4 * error)


def test_held_out_entries_keep_their_weights_and_lose_their_values():
    matrix, weights = weighted("entries")
    entries = Entries(matrix, 2, 2, Generators(1))
    places = entries.draw(0)
    hidden, slots = entries._hide(places)
    i, j = np.divmod(places, SHAPE[1])
    known = matrix.X.toarray()
    known[i, j] = 0
    assert np.array_equal(hidden.X.toarray(), known)
    assert not hidden.X.data[slots].any()
    assert np.array_equal(hidden.entries.data[slots], weights[i, j])
    at = rows_of(hidden.X), hidden.X.indices
    assert np.array_equal(hidden.entries.data, weights[at])


@pytest.mark.parametrize("method", METHODS)
def test_weights_that_are_all_alike_change_nothing(method):
    matrix, _ = weighted("unknown")
    X, options = matrix.X, {"method": method, "loss": KL, **QUICK}
    plain = select_n_components(X, [2, 3], **options).table
    ones = sp.csr_array((np.ones(X.nnz), X.indices, X.indptr), shape=X.shape)
    twice = Weights(samples=np.full(SHAPE[0], 2.0), features=np.full(SHAPE[1], 3.0))
    for weights, rel in ((Weights(samples=np.ones(SHAPE[0])), 0), (ones, 1e-3), (twice, 1e-3)):
        table = select_n_components(X, [2, 3], weights=weights, **options).table
        for name, column in plain.items():
            assert table[name] == pytest.approx(column, rel=rel, abs=0), name


@pytest.mark.parametrize("method", METHODS)
def test_rows_and_columns_of_weight_zero_are_as_if_they_were_not_there(method):
    X = sp.csr_array(planted_counts(3, *SHAPE, mean=1.0)[0].astype(float))
    samples, features = np.ones(SHAPE[0]), np.ones(SHAPE[1])
    samples[::3] = features[::4] = 0
    options = {"method": method, **QUICK}
    whole = select_n_components(
        X, [2], weights=Weights(samples=samples, features=features), **options
    )
    part = select_n_components(X[samples > 0][:, features > 0], [2], **options)
    assert whole.table["mean"] == pytest.approx(part.table["mean"], rel=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_all_entries_known_is_the_same_by_either_name(method):
    """If X stores all its entries, the meaning of absent ones does not matter."""
    X = sp.csr_array(np.random.default_rng(0).random((30, 25)) + 0.1)
    options = {"method": method, "loss": "frobenius", "warm_start": False, **QUICK}
    options |= {"max_iter": 200, "tol": 1e-8}
    zero = select_n_components(X, [1], **options).table["mean"]
    unknown = select_n_components(X, [1], missing="unknown", **options).table["mean"]
    assert unknown == pytest.approx(zero, rel=0.1 if method == "entries" else 1e-3)


@pytest.mark.parametrize(("method", "most"), [(None, 0), ("blocks", 1), ("stability", 1)])
def test_planted_ratings_have_their_number(method, most):
    found = select_n_components(
        planted_ratings(3), range(1, 7), method=method, missing="unknown", random_state=0,
        n_threads=1, max_iter=100,
    )  # fmt: skip
    assert abs(found.n_components - 3) <= most
    assert found.method == (method or "entries")
    assert found.loss == "frobenius"


def test_whole_numbers_that_are_ratings_are_no_counts():
    X = planted_ratings(2, (40, 30))
    X.data = np.clip(np.rint(X.data), 1, 5)
    assert select_n_components(X, [1, 2], missing="unknown", **QUICK).loss == "frobenius"
    assert select_n_components(X, [1, 2], **QUICK).loss == KL


def test_known_zeros_are_held_out_like_other_entries():
    X = planted_ratings(2, (40, 30))
    X.data[::2] = 0  # stored
    matrix = WeightedMatrix.of(Problem(X, 1, missing="unknown"))
    assert matrix.X.nnz == X.nnz
    held = KnownEntries(matrix, 2, 2, Generators(0)).draw(0)
    assert 0.3 < np.mean(matrix.X.data[held] == 0) < 0.7
    absent = X.copy()
    absent.eliminate_zeros()
    options = {"missing": "unknown", **QUICK}
    means = [select_n_components(x, [2], **options).table["mean"][0] for x in (X, absent)]
    assert means[0] != pytest.approx(means[1], rel=0.01)


@pytest.mark.parametrize("loss", [KL, 1.5, 0.5, "itakura-saito"])
@pytest.mark.parametrize("method", METHODS)
def test_unknown_entries_go_with_every_loss(method, loss):
    X = planted_ratings(2, (40, 30))
    options = {"missing": "unknown", "method": method, "loss": loss, **QUICK}
    found = select_n_components(X, [1, 2], **options)
    assert found.loss == loss
    assert np.isfinite(found.table["mean"]).all()
    assert "components" in repr(found)


@pytest.mark.parametrize("method", ["blocks", "entries"])
def test_other_losses_of_zeros_are_refused_with_what_takes_them(method):
    X = planted_ratings(2, (40, 30))
    message = f"method='{method}' measures .* not 1.5: method=\"stability\" takes any, and so do"
    with pytest.raises(ValueError, match=message):
        select_n_components(X, [2], method=method, loss=1.5)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", KINDS)
def test_neither_threads_nor_repeats_change_the_bits(kind, method):
    matrix, _ = weighted(kind)
    options = {**QUICK, "max_iter": 5, "method": method, **matrix.options}
    tables = [
        select_n_components(matrix.X, [2, 3], **{**options, "n_threads": n_threads}).table
        for n_threads in (1, 2, 2)
    ]
    for table in tables[1:]:
        assert all(np.array_equal(table[name], tables[0][name]) for name in table)


def test_arrays_of_the_caller_stay_as_they_were():
    for kind in KINDS:
        matrix, _ = weighted(kind)
        for array in (matrix.X.data, matrix.X.indices, matrix.X.indptr):
            array.flags.writeable = False
        for method in METHODS:
            options = {**QUICK, "max_iter": 2, "method": method, **matrix.options}
            select_n_components(matrix.X, [2], **options)


def test_forecast_knows_weights_and_what_is_unknown():
    matrix, _ = weighted("entries and unknown")
    plain = forecast_selection(matrix.X, [2, 3], method="entries", **QUICK)
    found = forecast_selection(matrix.X, [2, 3], **matrix.options, **QUICK)
    assert found.n_fits == plain.n_fits == 4
    assert found.memory > 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"missing": "none"}, "missing must be one of"),
        ({"weights": np.ones(3)}, r"weights.samples must have shape \(40,\)"),
        ({"weights": sp.eye_array(40, 30)}, "weights must have the same stored entries as X"),
        ({"sample": 0}, "sample must be > 0"),
        ({"sample": 1.5}, "sample must be > 0 and <= 1"),
        ({"sample": "all"}, "sample must be a number"),
        ({"candidates": 3}, r"candidates must be several numbers, such as range\(2, 21\): 3"),
    ],
)
def test_refusals_name_the_argument(options, message):
    X = planted_ratings(2, (40, 30))
    with pytest.raises((TypeError, ValueError), match=message):
        select_n_components(X, **{"candidates": [2], **options})
