"""Selection of the number of components: scores by dense definitions, and planted numbers."""

import functools
import signal
import subprocess
import sys

import numpy as np
import pytest
import scipy.sparse as sp

from sparsenmf import Weights, factorize, forecast_selection, select_n_components
from sparsenmf.models.restarts import Generators
from sparsenmf.selection.blocks import Blocks
from sparsenmf.selection.entries import Entries
from sparsenmf.selection.fits import fit_candidate
from sparsenmf.selection.losses import block_loss, norm_of
from sparsenmf.selection.selected import one_standard_error_rule
from sparsenmf.selection.weighted import WeightedMatrix

from ..problems import planted_counts

LOSSES = [(2, "frobenius"), (1, "kullback-leibler")]


def dense_losses(X, Y, beta, floor):
    """The loss of each entry, by its definition."""
    if beta == 2:
        return 0.5 * (X - Y) ** 2
    Y = np.where(X > 0, np.maximum(Y, floor), Y)
    logs = np.zeros_like(Y)
    logs[X > 0] = np.log(X[X > 0] / Y[X > 0])
    return X * logs - X + Y


def problem(seed=0, n_components=4, dtype=float):
    X, W, H = planted_counts(n_components, 120, 90, seed=seed)
    return X.astype(dtype), W.astype(dtype), H.astype(dtype)


@pytest.mark.parametrize("beta", [2, 1])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_block_loss_is_that_of_all_entries(beta, dtype):
    X, W, H = problem(dtype=dtype)
    H[:, 5] = 0  # predictions of zero, some of them of nonzeros
    found = block_loss(WeightedMatrix(X), W, H, beta, 1e-3)
    wide = W.astype(float) @ H.astype(float)
    expected = dense_losses(X.toarray().astype(float), wide, beta, 1e-3).sum()
    assert found == pytest.approx(expected, rel=1e-10)


def fitter(n_components, loss="frobenius", **options):
    return functools.partial(
        fit_candidate,
        n_components=n_components,
        loss=loss,
        start=None,
        rng=0,
        **{"n_threads": 1, "tol": 1e-4, **options},
    )


@pytest.mark.parametrize(("beta", "loss"), LOSSES)
def test_block_score_is_that_of_the_dense_definition(beta, loss):
    X, _, _ = problem()
    blocks = Blocks(WeightedMatrix(X), 3, beta, Generators(0))
    fit = fitter(3, loss, alpha_W=5e-3, alpha_H=2e-2, l1_ratio=0.5)
    score, model = blocks.score(1, fit)
    A, B, C, D = (part.X.toarray() for part in blocks.split(1))
    assert A.shape[0] == B.shape[0]
    assert A.shape[1] == C.shape[1]
    assert D.shape == (len(C), B.shape[1])
    k = model.n_components
    penalties = {"alpha_W": 5e-3, "alpha_H": 2e-2, "l1_ratio": 0.5, "loss": loss, "tol": 0}
    # Whole factorizations with one frozen side solve the same two problems.
    W = factorize(B, k, H=model.H, frozen_H=range(k), max_iter=3000, **penalties).W
    H = factorize(C, k, W=model.W, frozen_W=range(k), max_iter=3000, **penalties).H
    expected = dense_losses(A, W @ H, beta, blocks.floor).sum() / norm_of(blocks.split(1)[0], beta)
    assert score == pytest.approx(expected, rel=1e-3)


