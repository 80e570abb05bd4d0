"""Selection and consensus on a sample of the rows: of stores, which are not read whole."""

import os
import re

import numpy as np
import pytest
import scipy.sparse as sp

from sparsenmf import (
    CoordinateDescent,
    Weights,
    consensus,
    factorize,
    forecast_selection,
    open_csr,
    select_n_components,
    write_csr,
)
from sparsenmf.data.named import with_names
from sparsenmf.data.store.reader import CsrStore
from sparsenmf.selection import sampling
from sparsenmf.selection.sampling import default_rows

from ..problems import planted_counts

N_ROWS, N_FEATURES = 400, 60
QUICK = {"random_state": 0, "n_threads": 1, "n_repeats": 2, "max_iter": 20}


@pytest.fixture(scope="module")
def X():
    return sp.csr_array(planted_counts(3, N_ROWS, N_FEATURES, mean=1.5)[0].astype(np.float32))


@pytest.fixture(scope="module")
def store(X, tmp_path_factory):
    """A store of several shards, with names."""
    folder = tmp_path_factory.mktemp("choose") / "store"
    names = np.array([f"term{j}" for j in range(N_FEATURES)])
    write_csr(folder, [with_names(part, names, None) for part in (X[:130], X[130:390])])
    write_csr(folder, X[390:], append=True)
    return open_csr(folder)


@pytest.fixture
def rows_read(monkeypatch):
    """The rows that are read from stores."""
    read = set()
    really = CsrStore.rows

    def rows(self, start, stop):
        read.update(range(start, stop))
        return really(self, start, stop)

    monkeypatch.setattr(CsrStore, "rows", rows)
    return read


@pytest.mark.parametrize("method", ["blocks", "entries", "stability"])
def test_a_small_store_is_the_same_as_its_matrix(X, store, method):
    found, expected = (
        select_n_components(matrix, [2, 3], method=method, **QUICK) for matrix in (store, X)
    )
    assert found.sample is None
    assert found.loss == expected.loss == "kullback-leibler"
    assert all(np.array_equal(found.table[name], expected.table[name]) for name in found.table)


def test_a_sample_of_a_store_is_all_that_is_read(X, store, rows_read):
    found = select_n_components(store, [2, 3], sample=0.3, **QUICK)
    rows = found.sample.rows
    assert rows_read == set(rows.tolist())
    assert found.sample.n_rows == N_ROWS
    assert 0.25 * N_ROWS < len(rows) < 0.4 * N_ROWS
    assert np.array_equal(rows, np.unique(rows))
    # From all over the store: sorted rows do no harm.
    assert np.diff([-1, *rows, N_ROWS]).max() < N_ROWS / 10
    part = select_n_components(X[rows], [2, 3], **QUICK)
    assert all(np.array_equal(found.table[name], part.table[name]) for name in part.table)


def test_a_sample_of_a_matrix_is_of_single_rows(X):
    found = select_n_components(X, [2, 3], sample=0.25, **QUICK)
    assert len(found.sample.rows) == N_ROWS // 4
    part = select_n_components(X[found.sample.rows], [2, 3], **QUICK)
    assert all(np.array_equal(found.table[name], part.table[name]) for name in part.table)
    assert select_n_components(X, [2], sample=1, **QUICK).sample is None
    other = select_n_components(X, [2], sample=0.25, **{**QUICK, "random_state": 1})
    assert not np.array_equal(other.sample.rows, found.sample.rows)


def test_a_sample_is_said_wherever_the_result_is_shown(store):
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    found = select_n_components(store, [2, 3], sample=0.3, **QUICK)
    words = f"a sample of {len(found.sample.rows)} of 400 rows"
    assert str(found.sample) == words
    assert f", on {words}" in repr(found)
    assert f", on {words}" in found._repr_html_()
    assert found.plot().get_title() == f"on {words}"
    whole = select_n_components(store, [2, 3], **QUICK)
    assert "sample" not in repr(whole) + whole._repr_html_() + whole.plot().get_title()


