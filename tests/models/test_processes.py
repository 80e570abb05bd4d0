"""Threads, forks, pools and signals: however it is called, no process dies or hangs.

Each test runs one function of this file, `child_*`, in a fresh interpreter with a
timeout. Whatever the child computes must have the bits of the same call made here, in
the main thread on one thread.
"""

import concurrent.futures
import json
import multiprocessing
import os
import random
import signal
import sys
import threading
import time
import traceback
import warnings

import numpy as np
import pytest

import sparsenmf

from ..children import (
    TIMEOUT,
    assert_all_expected,
    make_matrix,
    posix,
    run_child,
    solve,
    solve_in_parallel,
)

# Threads.


def child_threads(n_workers, repetitions):
    """Factorize in the main thread and some others, which start each factorization together."""
    barrier = threading.Barrier(n_workers + 1, timeout=TIMEOUT)
    digests = []

    def work():
        for _ in range(repetitions):
            barrier.wait()
            digests.append(solve(2))

    solve_in_parallel()
    workers = [threading.Thread(target=work) for _ in range(n_workers)]
    for worker in workers:
        worker.start()
    work()
    for worker in workers:
        worker.join()
    print(*digests)


@pytest.mark.parametrize("layer", ["workqueue", "omp", "tbb"])
def test_python_threads_under_each_threading_layer(layer):
    pool = {"workqueue": "workqueue", "omp": "omppool", "tbb": "tbbpool"}[layer]
    pytest.importorskip(f"numba.np.ufunc.{pool}", exc_type=ImportError)
    out = run_child(child_threads, 2, 10, env={"NUMBA_THREADING_LAYER": layer})
    assert_all_expected(out, 30)


# Forks.


def in_fork(function):
    """Return what `function` returns in a forked child, or fail with it."""
    read, write = os.pipe()
    pid = fork()
    if pid == 0:
        status = 1
        try:
            os.write(write, function().encode())
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    os.close(write)
    with os.fdopen(read) as pipe:
        answer = pipe.read()
    status = os.waitpid(pid, 0)[1]
    assert status == 0, f"the forked child ended with status {status}"
    return answer


def fork():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # "process is multi-threaded"
        pid = os.fork()
    if pid == 0:
        signal.alarm(TIMEOUT // 2)  # should it hang, it ends itself
    return pid


def solve_in_fork():
    return in_fork(lambda: solve(2))


def solve_in_fork_of_thread():
    with concurrent.futures.ThreadPoolExecutor() as pool:
        return pool.submit(solve_in_fork).result()


def solve_in_grandchild():
    return in_fork(solve_in_fork)


def solve_in_orphan():
    """Solve like a daemon: the child ends first, and the grandchild goes on."""
    read, write = os.pipe()

    def leave():
        child = os.getpid()
        if fork() == 0:
            while os.getppid() == child:
                time.sleep(0.01)
            os.write(write, solve(2).encode())
            os._exit(0)
        return ""

    in_fork(leave)
    os.close(write)
    with os.fdopen(read) as pipe:
        return pipe.read()


def child_forks(*runs):
    solve_in_parallel()
    for run in runs:
        print(globals()[run](), solve(2), flush=True)


WAYS_TO_FORK = [solve_in_fork, solve_in_fork_of_thread, solve_in_grandchild, solve_in_orphan]


@posix
def test_fork_after_a_parallel_run():
    names = [run.__name__ for run in WAYS_TO_FORK]
    out = run_child(child_forks, *names, timeout=2 * TIMEOUT)
    assert_all_expected(out, 2 * len(names))


def child_forks_after_another_library(run):
    """Load our kernels in the child after another library started numba's threads in the parent."""
    import numba

    numba.njit(parallel=True)(lambda x: x + 1)(np.zeros(1000))
    assert "sparsenmf.kernels" not in sys.modules
    print(globals()[run](), solve(2))


@posix
@pytest.mark.parametrize("run", WAYS_TO_FORK)
def test_fork_after_a_parallel_run_of_another_library(run):
    assert_all_expected(run_child(child_forks_after_another_library, run.__name__), 2)


# Pools of processes and threads.


def child_pool(kind, method):
    solve_in_parallel()
    context = multiprocessing.get_context(method)
    jobs = [2, 1, 2]
    if kind == "Pool":
        with context.Pool(2) as pool:
            print(*pool.map_async(solve, jobs).get(TIMEOUT - 10))
    else:
        with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as pool:
            print(*pool.map(solve, jobs, timeout=TIMEOUT - 10))


@pytest.mark.parametrize(
    ("kind", "method"),
    [
        ("Pool", "fork"),
        ("ProcessPoolExecutor", "fork"),
        ("ProcessPoolExecutor", "spawn"),
        pytest.param("Pool", "spawn", marks=pytest.mark.long),
    ],
)
def test_process_pools_after_a_parallel_run(kind, method):
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"no {method} here")
    assert_all_expected(run_child(child_pool, kind, method), 3)


