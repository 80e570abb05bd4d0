"""Matrices and starts by name: seeded, the same on every machine, built once a process.

Results are compared over years, so what a name means is never changed: a new matrix
gets a new name.
"""

import functools
import os
from pathlib import Path

import numpy as np
import scipy.sparse as sp

# documents, terms, mean words in a document (repeated words included), seed
SYNTHETIC = {
    "small": (1_000, 2_000, 90, 1),  # 62 different words in a document
    "medium": (10_000, 20_000, 75, 2),  # 60
    "tall": (100_000, 10_000, 9, 3),  # 8: titles
    "huge": (200_000, 200_000, 11, 4),  # 2 million entries
    "million": (860_000, 20_000, 8, 5),  # 6 million: stands in for "texts"
}

TEXTS = "texts"
"""The file that SPARSENMF_TEXTS names, a document a line: its 20,000 most frequent words."""

REAL = ("20newsgroups", "tdt2_top30")

ZIPF_EXPONENT = 1.07
LENGTH_SPREAD = 0.6  # standard deviation of the logarithm of document lengths
N_TOPICS = 50
TOPICS_PER_DOCUMENT = 2
TOPICAL = 0.5  # share of the words that come from a topic


@functools.cache
def load(name, dtype="float32", *, weigh=True):
    """Return the matrix of a data set, CSR: tf-idf, or with weigh=False its counts.

    Raises
    ------
    NotImplementedError
        If it is a real data set that is not on this machine: asv then shows n/a.
    """
    min_documents = 0
    if name in SYNTHETIC:
        counts = zipf_documents(*SYNTHETIC[name])
    elif name == TEXTS:
        counts = count_words()
    else:
        path = data_folder() / name / "matrix.npz"
        if not path.is_file():
            raise NotImplementedError(f"{name} is not here; see the README for SPARSENMF_DATA")
        counts, min_documents = sp.load_npz(path), 3
    X = tfidf(counts, min_documents) if weigh else keep_frequent(counts, min_documents)
    return X.astype(dtype)


def start(X, n_components):
    """Return a random W and H for X, at the scale that scikit-learn draws them."""
    rng = np.random.default_rng(0)
    scale = np.sqrt(X.mean() / n_components)
    W, H = (
        np.abs(rng.standard_normal(shape)) * scale
        for shape in ((X.shape[0], n_components), (n_components, X.shape[1]))
    )
    return W.astype(X.dtype), H.astype(X.dtype)


def data_folder():
    """Return SPARSENMF_DATA, or shared/data in the folder that holds the checkout."""
    chosen = os.environ.get("SPARSENMF_DATA")
    if chosen:
        return Path(chosen).expanduser()
    checkout = Path(__file__).resolve().parents[2]
    return checkout.parent / "shared" / "data"


def count_words():
    """Return the word counts of the file of texts, without documents that are empty."""
    path = os.environ.get("SPARSENMF_TEXTS")
    if not path:
        raise NotImplementedError("set SPARSENMF_TEXTS to a text file with a document a line")
    from sklearn.feature_extraction.text import CountVectorizer

    vectorizer = CountVectorizer(max_features=20_000, stop_words="english", dtype=np.float32)
    with open(path, encoding="utf-8", errors="replace") as lines:
        counts = sp.csr_array(vectorizer.fit_transform(lines))
    return counts[np.diff(counts.indptr) > 0]


def zipf_documents(n_documents, n_terms, mean_length, seed):
    """Return word counts of documents: log-normal lengths, Zipf terms, planted topics.

    Half of the words come from the whole language, half from one of the document's topics. A topic
    has the same Zipf law, over the vocabulary in an order of its own.
    """
    rng = np.random.default_rng(seed)
    center = np.log(mean_length) - LENGTH_SPREAD**2 / 2
    lengths = rng.lognormal(center, LENGTH_SPREAD, n_documents).round().clip(1).astype(int)
    documents = np.repeat(np.arange(n_documents, dtype=np.int32), lengths)
    weights = np.cumsum(np.arange(1, n_terms + 1) ** -ZIPF_EXPONENT)
    ranks = np.searchsorted(weights, rng.random(len(documents)) * weights[-1]).astype(np.int32)
    orders = rng.permuted(np.tile(np.arange(n_terms, dtype=np.int32), (N_TOPICS, 1)), axis=1)
    chosen = rng.integers(N_TOPICS, size=(n_documents, TOPICS_PER_DOCUMENT))
    topics = chosen[documents, rng.integers(TOPICS_PER_DOCUMENT, size=len(documents))]
    topical = rng.random(len(documents)) < TOPICAL
    terms = np.where(topical, orders[topics, ranks], ranks)
    ones = np.ones(len(documents))
    return sp.coo_array((ones, (documents, terms)), shape=(n_documents, n_terms)).tocsr()


def planted_topics(n_documents, n_terms=5_000, n_topics=20, n_words=80, seed=0):
    """Return word counts of documents by latent Dirichlet allocation, and its topics."""
    rng = np.random.default_rng(seed)
    topics = rng.dirichlet(np.full(n_terms, 0.02), size=n_topics)
    shares = rng.dirichlet(np.full(n_topics, 0.1), size=n_documents)
    each = rng.multinomial(rng.poisson(n_words, n_documents), shares).T
    rows = np.concatenate([np.repeat(np.arange(n_documents), counts) for counts in each])
    terms = [
        rng.choice(n_terms, size=counts.sum(), p=topic)
        for counts, topic in zip(each, topics, strict=True)
    ]
    places = rows, np.concatenate(terms)
    X = sp.coo_array((np.ones(len(rows), np.float32), places), shape=(n_documents, n_terms))
    return X.tocsr(), topics


def tfidf(counts, min_documents=0):
    """Weigh counts as scikit-learn's TfidfTransformer does; drop terms in few documents."""
    counts = keep_frequent(counts, min_documents)
    n_documents = counts.shape[0]
    frequency = np.bincount(counts.indices, minlength=counts.shape[1])
    idf = np.log((1 + n_documents) / (1 + frequency)) + 1
    X = sp.csr_array(
        (counts.data * idf[counts.indices], counts.indices, counts.indptr), shape=counts.shape
    )
    norms = np.sqrt(X.power(2).sum(axis=1))
    X.data /= np.repeat(np.where(norms > 0, norms, 1), np.diff(X.indptr))
    X.sort_indices()
    return X


def keep_frequent(counts, min_documents):
    """Drop terms in few documents."""
    counts = sp.csr_array(counts)
    return counts[:, np.bincount(counts.indices, minlength=counts.shape[1]) >= min_documents]
