"""The numerators and denominators of multiplicative updates, against their literal twin."""

import numpy as np
import pytest
import scipy.sparse as sp

from sparsenmf.data.factors import pad_factor
from sparsenmf.data.rows import make_rows
from sparsenmf.solvers.losses import make_loss
from sparsenmf.solvers.row_update.divergences import BetaMultiplicative

from .. import reference
from .sides import with_blocks

TOLERANCE = {np.float32: 1e-4, np.float64: 1e-11}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_components", [1, 3, 8, 20, 65])
@pytest.mark.parametrize("beta", [-0.5, 0.0, 0.5, 1.5, 2.5])
@pytest.mark.parametrize("n_threads", [1, 2])
def test_update_parts_equal_reference(dtype, n_components, beta, n_threads, rng):
    X = sp.random_array((70, 300), density=0.15, rng=rng, dtype=float).toarray().astype(dtype)
    X[13], X[:, 5] = 0, 0
    if beta <= 0:
        X += dtype(0.01)
    other = (rng.random((300, n_components)) + 0.05).astype(dtype)
    factor = (rng.random((70, n_components)) + 0.05).astype(dtype)
    rows = make_rows(sp.csr_array(X), n_components)
    rows = with_blocks(rows, [[40, 70], [0, 40]])
    loss = make_loss(beta, rows.data, X.shape)
    update = BetaMultiplicative(loss, n_components, n_threads)
    found = update.parts(rows, pad_factor(other, dtype), pad_factor(factor, dtype))
    expected = reference.update_parts(*(a.astype(float) for a in (X, other, factor)), beta)
    for part, twin in zip(found, expected, strict=True):
        assert part.dtype == np.float64
        np.testing.assert_allclose(part[:, :n_components], twin, rtol=TOLERANCE[dtype])
        assert not part[:, n_components:].any()


def test_a_row_of_zeros_has_finite_parts(rng):
    X, other = rng.random((40, 30)), rng.random((30, 4))
    factor = rng.random((40, 4))
    factor[7] = 0
    rows = make_rows(sp.csr_array(X), 4)
    update = BetaMultiplicative(make_loss(0.5, rows.data, X.shape), 4)
    parts = update.parts(rows, pad_factor(other, float), pad_factor(factor, float))
    assert np.isfinite(parts).all()
    assert (parts[1][:, :4] > 0).all()
