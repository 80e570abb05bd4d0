"""Code without a mistake, by which type checkers are tested; tests/test_typing.py runs it, too."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import scipy.sparse as sp
from matplotlib.figure import Figure
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.pipeline import make_pipeline

import sparsenmf
from sparsenmf import (
    NMF,
    CoordinateDescent,
    Factorization,
    MiniBatchNMF,
    Seeds,
    Topics,
    Weights,
    consensus,
    estimate_memory,
    factorize,
    find_topics,
    forecast_selection,
    open_csr,
    plots,
    read_matrix,
    read_texts,
    read_vocabulary,
    select_n_components,
    topic_coherence,
    topic_similarity,
    topic_sizes,
    topic_table,
    topics_over,
    write_csr,
)
from sparsenmf.data.typing import FloatArray, IterationState, Loss, Matrix

TEXTS = [
    "the cat sat on the mat and purred",
    "my cat chased a mouse across the mat",
    "a mouse hid from the cat",
    "stocks fell as the market opened",
    "the market rallied and stocks rose",
    "investors sold stocks when the market fell",
]


def fit(X: Matrix, loss: Loss = "frobenius") -> Factorization:
    """A function of a user's own, with annotations."""
    return factorize(X, 2, loss=loss, random_state=0)


def stop_early(state: IterationState) -> bool:
    return state.n_iter >= 3 and state.objective < 1e6 and state.W.shape[1] == 2


def report_error(model: Factorization) -> None:
    print(model.n_components, model.relative_error)


def matrices() -> None:
    X = sp.csr_array(sp.random_array((40, 30), density=0.3, rng=np.random.default_rng(0)))
    model = fit(X, "kullback-leibler")
    weights: FloatArray = model.W
    error: float = model.relative_error
    print(weights.shape, model.H.T @ model.H, error, model.stop_reason.upper(), model.n_iter + 1)
    factorize(X, 3, loss=1.5, solver="mu", max_iter=5)
    factorize(sp.random(20, 10, 0.5), n_components=2, max_iter=2)
    factorize(X.toarray(), 3, init="nndsvd", alpha_W=0.1, alpha_H="same", l1_ratio=1, tol=0)
    factorize(pd.DataFrame(X.toarray()), 3, init=None, solver=None, n_threads=None)
    factorize([[1, 2], [3, 4.5]], 1, random_state=np.random.default_rng(0))
    factorize(X, 2, progress=stop_early, time_limit=10)
    factorize(X, 3, W=model.W, H=model.H, frozen_H=[0], missing="zero", weights=None)
    factorize(
        X, 2, seeds=Seeds({"pets": ["cat"]}, vocabulary=[f"cat{i}"[: 3 + i] for i in range(30)])
    )
    factorize(
        X,
        2,
        weights=Weights(samples=np.ones(40)),
        seeds=Seeds({0: [1, 2], 1: range(3)}, strength="support"),
    )
    new = model.transform(X[:5], tol=1e-3)
    rating = model.predict(3, [0, 1])
    print(new.mean(axis=0), rating.max(), model.loss(X), model.normalize("both").scale.sum())
    print(topic_similarity(model.H).round(2), topic_sizes(model, by="documents"))
    frame = model.to_frame("W")
    print(frame.head(), str(estimate_memory(X, 5, dtype="float32")), estimate_memory(X).total)


def estimators() -> None:
    X = sp.csr_array(sp.random_array((40, 30), density=0.3, rng=0))
    estimator = NMF("auto", max_iter=5, tol=0)
    estimator = NMF(3, beta_loss="kullback-leibler", random_state=0).fit(X)
    W = estimator.fit_transform(X)
    components: FloatArray = estimator.components_
    print(W @ components, estimator.reconstruction_err_ + 1, estimator.factorization_.n_iter)
    print(estimator.transform(X).shape, estimator.n_components_, estimator.get_params())
    stream = MiniBatchNMF(3, batch_size=10, max_no_improvement=None)
    for _ in range(2):
        stream.partial_fit(X)
    print(stream.fit(X[start : start + 10] for start in range(0, 40, 10)).transform(X))
    make_pipeline(TfidfVectorizer(), NMF(2, init="nndsvda")).fit_transform(TEXTS)


