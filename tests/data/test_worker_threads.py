"""Slices of an array, each on a thread of its own."""

import threading

import numpy as np
import pytest

from sparsenmf.data.worker_threads import run_slices


@pytest.mark.parametrize("n", [0, 1, 5, 1000])
@pytest.mark.parametrize("n_threads", [1, 2, 3, 64])
def test_slices_side_by_side_make_up_the_whole(n, n_threads):
    counts, names = np.zeros(n, int), set()

    def look(part):
        counts[part] += 1
        names.add(threading.current_thread().name)

    run_slices(look, n, n_threads, 10)
    assert (counts == 1).all()
    assert len(names) <= max(1, min(n_threads, n // 10))
    if n == 1000 and n_threads < 64:
        assert len(names) == n_threads


@pytest.mark.parametrize("which", [0, 1])
def test_an_error_on_any_of_the_threads_is_raised(which):
    def fail(part):
        if part.start == which * 50:
            raise ValueError(f"slice {which}")

    with pytest.raises(ValueError, match=f"slice {which}"):
        run_slices(fail, 100, 2, 10)
