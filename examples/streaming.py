"""
Topics of a stream
==================

In a shell::

    python streaming.py

Documents come in batches, and only one batch is in memory: `sparsenmf.MiniBatchNMF` learns from
each and forgets it. Here the stream is the documentation of Python and its packages, in random
order, 256 docstrings at a time; it could be lines of a file, rows of a database or messages of
a queue.

Needs scikit-learn: pip install "sparsenmf[text]"; with matplotlib it also draws a picture,
streaming.png.
"""

# %%
# Before the first batch
# ----------------------
# The columns, and how rare each word is, must be known from the beginning. They are learned from a
# first part of the documents.

import random

import numpy as np
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS, CountVectorizer, TfidfTransformer
from topics import DOCSTRING_WORDS, read_documentation

import sparsenmf
from sparsenmf import plots
from sparsenmf.models.components import Components

N_TOPICS, BATCH = 20, 256

_, texts = read_documentation()
random.Random(0).shuffle(texts)
words = DOCSTRING_WORDS.split()
count = CountVectorizer(
    stop_words=[*ENGLISH_STOP_WORDS, *words, *(word + "s" for word in words)],
    token_pattern=r"\b[^\W\d_]{3,}\b",
    min_df=5,
    dtype=np.float32,
)
weigh = TfidfTransformer(sublinear_tf=True)
weigh.fit(count.fit_transform(texts[:4000]))
terms = count.get_feature_names_out()

# %%
# Batch by batch
# --------------
# After each batch the topics are there to be looked at, or to be used by `transform`.

model = sparsenmf.MiniBatchNMF(N_TOPICS, random_state=0)
for start in range(0, len(texts), BATCH):
    batch = texts[start : start + BATCH]
    model.partial_fit(weigh.transform(count.transform(batch)))
    if model.n_samples_seen_ % (10 * BATCH) == 0:
        print(f"{model.n_samples_seen_:6,} documents seen", flush=True)

print()
for weights in model.components_:
    print("  " + ", ".join(terms[np.argsort(-weights)[:8]]))

# %%
# What was lost?
# --------------
# A fit with everything in memory, to compare \|X - W H\|. The stream has seen each document only
# once, so the fit in memory is a little better.

X = weigh.transform(count.transform(texts))
whole = sparsenmf.NMF(N_TOPICS, random_state=0).fit(X)
print(f"\nError of the stream's topics: {model.reconstruction_error(X):.2f}")
print(f"with all {X.shape[0]:,} documents in memory: {whole.reconstruction_err_:.2f}")

# %%
# Are they the same topics?
# -------------------------
# The topics of both are paired so that pairs are as similar as possible. Not all are: two random
# starts with everything in memory differ as well (see ``choosing_k.py`` for how stable they are).

try:
    ax = plots.plot_comparison(whole.factorization_, Components(H=model.components_), terms)
except ImportError as error:
    print(f"\nNo picture: {error}")
else:
    ax.set(ylabel="all in memory", xlabel="from the stream")
    ax.figure.savefig("streaming.png", dpi=150)
    print("\nPicture: streaming.png")