def texts(folder: Path) -> None:
    (folder / "texts.txt").write_text("\n".join(TEXTS))
    titles, documents = read_texts(folder / "texts.txt")
    topics = find_topics(documents, 2, titles=titles, min_df=1, random_state=0, max_iter=20)
    for label, share in zip(topics.labels(), topics.topic_table()["share"], strict=True):
        print(label.upper(), share)
    print(topics.get_topic(1)[0][0].upper(), topics.coherence(documents, "umass").mean())
    topics.report(folder / "topics.html", title="Cats and stocks", n_terms=5)
    topics.save(folder / "model.npz")
    W = Topics.load(folder / "model.npz").transform(["the cat and the mouse"])
    print(W.argmax(axis=1), topics.share_table(W, ["new"])["topic"])
    report_error(Factorization.load(folder / "model.npz"))

    vectorizer = CountVectorizer(stop_words="english")
    counts = vectorizer.fit_transform(TEXTS)
    model = factorize(counts, n_components=2, loss="kullback-leibler", random_state=0)
    terms = vectorizer.get_feature_names_out()
    print([" ".join(listed) for listed in model.top_terms(terms, 4)])
    print(topic_table(model, terms, titles=pd.Series(TEXTS))["terms"])
    print(topic_table(model, vectorizer.vocabulary_, X=counts)["share"])
    print(model.top_terms(terms, by="distinctive"), topic_table(model, terms, by=0.5))
    print(topic_table(sparsenmf.factorize(sparsenmf.NamedMatrix(counts, feature_names=terms), 2)))
    print(model.transform(vectorizer.transform(["the cat and the mouse"])).round(2))
    print(topic_coherence(model, counts, measure="npmi").max())
    print(topics_over(model, pd.Series(["2024-01-01"] * 6), bin="month", values="total")["group"])


def files(folder: Path) -> None:
    X = sp.csr_array(sp.random_array((40, 30), density=0.3, rng=0))
    sp.save_npz(folder / "X.npz", X)
    (folder / "terms.txt").write_text("\n".join(f"term{i}" for i in range(30)))
    terms = read_vocabulary(str(folder / "terms.txt"))
    print(read_matrix(folder / "X.npz").shape, terms[0].upper())
    written = write_csr(folder / "store", [X, X], dtype=np.float32)
    store = open_csr(folder / "store", verify=True)
    print(written.nnz + store.nnz, store.rows(0, 5).shape, [start for start, _ in store.blocks()])
    model = factorize(
        store,
        3,
        solver=CoordinateDescent(W_path=folder / "W.npy"),
        checkpoint=folder / "run.npz",
        max_iter=3,
    )
    sparsenmf.files.write_table(folder / "terms.csv", sparsenmf.term_table(model, terms, 3))


def choices() -> None:
    X = sp.csr_array(sp.random_array((40, 30), density=0.5, rng=0))
    selection = select_n_components(X, range(1, 4), method="blocks", max_iter=5, random_state=0)
    best: int = selection.n_components
    print(best, selection.table["mean"].min(), selection.loss)
    print(forecast_selection(X, [1, 2], n_repeats=2, solver="cd").seconds)
    known = select_n_components(X, [1, 2], weights=X, missing="unknown", sample=0.9, max_iter=3)
    print(known.sample is not None and known.sample.rows.size)
    result = consensus(X, 2, n_restarts=3, loss="frobenius", max_iter=5, density_threshold=2)
    print(consensus(X, 2, 3, weights=np.ones(40), missing="zero", sample=0.9).sample)
    print(result.stability.mean(), result.W.shape, result.model.objective)


def pictures(folder: Path) -> None:
    model = factorize(sp.random_array((40, 30), density=0.3, rng=0), 3, random_state=0)
    terms = np.array([f"term{i}" for i in range(30)])
    ax = sparsenmf.plots.plot_topic_map(model, terms)
    ax.set_title("topics")
    plots.plot_objective([model, model], labels=["one", "another"])
    figure = Figure()
    plots.plot_top_terms(model, terms, topics=[1, 2], n_terms=3, ax=figure.subplots())
    figure.savefig(folder / "terms.png")
    plots.plot_topic_sizes(model, by="terms")
    plots.plot_documents(model, max_documents=10, random_state=None)


def main(folder: Path) -> None:
    matrices()
    estimators()
    texts(folder)
    files(folder)
    choices()
    pictures(folder)
