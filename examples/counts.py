"""
Counts: the Kullback-Leibler loss
=================================

In a shell::

    python counts.py

Two losses, and two solvers, on counts of words whose topics are known because they are made up.
Nothing but sparsenmf is needed; with matplotlib it also draws a picture, counts.png.
"""

# %%
# Documents of counts
# -------------------
# Each topic draws its own words from a vocabulary in which, as in every language, few words make
# up most of a text. Documents are of one to three topics, and of very different lengths.

import numpy as np
import scipy.sparse as sp

import sparsenmf
from sparsenmf import RandomStarts, plots
from sparsenmf.models.components import Components

N_TOPICS, N_DOCUMENTS, N_WORDS = 8, 3000, 2000

rng = np.random.default_rng(0)
frequency = 1 / np.arange(1, N_WORDS + 1)  # Zipf's law
topics = frequency * (rng.gamma(0.2, size=(N_TOPICS, N_WORDS)) + 0.1)
topics /= topics.sum(axis=1, keepdims=True)
shares = rng.dirichlet(np.full(N_TOPICS, 0.15), size=N_DOCUMENTS)
lengths = rng.lognormal(5.0, 1.0, size=(N_DOCUMENTS, 1))
X = sp.csr_array(rng.poisson(lengths * (shares @ topics)))
print(f"{X.shape[0]:,} documents x {X.shape[1]:,} words, {X.sum():,} counts, {X.nnz:,} nonzeros")

# %%
# Why not the Frobenius norm?
# ---------------------------
# It treats errors of a given size as equally likely, whatever the count. But a Poisson count with
# mean 400 is typically off by 20, and one with mean 1 by 1. So the frequent words of long documents
# dominate. tf-idf is the usual way out. The Kullback-Leibler divergence needs none: up to a
# constant, it is the negative log likelihood of Poisson counts.


def cosines(model):
    """Return the cosine of each planted topic and the nearest topic that was found."""
    found = model.normalize("H").H
    norms = np.outer(np.linalg.norm(found, axis=1), np.linalg.norm(topics, axis=1))
    return (found @ topics.T / norms).max(axis=0)


models = {}
print("\nCosine of each topic and the nearest that was found:\n")
for loss in ("frobenius", "kullback-leibler"):
    models[loss] = sparsenmf.factorize(X, N_TOPICS, loss=loss, init=RandomStarts(3), random_state=0)
    print(f"{loss:>18}  " + "  ".join(f"{cosine:.3f}" for cosine in cosines(models[loss])))

# %%
# Twice the divergence is the deviance. For a good model it is about that of the truth, or a little
# lower, because the fit also follows the noise.

model = models["kullback-leibler"]
rows, columns = X.nonzero()
expected = sum(
    (lengths * shares)[rows, r] * topics[r, columns] for r in range(N_TOPICS)
)  # only where X is not zero: elsewhere the divergence is the expected count itself
truth = np.sum(X.data * np.log(X.data / expected)) - X.sum() + lengths.sum()
print(f"\nDivergence: {model.objective_history[-1]:,.0f}, of the truth {truth:,.0f}")

# %%
# Topics as distributions
# -----------------------
# For this loss, a converged W H has the row sums of X. So a normalised model reads as
# probabilities: how much of each topic is in a document, how likely each word is in a topic, and
# how long the document is.

in_documents, in_topics, found_lengths = model.normalize("both")
print(f"Lengths: correlation {np.corrcoef(found_lengths, X.sum(axis=1))[0, 1]:.4f} with the sums")

# %%
# Two solvers
# -----------
# Multiplicative updates (``solver="mu"``) are what most libraries have. Coordinate descent
# (``solver="cd"``, the default) takes Newton steps, at the cost of the nonzeros, too.

runs = {
    solver: sparsenmf.factorize(
        X, N_TOPICS, loss="kullback-leibler", solver=solver, random_state=0, max_iter=60, tol=0
    )
    for solver in ("cd", "mu")
}
print("\nDivergence after iteration\n")
print(f"{'':6}" + "".join(f"{i:12}" for i in (1, 5, 10, 20, 60)))
for solver, run in runs.items():
    values = (run.objective_history[i - 1] for i in (1, 5, 10, 20, 60))
    print(f"{solver:6}" + "".join(f"{value:12,.0f}" for value in values))

# %%
# A picture
# ---------
# It shows how similar the topics that were found (rows) are to the planted ones (columns).

try:
    ax = plots.plot_comparison(model, Components(H=topics))
except ImportError as error:
    print(f"\nNo picture: {error}")
else:
    ax.set(ylabel="topics found", xlabel="topics put in")
    ax.figure.savefig("counts.png", dpi=150)
    print("\nPicture: counts.png")