def test_progress_says_the_sample(store, capsys):
    select_n_components(store, [2], sample=0.3, progress=True, **QUICK)
    assert re.match(
        r"select: 2 fits, .* \(a sample of \d+ of 400 rows\)\n", capsys.readouterr().err
    )


def test_weights_of_samples_are_those_of_the_sample(X, store):
    weights = np.random.default_rng(0).integers(1, 4, N_ROWS) * 1.0
    for matrix in (X, store):
        found = select_n_components(matrix, [2], sample=0.3, weights=weights, **QUICK)
        rows = found.sample.rows
        part = select_n_components(X[rows], [2], weights=Weights(samples=weights[rows]), **QUICK)
        assert np.array_equal(found.table["mean"], part.table["mean"])


def test_unknown_entries_and_their_weights_are_those_of_the_sample(X):
    weights = sp.csr_array((np.arange(1.0, X.nnz + 1), X.indices, X.indptr), shape=X.shape)
    options = {"missing": "unknown", **QUICK}
    found = select_n_components(X, [2], sample=0.3, weights=weights, **options)
    rows = found.sample.rows
    part = select_n_components(X[rows], [2], weights=weights[rows], **options)
    assert found.table["mean"] == pytest.approx(part.table["mean"], rel=1e-6)


class Size:
    """What `default_rows` looks at."""

    def __init__(self, n_rows, each):
        self.shape, self.nnz = (n_rows, 50_000), n_rows * each


