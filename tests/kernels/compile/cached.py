"""Run kernels in fresh interpreters that have a cache folder, and compare."""

import hashlib
import json
from pathlib import Path

import numpy as np

from ...children import run_child


def run_kernels(n_threads):
    """Run two kernels that compile quickly; return a digest of the bits."""
    from sparsenmf.kernels import gram

    factor, blocks = np.arange(320.0).reshape(40, 8), np.array([[0, 20], [20, 40]])
    sums, partials = np.zeros((2, 8)), np.zeros((2, 8, 8))
    gram.sum_columns(n_threads, factor, blocks, sums)
    gram.multiply_factor(n_threads, factor, blocks, partials)
    return hashlib.sha256(sums.tobytes() + partials.tobytes()).hexdigest()


def child_run(n_threads, run=run_kernels):
    """Print the digest of a run, and how often each kernel was loaded or compiled."""
    digest = run(n_threads)
    from sparsenmf.kernels.compile import jit

    twins = [twin for kernel in jit._kernels for twin in (kernel._serial, kernel._parallel)]
    count = {twin.__name__: [twin.stats.cache_hits.total(), len(twin.signatures)] for twin in twins}
    print(json.dumps([digest, {name: both for name, both in count.items() if both[1]}]))


def run_with(folder, n_threads=1, **env):
    """Return the names of the kernels that were loaded, and of those that were compiled."""
    env = {"SPARSENMF_CACHE_DIR": folder if folder is None else str(folder), **env}
    return check(run_child(child_run, n_threads, env=env))


def check(out, expected=None):
    digest, count = json.loads(out)
    assert digest == (expected or run_kernels(1))
    loaded = {name for name, (hits, _) in count.items() if hits}
    return loaded, set(count) - loaded


def files(folder):
    return {path.name: path.stat().st_mtime_ns for path in Path(folder).iterdir()}


def double(x, out):
    for i in range(len(x)):
        out[i] = 2 * x[i]


def stored_kernel(folder, monkeypatch):
    """Store a small kernel; return a function that tries to load it, and its file."""
    from sparsenmf.kernels.compile import cache, jit

    monkeypatch.setattr(cache, "cache_folder", lambda: folder)
    out = np.zeros(3)
    jit.Kernel(double)(1, np.array([1.0, 2.0, 3.0]), out)
    assert out.tolist() == [2, 4, 6]
    dispatcher = jit.Kernel(double)._serial
    (path,) = folder.glob("*.kernel")
    (signature,) = (numba_signature(np.zeros(3), out),)
    target = dispatcher.targetdescr.target_context
    return lambda: dispatcher._cache.load_overload(signature, target), path


def numba_signature(*args):
    import numba

    return tuple(map(numba.typeof, args))
