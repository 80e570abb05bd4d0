"""Workers that are killed at work, data that are lost with them, and runs that are cancelled."""

import os
import signal
import threading
import time

import numpy as np
import pytest

pytest.importorskip("distributed", reason="needs the extra dask")
da = pytest.importorskip("dask.array", reason="needs the extra dask")


# Without Dask these would fail to import, so they come after the checks above, too.
from sparsenmf.distributed import factorize  # noqa: E402 - where Dask is missing, the file is skipped above
from sparsenmf.distributed.placement import Crew  # noqa: E402 - where Dask is missing, the file is skipped above

from .local import (  # noqa: E402 - where Dask is missing, the file is skipped above
    CUTS,
    OPTIONS,
    K,
    assert_same_bits,
    kill_one,
    lazy,
    n_tasks,
    pieces,
)

# Faults


def test_a_worker_that_is_killed_between_iterations_changes_nothing(client, X, all_there):
    calm = factorize(lazy(X), K, **OPTIONS)
    killed = factorize(lazy(X), K, progress=lambda s: s.n_iter == 9 and kill_one(client), **OPTIONS)
    assert_same_bits(killed, calm)


@pytest.mark.parametrize("delay", [0.0, 0.01, 0.04])
def test_a_worker_that_is_killed_at_work_changes_nothing(client, X, delay, all_there):
    calm = factorize(lazy(X), K, **OPTIONS)

    def kill_soon(state):
        if state.n_iter == 6:
            threading.Timer(delay, kill_one, [client]).start()

    killed = factorize(lazy(X), K, progress=kill_soon, **OPTIONS)
    assert_same_bits(killed, calm)


def test_w_survives_the_death_of_every_worker(client, X, all_there):
    model = factorize(lazy(X), K, **OPTIONS)
    before = model.W.compute()
    for pid in client.run(os.getpid).values():
        os.kill(pid, signal.SIGKILL)
    np.testing.assert_array_equal(model.W.compute(), before)


def test_a_folder_bounds_what_is_kept_for_recovery(client, X, tmp_path, all_there):
    options = {**OPTIONS, "max_iter": 33}
    counts = {}
    for scratch in (None, tmp_path):
        noted = []
        model = factorize(
            lazy(X), K, scratch=scratch, progress=lambda _, n=noted: n.append(n_tasks(client)),
            **options,
        )  # fmt: skip
        counts[scratch] = max(noted[25:])
        if scratch is None:
            calm = model.to_factorization()
        del model
    assert counts[tmp_path] < 0.6 * counts[None]
    for old in tmp_path.iterdir():
        old.unlink()
    killed = factorize(
        lazy(X), K, scratch=tmp_path, progress=lambda s: s.n_iter == 17 and kill_one(client),
        **options,
    )  # fmt: skip
    np.testing.assert_array_equal(killed.objective_history, calm.objective_history)
    np.testing.assert_array_equal(killed.to_factorization().W, calm.W)
    assert len(list(tmp_path.iterdir())) == len(CUTS) - 1


def test_data_that_cannot_be_made_again_are_reported(client, X, all_there):
    scattered = [client.scatter(piece) for piece in pieces(X)]

    def kill_both(state):
        if state.n_iter == 3:
            for pid in client.run(os.getpid).values():
                os.kill(pid, signal.SIGKILL)

    with pytest.raises(RuntimeError, match="data are lost: an X that was scattered is lost"):
        factorize(scattered, K, progress=kill_both, **OPTIONS)


def wait_until(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_nothing_is_left_of_a_run_that_is_cancelled(client, X, all_there):
    wait_until(lambda: n_tasks(client) == 0)

    class Stop(Exception):
        pass

    def fail(state):
        raise Stop

    with pytest.raises(Stop) as caught:
        factorize(lazy(X), K, progress=fail, **OPTIONS)
    wait_until(lambda: n_tasks(client) == 0)
    assert caught.traceback  # it holds the frames, and they the futures


def test_cancelled_tasks_end_the_run(client, X, all_there, monkeypatch):
    crews = []
    monkeypatch.setattr(
        Crew, "pin", lambda self, blocks, f=Crew.pin: crews.append(self) or f(self, blocks)
    )
    with pytest.raises(RuntimeError, match="were cancelled"):
        factorize(lazy(X), K, progress=lambda state: crews[0].cancel(), **OPTIONS)
    wait_until(lambda: n_tasks(client) == 0)
