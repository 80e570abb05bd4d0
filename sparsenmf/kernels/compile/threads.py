"""How many threads a kernel gets, and whether a parallel region is safe here.

numba's threading layers end the process (they do not raise) when a parallel region
runs in a forked child (GNU OpenMP) or in two threads at once (workqueue). Wherever that could
happen, a kernel runs its serial twin, which gives the same bits. One case cannot be known from
here: the main thread under workqueue, while another library's parallel kernel runs in another
thread. There, n_threads=1 is safe.
"""

import contextlib
import functools
import multiprocessing
import os
import threading
from pathlib import Path

import numba
from numba.core import config
from numba.np.ufunc import parallel as numba_parallel

from .settings import number_in, threads_wanted

_process = os.getpid()

MIN_PARALLEL_WORK = 200_000
"""Multiply-adds below which waking the threads costs more than it saves
(a region costs 10 to 40 microseconds, 200,000 multiply-adds about 30)."""


def threads_for(n_threads, work):
    """Return how many threads to give a kernel.

    Parameters
    ----------
    n_threads : int
        What `resolve_threads` returned.
    work : int
        Multiply-adds of the call, about ``nnz * n_components``.

    Returns
    -------
    int
        1 means: run the serial twin.
    """
    if n_threads == 1 or work < MIN_PARALLEL_WORK or not _parallel_is_safe():
        return 1
    return n_threads


def resolve_threads(n_threads=None):
    """Return the number of threads to use.

    Parameters
    ----------
    n_threads : int, optional
        The user's wish. Without one: ``SPARSENMF_NUM_THREADS`` if set, else all
        cores this process may use (`available_cores`) in the main thread of a
        main process, and 1 in other threads and in child processes, where a pool
        of workers is likely to own the cores already.
    """
    if n_threads is None:
        n_threads = threads_wanted()
    if n_threads is None:
        alone = (
            threading.current_thread() is threading.main_thread()
            and multiprocessing.parent_process() is None
        )
        n_threads = available_cores() if alone else 1
    return max(1, min(n_threads, config.NUMBA_NUM_THREADS))


def available_cores():
    """Return the number of cores that affinity, cgroup quota and ``OMP_NUM_THREADS`` allow."""
    has_affinity = hasattr(os, "sched_getaffinity")
    cores = len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count()
    # OMP_NUM_THREADS may be a list for nested regions: the first counts.
    outer = number_in(os.environ.get("OMP_NUM_THREADS", "").split(",")[0])
    limits = cores, _cgroup_quota(), outer
    return min(filter(None, limits), default=1)


@functools.cache
def _cgroup_quota():
    """Return the CPU quota of this container, rounded down but at least 1, or None."""
    # os.process_cpu_count does not know of it; joblib's loky rounds up and is not always there.
    for names in ("cpu.max",), ("cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us"):  # version 2, 1
        with contextlib.suppress(OSError, ValueError):
            files = [Path("/sys/fs/cgroup", name) for name in names]
            words = " ".join(file.read_text(encoding="ascii") for file in files).split()
            quota, period = (int(word) if word.isdecimal() else 0 for word in words)
            return max(1, quota // period) if quota and period else None
    return None


def _parallel_is_safe():
    if os.getpid() != _process or _inherited:
        return False
    if threading.current_thread() is threading.main_thread():
        return True
    # Only a layer that is thread-safe may be entered from more than one thread.
    numba.get_num_threads()  # launches the layer, so that its name is known
    return numba.threading_layer() in ("omp", "tbb")


def _is_a_fork():
    """Return whether this process was forked and has not started a new program since."""
    try:
        stat = Path("/proc/self/stat").read_text(encoding="utf-8", errors="replace")
        flags = stat.rpartition(")")[2].split()[6]
        return bool(int(flags) & 0x40)  # Linux: PF_FORKNOEXEC
    except (OSError, ValueError, IndexError):
        return multiprocessing.parent_process() is not None


# The process number shows a fork after this import. A fork before it, whose parent had run the
# kernels of another library, shows because numba's threads count as started here.
_inherited = numba_parallel._is_initialized and _is_a_fork()
