"""
A matrix that is larger than memory
===================================

In a shell::

    python larger_than_memory.py              # in a temporary folder
    python larger_than_memory.py /data/store  # a folder that stays

Written from a stream, factorized from disk. Documents are made up here, a few thousand at a
time; they could come from files, a database or a crawl. Nothing but sparsenmf is needed.
"""

# %%
# A stream of documents
# ---------------------

import sys
import tempfile
from pathlib import Path

import numpy as np
import scipy.sparse as sp

import sparsenmf
from sparsenmf import Checkpoint, CoordinateDescent

N_TERMS, N_TOPICS, BATCH, N_BATCHES = 5000, 10, 4000, 20


def stream(seed=0):
    """Yield counts of some thousand documents at a time; each is about one or two topics."""
    rng = np.random.default_rng(seed)
    topics = rng.gamma(0.05, size=(N_TOPICS, N_TERMS)) + 1e-6
    cumulated = np.cumsum(topics, axis=1)
    cumulated /= cumulated[:, -1:]
    for _ in range(N_BATCHES):
        of_document = rng.integers(N_TOPICS, size=(BATCH, 2))
        of_word = np.take_along_axis(of_document, rng.integers(2, size=(BATCH, 40)), axis=1)
        words = np.empty_like(of_word)
        for r in range(N_TOPICS):
            here = of_word == r
            words[here] = np.searchsorted(cumulated[r], rng.random(here.sum()))
        rows = np.repeat(np.arange(BATCH), 40)
        counts = np.ones(rows.size, np.float32)
        # Words that come twice are two entries of one place: the store adds them up.
        yield sp.coo_array((counts, (rows, words.ravel())), shape=(BATCH, N_TERMS))


# %%
# Into a folder
# -------------
# `write_csr` puts the blocks into a folder of plain .npy files, which is there as a whole or not
# at all. `sparsenmf.open_csr` opens it later.

temporary = tempfile.TemporaryDirectory()
folder = Path(sys.argv[1] if len(sys.argv) > 1 else temporary.name)
store = sparsenmf.write_csr(folder / "X", stream(), overwrite=True)
print(store)

# %%
# Factorize, with a break
# -----------------------
# The folder is read block by block, one pass for each iteration. W, which has a row for each
# document, is kept on disk too. A checkpoint lets a run go on after it was stopped or killed: it
# ends with the same bits as a run without a break.

options = {
    "solver": CoordinateDescent(W_path=folder / "W.npy"),
    "checkpoint": Checkpoint(folder / "checkpoint.npz", resume=True),
    "random_state": 0,
}
first = sparsenmf.factorize(store, N_TOPICS, max_iter=5, **options)
print(f"\nStopped after {first.n_iter} iterations, as if the machine had gone down.")
model = sparsenmf.factorize(store, N_TOPICS, **options)
print("Gone on:\n")
print(model)
print(f"\nW is on disk: {type(model.W).__name__} of {model.W.shape[0]:,} rows")

# %%
# More documents, later
# ---------------------
# No existing file is written again. The topics of the new documents are found with H as it is.

more = sparsenmf.write_csr(folder / "X", stream(seed=1), append=True)
print(f"\nAppended: {more.shape[0]:,} documents")
W = model.transform(more.rows(store.shape[0], more.shape[0]))
print(f"The new ones' topics: {np.bincount(W.argmax(axis=1), minlength=N_TOPICS)}")

# %%
# W is unmapped first, because Windows does not remove a folder with mapped files.

del first, model
temporary.cleanup()