def test_every_row_and_column_is_held_out_once():
    X = sp.csr_array(np.arange(1.0, 12 * 11 + 1).reshape(12, 11))
    blocks = Blocks(WeightedMatrix(X), 4, 2, Generators(3))
    rows, columns = [], []
    for fold in range(4):
        A = blocks.split(fold)[0].X.toarray().astype(int) - 1
        rows += np.unique(A // 11).tolist()
        columns += np.unique(A % 11).tolist()
    assert sorted(rows) == list(range(12))
    assert sorted(columns) == list(range(11))


@pytest.mark.parametrize("beta", [2, 1])
def test_estimate_from_held_out_entries_has_no_bias(beta):
    X, W, H = problem()
    X = X[:40, :30]
    W, H = W[:40], H[:, :30] + 0.05
    draws = 600
    entries = Entries(WeightedMatrix(X), draws, beta, Generators(5))
    floor = entries.floor
    estimates = [entries.estimate(W, H, entries.draw(fold)) for fold in range(draws)]
    Y = np.maximum(W @ H, floor) if beta == 1 else W @ H
    expected = dense_losses(X.toarray(), Y, beta, floor).sum()
    error = np.std(estimates) / np.sqrt(draws)
    assert error < 0.03 * expected
    assert np.mean(estimates) == pytest.approx(expected, abs=4 * error)


def test_held_out_entries_are_unknown_to_the_fit():
    """The model does not depend on their values."""
    X, _, _ = problem()
    entries = Entries(WeightedMatrix(X), 2, 2, Generators(1))
    places = entries.draw(0)
    changed = X.toarray()
    changed.ravel()[places] = np.random.default_rng(0).permutation(changed.ravel()[places])
    other = Entries(WeightedMatrix(sp.csr_array(changed)), 2, 2, Generators(1))
    assert np.array_equal(other.draw(0), places)
    assert (sp.csr_array(changed) != X).nnz > 10
    models = [kind.score(0, fitter(4))[1] for kind in (entries, other)]
    assert np.array_equal(models[0].W, models[1].W)
    assert np.array_equal(models[0].H, models[1].H)


def test_predictions_of_held_out_entries_converge_to_the_truth():
    """The held-out entries of a low-rank matrix without noise are recovered."""
    _, W, H = planted_counts(3, 80, 60)
    entries = Entries(WeightedMatrix(sp.csr_array(W @ H)), 2, 2, Generators(0))
    before = factorize(entries.training(0).X, 3, random_state=0)
    score, _ = entries.score(0, fitter(3, tol=1e-6))
    blind = entries.estimate(before.W, before.H, entries.draw(0)) / norm_of(entries.matrix, 2)
    assert score < 0.1 * blind


def test_one_standard_error_rule():
    folds = np.array([[9.0, 9.2], [5.0, 5.4], [4.0, 4.6], [4.02, 4.5], [4.3, 4.9]])
    assert one_standard_error_rule(folds) == 2  # the best mean is that of 3, within an error of 2
    assert one_standard_error_rule(folds[:2]) == 1
    flat = np.array([[100.0, 101.0], [2.0, 3.0], [1.9, 2.9], [1.8, 2.8]])
    assert one_standard_error_rule(flat) == 1  # certainly worse than the best, but by 0.2 of 98


def test_blocks_find_the_planted_number():
    """In nine of ten draws, the number found differs by at most one."""
    hits, draws = 0, 10
    for seed in range(draws):
        planted = int(np.random.default_rng(seed).integers(3, 13))
        X, _, _ = planted_counts(planted, 300, 200, seed=seed)
        options = {"random_state": seed, "n_threads": 1}
        found = select_n_components(X, range(1, planted + 6), **options).n_components
        hits += abs(found - planted) <= 1
    assert hits >= 9


@pytest.mark.parametrize("method", ["entries", "stability"])
def test_other_methods_find_a_clear_number(method):
    X, _, _ = planted_counts(5, 200, 150, mean=2.0, seed=3)
    options = {"random_state": 0, "n_threads": 1}
    found = select_n_components(X, range(3, 9), method=method, **options)
    assert abs(found.n_components - 5) <= 1
    assert found.method == method


def test_kullback_leibler_finds_the_planted_number():
    X, _, _ = planted_counts(4, 200, 150, seed=2)
    options = {"loss": "kullback-leibler", "random_state": 0, "n_threads": 1}
    assert abs(select_n_components(X, range(1, 8), **options).n_components - 4) <= 1


@pytest.mark.parametrize("method", ["blocks", "entries", "stability"])
def test_seed_and_not_the_number_of_threads_decides(method):
    X, _, _ = planted_counts(4, 300, 250, mean=1.0)
    tables = [
        select_n_components(
            X, [2, 4], method=method, random_state=7, n_threads=n_threads, max_iter=20
        ).table
        for n_threads in (1, 2, 2)
    ]
    for table in tables[1:]:
        for name, column in table.items():
            assert np.array_equal(column, tables[0][name]), name


def test_table_means_are_those_of_its_folds():
    X, _, _ = problem()
    found = select_n_components(X, [4, 2, 2, 3], n_repeats=4, random_state=0)
    table = found.table
    assert table["n_components"].tolist() == [2, 3, 4]
    folds = np.array([table[str(fold)] for fold in range(1, 5)])
    assert table["mean"] == pytest.approx(folds.mean(axis=0))
    assert table["standard_error"] == pytest.approx(folds.std(axis=0, ddof=1) / 2)
    assert found.stop_reason == "done"
    assert f"{found.n_components} components" in repr(found)
    assert repr(found).count("<-") == 1


def test_early_stop_leaves_out_larger_candidates():
    X, _, _ = planted_counts(3, 200, 150, mean=1.0)
    options = {"random_state": 0, "n_threads": 1}
    short = select_n_components(X, range(1, 25), **options)
    whole = select_n_components(X, range(1, 25), early_stop=False, **options)
    assert short.stop_reason == "early_stop"
    assert short.skipped
    assert whole.skipped == ()
    n_tried = len(short.table["mean"])
    assert np.array_equal(short.table["mean"], whole.table["mean"][:n_tried])
    assert short.n_components == whole.n_components


def test_callback_and_time_limit_keep_finished_candidates():
    X, _, _ = problem()
    seen = []

    def stop_after_seven(model):
        seen.append(model.n_components)
        return len(seen) == 7

    found = select_n_components(X, range(1, 6), random_state=0, callback=stop_after_seven)
    assert seen == [1, 1, 1, 2, 2, 2, 3]
    assert found.table["n_components"].tolist() == [1, 2]
    assert (found.stop_reason, found.skipped) == ("callback", (3, 4, 5))
    with pytest.raises(TimeoutError, match="time_limit"):
        select_n_components(X, [3], time_limit=1e-9)


def test_interrupt_keeps_finished_candidates():
    X, _, _ = problem()

    def interrupt(model):
        if model.n_components == 3:
            signal.raise_signal(signal.SIGINT)

    found = select_n_components(X, range(1, 6), random_state=0, callback=interrupt)
    assert found.stop_reason == "interrupted"
    assert found.table["n_components"].tolist() == [1, 2]
    with pytest.raises(KeyboardInterrupt):
        select_n_components(X, [3], callback=interrupt)


def test_forecast_counts_the_fits():
    X, _, _ = problem()
    forecast = forecast_selection(X, range(1, 6), n_repeats=4, random_state=0)
    assert forecast.n_fits == 20
    assert forecast.seconds > 0
    assert forecast.memory > 0
    assert str(forecast).startswith("20 fits")


def test_progress_begins_with_the_forecast(capsys):
    X, _, _ = problem()
    silent = select_n_components(X, [2, 3], random_state=0)
    assert capsys.readouterr().err == ""
    shown = select_n_components(X, [2, 3], random_state=0, progress=True)
    text = capsys.readouterr().err
    assert text.startswith("select: 6 fits, about ")
    assert np.array_equal(shown.table["mean"], silent.table["mean"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"candidates": []}, "candidates is empty"),
        ({"candidates": 2.5}, "candidates must be several numbers.*: 2.5"),
        ({"candidates": None}, "candidates must be several numbers.*: None"),
        ({"candidates": "auto"}, "candidates must be several numbers.*: 'auto'"),
        ({"candidates": np.array(3)}, "candidates must be several numbers.*3"),
        ({"candidates": [0]}, "candidates must be at least 1"),
        ({"candidates": [2, 80]}, "candidates has 80"),
        ({"method": "magic"}, "method must be one of"),
        ({"n_repeats": 1}, "n_repeats must be at least 2"),
        ({"n_repeats": 91}, "n_repeats is 91"),
        ({"loss": 1.5}, "method='blocks' measures"),
        ({"H": np.ones((2, 90))}, "H cannot be passed on"),
        ({"weights": Weights(samples=np.ones(119))}, r"weights.samples must have shape \(120,\)"),
        ({"time_limit": 0}, "time_limit must be"),
        ({"callback": 3}, "callback must be callable"),
        ({"early_stop": 1}, "early_stop must be True or False"),
    ],
)
def test_refusals_name_the_argument(options, message):
    X, _, _ = problem()
    with pytest.raises((TypeError, ValueError), match=message):
        select_n_components(X, **{"candidates": [2], **options})


