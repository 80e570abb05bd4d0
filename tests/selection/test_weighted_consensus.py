"""Stability and consensus with weights and unknown entries."""

import numpy as np
import pytest

from sparsenmf import (
    consensus,
    select_n_components,
)
from sparsenmf.models.restarts import Generators
from sparsenmf.selection.stability import Halves
from sparsenmf.selection.weighted import WeightedMatrix
from sparsenmf.topics.similarity import match_components

from .weighing import KINDS, QUICK, SHAPE, dense_loss, fitter, planted_ratings, weighted


def test_cophenetic_coefficient_of_unknown_entries():
    X = planted_ratings(2, (40, 30))
    options = {"missing": "unknown", "method": "stability", "cophenetic": True, **QUICK}
    assert 0 < select_n_components(X, [2], **options).table["cophenetic"][0] <= 1


@pytest.mark.parametrize("refit_H", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_consensus_minimises_the_weighted_loss(kind, refit_H):
    pytest.importorskip("sklearn")
    matrix, weights = weighted(kind)
    options = {"density_threshold": 2, "random_state": 0, "n_threads": 1, "refit_H": refit_H}
    result = consensus(matrix.X, 3, 4, **options, **matrix.options)
    expected = dense_loss(matrix.X.toarray(), result.W @ result.H, weights, 2, 0)
    assert result.model.objective == pytest.approx(expected, rel=1e-4)
    assert result.model.missing == matrix.missing
    assert result.model.objective < 3 * result.objectives.min()
    if matrix.features is not None:
        assert np.array_equal(result.model.feature_weight, matrix.features)


@pytest.mark.parametrize("kind", KINDS)
def test_consensus_fits_W_to_the_medians_by_the_weights(kind):
    pytest.importorskip("sklearn")
    matrix, _ = weighted(kind)
    if matrix.unknown:  # rows of fewer entries than components have no single best W
        X = planted_ratings(3, SHAPE, share=0.6)
        entries = None if matrix.entries is None else X.copy()
        matrix = WeightedMatrix(X, entries, missing="unknown")
    options = {"density_threshold": 2, "random_state": 0, "n_threads": 1, **matrix.options}
    medians = consensus(matrix.X, 3, 3, refit_H=False, **options).model
    expected = medians.transform(matrix.X, weights=matrix.entries)
    found = consensus(matrix.X, 3, 3, **options).W
    _, cosines = match_components(expected.T, found.T)
    assert cosines == pytest.approx(np.ones(3), abs=1e-7)


def test_loadings_of_halves_are_found_by_the_weights():
    matrix, _ = weighted("entries and unknown")
    halves = Halves(matrix, 2, 2, Generators(0))
    halves.score(0, fitter(2))
    for model, loadings in zip(halves.models, halves.loadings(1), strict=True):
        assert np.array_equal(loadings, model.transform(matrix.X, weights=matrix.entries))
        assert not np.allclose(loadings, model.transform(matrix.X))
