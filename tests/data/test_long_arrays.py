"""More than 2**31 entries: offsets do not overflow. The arrays are mostly holes on disk.

The first row has 2**31 entries that no kernel looks at. The rows after it must give the same bits
as they give in arrays of their own.
"""

import sys

import numpy as np
import pytest
import scipy.sparse as sp

from sparsenmf.data.factors import empty_factor, pad_factor
from sparsenmf.data.rows import Rows, make_rows
from sparsenmf.kernels.coordinate_descent import update_rows
from sparsenmf.kernels.kullback_leibler import update_rows_kl
from sparsenmf.kernels.multiplicative import UPDATE, update_rows_mu, update_rows_mu_beta
from sparsenmf.kernels.operands import Divergence, Earlier, Side, Sweeps
from sparsenmf.kernels.products import measure_rows, multiply_rows, scatter_rows
from sparsenmf.kernels.weighted import update_rows_weighted
from sparsenmf.kernels.weighted_multiplicative import update_rows_mu_weighted
from sparsenmf.solvers.penalties import make_penalty

HOLE = 2**31 + 17
K = 5

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs files with holes")


def behind_a_hole(values, path):
    """Return a read-only array of HOLE zeros, which take no room on disk, and then these values."""
    with open(path, "wb") as file:
        file.seek(HOLE * values.itemsize)
        file.write(values.tobytes())
    return np.asarray(np.memmap(path, values.dtype, "r"))


@pytest.fixture(scope="module")
def problem(tmp_path_factory):
    """Return rows in arrays of their own, and the same rows behind a row of 2**31 entries."""
    folder = tmp_path_factory.mktemp("holes")
    rng = np.random.default_rng(0)
    X = sp.random_array((70, 50), density=0.2, rng=rng, dtype=np.float32, format="csr")
    X.data += 0.5
    own = make_rows(X, K)
    far = Rows(
        behind_a_hole(own.data, folder / "data"),
        behind_a_hole(own.indices, folder / "indices"),
        np.concatenate([[0], own.indptr + HOLE]),
        own.blocks + 1,
        own.weights,
        1.0,
    )
    assert far.indptr[-1] > 2**31
    factors = (rng.random((size, K)).astype(np.float32) + 0.1 for size in (70, 50))
    W, Ht = (pad_factor(factor, np.float32) for factor in factors)
    return own, far, W, Ht


def both(problem, run):
    """Return the results of a kernel on the rows in both arrangements."""
    own, far, W, Ht = problem
    shifted = empty_factor((71, K), np.float32)
    shifted[1:] = W
    near, away = empty_factor((70, K), np.float32), empty_factor((71, K), np.float32)
    sums = [run(own, W, Ht, near), run(far, shifted, Ht, away)]
    np.testing.assert_array_equal(away[1:], near)
    assert near.any() or np.any(sums[0])
    np.testing.assert_array_equal(*sums)


def kernels():
    penalty, none = make_penalty(0.1, 0.1, 8), np.empty((0, 0, 8), np.float32)
    no_grams, no_gram = np.empty((0, 8, 8)), np.empty((0, 0), np.float32)

    def statistics(rows):
        return np.zeros((rows.n_blocks, 2))

    def sums(Ht):
        return Ht.sum(axis=0, dtype=float)

    def descend(rows, W, Ht, out):
        gram, found = (Ht.T @ Ht).astype(np.float32), statistics(rows)
        one, tolerance = np.float32(1), np.float32(0.1)
        sweeps, earlier = Sweeps(2, tolerance), Earlier(none, one)
        update_rows(1, rows, Side(Ht, gram), penalty, earlier, W, out, sweeps, no_grams, found)
        return found

    def descend_kl(rows, W, Ht, out):
        found = statistics(rows)
        side = Side(Ht, sums(Ht))
        update_rows_kl(1, rows, side, penalty, W, out, Sweeps(2, 0.1), None, found)
        return found

    def descend_weighted(rows, W, Ht, out):
        found, rows = statistics(rows), rows._replace(absent=0.0)
        side = Side(Ht, no_gram)
        update_rows_weighted(1, rows, side, penalty, K, W, out, Sweeps(2, 0.1), found)
        return found

    def update_mu(rows, W, Ht, out):
        gram, found = (Ht.T @ Ht).astype(np.float32), statistics(rows)
        update_rows_mu(1, rows, Side(Ht, gram), penalty, none, W, out, no_grams, found)
        return found

    def update_mu_kl(rows, W, Ht, out):
        found = statistics(rows)
        side, divergence = Side(Ht, sums(Ht)), Divergence(1.0, 1.0, 0.0)
        update_rows_mu_beta(1, rows, side, penalty, divergence, none, W, out, UPDATE, found)
        return found

    def update_mu_weighted(rows, W, Ht, out):
        found, rows = statistics(rows), rows._replace(absent=0.0)
        side, divergence = Side(Ht, (sums(Ht), no_gram)), Divergence(2.0, 1.0, 0.0)
        update_rows_mu_weighted(1, rows, side, penalty, divergence, W, out, UPDATE, found)
        return found

    def multiply(rows, W, Ht, out):
        multiply_rows(1, rows, Ht, out, no_grams)

    def scatter(rows, W, Ht, out):
        cross = np.zeros((1, 50, 8), np.float32)
        parts = np.array([[len(W) - 70, len(W)]])
        scatter_rows(1, rows, parts, W, cross)
        return cross

    def measure(rows, W, Ht, out):
        found = np.zeros(rows.n_blocks)
        measure_rows(1, rows, W, Ht, found)
        return found

    return [
        descend, descend_kl, descend_weighted, update_mu, update_mu_kl, update_mu_weighted,
        multiply, scatter, measure,
    ]  # fmt: skip


@pytest.mark.parametrize("run", kernels(), ids=lambda run: run.__name__)
def test_kernels_reach_entries_beyond_two_to_the_31(problem, run):
    both(problem, run)
