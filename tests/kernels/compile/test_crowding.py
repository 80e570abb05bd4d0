"""Fewer threads are used exactly while they are faster."""

import numpy as np
import pytest
import scipy.sparse as sp
from numba.core import config

import sparsenmf
from sparsenmf.kernels.compile import crowding as module
from sparsenmf.kernels.compile import jit, threads
from sparsenmf.kernels.compile.crowding import GAIN, LONG, PATIENCE, Crowding


class Machine:
    """A clock, and parallel regions that take `seconds(n_threads)` by it.

    If there are several threads, each gets the share `got` of a region's time.
    """

    def __init__(self, seconds, got):
        self.now = self.cpu = 0.0
        self.seconds, self.got, self.used = seconds, got, []
        self.crowding = Crowding(lambda: self.now, lambda: self.cpu)

    def region(self, n_threads):
        self.used.append(n_threads)
        seconds = self.seconds[n_threads]
        self.now += seconds
        self.cpu += seconds * n_threads * (1.0 if n_threads == 1 else self.got)
        return n_threads

    def run(self, times, kind="a"):
        first = len(self.used)
        for _ in range(times):
            assert self.crowding.run(kind, max(self.seconds), self.region) == self.used[-1]
        return self.used[first:]


QUIET = {1: 0.002, 2: 0.001}
CROWDED = {1: 0.002, 2: 0.016}


def test_all_threads_are_used_on_a_quiet_machine():
    assert set(Machine(QUIET, got=1.0).run(1000)) == {2}


def test_fewer_threads_are_tried_and_kept_where_they_are_faster():
    used = Machine(CROWDED, got=0.7).run(1000)
    assert used[: PATIENCE + 1] == [2] * PATIENCE + [1]
    assert used.count(1) > 990  # all of them are tried again, ever more rarely


def test_all_threads_come_back_when_the_machine_is_quiet_again():
    machine = Machine(CROWDED, got=0.7)
    assert machine.run(50)[-1] == 1
    machine.seconds, machine.got = QUIET, 1.0
    assert machine.run(2000)[-1000:] == [2] * 1000


def test_fewer_threads_that_are_no_faster_are_tried_rarely():
    # The threads sleep half of the time, as they do if one block has most of the work.
    used = Machine({1: 0.002, 2: 0.0015}, got=0.5).run(1000)  # 1.5 seconds
    assert used.count(1) == 1
    assert Machine({1: GAIN * 0.0151, 2: 0.015}, got=0.5).run(300).count(1) <= 3


def test_nothing_is_tried_where_the_cpu_time_does_not_tell():
    assert set(Machine(CROWDED, got=0.0).run(100)) == {2}


def test_a_long_region_shares_the_cores():
    assert set(Machine({1: LONG, 2: 2 * LONG}, got=0.6).run(20)) == {2}


def test_a_single_crowded_region_means_nothing():
    machine = Machine(CROWDED, got=0.7)
    for _ in range(20):
        machine.seconds, machine.got = CROWDED, 0.7
        machine.run(PATIENCE - 1)
        machine.seconds, machine.got = QUIET, 1.0
        machine.run(1)
    assert set(machine.used) == {2}


def test_of_many_threads_those_that_have_a_core_are_used():
    used = Machine({7: 0.001, 8: 0.02}, got=0.93).run(200)
    assert used[PATIENCE] == 7
    assert used.count(7) > 180


def test_kinds_of_regions_do_not_mix():
    machine = Machine(CROWDED, got=0.7)
    machine.run(20, kind="small")
    assert machine.run(1, kind="large") == [2]


def test_not_more_kinds_are_kept_than_a_process_can_hold(monkeypatch):
    monkeypatch.setattr(module, "MOST_KINDS", 5)
    machine = Machine(CROWDED, got=0.7)
    for kind in range(50):
        machine.run(3, kind=kind)
    assert len(machine.crowding._kinds) <= 5


def test_an_error_of_a_region_is_raised_and_changes_nothing():
    crowding = Crowding()
    with pytest.raises(ZeroDivisionError):
        crowding.run("a", 2, lambda n: n // 0)
    assert crowding.run("a", 2, lambda n: n) == 2


@pytest.mark.skipif(config.NUMBA_NUM_THREADS < 2, reason="there is one core")
def test_a_fit_on_a_crowded_machine_has_the_same_bits(monkeypatch):
    monkeypatch.setattr(threads, "MIN_PARALLEL_WORK", 0)
    X = sp.random_array((300, 200), density=0.1, rng=0, dtype=np.float32, format="csr")
    fit = {"n_components": 5, "max_iter": 30, "tol": 0, "random_state": 0}
    expected = sparsenmf.factorize(X, **fit, n_threads=2)

    used, ticks = set(), iter(range(10**9))

    class Slow(Crowding):
        def run(self, kind, n_threads, region):
            def noted(n):
                used.add(n)
                if n > 1:  # one thread is then faster by this clock
                    [next(ticks) for _ in range(20)]
                return region(n)

            return super().run(kind, n_threads, noted)

    monkeypatch.setattr(
        jit, "crowding", Slow(lambda: next(ticks) * 1e-4, lambda: next(ticks) * 1e-9)
    )
    found = sparsenmf.factorize(X, **fit, n_threads=2)
    assert used == {1, 2}
    assert np.array_equal(found.W, expected.W)
    assert np.array_equal(found.H, expected.H)