@pytest.mark.parametrize(
    ("n_rows", "each", "k", "expected"),
    [
        (5_000, 100, 20, 5_000),  # all
        (10**8, 6, 20, 2**22 // 6),  # short rows: many
        (10**8, 100, 20, 2**22 // 100),
        (10**7, 1000, 20, 20_000),  # long rows: enough for each component
        (10**7, 1000, 200, 40_000),
        (10**7, 40_000, 200, 2**26 // 40_000),  # that fit into memory
    ],
)
def test_sample_of_a_store_has_enough_rows_and_fits_into_memory(n_rows, each, k, expected):
    assert default_rows(Size(n_rows, each), k) == pytest.approx(expected, rel=1e-3)


def test_a_large_store_is_sampled_unless_asked_otherwise(store, monkeypatch, rows_read):
    for name, value in (("SAMPLE_NNZ", 500), ("SAMPLE_ROWS", 50), ("ROWS_EACH", 10)):
        monkeypatch.setattr(sampling, name, value)
    found = select_n_components(store, [2, 3], **QUICK)
    assert 50 <= len(found.sample.rows) < 100
    assert len(rows_read) == len(found.sample.rows)
    assert select_n_components(store, [2], sample=1.0, **QUICK).sample is None


def test_forecast_counts_the_copy_of_the_sample(X, store):
    options = {"method": "blocks", "random_state": 0, "n_threads": 1}
    in_memory = forecast_selection(X, [2, 3], **options).memory
    copied = forecast_selection(store, [2, 3], **options).memory - in_memory
    assert copied == pytest.approx(8 * X.nnz, rel=0.05)


def test_planted_number_is_found_in_a_sample_of_a_sorted_store(tmp_path):
    X, W, _ = planted_counts(4, 1200, 80, mean=3.0, seed=1)
    order = np.argsort(W.argmax(axis=1), kind="stable")
    store = write_csr(tmp_path / "sorted", sp.csr_array(X)[order])
    found = select_n_components(store, range(2, 8), sample=0.25, random_state=0, n_threads=1)
    assert abs(found.n_components - 4) <= 1


def test_zeros_in_a_sample_are_named(tmp_path):
    X = sp.csr_array(([1.0, 2.0], ([0, 1], [0, 1])), shape=(400, 5))
    store = write_csr(tmp_path / "zeros", X)
    with pytest.raises(ValueError, match=r"a sample of \d+ of 400 rows is zero"):
        select_n_components(store, [2], sample=0.01, random_state=3)


@pytest.mark.parametrize("options", [{"missing": "unknown"}, {"weights": sp.eye_array(400, 60)}])
def test_stores_have_no_unknown_entries(store, options):
    calls = (
        lambda: select_n_components(store, [2], **options),
        lambda: forecast_selection(store, [2], **options),
        lambda: consensus(store, 2, **options),
    )
    pytest.importorskip("sklearn")
    for call in calls:
        with pytest.raises(TypeError, match="X is a store, whose absent entries are zeros"):
            call()


def test_dask_collections_are_refused_before_they_are_loaded():
    da = pytest.importorskip("dask.array")
    pytest.importorskip("sklearn")

    def load(*args, **kwargs):
        raise AssertionError("loaded")

    X = da.ones((50, 40), chunks=(10, 40)).map_blocks(load, dtype=float, meta=np.ones((1, 1)))
    for call in (select_n_components, forecast_selection, consensus):
        with pytest.raises(TypeError, match=r"X is a Dask collection: .* X\[rows\].compute\(\)"):
            call(X, 2 if call is consensus else [2])


@pytest.mark.parametrize("loss", ["frobenius", "kullback-leibler"])
def test_consensus_of_a_store_has_all_rows(X, store, loss):
    pytest.importorskip("sklearn")
    options = {"loss": loss, "random_state": 0, "n_threads": 1, "density_threshold": 2}
    result = consensus(store, 3, 4, sample=0.5, **options)
    model, sample = result.model, result.sample
    assert model.W.shape == (N_ROWS, 3)
    assert model.feature_names.tolist() == store.feature_names.tolist()
    assert 0.4 * N_ROWS < len(sample.rows) < 0.6 * N_ROWS
    best = factorize(X, 3, loss=loss, random_state=0).objective
    assert model.objective < 1.05 * best
    words = f"4 restarts on a sample of {len(sample.rows)} of 400 rows"
    assert words in repr(result)
    assert words in result._repr_html_()
    assert "of the restarts on their rows" in repr(result)
    assert model.options["restart_rows"] == len(sample.rows)
    # The restarts are those of the rows themselves.
    part = consensus(X[sample.rows], 3, 4, **options)
    assert np.array_equal(result.objectives, part.objectives)
    assert part.sample is None
    assert "restart_rows" not in part.model.options


def test_consensus_of_a_small_store_is_that_of_its_matrix(X, store):
    pytest.importorskip("sklearn")
    found, expected = (
        consensus(matrix, 3, 3, random_state=0, n_threads=1, refit_H=False) for matrix in (store, X)
    )
    assert found.sample is None
    assert np.array_equal(found.objectives, expected.objectives)
    np.testing.assert_allclose(found.H, expected.H, rtol=1e-5)
    np.testing.assert_allclose(found.W, expected.W, rtol=1e-3, atol=1e-4)


def test_a_report_of_a_consensus_says_how_many_rows_the_restarts_had(store, tmp_path):
    pytest.importorskip("sklearn")
    result = consensus(store, 2, 2, sample=0.5, random_state=0, density_threshold=2)
    result.model.report(tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert re.search(rf"restart_rows</th><td[^>]*>{len(result.sample.rows)}<", page)


def test_options_that_the_last_fit_cannot_take_are_refused_at_once(store):
    pytest.importorskip("sklearn")
    seen = []
    solver = CoordinateDescent()
    with pytest.raises(ValueError, match="kullback-leibler"):
        consensus(store, 2, 2, loss="kullback-leibler", solver=solver, callback=seen.append)
    assert seen == []


def test_nothing_is_written_beside_a_store(store):
    before = sorted(os.listdir(store.folder))
    select_n_components(store, [2], sample=0.3, **QUICK)
    assert sorted(os.listdir(store.folder)) == before


def test_the_sample_that_is_too_small_for_a_candidate_is_named(store):
    with pytest.raises(ValueError, match=r"has 20, but .* of a sample of \d+ of .* rows"):
        select_n_components(store, [2, 20], sample=0.01, **QUICK)
