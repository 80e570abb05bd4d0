"""Blocks of whole rows of X on the workers, and the tasks that run on them."""

import itertools
import uuid
import weakref
from concurrent.futures import CancelledError
from typing import Any

import dask
import numpy as np
from dask.delayed import Delayed
from distributed import Future, SchedulerPlugin

from . import tasks

MAX_BLOCK = 2**24
"""Most entries of a block that is read from a store: 128 MB in single precision."""

BLOCKS_PER_THREAD = 2
"""With two blocks, a slow thread does not leave the others idle for long."""


class Homes:
    """The worker of each task, for the scheduler; a task's key ends with its block's number.

    Without it, Dask moves a block of X to another worker whenever its own is busy.
    """

    def __init__(self, addresses):
        self._addresses = addresses

    def __call__(self, key):
        return self._addresses[key[-1]]


class Rehome(SchedulerPlugin):
    """A plugin that lets tasks run on a new worker after all their workers were lost.

    The scheduler checks "allow_other_workers" only when a task becomes ready, and not when a
    worker joins. A task that became ready without any worker would wait for ever.
    """

    name = "sparsenmf-rehome"
    idempotent = True

    def add_worker(self, scheduler, worker):
        """Let tasks that no worker can run use the new worker."""
        for task in scheduler.unrunnable:
            if task.loose_restrictions:
                task.worker_restrictions = None


class Crew:
    """A client that names its tasks, runs them where their blocks are, and can cancel them.

    Parameters
    ----------
    client : distributed.Client
    """

    def __init__(self, client):
        self.client, self.token = client, uuid.uuid4().hex[:8]
        self._homes: Any = None
        client.register_plugin(Rehome())
        self._step = itertools.count()
        self._futures: weakref.WeakSet = weakref.WeakSet()

    def map(self, function, *arguments, **common):
        """Start a task for each block; the dashboard shows it by the function's name."""
        return self._map(self._homes, function, *arguments, **common)

    def pin(self, blocks):
        """Run all further tasks of a block on the worker that has it, as long as it lives."""
        places = self.client.who_has(blocks)
        # A block whose worker has just been lost may run anywhere.
        self._homes = [(*places[block.key], "nowhere:1")[0] for block in blocks]

    def submit(self, function, *arguments):
        """Start one task."""
        (key,) = self._keys(function, 1)
        # H is an argument on purpose: the scheduler keeps it. Scattered data would be lost with
        # their worker.
        with dask.config.set({"distributed.admin.large-graph-warning-threshold": "1TB"}):
            future = self.client.submit(function, *arguments, key=key)
        return self._keep([future])[0]

    def compute(self, delayed, address):
        """Start a graph of the user's on this worker, or on another one if it is lost."""
        options = {"workers": [address], "allow_other_workers": True}
        return self._keep([self.client.compute(delayed, **options)])[0]

    def read(self, store, start, stop, address):
        """Start reading rows of a store on a worker."""
        options = {"workers": [address], "allow_other_workers": True}
        (key,) = self._keys(tasks.read_rows, 1)
        arguments = (tasks.read_rows, store, start, stop)
        return self._keep([self.client.submit(*arguments, key=key, **options)])[0]

    def gather(self, futures):
        """Return the results of futures to this process.

        Raises
        ------
        RuntimeError
            If data were lost, or if tasks were cancelled.
        """
        try:
            return self.client.gather(futures)
        except CancelledError as error:
            raise RuntimeError(
                f"the run has ended, because its tasks were cancelled or their data are lost: an X "
                f"that was scattered is lost with its worker, while delayed blocks and stores are "
                f"read again ({error})"
            ) from error

    def add_up(self, sums):
        """Return the total of all sums, added in pairs of neighbours as a tree of fixed order."""
        homes = self._homes
        while len(sums) > 1:
            pairs = self._map(homes[::2], tasks.add_sums, sums[:-1:2], sums[1::2])
            sums, homes = pairs + sums[len(pairs) * 2 :], homes[::2]
        return self.gather(sums[0])

    def cancel(self):
        """Cancel all tasks, and release their results."""
        self.client.cancel(list(self._futures))

    def addresses(self, n_blocks):
        """Return a worker for each block; neighbours share one, so that few sums travel."""
        threads = self.client.nthreads()
        if not threads:
            raise RuntimeError("the client has no workers: start some, or wait for them")
        each = [address for address, n in sorted(threads.items()) for _ in range(n)]
        return [each[b * len(each) // n_blocks] for b in range(n_blocks)]

    def _map(self, homes, function, *arguments, **common):
        if not arguments[0]:
            return []
        keys = self._keys(function, len(arguments[0]))
        places = {"workers": Homes(homes), "allow_other_workers": True} if homes else {}
        with dask.annotate(**places):
            return self._keep(self.client.map(function, *arguments, key=keys, **common))

    def _keys(self, function, n):
        step = next(self._step)
        return [(f"{function.__name__}-{self.token}", step, b) for b in range(n)]

    def _keep(self, futures):
        self._futures.update(futures)
        return futures


def place_blocks(X, crew, block_nnz):
    """Return futures of the blocks of X on the workers, not checked yet.

    Raises
    ------
    TypeError
        If X is not a kind of matrix that workers can have or read.
    ValueError
        If its blocks do not have whole rows.
    """
    if hasattr(X, "blocks") and hasattr(X, "rows") and hasattr(X, "nnz"):  # a store
        if block_nnz is None:
            wanted = BLOCKS_PER_THREAD * sum(crew.client.nthreads().values())
            block_nnz = int(np.clip(-(-X.nnz // max(wanted, 1)), 1, MAX_BLOCK))
        cuts = X.blocks(block_nnz)
        addresses = crew.addresses(len(cuts))
        return [crew.read(X, *cut, at) for cut, at in zip(cuts, addresses, strict=True)]
    if hasattr(X, "chunks") and hasattr(X, "to_delayed"):  # a dask array
        if X.ndim != 2 or len(X.chunks[1]) != 1:
            raise ValueError(
                f"X must be a dask array of two dimensions with blocks of whole rows, but its "
                f"chunks are {X.chunks}: X.rechunk({{1: -1}})"
            )
        parts = X.to_delayed().ravel().tolist()
    elif hasattr(X, "npartitions") and hasattr(X, "to_delayed"):  # a dask bag
        parts = X.to_delayed()
    else:
        parts = list(X) if isinstance(X, list | tuple) else []
    if not parts or not all(isinstance(part, Delayed | Future) for part in parts):
        raise TypeError(
            f"X must be a dask array, a dask bag, a list of delayed or futures of CSR blocks, or "
            f"a store that open_csr opened, not {type(X).__name__}: a matrix in memory is for "
            f"sparsenmf.factorize(X) on one machine; client.scatter makes futures of its blocks"
        )
    return [
        part if isinstance(part, Future) else crew.compute(part, address)
        for part, address in zip(parts, crew.addresses(len(parts)), strict=True)
    ]
