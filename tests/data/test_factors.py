"""Factors: aligned, padded, filled, and summed."""

import numpy as np
import pytest

from sparsenmf.data import factors
from sparsenmf.data.factors import empty_factor


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "shape", [(0, 3), (5, 24), (2100, 1), (700_000, 1), (30_000, 56), (3, 4096)]
)
def test_sums_of_columns_and_of_squares_equal_their_definitions(rng, dtype, shape):
    array = (rng.random(shape) * 10.0 ** rng.integers(-6, 6, shape[1])).astype(dtype)
    rtol = 2e-7 if dtype == np.float32 else 1e-13
    exact = array.astype(np.longdouble)
    for found, expected in ((factors.sum_squares, exact**2), (factors.sum_columns, exact)):
        np.testing.assert_allclose(found(array), expected.sum(axis=0).astype(float), rtol)


@pytest.mark.parametrize("n_bytes", [1, 1000, factors.LARGE_PAGE, 5_000_001])
@pytest.mark.parametrize("refused", [False, True])
def test_working_arrays_are_zero_and_aligned(n_bytes, refused, monkeypatch):
    if refused:

        def refuse(*arguments, **options):
            raise OSError("Cannot allocate memory")

        monkeypatch.setattr(factors.mmap, "mmap", refuse)
    array = factors.zeros((n_bytes,), np.uint8)
    assert array.shape == (n_bytes,)
    assert not array.any()
    assert array.ctypes.data % factors.CACHE_LINE == 0
    array[:] = 7
    assert not factors.zeros((n_bytes,), np.uint8).any()  # whatever was freed before
    assert (array == 7).all()


def test_no_memory_is_a_memory_error():
    with pytest.raises(MemoryError):
        factors.zeros((2**60,), np.uint8)


@pytest.mark.parametrize("scale", [1e-24, 1e-13, 1e16, 1e25])
def test_sum_squares_keeps_what_single_precision_cannot_hold(rng, scale):
    array = (rng.random((5000, 8)) * scale).astype(np.float32)
    expected = (array.astype(float) ** 2).sum(axis=0)
    np.testing.assert_allclose(factors.sum_squares(array), expected, rtol=1e-12)


@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("width", [3, 20])
def test_large_factors_are_made_and_filled_by_threads_too(rng, n_threads, width, monkeypatch):
    monkeypatch.setattr(factors, "THREAD_BYTES", 2**12)
    given = rng.random((5001, width)).astype(np.float32)
    factor = factors.pad_factor(given, np.float32, n_threads=n_threads)
    np.testing.assert_array_equal(factor[:, :width], given)
    assert not factor[:, width:].any()
    assert not empty_factor((5001, width), np.float64, n_threads=n_threads).any()
