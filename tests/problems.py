"""Planted problems: matrices whose factorization is known."""

import numpy as np
import scipy.sparse as sp

from sparsenmf import Factorization

SPARSE = ("csr", "csc", "coo", "lil", "dok", "dia", "bsr")


def planted(n_samples=300, n_features=200, n_components=5, *, noise=0.0, dtype=float, seed=0):
    """A sparse low-rank matrix with separable topics; returns X, W, H.

    Each component has a feature and a sample of its own, so that the exact
    factorization is unique up to order and scale (Donoho & Stodden 2003).
    """
    rng = np.random.default_rng(seed)
    W = rng.gamma(1.0, size=(n_samples, n_components))
    W *= rng.random((n_samples, n_components)) < 0.3
    H = rng.gamma(1.0, size=(n_components, n_features))
    H *= rng.random((n_components, n_features)) < 0.3
    W[:n_components] = np.eye(n_components)
    H[:, :n_components] = np.eye(n_components)
    X = W @ H
    if noise:
        X = X + noise * X.std() * rng.random(X.shape) * (X > 0)
    return sp.csr_array(X.astype(dtype)), W, H


def planted_counts(n_components, n_samples=400, n_features=300, *, mean=0.3, seed=0):
    """Poisson counts, four in five zero, whose means are a sparse low-rank matrix."""
    rng = np.random.default_rng(seed)
    W = rng.gamma(1.0, size=(n_samples, n_components))
    W *= rng.random((n_samples, n_components)) < 0.3
    H = rng.gamma(0.5, size=(n_components, n_features))
    H *= rng.random((n_components, n_features)) < 0.3
    means = W @ H
    return sp.csr_array(rng.poisson(means * (mean / means.mean())).astype(float)), W, H


def planted_topics(n_components, n_samples=3000, n_features=800, *, length=80, seed=0):
    """Return word counts of documents on a few topics each, and the topics."""
    rng = np.random.default_rng(seed)
    H = rng.dirichlet(np.full(n_features, 0.02), size=n_components)
    W = rng.dirichlet(np.full(n_components, 0.1), size=n_samples)
    return sp.csr_array(rng.multinomial(length, W @ H).astype(float)), H


def cosines(H, other):
    """Cosines of the rows of one matrix with those of another."""
    H, other = (
        rows / (np.linalg.norm(rows, axis=1, keepdims=True) + 1e-300) for rows in (H, other)
    )
    return H @ other.T


def laurberg():
    """The 6 x 3 problem of Laurberg et al. 2008, unique for 0 < a < 1/2."""
    a = 0.3
    W = np.array([[a, 1, 0], [1, a, 0], [1, 0, a], [a, 0, 1], [0, a, 1], [0, 1, a]], float)
    return sp.csr_array(W @ W.T), W, W.T.copy()


def documents(n_samples=2000, n_features=1500, mean_length=40, *, dtype=np.float32, seed=0):
    """A document-word matrix: Zipf terms, log-normal lengths, a few topics, rows of norm 1."""
    rng = np.random.default_rng(seed)
    lengths = np.maximum(1, rng.lognormal(np.log(mean_length), 0.7, n_samples)).astype(int)
    zipf = 1 / np.arange(1, n_features + 1) ** 1.05
    topics = zipf * rng.gamma(0.1, size=(8, n_features))
    topics /= topics.sum(axis=1, keepdims=True)
    blocks = []
    for topic in range(8):
        part = lengths[topic::8]
        terms = rng.choice(n_features, size=part.sum(), p=topics[topic])
        rows = np.repeat(np.arange(topic, n_samples, 8), part)
        blocks.append((rows, terms))
    rows, columns = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
    counts = np.ones(len(rows), dtype)
    X = sp.coo_array((counts, (rows, columns)), shape=(n_samples, n_features)).tocsr()
    norms = np.sqrt(X.multiply(X).sum(axis=1))
    return sp.csr_array(sp.diags_array(1 / np.maximum(norms, 1e-30)) @ X, dtype=dtype)


def odd_matrices():
    """Return valid edge cases of matrices, by name."""
    rng = np.random.default_rng(1)
    holes = sp.random_array((40, 30), density=0.2, rng=rng).toarray()
    holes[[0, 7, 39]] = 0
    holes[:, [0, 11, 29]] = 0
    return {
        "empty rows and columns": sp.csr_array(holes),
        "all zero": sp.csr_array((8, 6)),
        "one row": sp.csr_array([[1.0, 0.0, 2.0]]),
        "one column": sp.csr_array([[1.0], [0.0], [2.0]]),
        "one entry": sp.csr_array(([3.0], ([4], [2])), shape=(9, 7)),
        "equal rows": sp.csr_array(np.tile([[1.0, 0.0, 2.0, 0.5]], (6, 1))),
        "full": sp.csr_array(rng.random((12, 9))),
    }


def small_integers():
    """A matrix that every data type holds exactly."""
    return np.random.default_rng(0).integers(0, 4, (12, 9)) * (np.eye(12, 9) < 1)


def dense_of(X):
    """Return a dense matrix, read entry by entry; IndexError if that is impossible."""
    dense = np.zeros(X.shape, X.dtype)
    if X.format == "coo":
        if not len(X.row) == len(X.col) == len(X.data):
            raise IndexError
        entries = list(zip(X.row.tolist(), X.col.tolist(), X.data, strict=True))
    else:
        n_major, pointers = X.shape[X.format == "csc"], X.indptr.tolist()
        if len(pointers) != n_major + 1 or pointers[0] != 0 or pointers != sorted(pointers):
            raise IndexError
        if pointers[-1] > min(len(X.indices), len(X.data)):
            raise IndexError
        spots = [(i, p) for i in range(n_major) for p in range(pointers[i], pointers[i + 1])]
        entries = [(i, X.indices[p], X.data[p]) for i, p in spots]
        if X.format == "csc":
            entries = [(i, j, x) for j, i, x in entries]
    for i, j, x in entries:
        if min(i, j) < 0:
            raise IndexError
        dense[i, j] += x
    return dense


def small_model():
    """A factorization written down by hand."""
    H = np.array([[0.0, 3.0, 1.0, 2.0], [0.0, 0.0, 5.0, 0.0]])
    return Factorization(
        W=np.ones((3, 2)),
        H=H,
        objective_history=np.ones(1),
        time_history=np.ones(1),
        stop_reason="converged",
        optimality=0.0,
        x_norm=1.0,
        error=0.5,
    )
