"""
Ratings, of which most are unknown
==================================

In a shell::

    python recommender.py                 # ratings that are made up
    python recommender.py ratings.npz     # or any other matrix of users x items (.mtx.gz, ...)

A rating that is missing is not a rating of zero: with ``missing="unknown"`` only the stored
entries count. A fifth of them is held out and predicted. Few ratings and many factors need an
L2 penalty; the objective here is half the squared error plus PENALTY / 2 times the squared
factors. With cmfrec installed, its non-negative model, which has the same objective, is fitted
to the same ratings beside it; with matplotlib a picture is drawn, recommender.png.
"""

# %%
# Ratings
# -------
# They are simulated: tastes are non-negative, and ratings go from 0.5 to 5 in halves, with noise.

import sys
import time

import numpy as np
import scipy.sparse as sp

import sparsenmf

N_COMPONENTS = 10
PENALTY = 6.0


def simulate(n_users=1500, n_items=1000, seed=0):
    """Return ratings from 0.5 to 5 in halves, of which one in thirty is known."""
    rng = np.random.default_rng(seed)
    tastes = rng.gamma(0.5, size=(n_users, 6)) @ rng.gamma(0.5, size=(6, n_items))
    ratings = 2.2 + tastes / tastes.std() + 0.5 * rng.standard_normal(tastes.shape)
    ratings = np.clip(np.round(2 * ratings) / 2, 0.5, 5)
    known = rng.random(ratings.shape) < 1 / 30
    return sp.csr_array(ratings * known, dtype=np.float32)


# %%
# What is held out, and how a prediction is judged
# ------------------------------------------------


def split(X, seed=0):
    """Return four fifths of the ratings, and the others as users, items and ratings."""
    ratings = sp.coo_array(X)
    held = np.random.default_rng(seed).random(ratings.nnz) < 0.2
    users, items = ratings.coords
    train = sp.coo_array((ratings.data[~held], (users[~held], items[~held])), shape=X.shape)
    return train.tocsr(), (users[held], items[held], ratings.data[held])


def rmse(predicted, train, held):
    """Return the root of the mean squared error, with the mean where nothing is known."""
    users, items, ratings = held
    known = (np.bincount(train.indices, minlength=train.shape[1]) > 0)[items]
    known &= (np.diff(train.indptr) > 0)[users]
    predicted = np.where(known, np.clip(predicted, 0.5, 5), train.data.mean())
    return float(np.sqrt(np.mean((predicted - ratings) ** 2)))


X = sparsenmf.read_matrix(sys.argv[1]) if len(sys.argv) > 1 else simulate()
train, held = split(X)
n_users, n_items = X.shape
print(f"{n_users:,} users x {n_items:,} items, {X.nnz:,} ratings, a fifth held out")
print(f"the mean rating for all: RMSE {np.std(held[2]):.4f}")

# %%
# Only what is stored counts
# --------------------------
# `predict` computes the entries of W H that you ask for, and never all of it.

options = {
    "missing": "unknown",
    "alpha_W": PENALTY / n_items,  # penalties are multiplied by the size of the other side
    "alpha_H": PENALTY / n_users,
    "tol": 1e-3,
    "random_state": 0,
}
sparsenmf.factorize(train, N_COMPONENTS, max_iter=1, **options)  # compiles, or loads
started = time.perf_counter()
model = sparsenmf.factorize(train, N_COMPONENTS, **options)
seconds = time.perf_counter() - started
predicted = model.predict(*held[:2])
ours = rmse(predicted, train, held)
print(f"sparsenmf: RMSE {ours:.4f} after {seconds:.3f} s and {model.n_iter} iterations")

# %%
# The same objective elsewhere
# ----------------------------


def fit_cmfrec(train):
    """Return the user and item factors of cmfrec's model with the same objective, and seconds."""
    from cmfrec import CMF

    model = CMF(
        k=N_COMPONENTS, lambda_=PENALTY, nonneg=True, center=False, user_bias=False,
        item_bias=False, use_float=True, verbose=False,
    )  # fmt: skip
    ratings, started = sp.coo_matrix(train), time.perf_counter()
    model.fit(ratings)
    return model.A_, model.B_, time.perf_counter() - started


try:
    users, items, seconds = fit_cmfrec(train)
except ImportError:
    print("cmfrec is not installed: nothing to compare with")
else:
    theirs = np.einsum("pr,pr->p", users[held[0]], items[held[1]])
    print(f"cmfrec:    RMSE {rmse(theirs, train, held):.4f} after {seconds:.3f} s")

# %%
# What to recommend
# -----------------
# The items that a user has not rated, best first.

user = int(np.argmax(np.diff(train.indptr)))
unseen = np.setdiff1d(np.arange(n_items), train[[user]].indices)
best = unseen[np.argsort(-model.predict(user, unseen))[:5]]
print(f"user {user} has rated {n_items - len(unseen)} items, and might like {best.tolist()}")

# %%
# A picture
# ---------
# It shows the predictions for held-out ratings, by the true rating. The penalty shrinks predictions
# towards the usual, which is right where little is known.


def draw():
    """Return a figure of the predictions for each rating."""
    from matplotlib.figure import Figure

    ratings = np.unique(held[2])
    groups = [predicted[held[2] == rating] for rating in ratings]
    figure = Figure(figsize=(6.4, 4.0), layout="constrained")
    ax = figure.subplots()
    ax.plot(ratings, ratings, "--", color="#8a8f98", linewidth=1)
    ax.boxplot(
        groups, positions=ratings, widths=0.3, showfliers=False, manage_ticks=False,
        patch_artist=True, boxprops={"facecolor": "#cfe1f2", "edgecolor": "#2b6ca3"},
        medianprops={"color": "#2b6ca3", "linewidth": 2},
        whiskerprops={"color": "#8a8f98"}, capprops={"color": "#8a8f98"},
    )  # fmt: skip
    ax.set(xlabel="rating, held out", ylabel="prediction")
    ax.spines[["top", "right"]].set_visible(False)
    return figure


try:
    draw().savefig("recommender.png", dpi=150)
    print("\nPicture: recommender.png")
except ImportError:
    print('\nNo picture: it needs matplotlib (pip install "sparsenmf[plot]")')
