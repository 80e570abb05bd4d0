"""The torture matrix: everything a pipeline does to a process, under every threading layer.

Each cell is a fresh interpreter with a timeout, and whatever it computes must have the bits
of a fit in one process on one thread. `pytest -m long` runs the cells that CI leaves out.
"""

import concurrent.futures
import multiprocessing
import os
import signal
import threading
import time

import numpy as np
import pytest
import scipy.sparse as sp

import sparsenmf

from ..children import (
    ROOT,
    TIMEOUT,
    expected,
    expected_of_fit,
    finish_child,
    fit,
    make_matrix,
    posix,
    solve,
    solve_in_parallel,
    start_child,
)
from . import test_processes as processes

MODULES = {"workqueue": "workqueue", "omp": "omppool", "tbb": "tbbpool"}

LAYERS = [*MODULES, "nothing else"]

HIDE = """
import sys
sys.modules["numba.np.ufunc.omppool"] = sys.modules["numba.np.ufunc.tbbpool"] = None
"""


def environment(layer, tmp_path):
    """The environment in which numba takes this layer, or has nothing but workqueue."""
    if layer in MODULES:
        name = f"numba.np.ufunc.{MODULES[layer]}"
        pytest.importorskip(name, exc_type=ImportError)
        return {"NUMBA_THREADING_LAYER": layer}
    # Wherever an interpreter starts, spawned workers included, the others are not there.
    (tmp_path / "sitecustomize.py").write_text(HIDE)
    paths = os.pathsep.join([str(tmp_path), str(ROOT)])
    return {"NUMBA_THREADING_LAYER": None, "PYTHONPATH": paths}


def check_layer(layer):
    """Solve in parallel, and make sure that it was with this layer."""
    import numba

    digest = solve_in_parallel()
    assert numba.threading_layer() == (layer if layer in MODULES else "workqueue")
    return digest


# Cells: functions of the layer that print one digest for each time they have solved.


def in_threads(layer, n_workers):
    check_layer(layer)
    processes.child_threads(n_workers - 1, 3)


def in_threads_without_asking(layer):
    """Solve with the default number of threads, in the main thread and in others."""
    print(check_layer(layer))
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(solve, None) for _ in range(4)]
        print(solve(None), *(job.result() for job in jobs))


def after_fork(layer, way):
    check_layer(layer)
    processes.child_forks(way)


def fork_while_compiling(layer):
    """Fork while another thread, in its first fit, holds the compiler's lock."""
    os.environ["SPARSENMF_CACHE"] = "0"
    from sparsenmf.kernels import coordinate_descent as ours

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        first = pool.submit(fit, 1)
        compiling = type(ours.update_rows._serial).compile.__globals__["global_compiler_lock"]
        while not first.done():
            if not compiling._lock.acquire(blocking=False):
                break
            compiling._lock.release()
        assert not first.done()
        print(processes.in_fork(lambda: fit(2)), first.result())


def in_pool(layer, kind, method):
    if method == "forkserver":  # as servers do, with all of us loaded before the forks
        multiprocessing.set_forkserver_preload([__name__, "sparsenmf.kernels.compile.threads"])
    check_layer(layer)
    processes.child_pool(kind, method)


def in_joblib(layer, backend):
    check_layer(layer)
    processes.child_joblib(backend)


def in_dask(layer, scheduler):
    import dask

    check_layer(layer)
    dask.config.set({"multiprocessing.context": "fork"})
    jobs = [dask.delayed(solve)(n_threads) for n_threads in (2, 1, None, 2)]
    print(*dask.compute(*jobs, scheduler=scheduler, num_workers=2))


def in_preloaded_workers(layer):
    """Do as gunicorn does: the master warms up and forks; a worker that dies is replaced."""
    check_layer(layer)
    X = make_matrix()
    model = sparsenmf.factorize(X, 20, random_state=0, max_iter=3, tol=0, n_threads=2)
    before = model.transform(X).tobytes()

    def serve(requests):
        def work():
            for _ in range(requests):
                digest = solve(2)
                assert model.transform(X, n_threads=2).tobytes() == before
            return digest

        return processes.in_fork(work)

    print(serve(2))
    victim = processes.fork()
    if victim == 0:
        while True:
            solve(2)
    time.sleep(0.2)
    os.kill(victim, signal.SIGKILL)
    os.waitpid(victim, 0)
    print(serve(2), solve(2), serve(1))


def nested_in_pool(layer):
    """Solve in joblib's threads inside a worker of a process pool."""
    check_layer(layer)
    context = multiprocessing.get_context("fork")
    with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as pool:
        for digests in pool.map(solve_in_joblib_threads, range(2), timeout=TIMEOUT - 10):
            print(*digests)


def solve_in_joblib_threads(_):
    import joblib

    job = joblib.delayed(solve)
    return joblib.Parallel(2, backend="threading")(job(n) for n in (2, 1, None))


def foreign_kernel():
    """Return a function that runs a prange kernel that is not ours, and checks its result."""
    import numba

    @numba.njit(parallel=True)
    def squares(x):
        out = np.empty_like(x)
        for i in numba.prange(len(x)):
            out[i] = x[i] * x[i]
        return out

    x = np.arange(100_000.0)

    def run():
        np.testing.assert_array_equal(squares(x), x * x)

    run()
    return run


