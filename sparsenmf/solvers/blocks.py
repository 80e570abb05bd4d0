"""The rows of X, or of its transpose, a block at a time: from memory or from disk."""

from copy import copy

import numpy as np

from ..data.factors import row_norms, zeros
from ..data.formats import index_type
from ..data.rows import count_blocks, count_parts, make_blocks, make_rows, rows_from_arrays
from ..data.store import is_store
from ..data.worker_threads import BackgroundCall
from ..kernels.products import multiply_with_gram, scatter_rows
from .losses import Loss, make_loss

BLOCK_NNZ = 2**24
"""Entries of a block that is read from disk. Two blocks of 128 MB are in memory: the current one
and the next."""

PAGE = 4096


class BlockRows:
    """The rows of X, read in blocks from a source.

    Parameters
    ----------
    source : object
        Such as a `CsrStore`: it has shape, nnz, dtype, `blocks(max_nnz)`, which lists the first
        row and the last row + 1 of each block, `rows(start, stop)`, which returns a checked CSR
        matrix, and `check(start, stop)`, which raises if that matrix can no longer be used.
    weights : Weights
    n_components : int
    """

    def __init__(self, source, weights, n_components):
        self.source, self.weights, self.n_components = source, weights, n_components
        self.nnz, self.n_rows, self.dtype = source.nnz, source.shape[0], source.dtype
        self.n_blocks = count_blocks(n_components)  # of the kernels, within a block, at most
        self._blocks = source.blocks(BLOCK_NNZ)
        self._only = None
        self.norms = np.zeros((0, 2))  # sums and lengths of a store's rows, after `find_loss`
        self._notes_norms = False

    def __iter__(self):
        """Yield the first and last row + 1 of each block, and its `Rows`."""
        blocks = self._blocks
        if len(blocks) == 1:
            if self._only is None:
                self._only = self._load(*blocks[0])
            self.source.check(*blocks[0])
            yield *blocks[0], self._only
            return
        ahead = BackgroundCall(self._load, *blocks[0], daemon=True)
        for place, block in enumerate(blocks):  # the next block is read meanwhile
            rows = ahead.result()
            if place + 1 < len(blocks):
                ahead = BackgroundCall(self._load, *blocks[place + 1], daemon=True)
            self.source.check(*block)
            yield *block, rows

    def _load(self, start, stop):
        samples = self.weights.samples
        part = self.weights._replace(samples=None if samples is None else samples[start:stop])
        X = self.source.rows(start, stop)
        if self._notes_norms:
            self.norms[start:stop] = row_norms(X)
        X = part.scale_matrix(X)
        for array in (X.data, X.indices):  # so that a mapped file is read here, not in a kernel
            array[:: PAGE // array.itemsize].sum()
        return make_rows(X, self.n_components)

    def convert(self, convert):
        """Return these rows, a single block, converted to another precision."""
        ((_, _, rows),) = self
        other = copy(self)
        other._only = convert(rows)
        other.dtype = other._only.dtype
        return other

    def find_loss(self, beta):
        """Return the loss and the mean of X, found in one pass.

        From then on, `nnz` does not count entries of weight zero, as it does not in memory.
        """
        constant = scale = total = 0.0
        self.norms, nnz = np.zeros((self.n_rows, 2), self.dtype), 0
        self._notes_norms = is_store(self.source)
        for start, stop, rows in self:
            part = make_loss(beta, rows.data, (stop - start, self.source.shape[1]))
            constant, scale, nnz = constant + part.constant, scale + part.scale, nnz + rows.nnz
            total += float(rows.data.sum(dtype=np.float64))
        self._notes_norms = False
        self.nnz, (n_samples, n_features) = nnz, self.source.shape
        return Loss(beta, constant, scale, 0.0), total / (n_samples * n_features)

    def multiply(self, factor, out, n_threads):
        """Set out to X factor, and return its gram matrix."""
        return sum(
            multiply_with_gram(rows, factor, out[start:stop], n_threads)
            for start, stop, rows in self
        )


class StoredColumns(BlockRows):
    """The rows of the transpose, of a store that has both sides.

    Attributes
    ----------
    indptr : ndarray of shape (n_features + 1,), int64
        As that of `Rows`, without entries of weight zero.
    blocks : ndarray of shape (n_blocks, 2), int64
        The rows of the other factor, cut as in memory.
    """

    def __init__(self, source, weights, n_components):
        super().__init__(source, weights, n_components)
        self.indptr, self._sums = np.zeros(self.n_rows + 1, np.int64), np.empty(self.n_rows)
        for start, stop, rows in self:
            self.indptr[start + 1 : stop + 1] = self.indptr[start] + rows.indptr[1:]
            self._sums[start:stop] = rows.sums()
        self.nnz = int(self.indptr[-1])
        self.blocks = make_blocks(self.indptr, n_components)
        self.n_blocks = len(self.blocks)

    def sums(self):
        """Return the sum of each row, in float64."""
        return self._sums


class BlockColumns:
    """The transpose of `BlockRows`, for products only."""

    def __init__(self, rows):
        self.rows, self.nnz, self.dtype = rows, rows.nnz, rows.dtype
        self.n_rows = rows.source.shape[1]

    def multiply(self, factor, out, n_threads):
        """Set out to X' factor, and return its gram matrix."""
        sums = empty_sums(self.rows, factor.shape[1])
        for start, stop, rows in self.rows:
            scatter_rows(n_threads, rows, cut_rows(rows, len(sums)), factor[start:stop], sums)
        # The parts, one below the other, are multiplied by sparse rows of ones, which adds them.
        places = np.arange(len(sums) * self.n_rows, dtype=index_type(len(sums) * self.n_rows))
        ones = rows_from_arrays(
            np.ones(len(places), self.dtype),
            places.reshape(len(sums), self.n_rows).T.ravel(),
            np.arange(self.n_rows + 1) * len(sums),
            self.rows.n_components,
        )
        return multiply_with_gram(ones, sums.reshape(len(places), -1), out, n_threads)


def empty_sums(rows, width):
    """Return zeros for the sums of each column, in several parts for the threads."""
    n_features = rows.source.shape[1]
    return zeros((count_parts(rows.nnz, n_features), n_features, width), rows.dtype)


def cut_rows(rows, n_parts):
    """Cut rows into parts with about equally many entries, one for each sum."""
    cuts = np.linspace(0, rows.nnz, n_parts + 1).astype(np.int64)
    bounds = np.searchsorted(rows.indptr, cuts)
    bounds[0], bounds[-1] = 0, rows.n_rows
    return np.column_stack((bounds[:-1], bounds[1:]))


class MemorySource:
    """A matrix in memory as a source of one block."""

    def __init__(self, X):
        self._X, self.shape, self.nnz, self.dtype = X, X.shape, X.nnz, X.dtype

    def blocks(self, max_nnz):
        """Return the only block."""
        return [(0, self.shape[0])]

    def rows(self, start, stop):
        """Return the matrix, which is the only block."""
        return self._X

    def check(self, start, stop):
        """Do nothing: a matrix in memory can always be used."""


def columns_without_entries(n_features, n_components, dtype):
    """Return the `Rows` of a factor that is found from sums: they have no entries."""
    indptr = np.zeros(n_features + 1, np.int64)
    return rows_from_arrays(np.empty(0, dtype), np.empty(0, np.int32), indptr, n_components)
