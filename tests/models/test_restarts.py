"""`factorize(..., init=RandomStarts(n))`: the best of several random starts."""

import numpy as np
import pytest

from sparsenmf import (
    NNDSVD,
    Factorization,
    RandomStarts,
    consensus,
    factorize,
    select_n_components,
)

from ..grouped import grouped
from ..problems import planted_counts

X, _, _ = planted_counts(4, 120, 90)


def test_the_best_is_kept_and_the_spread_reported():
    best = factorize(X, 6, init=RandomStarts(4), random_state=0)
    more = factorize(X, 6, init=RandomStarts(6), random_state=0)
    np.testing.assert_array_equal(more.restart_objectives[:4], best.restart_objectives)
    assert best.objective == best.restart_objectives.min()
    assert len(set(best.restart_objectives)) > 1
    higher = best.restart_objectives.max() / best.objective - 1
    assert f"the best of 4 starts, of which the worst ended {higher:.2%} higher" in repr(best)
    assert best.converged


def test_one_start_is_the_plain_call():
    plain, one = (
        factorize(X, 3, random_state=0),
        factorize(X, 3, random_state=0, init=RandomStarts(1)),
    )
    np.testing.assert_array_equal(plain.W, one.W)
    assert one.restart_objectives is None
    assert "starts" not in repr(one)


@pytest.mark.parametrize("make", [np.random.default_rng, np.random.RandomState])
def test_generators_are_used_and_advanced(make):
    rng, options = make(5), {"init": RandomStarts(2), "max_iter": 5}
    first, second = (factorize(X, 3, random_state=rng, **options) for _ in range(2))
    assert (first.restart_objectives != second.restart_objectives).all()
    again = factorize(X, 3, random_state=make(5), **options)
    np.testing.assert_array_equal(again.restart_objectives, first.restart_objectives)


def test_what_ends_a_run_ends_them_all():
    ended = factorize(X, 6, init=RandomStarts(4), progress=lambda state: True, random_state=0)
    assert ended.stop_reason == "callback"
    assert len(ended.restart_objectives) == 1
    short = factorize(X, 6, init=RandomStarts(10**6), random_state=0, time_limit=0.2)
    assert short.stop_reason == "time_limit"
    assert 1 <= len(short.restart_objectives) < 10**6


def test_an_interrupt_keeps_the_best_of_those_before():
    runs = []

    def interrupt(state):
        if state.n_iter == 1:
            runs.append(state)
        if len(runs) == 3:
            raise KeyboardInterrupt

    kept = factorize(X, 6, init=RandomStarts(5), progress=interrupt, random_state=0)
    whole = factorize(X, 6, init=RandomStarts(2), random_state=0)
    assert kept.stop_reason == "interrupted"
    assert len(kept.restart_objectives) == 3
    np.testing.assert_array_equal(kept.W, whole.W)


def test_files_keep_the_objectives(tmp_path):
    model = factorize(X, 3, init=RandomStarts(3), random_state=0, max_iter=5)
    model.save(tmp_path / "model.npz")
    loaded = Factorization.load(tmp_path / "model.npz")
    np.testing.assert_array_equal(loaded.restart_objectives, model.restart_objectives)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_restarts": 0}, "RandomStarts.n must be"),
        ({"n_restarts": 2, "W": np.ones((120, 3))}, 'only used with init="custom"'),
        ({"n_restarts": 2, "checkpoint": "a"}, "checkpoint is for one run"),
        ({"n_restarts": 2, "W_path": "a"}, "W_path is for one run"),
    ],
)
def test_errors_name_the_argument(options, message):
    with pytest.raises(ValueError, match=message):
        factorize(X, 3, **grouped(options))


@pytest.mark.parametrize("init", ["auto", "nndsvd", NNDSVD(), np.ones((60, 3))])
def test_many_fits_tell_random_starts_from_others_whatever_they_are(init):
    with pytest.raises(ValueError, match='init must be "random" for starts that differ, not '):
        consensus(X, 3, init=init)
    if isinstance(init, np.ndarray):
        with pytest.raises(ValueError, match=r"init must be one of .*, not an array of shape"):
            select_n_components(X, [2, 3], init=init)
