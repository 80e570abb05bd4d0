"""Gram matrices of factors, against NumPy's."""

import numpy as np

from sparsenmf.data.factors import pad_factor
from sparsenmf.kernels.gram import add_grams, multiply_factor
from sparsenmf.solvers.numerics import exact_gram

from .sides import DTYPES, TOLERANCE, WIDTHS


@DTYPES
@WIDTHS
def test_multiply_factor_equals_the_product(rng, dtype, n_components):
    factor = pad_factor(rng.random((500, n_components)), dtype)
    expected = exact_gram(factor)
    for n_threads in (1, 2):
        partials = np.full((3, *2 * factor.shape[1:]), np.nan)
        multiply_factor(n_threads, factor, np.array([[170, 500], [3, 170], [0, 3]]), partials)
        np.testing.assert_allclose(add_grams(partials), expected, rtol=TOLERANCE[dtype])


def test_add_grams_adds_the_upper_triangles(rng):
    partials = rng.random((5, 12, 12))
    expected = np.triu(partials.sum(axis=0))
    expected += np.triu(expected, 1).T
    np.testing.assert_allclose(add_grams(partials), expected, rtol=1e-15)
    assert not add_grams(partials[:0]).any()