def test_block_without_a_nonzero_is_refused():
    X = sp.csr_array(([1.0, 1.0], ([0, 1], [0, 1])), shape=(30, 30))
    with pytest.raises(ValueError, match="n_repeats=10 holds out a block of 3 x 3"):
        select_n_components(X, [2], n_repeats=10, random_state=0)


def test_matrix_of_zeros_is_refused():
    with pytest.raises(ValueError, match="X is zero"):
        select_n_components(sp.csr_array((9, 8)), [2])


def test_plot_shows_the_table_and_the_recommendation():
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    X, _, _ = problem()
    found = select_n_components(X, [2, 4, 6], random_state=0)
    ax = found.plot()
    assert ax.lines[0].get_xdata().tolist() == [2, 4, 6]
    assert ax.lines[0].get_ydata() == pytest.approx(found.table["mean"])
    assert found.plot(ax) is ax


def test_plot_names_the_missing_package():
    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "from sparsenmf.selection.selected import Selection\n"
        "Selection(1, {}, 'blocks', 'frobenius', (), 'done', 0.0).plot()"
    )
    process = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60
    )
    assert 'plot needs matplotlib: pip install "sparsenmf[plot]"' in process.stderr


def test_real_documents_need_more_than_one_topic(real_matrix):
    X = real_matrix("bbc_news", min_df=10)
    found = select_n_components(X, [1, 3, 6], random_state=0, max_iter=30)
    assert found.n_components > 1
    assert np.all(np.diff(found.table["mean"][:2]) < 0)
