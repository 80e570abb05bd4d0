"""Multiplicative updates with weighted entries, against their literal twin."""

import numpy as np
import pytest

from sparsenmf.kernels.multiplicative import OBJECTIVE, RESIDUAL, UPDATE
from sparsenmf.kernels.operands import Divergence, Side
from sparsenmf.kernels.weighted_multiplicative import update_rows_mu_weighted
from sparsenmf.solvers.row_update.divergences import exponent

from .. import reference
from ..weighted import ABSENT, WIDTHS, make_problem, run_kernel


@ABSENT
@WIDTHS
@pytest.mark.parametrize("beta", [2.0, 1.0, 1.5, 0.5, 0.3, 3.0])
def test_update_rows_mu_weighted_equals_reference(rng, absent, n_components, beta):
    X, weights, V, other, factor = make_problem(rng, n_components, absent)
    factor += 0.01  # powers of zero are bounded below, differently
    other = other + 0.01
    l1, l2 = 0.1, 0.2

    def args(padded):
        gram = padded.T @ padded if beta == 2 and absent else np.empty((0, 0))
        return [(padded.sum(axis=0), gram)]

    results = {}
    for mode in (UPDATE, OBJECTIVE, RESIDUAL):

        def kernel(n_threads, rows, padded, summary, penalty, *rest, mode=mode):
            side, divergence = Side(padded, summary), Divergence(beta, exponent(beta), 0.0)
            update_rows_mu_weighted(
                n_threads, rows, side, penalty, divergence, *rest[:-1], mode, rest[-1]
            )

        results[mode] = run_kernel(
            kernel, X, weights, absent, other, factor, args, options=(l1, l2)
        )
    dense = X.toarray()
    new = reference.update_rows_mu(dense, other, beta, l1, l2, factor, V=V)
    np.testing.assert_allclose(results[UPDATE][0], new, rtol=1e-9, atol=1e-36)
    constant = -np.sum(V * dense) if beta == 1 else 0.0
    if beta < 0.5:
        constant = np.sum(V[dense == 0]) / beta
    expected = reference.weighted_divergence(dense, V, factor, other.T, beta)
    expected += l1 * factor.sum() + l2 / 2 * (factor**2).sum()
    assert results[OBJECTIVE][1] + constant == pytest.approx(expected, rel=1e-9)
    assert results[RESIDUAL][2] >= 0
