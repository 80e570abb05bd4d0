"""The first two sentences of a report."""

import re

import numpy as np
import pytest
import scipy.sparse as sp

from sparsenmf import Weights, factorize, write_csr
from sparsenmf.topics.report.summary import UNKNOWN, explained, show_percent

from ...corpus import TERMS, make_counts
from ...pages import parse

KL = "kullback-leibler"


def lead(model, tmp_path, **options):
    model.report(tmp_path / "page.html", TERMS, **options)
    return parse(tmp_path / "page.html").one("p", "lead").text


def test_two_sentences_say_what_was_found(tmp_path):
    model = factorize(make_counts(), 3, random_state=0)
    text = lead(model, tmp_path)
    part = 1 - model.relative_error**2
    assert text == (
        "In 80 documents with 20 different terms, 3 topics were found: groups of terms that tend "
        f"to occur in the same documents. Together the topics explain {part:.0%} of what is in "
        "the documents: 100% would mean that every document is a mix of these topics and nothing "
        "else, but much of a real text is particular to it."
    )
    assert len(re.findall(r"\.(?: |$)", text)) == 2
    one = factorize(make_counts(), 1, random_state=0)
    assert "1 topic was found: a group of terms" in lead(one, tmp_path)
    assert "The topic explains " in lead(one, tmp_path)


def literal_part(X, model):
    """What is left of the loss of a model in which all rows are proportional."""

    def loss(Y):
        some = X > 0
        return (X[some] * np.log(X[some] / Y[some])).sum() - X.sum() + Y.sum()

    same = np.outer(X.sum(axis=1), X.sum(axis=0)) / X.sum()
    return 1 - loss(model.W.astype(float) @ model.H) / loss(same)


@pytest.mark.parametrize("kind", ["memory", "store"])
def test_for_counts_it_is_the_share_of_the_differences(kind, tmp_path, rng):
    X = sp.csr_array(rng.poisson(rng.gamma(0.3, size=(80, 4)) @ rng.gamma(0.5, size=(4, 20))) + 0.0)
    model = factorize(X, 3, loss=KL, random_state=0)
    given = write_csr(tmp_path / "store", X) if kind == "store" else X
    expected = literal_part(X.toarray(), model)
    assert 0.1 < expected < 0.99
    assert explained(model, given) == pytest.approx(expected, rel=1e-3)
    text = lead(model, tmp_path, X=given)
    assert f"{show_percent(expected)} of what makes the documents different from each" in text


def test_what_was_not_measured_is_not_claimed(tmp_path):
    counts = make_counts() + 0.0
    weighted = factorize(
        counts, 3, loss=KL, weights=Weights(samples=np.linspace(1, 2, 80)), random_state=0
    )
    unknown = factorize(counts, 3, loss=KL, missing="unknown", random_state=0)
    other = factorize(counts, 3, loss=1.5, random_state=0, max_iter=5)
    for model in (weighted, unknown, other):
        assert lead(model, tmp_path, X=counts).endswith(UNKNOWN)
    assert lead(factorize(counts, 3, loss=KL, random_state=0), tmp_path).endswith(UNKNOWN)
    same = sp.csr_array(np.ones((80, 20)))
    assert lead(factorize(same, 3, loss=KL, random_state=0), tmp_path, X=same).endswith(UNKNOWN)
    nothing = factorize(sp.csr_array((80, 20)), 3, random_state=0)
    assert lead(nothing, tmp_path).endswith("All weights are zero, so there is nothing to explain.")


@pytest.mark.parametrize(
    ("part", "text"),
    [
        (0, "0%"),
        (1e-5, "less than 0.1%"),
        (0.0663, "6.6%"),
        (0.284, "28%"),
        (0.984, "98.4%"),
        (0.9999, "more than 99.9%"),
        (1, "100%"),
    ],
)
def test_percentages_are_rounded_so_that_they_do_not_lie(part, text):
    assert show_percent(part) == text