def between_calls_of_a_foreign_kernel(layer):
    import numba

    run = foreign_kernel()
    numba.set_num_threads(1)
    for _ in range(3):
        run()
        print(solve(2))
        assert numba.get_num_threads() == 1
    print(check_layer(layer))


def beside_a_foreign_kernel(layer, ours):
    """Solve while another library runs parallel regions in the other thread.

    With workqueue, numba ends the process when two threads are in parallel regions, even if only
    one of them is ours, which we cannot prevent. So we are in the thread that enters no region, or
    use one thread.
    """
    print(check_layer(layer))
    run, done = foreign_kernel(), threading.Event()
    n_threads = 1 if ours == "main" and layer not in ("omp", "tbb") else 2

    def fit():
        try:
            for _ in range(10):
                print(solve(n_threads))
        finally:
            done.set()

    def others():
        while not done.is_set():
            run()

    here, there = (fit, others) if ours == "main" else (others, fit)
    thread = threading.Thread(target=there)
    thread.start()
    here()
    thread.join()


def at_the_end_of_the_program(layer, daemon):
    """End the program while a thread factorizes a store, block by block."""
    from sparsenmf.solvers import blocks

    print(check_layer(layer), flush=True)
    blocks.BLOCK_NNZ = 500
    started = threading.Event()

    def work():
        n_iter = 10**9 if daemon else 20
        X, wanted = small_store(), whole_store_digest(n_iter)
        model = sparsenmf.factorize(
            X, 3, max_iter=n_iter, tol=0, random_state=0, progress=lambda _: started.set()
        )
        print(expected() if model.H.tobytes() == wanted else "wrong", flush=True)

    threading.Thread(target=work, daemon=daemon).start()
    assert started.wait(TIMEOUT)


def small_store():
    import tempfile

    X = sp.random_array((600, 40), density=0.2, rng=0, format="csr")
    return sparsenmf.write_csr(os.path.join(tempfile.mkdtemp(), "store"), [X])


def whole_store_digest(n_iter):
    if n_iter > 1000:
        return b""
    return sparsenmf.factorize(small_store(), 3, max_iter=n_iter, tol=0, random_state=0).H.tobytes()


CELLS = {  # name: function, its arguments, how many digests, the layer under which CI runs it
    "two threads": (in_threads, (2,), 6, None),  # also in test_processes
    "eight threads": (in_threads, (8,), 24, "workqueue"),
    "threads, not asked": (in_threads_without_asking, (), 6, "workqueue"),
    **{
        f"fork: {way.__name__}": (after_fork, (way.__name__,), 2, None)
        for way in processes.WAYS_TO_FORK
    },
    "fork while compiling": (fork_while_compiling, (), 2, "omp"),
    **{
        f"{kind} {method}": (in_pool, (kind, method), 3, None)
        for kind in ("Pool", "ProcessPoolExecutor")
        for method in ("fork", "spawn")
    },
    "Pool forkserver": (in_pool, ("Pool", "forkserver"), 3, "omp"),
    "ProcessPoolExecutor forkserver": (
        in_pool,
        ("ProcessPoolExecutor", "forkserver"),
        3,
        "workqueue",
    ),
    **{
        f"joblib {backend}": (in_joblib, (backend,), 3, None)
        for backend in ("loky", "threading", "multiprocessing")
    },
    "Dask threads": (in_dask, ("threads",), 4, "nothing else"),
    "Dask processes": (in_dask, ("processes",), 4, "omp"),
    "preloaded workers": (in_preloaded_workers, (), 4, "omp"),
    "joblib in a pool": (nested_in_pool, (), 6, "omp"),
    "between foreign kernels": (between_calls_of_a_foreign_kernel, (), 4, "workqueue"),
    "beside a foreign kernel": (beside_a_foreign_kernel, ("main",), 11, "omp"),
    "in a thread beside one": (beside_a_foreign_kernel, ("thread",), 11, "nothing else"),
    "end with a daemon": (at_the_end_of_the_program, (True,), 1, "omp"),
    "end with a thread": (at_the_end_of_the_program, (False,), 2, "nothing else"),
}

MATRIX = [
    pytest.param(name, layer, marks=() if layer == CELLS[name][3] else pytest.mark.long)
    for name in CELLS
    for layer in LAYERS
]


def child_cell(name, layer):
    function, args, *_ = CELLS[name]
    function(layer, *args)


@posix
@pytest.mark.parametrize(("name", "layer"), MATRIX)
def test_cell_of_the_matrix(name, layer, tmp_path):
    for package in ("joblib", "dask"):
        if package in name.lower():
            pytest.importorskip(package)
    child = start_child(child_cell, name, layer, env=environment(layer, tmp_path))
    out = finish_child(child)
    # numba's tbb says on stdout if it could not stop its threads before a fork.
    digests = [word for line in out.splitlines() if "fork()" not in line for word in line.split()]
    assert len(digests) == CELLS[name][2]
    # Where nothing is stored, a cell only fits: transform takes long to compile.
    assert set(digests) == {expected_of_fit() if name == "fork while compiling" else expected()}
