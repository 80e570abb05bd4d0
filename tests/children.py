"""Fresh interpreters for tests that could kill or hang the one they run in."""

import functools
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

import sparsenmf

ROOT = Path(__file__).parents[1]

ELSEWHERE = ROOT / "tests" / "tools" / "elsewhere"
"""In `PYTHONPATH`, it makes an interpreter find itself on Windows."""

TIMEOUT = 60  # seconds for a child: about ten times what it needs with a cold cache

posix = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


def make_matrix():
    """Return a matrix large enough for parallel regions in every kernel, yet quick to factorize."""
    return sp.random_array((600, 400), density=0.1, rng=0, dtype=np.float32, format="csr")


def solve(n_threads, X=None):
    """Factorize and transform; return a digest of all the bits."""
    X = make_matrix() if X is None else X
    model = _factorize(X, n_threads)
    return _digest(model.W, model.H, model.transform(X, n_threads=n_threads))


def fit(n_threads):
    """Factorize only, which compiles in a third of the time; return a digest of all the bits."""
    model = _factorize(make_matrix(), n_threads)
    return _digest(model.W, model.H)


def _factorize(X, n_threads):
    return sparsenmf.factorize(X, 20, random_state=0, max_iter=3, tol=0, n_threads=n_threads)


def _digest(*factors):
    return hashlib.sha256(b"".join(factor.tobytes() for factor in factors)).hexdigest()


def solve_in_parallel():
    """Solve on two threads from the main thread, and check that both threads were started."""
    from numba.np.ufunc import parallel

    digest = solve(2)
    assert parallel._is_initialized, "no parallel region was entered: this would test nothing"
    return digest


@functools.cache
def expected():
    return solve(1)


@functools.cache
def expected_of_fit():
    return fit(1)


def start_child(function, *args, env=None, stdin=None):
    """Start a new interpreter that calls a function of a test module."""
    code = f"from {function.__module__} import {function.__name__} as f; f(*{args!r})"
    env = {**os.environ, "PYTHONPATH": str(ROOT), "NUMBA_NUM_THREADS": "2", **(env or {})}
    env = {name: value for name, value in env.items() if value is not None}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, env=env, stdin=stdin, **pipes)


def finish_child(child, timeout=TIMEOUT):
    """Return what a child printed; fail if it did not end well."""
    try:
        out, err = child.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        child.kill()
        out, err = child.communicate()
        pytest.fail(f"the child hangs\n{out}\n{err}")
    assert child.returncode == 0, f"exit code {child.returncode}\n{out}\n{err}"
    assert "Traceback" not in err, err  # of a thread, say
    return out


def run_child(function, *args, env=None, timeout=TIMEOUT):
    return finish_child(start_child(function, *args, env=env), timeout)


REMARK = (
    "Unable to join threads to shut down before fork(). This can break multithreading in child "
)
"""What numba's layer for TBB prints now and then, to the standard output, where a thread forks."""


def assert_all_expected(out, count):
    out = out.replace(REMARK, "")
    assert out.split() == [expected()] * count
