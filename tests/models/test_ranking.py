"""The order of terms: by weight, and by how distinctive they are."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from sparsenmf import factorize, term_table, to_pyldavis, topic_labels, topic_table
from sparsenmf.models.components import Components
from sparsenmf.models.ranking import DISTINCTIVE, top_features

from ..topics.test_quality import make_model

COMMON = [f"common{j}" for j in range(12)]
OWN = [[f"own{r}.{j}" for j in range(8)] for r in range(4)]
TERMS = [*COMMON, *(term for terms in OWN for term in terms)]


def planted(sizes=(1, 1, 1, 1), seed=0):
    """Return counts of documents on one of four topics; most of their words are common to all."""
    rng = np.random.default_rng(seed)
    common = np.r_[[300.0, 260, 240], rng.uniform(60, 160, 9)]
    common *= 0.7 / common.sum()
    H = np.zeros((4, len(TERMS)))
    for r in range(4):
        H[r, :12] = common * rng.uniform(0.8, 1.25, 12)
        own = rng.uniform(1, 2, 8)
        H[r, 12 + 8 * r : 20 + 8 * r] = 0.3 * own / own.sum()
    topic = np.repeat(range(4), np.multiply(sizes, 50))
    mixed = 0.9 * np.eye(4)[topic] + 0.1 * rng.dirichlet(np.full(4, 0.3), len(topic))
    return sp.csr_array(rng.poisson(400 * mixed @ H).astype(float))


@pytest.mark.parametrize("loss", ["kullback-leibler", "frobenius", 1.5])
@pytest.mark.parametrize("sizes", [(1, 1, 1, 1), (12, 3, 2, 1)])
def test_common_terms_do_not_fill_all_lists(loss, sizes):
    model = factorize(planted(sizes), 4, loss=loss, random_state=0)
    heavy, distinctive = (model.top_terms(TERMS, 5, by=by) for by in ("weight", "distinctive"))
    if loss == "kullback-leibler":  # there the fit is the planted one
        assert all(len(set(listed) & set(COMMON)) >= 3 for listed in heavy)
        assert len({listed[0] for listed in heavy}) < 4
        assert {listed[0].split(".")[0] for listed in distinctive} == {f"own{r}" for r in range(4)}
    for listed in distinctive:
        assert not set(listed) & set(COMMON)
        assert len(listed) == 5
    assert not set.intersection(*map(set, distinctive))


def literal(W, H, terms, lam):
    """Sievert and Shirley's formula, term by term."""
    product = W.astype(float) @ H.astype(float)
    share = product.sum(axis=0) / product.sum()
    lists = []
    for weights in H.astype(float):
        p = weights / weights.sum()
        scores = {
            j: lam * np.log(p[j]) + (1 - lam) * np.log(p[j] / share[j])
            for j in range(len(p))
            if p[j] > 0
        }
        lists.append(sorted(scores.items(), key=lambda item: -item[1]))
    return lists


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6), lam=st.floats(0.01, 1), dtype=st.sampled_from([np.float32, float])
)
def test_relevance_is_that_of_the_paper(seed, lam, dtype):
    rng = np.random.default_rng(seed)
    H = rng.gamma(0.5, size=(3, 15)) * (rng.random((3, 15)) < 0.7) + np.eye(3, 15)
    W = rng.gamma(0.5, size=(20, 3)) + 0.01
    model = make_model(W, H)
    model.W, model.H = W.astype(dtype), H.astype(dtype)
    terms = [f"t{j}" for j in range(15)]
    table = term_table(model, terms, by=lam)
    for r, expected in enumerate(literal(model.W, model.H, terms, lam)):
        rows = [i for i, topic in enumerate(table["topic"]) if topic == r + 1]
        found = [table["relevance"][i] for i in rows]
        scores = dict(expected)
        np.testing.assert_allclose(found, [score for _, score in expected], rtol=1e-6, atol=1e-8)
        listed = [terms.index(table["term"][i]) for i in rows]
        np.testing.assert_allclose([scores[j] for j in listed], found, rtol=1e-6, atol=1e-8)
    assert model.top_terms(terms, 15, by=1.0) == model.top_terms(terms, 15)
    assert [len(x) for x in top_features(model, 15, lam)] == [np.count_nonzero(h) for h in model.H]