def child_joblib(backend):
    import joblib

    solve_in_parallel()
    job = joblib.delayed(solve_in_joblib)
    with joblib.Parallel(2, backend=backend, max_nbytes="1K", timeout=TIMEOUT - 10) as parallel:
        answers = parallel(job(n_threads, make_matrix()) for n_threads in (2, 1, None))
    digests, memory_mapped = zip(*answers, strict=True)
    assert set(memory_mapped) == {backend != "threading"}
    print(*digests)


def solve_in_joblib(n_threads, X):
    read_only = not X.data.flags.writeable
    assert read_only == isinstance(X.data, np.memmap)
    return solve(n_threads, X), read_only


@pytest.mark.parametrize("backend", ["loky", "threading", "multiprocessing"])
def test_joblib_backends_after_a_parallel_run(backend):
    pytest.importorskip("joblib")
    # workqueue: the layer that ends the process when two threads enter it.
    env = {"NUMBA_THREADING_LAYER": "workqueue"} if backend == "threading" else {}
    assert_all_expected(run_child(child_joblib, backend, env=env), 3)


# The number of threads, and what is left as it was.


def child_thread_counts():
    from sparsenmf.kernels.compile import threads

    resolve_threads = threads.resolve_threads
    threads._cgroup_quota = lambda: None  # whatever container the tests run in
    counts = {"default": resolve_threads()}
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        counts["other thread"] = pool.submit(resolve_threads).result()
        counts["other thread, asked"] = pool.submit(resolve_threads, 2).result()
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        counts["child process"] = pool.apply_async(resolve_threads).get(TIMEOUT - 10)
    counts["more than there are"] = resolve_threads(1000)
    threads._cgroup_quota = lambda: 1
    counts["quota of one"] = resolve_threads()
    threads._cgroup_quota = lambda: None
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        counts["one core"] = resolve_threads()
    print(json.dumps(counts))


@pytest.mark.parametrize(
    ("env", "default", "elsewhere"),
    [
        ({}, "all cores", 1),
        ({"SPARSENMF_NUM_THREADS": "3"}, 3, 3),
        ({"OMP_NUM_THREADS": "1"}, 1, 1),
        ({"OMP_NUM_THREADS": "1,4"}, 1, 1),
        ({"OMP_NUM_THREADS": "1", "SPARSENMF_NUM_THREADS": "2"}, 2, 2),
        ({"SPARSENMF_NUM_THREADS": "many"}, "all cores", 1),
    ],
)
def test_number_of_threads_honours_environment_and_place(env, default, elsewhere):
    unset = {"SPARSENMF_NUM_THREADS": None, "OMP_NUM_THREADS": None, "NUMBA_NUM_THREADS": "4"}
    counts = json.loads(run_child(child_thread_counts, env={**unset, **env}))
    if default == "all cores":
        affine = hasattr(os, "sched_getaffinity")
        default = min(4, len(os.sched_getaffinity(0)) if affine else os.cpu_count())
    assert counts["default"] == default
    for place in ("other thread", "child process", "quota of one", "one core"):
        assert counts.get(place, elsewhere) == elsewhere, place
    assert counts["other thread, asked"] == 2
    assert counts["more than there are"] == 4


def global_state():
    import numba

    return {
        "environment": dict(os.environ),
        "warning filters": list(warnings.filters),
        "numpy's random state": [np.array(part).tobytes() for part in np.random.get_state()],
        "random's state": random.getstate(),
        "floating point errors": np.geterr(),
        "signal handlers": [signal.getsignal(s) for s in signal.valid_signals()],
        "numba's threads": numba.get_num_threads(),
        "threads": threading.enumerate(),
        "exception hooks": (sys.excepthook, threading.excepthook),
    }


def child_globals(*numbers):
    import numba

    changed = []
    for asked, n_threads in numbers:
        numba.set_num_threads(asked)
        before = global_state()
        for _ in range(2):
            solve(n_threads)
        after = global_state()
        changed += [(asked, n_threads, name) for name in before if before[name] != after[name]]
    print(json.dumps(changed))


def test_global_state_is_left_alone():
    assert json.loads(run_child(child_globals, (2, 1), (1, 2), (2, 2))) == []


def child_ends_early():
    """End the process while a thread factorizes."""
    started = threading.Event()

    def work():
        sparsenmf.factorize(
            make_matrix(), 20, tol=0, max_iter=10**9, progress=lambda _: started.set()
        )

    threading.Thread(target=work, daemon=True).start()
    assert started.wait(TIMEOUT)
    print("leaving")


def test_process_may_end_while_a_daemon_thread_factorizes():
    assert run_child(child_ends_early) == "leaving\n"
