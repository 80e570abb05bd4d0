"""One order and one numbering of components: the one that is shown."""

import re

import numpy as np
import pytest
import scipy.sparse as sp

import sparsenmf
from sparsenmf import (
    CoordinateDescent,
    MultiplicativeUpdate,
    RandomStarts,
    Weights,
    consensus,
    factorize,
    topic_sizes,
    topic_table,
)
from sparsenmf.data.files import write_factor

from ..corpus import TERMS, make_counts


@pytest.fixture(scope="module")
def X():
    """Return column groups of very different widths: the longest rows of H are not the heaviest."""
    rng = np.random.default_rng(3)
    widths = [2, 40, 5, 25, 10]
    blocks = [rng.poisson(60 / width, (30, width)) for width in widths]
    return sp.csr_array(
        sp.block_diag(blocks) + (rng.random((150, sum(widths))) < 0.05), dtype=float
    )


def masses(model):
    """The sums of W[:, r] * H[r], each product on its own."""
    return np.einsum("ir,rj->r", model.W.astype(float), model.H.astype(float))


def check_order(model):
    found = masses(model)
    assert (np.diff(found) <= 1e-9 * found[0]).all()
    shares = topic_table(model, [f"t{j}" for j in range(model.n_features)])["share"]
    assert shares == sorted(shares, reverse=True)
    np.testing.assert_allclose(shares, found / found.sum(), rtol=1e-5)
    assert topic_sizes(model).tolist() == shares


WEIGHTS = np.random.default_rng(0).integers(0, 4, 150).astype(float)  # zeros too

OPTIONS = [
    {},
    {"solver": "mu"},
    {"loss": "kullback-leibler"},
    {"loss": "kullback-leibler", "solver": "mu"},
    {"loss": "itakura-saito", "missing": "unknown", "max_iter": 5},
    {"loss": 0.5, "max_iter": 5},
    {"solver": CoordinateDescent(low_memory=True)},
    {"solver": MultiplicativeUpdate(low_memory=True), "loss": "kullback-leibler"},
    {"missing": "unknown"},
    {"init": RandomStarts(2)},
    {"init": "nndsvda"},
    {"alpha_W": 0.01, "l1_ratio": 1.0},
    {"weights": Weights(samples=WEIGHTS)},
    {"solver": CoordinateDescent(low_memory=True), "weights": Weights(samples=WEIGHTS)},
    {"weights": Weights(samples=WEIGHTS), "loss": "kullback-leibler"},
    {"weights": Weights(features=np.linspace(1e-3, 9, 82))},
    {"weights": Weights(features=np.linspace(9, 1e-3, 82)), "loss": "kullback-leibler"},
]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: "-".join(options) or "default")
def test_the_largest_share_comes_first(X, dtype, options):
    check_order(factorize(X.astype(dtype), 7, random_state=0, **options))


def test_the_order_is_not_that_of_lengths(X):
    """If it were, the test above could not fail."""
    model = factorize(X, 7, random_state=0)
    lengths = np.linalg.norm(model.W, axis=0) * np.linalg.norm(model.H, axis=1)
    assert (np.diff(lengths) > 0.01 * lengths[0]).any()


def test_the_largest_share_of_a_store_comes_first(X, tmp_path):
    sparsenmf.write_csr(tmp_path / "store", X)
    store = sparsenmf.open_csr(tmp_path / "store")
    check_order(factorize(store, 7, random_state=0))
    weighted = {
        "solver": CoordinateDescent(W_path=tmp_path / "W.npy"),
        "weights": Weights(samples=WEIGHTS),
    }
    check_order(factorize(store, 7, random_state=0, **weighted))


def test_the_largest_share_of_a_consensus_comes_first(X):
    for refit_H in (True, False):
        result = consensus(X, 5, n_restarts=3, random_state=0, refit_H=refit_H)
        check_order(result.model)
        units = result.model.H / np.linalg.norm(result.model.H, axis=1, keepdims=True)
        assert (units @ units.T > 0.99).sum() == 5
        assert len(result.stability) == len(result.sizes) == 5


def test_equal_components_have_shares_that_do_not_rise():
    X = sp.block_diag([np.outer([1.0, 2, 3], [1.0, 3, 2])] * 4, format="csr")
    for seed in range(5):
        check_order(factorize(X, 4, random_state=seed, loss="kullback-leibler"))


def test_fixed_components_stay_in_their_places(X):
    H = np.zeros((2, 82))
    H[0, :2] = H[1, 2:42] = 1
    model = factorize(X, 7, H=H, frozen_H=[0, 1], random_state=0)
    np.testing.assert_array_equal(model.H[:2], H)
    table = topic_table(model, [f"t{j}" for j in range(82)])
    assert table["topic"] == list(range(1, 8))
    np.testing.assert_allclose(table["share"], masses(model) / masses(model).sum(), rtol=1e-5)


def test_a_component_has_one_number_everywhere(tmp_path):
    pytest.importorskip("pandas")
    model = factorize(make_counts(), 3, random_state=0)
    numbers = ["topic_1", "topic_2", "topic_3"]
    frame, by_topic = model.to_frame("W"), sparsenmf.document_table(model, all_topics=True)
    path = tmp_path / "W.csv"
    write_factor(path, model.W)
    header, *rows = path.read_text().splitlines()
    written = np.array([row.split(",") for row in rows], float)
    assert header.split(",") == list(frame.columns) == list(by_topic)[-3:] == numbers
    assert list(model.to_frame("H").index) == list(frame.columns)
    listed = sparsenmf.topics_over(model, ["a"] * 80, values="total")
    model.report(tmp_path / "page.html", TERMS)
    page = (tmp_path / "page.html").read_text()
    for r, number in enumerate(numbers):
        np.testing.assert_array_equal(written[:, r].astype(model.W.dtype), model.W[:, r])
        np.testing.assert_array_equal(frame[number], model.W[:, r])
        mass = model.W[:, r].astype(float) * model.H[r].sum(dtype=float)
        shares = mass / (model.W.astype(float) @ model.H).sum(axis=1)
        np.testing.assert_allclose(by_topic[number], shares, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(listed[number], mass.sum(), rtol=1e-4)
        head = TERMS[model.H[r].argmax()]
        assert sparsenmf.topic_table(model, TERMS)["terms"][r][0] == head
        topic, terms = sparsenmf.show_topics(model, TERMS)[r]
        assert (topic, terms[0][0]) == (r + 1, head)
        article = re.search(f'<article[^>]*id="topic-{r + 1}".*?</article>', page, re.DOTALL)
        assert re.search(r'<span class="term"[^>]*>(\w+)<', article[0])[1] == head


def test_names_of_an_estimator_are_those_of_scikit_learn():
    pytest.importorskip("sklearn")
    nmf = sparsenmf.NMF(3, random_state=0).fit(make_counts())
    assert nmf.get_feature_names_out().tolist() == ["nmf0", "nmf1", "nmf2"]
    shares = topic_sizes(nmf.factorization_)  # nmf0 is topic 1, the largest
    assert shares.tolist() == sorted(shares, reverse=True)