def test_pyldavis_ranks_alike():
    pyldavis = pytest.importorskip("pyLDAvis")
    X = planted()
    model = factorize(X, 4, loss="kullback-leibler", random_state=0)
    given = to_pyldavis(model, TERMS)
    prepared = pyldavis.prepare(**given, sort_topics=False, n_jobs=1, R=len(TERMS))
    shown = prepared.topic_info
    table = term_table(model, TERMS, by=DISTINCTIVE)
    for r in range(4):
        theirs = shown[shown["Category"] == f"Topic{r + 1}"]
        relevance = DISTINCTIVE * theirs["logprob"] + (1 - DISTINCTIVE) * theirs["loglift"]
        order = theirs["Term"].to_numpy()[np.argsort(-relevance.to_numpy(), kind="stable")]
        ours = [
            term
            for topic, term in zip(table["topic"], table["term"], strict=True)
            if topic == r + 1
        ]
        assert ours[:8] == order[:8].tolist()


def test_of_terms_of_the_same_lift_the_heaviest_is_first():
    model = make_model(np.eye(2), [[1, 3, 2, 0, 0, 0], [0, 0, 0, 0.3, 0.1, 0.2]])
    assert model.top_terms(list("abcdef"), by=0) == [list("bca"), list("dfe")]


def test_the_size_of_a_component_counts_where_there_is_one():
    # "a" is everywhere; the large first topic makes "b" nearly as common.
    H = np.array([[4.0, 3, 0, 0], [4, 0, 3, 0], [4, 0, 0, 3]])
    model = make_model(np.diag([100.0, 1, 1]), H)
    assert model.top_terms(list("abcd"), 1, by="distinctive") == [["a"], ["c"], ["d"]]
    alone = Components(H=H)  # without W, as from MiniBatchNMF, all count alike
    assert alone.top_terms(list("abcd"), 1, by="distinctive") == [["b"], ["c"], ["d"]]
    np.testing.assert_array_equal(model.H, H)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("by", ["distinctive", 0, 0.5, 1])
def test_odd_models_are_ranked_without_a_warning(by):
    terms = list("abc")
    zero = make_model(np.zeros((2, 2)), np.zeros((2, 3)))
    assert zero.top_terms(terms, by=by) == [[], []]
    assert term_table(zero, terms, by=by)["term"] == []
    unused = make_model([[1.0, 0]], [[1.0, 0, 0], [0, 2, 1]])  # no sample has the second one
    assert unused.top_terms(terms, by=by) == [["a"], ["b", "c"]]
    tiny = make_model(np.full((1, 1), 1e-300), [[5e-324, 1e300, 1.0]])
    assert tiny.top_terms(terms, 1, by=by) == [["b"]]
    one = make_model(np.ones((3, 1)), [[1.0, 3, 2]])
    assert one.top_terms(terms, by=by) == [["b", "c", "a"]]


@pytest.mark.parametrize(
    ("by", "error"),
    [("lift", ValueError), ("both", ValueError), (2, ValueError), (-0.1, ValueError),
     (float("nan"), ValueError), (None, TypeError), (True, TypeError), ([], TypeError)],
)  # fmt: skip
def test_other_orders_are_refused(by, error):
    model = make_model(np.eye(2), np.eye(2))
    calls = [model.top_terms, lambda terms, by: term_table(model, terms, by=by)]
    calls += [lambda terms, by: topic_labels(model, terms, by=by)]
    if by != "both":
        calls += [lambda terms, by: topic_table(model, terms, by=by)]
    for call in calls:
        with pytest.raises(
            error, match='by must be "weight", "distinctive" or a number from 0 to 1'
        ):
            call(["a", "b"], by=by)


MARKERS = {
    "T": {"CD3D", "CD3E", "IL7R", "CD8B"},
    "B": {"CD79A", "CD79B", "MS4A1"},
    "NK": {"GNLY", "NKG7", "GZMB"},
    "monocyte": {"LYZ", "S100A8", "S100A9", "CD14"},
    "CD34": {"PRSS57", "CYTL1", "SERPINB1"},
}


def test_programs_of_blood_cells_are_told_apart(real_path):
    path = real_path("pbmc_facs")
    X = sp.csr_array(sp.load_npz(path / "matrix.npz"), dtype=np.float32)
    genes = (path / "vocab.txt").read_text(encoding="utf8").split("\n")[:-1]
    model = factorize(X, 6, loss="kullback-leibler", random_state=0)
    heavy, distinctive = (
        [set(listed) for listed in model.top_terms(genes, 10, by=by)]
        for by in ("weight", "distinctive")
    )
    housekeeping = {"MALAT1", "RPL13", "RPS2"}
    assert sum(len(housekeeping & listed) for listed in heavy) >= 12  # what the fit is blamed for
    assert sum(len(housekeeping & listed) for listed in distinctive) <= 2
    for r in range(6):
        assert not distinctive[r] & set.union(*distinctive[:r], set())
    for genes_of_type in MARKERS.values():
        assert any(len(genes_of_type & listed) >= 2 for listed in distinctive)
    assert len(set(topic_labels(model, genes))) == 6
