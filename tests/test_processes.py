"""Threads, forks, pools and signals: no way of calling us may kill or hang a process.

Each test runs one function of this file, `child_*`, in a fresh interpreter with a
timeout. Whatever the child computes must have the bits of the same call made here, in
the main thread on one thread.
"""

import concurrent.futures
import functools
import hashlib
import itertools
import json
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import threading
import time
import traceback
import warnings
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

import sparsenmf

ROOT = Path(__file__).parents[1]

TIMEOUT = 60  # seconds for a child: about ten times what it needs with a cold cache

posix = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


# What parent and children have in common.


def make_matrix():
    """Large enough for a parallel region in each kernel call, and quick all the same."""
    return sp.random_array((600, 400), density=0.1, rng=0, dtype=np.float32, format="csr")


def solve(n_threads, X=None):
    """Factorize and transform; return a digest of all the bits."""
    X = make_matrix() if X is None else X
    model = sparsenmf.factorize(X, 20, random_state=0, max_iter=3, tol=0, n_threads=n_threads)
    new = model.transform(X, n_threads=n_threads)
    return hashlib.sha256(b"".join(F.tobytes() for F in (model.W, model.H, new))).hexdigest()


def solve_in_parallel():
    """Solve on two threads in the main thread, and make sure that they were started."""
    from numba.np.ufunc import parallel

    digest = solve(2)
    assert parallel._is_initialized, "no parallel region was entered: this would test nothing"
    return digest


@functools.cache
def expected():
    return solve(1)


def start_child(function, *args, env=None):
    """Start a new interpreter that calls a function of a test module."""
    code = f"from {function.__module__} import {function.__name__} as f; f(*{args!r})"
    env = {**os.environ, "PYTHONPATH": str(ROOT), "NUMBA_NUM_THREADS": "2", **(env or {})}
    env = {name: value for name, value in env.items() if value is not None}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, env=env, **pipes)


def finish_child(child, timeout=TIMEOUT):
    """Return what a child printed; fail if it did not end well."""
    try:
        out, err = child.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        child.kill()
        out, err = child.communicate()
        pytest.fail(f"the child hangs\n{out}\n{err}")
    assert child.returncode == 0, f"exit code {child.returncode}\n{out}\n{err}"
    return out


def run_child(function, *args, env=None):
    return finish_child(start_child(function, *args, env=env))


def assert_all_expected(out, count):
    assert out.split() == [expected()] * count


# Threads.


def child_threads(n_workers, repetitions):
    """The main thread and some others, released together for each factorization."""
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
    """As a daemon does: the child ends first, the grandchild goes on."""
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


def child_forks(run):
    solve_in_parallel()
    print(globals()[run](), solve(2))


WAYS_TO_FORK = [solve_in_fork, solve_in_fork_of_thread, solve_in_grandchild, solve_in_orphan]


@posix
@pytest.mark.parametrize("run", WAYS_TO_FORK)
def test_fork_after_a_parallel_run(run):
    assert_all_expected(run_child(child_forks, run.__name__), 2)


def child_forks_after_another_library(run):
    """Our kernels are loaded in the child, numba's threads were started in the parent."""
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


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.parametrize("kind", ["Pool", "ProcessPoolExecutor"])
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


# Ctrl-C.


def report_interrupted(X, callback):
    """Run until Ctrl-C comes; print what was returned and what it should be."""
    model = sparsenmf.factorize(
        X, 20, random_state=0, tol=0, max_iter=10**9, callback=callback, n_threads=2
    )
    residual = X.toarray().astype(float) - model.W.astype(float) @ model.H.astype(float)
    objective = 0.5 * (residual**2).sum()
    same_length = len(model.objective_history) == len(model.time_history)
    print(json.dumps([model.stop_reason, model.objective, objective, same_length]), flush=True)


def child_interrupted(delays):
    # A shell may have started us with Ctrl-C switched off.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    X = make_matrix().astype(float)
    announced = []

    def announce(state):
        if state.n_iter == 3 and not announced:
            announced.append(print("ready", flush=True))

    report_interrupted(X, announce)
    for delay in delays:  # at other points of an iteration
        timer = threading.Timer(delay, os.kill, (os.getpid(), signal.SIGINT))
        report_interrupted(X, lambda state, timer=timer: state.n_iter == 1 and timer.start())
    print(solve(2))


@posix
def test_interrupt_returns_the_factors_reached_and_the_process_goes_on():
    rng = random.Random(0)
    delays = [0.02 + 0.05 * rng.random() for _ in range(20)]
    child = start_child(child_interrupted, delays)
    watchdog = threading.Timer(TIMEOUT, child.kill)
    watchdog.start()
    assert child.stdout.readline() == "ready\n", child.communicate(timeout=TIMEOUT)
    sent = time.monotonic()
    child.send_signal(signal.SIGINT)
    first = child.stdout.readline()
    assert time.monotonic() - sent < 10
    watchdog.cancel()
    *others, digest = finish_child(child).splitlines()
    assert len(others) == len(delays)
    for line in (first, *others):
        reason, reported, actual, same_length = json.loads(line)
        assert reason == "interrupted"
        assert reported == pytest.approx(actual, rel=1e-9)
        assert same_length
    assert digest == expected()


def interrupt_at_line(X, n):
    """Factorize; Ctrl-C comes at the n-th line run between the second and third callback."""
    lines, tracer = 0, sys.gettrace()

    def count(frame, event, _):
        nonlocal lines
        lines += event == "line"
        if event == "line" and lines == n:
            raise KeyboardInterrupt
        return count

    def enter(frame, *_):
        return count if frame.f_code.co_filename.startswith(sparsenmf.__path__[0]) else None

    def switch(state):
        sys.settrace(enter if state.n_iter == 2 else tracer)
        sys._getframe(1).f_trace = count if state.n_iter == 2 else tracer

    try:
        return sparsenmf.factorize(X, 3, random_state=0, max_iter=4, tol=0, callback=switch)
    finally:
        sys.settrace(tracer)


def test_interrupt_at_any_line_leaves_a_consistent_result():
    X = sp.random_array((40, 30), density=0.2, rng=0, format="csr")
    for n in itertools.count(1):
        model = interrupt_at_line(X, n)
        assert len(model.time_history) == len(model.objective_history), n
        actual = 0.5 * ((X.toarray() - model.W @ model.H) ** 2).sum()
        assert model.objective == pytest.approx(actual, rel=1e-9), n
        if model.stop_reason != "interrupted":  # all lines of an iteration have been seen
            break
    assert n > 50


# The number of threads, and what is left as it was.


def child_thread_counts():
    from sparsenmf.kernels import threads

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


def child_globals(asked, n_threads):
    import numba

    numba.set_num_threads(asked)
    before = global_state()
    for _ in range(2):
        solve(n_threads)
    after = global_state()
    print(json.dumps([name for name in before if before[name] != after[name]]))


@pytest.mark.parametrize(("asked", "n_threads"), [(1, 2), (2, 1), (2, 2)])
def test_global_state_is_left_alone(asked, n_threads):
    assert json.loads(run_child(child_globals, asked, n_threads)) == []


def child_ends_early():
    """End the process while a thread factorizes."""
    started = threading.Event()

    def work():
        sparsenmf.factorize(
            make_matrix(), 20, tol=0, max_iter=10**9, callback=lambda _: started.set()
        )

    threading.Thread(target=work, daemon=True).start()
    assert started.wait(TIMEOUT)
    print("leaving")


def test_process_may_end_while_a_daemon_thread_factorizes():
    assert run_child(child_ends_early) == "leaving\n"
