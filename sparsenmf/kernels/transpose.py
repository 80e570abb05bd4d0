"""The transpose of sparse rows, on several threads: a counting sort by column."""

import numpy as np
from numba import prange

from ..data.factors import zeros
from ..data.rows import rows_from_arrays
from .compile.jit import kernel
from .compile.threads import threads_for
from .vector.vector_code import I64, meaning, vector_code

COUNTERS = 4  # entries for each counter, at least
WORK = 4  # multiply-adds that take as long as moving an entry

AHEAD = 64
"""Entries by which places to write to are asked for ahead: takes 40% off the time, as stores wait
for each other. What is asked for much earlier (128) has left the first-level cache by then on
some machines: a tenth to a third more time."""


def transpose_rows(rows, n_columns, n_components, n_threads=1):
    """Return the transpose of `rows`, a `Rows` of n_columns rows in canonical order.

    On two threads it takes a third to a half of the time of scipy's conversion; the
    result is the same at any number of them.
    """
    # Each thread counts all columns: their counters stay small beside the entries.
    n_threads = max(1, min(n_threads, len(rows.data) // (COUNTERS * n_columns)))
    n_threads = threads_for(n_threads, WORK * len(rows.data))
    # Consecutive rows with about equally many entries for each thread.
    cuts = np.linspace(0, len(rows.data), n_threads + 1)
    parts = np.searchsorted(rows.indptr, cuts.astype(np.int64))
    parts[0], parts[-1] = 0, rows.n_rows
    heads = zeros((n_threads, n_columns), np.int64)
    data, indices = (zeros(a.shape, a.dtype) for a in (rows.data, rows.indices))
    indptr = np.zeros(n_columns + 1, np.int64)
    move_entries(n_threads, rows, parts, heads, data, indices, indptr)
    weights = rows.weights
    if len(weights):
        of_weights = rows._replace(data=weights, weights=weights[:0])
        weights = transpose_rows(of_weights, n_columns, n_components, n_threads).data
    return rows_from_arrays(data, indices, indptr, n_components, weights, rows.absent)


@kernel
def move_entries(rows, parts, heads, data, indices, indptr):
    """Write the CSR arrays of the transpose.

    Each part of the rows (parts[p] to parts[p + 1]) counts its entries of each column,
    and so knows where in the transposed row its own begin: after those of the parts
    before it. `heads` (n_parts, n_columns) must be zero on entry; `data`, `indices`
    and `indptr[1:]` are overwritten, `indptr[0]` must be zero. Rows come out in
    ascending order, whatever the order within the rows. Each turn of the parallel
    loops writes to its own row of `heads`, and to places that are its own.
    """
    for part in prange(parts.shape[0] - 1):
        first, last = parts[part], parts[part + 1]
        count_columns(heads[part], rows.indices, rows.indptr[first], rows.indptr[last])
    place = 0
    for j in range(heads.shape[1]):
        for part in range(heads.shape[0]):
            count = heads[part, j]
            heads[part, j] = place
            place += count
        indptr[j + 1] = place
    for part in prange(parts.shape[0] - 1):
        first, last = parts[part], parts[part + 1]
        move_part(data, indices, heads[part], rows.data, rows.indices, rows.indptr, first, last)


def _count_columns(counts, indices, start, stop):
    counts += np.bincount(indices[start:stop], minlength=len(counts))


@vector_code()
@meaning(_count_columns)
def count_columns(code, counts, indices, start, stop):
    """Add to counts[j] how often j is among indices[start:stop]."""
    b, one = code.b, code.index(1)
    with code.steps(start, stop) as p:
        counter = code.at(counts.data, code.entry(indices, p))
        b.store(b.add(b.load(counter), one), counter)


def _move_part(to_data, to_indices, head, data, indices, indptr, first, last):
    for i in range(first, last):
        entries = slice(indptr[i], indptr[i + 1])
        places = head[indices[entries]]
        to_data[places], to_indices[places] = data[entries], i
        head[indices[entries]] += 1


@vector_code()
@meaning(_move_part)
def move_part(code, to_data, to_indices, head, data, indices, indptr, first, last):
    """Move the entries of rows first to last to where their columns' heads are, and these on.

    The columns of a row must differ.
    """
    b, one = code.b, code.index(1)

    def head_of(p):
        return code.at(head.data, code.entry(indices, p))

    with code.steps(first, last) as i:
        bounds = code.at(indptr.data, i)
        start, stop = b.load(bounds), b.load(code.at(bounds, one))
        kind = to_indices.data.type.pointee
        number = i if kind == I64 else b.trunc(i, kind)
        inside = b.icmp_signed("<=", b.add(stop, code.index(AHEAD)), code.length(indices))
        distance = b.select(inside, code.index(AHEAD), code.index(0))
        with code.steps(start, stop) as p:
            coming = b.load(head_of(b.add(p, distance)))
            for target in (to_data, to_indices):
                code.prefetch(code.at(target.data, coming), 1, write=True)
            place = b.load(head_of(p))
            b.store(b.add(place, one), head_of(p))
            b.store(b.load(code.at(data.data, p)), code.at(to_data.data, place))
            b.store(number, code.at(to_indices.data, place))
